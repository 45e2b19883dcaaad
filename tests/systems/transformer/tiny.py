"""The study `transformer`: its tasks are what they say, its measures right at their limits, its inputs checked."""

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from phantastic.declare.i18n import speaking
from phantastic.declare.measure import Measure
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, numpy_generator
from phantastic.run.folder import Run
from phantastic.systems.transformer import apply, experiment, learners, measure, task
from phantastic.systems.transformer.learners import LONGER
from phantastic.systems.transformer.model import Transformer
from phantastic.systems.transformer.study import STUDY, TransformerApply
from phantastic.systems.transformer.task import BEGIN, END, FIRST, PAD
from phantastic.world import sentences


def model(**options: object) -> Transformer:
    sizes = {"width": 8, "heads": 2, "layers": 1, "hidden": 12, "length": 12} | options
    with initialised(0, "model"):
        return Transformer(9, 9, **sizes).eval()  # pyright: ignore[reportArgumentType]


def test_strings_are_reversed_and_aligned():
    pairs = task.strings(5, 2, 6, 40, 0, "test")
    for source, target, aligned in zip(*(tensor.tolist() for tensor in pairs), strict=True):
        letters = [word for word in source if word != PAD]
        assert 2 <= len(letters) <= 6
        assert all(FIRST <= letter < FIRST + 5 for letter in letters)
        assert target == [BEGIN, *letters[::-1], END] + [PAD] * (6 - len(letters))
        assert [source[place] for place in aligned if place >= 0] == letters[::-1]


def test_the_same_step_draws_the_same_strings_and_another_step_others():
    first, again, other = (task.strings(5, 2, 6, 8, 0, "test", step) for step in (3, 3, 4))
    assert torch.equal(first.source, again.source)
    assert not torch.equal(first.source, other.source)


def test_sentences_are_those_of_the_grammar_and_words_stand_for_their_translations():
    english, japanese = task.vocabularies()
    dictionary: dict[str, set[str]] = {}
    for step in (0, 1, 40):  # of two chunks
        pairs = task.translations(12, 30, 0, "test", step)
        assert (pairs.source != PAD).sum(1).max() <= 12
        assert (pairs.target[:, 0] == BEGIN).all()
        assert ((pairs.target == END).sum(1) == 1).all()
        for source, target, aligned in zip(*(tensor.tolist() for tensor in pairs), strict=True):
            assert [place for place in aligned if place >= 0]
            for word, place in zip(target[1:], aligned, strict=True):
                if place >= 0:
                    dictionary.setdefault(english[source[place] - FIRST], set()).add(japanese[word - FIRST])
    assert max(map(len, dictionary.values())) <= 2  # a word has one translation, or one for each part of speech


def test_batches_of_sentences_cut_from_a_chunk_are_neither_lost_nor_seen_twice():
    drawn = sentences.documents(sentences.grammar(), 0, "test", 0, 512).english
    wanted = [drawn.text(sentence) for sentence in range(192) if len(drawn.forms(sentence)) <= 40]
    words, _ = task.vocabularies()
    found = [
        " ".join(measure.words_of(row, words, FIRST))
        for step in range(3)
        for row in task.translations(40, 64, 0, "test", step, align=False).source.tolist()
    ]
    assert found == wanted


def test_what_is_written_does_not_depend_on_padding_or_neighbours():
    network, pairs = model(), task.strings(5, 2, 6, 10, 0, "test")
    together = network.greedy(pairs.source, 7)
    for row, source in enumerate(pairs.source):
        alone = network.greedy(source[source != PAD][None], 7)
        assert torch.equal(alone[0], together[row])
    assert ((together == PAD).int().diff(dim=1) >= 0).all(), "nothing is written after the end"


