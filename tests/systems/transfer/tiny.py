"""The study `transfer`: labels agree by alignment, equal languages score alike, a whole copy keeps every score."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from halted import halted

from phantastic.declare.recipe import compose
from phantastic.declare.verdicts import judge
from phantastic.ground.errors import Refused
from phantastic.nn.language.model import Model
from phantastic.pretraining import wordpiece
from phantastic.pretraining.batches import Language
from phantastic.pretraining.corpus import Masking
from phantastic.pretraining.objectives.distillation import distillation
from phantastic.pretraining.objectives.translation_lm import both_languages
from phantastic.pretraining.plan import Plan
from phantastic.run.folder import Run
from phantastic.systems.transfer import bag, bilingual, crossing, distilling, nearest, students, tasks, tuned
from phantastic.systems.transfer.distilling import Distilling
from phantastic.systems.transfer.study import STUDY, TransferRecipe
from phantastic.tuning import finetune
from phantastic.tuning.finetune import Tuning
from phantastic.tuning.tasks import Task
from phantastic.tuning.texts import Reader, grammar
from phantastic.world import sentences as world
from phantastic.world.sentences import lexicon

JAPANESE = re.compile("[぀-ヿ一-鿿]")
PLAN = Plan(2, 16, 2, 64, 1, 8, 1e-3)


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("transfer")


# --- the tasks


def test_the_languages_share_no_piece() -> None:
    first, second = (set(language.wordpiece.pieces(language.words).ids.tolist()) for language in both_languages())
    assert first
    assert second
    assert not first & second
    assert min(first | second) >= len(wordpiece.SPECIAL)


def test_labels_agree_by_alignment() -> None:
    drawn = world.documents(world.grammar(), 3, "transfer test", 0, 100)
    english, japanese = ({name: tasks.in_language(name, side, 3, 2, 200).test for name in tasks.NAMES}
                         for side in world.LANGUAGES)  # fmt: skip
    for number in range(200):
        tags = english["tagging"][number].target, japanese["tagging"][number].target
        pairs = world.alignment(drawn.english, drawn.japanese, number)
        assert pairs
        assert all(tags[0][a] == tags[1][b] for a, b in pairs)  # pyright: ignore[reportIndexIssue]
        assert english["topic"][number].target == japanese["topic"][number].target == drawn.topic[number]
        assert english["subject"][number].target == japanese["subject"][number].target
        assert english["topic"][number].texts == (drawn.english.text(number),)
        assert japanese["tagging"][number].texts == tuple(drawn.japanese.forms(number))


def test_the_subject_is_of_the_kind_that_the_lexicon_says() -> None:
    """By another way: the noun on which the root's subject relation stands in the dependency tree."""
    data, kind = lexicon.source(), {}
    for group in data["topic"].values():
        for name in tasks.SUBJECTS:
            for english, japanese in (entry.split()[:2] for entry in group[name]):
                kind |= {form: name for _, form, _ in lexicon.nouns(english, japanese, data["irregular"])}
    kind |= {entry.split()[0]: "person" for entries in data["name"].values() for entry in entries}
    drawn = world.documents(world.grammar(), 5, "subjects", 0, 150)
    written, labels = drawn.english, tasks.subjects(drawn)
    for number in range(300):
        span, words = written.span(number), written.forms(number)
        heads = written.heads[span].tolist()
        root = heads.index(0) + 1
        relations = [written.grammar.relations[one] for one in written.relations[span]]
        subject = [
            word for word, head, said in zip(words, heads, relations, strict=True) if head == root and "nsubj" in said
        ]
        assert kind[subject[0]] == tasks.SUBJECTS[labels[number]], written.text(number)


def test_the_most_frequent_answer_is_chance() -> None:
    def example(label: int):
        return tasks.Example(("word",), label)

    task = Task("topic", "class", 3, ("accuracy",), [example(one) for one in (2, 2, 1)], [example(2), example(0)])
    assert tasks.chance(task) == 0.5


