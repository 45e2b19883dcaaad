"""What surrounds a structural probe: vectors from files, wordpieces, controls, the picture of a tree."""

from collections.abc import Callable, Sequence
from pathlib import Path

import altair as alt
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor

from phantastic.data.conllu import flaw
from phantastic.ground.errors import Refused
from phantastic.show.figure import Figure, encoded
from phantastic.systems.probe import arcs, controls, stored, trees
from phantastic.systems.probe.measure import measure_distances
from phantastic.systems.probe.wordpieces import Aligned, Pieces, Tokenizer, pool

RNG = np.random.default_rng(0)
ARRAYS = {str(number): RNG.standard_normal((3, words, 5)).astype(np.float32) for number, words in enumerate((4, 1, 12))}


def save_hdf5(arrays: dict[str, np.ndarray], path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("sentence_to_index", data=b"{}")  # as some programs add
        for name, array in arrays.items():
            file[name] = array


def save_npz(arrays: dict[str, np.ndarray], path: Path) -> None:
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]


Save = Callable[[dict[str, np.ndarray], Path], None]
KINDS: dict[str, Save] = {
    "v.hdf5": save_hdf5, "v.h5": save_hdf5, "v.npz": save_npz,
    "v.safetensors": lambda arrays, path: save_file(arrays, path),
}  # fmt: skip


@pytest.fixture(params=KINDS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Save]:
    return tmp_path / request.param, KINDS[request.param]


def test_vectors_of_a_layer_from_a_file(file) -> None:
    path, save = file
    save(ARRAYS, path)
    for layer in range(3):
        for one, array in zip(stored.read(path, [4, 1, 12], layer), ARRAYS.values(), strict=True):
            assert np.array_equal(one, array[layer])
    save({name: array[1].astype(np.float16) for name, array in ARRAYS.items()}, path)
    half = stored.read(path, [4, 1, 12])
    assert [(each.shape, each.dtype) for each in half] == [((n, 5), np.float32) for n in (4, 1, 12)]


@pytest.mark.parametrize(
    ("arrays", "layer", "message"),
    [
        (ARRAYS, 3, "sentence 0 (counted from 0) has no layer 3; it has 3, counted from 0"),
        (ARRAYS | {"1": ARRAYS["1"][0]}, 2, "sentence 1 (counted from 0) has no layer 2; it has 1"),
        (ARRAYS | {"2": ARRAYS["2"][:, :11]}, 0, "sentence 2 (counted from 0) has an array [3, 11, 5]; expected"),
        (ARRAYS | {"2": ARRAYS["2"][:, :, :4]}, 0, "[3, 12, 4]; expected [layers, 12 tokens, 5]"),
        (ARRAYS | {"1": ARRAYS["1"][0, 0]}, 0, "sentence 1 (counted from 0) has an array [5]"),
        (ARRAYS | {"1": ARRAYS["1"] * np.inf}, 0, "sentence 1 (counted from 0) holds what is no finite number"),
        (ARRAYS | {"1": ARRAYS["1"].astype(int)}, 0, "holds what is no finite number (int64)"),
        (ARRAYS | {"3": ARRAYS["1"]}, 0, "holds 4 sentences; expected 3"),
        ({"0": ARRAYS["0"], "1": ARRAYS["1"], "5": ARRAYS["2"]}, 0, "sentence 2 (counted from 0) is missing"),
    ],
)  # fmt: skip
def test_a_sentence_that_does_not_fit_is_named(file, arrays, layer: int, message: str) -> None:
    path, save = file
    with np.errstate(invalid="ignore"):
        save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    with pytest.raises(Refused) as refusal:
        stored.read(path, [4, 1, 12], layer)
    assert message in str(refusal.value)
    assert path.name in str(refusal.value)


