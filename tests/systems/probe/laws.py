"""Laws of structural probes: trees, their distances and spanning trees, the loss and its slope, the measures."""

from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from phantastic.ground.errors import Refused
from phantastic.systems import probe
from phantastic.systems.probe import experiment, measure, trees
from phantastic.systems.probe.objective import Corpus, gradient, loss_of, residual
from phantastic.systems.probe.probe_suite import DRAWS, Battery, Score, by_layer, mapped, random_vectors
from phantastic.systems.probe.regimen import Epoch
from phantastic.systems.probe.treebank import Sentences


def random_tree(rng: np.random.Generator, count: int) -> np.ndarray:
    """Heads of a random tree, its words in random order."""
    order, heads = rng.permutation(count), np.zeros(count, dtype=np.int64)
    for place in range(1, count):
        heads[order[place]] = order[rng.integers(place)] + 1
    return heads


def forest(seed: int, sentences: int, shortest: int = 1, longest: int = 14) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [random_tree(rng, int(rng.integers(shortest, longest + 1))) for _ in range(sentences)]


def walked(heads: np.ndarray) -> np.ndarray:
    """Distances by walking the tree from every word, breadth first."""
    near: list[list[int]] = [[] for _ in heads]
    for word, head in enumerate(heads.tolist()):
        if head:
            near[word].append(head - 1)
            near[head - 1].append(word)
    found = np.full((len(heads), len(heads)), -1)
    for start in range(len(heads)):
        found[start, start], queue = 0, deque([start])
        while queue:
            word = queue.popleft()
            for other in near[word]:
                if found[start, other] < 0:
                    found[start, other] = found[start, word] + 1
                    queue.append(other)
    return found


def in_a_tree(heads: np.ndarray, hidden: int) -> np.ndarray:
    """Vectors whose squared distances are the tree's and whose squared norms are depths: an axis for every edge."""
    vectors = np.zeros((len(heads), hidden), dtype=np.float32)
    for word in range(len(heads)):
        at = word
        while heads[at]:
            vectors[word, at] = 1
            at = heads[at] - 1
    return vectors


@given(st.integers(0, 10**6))
def test_distances_and_depths_are_those_of_a_walk(seed: int) -> None:
    heads = forest(seed, 6)
    depths = trees.depths(heads)
    for each, distance, depth in zip(heads, trees.distances(heads), depths, strict=True):
        assert np.array_equal(distance, walked(each))
        assert np.array_equal(depth, distance[np.flatnonzero(each == 0)[0]])


@given(st.integers(0, 10**6))
def test_the_spanning_tree_of_a_trees_distances_is_the_tree(seed: int) -> None:
    [heads] = forest(seed, 1)
    edges = {(min(word, head - 1), max(word, head - 1)) for word, head in enumerate(heads.tolist()) if head}
    assert set(map(tuple, trees.spanning_tree(trees.distances([heads])[0]).tolist())) == edges


@given(st.integers(0, 10**6))
def test_ties_are_broken_as_kruskals_algorithm_breaks_them_row_by_row(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 10))
    distance = np.triu(rng.integers(0, 4, (count, count)), 1)
    distance, keep = distance + distance.T, rng.random(count) < 0.8
    group, expected = list(range(count)), []
    pairs = [(i, j) for i in range(count) for j in range(count) if keep[i] and keep[j]]
    for i, j in sorted(pairs, key=lambda pair: distance[pair]):
        if group[i] != group[j]:
            group = [group[i] if each == group[j] else each for each in group]
            expected.append([i, j])
    assert trees.spanning_tree(distance, keep).tolist() == sorted(expected)


@pytest.mark.parametrize("kind", ["distance", "depth"])
def test_loss_and_slope_are_those_of_all_differences(kind: str) -> None:
    heads = forest(1, 8)
    generator = torch.Generator().manual_seed(1)
    vectors = [torch.randn(len(each), 7, generator=generator) for each in heads]
    projection = torch.randn(7, 5, generator=generator).requires_grad_()
    expected = torch.zeros(())
    for words, each in zip(vectors, heads, strict=True):
        z = words @ projection
        if kind == "distance":
            predicted, gold = (z[:, None] - z[None]).square().sum(-1), trees.distances([each])[0]
        else:
            predicted, gold = z.square().sum(-1), trees.depths([each])[0]
        expected = expected + (predicted - torch.from_numpy(gold)).abs().mean() / len(heads)
    expected.backward()
    corpus = Corpus(vectors, heads, kind)  # pyright: ignore[reportArgumentType]
    batch = corpus.batch(np.arange(8)[::-1])
    projected, error = residual(projection.detach(), batch)
    torch.testing.assert_close(loss_of(error, batch), expected.detach())
    assert projection.grad is not None
    torch.testing.assert_close(gradient(projected, error, batch), projection.grad, rtol=1e-5, atol=1e-6)


