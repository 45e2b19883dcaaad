"""Files of GLUE, SQuAD, RACE, BLiMP and Zorro as released, and damaged as downloads and editors damage them."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from phantastic.data import glue, minimal_pairs, race, squad
from phantastic.data.text import hub
from phantastic.data.text_metrics import MEASURES, exact_match, glue_measures, measure, squad_measures, token_f1
from phantastic.ground.errors import Refused

ONE = 'He said "so", and\u2028left \x85 it.'  # an open quote, and letters that Unicode takes for line ends
TWO = '"Quoted" from the start'
MNLI_REST = "p\tq\tfiction\t( b )\t( b )\t( ROOT )\t( ROOT )"
FILES = {  # (task, split): header, row without its end, the label's cell, expected label
    ("CoLA", "train"): (None, f"gj04\t{{}}\t*\t{ONE}", ("0", 0), ("1", 1)),
    ("SST-2", "dev"): ("sentence\tlabel", f"{ONE} \t{{}}", ("1", 1), ("0", 0)),
    ("MRPC", "train"): (
        "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String",
        f"{{}}\t702876\t702977\t{ONE}\t{TWO}",
        ("1", 1),
        ("0", 0),
    ),
    ("QQP", "train"): (
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
        f"7\t1\t2\t{ONE}\t{TWO}\t{{}}",
        ("1", 1),
        ("0", 0),
    ),
    ("STS-B", "dev"): (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
        f"7\tmain-news\tMSRvid\t2012\t5\tnone\tnone\t{ONE}\t{TWO}\t{{}}",
        ("4.750", 4.75),
        ("0", 0.0),
    ),
    ("MNLI", "dev_mismatched"): (
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
        "sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
        f"7\t{MNLI_REST}\t{ONE}\t{TWO}\tneutral\t{{}}",
        ("contradiction", 2),
        ("entailment", 0),
    ),
    ("QNLI", "train"): (
        "index\tquestion\tsentence\tlabel",
        f"7\t{ONE}\t{TWO}\t{{}}",
        ("not_entailment", 1),
        ("entailment", 0),
    ),
    ("RTE", "train"): (
        "index\tsentence1\tsentence2\tlabel",
        f"7\t{ONE}\t{TWO}\t{{}}",
        ("not_entailment", 1),
        ("entailment", 0),
    ),
    ("WNLI", "dev"): ("index\tsentence1\tsentence2\tlabel", f"7\t{ONE}\t{TWO}\t{{}}", ("1", 1), ("0", 0)),
}


def released(key, end="\n", rows=2):
    header, row, *labels = FILES[key]
    lines = [header] * (header is not None) + [row.format(labels[i % 2][0]) for i in range(rows)]
    return end.join(lines) + end


def test_rows_without_a_number_are_counted_from_0(tmp_path):
    """With a header and without one; a row that is left out keeps its place."""
    (tmp_path / "SST-2").mkdir()
    (tmp_path / "CoLA").mkdir()
    (tmp_path / "SST-2/dev.tsv").write_text("sentence\tlabel\ngood\t1\nbad\nbad\t0\n", encoding="utf-8")
    (tmp_path / "CoLA/train.tsv").write_text("gj04\t1\t\tgood\ngj04\t0\t*\tbad\n", encoding="utf-8")
    assert glue.load("SST-2", "dev", tmp_path, skip_damaged=True).indices == ["0", "2"]
    assert glue.load("CoLA", "train", tmp_path).indices == ["0", "1"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n\n\n"])
@pytest.mark.parametrize("key", FILES, ids=str)
def test_glue_as_released(tmp_path, key, end, mark):
    task, split = key
    text = released(key, "\r\n" if "\r" in end else "\n") + end[2:]  # with blank lines at the end
    (tmp_path / task).mkdir()
    (tmp_path / task / f"{split}.tsv").write_bytes((mark + text).encode())
    for folder in (tmp_path, tmp_path / task):
        found = glue.load(task, split, folder)
        first = ONE + " " if task == "SST-2" else ONE
        assert found.sentences == [(first,) if task in ("CoLA", "SST-2") else (first, TWO)] * 2
        assert found.labels == [FILES[key][2][1], FILES[key][3][1]]
        assert not found.damaged


def test_glue_as_first_published(tmp_path):
    text = released(("MRPC", "train"), "\r\n", rows=3)
    for name in ("msr_paraphrase_train.txt", "msr_paraphrase_test.txt"):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    for split in glue.SPLITS:
        assert glue.load("MRPC", split, tmp_path).labels == [1, 0, 1]
    rows = [
        f"main-captions\tMSRvid\t2012test\t0001\t5.000\t{ONE}\t{TWO}",
        f"x\ty\tz\t2\t3\t{ONE}\t{TWO}\tsource\tother",
    ]
    (tmp_path / "sts-dev.csv").write_text("\n".join(rows), encoding="utf-8")
    found = glue.load("STS-B", "dev", tmp_path)
    assert found.labels == [5.0, 3.0]
    assert found.sentences == [(ONE, TWO)] * 2
    (tmp_path / "sts-train.csv").write_text(f"\tid\tsentence1\tsentence2\tsimilarity\n8\ta1\t{ONE}\t{TWO}\t2.4\n")
    found = glue.load("STS-B", "train", tmp_path)
    assert (found.labels, found.sentences, found.indices) == ([2.4], [(ONE, TWO)], ["8"])


def test_an_unlabelled_test_set_and_its_submission(tmp_path):
    tests = {
        "CoLA": ("index\tsentence", f"3\t{ONE}", [1], "3\t1"),
        "RTE": ("index\tsentence1\tsentence2", f"3\t{ONE}\t{TWO}", [1], "3\tnot_entailment"),
        "QNLI": ("index\tquestion\tsentence", f"3\t{ONE}\t{TWO}", [0], "3\tentailment"),
        "QQP": ("id\tquestion1\tquestion2", f"3\t{ONE}\t{TWO}", [1], "3\t1"),
        "MRPC": ("index\t#1 ID\t#2 ID\t#1 String\t#2 String", f"3\t9\t9\t{ONE}\t{TWO}", [0], "3\t0"),
        "STS-B": (
            FILES["STS-B", "dev"][0].removesuffix("\tscore"),
            f"3\ta\tb\tc\td\te\tf\t{ONE}\t{TWO}",
            [5.2],
            "3\t5.000",
        ),
    }
    for task, (header, row, predictions, line) in tests.items():
        (tmp_path / task).mkdir()
        (tmp_path / task / "test.tsv").write_text(f"{header}\n{row}\n", encoding="utf-8")
        found = glue.load(task, "test", tmp_path)
        assert found.labels is None
        assert found.indices == ["3"]
        path = glue.write_submission(task, predictions, found, tmp_path)
        assert path.name == f"{task}.tsv"
        assert path.read_bytes().decode() == f"index\tprediction\n{line}\n"
        for wrong in ([], [7], [float("nan")]):
            if task != "STS-B" or wrong != [7]:
                with pytest.raises(Refused, match=r"predictions for|no class|finite"):
                    glue.write_submission(task, wrong, found, tmp_path)
    (tmp_path / "test_matched.tsv").write_text("index\tsentence1\tsentence2\n0\ta\tb\n")
    (tmp_path / "test_mismatched.tsv").write_text("index\tsentence1\tsentence2\n0\ta\tb\n")
    for split, name in (("test_matched", "MNLI-m.tsv"), ("test_mismatched", "MNLI-mm.tsv")):
        found = glue.load("MNLI", split, tmp_path)
        path = glue.write_submission("MNLI", [2], found, tmp_path, mismatched="mis" in split)
        assert path.name == name
        assert path.read_text() == "index\tprediction\n0\tcontradiction\n"


DAMAGE = {
    "a cell too many": lambda row: row + "\textra",
    "a cell too few": lambda row: row.rpartition("\t")[0],
    "an empty sentence": lambda row: row.replace(ONE, " "),
    "half a row": lambda row: row[: len(row) // 3].replace("\t", " "),
    "blank": lambda row: "",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("key", FILES, ids=str)
def test_a_damaged_row_is_named(tmp_path, key, damage):
    lines = released(key, rows=6).split("\n")
    place = 4
    lines[place - 1] = DAMAGE[damage](lines[place - 1])
    path = tmp_path / f"{key[1]}.tsv"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(Refused, match=rf"{path.name}', line {place}: "):
        glue.load(*key, tmp_path)
    if damage != "blank":
        found = glue.load(*key, tmp_path, skip_damaged=True)
        assert len(found.sentences) == 5
        assert len(found.damaged) == 1
        assert found.damaged[0].startswith("line 4: ")


@pytest.mark.parametrize("key", FILES, ids=str)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(cell=st.text(st.characters(exclude_characters="\t\n\r", codec="utf-8"), max_size=6))
def test_a_label_is_one_of_those_allowed_or_refused(tmp_path, key, cell):
    header, row, *_ = FILES[key]
    path = tmp_path / f"{key[1]}.tsv"
    path.write_text("\n".join([*([header] if header else []), row.format(cell)]), encoding="utf-8", newline="")
    classes = glue.TASKS[key[0]].classes
    found = glue.load(*key, tmp_path, skip_damaged=True)
    if found.labels:
        assert classes[found.labels[0]] == cell if classes else 0 <= found.labels[0] == float(cell) <= 5
    else:
        assert cell not in classes
        with pytest.raises(Refused, match="line"):
            glue.load(*key, tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_bytes_flipped_anywhere_lose_nothing_in_silence(tmp_path, data):
    """Whatever a few bytes become, every row is there, or the file is Refused."""
    key = data.draw(st.sampled_from(list(FILES)))
    raw = bytearray(released(key, rows=4).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(list(b'\t\n\r"\\ 09a\x00\xff')))
    (tmp_path / f"{key[1]}.tsv").write_bytes(bytes(raw))
    try:
        found = glue.load(*key, tmp_path)
    except Refused:
        pass
    else:
        lines = [line for line in bytes(raw).decode().split("\n") if line.strip()]
        assert (
            len(found.sentences) == len(found.labels) == len(found.indices) == len(lines) - (FILES[key][0] is not None)
        )


def test_what_is_no_glue_is_refused(tmp_path):
    for arguments, said in (
        (("COLA", "train", tmp_path), "CoLA"),
        (("CoLA", "validation", tmp_path), "no split"),
        (("MNLI", "dev", tmp_path), "dev_matched"),
        (("CoLA", "train", tmp_path), "train.tsv"),
        (("CoLA", "train", tmp_path / "none"), "does not exist"),
    ):
        with pytest.raises(Refused, match=said):
            glue.load(*arguments)
    (tmp_path / "train.tsv").write_text("")
    with pytest.raises(Refused, match="empty"):
        glue.load("CoLA", "train", tmp_path)
    (tmp_path / "train.tsv").write_text("sentence\tlabels\nx\t1\n")
    with pytest.raises(Refused, match=r"line 1: no column 'label'; did you mean 'labels'"):
        glue.load("SST-2", "train", tmp_path)
    (tmp_path / "train.tsv").write_bytes(b"sentence\tlabel\nx\t1\n\xff\t1\n")
    with pytest.raises(Refused, match="line 3: not UTF-8"):
        glue.load("SST-2", "train", tmp_path)


def test_the_package_datasets(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(Refused, match="pip install datasets"):
        glue.load("RTE", "dev")
    asked = []
    rows = {
        "nyu-mll/glue": [{"premise": "a", "hypothesis": "b", "label": 1, "idx": 4}],
        "rajpurkar/squad": [
            {"id": "q", "question": "who?", "context": "it is me", "answers": {"text": ["me"], "answer_start": [6]}}
        ],
        "ehovy/race": [
            {"article": "a", "question": "q", "options": list("wxyz"), "answer": "C", "example_id": "high1.txt"}
        ],
    }

    def load_dataset(name, configuration, split):
        asked.append((name, configuration, split))
        if split == "train":
            raise ConnectionError("no network")
        return rows[name]

    package = ModuleType("datasets")
    package.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", package)
    found = glue.load("MNLI", "dev_matched")
    assert (found.sentences, found.labels, found.indices) == ([("a", "b")], [1], ["4"])
    assert squad.load_hub("1.1", "dev")[0].answers == (squad.Answer("me", 6),)
    assert race.load_hub("dev", "high")[0].answer == 2
    assert asked == [
        ("nyu-mll/glue", "mnli", "validation_matched"),
        ("rajpurkar/squad", None, "validation"),
        ("ehovy/race", "high", "validation"),
    ]
    with pytest.raises(Refused, match="no network"):
        hub("nyu-mll/glue", "cola", "train")


SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Cows",
            "paragraphs": [
                {
                    "context": "The cow é sleeps in the barn.",
                    "qas": [
                        {
                            "id": "a",
                            "question": "Who sleeps?",
                            "answers": [{"text": "The cow", "answer_start": 0}, {"text": "cow", "answer_start": 4}],
                            "is_impossible": False,
                        },
                        {"id": "b", "question": "Where?", "answers": [{"text": "in the barn", "answer_start": 17}]},
                        {"id": "c", "question": "Why?", "answers": [], "is_impossible": True, "plausible_answers": []},
                    ],
                }
            ],
        }
    ],
}


def squad_file(tmp_path, change=lambda data: None):
    data = json.loads(json.dumps(SQUAD))
    change(data)
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")
    return path


def test_squad_and_its_measures(tmp_path):
    questions = squad.load(squad_file(tmp_path))
    assert [question.id for question in questions] == ["a", "b", "c"]
    assert questions[0].title == "Cows"
    found = squad.evaluate(questions, {"a": "cow!", "b": "the old barn", "c": "tired"})
    # "cow" is right; {old, barn} against {in, barn} shares one of two words; an answer where there is none is wrong.
    assert found["exact"] == pytest.approx(1 / 3)
    assert found["f1"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert found["answerable_f1"] == pytest.approx(0.75)
    assert found["unanswerable_exact"] == 0
    # Best to withhold "c" alone.
    best = squad.evaluate(questions, {"a": "cow", "b": "the old barn", "c": "tired"}, {"a": 0.1, "b": 0.2, "c": 0.9})
    assert best["best_exact"] == pytest.approx(2 / 3)
    assert best["best_f1"] == pytest.approx(2.5 / 3)
    assert squad.evaluate(questions[:2], {"a": "x", "b": "in the barn"}) == {"exact": 0.5, "f1": 0.5}
    path = squad.write_predictions({"a": "é"}, tmp_path / "out.json")
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": "é"}
    for wrong in ({"a": "x"}, {"a": "x", "b": "", "c": "", "d": ""}):
        with pytest.raises(Refused, match=r"there is no (prediction|question) for id"):
            squad.evaluate(questions, wrong)


def qa(data, place=0):
    return data["data"][0]["paragraphs"][0]["qas"][place]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.pop("data"), "'data' is missing"),
        (lambda data: data.update(data=[]), "no question"),
        (lambda data: data["data"].append("x"), r"data\[1\]: expected an object"),
        (lambda data: data["data"][0].pop("paragraphs"), r"data\[0\]: 'paragraphs' is missing"),
        (
            lambda data: data["data"][0]["paragraphs"][0].update(context=3),
            "'context' is a whole number; expected a text",
        ),
        (lambda data: qa(data, 1).pop("id"), r"paragraphs\[0\].qas\[1\]: 'id' is missing"),
        (lambda data: qa(data, 1).update(id="a"), "'a' was used before"),
        (lambda data: qa(data, 1).update(question=" "), "question is empty"),
        (
            lambda data: qa(data)["answers"][1].update(answer_start=5),
            r"answers\[1\]: 'cow' does not stand at character 5",
        ),
        (lambda data: qa(data)["answers"][1].update(answer_start=-3), "does not stand"),
        # counted from the end, as no release does, "barn" would stand there
        (
            lambda data: qa(data)["answers"][1].update(text="barn", answer_start=-5),
            "'barn' does not stand at",
        ),
        (lambda data: qa(data)["answers"][1].update(text="", answer_start=4), "'' does not stand at character 4"),
        (lambda data: qa(data)["answers"][1].update(text="", answer_start=99), "'' does not stand at character 99"),
        (lambda data: qa(data)["answers"][1].update(text="barn. ", answer_start=24), "does not stand at character 24"),
        (lambda data: qa(data)["answers"][1].update(answer_start="4"), "expected a whole number"),
        (lambda data: qa(data).update(answers=[]), "not marked is_impossible"),
        (lambda data: qa(data).update(is_impossible=True), "has answers"),
        (lambda data: qa(data).update(is_impossible="no"), "expected true or false"),
    ],
)
def test_damaged_squad_is_refused_with_its_place(tmp_path, change, said):
    path = squad_file(tmp_path, change)
    with pytest.raises(Refused, match=said) as caught:
        squad.load(path)
    assert "squad.json" in str(caught.value)
    path.write_text(path.read_text()[:-9])
    with pytest.raises(Refused, match="line"):
        squad.load(path)


@pytest.mark.parametrize(("said", "best"), [("", 1.0), ("tired", 0.5)])
def test_the_best_threshold_costs_only_what_it_lets_through(said, best):
    """Two questions, the second without an answer. Below any threshold that lets the first through lies the second:
    said nothing to it, nothing is lost; else one is always wrong (evaluate-v2.0.py, find_best_thresh)."""
    found = squad_measures({"a": "cow", "b": said}, {"a": ["cow"], "b": []}, {"a": 0.9, "b": 0.1})
    assert (found["best_exact"], found["best_f1"]) == (best, best)
    apart = squad_measures({"a": "cow", "b": said}, {"a": ["cow"], "b": []}, {"a": 0.1, "b": 0.9})
    assert apart["best_exact"] == 1


def test_scores_of_similarity_are_handed_in_within_their_scale(tmp_path):
    found = glue.Examples("STS-B", "", [("a", "b")] * 5, None, list("01234"), [])
    path = glue.write_submission("STS-B", [-1, 0.25, 3, 4.9996, 7], found, tmp_path)
    assert path.read_text().split() == [
        "index",
        "prediction",
        "0",
        "0.000",
        "1",
        "0.250",
        "2",
        "3.000",
        "3",
        "5.000",
        "4",
        "5.000",
    ]


def test_answers_are_compared_as_the_official_script_does():
    assert exact_match("The  Cow.", "cow")
    assert exact_match("a-n", "The")  # punctuation goes first; "an" is then an article, and nothing is left of either
    assert token_f1("a cow in the barn", "the barn") == pytest.approx(2 * 1 / (3 + 1))
    assert token_f1("cow cow", "cow") == pytest.approx(2 / 3)
    assert token_f1("the", "") == 1
    assert token_f1("cow", "") == 0
    assert squad_measures({"q": ""}, {"q": []})["exact"] == 1


def race_file(tmp_path, change=lambda article: None):
    article = {
        "id": "high3.txt",
        "article": "A cow sleeps.",
        "questions": ["The cow _ .", "Who?"],
        "options": [["runs", "sleeps", "sings", "eats"], ["a cow", "a dog", "a king", "no one"]],
        "answers": ["B", "A"],
    }
    change(article)
    for level, name in (("high", "3.txt"), ("middle", "12.txt"), ("middle", "2.txt")):
        place = tmp_path / "dev" / level
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(json.dumps(article))
    return tmp_path


def test_race(tmp_path):
    choices = race.load(race_file(tmp_path), "dev")
    assert [choice.id for choice in choices] == [
        f"{name}.txt/{i}" for name in ("middle2", "middle12", "high3") for i in (0, 1)
    ]
    assert choices[0].filled(1) == "The cow sleeps ."
    assert choices[1].filled(0) == "Who? a cow"
    right = {choice.id: choice.answer for choice in choices} | {"high3.txt/0": 3}
    assert race.evaluate(choices, right) == {"accuracy": pytest.approx(5 / 6), "middle": 1.0, "high": 0.5}
    with pytest.raises(Refused, match="no prediction"):
        race.evaluate(choices, {})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda article: article.pop("article"), "'article' is missing"),
        (lambda article: article["answers"].pop(), "1 answers; expected as many"),
        (lambda article: article["answers"].__setitem__(1, "E"), "question 1: the answer is 'E'; allowed: A, B, C, D"),
        (lambda article: article["options"][0].pop(), "question 0: expected a question and four options"),
        (lambda article: article["options"][0].__setitem__(2, None), "an option is not a text"),
        (lambda article: article.update(questions="?"), "expected a list"),
    ],
)
def test_damaged_race_is_refused_with_its_place(tmp_path, change, said):
    with pytest.raises(Refused, match=said) as caught:
        race.load(race_file(tmp_path, change), "dev")
    assert "2.txt" in str(caught.value)


def test_race_without_articles(tmp_path):
    with pytest.raises(Refused, match="does not exist"):
        race.load(tmp_path, "dev")
    (tmp_path / "dev").mkdir()
    with pytest.raises(Refused, match="no article"):
        race.load(tmp_path, "dev")
    with pytest.raises(Refused, match="no split"):
        race.load(tmp_path, "valid")


def test_minimal_pairs(tmp_path):
    rows = [
        {
            "sentence_good": f"the cow sleeps {i}",
            "sentence_bad": f"the cow sleep {i}",
            "UID": "agreement",
            "pairID": str(i),
        }
        for i in range(3)
    ]
    (tmp_path / "agreement.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (tmp_path / "case-pronoun.txt").write_text("i saw they .\r\ni saw them .\r\nhim ran .\r\nhe ran .\r\n", newline="")
    pairs = minimal_pairs.load(tmp_path)
    assert pairs["agreement"][2] == minimal_pairs.Pair("the cow sleeps 2", "the cow sleep 2")
    assert pairs["case-pronoun"] == [("i saw them .", "i saw they ."), ("he ran .", "him ran .")]
    found = minimal_pairs.evaluate(pairs, lambda some: [float("they" not in s and "sleep " not in s) for s in some])
    assert found == {"agreement": 1.0, "case-pronoun": 0.5, "overall": 0.75}  # a tie is wrong
    assert minimal_pairs.load(tmp_path / "case-pronoun.txt").keys() == {"case-pronoun"}
    with pytest.raises(Refused, match="5 scores for 6"):
        minimal_pairs.evaluate(pairs, lambda some: [0.0] * 5)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "bad\ngood\nbad\n", "line 3: a bad sentence without"),
        ("a.txt", "same\nsame\n", "line 1: the two sentences are the same"),
        ("a.txt", "bad\n\ngood\n", "line 2: blank"),
        ("a.txt", "", "empty"),
        ("a.jsonl", '{"sentence_good": "a"}\n', "line 1: 'sentence_bad' is missing"),
        ("a.jsonl", '{"sentence_good": "a", "sentence_bad": "b"}\n{"sentence_good": "a"', "line 2"),
        ("a.jsonl", '{"sentence_good": "a", "sentence_bad": 3}\n', "expected a text"),
        ("a.jsonl", '["a", "b"]\n', "line 1: expected an object"),
    ],
)
def test_damaged_pairs_are_named_by_line(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(Refused, match=said) as caught:
            minimal_pairs.load(path)
        assert name in str(caught.value)


def test_no_pairs(tmp_path):
    with pytest.raises(Refused, match="no minimal pairs"):
        minimal_pairs.load(tmp_path)
    with pytest.raises(Refused, match="does not exist"):
        minimal_pairs.load(tmp_path / "none.txt")


def test_measures_against_their_formulas():
    generator = np.random.default_rng(0)
    gold, guess = generator.integers(0, 2, 200), generator.integers(0, 2, 200)
    guess[:120] = gold[:120]
    tp, tn = ((guess == v) & (gold == v) for v in (1, 0))
    fp, fn = (guess == 1) & (gold == 0), (guess == 0) & (gold == 1)
    tp, tn, fp, fn = (float(some.sum()) for some in (tp, tn, fp, fn))
    matthews = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert measure("matthews", guess, gold) == pytest.approx(matthews)
    assert measure("f1", guess, gold) == pytest.approx(2 * tp / (2 * tp + fp + fn))
    assert measure("accuracy", guess, gold) == pytest.approx((tp + tn) / 200)
    x, y = generator.normal(size=50), generator.normal(size=50)
    assert measure("pearson", x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert measure("spearman", x, y) == pytest.approx(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])
    assert measure("pearson", [1, 1, 1], [1, 2, 3]) == 0
    assert measure("matthews", [1, 1], [0, 1]) == 0
    assert measure("f1", [0, 0], [0, 0]) == 0
    for task, names in MEASURES.items():
        assert set(glue_measures(task, [0, 1, 1], [0, 1, 0])) == set(names)
        assert set(glue_measures(task, [0, 1, 1], [0, 1, 1]).values()) == {1.0}
    for wrong in (([1], [1, 2]), ([], []), ([float("nan")], [1])):
        with pytest.raises(Refused):
            measure("accuracy", *wrong)


LOADERS = {
    "squad": lambda path: squad.load(path),
    "race": lambda path: race.load(path.parents[2], "dev"),
    "blimp": lambda path: minimal_pairs.load(path).get("agreement", []),
    "zorro": lambda path: minimal_pairs.load(path)["case"],
}


@pytest.mark.parametrize("name", LOADERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_damaged_files_are_read_whole_or_refused(tmp_path, name, data):
    """Bytes changed or cut off anywhere: as many questions or pairs as before, or Refused; nothing else happens."""
    if name == "squad":
        path, whole = squad_file(tmp_path), 3
    elif name == "race":
        path, whole = race_file(tmp_path) / "dev" / "high" / "3.txt", 6
    elif name == "blimp":
        rows = [{"sentence_good": f"a {i}", "sentence_bad": f"b {i}", "UID": "agreement"} for i in range(3)]
        path, whole = tmp_path / "agreement.jsonl", 3
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        path, whole = tmp_path / "case.txt", 2
        path.write_text("i saw they .\ni saw them .\nhim ran .\nhe ran .\n")
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(list(b'\n"\\ 09,[]{}:ea\x00\xff')))
    path.write_bytes(bytes(raw[: data.draw(st.integers(len(raw) // 2, len(raw)))]))
    try:
        found = LOADERS[name](path)
    except Refused:
        pass
    else:
        lines = len([line for line in path.read_bytes().split(b"\n") if line.strip()])
        assert len(found) in {"blimp": range(lines + 1), "zorro": [lines // 2]}.get(name, [whole])


def test_numbers_and_brackets_without_end(tmp_path):
    for text in ("9" * 9999, "[" * 99999):
        (tmp_path / "a.json").write_text(text)
        (tmp_path / "a.jsonl").write_text(text)
        with pytest.raises(Refused, match=r"a\.json"):
            squad.load(tmp_path / "a.json")
        with pytest.raises(Refused, match="line 1"):
            minimal_pairs.load(tmp_path / "a.jsonl")