@torch.no_grad()
@pytest.mark.parametrize("alpha", [0.0, 0.6, 3.0])
def test_a_beam_that_is_wide_enough_finds_the_best_of_all_outputs(alpha: float):
    """Of all that three words can be, an output ending at its first END."""
    network, every = model(order="none"), torch.cartesian_prod(*[torch.arange(9)] * 3)
    network.target.words.weight *= 3  # so that the network is surer of some
    begun = torch.cat([torch.full((len(every), 1), BEGIN), every[:, :-1]], 1)
    for letter in (4, 6, 8):
        source = torch.tensor([[letter, 5]])
        logs = network(source.expand(len(every), -1), begun).log_softmax(-1).gather(2, every[..., None])[..., 0]
        counts = torch.cat([torch.zeros(len(every), 1), (every == END).cumsum(1)[:, :-1]], 1) == 0
        best = int(((logs * counts).sum(1) / ((5 + counts.sum(1)) / 6) ** alpha).argmax())
        expected = every[best].masked_fill(~counts[best] | (every[best] == END), PAD)
        assert torch.equal(network.beam(source, 3, size=9**3, alpha=alpha)[0], expected)


@torch.no_grad()
def test_a_beam_of_one_is_greedy_and_each_sentence_has_its_own():
    network = model()
    sources = task.strings(6, 2, 6, 12, 0, "test").source
    assert torch.equal(network.beam(sources, 8, size=1), network.greedy(sources, 8))
    together = network.beam(sources, 8)
    for source, output in zip(sources, together, strict=True):
        assert torch.equal(network.beam(source[None], 8)[0], output)


@torch.no_grad()
def test_a_string_that_begins_later_is_told_so_by_positions_alone():
    """Shifted by k, the first letter stands where the letter k places on stood; without positions nothing changes."""
    network, ids, later = model(), torch.tensor([[4, 5]]), torch.tensor([3])
    assert torch.equal(network.source(ids, later)[0], network.source(torch.tensor([[6, 7, 8, 4, 5]]))[0, 3:])
    unordered = model(order="none")
    assert torch.equal(unordered(ids, ids, later), unordered(ids, ids))
    with pytest.raises(Refused, match="14 positions are too many"):
        network.source(ids, torch.tensor([12]))


def test_strings_begin_anywhere_up_to_the_longest_that_is_tested():
    """A letter more than the longest string ends where its END does: no position of the test is new."""
    places = torch.cat([learners.shifts(0, step, 50) for step in range(5)])
    assert set(places.tolist()) == set(range(LONGER + 1))
    assert not torch.equal(learners.shifts(0, 1, 50), learners.shifts(0, 2, 50))


def test_bleu_is_that_of_the_published_formula():
    """By hand: of "a b c d e" against "a b c d f" 4 of 5 words, 3 of 4 pairs, 2 of 3 and 1 of 2 are shared; the second
    is shorter than what is wanted, so that brevity costs exp(1 - 9/8)."""
    pairs = task.Pairs(
        torch.tensor([[3], [3]]),
        torch.tensor([[BEGIN, 3, 4, 5, 6, 7, END], [BEGIN, 3, 4, 5, 6, END, PAD]]),
        torch.full((2, 6), -1),
    )
    outputs = torch.tensor([[3, 4, 5, 6, 8, PAD], [3, 4, 5, PAD, PAD, PAD]])
    found = measure.bleu(outputs, pairs, numpy_generator(0, "test"))
    precision = (7 / 8) * (5 / 6) * (3 / 4) * (1 / 2)
    assert found.value == pytest.approx(precision**0.25 * math.exp(1 - 9 / 8))
    assert measure.bleu(measure.wanted(pairs), pairs, numpy_generator(0, "test")).value == pytest.approx(1)


def test_the_logits_of_greedy_writing_are_those_of_reading_along():
    network, source = model(), torch.tensor([[3, 4, 5]])
    found = network.greedy(source, 5)
    fed = torch.cat([torch.tensor([[BEGIN]]), found[:, :-1]], 1)
    chosen = network(source, fed).argmax(-1)
    ended = (chosen[0] == END).nonzero()
    upto = int(ended[0]) if len(ended) else 5
    assert torch.equal(chosen[0, :upto], found[0, :upto])


