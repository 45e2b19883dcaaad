"""What SCAN, its operators and its measures put together with what: on minds and rooms in which everything is known.

A room is shown as its own symbol, and seen as it is shown; so a slip in what belongs to what is a wrong symbol.
"""

from collections.abc import Callable, Mapping
from math import log
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phantastic.declare.measure import Measure
from phantastic.ground.randomness import initialised, numpy_generator, torch_generator
from phantastic.nn.autoencoder.model import VAE, DenoisingAutoencoder
from phantastic.nn.distributions import Gaussian, kl_to_standard, sample
from phantastic.systems.scan import evaluation, experiment, symbolic, visual
from phantastic.systems.scan.concepts import LOGIC, OPEN, OPERATORS, Vocabulary, draw_operations
from phantastic.systems.scan.evaluation import Mind, Setting, both_ways, imagined, recombined
from phantastic.systems.scan.measure import Classifier, values_of
from phantastic.systems.scan.rooms import Rooms, as_input
from phantastic.systems.scan.study import ScanRecipe
from phantastic.systems.scan.symbolic import Lessons, Operations, draw_concepts, perceive
from phantastic.systems.scan.visual import Pool, awaken, features

VOCABULARY = Vocabulary((3, 4, 4, 4))
NARROW = -40.0  # log-variance of what is certain
RECIPE = ScanRecipe(latent=VOCABULARY.width, symbol_batch=64, samples=48)


def khot(concepts: np.ndarray) -> Tensor:
    return torch.from_numpy(VOCABULARY.khot(concepts))


def certain(codes: Tensor) -> Gaussian:
    return Gaussian(codes, torch.full_like(codes, NARROW))


def named_by(codes: Tensor) -> np.ndarray:
    """Concepts of k-hot codes, whatever faint noise is on them."""
    values = values_of(codes, VOCABULARY.blocks)
    strength = torch.stack([codes[:, block].amax(1) for block in VOCABULARY.blocks], 1).numpy()
    return np.where(strength > 0.5, values, OPEN)


class Pictures:
    """Rooms that are shown as symbols, one pixel for each."""

    vocabulary = VOCABULARY

    def observe(self, factors: np.ndarray, generator: np.random.Generator) -> Tensor:
        return (255 * khot(factors)).to(torch.uint8)[:, :, None, None]


class Eye(nn.Module):
    """A visual module that sees a room's symbol, but none of the first ``blind`` factors."""

    def __init__(self, blind: int = 0):
        super().__init__()
        self.anywhere = nn.Parameter(torch.zeros(1))
        self.blind = blind

    def encode(self, images: Tensor) -> Gaussian:
        codes = images.flatten(1).clone()
        codes[:, : sum(VOCABULARY.sizes[: self.blind])] = 0
        return certain(codes)


class Spy(NamedTuple):
    """What a stage would have been trained with."""

    losses: Callable[[int], Any]
    steps: int
    stage: str
    rates: dict[str, float]
    share: Callable[[int], float]


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[Spy]:
    """Nothing is trained; the stages that would have been."""
    found: list[Spy] = []

    def train(
        run: Any,
        stage: str,
        modules: Any,
        optimisers: Any,
        losses: Any,
        *,
        steps: int,
        rate: Any = None,
        at: Any = None,
    ) -> None:
        rates = {}
        for name, optimiser in optimisers.items():
            (group,) = optimiser.param_groups
            trained = {id(parameter) for module in modules.values() for parameter in module.parameters()}
            assert {id(parameter) for parameter in group["params"]} == trained
            rates[name] = group["lr"]
        found.append(Spy(losses, steps, stage, rates, rate))

    for module in (symbolic, visual, experiment):
        monkeypatch.setattr(module, "train", train)
    return found


