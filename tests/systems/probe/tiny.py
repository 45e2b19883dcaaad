"""The study `probe` at its tiny preset, and on a network and a treebank of the user's own."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from phantastic.declare.i18n import speaking
from phantastic.declare.recipe import compose
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised
from phantastic.lesion import damage, sites
from phantastic.nn.language import create, save_pretrained
from phantastic.nn.language.bert import BertConfig
from phantastic.nn.language.roberta import RobertaConfig
from phantastic.pretraining.batches import language
from phantastic.run.execute import execute
from phantastic.run.folder import Run
from phantastic.systems.probe import apply, experiment
from phantastic.systems.probe.network import longest
from phantastic.systems.probe.pieces import ASKED, in_pieces
from phantastic.systems.probe.study import STUDY, ProbeApply
from phantastic.systems.probe.subject import fitting
from phantastic.systems.probe.treebank import Sentences, from_files, from_grammar
from phantastic.systems.probe.wordpieces import Tokenizer
from phantastic.world import sentences

JAPANESE = re.compile("[぀-ヿ一-鿿]")


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("probe")


@pytest.mark.parametrize("preset", STUDY.presets)
def test_every_preset_is_valid(preset: str) -> None:
    assert compose(STUDY.recipe, STUDY.presets, preset, {}) == STUDY.presets[preset]


def test_all_that_is_claimed_is_measured(run: Run) -> None:
    found = run.measures()
    for claim in STUDY.claims():
        assert JAPANESE.search(claim.statement.ja)
        assert not JAPANESE.search(claim.statement.en)
        measured = {name.replace("rank16", "rank4") for name in (*claim.measure, *claim.than)}
        assert measured <= set(found) or claim.id == "probe.middle", "the tiny network has a single layer"
    assert all(math.isfinite(measure.value) for measure in found.values())
    assert found["best.uuas"] == found[f"layer{found['best.layer'].value:.0f}.uuas"]
    assert found["over_linear"].value == pytest.approx(found["best.uuas"].value - found["linear.uuas"].value)
    chances = {name: m for name, m in found.items() if name.endswith((".uuas", ".root"))}
    assert all(0 <= m.value <= 1 and m.low <= m.value + 0.1 and m.value - 0.1 <= m.high for m in chances.values())  # pyright: ignore[reportOptionalOperand]


def test_the_network_is_the_one_that_the_study_bert_trains(run: Run, tiny_run: Callable[[str], Run]) -> None:
    ours, theirs = run.study.load().networks(run)["network"].state_dict(), tiny_run("bert")
    expected = theirs.study.load().networks(theirs)["bert"].state_dict()
    assert list(ours) == list(expected)
    assert all(torch.equal(ours[name], expected[name]) for name in ours)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_in_both_languages(run: Run, lang: str) -> None:
    found = run.study.load().figures(run)
    assert set(found) == {"trees", "layers", "controls", "ranks"}
    for figure in found.values():
        assert bool(JAPANESE.search(figure.caption)) == (lang == "ja")


def test_the_tree_of_a_sentence(run: Run) -> None:
    lines = run.study.load().apply(run, ProbeApply(parse="the dog that the cats see barks ."))
    assert len(lines[0].removeprefix("edges: ").split(" · ")) == 6, "a tree of seven words, without the full stop"
    assert lines[1].removeprefix("root: ") in ["the", "dog", "that", "cats", "see", "barks"]
    assert [Path(line).suffix for line in lines[2:]] == [".svg", ".png"]
    assert all(Path(line).stat().st_size > 1000 for line in lines[2:])
    for bad in ("", "word " * 61):
        with pytest.raises(Refused, match="1 to 60, apart by spaces"):
            run.study.load().apply(run, ProbeApply(parse=bad))
    with pytest.raises(Refused, match="one of them"):
        run.study.load().apply(run, ProbeApply(parse="a", treebank="b"))


def test_damage_to_the_network_reaches_the_trees(run: Run) -> None:
    models = run.study.load().networks(run)
    assert {"network", "distance", "depth"} == set(models)
    names = [site.name for site in sites(models)]
    assert "network.transformer.layer[0].attention.heads" in names
    intact = run.study.load().lesion_measures(run, models)
    with damage(models, "network.transformer.embedded", "silence", 1.0, 0):
        assert run.study.load().lesion_measures(run, models) != intact
    assert run.study.load().lesion_measures(run, models) == intact


def test_without_a_lesion_the_best_layers_probes_give_what_was_recorded(run: Run) -> None:
    found = run.study.load().lesion_measures(run, run.study.load().networks(run))
    recorded = {name: run.measures()[f"best.{name}"].value for name in ("uuas", "dspr", "root", "nspr")}
    assert found == pytest.approx(recorded, abs=1e-6)


def test_the_best_layer_is_that_of_the_development_sentences(run: Run) -> None:
    """So are the best untrained one and what the others are held against."""
    folder = run.folder / "results"
    dev = {}
    for path in folder.glob("seed0.*json"):
        name = path.name.removeprefix("seed0.").removesuffix(".json")
        if re.fullmatch(r"(untrained\.)?layer\d+", name):
            stored = run.result("seed0/" + name, dict[str, object])
            dev[name] = (stored["dev"], stored["share"])
    layers = {name: pair for name, pair in dev.items() if name.startswith("layer")}
    fresh = {name: pair for name, pair in dev.items() if name not in layers}
    assert len(layers) == len(fresh) == 2
    measures = run.measures()
    assert layers[f"layer{measures['best.layer'].value:.0f}"][0] == max(pair[0] for pair in layers.values())  # pyright: ignore
    assert measures["untrained.uuas"].value in {pair[1] for pair in fresh.values() if pair[0] == max(fresh.values())[0]}
    assert {name for name in measures if name.startswith("rank")} == {
        f"rank{rank}.{what}" for rank in (1, 4) for what in ("uuas", "dspr")
    }


def test_scores_and_a_parse_by_hand(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """a ← b → c, "!" being punctuation: predicted are b – a and a – c, and c as the root."""
    monkeypatch.setattr(apply, "write", lambda *_: [])
    monkeypatch.setattr(apply, "arcs", lambda words, gold, predicted: None)

    class Somewhere:
        def artefact(self, name: str) -> Path:
            return Path(name)

    space = np.array([[0.0, 1, 2, 0], [1, 0, 3, 0], [2, 3, 0, 0], [0, 0, 0, 0]])
    height = np.array([3.0, 2, 1, 0])
    given = apply.sentence("a b c !")
    assert given.punctuation[0].tolist() == [False, False, False, True]
    lines = apply.parsed(Somewhere(), given, [space], [height])  # pyright: ignore[reportArgumentType]
    assert lines == ["edges: a–b · a–c", "root: c"]
    gold = Sentences(given.forms, [np.array([2, 0, 2, 2])], given.punctuation)
    lines = apply.scored(Somewhere(), gold, [space], [height])  # pyright: ignore[reportArgumentType]
    assert lines[0] == "1 sentences"
    assert lines[1].startswith("UUAS 0.500")
    assert lines[2].startswith("root found 0.000")


def test_sentences_are_drawn_in_their_order() -> None:
    every = from_grammar("english", (40, 4, 4), 0)[0]
    few = every.drawn(15, 0, "lesion")
    places = [every.forms.index(words) for words in few.forms]
    assert places == sorted(places)
    assert len(few) == 15
    assert few.forms != every.forms[:15]
    assert [each.tolist() for each in few.heads] == [every.heads[place].tolist() for place in places]
    assert every.drawn(40, 0, "lesion") is every
    assert every.drawn(15, 1, "lesion").forms != few.forms
    full_stops = [[word == "." for word in words] for words in every.forms]
    assert [marks.tolist() for marks in every.punctuation] == full_stops


def written(folder: Path, name: str, counts: dict[str, int]) -> None:
    """The grammar's sentences as a treebank in CoNLL-U."""
    for split, count in counts.items():
        found = sentences.documents(sentences.grammar(), 1, f"test/{split}", 0, count // 2).english
        text = "".join(found.conllu(number) for number in range(count))
        (folder / f"{name}-{split}.conllu").write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network that has learned nothing, with its tokenizer, beside two treebanks of which one has no training set."""
    spoken = language("english")
    config = BertConfig(
        vocab_size=len(spoken.wordpiece), hidden_size=32, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=32, max_position_embeddings=64,
    )  # fmt: skip
    with initialised(0, "test"):
        save_pretrained(create("BertForMaskedLM", config), tmp_path)
    spoken.wordpiece.save(tmp_path)
    written(tmp_path, "en_some-ud", {"train": 40, "dev": 20})
    written(tmp_path, "ja_other-ud", {"dev": 20, "test": 20})
    return tmp_path


def test_a_network_and_a_treebank_of_the_users_own(folder: Path) -> None:
    changes = {"model": str(folder), "treebank": str(folder), "device": "cpu", "ranks": [1], "layer": 1}
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", changes)
    run = Run.create(STUDY, recipe, "tiny", folder / "runs")
    try:
        execute(run)
        found = run.measures()
        assert "layer1.uuas" in found
        assert not {"layer0.uuas", "jabberwocky.uuas", "middle.uuas"} & set(found)
        with speaking("ja"):
            lines = run.study.load().apply(run, ProbeApply(treebank=str(folder / "ja_other-ud-test.conllu")))
        assert lines[0] == "20 文"
        assert re.fullmatch(r"UUAS 0\.\d{3}, DSpr\. -?0\.\d{3}", lines[1])
        assert len(lines) == 3 + 3 * 2
        assert set(run.study.load().figures(run)) == {"trees", "layers", "controls", "ranks"}
        assert set(run.study.load().lesion_measures(run, run.study.load().networks(run))) == {
            "uuas",
            "dspr",
            "root",
            "nspr",
        }
    finally:
        run.close()


def test_sentences_too_long_for_the_network_are_left_out_and_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, tokenizer = from_files(folder, (40, 20, 20), 0)[0], Tokenizer.open(folder)
    lengths = [len(words) + 2 for words in found.forms]  # [CLS] and [SEP]; every word is a token
    most = sorted(lengths)[len(lengths) // 2]
    left = fitting(found, tokenizer, most)
    assert left.forms == [words for words, length in zip(found.forms, lengths, strict=True) if length <= most]
    assert f"{sum(length > most for length in lengths)} of 40 sentences have more" in capsys.readouterr().err
    assert fitting(found, tokenizer, max(lengths)) is found
    with pytest.raises(Refused, match="nothing is left; the first is"):
        fitting(found, tokenizer, 2)


def test_places_of_a_network() -> None:
    assert longest(BertConfig(vocab_size=9, max_position_embeddings=64)) == 64
    assert longest(RobertaConfig(vocab_size=9, max_position_embeddings=514, pad_token_id=1)) == 512


def test_the_best_layer_is_best_on_the_development_sentences(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layer 0 does better in development, layer 1 in the test: layer 0 it is, and nobody looks at the test."""
    found = {"layer0": (0.9, 0.1), "layer1": (0.8, 0.7), "untrained.layer0": (0.3, 0.2), "untrained.layer1": (0.2, 0.6),
             "pieces/layer0": (0.6, 0.2), "pieces/layer1": (0.5, 0.9)}  # fmt: skip
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"device": "cpu"})

    class Known:
        device = torch.device("cpu")
        run = None

        def once(self, name: str, compute: object, of: object) -> dict[str, object]:
            dev, share = found.get(name.removeprefix("seed0/"), (0.5, 0.5))
            return {"layer": 0} if "chosen" in name else {"dev": dev, "share": share, "spearman": 0.0, "draws": []}

    chained = experiment.Score(0.5, 0.5, 0.0, [])
    monkeypatch.setattr(experiment, "network", lambda *_: (SimpleNamespace(), None))
    monkeypatch.setattr(experiment, "of_pieces", lambda *_: (SimpleNamespace(), None))
    monkeypatch.setattr(experiment, "hidden_of", lambda model: 4)
    monkeypatch.setattr(experiment, "layers_of", lambda recipe, model: [0, 1])
    monkeypatch.setattr(experiment, "kept", lambda *_: {})
    monkeypatch.setattr(experiment, "measures", lambda scores, roots, best: (scores, best))
    monkeypatch.setattr(experiment.Battery, "chained", lambda battery, kind="distance": chained)
    scores, best = experiment.probed(Known(), recipe, 0)  # pyright: ignore
    assert best == 0
    assert scores["best"].share == 0.1
    assert scores["untrained"].share == 0.2
    assert scores["pieces"].share == 0.2