def test_what_is_no_file_of_vectors_is_refused(file, tmp_path: Path) -> None:
    path, save = file
    with pytest.raises(Refused, match="does not exist"):
        stored.read(path, [4, 1, 12])
    save(ARRAYS, path)
    data = path.read_bytes()
    for damaged in (b"", data[: len(data) // 2], b"not at all"):
        path.write_bytes(damaged)
        with pytest.raises(Refused, match=r"is damaged|has an array"):
            stored.read(path, [4, 1, 12])
    with pytest.raises(Refused, match="not of a kind that is read"):
        stored.read(tmp_path / "v.pt", [4])


def test_an_hdf5_file_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    save_hdf5(ARRAYS, tmp_path / "other.h5")
    with h5py.File(tmp_path / "v.h5", "w") as made:
        made["0"], made["1"] = ARRAYS["0"], ARRAYS["1"]
        made["2"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "2")
    with pytest.raises(Refused, match="'2' is no array in this file"):
        stored.read(tmp_path / "v.h5", [4, 1, 12])


VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "dog",
    "##s",
    "don",
    "'",
    "t",
    "bark",
    ".",
    "犬",
    "Dog",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    return tmp_path


def pieces(aligned: Aligned) -> list[str]:
    return [VOCABULARY[number] for number in aligned.ids]


def test_words_as_wordpieces(folder: Path) -> None:
    aligned = Tokenizer.open(folder)(["The", "Dogs", "don't", "\u200b", "bark", "犬が", "[UNK]", "."])
    assert " ".join(pieces(aligned)) == "[CLS] the dog ##s don ' t [UNK] bark 犬 [UNK] [UNK] . [SEP]"
    assert aligned.words.tolist() == [-1, 0, 1, 1, 2, 2, 2, 3, 4, 5, 5, 6, 7, -1]
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert pieces(Tokenizer.open(folder)(["The", "Dogs"])) == ["[CLS]", "[UNK]", "Dog", "##s", "[SEP]"]


def test_a_tokenizer_file_comes_first_and_neither_cuts_nor_pads(folder: Path) -> None:
    tokenizer = Tokenizer.open(folder).stored
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").unlink()
    assert pieces(Tokenizer.open(folder)(["the"] * 4)) == ["[CLS]", *["the"] * 4, "[SEP]"]


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"tokenizer\.json beside it"):
        Tokenizer.open(tmp_path)
    with pytest.raises(Refused, match="does not exist"):
        Tokenizer.open(tmp_path / "none")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(Refused, match="cannot be read"):
        Tokenizer.open(tmp_path)


def test_a_word_is_the_mean_of_its_pieces() -> None:
    vectors = torch.arange(24.0).view(2, 4, 3)
    words = np.array([-1, 1, 0, 1])
    found = pool(vectors, words, 2)
    assert torch.equal(found, torch.stack([vectors[:, 2], (vectors[:, 1] + vectors[:, 3]) / 2], dim=1))
    for bad, count in ((words[:3], 2), (words, 3), (words, 1)):
        with pytest.raises(Refused, match="expected a vector for each token"):
            pool(vectors, bad, count)


def test_an_encoder_of_a_network_that_reads_wordpieces() -> None:
    sizes: list[tuple[int, ...]] = []

    def tokenize(words: Sequence[str]) -> Aligned:
        """A piece for each letter."""
        belongs = [number for number, word in enumerate(words) for _ in word]
        return Aligned([1, *(ord(letter) for word in words for letter in word), 2], np.array([-1, *belongs, -1]))

    def states(ids: Tensor, mask: Tensor) -> list[Tensor]:
        """Layer k gives, at every token that is no padding, k + the token's number and the sentence's length."""
        sizes.append(tuple(ids.shape))
        length = mask.sum(1, keepdim=True).expand(ids.shape)
        return [torch.stack([ids + layer, length], -1) * mask[..., None] for layer in (0, 100)]

    sentences = [["ac", "b"] * (number % 3 + 1) for number in range(45)]
    found = Pieces(states, tokenize)(sentences)
    assert sizes == [(32, 11), (13, 11)]
    for number, each in enumerate(found):
        count = number % 3 + 1
        expected = torch.tensor([[98.0, 3 * count + 2]] * 2 * count)
        assert torch.equal(each, torch.stack([expected, expected + torch.tensor([100, 0])]))
    Pieces(states, tokenize)(sentences[::3])
    assert sizes[2:] == [(15, 5)]
    with pytest.raises(Refused, match="11 tokens in the sentence 'ac b ac b ac b'…; the model takes 10"):
        Pieces(states, tokenize, longest=10)(sentences)


def test_decayed_vectors_are_weighted_by_distance() -> None:
    found = controls.decayed(torch.eye(3))
    expected = torch.tensor([[1, 1 / 2, 1 / 4], [1 / 2, 1, 1 / 2], [1 / 4, 1 / 2, 1]])
    torch.testing.assert_close(found, expected / torch.tensor([[1.75], [2], [1.75]]))


def test_controls_are_drawn_from_the_seed() -> None:
    before = torch.random.get_rng_state()
    words = [["a", "b", "a"], ["b", "c"]]
    one, other = controls.static_vectors(words, 8, 0), controls.static_vectors(words[::-1], 8, 0)
    assert torch.equal(one[0][0], one[0][2])
    assert torch.equal(one[1], other[0])
    assert not torch.equal(one[0], controls.static_vectors(words, 8, 1)[0])
    projected = controls.Projected(8, 0)(one[0])
    assert projected.shape == (3, 8)
    assert torch.equal(projected, controls.Projected(8, 0)(one[0]))
    assert not torch.equal(projected[0], projected[2]), "the neighbours count"
    assert not torch.equal(projected, controls.Projected(8, 1)(one[0]))
    lengths = [len(each) for each in controls.random_vectors([3, 1], 8, 0)]
    assert lengths == [3, 1]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_chain_is_a_tree_of_neighbours() -> None:
    assert np.array_equal(controls.chain(6), trees.distances([np.arange(6)])[0])


def test_control_trees_depend_on_the_words_alone() -> None:
    words = [f"w{number}" for number in range(40)]
    plain = np.zeros(40, bool)
    [heads, turned, one] = controls.control_trees([words, words[::-1], ["w0"]], [plain, plain, plain[:1]], seed=0)
    assert all(flaw(each) is None for each in (heads, turned, one))
    assert set(heads[1:-1]) == {1, 40}
    assert np.array_equal(heads[1:-1] == 1, turned[1:-1][::-1] == 1)
    assert not np.array_equal(heads, controls.control_trees([words], [plain], seed=1)[0])


def test_control_trees_hang_on_words_that_count_and_no_star_finds_them() -> None:
    """With quotation marks around and a full stop at the end; half of the words hang on each end, so that a star, which
    sees none of them, has about half of the edges (and the one between the ends), not all."""
    forms = [["«", *(f"w{number}" for number in range(30 * start, 30 * start + 30)), "»", "."] for start in range(50)]
    marks = [np.array([True, *[False] * 30, True, True])] * 50
    hung = controls.control_trees(forms, marks, seed=0)
    assert all(flaw(each) is None for each in hung)
    assert all(each[1] == 0 and each[30] == 2 and set(each[2:30]) == {2, 31} for each in hung)
    for on_last in (False, True):
        found = measure_distances([controls.star(each, on_last) for each in marks], hung, marks)
        assert found.share == pytest.approx(0.5 + 0.5 / 29, abs=0.1)
    assert measure_distances(trees.distances(hung), hung, marks).share == 1


def test_of_nothing_but_punctuation_the_ends_are_taken() -> None:
    [heads] = controls.control_trees([["!", "?", "!"]], [np.ones(3, bool)], seed=0)
    assert flaw(heads) is None


@pytest.mark.parametrize("words", [["They", "saw", "it", "."], ["彼は", "それを", "見た", "。"], ["Stop"]])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_trees_are_drawn(words: list[str], lang: str) -> None:
    gold = np.array([[0, 1], [1, 2]] if len(words) > 1 else []).reshape(-1, 2)
    predicted = [(0, 1), (2, 0)] if len(words) > 1 else []
    chart = arcs.arcs(words, gold, predicted)
    assert isinstance(chart, alt.LayerChart)
    lines = chart.to_dict()["layer"][0]["data"]["values"]
    kinds = {(each["arc"], each["kind"]) for each in lines}
    expected = [arcs.GOLD, arcs.GOLD, arcs.WRONG, arcs.FOUND] if len(words) > 1 else []
    assert sorted(kind for _, kind in kinds) == sorted(str(kind) for kind in expected)
    assert all((each["y"] > 0) == (each["kind"] == str(arcs.GOLD)) for each in lines)
    assert encoded(Figure("", chart).picture)["png"].startswith(b"\x89PNG")