def test_a_bag_of_words_knows_which_words_but_not_their_order() -> None:
    def read(*labelled: tuple[str, int]) -> list[tasks.Example]:
        return [tasks.Example((text,), label) for text, label in labelled]

    by_word = read(("cow sleeps", 0), ("sleeps cow", 0), ("tree sleeps", 1), ("sleeps tree", 1)) * 20
    task = Task("topic", "class", 2, ("accuracy",), by_word, read(("cow", 0), ("falls tree", 1)))
    assert bag.answers(task) == [0, 1]
    by_order = read(("cow eats tree", 0), ("tree eats cow", 1)) * 20
    assert len(set(bag.answers(task._replace(train=by_order, test=by_order)))) == 1
    learned = [
        tasks.Example(("a", "run"), [0, 1]),
        tasks.Example(("run", "runs"), [2, 1]),
        tasks.Example(("run",), [1]),
    ]
    tags = Task("tagging", "tags", 3, ("accuracy",), learned, [tasks.Example(("run", "new", "a"), [1, 1, 0])])
    assert bag.answers(tags) == [[1, 1, 0]]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(Refused, match="did you mean 'topic'"):
        tasks.in_language("topics", "english", 0, 2, 2)
    with pytest.raises(Refused, match="no language 'german'"):
        tasks.in_language("topic", "german", 0, 2, 2)


@pytest.mark.parametrize("name", tasks.NAMES)
def test_no_test_sentence_is_learned_from_in_either_language(name: str) -> None:
    """Drawn freely, a tenth of them would be; and the same sentences are asked in both languages."""
    english, japanese = (tasks.in_language(name, language, 0, 4_000, 500) for language in world.LANGUAGES)
    for task in (english, japanese):
        assert (len(task.train), len(task.test)) == (4_000, 500)
        assert not {example.texts for example in task.train} & {example.texts for example in task.test}
    drawn = world.documents(world.grammar(), 0, "transfer test", 0, 250)
    freely = tasks.examples(name, drawn.english)
    assert sum(example.texts in {other.texts for other in english.train} for example in freely) > 10
    if name != "tagging":
        assert [e.target for e in english.test] == [e.target for e in japanese.test]


def test_too_few_new_sentences_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "SPARE", -500)  # as many as are needed, of which some are learned from
    with pytest.raises(Refused, match="are not learned from; 500 are needed: learn from fewer"):
        tasks.drawn(1, 4_000, 500)


def test_no_retrieved_sentence_was_read_beside_its_translation() -> None:
    grammar_ = world.grammar()
    plan = Plan(1, 8, 2, 32, 3_000, 64, 1e-3)
    read = bilingual.translated_sentences(plan, grammar_, 0)
    both = both_languages()
    translations = bilingual.Reading(both, plan, 0, torch.device("cpu")).translations
    names = both[0].wordpiece.vocabulary
    row = translations(0)
    words = [names[piece] for piece in torch.where(row.labels[0] >= 0, row.labels[0], 0).tolist()]
    assert any(word in sentence.split() for word in words for sentence in read)
    assert len(read) > 20_000
    freely = nearest.bitext(grammar_, 0, 300)
    met = [" ".join(words) in read for words in freely.words[0]]
    assert np.mean(met) > 0.05  # the fault
    new = nearest.bitext(grammar_, 0, 300, read)
    assert len(new.aligned) == 300
    assert not any(" ".join(words) in read for side in new.words for words in side)


def test_the_mean_over_tunings_has_an_interval_over_tunings_and_examples() -> None:
    """Two tunings, one always right and one never: half, and their resamples are 0, 1/2 or 1. One tuning that is right
    on the first of two examples alone: the same by examples."""
    sure, never = (lambda rows, value=value: value for value in (1.0, 0.0))
    found = crossing.over_tunings([sure, never], 5, np.random.default_rng(0))
    assert (found.value, found.low, found.high) == (0.5, 0, 1)
    by_example = crossing.over_tunings([lambda rows: float((rows == 0).mean())], 2, np.random.default_rng(0))
    assert (by_example.value, by_example.low, by_example.high) == (0.5, 0, 1)
    one = crossing.over_tunings([lambda rows: float(len(rows))], 7, np.random.default_rng(0))
    assert (one.value, one.low, one.high) == (7, 7, 7)


def test_the_middle_layer_is_half_way() -> None:
    for layers, middle in ((1, 1), (2, 1), (3, 2), (4, 2), (12, 6)):
        recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"layers": layers})
        assert crossing.Crossing(recipe, 0, torch.device("cpu")).middle == middle  # pyright: ignore