def test_which_treebank_a_folder_means(folder: Path, tmp_path: Path) -> None:
    train, dev, test = from_files(folder, (10, 1000, 5), 0)
    assert (len(train), len(dev)) == (10, 20)
    assert test is dev, "there is no test file"
    assert from_files(folder / "en_some-ud-dev.conllu", (10, 10, 10), 0)[0].forms == train.forms
    assert from_files(folder, (10, 10, 10), 1)[0].forms != train.forms
    with pytest.raises(Refused, match=r"no NAME-train.conllu and NAME-dev.conllu for 'ja_other-ud-dev.conllu'"):
        from_files(folder / "ja_other-ud-dev.conllu", (1, 1, 1), 0)
    written(folder, "xx_third", {"train": 2, "dev": 2})
    with pytest.raises(Refused, match=r"several treebanks \(en_some-ud, xx_third\); name one by its file"):
        from_files(folder, (1, 1, 1), 0)
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="it has none"):
        from_files(empty, (1, 1, 1), 0)


def test_each_split_is_that_of_its_own_file(tmp_path: Path) -> None:
    written(tmp_path, "xx_whole", {"train": 12, "dev": 10, "test": 8})
    splits = from_files(tmp_path, (50, 50, 50), 0)
    for split, found in zip(("train", "dev", "test"), splits, strict=True):
        drawn = sentences.documents(sentences.grammar(), 1, f"test/{split}", 0, 6).english
        assert found.forms == [drawn.forms(number) for number in range(len(found))]
    assert [len(found) for found in splits] == [12, 10, 8]
    assert [len(found) for found in from_files(tmp_path, (3, 4, 5), 0)] == [3, 4, 5]


