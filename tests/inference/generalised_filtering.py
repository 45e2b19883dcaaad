"""Generalised filtering against what is known without it: filtering, exact posteriors, derivatives, fixed points."""

import math

import pytest
import sympy
import torch
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.inference import Level, LogPrecision, Model, Prior, generate, invert, published
from phantastic.inference.generalised_filtering import Filtered, _Filtering, generalised_filter
from phantastic.inference.published.simulation import bump
from phantastic.inference.smoother import unit_noises

x, v, k = sympy.symbols("x v k")
SINE = torch.sin(torch.arange(32.0, dtype=torch.float64) / 4)[:, None]


def leaky(gain: float | Prior, V: float | LogPrecision = 54.6, top: float = 8.9e6) -> Model:
    """A leaky integrator of an input, seen through an unknown gain."""
    first = Level(
        states={x: 0.0}, causes=[v], flow=[v - x / 2], response=[k * x], parameters={k: gain}, V=V, W=math.exp(4)
    )
    return Model([first, Level(V=top)])


@pytest.mark.parametrize(("system", "name"), [("convolution", "state_estimation"), ("double_well", "state_estimation")])
def test_with_nothing_to_learn_it_is_the_d_step(system: str, name: str) -> None:
    """Beside the D-step of `invert`, which is SPM's to rounding; both linearise alike, and F is the same sum."""
    simulation = published.setup(system, name)
    y = generate(simulation.process, simulation.causes, seed=1).v[1]
    ours, theirs = generalised_filter(simulation.model, y).belief, invert(simulation.model, y)
    for a, b in ((ours.x[1], theirs.x[1]), (ours.v[2], theirs.v[2]), (ours.free_energy, theirs.free_energy)):
        assert torch.allclose(a, b, rtol=1e-6, atol=1e-6)
    assert torch.allclose(ours.covariance.v, theirs.covariance.v, rtol=1e-6)


def exact_gain(y: Tensor) -> tuple[float, float]:
    """Mean and deviation of the gain on a grid, by the exact likelihood of all data: y = k (m + A e) + B e."""
    one, none = leaky(1.0), leaky(0.0)
    noise = unit_noises(one, len(y))
    mean = generate(one, SINE).v[1].flatten()
    seen = generate(none, SINE, noise=noise).v[1].flatten(1)
    moved = generate(one, SINE, noise=noise).v[1].flatten(1) - mean - seen
    grid = torch.linspace(0.8, 2.2, 281, dtype=torch.float64)
    log = torch.stack([
        torch.distributions.MultivariateNormal(gain * mean, (gain * moved + seen).mT @ (gain * moved + seen)).log_prob(
            y.flatten()
        )
        for gain in grid
    ])  # fmt: skip
    weight = (log - log.max()).exp()
    weight = weight / weight.sum()
    average = (weight * grid).sum()
    return float(average), float((weight * (grid - average).square()).sum().sqrt())


@pytest.mark.parametrize("seed", range(3))
def test_an_unknown_gain_is_found_where_the_exact_posterior_has_it(seed: int) -> None:
    y = generate(leaky(1.5), SINE, seed=seed).v[1]
    mean, deviation = exact_gain(y)
    found = generalised_filter(leaky(Prior(1.0, 4.0)), y, prior_u=SINE).belief
    assert found.parameter_covariance is not None
    own = float(found.parameter_covariance.sqrt())
    assert abs(float(found.parameters[0]) - mean) < 2 * deviation
    assert deviation / 2 < own < 2 * deviation


def test_slopes_are_the_derivatives_of_the_free_energy_of_a_bin() -> None:
    """Where the covariance of what is learned is zero: autodiff of E' P E / 2 - ln|P| / 2 + ln|A| / 2.

    The last order of the states is left out: its error is none in the data's bin and one in the curvature, as in SPM.
    """
    model = leaky(Prior(0.5, 4.0), LogPrecision(1.0, 0.5), top=1.0)
    filtering = _Filtering(model, generate(leaky(1.5), SINE, seed=0).v[1], None, (3, 1))
    u = torch.linspace(-0.5, 0.7, filtering.g.nu, dtype=torch.float64)
    b = torch.tensor([0.4, 1.3], dtype=torch.float64)

    def energy(q: Tensor) -> Tensor:
        g, w, p, h = filtering.g, filtering.g.full(q[:-2]), q[-2:-1], q[-1:]
        # The slopes of the compiled functions do not carry gradients by parameters: they are written out here.
        one, zero = torch.ones(()).double(), torch.zeros(()).double()
        gain = 0.5 + p[0]
        slope = torch.stack([torch.stack([gain, zero]), torch.stack([zero, -one]), torch.stack([-one / 2, one])])
        errors = g.errors(filtering.data[9], w, slope @ w[0], slope)
        precision = torch.stack([h[0].exp() + 1, one, one * math.exp(4)])
        P, J = g.dense_precision(precision), g.dense(slope)
        A = J.mT @ P @ J
        prior = p[0] ** 2 / 4 / 2 / filtering.bins + (h[0] - 1) ** 2 / 0.5 / 2 / filtering.bins
        E = errors.flatten()
        return E @ P @ E / 2 - torch.logdet(P) / 2 + torch.logdet(A) / 2 + prior

    ours = filtering.look(9, u, b, torch.zeros(1, 1, dtype=torch.float64)).slope
    (theirs,) = torch.autograd.grad(energy(q := torch.cat([u, b]).requires_grad_()), q)
    last = filtering.g.nu - 1
    assert int(filtering.g.used[last]) == 3 * filtering.g.m
    others = torch.arange(len(ours)) != last
    assert torch.allclose(ours[others], theirs[others], rtol=1e-6, atol=1e-6)