def test_tuned_in_english_it_answers_both_languages_and_in_japanese_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is answered is 1 in English and 0 in Japanese; every tuning of every seed has a number of its own."""
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"tunings": 3})
    setting, numbers = crossing.Crossing(recipe, 2, torch.device("cpu")), []  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(crossing.tuned, "bilingual", lambda network, task, language, number: numbers.append(number))
    monkeypatch.setattr(crossing.finetune, "learn", lambda model, kind, items, plan, number: None)

    def answers(model: object, test: Task, language: str, reader: Reader) -> list[int]:
        right = language == "english"
        return [int(one.target) if right else -1 for one in test.test]  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(crossing.tuned, "answers", answers)
    found = crossing.asked(setting, None, "topic", "english")  # pyright: ignore[reportArgumentType]
    assert {name: one.value for name, one in found.items()} == {"english": 1, "zero-shot": 0}
    found = crossing.asked(setting, None, "topic", "japanese")  # pyright: ignore[reportArgumentType]
    assert {name: one.value for name, one in found.items()} == {"japanese": 0}
    assert numbers == [6, 7, 8] * 2


def test_retrieval_and_words_are_means_of_hits() -> None:
    setting = crossing.Crossing(STUDY.presets["tiny"], 0, torch.device("cpu"))  # pyright: ignore[reportArgumentType]
    found = crossing.nearest(setting, nearest.Found([1.0, 0.5, 0.0, 1.0], [1.0, 0.0]))
    assert (found["retrieval"].value, found["words"].value) == (0.625, 0.5)
    assert crossing.over_batches([1.0, 2.0, 6.0], 0).value == 3
    assert crossing.over_batches([2.0, 2.0], 0).low == 2


# --- two languages


def in_code(words: list[str]) -> list[str]:
    """The same words in a second language that has another word for each."""
    return [f"{word}q" if word != "." else "." for word in words]


@pytest.fixture(scope="module")
def secret() -> tuple[Reader, Model, Task, Task, Language]:
    """A tuned network that has the same vector for each word and its code, and for both languages; the test in both."""
    known = world.grammar()
    vocabulary = known.sides["english"].vocabulary
    pieces = wordpiece.learn([*vocabulary, *in_code([*vocabulary])], 8_192)
    network = bilingual.build(PLAN, len(pieces), 0)
    reader = Reader(pieces.tokenizer, 128)
    task = tasks.in_language("subject", "english", 0, 60, 40)
    model = tuned.bilingual(network, task, "english", 0)
    finetune.learn(model, task.kind, finetune.encode(reader, task.kind, task.train), Tuning(40, 16, 1e-2), 0)
    below = model.transformer.get_submodule("below")
    table, spoken = below.get_parameter("words.weight"), below.get_parameter("languages.weight")
    with torch.no_grad():
        table[pieces.pieces(in_code([*vocabulary])).ids] = table[pieces.pieces(vocabulary).ids]
        spoken[1] = spoken[0]
    coded = task._replace(test=[one._replace(texts=(" ".join(in_code(one.texts[0].split())),)) for one in task.test])
    network.transformer.load_state_dict(below.state_dict())
    return reader, model, task, coded, Language(known, "english", pieces), network.eval()  # pyright: ignore


def test_where_languages_are_equal_so_are_the_scores(secret) -> None:
    reader, model, task, coded, _, _ = secret
    here = tuned.answers(model, task, "english", reader)
    assert len(set(here)) > 1
    assert tuned.answers(model, coded, "japanese", reader) == here
    with torch.no_grad():  # it is told the language
        model.transformer.below.languages.weight[1] += 3 * torch.randn(16, generator=torch.Generator().manual_seed(0))
    assert tuned.answers(model, coded, "japanese", reader) != here
    assert tuned.answers(model, task, "english", reader) == here


def test_where_languages_are_equal_every_translation_is_nearest(secret) -> None:
    *_, language, network = secret
    drawn = world.documents(language.grammar, 0, "equal", 0, 10).english
    words = [drawn.forms(number) for number in range(20)]
    aligned = [[(place, place) for place in range(len(one))] for one in words]
    text = nearest.Bitext((words, [in_code(one) for one in words]), aligned)
    found = nearest.compared(network, (language, language._replace(name="japanese")), text)
    assert len(found) == 1 + PLAN.layers
    for layer in found[1:]:
        assert layer.sentences == [1.0] * 20
        assert set(layer.words) == {1.0}


def test_a_state_is_that_of_a_words_first_piece() -> None:
    """A network whose states are the tokens' ids, then ten thousand more; of more sentences than go through at once."""

    class Told(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, ids: torch.Tensor, *, langs: torch.Tensor, attention_mask: torch.Tensor, **_: bool):
            assert (langs == 1).all()
            assert torch.equal(attention_mask, (ids != wordpiece.PAD).long())
            return type("Result", (), {"hidden_states": (ids[..., None], ids[..., None] + 10_000)})

    pieces = wordpiece.learn(["cow", "sleeps", "runs"], 64)
    language = Language(world.grammar(), "japanese", pieces)
    words = [["cow", "cows"], ["sleeps"], ["cows", "runs", "cow"]] * 30
    first = [[pieces.encode(word)[0] for word in each] for each in words]
    assert len(pieces.encode("cows")) > 1
    found = nearest.states(Told(), language, words)  # pyright: ignore[reportArgumentType]
    assert [each[0, :, 0].tolist() for each in found] == first
    assert [(each[1, :, 0] - 10_000).tolist() for each in found] == first


