"""Questions without an answer, and names: threshold, measures and baselines by hand; folders as released."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phantastic.data.text_metrics import squad_measures
from phantastic.declare.recipe import compose
from phantastic.ground.errors import Refused
from phantastic.pretraining.plan import Plan, build
from phantastic.run.execute import execute
from phantastic.run.folder import Run
from phantastic.systems.finetune.study import STUDY
from phantastic.tuning import entities, finetune, further, measure, nulls, tasks
from phantastic.tuning.tasks import Answer, Example, Task
from phantastic.tuning.texts import Reader, grammar


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(grammar(8_192).wordpiece.tokenizer, 128)


# --- when no answer is given


NONE = Example(("who runs ?", "the cow sleeps . the goat rests ."), Answer(0, ""))


def test_no_answer_is_the_span_at_cls(reader: Reader) -> None:
    tokens, target = finetune.encoded(reader, "span", NONE)
    assert tokens.tokens[0] == "[CLS]"
    assert target == [0, 0]


def test_the_margin_by_hand(reader: Reader) -> None:
    """S · T and E · T given: the best span from i to j ≥ i of the text less S · C + E · C (section 4.3)."""
    tokens, _ = finetune.encoded(reader, "span", NONE)
    start, end = torch.zeros(len(tokens)), torch.zeros(len(tokens))
    cow, goat = tokens.tokens.index("cow"), tokens.tokens.index("goat")
    start[0], end[0], start[1], end[1] = 1.0, 0.5, 9.0, 9.0  # [CLS]; a word of the question counts for nothing
    start[goat], end[cow], end[goat] = 3.0, 4.0, 2.5  # from "goat" to "cow" would be backwards
    found = finetune.span(tokens, start, end)
    assert NONE.texts[1][found.first : found.last] == "goat"
    assert found.margin == pytest.approx(3 + 2.5 - 1.5)


def test_a_threshold_by_hand() -> None:
    """Of four questions the two with the smaller margins have no answer: between 1 and 2 all are right."""
    margins, answering = np.array([1.0, 3.0, -2.0, 2.0]), np.array([0.0, 1.0, 0.0, 1.0])
    assert nulls.threshold(margins, answering, 1 - answering) == 1.5
    assert nulls.threshold(margins - 1.5, answering, 1 - answering) == 0  # of all that are as good the nearest to 0
    assert nulls.threshold(margins, np.ones(4), np.zeros(4)) == -3
    assert nulls.threshold(margins, np.zeros(4), np.ones(4)) == 4
    assert nulls.given(margins, ["a", "b", "c", "d"], 1.5) == ["", "b", "", "d"]


QUESTIONS = st.lists(
    st.tuples(st.integers(-3, 3), st.sampled_from(["red cow", "cow", ""]), st.sampled_from(["cow", "a red cow"])),
    min_size=1,
    max_size=12,
)


@given(QUESTIONS)
def test_no_threshold_is_better_on_the_questions_it_was_settled_by(rows: list[tuple[int, str, str]]) -> None:
    """As the official program finds it: evaluate-v2.0.py's best F1."""
    margins = np.array([float(margin) for margin, *_ in rows])
    margins += np.arange(len(rows)) / 100  # it takes equal ones one after the other, which no threshold can
    spans = [span for *_, span in rows]
    examples = [Example(("", ""), Answer(0, right)) for _, right, _ in rows]
    f1 = [[nulls.f1(text, example) for text, example in zip(texts, examples, strict=True)]
          for texts in (spans, ["" for _ in rows])]  # fmt: skip
    tau = nulls.threshold(margins, np.array(f1[0]), np.array(f1[1]))
    said = nulls.given(margins, spans, tau)
    gold = {str(n): [right] if right else [] for n, (_, right, _) in enumerate(rows)}
    best = squad_measures(
        {str(n): span for n, span in enumerate(spans)}, gold, {str(n): -margin for n, margin in enumerate(margins)}
    )["best_f1"]
    reached = squad_measures({str(n): text for n, text in enumerate(said)}, gold)["f1"]
    assert reached == pytest.approx(best)
    for other in (0.0, -np.inf, np.inf):
        texts = nulls.given(margins, spans, other)
        assert squad_measures({str(n): text for n, text in enumerate(texts)}, gold)["f1"] <= reached + 1e-9