def test_without_positions_the_encoder_sees_a_bag_of_letters():
    pairs = task.strings(5, 4, 6, 4, 0, "test")
    for order, same in (("none", True), ("sinusoidal", False), ("learned", False)):
        network = model(order=order)
        turned = torch.where(pairs.source != PAD, pairs.source, PAD).flip(1)  # padding comes first, and is masked
        logits = [network(source, pairs.target[:, :-1]) for source in (pairs.source, turned)]
        assert torch.allclose(*logits, atol=1e-5) == same, order


class Oracle:
    """Writes strings backwards, but for one letter of the first."""

    def __init__(self, pairs: task.Pairs):
        self.target = pairs.target.clone()
        self.target[0, 1] = FIRST + (self.target[0, 1] - FIRST + 1) % 5

    def greedy(self, source: Tensor, longest: int) -> Tensor:
        return self.target[:, 1:].masked_fill(self.target[:, 1:] == END, PAD)[:, :longest]


def test_one_wrong_letter_costs_one_string_and_one_letter():
    pairs = task.strings(5, 2, 6, 20, 0, "test")
    exact, letters = measure.right(Oracle(pairs).greedy(pairs.source, pairs.target.shape[1] - 1), pairs)
    assert exact.share == 19 / 20
    assert letters.share == 1 - 1 / float((pairs.source != PAD).sum())
    found = exact.measure(numpy_generator(0, "test"))
    assert found.low is not None
    assert found.high is not None
    assert 0.8 <= found.low < found.value <= found.high == 1


def test_a_head_that_looks_at_the_mirror_follows_and_one_that_reads_straight_on_does_not():
    pairs = task.strings(5, 5, 5, 10, 0, "test")
    weights = torch.zeros(2, 10, 3, 6, 5)  # layers, strings, heads, output, input
    weights[0, :, 1, torch.arange(5), torch.arange(4, -1, -1)] = 1
    weights[1, :, 2, torch.arange(5), torch.arange(5)] = 1
    hits, tries = measure.followed(weights, pairs.aligned)
    assert tries.tolist() == [5] * 10
    assert (hits[0, 1] == 5).all()
    assert (hits[1, 2] == 1).all(), "only the middle stands where it stood"
    assert measure.straight(pairs).share == 1 / 5


@pytest.mark.parametrize(
    ("inputs", "aligned"),
    [(1, [0, 0, 0]), (2, [0, 0, 1, 1]), (3, [0, 0, 1, 1, 1, 2, 2]), (5, [0, 2, 4])],
)
def test_an_even_pace_goes_from_the_first_word_to_the_last(inputs: int, aligned: list[int]):
    """Words of the input, by hand: word i of m is looked for at i (n - 1) / (m - 1), padding or not."""
    outputs, more = len(aligned), 2
    source = torch.tensor([[FIRST] * inputs + [PAD] * more])
    target = torch.tensor([[BEGIN] + [FIRST] * outputs + [END] + [PAD] * more])
    nowhere = [-1] * (1 + more)
    assert measure.straight(task.Pairs(source, target, torch.tensor([[*aligned, *nowhere]]))).share == 1
    wrong = [place + 1 for place in aligned]
    assert measure.straight(task.Pairs(source, target, torch.tensor([[*wrong, *nowhere]]))).share == 0