def published_regimen(vectors, heads, dev, kind: str, initial: torch.Tensor, batch: int, epochs: int):
    """The regimen written as plainly as possible: autograd, all differences, one sentence after the other."""

    def loss(words: torch.Tensor, each: np.ndarray) -> torch.Tensor:
        z = words @ projection
        predicted = (z[:, None] - z[None]).square().sum(-1) if kind == "distance" else z.square().sum(-1)
        gold = (trees.distances if kind == "distance" else trees.depths)([each])[0]
        return (predicted - torch.from_numpy(gold)).abs().mean()

    projection = initial.clone().requires_grad_()
    optimiser = torch.optim.Adam([projection], lr=0.001)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, mode="min", factor=0.1, patience=0)
    curve, best, least, least_epoch = [], initial, float("inf"), -1
    for epoch in range(epochs):
        total, rate = 0.0, optimiser.param_groups[0]["lr"]
        for begin in range(0, len(heads), batch):
            pairs = list(zip(vectors[begin : begin + batch], heads[begin : begin + batch], strict=True))
            mean = torch.stack([loss(*pair) for pair in pairs]).mean()
            optimiser.zero_grad()
            mean.backward()
            optimiser.step()
            total += float(mean.detach()) * len(pairs)
        with torch.no_grad():
            summed = sum(float(loss(*pair)) for pair in zip(*dev, strict=True))
        schedule.step(summed)
        curve.append(Epoch(epoch, total / len(heads), summed / len(dev[1]), rate))
        if summed / len(dev[1]) < least - 0.0001:
            best, least, least_epoch = projection.detach().clone(), summed / len(dev[1]), epoch
        elif least_epoch < epoch - 4:
            break
    return best, curve


@pytest.mark.parametrize("kind", ["distance", "depth"])
def test_the_fit_is_the_published_regimen(kind) -> None:
    heads, others = forest(2, 33, 2, 9), forest(3, 15, 2, 9)
    generator = torch.Generator().manual_seed(2)
    vectors, dev = ([torch.randn(len(each), 6, generator=generator) for each in side] for side in (heads, others))
    initial = torch.eye(6) * 0.5  # near the end of the fit, so that the rate falls and it ends early
    curve: list[Epoch] = []
    found = probe.fit(
        vectors, heads, kind=kind, rank=6, dev=(dev, others), initial=initial, shuffle=False, batch=2, epochs=35,
        report=curve.append,
    )  # fmt: skip
    best, expected = published_regimen(vectors, heads, (dev, others), kind, initial, 2, 35)
    assert len(curve) == len(expected) < 35, "ended early"
    assert np.allclose(curve, expected, rtol=1e-4)
    torch.testing.assert_close(found, best, rtol=1e-3, atol=1e-4)


def test_where_the_space_is_the_tree_the_probe_finds_all() -> None:
    heads = forest(4, 12, 5, 14)
    vectors, identity = [in_a_tree(each, 14) for each in heads], np.eye(14, dtype=np.float32)
    distance = probe.evaluate(identity, vectors, heads, kind="distance")
    assert (distance.uuas, distance.root_accuracy, distance.undefined) == (1.0, None, 0)
    assert distance.spearman == pytest.approx(1)
    depth = probe.evaluate(identity, vectors, heads, kind="depth")
    assert (depth.uuas, depth.root_accuracy) == (None, 1.0)
    assert depth.spearman == pytest.approx(1)