def test_the_right_answers_and_silence_are_measured_as_squad_does() -> None:
    task = further.of_grammar(0, 24, 12)[0]
    right = [measure.texts_of(example.target)[:1] or [""] for example in task.test]
    assert all(score.value == 1 for score in measure.scores(task, [text for (text,) in right]).values())
    silent = {name: score.value for name, score in measure.scores(task, [""] * 12).items()}
    assert silent == {"f1": 0.5, "exact": 0.5, "f1_answerable": 0, "f1_unanswerable": 1}
    several = task._replace(test=[Example(("", ""), Answer(0, "the red cow", ("cow",)))])
    assert measure.scores(several, ["a cow"])["exact"].value == 1
    assert measure.scores(several, ["red goat"])["f1"].value == 0.5  # of "red cow": half of either


def test_a_network_learns_to_say_none(reader: Reader) -> None:
    """Where the question alone tells: "who" is answered by the first word of the text, "where" is not."""
    place = np.random.default_rng(0)
    words = ["cow", "goat", "farmer", "barn", "field", "hen"]

    def drawn(count: int) -> list[Example]:
        texts = [" ".join(place.choice(words, 3)) for _ in range(count)]
        return [
            Example(("who ?" if n % 2 else "where ?", text), Answer(0, text.split()[0] if n % 2 else ""))
            for n, text in enumerate(texts)
        ]

    task = Task("toy", "span", 2, further.SPANS, drawn(200), drawn(40), dev=tuple(drawn(40)))
    network = build(Plan(2, 32, 2, 64, 1, 8, 1e-3), len(reader), 0)
    model = finetune.with_head(network, task, 0)
    finetune.learn(model, "span", finetune.encode(reader, "span", task.train), finetune.Tuning(300, 16, 3e-3), 0)
    found = nulls.said(model, task, reader)
    assert measure.scores(task, found.best)["f1"].value > 0.95
    assert measure.scores(task, found.never)["f1_unanswerable"].value == 0
    assert "" not in found.never


def test_without_cls_there_is_no_place_for_none() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    plain = Tokenizer(models.WordLevel({"?": 0, "cow": 1}, unk_token="?"))  # pyright: ignore[reportCallIssue]
    plain.pre_tokenizer = pre_tokenizers.Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(Refused, match=r"no \[CLS\].*such as BERT"):
        finetune.encoded(Reader(plain, 16), "span", NONE)


# --- names


def named(train: list[tuple[str, list[int]]], test: list[tuple[str, list[int]]]) -> Task:
    learned, tested = ([Example(tuple(text.split()), tags) for text, tags in rows] for rows in (train, test))
    return Task("names", "tags", 7, entities.MEASURES, learned, tested)


TRAIN = [("mary helps the hen", [1, 0, 0, 0]), ("the hen", [0, 0]), ("in rome hall", [0, 3, 4]), ("hen club", [5, 6])]
TASK = named(TRAIN, [("mary hen helps kelo", [1, 2, 0, 1]), ("hen in rome", [1, 0, 3])])


def test_f1_of_names_by_hand() -> None:
    """There are mary hen, kelo, hen and rome; of five that are said two are right: 2 · 2 / (5 + 4)."""
    said = [[1, 1, 0, 1], [1, 0, 5]]
    found = {name: score.value for name, score in measure.scores(TASK, said).items()}
    assert found["f1"] == pytest.approx(4 / 9)
    assert found["recall_new"] == 1  # kelo
    assert found["recall_ordinary"] == 1  # hen, which mostly is no name; "mary hen" has another word
    right = [list(entities.tags_of(example)) for example in TASK.test]
    assert {score.value for score in measure.scores(TASK, right).values()} == {1.0}
    assert {score.value for score in measure.scores(TASK, [[], []]).values()} == {0.0}


def test_the_dictionary_knows_each_words_usual_tag() -> None:
    assert entities.dictionary(TASK.train) == {
        "mary": 1, "helps": 0, "the": 0, "hen": 0, "in": 0, "rome": 3, "hall": 4, "club": 6,
    }  # fmt: skip
    assert entities.looked_up(TASK) == [[1, 0, 0, 1], [0, 0, 3]]  # kelo: B-PER, B-LOC and B-ORG are equally frequent


