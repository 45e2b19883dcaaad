"""A subject in a batch gets the numbers that it gets alone, whatever differs between subjects and whatever they share.

Beliefs, action and what is learned agree to 1e-10 of their scale. Where a model puts a precision of exp(16) beside 1,
the flow of beliefs is so stiff (1e8 per bin) that rounding alone leaves 1e-8; a flat prior does the same to a lesser
degree. Posterior covariances and the entropy are inverses and determinants of curvatures whose condition is 1e6 to
1e15.
"""

import dataclasses
from importlib import import_module

import pytest
import sympy
import torch
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.inference import (
    Level,
    LogPrecision,
    Model,
    Prior,
    Result,
    act,
    attenuate,
    generate,
    invert,
)
from phantastic.inference.published import setup
from phantastic.inference.published.simulation import Simulation

FACTORS = (1.0, 1.3, 0.8)
BINS = 24
EVERYTHING = ("noise", "V", "W", "states", "parameters", "causes", "prior_u", "world")
MODELS = {
    "convolution": "state_estimation",
    "triple": "states_params_precisions",
    "lorenz": "state_estimation",
    "double_well": "state_estimation",
    "birdsong": "songA",
    "hierarchical_song": "canonical",
    "song_omission": "omission_normal",
    "visual": "flat_priors",
    "motor": "canonical",
    "attractor_motor": "canonical",
    "pursuit": "expected_reversal",
    "occlusion": "fig1_occluded_highprec",
    "observe": "action",
    "attenuation": "self_hE+4",
}
TOLERANCE = (1e-10, 1e-9)  # of beliefs, of covariances
ILL_CONDITIONED = {
    "double_well": (1e-8, 1e-7),
    "hierarchical_song": (1e-10, 1e-4),
    "lorenz": (1e-7, 1e-2),
    "song_omission": (1e-10, 1e-4),
    "visual": (1e-9, 1e-8),
}


def differing(model: Model, what: tuple[str, ...], subject: int | None) -> Model:
    """The model with numbers that differ between three subjects, or those of one of them."""

    def vary(value: float | Tensor, factor: Tensor) -> Tensor:
        return value * factor if subject is None else value * factor[subject]

    factor, levels = torch.tensor(FACTORS, dtype=torch.float64), []
    for level in model.levels:
        changed: dict[str, object] = {}
        for letter in "VW":
            given = getattr(level, letter)
            if letter in what and not isinstance(given, LogPrecision):
                changed[letter] = vary(torch.as_tensor(given, dtype=torch.float64), factor[:, None])
        if "states" in what:
            changed["states"] = {s: value + vary(0.1, factor - 1) for s, value in level.states.items()}
        if "parameters" in what:
            changed["parameters"] = {
                s: value if isinstance(value, Prior) else vary(value, 0.95 + factor / 20)
                for s, value in level.parameters.items()
            }
        levels.append(dataclasses.replace(level, **changed))
    return dataclasses.replace(model, levels=levels)


def trial(experiment: Simulation, what: tuple[str, ...], subject: int | None) -> Result:
    """All three subjects at once (None), or one of them, where ``what`` differs between them."""
    e, factor = experiment, torch.tensor(FACTORS, dtype=torch.float64)[:, None, None]
    model = differing(e.model, what, subject)
    world = differing(e.process, ("states", "parameters", "V", "W"), subject) if "world" in what else e.process
    causes, prior = e.causes[:BINS], None if e.prior_u is None else e.prior_u[:BINS]
    if "causes" in what:
        causes = causes * factor if subject is None else causes * FACTORS[subject]
    if "prior_u" in what:
        prior = torch.full((BINS, model.nc), 0.1, dtype=torch.float64) if prior is None else prior
        prior = prior * factor if subject is None else prior * FACTORS[subject]
    noise = {}
    if "noise" in what:
        sizes = {"z": world.outputs, "w": [len(level.states) for level in world.levels]}
        for key, size in ((f"noise_{k}{n}", size) for k in sizes for n, size in enumerate(sizes[k], 1) if size):
            drawn = torch.from_numpy(numpy_generator(0, key).normal(size=(3, BINS, size))) / 20
            noise[key] = drawn if subject is None else drawn[subject]
    if e.scheme != "invert":
        scheme = act if e.scheme == "act" else attenuate
        return scheme(model, world, causes, prior_u=prior, orders=e.orders, noise=noise)
    made = generate(world, causes, orders=e.orders, noise=noise)
    result = invert(model, made.v[1], prior_u=prior, orders=e.orders, iterations=4, rate=e.rate)
    return dataclasses.replace(result, process=made)


def agree(together: Result, alone: list[Result], tolerances: tuple[float, float] = TOLERANCE) -> None:
    beliefs, covariances = tolerances

    def check(what: str, whole: Tensor, each: list[Tensor], tolerance: float = beliefs) -> None:
        for subject, one in enumerate(each):
            ours = whole[subject] if whole.ndim > one.ndim else whole  # what no input made differ is not repeated
            assert ours.shape == one.shape, what
            scale = max(1.0, float(one.abs().max())) if one.numel() else 1.0
            assert bool(((ours - one).abs() <= tolerance * scale).all()), (what, subject)

    for letter in "xvzwa":
        for level, array in getattr(together, letter).items():
            check(f"{letter}[{level}]", array, [getattr(one, letter)[level] for one in alone])
    for name in ("parameters", "log_precisions", "precision", "parameter_covariance", "log_precision_covariance"):
        if getattr(together, name) is not None:
            check(name, getattr(together, name), [getattr(one, name) for one in alone])
    for name in "xv":
        each = [getattr(one.covariance, name) for one in alone]
        check(f"covariance of {name}", getattr(together.covariance, name), each, covariances)
    check("accuracy", together.parts.accuracy, [one.parts.accuracy for one in alone])
    check("free energy", together.free_energy[..., -1], [one.free_energy[-1] for one in alone], covariances)
    if together.process is not None:
        for letter in "xvzw":
            for level, array in getattr(together.process, letter).items():
                each = [getattr(one.process, letter)[level] for one in alone]
                check(f"process {letter}[{level}]", array, each)