def test_the_fit_finds_a_tree_that_is_turned_and_hidden_in_noise() -> None:
    heads, others = forest(5, 120, 5, 9), forest(6, 40, 5, 9)
    rng = np.random.default_rng(5)
    turn = np.linalg.qr(rng.standard_normal((16, 16)))[0]

    def seen(each: np.ndarray) -> np.ndarray:
        words = np.concatenate([in_a_tree(each, 9), 0.4 * rng.standard_normal((len(each), 7))], axis=1)
        return (words @ turn).astype(np.float32)

    vectors, dev = [seen(each) for each in heads], [seen(each) for each in others]
    options = {"kind": "distance", "rank": 9, "dev": (dev, others), "seed": 3, "batch": 2}
    before = torch.random.get_rng_state()
    found = probe.fit(vectors, heads, **options)  # pyright: ignore[reportArgumentType]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(found, probe.fit(vectors, heads, **options))  # pyright: ignore[reportArgumentType]
    assert not torch.equal(found, probe.fit(vectors, heads, **options | {"seed": 4}))  # pyright: ignore[reportArgumentType]
    uuas = probe.evaluate(found, dev, others).uuas
    blind = probe.evaluate(np.eye(16), dev, others).uuas
    assert uuas is not None
    assert blind is not None
    assert uuas > 0.95 > blind + 0.2


@given(st.integers(0, 10**6))
def test_measures_do_not_change_when_space_turns_or_grows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    heads = forest(seed, 5, 5, 9)
    marks = [rng.random(len(each)) < 0.2 for each in heads]
    vectors = [rng.standard_normal((len(each), 6)).astype(np.float32) for each in heads]
    projection = rng.standard_normal((6, 4)).astype(np.float32)
    turn = 2 * np.linalg.qr(rng.standard_normal((4, 4)))[0]
    for kind in ("distance", "depth"):
        one = probe.evaluate(projection, vectors, heads, kind=kind, punctuation=marks)
        other = probe.evaluate(projection @ turn, vectors, heads, kind=kind, punctuation=marks)
        assert (one.uuas, one.root_accuracy) == (other.uuas, other.root_accuracy)
        assert one.spearman == pytest.approx(other.spearman)


@given(st.integers(0, 10**6), st.integers(2, 9))
def test_spearman_is_scipys_and_0_where_a_row_is_constant(seed: int, items: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 3, (2, 7, items))
    found, constant = measure.spearman(one, other)
    for a, b, value, undefined in zip(one, other, found, constant, strict=True):
        assert undefined == (len(set(a.tolist())) == 1 or len(set(b.tolist())) == 1)
        assert value == (0 if undefined else pytest.approx(spearmanr(a, b).statistic))


def test_the_average_is_over_lengths_from_5_to_50() -> None:
    rng = np.random.default_rng(7)
    heads = [random_tree(rng, count) for count in (1, 4, 5, 5, 50, 51)]
    predicted = [walked(each) for each in heads]
    predicted[3] = -predicted[3]  # the opposite order: −1
    predicted[5] = np.zeros((51, 51))
    found = measure.measure_distances(predicted, heads)
    assert found.by_length == pytest.approx({4: 1, 5: 0, 50: 1, 51: 0})
    assert (found.spearman, found.undefined) == (pytest.approx(0.5), 51)
    assert np.isnan(measure.measure_distances(predicted[:2], heads[:2]).spearman)


def test_punctuation_is_in_no_tree_and_never_the_root() -> None:
    heads = np.array([2, 3, 0, 3, 4])
    marks = [np.array([False, True, False, False, False])]
    distance = measure.measure_distances([walked(heads)], [heads], marks)
    assert distance.each.tolist() == [[3, 3]]  # word 1 hangs on word 3 now, two edges away
    depths = np.array([3.0, -1.0, 0.5, 2.0, 2.0])
    assert measure.measure_depths([depths], [heads], marks).root_accuracy == 1
    assert measure.measure_depths([depths], [heads]).root_accuracy == 0
    everything = [np.ones(5, dtype=bool)]
    assert np.isnan(measure.measure_distances([walked(heads)], [heads], everything).uuas or 0)
    assert measure.measure_depths([-depths], [heads], everything).root_accuracy == 0


def battery(tests: int = 3) -> Battery:
    """Splits of sentences of three words, each hanging on the one before it but for the last test sentence's."""
    words, marks = ["a", "b", "c"], np.zeros(3, bool)
    chain, star = np.array([0, 1, 2]), np.array([0, 1, 1])

    def some(heads: list[np.ndarray]) -> Sentences:
        return Sentences([words] * len(heads), heads, [marks] * len(heads))

    return Battery((some([chain]), some([chain, star]), some([chain] * (tests - 1) + [star])), 0, 1, 0)