def test_words_alone_are_put_together_again() -> None:
    single = entities.alone(TASK)
    assert [example.texts for example in single.test] == [(word,) for row in TASK.test for word in row.texts]
    assert len(single.train) == len(TASK.train)
    tags = [example.target for example in single.test]
    assert entities.together(TASK, tags) == [example.target for example in TASK.test]  # pyright: ignore


def test_neither_test_shares_a_text_with_what_is_learned_or_settled_by() -> None:
    asked, marked = further.of_grammar(0, 400, 60)
    parts = [{example.texts[1] for example in part} for part in (asked.train, asked.dev, asked.test)]
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]
    assert len(asked.dev) == len(asked.test) == len(marked.test) == 60
    assert not {example.texts for example in marked.train} & {example.texts for example in marked.test}


# --- folders


def squad_folder(place: Path, articles: int = 3) -> Path:
    place.mkdir(parents=True)
    for split in ("train", "dev"):
        data = []
        for n in range(articles):
            context = f"the cow {split} sleeps in barn {n} ."
            answers = [{"text": "the cow", "answer_start": 0}, {"text": "cow", "answer_start": 4}]
            asked = {"id": f"{n}a", "question": "what sleeps ?", "is_impossible": False, "answers": answers}
            none = {"id": f"{n}b", "question": "what runs ?", "is_impossible": True, "answers": []}
            data.append({"title": f"title {n}", "paragraphs": [{"context": context, "qas": [asked, none]}]})
        (place / f"{split}-v2.0.json").write_text(json.dumps({"version": "v2.0", "data": data}))
    return place


def conll_folder(place: Path, files: tuple[str, str] = ("eng.train", "eng.testb")) -> Path:
    place.mkdir(parents=True)
    for name in files:
        (place / name).write_text("-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nsleeps VBZ I-VP O\n\nMary NNP I-NP I-PER\n")
    return place


def test_released_folders_become_tasks(tmp_path: Path) -> None:
    squad_folder(tmp_path / tasks.SQUAD)
    conll_folder(tmp_path / tasks.CONLL)
    asked, marked = further.of_folder(str(tmp_path), 0, 0)
    assert [len(part) for part in (asked.train, asked.dev, asked.test)] == [4, 2, 6]
    assert {example.texts[1] for example in asked.dev} == {"the cow train sleeps in barn 2 ."}
    assert asked.test[0].target == Answer(0, "the cow", ("cow",))
    assert asked.test[1].target == Answer(0, "")
    assert [example.target for example in marked.train] == [[5, 0], [1]]
    assert marked.labels == 9
    assert tasks.lacking(str(tmp_path))[1] == []
    few = further.of_folder(str(tmp_path), 1, 1)
    assert [(len(task.train), len(task.test)) for task in few] == [(1, 1), (1, 1)]
    assert further.of_conll(conll_folder(tmp_path / "other", ("train.txt", "test.txt")), 0, 0) == marked


def test_released_folders_are_learned_and_measured(tmp_path: Path) -> None:
    squad_folder(tmp_path / "data" / tasks.SQUAD)
    conll_folder(tmp_path / "data" / tasks.CONLL)
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"device": "cpu", "data": str(tmp_path / "data")})
    run = Run.create(STUDY, recipe, "tiny", tmp_path)
    execute(run)
    run.close()
    measures = run.measures()
    assert measures["SQuAD-2.0.silent.f1"].value == 0.5
    assert {"SQuAD-2.0.pretrained.f1_zero", "CoNLL-2003.alone.f1", "CoNLL-2003.dictionary.f1"} <= set(measures)
    assert not any(name.startswith("average") for name in measures)  # GLUE's, of which nothing is there
    assert (run.folder / "tuned" / tasks.SQUAD / "config.json").exists()


def test_one_article_is_refused_since_nothing_is_left_to_settle_by(tmp_path: Path) -> None:
    squad_folder(tmp_path / tasks.SQUAD, articles=1)
    with pytest.raises(Refused, match=r"train-v2\.0\.json.* has one article; at least two are needed"):
        further.of_folder(str(tmp_path), 0, 0)


def test_a_folder_without_its_files_or_without_tasks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"holds none of the folders .*SQuAD-2\.0, CoNLL-2003"):
        further.of_folder(str(tmp_path), 0, 0)
    (tmp_path / tasks.CONLL).mkdir()
    with pytest.raises(Refused, match=r"eng\.train' does not exist; expected CoNLL-2003"):
        further.of_folder(str(tmp_path), 0, 0)