def cools(stage: Spy) -> bool:
    """Does its step size fall to zero over the last fifth?"""
    shares = [stage.share(step) for step in (0, stage.steps * 4 // 5, stage.steps * 9 // 10)]
    return shares == pytest.approx([1, 1, 0.5])


class Nowhere(NamedTuple):
    """A run that owns no folder."""

    device: torch.device = torch.device("cpu")


def lessons(pairs: int = 5) -> Lessons:
    concepts = VOCABULARY.draw(40, numpy_generator(0, "concepts"))
    return symbolic.draw_lessons(Pictures(), concepts, pairs, 0)  # type: ignore[arg-type]


# --- the visual module


def test_the_visual_module_begins_with_every_latent_in_use():
    """Means five times as far apart as usual, and a posterior standard deviation of about e^-2."""
    with initialised(0, "visual"):
        vae = VAE(3, 32, 6, hidden=(32,))
    images = torch.rand(20, 3, 32, 32, generator=torch_generator(0, "images"))
    with torch.no_grad():
        before = vae.encode(images)
        awaken(vae)
        after = vae.encode(images)
    torch.testing.assert_close(after.mean - after.mean[:1], 5 * (before.mean - before.mean[:1]), rtol=1e-3, atol=1e-5)
    assert float((after.log_variance / 2).mean()) == pytest.approx(-2, abs=0.05)


SMALL = ScanRecipe(
    colours=4, latent=4, batch=6, images=64, visual_steps=200, entangled_steps=50, visual_rate=0.5, beta=2.0,
    beta_peak=8.0, beta_entangled=0.125, denoising_steps=30, denoising_rate=0.25, code=9,
)  # fmt: skip


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool(Rooms(32, 4), 64, 0, torch.device("cpu"))


class Finishing(NamedTuple):
    """A run that owns no folder and has finished nothing."""

    device: torch.device = torch.device("cpu")
    checkpoints: Any = SimpleNamespace(latest=SimpleNamespace(finished=()))


@pytest.mark.parametrize("name", ["visual", "entangled"])
def test_a_visual_module_is_judged_by_what_the_denoiser_makes_of_it(
    stages: list[Spy], monkeypatch: pytest.MonkeyPatch, pool: Pool, name: str
) -> None:
    """‖J(x̂) - J(x)‖² per image, and β nats of the divergence; J(x) is that of the images in the batch."""
    with initialised(0, "denoiser"):
        denoiser = DenoisingAutoencoder(3, 32, 9)
    targets = features(denoiser, pool, "float32")
    with torch.no_grad():
        torch.testing.assert_close(targets[:5], denoiser.reconstruct_logits(as_input(pool.images[:5])))
    turned: list[Any] = []
    monkeypatch.setattr(visual, "turn", lambda *given: turned.append(given))
    vae = visual.train_visual(Finishing(), SMALL, pool, denoiser, lambda: targets, 3, name)  # type: ignore[arg-type]
    (stage,) = stages
    assert vae.latent == 4
    with torch.no_grad():  # so that much hangs on the code
        for parameter in (vae.decoder.get_parameter("dense1.weight"), denoiser.encoder.head.weight):
            parameter.mul_(100)
    assert (stage.stage, stage.steps) == (f"seed3/{name}", 200 if name == "visual" else 50)
    assert stage.rates == {"loss": 0.5}
    assert cools(stage)
    for step in (0, 100):
        beta = visual.beta_at(SMALL, step) if name == "visual" else 0.125
        rows = pool.rows(f"{name} batch", step, 6)
        with torch.no_grad():
            found = stage.losses(step)
            q = vae.encode(as_input(pool.images[rows]))
            codes = sample(q, torch_generator(3, f"{name} noise", step))
            made = denoiser.reconstruct_logits(vae.decode(codes).sigmoid())
            other = denoiser.reconstruct_logits(vae.decode(q.mean).sigmoid())
        off, other = ((each - targets[rows]).square().sum((1, 2, 3)).mean() for each in (made, other))
        assert abs(off - other) > 1e-3 * off, "codes are samples"
        nats = kl_to_standard(q).sum(1).mean()
        torch.testing.assert_close(found["reconstruction"], off)
        torch.testing.assert_close(found["kl"], nats)
        torch.testing.assert_close(found["loss"], off + beta * nats)
    assert len(turned) == (name == "visual")  # at step 100, half of the way
    if turned:
        of, see, codes, beta = turned[0]
        assert of is vae
        assert (len(codes), beta) == (128, visual.beta_at(SMALL, 100))
        with torch.no_grad():
            torch.testing.assert_close(see(codes[:2]), denoiser.reconstruct_logits(vae.decode(codes[:2]).sigmoid()))


def test_a_module_without_turning_is_never_turned(
    stages: list[Spy], monkeypatch: pytest.MonkeyPatch, pool: Pool
) -> None:
    turned: list[int] = []
    monkeypatch.setattr(visual, "turn", lambda *_: turned.append(1))
    with initialised(0, "denoiser"):
        denoiser = DenoisingAutoencoder(3, 32, 9)
    for turning, times in ((True, 9), (False, 0)):
        recipe = msgspec.structs.replace(SMALL, turning=turning, batch=1, beta_peak=2.0)
        targets = torch.zeros(64, 3, 32, 32)
        visual.train_visual(Finishing(), recipe, pool, denoiser, lambda kept=targets: kept, 0, "visual")  # type: ignore[arg-type]
        turned.clear()
        for step in (6, 12, 20, 30, 40, 50, 60, 80, 100, 101):
            stages[-1].losses(step)
        assert len(turned) == times


def test_the_denoiser_restores_images_of_the_pool(
    stages: list[Spy], monkeypatch: pytest.MonkeyPatch, pool: Pool
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(visual, "denoising", lambda *given: calls.append(given))
    denoiser = visual.train_denoiser(Finishing(), SMALL, pool, 2)  # type: ignore[arg-type]
    (stage,) = stages
    assert denoiser.encoder.head.out_features == 9
    assert (stage.stage, stage.steps, stage.rates) == ("seed2/denoiser", 30, {"loss": 0.25})
    assert cools(stage)
    stage.losses(7)
    ((model, images, noise),) = calls
    assert model is denoiser
    assert torch.equal(images, pool.batch("denoiser batch", 7, 6))
    assert torch.equal(
        torch.rand(3, generator=noise), torch.rand(3, generator=torch_generator(2, "denoiser damage", 7))
    )


@pytest.mark.parametrize(("name", "weight"), [("jmvae", {"alpha": 0.3}), ("trelbo", {"gamma": 7.0})])
def test_a_rival_sees_as_many_images_with_symbols_as_without(
    stages: list[Spy], monkeypatch: pytest.MonkeyPatch, pool: Pool, name: str, weight: dict[str, float]
) -> None:
    calls: list[Any] = []
    rooms = Rooms(32, 4)
    concepts = rooms.vocabulary.draw(10, numpy_generator(0, "concepts"))
    taught = symbolic.draw_lessons(rooms, concepts, 3, 0)
    recipe = ScanRecipe(colours=4, latent=4, batch=9, joint_steps=40, joint_rate=0.0625, alpha=0.3, gamma=7.0, hidden=7)
    model = symbolic.train_joint(Nowhere(), recipe, rooms.vocabulary, taught, pool, 1, name)  # type: ignore[arg-type]
    assert type(model).__name__.lower() == name
    assert (model.seen.out_features, model.symbols.dense1.in_features, model.symbols.dense1.out_features) == (8, 4, 7)
    monkeypatch.setattr(type(model), "loss", lambda self, *given, **weights: calls.append((*given, weights)))
    (stage,) = stages
    assert (stage.stage, stage.steps, stage.rates) == (f"seed1/{name}", 40, {"loss": 0.0625})
    assert cools(stage)
    stage.losses(3)
    ((images, symbols, unpaired, noise, weights),) = calls
    assert weights == weight
    assert torch.equal(torch.rand(3, generator=noise), torch.rand(3, generator=torch_generator(1, f"{name} noise", 3)))
    assert len(images) == len(symbols) == len(unpaired) == 4
    assert torch.equal(unpaired, pool.batch(f"{name} images", 3, 4))
    known = torch.from_numpy(rooms.vocabulary.khot(concepts))
    for image, symbol in zip(images, symbols, strict=True):
        (which,) = (known == symbol).all(1).nonzero()[:, 0].tolist()
        assert (as_input(taught.images[which]) == image).flatten(1).all(1).any()


def test_the_judge_is_taught_what_each_room_of_the_pool_is(
    stages: list[Spy], monkeypatch: pytest.MonkeyPatch, pool: Pool
) -> None:
    judge, shown = Classifier(32, Rooms(32, 4).vocabulary), []
    monkeypatch.setattr(experiment, "roughened", lambda images, noise: images)
    monkeypatch.setattr(judge, "loss", lambda images, labels: shown.append((images, labels)))
    recipe = ScanRecipe(colours=4, batch=12, classifier_steps=20, classifier_rate=0.5)
    experiment.train_classifier(Finishing(), recipe, judge, pool)  # type: ignore[arg-type]
    (stage,) = stages
    assert (stage.stage, stage.steps, stage.rates) == ("classifier", 20, {"loss": 0.5})
    for step in range(3):
        stage.losses(step)
    for images, labels in shown:
        assert len(images) == 12
        for image, label in zip(images, labels.numpy(), strict=True):
            places = np.flatnonzero((as_input(pool.images) == image).flatten(1).all(1))
            assert (pool.factors[places] == label).all()
    assert not torch.equal(shown[0][0], shown[1][0])


# --- SCAN


@pytest.mark.parametrize("reverse", [False, True], ids=["SCAN", "SCAN_R"])
@pytest.mark.parametrize("pairs", [2, 5])
def test_every_symbol_is_grounded_in_an_image_it_is_true_of(
    stages: list[Spy], monkeypatch: pytest.MonkeyPatch, pairs: int, reverse: bool
) -> None:
    """Of each concept's five images the first ``pairs``; by the divergence that was asked for."""
    taught, calls = lessons(), []
    monkeypatch.setattr(symbolic, "scan_loss", lambda *given, **weights: calls.append((given, weights)))
    recipe = ScanRecipe(latent=15, grounding=7.0, symbol_beta=3.0, symbol_batch=200, symbol_steps=70, symbol_rate=0.125)
    symbols = symbolic.train_scan(Nowhere(), recipe, VOCABULARY, taught, Eye(), 4, "words", pairs, reverse=reverse)  # type: ignore[arg-type]
    (stage,) = stages
    assert (stage.stage, stage.steps, stage.rates) == ("seed4/words", 70, {"loss": 0.125})
    assert cools(stage)
    assert (symbols.encoder.head.out_features, symbols.encoder.dense1.out_features) == (30, recipe.hidden)
    images, shown = dict(zip(map(tuple, taught.concepts), seen_in(taught), strict=True)), set()
    for step in range(4):
        stage.losses(step)
        (model, words, seen, noise), weights = calls.pop()
        assert model is symbols
        assert isinstance(noise, torch.Generator)
        assert weights == {"beta": 3.0, "grounding": 7.0, "reverse": reverse}
        assert len(words) == len(seen.mean) == 200
        assert (seen.log_variance == NARROW).all()
        for concept, room in zip(named_by(words), named_by(seen.mean), strict=True):
            places = np.flatnonzero((images[tuple(concept)] == room).all(1))  # which of the concept's images it is
            assert len(places)
            assert places[0] < pairs
            shown.add((tuple(concept), places[0]))
    distinct = [len({tuple(room) for room in rooms[:pairs]}) for rooms in images.values()]
    assert len(shown) == sum(distinct)


def seen_in(taught: Lessons) -> np.ndarray:
    """The factors of the lessons' rooms, [concepts, pairs, factors]."""
    return named_by(taught.images.flatten(0, 1).flatten(1) / 255).reshape(*taught.images.shape[:2], -1)


def test_the_reverse_grounding_is_what_scan_r_minimises(stages: list[Spy]) -> None:
    """On the same network and batch: KL(q(z_x|x) ‖ q(z_y|y)), and the other way round."""
    found = {}
    for reverse in (False, True):
        symbolic.train_scan(Nowhere(), RECIPE, VOCABULARY, lessons(), Eye(), 0, "words", 5, reverse=reverse)  # type: ignore[arg-type]
        found[reverse] = stages[-1].losses(0)
    # what is seen is certain to e^-20: covering it by a broad q costs 15 · 20 nats, being covered by it nearly e^40
    assert float(found[False]["grounding"].detach()) == pytest.approx(15 * 20, rel=0.1)
    assert found[True]["grounding"] > 1e15
    assert torch.equal(found[False]["reconstruction"], found[True]["reconstruction"])


def test_images_are_perceived_one_by_one_in_whatever_portions() -> None:
    rooms = VOCABULARY.complete(np.full((1100, 4), OPEN), numpy_generator(0, "rooms"))
    seen = perceive(Eye(), Pictures().observe(rooms, numpy_generator(0, "")))  # type: ignore[arg-type]
    assert np.array_equal(named_by(seen.mean), rooms)
    assert seen.log_variance.shape == seen.mean.shape


def test_some_of_what_is_seen_keeps_its_mean_and_its_spread() -> None:
    rows = torch.tensor([4, 0, 4, 2, 1, 3])
    some = symbolic.at(Gaussian(torch.arange(10.0).view(5, 2), -torch.arange(10.0).view(5, 2)), rows)
    assert torch.equal(some.mean[:, 0], 2.0 * rows)
    assert torch.equal(some.log_variance, -some.mean)
    (one,) = symbolic.at(some, torch.tensor([3])).log_variance
    assert one.tolist() == [-4, -5]


def test_concepts_are_taught_and_held_out_once_each() -> None:
    recipe = ScanRecipe(concepts=70, test_concepts=31)
    taught, held_out = draw_concepts(VOCABULARY, recipe)
    assert (len(taught), len(held_out)) == (70, 31)
    assert len({tuple(row) for row in (*taught, *held_out)}) == 101


# --- the operators


class Words(nn.Module):
    """Symbols that mean themselves; what they leave open is N(0, 1), and so is the last latent, of which none knows."""

    def encode(self, symbols: Tensor) -> Gaussian:
        blocks = [symbols[:, block].amax(1, keepdim=True).expand(-1, size) for block, size in
                  zip(VOCABULARY.blocks, VOCABULARY.sizes, strict=True)]  # fmt: skip
        known = torch.cat(blocks, 1) > 0
        known[:, -1] = False
        return Gaussian(torch.where(known, symbols, 0.0), torch.where(known, NARROW, 0.0))


def test_operators_learn_what_their_logic_says_of_both_operands(
    stages: list[Spy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first operand is a symbol or, in half of the cases where it names all, an image; of it what words can say.

    The eye does not see what a room's object is: so images and symbols can be told apart.
    """
    calls: list[Any] = []
    monkeypatch.setattr(symbolic, "recombination_loss", lambda *given: calls.append(given))
    drawn = Operations(*draw_operations(VOCABULARY, 240, numpy_generator(0, "operations")))
    drawn = drawn.where((np.stack(drawn[1:])[..., 3] != 3).all(0))  # no word for that floor
    allowed: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for which, first, second, result in zip(*drawn, strict=True):
        found = allowed.setdefault((which, *second, *result), set())
        found.add(tuple(first))
        if (first != OPEN).all():
            found.add((OPEN, *first[1:]))
    recipe = ScanRecipe(latent=15, batch=1000, operator_steps=90, operator_rate=0.25)
    symbolic.train_operators(Nowhere(), recipe, Pictures(), Words(), Eye(blind=1), drawn, 2)  # type: ignore[arg-type]
    (stage,) = stages
    assert (stage.stage, stage.steps, stage.rates) == ("seed2/operators", 90, {"loss": 0.25})
    assert cools(stage)
    stage.losses(0)
    _, first, second, operator, target = calls.pop()
    shown = [named_by(part.mean) for part in (first, second, target)]
    for which, a, b, result in zip(operator.tolist(), *shown, strict=True):
        assert tuple(a) in allowed[which, *b, *result]
    assert set(operator.tolist()) == {0, 1, 2}
    named, seen = (shown[0] != OPEN).all(1), (first.log_variance == NARROW).sum(1) == VOCABULARY.width - 1
    seen = seen.numpy() & ~named  # all that words can say is known, though of the object nothing is seen
    assert seen.sum() > 50
    assert seen.sum() == pytest.approx(named.sum(), abs=4 * (seen.sum() + named.sum()) ** 0.5 / 2)
    for part in (first, second, target):
        assert (part.log_variance[:, -1] == 0).all()


def test_every_mind_is_grounded_in_its_own_visual_module_and_in_its_own_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SCAN and those of fewer images in the visual module; SCAN_R in it too, reversed; SCAN_U in the entangled one."""
    taught, minds = {}, {}

    def train_scan(run: Any, recipe: Any, vocabulary: Any, lessons: Any, vae: str, seed: int, name: str,
                   pairs: int, *, reverse: bool = False) -> str:  # fmt: skip
        taught[name] = (vae, pairs, reverse)
        return name

    def measured(scene: Any, mind: tuple, *rest: Any) -> dict[str, float]:
        minds[rest[-1]] = mind
        return {}

    def recombined(scene: Any, mind: tuple, operators: Any, tests: str, *rest: Any) -> dict[str, float]:
        minds["operators"] = (mind, operators, tests)
        return {}

    def nothing(*_: Any) -> None:
        return None

    stubs: dict[str, Any] = {
        "setting": lambda *_: SimpleNamespace(vocabulary=None, rooms=None, concepts=None, classifier=None),
        "draw_held_out": lambda *_: ("lessons", "tests"), "train_denoiser": lambda *_: "denoiser",
        "train_visual": lambda *given: given[6], "train_operators": lambda *given: given[3:6],
        "grounded": lambda *parts: parts, "train_scan": train_scan, "both_ways": measured, "imagined": measured,
        "recombined": recombined,
    }  # fmt: skip
    for name in ("Pool", "train_classifier", "draw_lessons", "disentangled"):
        stubs[name] = nothing
    for name, stub in stubs.items():
        monkeypatch.setattr(experiment, name, stub)
    run: Any = SimpleNamespace(device=None, manifest=SimpleNamespace(precision=""), show=nothing,
                               once=lambda name, compute, kind: compute() or {})  # fmt: skip
    experiment.learned(run, ScanRecipe(pairs=9, few=(2, 5)), 0)
    assert taught == {
        "scan": ("visual", 9, False), "scan-2": ("visual", 2, False), "scan-5": ("visual", 5, False),
        "scan_r": ("visual", 9, True), "scan_u": ("entangled", 9, False),
    }  # fmt: skip
    assert minds == {
        "": ("visual", "denoiser", "scan"), "pairs2.": ("visual", "denoiser", "scan-2"),
        "pairs5.": ("visual", "denoiser", "scan-5"), "scan_r.": ("visual", "denoiser", "scan_r"),
        "scan_u.": ("entangled", "denoiser", "scan_u"),
        "operators": (("visual", "denoiser", "scan"), ("scan", "visual", "lessons"), "tests"),
    }  # fmt: skip


# --- measures


class Logical(nn.Module):
    """Operators that do what they are to do."""

    def __init__(self) -> None:
        super().__init__()
        self.anywhere = nn.Parameter(torch.zeros(1))

    def forward(self, first: Gaussian, second: Gaussian, operator: Tensor) -> Gaussian:
        a, b = named_by(first.mean), named_by(second.mean)
        rows = [LOGIC[OPERATORS[which]](a[i : i + 1], b[i : i + 1])[0] for i, which in enumerate(operator.tolist())]
        return meant(khot(np.array(rows)))


def meant(symbols: Tensor) -> Gaussian:
    """What is named is certain; what is open is N(0, 1), so that each of its values is the largest as often."""
    named = torch.cat([symbols[:, b].amax(1, keepdim=True).expand(-1, b.stop - b.start) for b in VOCABULARY.blocks], 1)
    return Gaussian(symbols, torch.where(named > 0, NARROW, 0.0))


class Judge(Classifier):
    """Reads a symbol off its picture."""

    def forward(self, images: Tensor) -> Tensor:
        return images


def scene(concepts: np.ndarray, held_out: np.ndarray) -> Setting:
    factors = VOCABULARY.complete(np.full((240, 4), OPEN), numpy_generator(0, "rooms"))
    images = Pictures().observe(factors, numpy_generator(0, ""))
    return Setting(Pictures(), concepts, held_out, factors, images, Judge(32, VOCABULARY))  # type: ignore[arg-type]


def mind(**changes: Any) -> Mind:
    parts = {"vae": Eye(), "encode": meant, "symbols": lambda codes: 80 * codes - 40, "decode": lambda codes: codes}
    return Mind(**parts | changes)


def numbers(measures: Mapping[str, Measure]) -> dict[str, float]:
    return {name: measure.value for name, measure in measures.items()}


def flat(open_factors: Mapping[int, int]) -> float:
    """The diversity of honest samples, nats: (k - 1) / 2n on average, by how often a factor of k values is open."""
    share = sum((k - 1) * times for k, times in open_factors.items()) / sum(open_factors.values())
    return share / (2 * RECIPE.samples)


def test_a_mind_that_means_what_it_says_is_wholly_accurate_and_varied() -> None:
    concepts = VOCABULARY.draw(80, numpy_generator(0, "concepts"))
    found = numbers(imagined(scene(concepts[:50], concepts[50:]), mind(), RECIPE, 0, "x."))
    kinds = ("accuracy", "diversity", "distance")
    assert set(found) == {f"x.sym2img.{kind}{of}" for kind in kinds for of in ("", ".held_out")}
    for of in ("", ".held_out"):
        assert found[f"x.sym2img.accuracy{of}"] == 1
        assert found[f"x.sym2img.diversity{of}"] == pytest.approx(flat({3: 1, 4: 3}), rel=0.3)


def test_what_was_held_out_is_imagined_apart() -> None:
    """A mind with one picture, of all first values: right of every concept taught here and of none held out."""
    taught = np.array([[0, OPEN, OPEN, 0], [0, 0, 0, 0], [OPEN, 0, OPEN, OPEN]])
    narrow = mind(encode=lambda symbols: certain(khot(np.zeros((len(symbols), 4), int))))
    found = numbers(imagined(scene(taught, np.where(taught == 0, 1, OPEN)), narrow, RECIPE, 0, ""))
    assert (found["sym2img.accuracy"], found["sym2img.accuracy.held_out"]) == (1, 0)
    # of the first concept two colours are open, of the last three factors; constant labels are log k from flat
    expected = (log(4) + (log(3) + 2 * log(4)) / 3) / 2
    assert found["sym2img.diversity"] == found["sym2img.diversity.held_out"] == pytest.approx(expected)


def test_operators_are_measured_on_both_operands_given_as_symbols_and_as_images() -> None:
    """By an eye that does not see what an object is: of an image, then, the object is right as often as by chance."""
    tests = Operations(*draw_operations(VOCABULARY, 600, numpy_generator(0, "operations")))
    none = np.full((1, 4), 0)
    found = numbers(recombined(scene(none, none), mind(vae=Eye(blind=1)), Logical(), tests, RECIPE, 0))  # type: ignore[arg-type]
    complete = (tests.first != OPEN).all(1)
    for index, name in enumerate(("and", "in_common", "ignore")):
        assert found[f"operators.{name}.accuracy"] == 1
        assert 0 < found[f"operators.{name}.diversity"] < 2 * flat({3: 1, 4: 3})
        rows = tests.result[complete & (tests.operator == index)]
        if not len(rows):  # of two that do not contradict, neither names all
            assert f"operators.image.{name}.accuracy" not in found
            continue
        objects = (rows[:, 0] != OPEN) / (rows != OPEN).sum(1)  # the share that the object has of what is named
        assert objects.mean() > 0.1
        expected = 1 - 2 / 3 * objects.mean()
        assert found[f"operators.image.{name}.accuracy"] == pytest.approx(expected, abs=0.03)
        assert 0 < found[f"operators.image.{name}.diversity"] < 2 * flat({3: 1, 4: 3})
    whole = numbers(recombined(scene(none, none), mind(), Logical(), tests, RECIPE, 0))  # type: ignore[arg-type]
    assert whole["operators.image.ignore.accuracy"] == whole["operators.image.in_common.accuracy"] == 1


def test_images_are_named_factor_by_factor() -> None:
    """A mind that takes every wall for the next colour."""

    def shifted(codes: Tensor) -> Tensor:
        wall = VOCABULARY.blocks[2]
        return 80 * torch.cat([codes[:, : wall.start], codes[:, wall].roll(1, 1), codes[:, wall.stop :]], 1) - 40

    concepts = VOCABULARY.draw(10, numpy_generator(0, "concepts"))
    found = numbers(both_ways(scene(concepts, concepts), mind(symbols=shifted), RECIPE, 0, ""))
    parts = [found[f"img2sym.{name}"] for name in ("identity", "object", "wall", "floor", "accuracy")]
    assert parts == [1, 1, 0, 1, 0.75]


@pytest.mark.parametrize(
    ("counts", "diversity"),
    [([1, 2, 3, 4], 0), ([0, 1, 2, 3, 4], 0), ([4], log(4)), ([1, 4], log(2)), ([0, 2], log(4)), ([0], log(4))],
)
def test_the_hierarchy_is_used_where_concepts_of_every_level_are_uttered(counts: list[int], diversity: float) -> None:
    """The divergence of how many factors are named from flat over 1 to 4; an utterance of nothing is none."""

    def uttering(codes: Tensor) -> Tensor:
        logits = 80 * codes - 40
        for row in range(len(logits)):
            for block in VOCABULARY.blocks[counts[row % len(counts)] :]:
                logits[row, block] = -40
        return logits

    concepts = VOCABULARY.draw(10, numpy_generator(0, "concepts"))
    found = numbers(both_ways(scene(concepts, concepts), mind(symbols=uttering), RECIPE, 0, ""))
    assert found["img2sym.diversity"] == pytest.approx(diversity, abs=1e-6)


def test_the_judge_learns_every_factor_in_nats() -> None:
    """Without an opinion it pays log k for each factor."""
    judge = Judge(32, VOCABULARY)
    factors = torch.from_numpy(VOCABULARY.complete(np.full((8, 4), OPEN), numpy_generator(0, "rooms")))
    assert float(judge.loss(torch.zeros(8, 15), factors)) == pytest.approx(log(3) + 3 * log(4))
    sure = 40 * khot(factors.numpy())
    assert float(judge.loss(sure, factors)) == pytest.approx(0, abs=1e-6)
    wrong = sure.clone()
    wrong[:, VOCABULARY.blocks[2]] = sure[:, VOCABULARY.blocks[2]].roll(1, 1)
    assert float(judge.loss(wrong, factors)) == pytest.approx(40)
    assert np.array_equal(judge.read(sure), factors.numpy())


def test_what_is_imagined_passes_through_the_denoiser_and_a_rival_s_does_not() -> None:
    """Codes of log-odds; the denoiser adds 2 to the probability it is shown, as a logit."""
    vae: Any = SimpleNamespace(decode=lambda codes: codes)
    denoiser: Any = SimpleNamespace(reconstruct_logits=lambda images: 2 + images)
    words: Any = SimpleNamespace(encode=lambda symbols: symbols, decode=lambda codes: -codes)
    codes = torch.tensor([[0.0, log(3)]])
    scan = evaluation.grounded(vae, denoiser, words)
    torch.testing.assert_close(scan.decode(codes), torch.tensor([[2.5, 2.75]]).sigmoid())
    assert torch.equal(scan.symbols(codes), -codes)
    assert scan.vae is vae
    rival: Any = SimpleNamespace(encode_symbols=words.encode, symbols=words.decode, decoder=lambda codes: codes)
    joined = evaluation.joined(rival)
    torch.testing.assert_close(joined.decode(codes), torch.tensor([[0.5, 0.75]]))
    assert torch.equal(joined.symbols(codes), -codes)


def test_an_image_is_named_from_samples_of_what_is_seen() -> None:
    class Unsure(Eye):
        def encode(self, images: Tensor) -> Gaussian:
            return Gaussian(torch.full((len(images), 2), 3.0), torch.full((len(images), 2), log(4)))

    unsure = mind(vae=Unsure(), symbols=lambda codes: codes)
    codes = evaluation.name_images(scene(*np.zeros((2, 1, 4), int)), unsure, 0)
    assert codes.shape == (240, 2)
    assert float(codes.mean()) == pytest.approx(3, abs=0.4)
    assert float(codes.std()) == pytest.approx(2, rel=0.15)
    other = evaluation.name_images(scene(*np.zeros((2, 1, 4), int)), unsure, 1)
    assert not torch.equal(codes, other)


def test_codes_are_scored_on_quarters_of_the_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each quarter's codes with its own rooms; of the three scores of trees the first, disentanglement."""
    quarters: list[np.ndarray] = []

    def dci(codes: np.ndarray, factors: np.ndarray) -> tuple[float, float, float]:
        assert np.array_equal(named_by(torch.from_numpy(codes)), factors)
        quarters.append(factors)
        return 0.1 * len(quarters), 8.0, 9.0

    def gap(codes: np.ndarray, factors: np.ndarray) -> float:
        assert np.array_equal(named_by(torch.from_numpy(codes)), factors)
        return float(np.array_equal(factors, quarters[0]))

    monkeypatch.setattr(evaluation, "dci", dci)
    monkeypatch.setattr(evaluation, "mig", gap)
    monkeypatch.setattr(evaluation, "grouped_mig", lambda codes, factors: 2 + gap(codes, factors))
    seen = scene(*np.zeros((2, 1, 4), int))
    found = evaluation.disentangled(seen, Eye(), 0)  # type: ignore[arg-type]
    assert found == {
        "dci": pytest.approx([0.1, 0.2, 0.3, 0.4]), "mig": [1, 0, 0, 0], "grouped_mig": [3, 2, 2, 2],
    }  # fmt: skip
    assert [len(each) for each in quarters] == [60] * 4
    assert sorted(map(tuple, np.concatenate(quarters))) == sorted(map(tuple, seen.factors))