def test_longer_strings_are_longer_than_any_that_was_learned_and_heads_are_chosen_on_others(
    monkeypatch: pytest.MonkeyPatch,
):
    recipe, written, chosen = STUDY.presets["tiny"], [], []
    every = measure.shares(torch.ones(3))
    monkeypatch.setattr(measure, "right", lambda outputs, pairs: (written.append(pairs), (every, every))[1])
    monkeypatch.setattr(measure, "best_follower", lambda network, pairs: chosen.append(pairs))
    monkeypatch.setattr(measure, "looked", lambda network, pairs, follower: every)
    network = learners.build(recipe, learners.LEARNERS["reversal"], 0)  # pyright: ignore[reportArgumentType]
    experiment.measured(recipe, "reversal", network, 0, torch.device("cpu"))  # pyright: ignore[reportArgumentType]
    tested, beyond = ((pairs.source != PAD).sum(1) for pairs in written)
    assert set(tested.tolist()) == set(range(recipe.length // 2, recipe.length + 1))
    assert set(beyond.tolist()) == set(range(recipe.length + 1, recipe.length + LONGER + 1))
    assert not {tuple(row) for row in chosen[0].source.tolist()} & {tuple(row) for row in written[0].source.tolist()}


def test_the_loss_of_an_untrained_model_without_words_is_that_of_guessing():
    network, pairs = model(), task.strings(5, 2, 6, 20, 0, "test")
    torch.nn.init.zeros_(network.target.words.weight)
    assert float(measure.loss(network, pairs).detach()) == pytest.approx(float(torch.tensor(9.0).log()), abs=1e-6)


def test_the_loss_is_of_each_word_after_those_before_it_and_smoothed_as_published():
    """The one target is [BEGIN, 3, END]: a model that gives 3 and then END odds of e⁵ to 1 against each of 8 others.
    With a smoothing of .1 of nine words, each word, also the right one, has .1 / 9 of the label."""
    pairs = task.Pairs(torch.tensor([[3]]), torch.tensor([[BEGIN, 3, END, PAD]]), torch.tensor([[0, -1, -1]]))

    class Sure:
        def __call__(self, source: Tensor, target: Tensor, offset: None = None) -> Tensor:
            assert target.tolist() == [[BEGIN, 3, END]]
            logits = torch.zeros(1, 3, 9)
            logits[0, 0, 3] = logits[0, 1, END] = 5
            logits[0, 2] = torch.arange(9)  # of padding nothing is asked
            return logits

    total = torch.log(torch.exp(torch.tensor(5.0)) + 8)
    assert float(measure.loss(Sure(), pairs)) == pytest.approx(float(total - 5), abs=1e-6)  # pyright: ignore
    smoothed = float(total - 5 * (0.9 + 0.1 / 9))
    assert float(measure.loss(Sure(), pairs, 0.1)) == pytest.approx(smoothed, abs=1e-6)  # pyright: ignore
    assert measure.foretold(Sure(), pairs).share == 1  # pyright: ignore[reportArgumentType]


def test_foretold_are_all_words_and_the_end_but_no_padding():
    """A model that always says END is right once in each string: of 3 + 1 and 1 + 1 words, in 2."""
    target = torch.tensor([[BEGIN, 3, 4, 5, END], [BEGIN, 3, END, PAD, PAD]])
    pairs = task.Pairs(torch.tensor([[5, 4, 3], [3, PAD, PAD]]), target, torch.full((2, 4), -1))

    class Ended:
        def __call__(self, source: Tensor, target: Tensor) -> Tensor:
            return torch.nn.functional.one_hot(torch.full_like(target, END), 9).float()

    found = measure.foretold(Ended(), pairs)  # pyright: ignore[reportArgumentType]
    assert (found.hits.tolist(), found.tries.tolist()) == ([1, 1], [4, 2])
    assert found.share == 2 / 6, "words count alike, not strings"


def test_the_best_follower_is_told_by_layer_and_head(monkeypatch: pytest.MonkeyPatch):
    pairs = task.strings(5, 5, 5, 10, 0, "test")
    weights = torch.zeros(2, 10, 3, 6, 5)
    weights[..., 0] = 0.1
    weights[1, :, 2, torch.arange(5), torch.arange(4, -1, -1)] = 1
    monkeypatch.setattr(measure, "read", lambda model, pairs: weights)
    best = measure.best_follower(model(), pairs)
    assert best == (1, 2)
    assert measure.looked(model(), pairs, best).share == 1
    assert measure.looked(model(), pairs, measure.Follower(0, 0)).share == 1 / 5


def test_the_pair_that_is_shown_is_the_one_most_out_of_order(monkeypatch: pytest.MonkeyPatch):
    """Summed over words, each is as far from its place as it stands: 0, 4, 3 and 2, padding not counted."""
    aligned = torch.tensor([[0, 1, 2, -1], [2, 1, 0, -1], [3, -1, -1, -1], [1, 0, 2, -1]])
    pairs = task.Pairs(torch.full((4, 4), FIRST), torch.full((4, 5), FIRST), aligned)
    rows = []
    monkeypatch.setattr(measure, "best_follower", lambda model, pairs: measure.Follower(0, 0))
    monkeypatch.setattr(apply, "look", lambda recipe, name, model, pairs, row, follower: rows.append(row))
    apply.looked_at(STUDY.presets["tiny"], "reversal", model(), pairs)  # pyright: ignore[reportArgumentType]
    assert rows == [1]


def test_words_as_ids_and_back():
    recipe: Any = STUDY.presets["tiny"]
    assert apply.spelled(recipe, "abz"[:2]) == [FIRST, FIRST + 1]
    english, _ = task.vocabularies()
    ids = apply.parsed(recipe, "The cow sleeps")
    assert measure.words_of(ids, english, FIRST) == ["the", "cow", "sleeps", "."]
    assert apply.parsed(recipe, "the cow sleeps.") == ids
    assert measure.words_of([BEGIN, *ids[:1], END, PAD], english, FIRST) == ["the"]


def test_words_come_in_times_the_root_of_the_width():
    """At the first place the sinusoids are 0, 1, 0, 1 …"""
    network = model(width=16)
    embedded = network.source(torch.tensor([[4]]))[0, 0]
    expected = 4 * network.source.words.weight[4] + torch.tensor([0.0, 1.0]).repeat(8)
    torch.testing.assert_close(embedded, expected)
    assert model(width=64).source.words.weight.std().item() == pytest.approx(1 / 8, rel=0.1)


def test_learning_is_the_published_regimen(monkeypatch: pytest.MonkeyPatch):
    """Adam with β = (.9, .98), ε = 1e-9 (section 5.3); a batch of strings or sentences, as many steps as the recipe
    has of either; the step size is highest where its warm-up ends."""
    recipe: Any = STUDY.presets["tiny"]
    seen = []

    def train(run: Any, stage: str, modules: Any, optimisers: Any, losses: Any, *, steps: int, rate: Any) -> None:
        seen.append((stage, optimisers["loss"].defaults, steps, [rate(step) for step in range(200)]))

    monkeypatch.setattr(learners, "train", train)
    run: Any = SimpleNamespace(recipe=recipe, device=torch.device("cpu"))
    for name in ("reversal", "translation"):
        learners.learn(run, name, 3)
    assert [stage for stage, *_ in seen] == ["seed3/reversal", "seed3/translation"]
    assert [steps for _, _, steps, _ in seen] == [recipe.string_steps, recipe.sentence_steps]
    for _, defaults, _, rates in seen:
        assert (defaults["lr"], defaults["betas"], defaults["eps"]) == (recipe.rate, (0.9, 0.98), 1e-9)
        assert rates.index(max(rates)) == recipe.warmup - 1


# --- apply


def test_apply_writes_what_was_said_and_where_it_looked(tiny_run: Callable[[str], Run], tmp_path: Path):
    run = tiny_run("transformer")
    lines = run.study.load().apply(run, TransformerApply(reverse="abca", to=str(tmp_path / "look.png")))
    assert lines[0].startswith("abca → ")
    with speaking("ja"):
        (said, *files) = run.study.load().apply(
            run, TransformerApply(translate="The cow sleeps", to=str(tmp_path / "say.png"))
        )
    assert said.startswith("the cow sleeps . → ")
    assert all(Path(file).exists() for file in files)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "give --reverse"),
        ({"reverse": "abc", "translate": "the cow sleeps ."}, "give --reverse"),
        ({"reverse": "abZ"}, "letter 3, 'Z', was not learned; allowed: a to t"),
        ({"reverse": ""}, "0 letters; allowed: 1 to 6"),
        ({"reverse": "abcabca"}, "7 letters; allowed: 1 to 6"),
        ({"reverse": "abc", "to": "look.svg"}, "this is written as .png"),
        ({"translate": "the cow sleps ."}, "word 3, 'sleps', is not in the grammar's English; did you mean 'sleeps'"),
        ({"translate": "the " * 30}, "31 words with the full stop; allowed: 2 to 16"),
        ({"translate": "."}, "1 words with the full stop"),
    ],
)
def test_apply_refuses_what_it_cannot_read(tiny_run: Callable[[str], Run], request_: dict[str, str], message: str):
    with pytest.raises(Refused, match=message):
        apply.apply(tiny_run("transformer"), TransformerApply(**request_))