def still(passes: int) -> Filtered:
    """A response that no longer changes: a known, constant input to a system that starts where it ends."""
    first = Level(
        states={x: 2.0}, causes=[v], flow=[v - x / 2], response=[k * x], parameters={k: Prior(0.0, 4.0)},
        V=LogPrecision(3.0, 0.25), W=math.exp(12),
    )  # fmt: skip
    model = Model([first, Level(V=math.exp(12), initial=1.0)])
    ones = torch.ones(32, 1, dtype=torch.float64)
    return generalised_filter(model, 3 * ones, prior_u=ones, passes=passes)


def test_in_a_world_that_stands_still_traces_and_gradients_vanish() -> None:
    early, late = still(1), still(48)
    assert late.belief.parameters[0] == pytest.approx(1.5, abs=1e-2)
    for kind in ("traces", "slopes"):
        before, after = (getattr(each, kind)[-1, 8:].abs().amax(0) for each in (early, late))
        assert bool((after < 1e-2 * before).all()), (kind, before, after)


def test_it_sees_what_is_uncertain_together() -> None:
    """The paper's comparison: states explain much of a parameter away; a mean field does not know it."""
    world = published.setup("convolution", "state_estimation").process
    model = published.setup("triple", "states_params_fixedprec").model
    y = generate(world, bump(32, 12, 4), seed=0).v[1]
    together = generalised_filter(model, y).belief.parameter_covariance
    apart = invert(model, y, iterations=32).parameter_covariance
    assert together is not None
    assert apart is not None
    assert bool((together.diagonal() > 1.5 * apart.diagonal()).all())


def test_log_precisions_of_no_variance_stay_where_they_are() -> None:
    y = generate(leaky(1.5), SINE, seed=0).v[1]
    found = generalised_filter(leaky(1.5, LogPrecision(2.0, 0.0)), y, prior_u=SINE, passes=3)
    assert torch.allclose(found.log_precisions, torch.full_like(found.log_precisions, 2.0), atol=1e-6)


def test_what_it_cannot_filter_is_refused() -> None:
    static = Model([Level(causes=[v], response=[v]), Level(V=1.0)])
    with pytest.raises(Refused, match="no hidden states"):
        generalised_filter(static, torch.zeros(8, 1))
    with pytest.raises(Refused, match="one subject"):
        generalised_filter(leaky(1.0), torch.zeros(2, 8, 1))
    with pytest.raises(Refused, match="depend on states"):
        generalised_filter(published.setup("attenuation", "self_hE+4").model, torch.zeros(8, 2))
    with pytest.raises(Refused, match="bin 3, channel 1"):
        generalised_filter(leaky(1.0), torch.tensor([[0.0], [0.0], [math.nan], [0.0]]))


def test_divergence_names_the_bin_and_what_was_predicted() -> None:
    growing = Model([Level(states={x: 1.0}, causes=[v], flow=[x + v], response=[x], V=1e-3, W=1e3), Level(V=1.0)])
    with pytest.raises(Refused, match=r"diverges at bin 2\d: .* error of 'x' of level 1 is"):
        generalised_filter(growing, torch.zeros(60, 1))
    steep = Model([Level(states={x: 1.0}, causes=[v], flow=[sympy.exp(x) + v], response=[x]), Level(V=1.0)])
    with pytest.raises(Refused, match=r"diverges at bin \d: .* no longer finite"):
        generalised_filter(steep, torch.full((60, 1), 1e200, dtype=torch.float64))


def test_beliefs_that_do_not_settle_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hidden states each bin ascends on its own: too few steps for a curved response are not passed over."""
    curved = Model([Level(causes=[v], response=[v**3], V=100.0), Level(V=1.0, initial=0.1)])
    y = torch.tensor([[0.0], [8.0]], dtype=torch.float64)
    assert invert(curved, y, orders=(0, 0)).v[2][1, 0] == pytest.approx(2, abs=0.01)
    monkeypatch.setattr("phantastic.inference.filter._ASCENTS", 2)
    with pytest.raises(Refused, match=r"do not settle at bin 2: after 2 steps .* nats"):
        invert(curved, y, orders=(0, 0))