def test_nearest_by_hand() -> None:
    first = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
    assert nearest.retrieved(first, 7 * first).tolist() == [1, 1, 1]
    assert nearest.retrieved(first, first[[1, 0, 2]]).tolist() == [0, 0, 1]
    # the second asks and is answered by the third; of the third both ways are right
    assert nearest.retrieved(first, torch.tensor([[1.0, 0], [3, 1], [1, 1]])).tolist() == [1, 0, 1]
    same = np.array([[True, False], [True, False], [False, True]])  # of the first, two say the same as one
    assert nearest.translated(first, torch.tensor([[3.0, 1], [2, 2]]), same).tolist() == [1, 0, 1, 1, 1]


def test_a_word_is_the_mean_of_its_places() -> None:
    states = [torch.tensor([[[1.0], [2], [3]], [[10.0], [20], [30]]]), torch.tensor([[[5.0]], [[50.0]]])]
    found = nearest.averages(states, [["a", "b", "a"], ["a"]], ["b", "a"])
    assert found.flatten(1).tolist() == [[2, 3], [20, 30]]


def test_the_dictionary_has_both_numbers_of_a_noun() -> None:
    known = nearest.dictionary(nearest.bitext(world.grammar(), 0, 400))
    row = {word: known.same[place] for place, word in enumerate(known.words[0])}
    cow = known.words[1].index("牛")
    assert row["cow"].tolist() == row["cows"].tolist() == [place == cow for place in range(len(known.words[1]))]
    assert known.same.any(0).all()
    assert known.same.any(1).all()


def test_the_bitext_has_no_sentence_twice() -> None:
    text = nearest.bitext(world.grammar(), 0, 300)
    for side in text.words:
        assert len({" ".join(words) for words in side}) == len(side) == len(text.aligned) == 300


def test_both_trainings_read_as_many_batches_and_none_twice() -> None:
    for turns in bilingual.TURNS.values():
        found = [bilingual.turn(turns, step) for step in range(40)]
        for kind in set(turns):
            numbers = [number for of, number in found if of == kind]
            assert numbers == list(range(len(numbers)))
            assert len(numbers) == 40 * turns.count(kind) // len(turns)


def test_both_trainings_read_as_many_tokens() -> None:
    reading = bilingual.Reading(both_languages(), PLAN._replace(batch=256), 0, torch.device("cpu"))
    read = {kind: [texts(number).attention_mask.sum(1) for number in range(4)] for kind, texts in reading.texts.items()}
    read["translation"] = [reading.translations(number).attention_mask.sum(1) for number in range(8)]
    mean = {kind: float(torch.cat(lengths).float().mean()) for kind, lengths in read.items()}
    mlm, tlm = (np.mean([mean[kind] for kind in turns]) for turns in bilingual.TURNS.values())
    assert mlm == pytest.approx(tlm, rel=0.03)


def test_every_parallel_sentence_is_read_once_and_whole() -> None:
    languages = both_languages()
    masking = Masking(0.15, 1.0, 0.0)
    rows = bilingual.parallel(languages, 0, "test", 0, bilingual.POOL, masking)
    parts = bilingual.Translations(languages, 0, 60, masking, "test").gathered(0)

    def told(batch: bilingual.Parallel) -> list[tuple[int, ...]]:
        """Each row's words, languages, places and what is asked of it."""
        found = []
        for ids, there, langs, places, asked, labels in zip(*(column.tolist() for column in batch), strict=True):
            size, known = sum(there), [pair for pair in zip(asked, labels, strict=True) if pair[1] >= 0]
            found.append((*ids[:size], *langs[:size], *places[:size], *(one for pair in known for one in pair)))
        return found

    assert sorted(row for part in parts for row in told(part)) == sorted(told(rows))
    assert all(int(part.attention_mask.sum(1).max()) == part.input_ids.shape[1] for part in parts)


