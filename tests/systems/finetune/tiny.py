"""The study `finetune`: what it reads is what stands there, its measures are the official ones, folders are opened."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from phantastic.data import superglue, text_metrics
from phantastic.declare.recipe import compose
from phantastic.declare.verdicts import judge
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.nn.language import load_pretrained
from phantastic.pretraining.corpus import Text
from phantastic.pretraining.plan import Plan, build, leftward
from phantastic.run.execute import execute
from phantastic.run.folder import Run
from phantastic.systems.finetune import experiment, static
from phantastic.systems.finetune import figures as drawn
from phantastic.systems.finetune.study import STUDY
from phantastic.tuning import finetune, measure, tasks
from phantastic.tuning.tasks import Task
from phantastic.tuning.texts import Reader, Rows, grammar

JAPANESE = re.compile("[぀-ヿ一-鿿]")
PLAN = Plan(2, 16, 2, 32, 1, 8, 1e-3)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(grammar(8_192).wordpiece.tokenizer, 128)


@pytest.fixture(scope="module")
def given() -> dict[str, tasks.Task]:
    return {task.name: task for task in tasks.of_grammar(0, 24, 12)}


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("finetune")


# --- reading


def test_answers_are_marked_where_they_stand_and_read_back(reader: Reader, given: dict[str, tasks.Task]) -> None:
    task = given["questions"]
    for example, (tokens, (first, last)) in zip(task.train, finetune.encode(reader, "span", task.train), strict=True):
        answer = measure.texts_of(example.target)[0]
        assert tokens.tokens[first : last + 1] == answer.split()
        start, end = torch.zeros(2, len(tokens.ids))
        start[first] = end[last] = 1.0
        here = slice(*finetune.span(tokens, start, end)[:2])
        assert example.texts[1][here] == answer


def test_an_answer_neither_ends_before_it_begins_nor_lies_in_the_question(reader: Reader) -> None:
    tokens = reader.read(("who runs ?", "the knight runs ."))
    start, end = torch.zeros(2, len(tokens.ids))
    start[1] = end[2] = 9.0  # the question
    start[7], end[5], end[8] = 3.0, 3.0, 2.0
    assert finetune.span(tokens, start, end)[:2] == (11, 17)


def test_a_cut_answer_is_nowhere() -> None:
    short = Reader(grammar(8_192).wordpiece.tokenizer, 8)
    example = tasks.Example(("who runs ?", "the cow sleeps . the knight runs ."), tasks.Answer(17, "the knight"))
    _, places = finetune.encoded(short, "span", example)
    assert places == [finetune.NOWHERE] * 2


def test_the_first_piece_of_a_word_bears_its_tag() -> None:
    source = Rows([("abc abc abc", "b c")], 2_000)
    tokens, tags = finetune.encoded(
        Reader(source.wordpiece.tokenizer, 32), "tags", tasks.Example(("abc", "cb"), [3, 4])
    )
    assert len(tokens.ids) > 4
    assert [tag for tag in tags if tag >= 0] == [3, 4]
    assert [tokens.word_ids[place] for place, tag in enumerate(tags) if tag >= 0] == [0, 1]


def test_every_round_shows_every_example_once(reader: Reader, given: dict[str, tasks.Task]) -> None:
    items = finetune.encode(reader, "class", given["paraphrase"].train)
    rounds = [[one for step in range(at, at + 3) for one in finetune.drawn(items, 8, 0, step)] for at in (0, 3)]
    assert all(sorted(map(id, each)) == sorted(map(id, items)) for each in rounds)
    assert rounds[0] != rounds[1]


def test_a_batch_by_hand(reader: Reader) -> None:
    """Of two pairs the shorter is filled up: not present, of the first text, its tags asked of nobody."""
    pairs = [tasks.Example(("the cow", "the cow sleeps"), 1), tasks.Example(("the", "cow"), 0)]
    items = finetune.encode(reader, "class", pairs)
    inputs, targets = finetune.collated(build(PLAN, len(reader), 0), "class", items, None, torch.device("cpu"))
    assert inputs["attention_mask"].tolist() == [[1] * 8, [1] * 5 + [0] * 3]
    assert inputs["token_type_ids"].tolist() == [[0] * 4 + [1] * 4, [0] * 3 + [1] * 2 + [0] * 3]
    assert inputs["input_ids"][1, 5:].tolist() == [0, 0, 0]
    assert targets["labels"].tolist() == [1, 0]
    words = finetune.encode(reader, "tags", [tasks.Example(("the", "cow"), [3, 4]), tasks.Example(("cow",), [5])])
    _, tags = finetune.collated(build(PLAN, len(reader), 0), "tags", words, None, torch.device("cpu"))
    assert tags["labels"].tolist() == [[-100, 3, 4, -100], [-100, 5, -100, -100]]


class Speller(torch.nn.Module):
    """Says of a text how many of its tokens are no padding: as a class, a score, or as the tag of every token."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind, self.weight = kind, torch.nn.Parameter(torch.zeros(1))
        self.inputs: tuple[str, ...] = ()
        self.config = SimpleNamespace(pad_token_id=0)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        size = attention_mask.sum(1)
        if self.kind == "score":
            return SimpleNamespace(logits=size[:, None] + 0.25)
        places = size[:, None].expand(input_ids.shape) if self.kind == "tags" else size
        return SimpleNamespace(logits=torch.nn.functional.one_hot(places, 12))