@pytest.mark.parametrize("name", MODELS)
def test_subjects_that_differ_in_everything(name: str):
    experiment = setup(name, MODELS[name])
    together = trial(experiment, EVERYTHING, None)
    agree(together, [trial(experiment, EVERYTHING, k) for k in range(3)], ILL_CONDITIONED.get(name, TOLERANCE))


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize("name", ["triple", "hierarchical_song", "attenuation"])
def test_subjects_that_differ_in_one_thing(name: str, what: str):
    experiment = setup(name, MODELS[name])
    together = trial(experiment, (what,), None)
    agree(together, [trial(experiment, (what,), k) for k in range(3)], ILL_CONDITIONED.get(name, TOLERANCE))


def test_each_subject_learns_as_long_as_it_would_alone():
    experiment = setup("triple", "states_params_fixedprec")
    y = experiment.run().process.v[1]  # type: ignore[union-attr]
    data = torch.stack([y, 0.5 * y, torch.zeros_like(y)])
    together = invert(experiment.model, data, iterations=32)
    alone = [invert(experiment.model, each, iterations=32) for each in data]
    lengths = [len(one.free_energy) for one in alone]
    assert len(set(lengths)) > 1
    assert together.free_energy.shape == (3, max(lengths))
    agree(together, alone)
    for ours, one, length in zip(together.free_energy, alone, lengths, strict=True):
        torch.testing.assert_close(ours[:length], one.free_energy, rtol=1e-9, atol=0)
        assert torch.equal(ours[length:], ours[length - 1].expand(max(lengths) - length))


def test_subjects_without_hidden_states():
    v, k = sympy.symbols("v k")
    model = Model([Level(causes=[v], response=[k * v, v**2 / 4], parameters={k: 2.0}, V=4.0), Level(V=0.5)])
    y = torch.from_numpy(numpy_generator(0, "static").normal(size=(3, 16, 2)))
    agree(invert(model, y, orders=(2, 1)), [invert(model, each, orders=(2, 1)) for each in y])
    learner = model.with_parameters(k=Prior(1.0, 1.0)).with_level(1, V=LogPrecision(1.0, 1.0))
    each = [invert(learner, one, orders=(2, 1)) for one in y]
    agree(invert(learner, y, orders=(2, 1)), each)


def test_divergence_names_the_subject():
    x, v, k, a = sympy.symbols("x v k a")
    first = Level(states={x: 0.1}, causes=[v], flow=[v - k * x], response=[x], parameters={k: 0.25})
    model, nothing = Model([first, Level()]), torch.zeros(3, 8, 1, dtype=torch.float64)
    explosive = model.with_parameters(k=torch.tensor([0.25, -9.0, 0.25], dtype=torch.float64))
    with pytest.raises(Refused, match=r"the process diverges at bin \d+ of subject 2: states of level 1"):
        generate(explosive, torch.zeros(200, 1, dtype=torch.float64))
    with pytest.raises(Refused, match="nan at bin 6, channel 1 of subject 3"):
        invert(model, nothing.index_put((torch.tensor(2), torch.tensor(5)), torch.tensor(torch.nan).double()))
    start = torch.tensor([0.0, 0.0, 3.0], dtype=torch.float64)
    growing = Model([dataclasses.replace(first, states={x: start}, flow=[x + v], V=1e-3, W=1e3), Level()])
    with pytest.raises(Refused, match=r"the model diverges at bin \d+ of subject 3: .* 'x' of level 1 is"):
        invert(growing, torch.zeros(60, 1))
    world = Model([dataclasses.replace(first, actions={a: 0.0}, flow=[v + a - k * x]), Level()])
    pushed = nothing.index_put((torch.tensor(1), torch.tensor(4)), torch.tensor(1e12).double())
    with pytest.raises(Refused, match=r"the model diverges at bin \d of subject 2: .* of level 1 is .e\+\d+ standard"):
        act(model, world, pushed)
    assert bool(act(model, world, pushed / 1e12).free_energy.isfinite().all())


def test_a_step_of_learning_that_leads_beliefs_astray_is_taken_back(monkeypatch: pytest.MonkeyPatch):
    # In the third of six E-steps the beliefs of the second subject are made to diverge.
    experiment = setup("triple", "states_params_precisions")
    y = experiment.run().process.v[1]  # type: ignore[union-attr]
    module = import_module("phantastic.inference.learn")
    alone, follow, calls = invert(experiment.model, y, iterations=6), module.follow, []

    def straying(*arguments: object) -> Tensor:
        calls.append(arguments)
        w = follow(*arguments)
        return w.index_fill(0, torch.tensor([1]), torch.nan) if len(calls) == 3 else w

    monkeypatch.setattr(module, "follow", straying)
    both = invert(experiment.model, torch.stack([y, y]), iterations=6)
    torch.testing.assert_close(both.parameters[0], alone.parameters, rtol=0, atol=1e-10)
    torch.testing.assert_close(both.free_energy[0], alone.free_energy, rtol=1e-10, atol=0)
    assert float(both.free_energy[1, 2]) == -torch.inf
    kept = both.parts.accuracy - both.parts.complexity
    torch.testing.assert_close(kept[1], both.free_energy[1, 1])  # the best step so far is what counts
    assert all(bool(levels[1].isfinite().all()) for levels in (both.x, both.v, both.z, both.w))