def test_the_texts_of_the_two_languages_are_no_translations() -> None:
    languages = both_languages()
    reading = bilingual.Reading(languages, PLAN, 0, torch.device("cpu"))
    topics = [
        world.documents(languages[0].grammar, 0, reading.texts[name].purpose, 0, 200).topic for name in world.LANGUAGES
    ]
    assert np.mean(topics[0] == topics[1]) < 0.5


def test_a_network_is_told_the_language_that_it_reads() -> None:
    """Only a change of the vector of the language that stands there changes the loss."""
    languages = both_languages()
    model = bilingual.build(PLAN, len(languages[0].wordpiece), 0).eval()
    reading = bilingual.Reading(languages, PLAN, 0, torch.device("cpu"))
    kinds = (*world.LANGUAGES, "translation")
    before = {kind: reading.loss(model, kind, 0)["loss"].item() for kind in kinds}
    with torch.no_grad():
        model.transformer.get_parameter("languages.weight")[1, 0] += 3
    changed = {kind for kind, loss in before.items() if reading.loss(model, kind, 0)["loss"].item() != loss}
    assert changed == {"japanese", "translation"}
    assert reading.surprises(model, "english", 2)[0] == before["english"]


def test_of_new_text_every_asked_word_is_masked_and_documents_stay_whole() -> None:
    """No second sentence is another document's, and what is asked is shown as [MASK]; so too of translations."""
    setting = crossing.Crossing(STUDY.presets["tiny"], 0, torch.device("cpu"))  # pyright: ignore[reportArgumentType]
    monolingual = Distilling(STUDY.presets["tiny"], 0, torch.device("cpu"))  # pyright: ignore[reportArgumentType]
    read = [setting.new.texts[name](0) for name in world.LANGUAGES] + [setting.new.translations(0), monolingual.new[0]]
    for batch in read:
        asked = batch.labels >= 0
        shown = batch.input_ids.gather(1, batch.prediction_positions)
        assert (shown[asked] == wordpiece.MASK).all()
        share = float(asked.sum() / batch.attention_mask.sum())
        assert 0.1 < share < 0.2
    for batch in (setting.new.texts[name](0) for name in world.LANGUAGES):
        both = batch.next_sentence_label == 0
        assert both.float().mean() > 0.8, "but for documents whose sentences stand alone"
    purposes = {reading.purpose for reading in setting.new.texts.values()}
    learned = bilingual.Reading(setting.languages, setting.plan, 0, torch.device("cpu"))
    assert not purposes & {reading.purpose for reading in learned.texts.values()}


# --- students


def small(layers: int) -> Distilling:
    recipe = STUDY.presets["tiny"]
    assert isinstance(recipe, TransferRecipe)
    setting = Distilling(recipe, 0, torch.device("cpu"))
    setting.plan = setting.plan._replace(layers=layers)
    return setting


def test_a_student_with_all_of_the_layers_is_the_teacher() -> None:
    setting = small(1)
    teacher = setting.blank().eval()
    student = students.begun("distilled", teacher, setting.plan, 0)
    batch = students.Examples(setting.source, 0, 8, masking=Masking())(0)
    with torch.no_grad():
        terms = distillation(student, teacher, batch)
    assert float(terms["soft"]) == pytest.approx(0, abs=1e-6)
    assert float(terms["cosine"]) == pytest.approx(0, abs=1e-6)
    scores = {task.name: distilling.score(setting, student, task) for task in setting.tasks}
    assert scores == {task.name: distilling.score(setting, teacher, task) for task in setting.tasks}


def test_students_begin_as_they_are_said_to() -> None:
    setting = small(4)
    teacher = setting.blank()
    for name in students.STUDENTS:
        student = students.begun(name, teacher, setting.plan, 0)
        layers = [list(each.transformer.get_submodule("layer").children()) for each in (teacher, student)]
        assert len(layers[1]) == 2
        kept = [
            all(torch.equal(a, b) for a, b in zip(layers[0][2 * at].parameters(), layer.parameters(), strict=True))
            for at, layer in enumerate(layers[1])
        ]
        assert kept == [name != "random"] * 2
        words = [each.transformer.get_parameter("words.weight") for each in (teacher, student)]
        assert torch.equal(*words) == (name != "random")
        assert words[0] is not words[1]