def test_jabberwocky_has_the_trees_of_the_sentences() -> None:
    plain, nonce = (from_grammar("english", (20, 20, 20), 0, nonce=seed) for seed in (None, 1))
    for one, other in zip(plain, nonce, strict=True):
        assert [each.tolist() for each in one.heads] == [each.tolist() for each in other.heads]
        assert one.forms != other.forms
    assert not {tuple(words) for words in plain[0].forms} & {tuple(words) for words in plain[2].forms if len(words) > 9}
    with pytest.raises(Refused, match="unknown language"):
        from_grammar("latin", (2, 2, 2), 0)


@pytest.mark.parametrize("spoken", ["english", "japanese"])
def test_invented_words_are_made_of_pieces_that_were_read(spoken: str) -> None:
    """Of a vocabulary that holds every word whole, most of their pieces stand in no text and were never trained."""
    nonce = from_grammar(spoken, (2, 2, 300), 0, nonce=ASKED)[2].forms
    read = in_pieces(spoken, STUDY.presets["quick"].pieces)
    unheard_of = sorted({word for words in nonce for word in words} - {*read.words})
    assert len(unheard_of) > 50
    whole = language(spoken)
    shares = [
        np.isin(each.wordpiece.pieces(unheard_of).ids, each.occurring).mean()  # pyright: ignore
        for each in (read, whole)
    ]
    assert shares[0] > 0.97
    assert shares[1] < 0.5


