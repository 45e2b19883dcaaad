"""Two more tasks of Devlin et al. (2019): questions of which some have no answer (section 4.3: SQuAD 2.0) and names
(section 5.3, figure 4 d: CoNLL-2003), cut from the grammar or read as released."""

from functools import lru_cache
from pathlib import Path

from phantastic.data import conll2003, squad
from phantastic.ground.errors import Refused
from phantastic.tuning import entities, tasks
from phantastic.tuning.tasks import CONLL, FURTHER, GLUE, SPARE, SQUAD, SUPERGLUE, Answer, Example, Task, apart
from phantastic.world import names, sentences
from phantastic.world.language_tasks import Tagged
from phantastic.world.unanswered import unanswered

SPANS = ("f1", "exact", "f1_answerable", "f1_unanswerable")
HELD_OUT = 10  # of a folder's articles one in so many settles when none is answered


@lru_cache(maxsize=4)
def of_grammar(seed: int, train: int, test: int) -> tuple[Task, ...]:
    """Questions, half of which their text does not answer, and names; no text of the test stands among those to learn
    from or to settle by."""
    grammar = sentences.grammar()

    def questions(split: str, count: int) -> list[Example]:
        return [
            Example((each.question, each.context), Answer(each.start_character, each.answer))
            for each in unanswered(grammar, seed, f"unanswered {split}", count)
        ]

    def tagged(split: str, count: int) -> list[Example]:
        found: list[Tagged] = names.names(grammar, seed, f"names {split}", count, new=split == "test")
        return [Example(tuple(each.words), each.tags) for each in found]

    learned, held = questions("train", train), questions("test", 2 * test + SPARE)
    _, settled = apart(learned, questions("dev", 2 * test + SPARE), test, slice(1, None))
    _, measured = apart(learned + settled, held, test, slice(1, None))
    marked, new = apart(tagged("train", train), tagged("test", 2 * test + SPARE), test, None)
    return (
        Task("unanswered", "span", 2, SPANS, learned, measured, dev=tuple(settled)),
        Task("names", "tags", names.TAGS, entities.MEASURES, marked, new),
    )


def of_folder(folder: str, train: int, test: int) -> tuple[Task, ...]:
    """The tasks that a folder holds, those of `tasks.of_folder` first; the first ``train`` and ``test`` rows of each, 0
    means all."""
    place = Path(folder)
    further = tuple(READ[name](place / name, train, test) for name in FURTHER if (place / name).is_dir())
    others = not further or any((place / name).is_dir() for name in (*GLUE, *SUPERGLUE))
    return (*(tasks.of_folder(folder, train, test) if others else ()), *further)


def of_conll(place: Path, train: int, test: int) -> Task:
    """CoNLL-2003: eng.train and eng.testb, or train.txt and test.txt."""
    parts = []
    for files in (("eng.train", "train.txt"), ("eng.testb", "test.txt")):
        found = conll2003.load(next((place / name for name in files if (place / name).exists()), place / files[0]))
        parts.append([Example(tuple(words), tags) for words, tags in found])
    return Task(CONLL, "tags", conll2003.TAGS, entities.MEASURES, parts[0][: train or None], parts[1][: test or None])


def of_squad(place: Path, train: int, test: int) -> Task:
    """SQuAD 2.0: train-v2.0.json and dev-v2.0.json. When none is answered is settled on the last tenth of the articles
    to learn from, which are then not learned from: the test set proper is not released."""
    asked, measured = (squad.load(place / f"{split}-v2.0.json") for split in ("train", "dev"))
    articles = list(dict.fromkeys(question.title for question in asked))
    if len(articles) < 2:
        raise Refused(
            f"{str(place / 'train-v2.0.json')!r} has one article; at least two are needed: from one it is settled when "
            "no answer is given"
        )
    kept = set(articles[-max(1, len(articles) // HELD_OUT) :])
    learned = [example_of(question) for question in asked if question.title not in kept]
    settled = [example_of(question) for question in asked if question.title in kept]
    tested = [example_of(question) for question in measured]
    return Task(
        SQUAD, "span", 2, SPANS, learned[: train or None], tested[: test or None], dev=tuple(settled[: test or None])
    )


READ = {SQUAD: of_squad, CONLL: of_conll}


def example_of(question: squad.Question) -> Example:
    if not question.answers:
        return Example((question.question, question.context), Answer(0, ""))
    first, *others = question.answers
    also = tuple(dict.fromkeys(answer.text for answer in others))
    return Example((question.question, question.context), Answer(first.start, first.text, also))