def test_words_in_a_row_find_what_is_a_chain() -> None:
    """Of a star of three, a chain has the first edge of two; the first word is the root of all."""
    distance, depth = battery().chained(), battery().chained("depth")
    assert (distance.dev, distance.share) == pytest.approx((3 / 4, 5 / 6))
    assert (depth.dev, depth.share) == (1, 1)
    assert len(distance.draws) == DRAWS
    assert set(np.round(distance.draws, 6)) == set(np.round([1, 5 / 6, 4 / 6, 3 / 6], 6))


def test_probes_are_scored_on_the_same_resampled_sentences() -> None:
    """Where one finds everything and another nothing but the star, their draws add up to 1 or less, one by one."""
    one = battery(4)
    found = measure.Measures(0, {}, 0, np.array([[2.0, 2], [2, 2], [2, 2], [0, 2]]))
    rest = measure.Measures(0, {}, 0, np.array([[0.0, 2], [0, 2], [0, 2], [2, 2]]))
    draws = [one.scored(each, each).draws for each in (found, rest)]
    assert np.add(*draws).tolist() == [1.0] * DRAWS
    assert 0.6 < np.mean(draws[0]) < 0.9
    assert one.scored(found, rest).dev == 0.75
    assert one.scored(found, rest).share == 0.25


def test_what_is_recorded_is_the_difference_to_each_rival() -> None:
    scores = {
        name: Score(0.0, share, 0.5, [share - 0.1, share + 0.1])
        for name, share in (("best", 0.8), ("linear", 0.5), ("untrained", 0.6), ("control", 0.9))
    }
    roots = {"best": Score(0.0, 0.4, 0.3, [])}
    found = experiment.measures(scores, roots, 7)
    expected = {"best.layer": 7, "best.uuas": 0.8, "best.dspr": 0.5, "best.root": 0.4, "best.nspr": 0.3,
                "over_linear": 0.3, "over_untrained": 0.2, "selectivity": -0.1}  # fmt: skip
    assert {name: found[name].value for name in expected} == pytest.approx(expected)
    assert (found["over_linear"].low, found["over_linear"].high) == pytest.approx((0.3, 0.3)), "draw by draw"
    assert (found["best.uuas"].low, found["best.uuas"].high) == pytest.approx((0.7, 0.9), abs=0.01)


def test_vectors_of_layers_stay_with_their_sentences_beyond_a_chunk() -> None:
    """An encoder whose vectors are the length of the sentence at layer 0, twice that at layer 1."""
    many = [Sentences([["a"] * (1 + number % 7) for number in range(count)], [], []) for count in (300, 2)]

    def encoder(sentences):
        return [torch.tensor([1.0, 2.0])[:, None, None].expand(2, len(words), 1) * len(words) for words in sentences]

    found = by_layer(encoder, many, [1, 0])
    assert list(found) == [1, 0]
    for layer in (0, 1):
        assert [[float(each[0, 0]) for each in split] for split in found[layer]] == [
            [(layer + 1) * len(words) for words in part.forms] for part in many
        ]
    assert [[float(one) for one in split] for split in mapped([[torch.tensor(2.0)], []], lambda one: one + 1)] == [
        [3],
        [],
    ]


def test_random_vectors_go_to_the_splits_in_turn() -> None:
    many = [Sentences([["a"] * length for length in lengths], [], []) for lengths in ([2, 3], [1], [4, 1])]
    found = random_vectors(many, 5, 0)
    assert [[tuple(each.shape) for each in split] for split in found] == [[(2, 5), (3, 5)], [(1, 5)], [(4, 5), (1, 5)]]
    assert len({float(each[0, 0]) for split in found for each in split}) == 5


def test_a_rank_of_nothing_is_the_batterys_and_then_the_full_one() -> None:
    one = battery()
    vectors = [[torch.eye(3, 4)] * len(split.forms) for split in one.sentences]
    assert one.fit(vectors, "distance").shape == (4, 4)
    one.rank = 3
    assert one.fit(vectors, "distance").shape == (4, 3)
    assert one.fit(vectors, "depth", rank=2).shape == (4, 2)
    assert one.fit(vectors, "depth", rank=9).shape == (4, 4)