def test_half_of_what_it_reads_is_real() -> None:
    """By the whole words that the pieces make again."""
    read = in_pieces("english", 450)
    text, real = read.text(0, "test", 0, 64), set(sentences.grammar().sides["english"].vocabulary)
    assert len(text.segments) == 65
    assert (text.starts[-1], text.segments[-1]) == (len(text.tokens), len(text.starts) - 1)
    found = []
    for first, last in zip(text.starts[text.segments[:-1]], text.starts[text.segments[1:]], strict=True):
        pieces = [read.wordpiece.vocabulary[piece] for piece in text.tokens[first:last]]
        words = " ".join(pieces).replace(" ##", "").split()
        found.append({*words} <= real)
    assert found == [True] * 32 + [False] * 32


def test_what_cannot_be_probed_is_refused(folder: Path) -> None:
    def attempt(**changes: object) -> None:
        recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"device": "cpu", **changes})
        run = Run.create(STUDY, recipe, "tiny", folder / "runs")
        try:
            execute(run)
        finally:
            run.close()

    with pytest.raises(Refused, match="needs a network that knows its language"):
        attempt(treebank=str(folder))
    with pytest.raises(Refused, match="did you mean 'quick'"):
        attempt(bert="quack")
    with pytest.raises(Refused, match="the network has 1; allowed: 0 to 1"):
        attempt(model=str(folder), layer=2)
    with pytest.raises(Refused):
        attempt(model=str(folder / "nothing"))


def test_the_same_recipe_gives_the_same_measures(run: Run, tmp_path: Path) -> None:
    again = Run.create(STUDY, run.recipe, "tiny", tmp_path)
    before = torch.random.get_rng_state()
    try:
        execute(again)
        assert again.measures() == run.measures()
    finally:
        again.close()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_network_from_the_shelf_gives_what_one_trained_within_gives(run: Run, tmp_path: Path) -> None:
    """`bert:tiny` is run first, as nobody did; a second probe finds it there."""
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"device": "cpu", "model": "bert:tiny"})
    asked_of_pieces = ("pieces", "jabberwocky")
    for number in range(2):
        probing = Run.create(STUDY, recipe, "tiny", tmp_path)
        execute(probing)
        found, known = (  # a network trained within is asked of invented words by one that met words in pieces
            {name: value for name, value in each.measures().items() if name.split(".")[0] not in asked_of_pieces}
            for each in (probing, run)
        )
        assert found == known
        assert [path.name for path in (tmp_path / "bert").iterdir()] == ["tiny-seed0-shelf"], number
        probing.close()