def test_a_students_layers_are_timed_by_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that ticks once a look: a second for a batch of 8, an eighth for each."""
    setting = small(1)
    teacher = setting.blank().eval()
    batch = students.Examples(setting.source, 0, 8, masking=Masking())(0)
    ticks = iter(range(10**6))
    monkeypatch.setattr(students.time, "process_time", lambda: float(next(ticks)))
    assert students.seconds({"teacher": teacher, "other": teacher}, batch) == {"teacher": 1 / 8, "other": 1 / 8}


def test_surprise_at_masked_words_leaves_out_next_sentences() -> None:
    setting = small(1)
    teacher = setting.blank().eval()
    for name, weight in teacher.named_parameters():
        if name.startswith("head") or "words.weight" in name:
            torch.nn.init.zeros_(weight)
    expected = float(np.log(len(setting.source.wordpiece)))
    assert students.surprises(teacher, setting.new[:2]) == pytest.approx([expected] * 2, rel=1e-5)


def test_shares_of_the_teachers_score() -> None:
    whole = distilling.macro({"one": [0.8, 0.6, 1.0], "other": [0.4, 0.4, 0.2]})
    assert whole.value == pytest.approx(0.6)
    assert whole.draws.tolist() == pytest.approx([0.5, 0.6])
    same = distilling.share(whole, whole)
    assert (same.value, same.low, same.high) == (1, 1, 1)
    half = distilling.share(distilling.Macro(0.3, whole.draws / 2), whole)
    assert (half.value, half.low, half.high) == pytest.approx((0.5, 0.5, 0.5))
    assert np.isnan(distilling.share(whole, distilling.Macro(0.0, whole.draws)).value)


# --- the study


def test_every_claim_has_its_measures(run: Run) -> None:
    findings = judge(STUDY.claims(), run.measures(), "full")
    assert {finding.claim.id for finding in findings if finding.verdict == "untested"} == set()
    assert all(measure.value == 1 for name, measure in run.measures().items() if name == "teacher.share")


def test_what_is_recorded_of_a_run_follows_from_its_parts(run: Run) -> None:
    found = run.measures()
    assert found["retrieval.chance"].value == 1 / 8
    for name in ("distilled", "masked", "random", "cut"):
        macro = np.mean([found[f"{name}.{task}"].value for task in distilling.TASKS])
        assert found[f"{name}.macro"].value == pytest.approx(macro)
        assert found[f"{name}.weights"].value < found["teacher.weights"].value
    # the teacher has one layer of width 8 more: attention 4 (8² + 8), MLP 2 · 8 · 32 + 32 + 8, two norms 4 · 8
    assert found["teacher.weights"].value - found["cut.weights"].value == 4 * 72 + 2 * 256 + 40 + 32
    # beside its two layers: words, 128 places and 2 segments of width 8, their norm, and a pooler; no head
    words = len(grammar(8_192).wordpiece)
    assert found["teacher.weights"].value == (words + 128 + 2) * 8 + 16 + 2 * (4 * 72 + 2 * 256 + 40 + 32) + 72
    for start in crossing.STARTS:
        assert found[f"{start}.retrieval"] == found[f"{start}.retrieval.layer1"]
        assert f"{start}.words.layer0" in found


def test_without_a_lesion_a_few_sentences_give_what_was_recorded(run: Run) -> None:
    """The tiny study's sentences are fewer than a damaged network is asked; of masked words it is asked the first
    batch."""
    study = run.study.load()
    found, recorded = study.lesion_measures(run, study.networks(run)), run.measures()
    for name in ("mlm.retrieval", "mlm.words", "tlm.retrieval", "tlm.words"):
        assert found[name] == pytest.approx(recorded[name].value)
    first = run.result("seed0/teacher/masked", list[float])[0]
    assert found["teacher.masked"] == pytest.approx(first, rel=1e-5)
    assert set(found) == {
        "mlm.retrieval",
        "mlm.words",
        "tlm.retrieval",
        "tlm.words",
        "teacher.masked",
        "distilled.masked",
    }


def test_a_run_that_was_stopped_ends_as_one_that_was_not(run: Run, tmp_path: Path) -> None:
    stages, measures = halted(STUDY, tmp_path, "masked")
    assert set(stages) == {"seed0/masked", "seed0/random"}
    assert measures == run.measures()


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["zero-shot", "words", "layers", "students"]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)  # pyright: ignore
        assert bool(JAPANESE.search(caption)) == (lang == "ja"), name
        assert name == "words" or bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"NaN|Infinity", text), name