def test_equal_vectors_tie_exactly() -> None:
    rng = np.random.default_rng(8)
    kinds = rng.standard_normal((4, 96)).astype(np.float32)
    words = kinds[rng.integers(4, size=37)]
    [distance] = measure.predict(torch.from_numpy(rng.standard_normal((96, 61))), [words], "distance")
    assert len(np.unique(distance)) <= 1 + 4 * 3 // 2
    assert np.array_equal(distance, distance.T)


WORDS, HEADS = [np.ones((3, 2)), np.ones((2, 2))], [np.array([0, 1, 1]), np.array([2, 0])]


@pytest.mark.parametrize(
    ("embeddings", "heads", "message"),
    [
        ([], [], "0 sentences with vectors, 0 with heads"),
        (WORDS[:1], HEADS, "1 sentences with vectors, 2 with heads"),
        ([WORDS[0], np.ones((3, 2))], HEADS, "vectors of sentence 2: [3, 2]; expected [2 words, 2]"),
        ([WORDS[0], np.ones((2, 3))], HEADS, "vectors of sentence 2: [2, 3]; expected [2 words, 2]"),
        ([np.ones(3), WORDS[1]], HEADS, "vectors of sentence 1: [3]; expected [3 words, 3]"),
        ([WORDS[0], WORDS[1] * np.nan], HEADS, "vectors of sentence 2 hold"),
        ([WORDS[0], np.array([["a", "b"]] * 2)], HEADS, "vectors of sentence 2 are <U1"),
        (WORDS, [HEADS[0], np.array([2, 1])], "heads of sentence 2: no word is the root"),
        (WORDS, [HEADS[0], np.array([0.0, 1.0])], "heads of sentence 2: float64[2]"),
        (WORDS, [HEADS[0], np.array([3, 0])], "heads of sentence 2: the head of word 1 is 3"),
        ([WORDS[0], np.ones((0, 2))], [HEADS[0], np.array([], dtype=int)], "heads of sentence 2: int64[0]"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_sentence(embeddings, heads, message: str) -> None:
    with pytest.raises(Refused) as refusal:
        probe.fit(embeddings, heads, rank=1, dev=(WORDS, HEADS))
    assert message in str(refusal.value)
    with pytest.raises(Refused) as refusal:
        probe.fit(WORDS, HEADS, rank=1, dev=(embeddings, heads))
    assert message in str(refusal.value) or "expected [3 words, 2]" in str(refusal.value)


def test_without_a_development_set_the_sentences_are_it() -> None:
    heads = forest(9, 10, 2, 9)
    vectors = [np.random.default_rng(9).standard_normal((len(each), 4)) for each in heads]
    found = probe.fit(vectors, heads, rank=2, epochs=3)
    assert torch.equal(found, probe.fit(vectors, heads, rank=2, epochs=3, dev=(vectors, heads)))


def test_other_arguments_that_do_not_fit_are_refused() -> None:
    for rank in (0, 3):
        with pytest.raises(Refused, match=f"rank {rank} is not possible; expected 1 to 2"):
            probe.fit(WORDS, HEADS, rank=rank, dev=(WORDS, HEADS))
    with pytest.raises(Refused, match="batch 0 and epochs 1 are not possible"):
        probe.fit(WORDS, HEADS, rank=1, batch=0, epochs=1)
    with pytest.raises(Refused, match="did you mean 'distance'"):
        probe.fit(WORDS, HEADS, kind="distances", rank=1, dev=(WORDS, HEADS))  # pyright: ignore[reportArgumentType]
    with pytest.raises(Refused, match=r"initial projection is \[3, 1\]; expected \[2, 1\]"):
        probe.fit(WORDS, HEADS, rank=1, dev=(WORDS, HEADS), initial=torch.ones(3, 1))
    with pytest.raises(Refused, match=r"punctuation of sentence 2: bool\[3\]; expected bool\[2\]"):
        probe.evaluate(np.eye(2), WORDS, HEADS, punctuation=[np.zeros(3, bool), np.zeros(3, bool)])
    with pytest.raises(Refused, match="2 with heads, 1 with punctuation"):
        probe.evaluate(np.eye(2), WORDS, HEADS, punctuation=[np.zeros(3, bool)])
    with pytest.raises(Refused, match=r"vectors of sentence 1: \[3, 2\]; expected \[3 words, 5\]"):
        probe.evaluate(np.eye(5), WORDS, HEADS)