def test_predictions_come_in_the_order_of_the_examples(reader: Reader) -> None:
    """They are made in the order of length, some at a time."""
    texts = ["the cow", "the", "the cow sleeps .", "cow", "the cow sleeps"]
    sizes = [len(text.split()) + 2 for text in texts]
    items = finetune.encode(reader, "class", [tasks.Example((text,), 0) for text in texts])
    said = {kind: finetune.predictions(Speller(kind), kind, items, size=2) for kind in ("class", "score")}  # pyright: ignore
    assert said == {"class": sizes, "score": [size + 0.25 for size in sizes]}
    words = [tasks.Example(tuple(text.split()), [0] * len(text.split())) for text in texts]
    tags = finetune.predictions(Speller("tags"), "tags", finetune.encode(reader, "tags", words), size=2)  # pyright: ignore
    assert tags == [[size] * (size - 2) for size in sizes]


def test_a_tuning_warms_for_a_tenth_and_then_falls_to_nothing() -> None:
    rate = finetune.Tuning(100, 8, 1e-3).shares()
    assert [rate(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert rate(54) == pytest.approx(0.5, abs=0.02)
    assert rate(99) < 0.02


def test_a_batch_is_never_larger_than_there_are_examples(reader: Reader, given: dict[str, tasks.Task]) -> None:
    items = finetune.encode(reader, "class", given["paraphrase"].train[:3])
    assert sorted(map(id, finetune.drawn(items, 8, 0, 5))) == sorted(map(id, items))
    orders = {tuple(map(id, finetune.drawn(items, 1, seed, 0))) for seed in range(12)}
    assert len(orders) == 3


def test_rows_become_documents_of_their_sentences() -> None:
    rows = [("a b", "c"), ("d",), ("e e e",)]
    source = Rows(rows, 2_000)
    text = source.text(0, "test", 0, 6)
    words = [source.wordpiece.vocabulary[token] for token in text.tokens]
    segments = [tuple(words[a:b]) for a, b in zip(text.starts, text.starts[1:], strict=False)]
    documents = [tuple(segments[a:b]) for a, b in zip(text.segments, text.segments[1:], strict=False)]
    wanted = sorted(tuple(tuple(text.split()) for text in row) for row in rows)
    assert sorted(documents[:3]) == sorted(documents[3:]) == wanted
    later = source.text(0, "test", 2, 3)
    assert later.tokens.tolist() == text.tokens[text.starts[text.segments[2]] : text.starts[text.segments[5]]].tolist()


def test_every_round_of_a_persons_rows_has_an_order_of_its_own() -> None:
    rows = [(f"{letter} {letter}",) for letter in "abcdefghijkl"]
    source = Rows(rows, 2_000)
    rounds = [source.text(0, "test", first, 12).tokens.tolist() for first in (0, 12, 24)]
    assert rounds[0] != rounds[1] != rounds[2] != rounds[0]
    assert sorted(rounds[0]) == sorted(rounds[1]) == sorted(rounds[2])
    assert source.text(1, "test", 0, 12).tokens.tolist() != rounds[0]
    assert source.text(0, "other", 0, 12).tokens.tolist() != rounds[0]


def test_an_answer_has_at_most_so_many_tokens(reader: Reader) -> None:
    """The likeliest beginning and end are three tokens of four apart from one another: with three, another answer."""
    tokens = reader.read(("who ?", "the knight runs ."))
    start, end = torch.zeros(2, len(tokens.ids))
    start[4] = end[7] = 9.0
    start[5] = 5.0
    assert finetune.span(tokens, start, end, 4)[:2] == (0, 17)
    assert finetune.span(tokens, start, end, 3)[:2] == (4, 17)


# --- networks


def test_from_left_to_right_no_word_sees_what_follows_and_the_first_place_sees_all() -> None:
    network = build(PLAN, 40, 0).eval()
    torch.manual_seed(0)
    ids = torch.randint(5, 40, (1, 9))
    present = torch.ones(1, 9, dtype=torch.long)

    def states(ids: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return network.transformer(ids, attention_mask=leftward(present)).last[0]

    before, changed = states(ids, present), ids.clone()
    changed[0, 6] = 5 + (ids[0, 6] - 4) % 35
    after = states(changed, present)
    assert torch.equal(before[1:6], after[1:6])
    assert not torch.allclose(before[0], after[0])
    assert not torch.allclose(before[6:], after[6:])
    other = ids.clone()
    other[0, 0] = 5 + (ids[0, 0] - 4) % 35
    assert torch.equal(before[1:], states(other, present)[1:])  # no word sees the first place
    padded = states(torch.cat([ids, ids[:, :2]], 1), torch.tensor([[1] * 9 + [0] * 2]))
    assert torch.allclose(padded[:9], before, atol=1e-5)


def test_a_head_is_put_on_the_same_layers_or_on_new_ones(given: dict[str, tasks.Task]) -> None:
    network = build(PLAN, 600, 0)
    for task in given.values():
        tuned, fresh = (finetune.with_head(network, task, 0, fresh=new) for new in (False, True))
        known = network.transformer.state_dict()
        assert all(torch.equal(value, known[name]) for name, value in tuned.transformer.state_dict().items())
        assert not torch.equal(fresh.transformer.get_parameter("words.weight"), known["words.weight"])
        for a, b in zip(tuned.head.parameters(), fresh.head.parameters(), strict=True):
            assert a.shape == b.shape


# --- measures


@pytest.mark.parametrize("name", measure.FAST)
def test_fast_measures_are_the_official_ones(name: str) -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        guess, true = generator.integers(2 if name == "f1" else 3, size=(2, 30)).astype(float)
        if name in ("pearson", "spearman"):
            guess, true = guess + generator.normal(size=30).round(1), true + generator.normal(size=30).round(1)
        assert measure.FAST[name](guess, true) == pytest.approx(
            text_metrics.measure(name, guess.tolist(), true.tolist())
        )
    same, mixed = np.zeros(4), np.array([0.0, 1.0, 0.0, 1.0])
    assert measure.FAST[name](same, mixed) == text_metrics.measure(name, same.tolist(), mixed.tolist())


def test_the_right_answers_score_1(given: dict[str, tasks.Task]) -> None:
    for task in given.values():
        right = [example.target.text if task.kind == "span" else example.target for example in task.test]  # pyright: ignore
        for found in measure.scores(task, right, numpy_generator(0, "test")).values():
            assert found.value == pytest.approx(1)
            assert found.low is not None
            assert found.low == pytest.approx(1)


def test_words_beyond_the_network_count_as_wrong(given: dict[str, tasks.Task]) -> None:
    task = given["tagging"]
    words = sum(len(example.texts) for example in task.test)
    cut = [list(measure.tags_of(example.target))[:-1] for example in task.test]
    assert measure.scores(task, cut)["accuracy"].value == pytest.approx(1 - len(task.test) / words)


# --- the static baseline


def test_words_in_the_same_places_have_the_same_vector() -> None:
    """1 and 2 stand between 3 and 4, 5 between 6 and 7."""
    rows = np.array([[3, 1, 4], [3, 2, 4], [6, 5, 7]] * 20)
    text = Text(rows.ravel(), np.arange(0, rows.size + 1, 3), np.arange(len(rows) + 1))
    found = static.vectors(text, 8, 7, 0)
    assert np.allclose(found[1], found[2], atol=1e-6)
    assert abs(found[1] @ found[5]) < 1e-6
    assert np.allclose(found[0], 0, atol=1e-6)


def test_mutual_information_by_hand() -> None:
    """Two words that stand only beside one another: p(1, 2) = 1/2 where chance has 1/2 · 1/2 of the ordered pairs, so
    the matrix is [[0, log 2], [log 2, 0]], whose singular values are both log 2, and U √S has rows of that square."""
    rows = np.array([[1, 2]] * 9)
    text = Text(rows.ravel(), np.arange(0, rows.size + 1, 2), np.arange(len(rows) + 1))
    found = static.vectors(text, 3, 2, 0)
    assert (found**2).sum(1).tolist() == pytest.approx([0, np.log(2), np.log(2)])
    assert found[1] @ found[2] == pytest.approx(0, abs=1e-6)


def test_words_are_near_up_to_five_places_within_a_text_and_less_than_chance_is_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """0 to 6 in a row, and 7 alone in the next text: 0 and 5 are neighbours, 0 and 6 are not, 6 and 7 are not. Of 2 ·
    20 ordered pairs, 0 stands in 5 and 5 in 6: log(40 / (5 · 6))."""
    seen = []

    def svd(matrix, size: int, random_state: int):
        seen.append((matrix.toarray(), size))
        return np.zeros((8, 2)), np.zeros(2), None

    monkeypatch.setattr("sklearn.utils.extmath.randomized_svd", svd)
    static.vectors(Text(np.arange(8), np.array([0, 7, 8]), np.array([0, 1, 2])), 8, 20, 0)
    ((found, size),) = seen
    assert size == 7, "one less than the vocabulary, where the width is more"
    assert np.array_equal(found, found.T)
    assert found[0, 5] == pytest.approx(np.log(40 / 30))
    assert found[0, 6] == found[6, 7] == found[0, 0] == 0
    assert found[2, 3] == pytest.approx(np.log(40 / 36))
    assert found.min() == 0


def test_two_texts_are_told_by_their_means_their_distance_and_their_product() -> None:
    """u = (2, 1) of words 1 and 2, v = (5, -1) of word 3; a text without words is at 0."""
    known = np.array([[7.0, 7.0], [1.0, 0.0], [3.0, 2.0], [5.0, -1.0]])
    words: Any = SimpleNamespace(pieces=lambda texts: [[int(word) for word in text.split()] for text in texts])
    sort, tags = (tasks.Task("sort", kind, 2, ("accuracy",), [], []) for kind in ("class", "tags"))
    pairs = [tasks.Example(("1 2", "3"), 0), tasks.Example(("3", ""), 0)]
    found = static.features(sort, pairs, words, known)
    assert found.tolist() == [[2, 1, 5, -1, 3, 2, 10, -1], [5, -1, 0, 0, 5, 1, 0, 0]]
    assert static.features(sort, [tasks.Example(("1 3",), 0)], words, known).tolist() == [[3, -0.5]]
    assert static.features(tags, [tasks.Example(("1", "3"), [0, 1])], words, known).tolist() == [[1, 0], [5, -1]]


def test_a_linear_reading_finds_what_words_alone_tell(reader: Reader) -> None:
    train, test = (
        [tasks.Example((f"the {word} sleeps .",), label) for word, label in (("cow", 0), ("knight", 1))] * count
        for count in (10, 2)
    )
    task = tasks.Task("sort", "class", 2, ("accuracy",), train, test)
    vectors = static.vectors(grammar(8_192).text(0, "test", 0, 200), len(reader), 12, 0)
    assert static.predictions(task, reader, vectors) == [0, 1, 0, 1]


def test_a_linear_reading_of_scores_and_of_tags(reader: Reader) -> None:
    """A word is worth its score; a word has its tag wherever it stands, and tags come back text by text."""
    vectors = np.random.default_rng(0).normal(size=(len(reader), 6))
    worth = {"cow": 0.0, "knight": 4.0}
    train = [tasks.Example((word,), value) for word, value in worth.items()] * 200
    scored = tasks.Task("similar", "score", 1, ("pearson",), train, [tasks.Example(("knight",), 0.0), *train[:1]])
    assert static.predictions(scored, reader, vectors) == pytest.approx([4, 0], abs=0.05)
    words = {"cow": 0, "sleeps": 1, "the": 2}
    learned = [tasks.Example((word,), [tag]) for word, tag in words.items()] * 20
    test = [tasks.Example(("the", "cow", "sleeps"), [0] * 3), tasks.Example(("sleeps",), [0]),
            tasks.Example(("cow", "the"), [0] * 2)]  # fmt: skip
    tagged = tasks.Task("tagging", "tags", 3, ("accuracy",), learned, test)
    assert static.predictions(tagged, reader, vectors) == [[2, 0, 1], [1], [0, 2]]
    alike = tasks.Task("same", "class", 2, ("accuracy",), [tasks.Example(("cow",), 1)] * 3, test[1:2] * 2)
    assert static.predictions(alike, reader, vectors) == [1, 1]
    assert static.applies(tagged)
    assert not static.applies(tagged._replace(kind="span"))


# --- the study


def test_every_task_is_measured_from_every_start(run: Run) -> None:
    found = run.measures()
    for task, name in (("acceptability", "matthews"), ("similarity", "pearson"), ("tagging", "accuracy")):
        assert all(f"{task}.{start}.{name}" in found for start in experiment.STARTS)
    assert "questions.static.f1" not in found
    findings = judge(STUDY.claims(), found, "quick")
    assert len(findings) == 10
    starts = {name.split(".")[1] for name in found if name.startswith(("paraphrase", "entailment"))}
    assert starts == {*experiment.STARTS, experiment.COMPARED}
    assert all(finding.verdict != "untested" for finding in findings)
    assert all(finding.verdict == "untested" for finding in judge(STUDY.claims(), found, "tiny"))


def test_pairs_are_compared_from_the_network_that_was_tuned_on_similarity(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what each tuning began with: similarity comes first; single texts, spans and tags are not compared."""
    begun = {}

    def tune(run: object, setting: object, network: str, task: tasks.Task, start: str) -> str:
        begun[task.name, start] = network
        return f"{task.name} from {network}"

    monkeypatch.setattr(experiment, "tune", tune)
    monkeypatch.setattr(experiment, "keep", lambda *_: None)
    monkeypatch.setattr(experiment.Setting, "pretrained", lambda setting: "network")
    monkeypatch.setattr(experiment.Setting, "static_vectors", lambda setting: None)
    run: Any = SimpleNamespace(recipe=STUDY.presets["tiny"], once=lambda *_: {})
    experiment.Finetune().one_seed(run, run.recipe, 0)
    assert list(begun)[:2] == [("similarity", "pretrained"), ("similarity", "fresh")]
    assert {key: network for key, network in begun.items() if network != "network"} == {
        ("paraphrase", "compared"): "similarity from network", ("entailment", "compared"): "similarity from network",
    }  # fmt: skip
    assert len(begun) == 8 * 2 + 2 + 1  # names also word by word


def test_a_finished_run_trains_nothing_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before, events = run.measures(), []
    monkeypatch.setattr(run.clock, "watch", events.append)
    execute(run)
    assert run.measures() == before
    assert not events


def test_without_a_lesion_a_few_examples_give_what_was_recorded(run: Run) -> None:
    """The tiny study has fewer test examples than a damaged network is asked, so it is asked the same."""
    study = run.study.load()
    networks = study.networks(run)
    found, recorded = study.lesion_measures(run, networks), run.measures()
    assert len(networks) == experiment.DAMAGED
    assert found == pytest.approx(
        {name: recorded[name.replace(".", ".pretrained.", 1)].value for name in found}, abs=1e-6
    )


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    for name, (caption, picture) in run.study.load().figures(run).items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)  # pyright: ignore
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"NaN|Infinity", text), name


def test_what_was_tuned_is_a_folder_that_opens(run: Run) -> None:
    model = load_pretrained(run.folder / "tuned/questions")
    assert model.architecture == "BertForQuestionAnswering"
    assert len(Reader.open(run.folder / "tuned/questions", 128)) == model.config.vocab_size


# --- a person's folders


def glue_folder(place: Path, *, test: bool = True) -> Path:
    for name, header, row in (
        ("RTE", "index\tsentence1\tsentence2\tlabel", "{n}\ta man sleeps {n}\ta person sleeps\t{label}"),
        ("STS-B", "index\tsentence1\tsentence2\tscore", "{n}\ta cat runs\ta dog runs {n}\t{n}.5"),
    ):
        folder = place / name
        folder.mkdir(parents=True)
        for split in ("train", "dev"):
            labels = ("entailment", "not_entailment")
            lines = [header] + [row.format(n=n, label=labels[n % 2]) for n in range(4)]
            (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if test:
        lines = ["index\tsentence1\tsentence2"] + [f"{n}\ta man sleeps\ta woman runs" for n in range(3)]
        (place / "RTE/test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


def made(place: Path, **changes: object) -> Run:
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"device": "cpu", **changes})
    run = Run.create(STUDY, recipe, "tiny", place)
    execute(run)
    run.close()
    return run


def test_a_glue_folder_is_learned_and_its_submission_written(tmp_path: Path) -> None:
    run = made(tmp_path, data=str(glue_folder(tmp_path / "glue")))
    found = run.measures()
    assert {name.split(".")[0] for name in found} == {"RTE", "STS-B", "average"}
    assert {"RTE.pretrained.accuracy", "STS-B.fresh.spearman", "STS-B.static.pearson"} <= set(found)
    lines = (run.folder / "submission/RTE.tsv").read_text().splitlines()
    assert lines[0] == "index\tprediction"
    assert [line.split("\t")[0] for line in lines[1:]] == ["0", "1", "2"]
    assert {line.split("\t")[1] for line in lines[1:]} <= {"entailment", "not_entailment"}
    assert not (run.folder / "submission/STS-B.tsv").exists()
    assert set(run.study.load().networks(run)) == {"RTE", "STS-B"}
    assert set(run.study.load().figures(run)) == {"tasks", "tuning"}


NINE = {  # header and row of each task as GLUE releases it, and its labels in turn
    "SST-2": ("sentence\tlabel", "a good film {n}\t{label}", "01"),
    "MRPC": ("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", "{label}\t1\t2\ta man {n}\ta person", "01"),
    "STS-B": ("index\tsentence1\tsentence2\tscore", "{n}\ta cat runs\ta dog runs {n}\t{label}.5", "0123"),
    "QQP": ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "{n}\t1\t2\twho {n}\twhere\t{label}", "01"),
    "QNLI": ("index\tquestion\tsentence\tlabel", "{n}\twho\ta man {n}\t{label}", ("entailment", "not_entailment")),
    "RTE": ("index\tsentence1\tsentence2\tlabel", "{n}\ta man\ta cat {n}\t{label}", ("entailment", "not_entailment")),
    "WNLI": ("index\tsentence1\tsentence2\tlabel", "{n}\ta man\the {n}\t{label}", "01"),
}
THREE = ("entailment", "neutral", "contradiction")


def nine_folder(place: Path) -> Path:
    def written(path: Path, header: str | None, row: str, labels: Sequence[str], count: int = 6) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [row.format(n=n, label=labels[n % len(labels)]) for n in range(count)]
        path.write_text("\n".join([*([header] if header else []), *lines]) + "\n", encoding="utf-8")

    for name, (header, row, labels) in NINE.items():
        for split in ("train", "dev"):
            written(place / name / f"{split}.tsv", header, row, labels)
    for split in ("train", "dev"):
        written(place / "CoLA" / f"{split}.tsv", None, "gj04\t{label}\t\ta man sleeps {n}", "01")
    pair = "{n}\ta man\ta person {n}"
    for split in ("train", "dev_matched", "dev_mismatched"):
        written(place / f"MNLI/{split}.tsv", "index\tsentence1\tsentence2\tgold_label", pair + "\t{label}", THREE)
    for split in ("test_matched", "test_mismatched"):
        written(place / f"MNLI/{split}.tsv", "index\tsentence1\tsentence2", pair, "0")
    header = "Lexical Semantics\tDomain\tPremise\tHypothesis\tLabel"
    written(place / "diagnostic/diagnostic-full.tsv", header, "\tNews\ta man\ta person {n}\t{label}", THREE)
    return place


def test_all_nine_tasks_are_learned_and_averaged_as_the_leaderboard_does(tmp_path: Path) -> None:
    """MNLI's network is asked of its mismatched pairs and the diagnostic set, too; the average counts MNLI once and the
    diagnostic set not at all."""
    run = made(tmp_path, data=str(nine_folder(tmp_path / "glue")))
    found = run.measures()
    value = {name: measure.value for name, measure in found.items()}
    assert {name.split(".")[0] for name in found} == {*tasks.GLUE, "MNLI-mm", "AX", "average"}
    assert tasks.lacking(str(tmp_path / "glue")) == ([], [])
    for start in ("pretrained", "fresh", "static"):
        means = [
            np.mean([value[f"{task}.{start}.{what}"] for what in text_metrics.MEASURES[task]])
            for task in tasks.GLUE
            if task != "MNLI"
        ]
        mnli = (value[f"MNLI.{start}.accuracy"] + value[f"MNLI-mm.{start}.accuracy"]) / 2
        assert value[f"average.{start}.score"] == pytest.approx(np.mean([*means, mnli]))
        assert f"AX.{start}.matthews" in value
    submitted = {path.name: path.read_text().splitlines() for path in (run.folder / "submission").iterdir()}
    assert set(submitted) == {"MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv"}
    assert all(
        len(lines) == 7 and {line.split("\t")[1] for line in lines[1:]} <= set(THREE) for lines in submitted.values()
    )


def test_a_folder_names_what_it_lacks_and_what_is_not_read(tmp_path: Path) -> None:
    place = glue_folder(tmp_path / "glue")
    (place / "Sentiment").mkdir()
    absent, unread = tasks.lacking(str(place))
    assert absent == ["CoLA", "SST-2", "MRPC", "QQP", "MNLI", "QNLI", "WNLI", "AX"]
    assert unread == ["Sentiment"]
    figure = drawn.scores([("RTE", "accuracy")], {}, absent, unread)
    assert "does not hold: CoLA, SST-2" in figure.caption
    assert "known: Sentiment." in figure.caption


def superglue_folder(place: Path) -> Path:
    rows = {
        "BoolQ": ({"question": "is it", "passage": "a man {n}"}, (False, True)),
        "CB": ({"premise": "a man {n}", "hypothesis": "a person"}, THREE),
        "RTE": ({"premise": "a man {n}", "hypothesis": "a person"}, ("entailment", "not_entailment")),
        "AX-b": ({"sentence1": "a man {n}", "sentence2": "a person"}, ("entailment", "not_entailment")),
    }
    for name, (texts, labels) in rows.items():
        (place / name).mkdir(parents=True)
        for split in ("AX-b",) if name == "AX-b" else ("train", "val", "test"):
            lines = [
                {key: text.format(n=n) for key, text in texts.items()}
                | {"idx": n}
                | ({} if split == "test" else {"label": labels[n % len(labels)]})
                for n in range(6)
            ]
            (place / name / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return place


def test_superglue_is_read_where_it_is_two_texts_with_a_class(tmp_path: Path) -> None:
    run = made(tmp_path, data=str(superglue_folder(tmp_path / "super")))
    names = {name.split(".")[0] for name in run.measures()}
    assert names == {"BoolQ", "CB", "RTE", "AX-b", "average"}
    assert "CB.pretrained.f1_macro" in run.measures()
    lines = (run.folder / "submission/BoolQ.jsonl").read_text().splitlines()
    assert [json.loads(line)["idx"] for line in lines] == list(range(6))
    assert {type(json.loads(line)["label"]) for line in lines} == {bool}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: .*expected a JSON object"),
        ('{"premise": "a", "hypothesis": " ", "idx": 0, "label": "neutral"}', "is empty"),
        ('{"premise": "a", "hypothesis": "b", "idx": 0, "label": "no"}', "'label' is 'no'; allowed: \"entailment\""),
        ('{"premise": "a", "hypothesis": "b", "label": "neutral"}', "'idx' is missing"),
        ('{"premise": 3, "hypothesis": "b", "idx": 0, "label": "neutral"}', "premise"),
    ],
)
def test_superglue_rows_that_are_not_as_released_are_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "CB").mkdir()
    (tmp_path / "CB/train.jsonl").write_text(line + "\n")
    with pytest.raises(Refused, match=message):
        superglue.load("CB", "train", tmp_path)
    with pytest.raises(Refused, match="COPA is no class of two texts"):
        superglue.load("COPA", "train", tmp_path)


@pytest.mark.parametrize("vocabulary", ["tokenizer.json", "vocab.txt"])
def test_a_hugging_face_folder_is_tuned_with_its_own_tokenizer(tmp_path: Path, vocabulary: str) -> None:
    import transformers

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters), "man"]
    (tmp_path / "words").write_text("\n".join(words))
    folder = tmp_path / "model"
    sizes = transformers.BertConfig(vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                                    intermediate_size=12, max_position_embeddings=130)  # fmt: skip
    transformers.BertForMaskedLM(sizes).save_pretrained(folder)
    if vocabulary == "vocab.txt":
        (folder / "vocab.txt").write_text("\n".join(words))
    else:
        from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

        BertWordPieceTokenizer(str(tmp_path / "words")).save(str(folder / "tokenizer.json"))
    run = made(tmp_path, data=str(glue_folder(tmp_path / "glue", test=False)), model=str(folder))
    assert {name.split(".")[1] for name in run.measures()} == {"pretrained", "fresh", "compared"}
    tuned = transformers.BertForSequenceClassification.from_pretrained(run.folder / "tuned/RTE").eval()
    ids = torch.tensor([[2, 70, 5, 3]])
    with torch.no_grad():
        ours = load_pretrained(run.folder / "tuned/RTE")(ids).logits
        assert ours is not None
        assert torch.allclose(ours, tuned(ids).logits, atol=1e-5)


def test_folders_that_are_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds none of the folders CoLA"):
        tasks.of_folder(str(tmp_path), 0, 0)
    with pytest.raises(Refused, match="does not exist"):
        tasks.of_folder(str(tmp_path / "none"), 0, 0)
    with pytest.raises(Refused, match="has no tokenizer"):
        Reader.open(tmp_path, 128)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(Refused, match="is damaged or no tokenizer"):
        Reader.open(tmp_path, 128)
    folder = glue_folder(tmp_path / "glue")
    path = folder / "RTE/train.tsv"
    path.write_text(path.read_text() + "4\tone cell\n", encoding="utf-8")
    with pytest.raises(Refused, match="line 6"):
        tasks.of_folder(str(folder), 0, 0)


@pytest.mark.parametrize("task", tasks.of_grammar(0, 2_000, 200), ids=lambda task: task.name)
def test_no_test_text_is_among_those_to_learn_from(task: Task) -> None:
    def texts(examples: list[tasks.Example]) -> set[str]:
        if task.kind == "tags":
            return {" ".join(example.texts) for example in examples}
        return {text for example in examples for text in (example.texts[1:] if task.kind == "span" else example.texts)}

    assert (len(task.train), len(task.test)) == (2_000, 200)
    assert not texts(task.train) & texts(task.test)


def test_what_is_learned_from_is_not_tested() -> None:
    learned = [tasks.Example(("a cow sleeps .",), 0)]
    new = tasks.Example(("a hen sleeps .",), 1)
    assert tasks.apart(learned, [*learned, new], 1) == (learned, [new])
    with pytest.raises(Refused, match="of 2 test examples 1 are not learned from; 2 are needed"):
        tasks.apart(learned, [*learned, new], 2)