def test_what_is_recorded_of_a_run_follows_from_its_parts(tiny_run: Callable[[str], Run]):
    found = tiny_run("transformer").measures()
    learned, sinusoidal = (found[f"{name}.words"].value for name in ("learned", "reversal"))
    expected = learned / sinusoidal - 1 if sinusoidal else float(learned > 0)
    assert found["learned.deviation"].value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("learned", "sinusoidal", "deviation"), [(0.9, 0.6, 0.5), (0.3, 0.6, -0.5), (0.2, 0, 1), (0, 0, 0)]
)
def test_how_far_learned_positions_stand_from_sinusoids(
    monkeypatch: pytest.MonkeyPatch, learned: float, sinusoidal: float, deviation: float
):
    shares = {"learned": learned, "reversal": sinusoidal}
    monkeypatch.setattr(experiment, "learn", lambda run, name, seed: None)

    class Once:
        device = torch.device("cpu")

        def once(self, name: str, compute: object, of: object) -> dict[str, Measure]:
            learner = name.partition("/")[2]
            return {f"{learner}.words": Measure(shares.get(learner, 0.1), [shares.get(learner, 0.1)])}

    study = experiment.Transformers()
    found = study.one_seed(Once(), STUDY.presets["tiny"], 0)  # pyright: ignore[reportArgumentType]
    assert found["learned.deviation"].value == pytest.approx(deviation)


def test_lesions_count_words_and_followed_ones(tiny_run: Callable[[str], Run]):
    """Of a whole network, on the strings and sentences drawn for it: the best of its heads, and words foretold."""
    run = tiny_run("transformer")
    study, recipe = run.study.load(), run.recipe
    networks = study.networks(run)
    found = study.lesion_measures(run, networks)
    assert set(found) == {f"{name}.{what}" for name in experiment.LOOKED_AT for what in ("followed", "words")}
    for name, network in networks.items():
        pairs = experiment.drawn(recipe, experiment.LEARNERS[name], experiment.FEW, recipe.seed, "lesion")  # pyright: ignore
        heads = [
            measure.looked(network, pairs, measure.Follower(layer, head)).share  # pyright: ignore[reportArgumentType]
            for layer in range(recipe.layers)  # pyright: ignore
            for head in range(recipe.heads)  # pyright: ignore
        ]
        assert found[f"{name}.followed"] == pytest.approx(max(heads))


def test_every_learner_is_part_of_a_claim():
    measures = {name.split(".")[0] for claim in STUDY.claims() for name in (*claim.measure, *claim.than)}
    assert measures == set(learners.LEARNERS)
