"""The laws of entropy and free energy: each function against what must hold of it, and against another way there."""

from math import e, lgamma, log, pi

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.systems.entropy import counting, gibbs, helmholtz, maxent, measure, variational
from phantastic.systems.entropy.information import (
    conditional_entropy,
    distribution,
    divergence,
    entropy,
    information,
    surprise,
)
from phantastic.systems.entropy.maxent import interval, maximum_entropy

near = pytest.approx


def f64(values) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def shapes(low: int = 2, high: int = 7) -> st.SearchStrategy[int]:
    return st.integers(low, high)


@st.composite
def distributions(draw, size: int | None = None) -> Tensor:
    """A distribution, some of its outcomes perhaps impossible."""
    n = size or draw(shapes())
    weights = draw(st.lists(st.sampled_from([0.0, 1e-9, 0.1, 0.5, 1.0, 3.0]), min_size=n, max_size=n).filter(any))
    return f64(weights) / sum(weights)


@st.composite
def joints(draw) -> Tensor:
    rows, columns = draw(shapes()), draw(shapes())
    return draw(distributions(rows * columns)).reshape(rows, columns)


@st.composite
def pairs(draw) -> tuple[Tensor, Tensor]:
    n = draw(shapes())
    return draw(distributions(n)), draw(distributions(n))


# --- Shannon


@given(joints())
def test_chain_rule(joint):
    whole = float(entropy(joint.flatten()))
    assert float(entropy(joint.sum(1)) + conditional_entropy(joint)) == near(whole, abs=1e-12)
    assert float(entropy(joint.sum(0)) + conditional_entropy(joint.T)) == near(whole, abs=1e-12)


@given(joints())
def test_information_is_what_knowing_removes(joint):
    told = float(information(joint))
    assert told >= -1e-12
    assert float(entropy(joint.sum(0)) - conditional_entropy(joint)) == near(told, abs=1e-12)
    assert float(information(joint.T)) == near(told, abs=1e-12)


@given(distributions(), distributions())
def test_entropy_of_the_independent_adds_and_its_information_is_none(p, q):
    product = p[:, None] * q
    assert float(entropy(product.flatten())) == near(float(entropy(p) + entropy(q)), abs=1e-12)
    assert float(information(product)) == near(0, abs=1e-12)


@given(pairs(), st.floats(0, 1))
def test_entropy_is_concave_and_between_0_and_log_n(pair, share):
    p, q = pair
    mixed = entropy(share * p + (1 - share) * q)
    assert float(mixed) >= float(share * entropy(p) + (1 - share) * entropy(q)) - 1e-12
    assert -1e-15 <= float(mixed) <= log(len(p)) + 1e-12


@given(pairs())
def test_divergence_is_positive_and_infinite_where_the_possible_is_ruled_out(pair):
    p, q = pair
    found = float(divergence(p, q))
    assert found >= -1e-12
    assert float(divergence(p, p)) == 0
    assert (found == float("inf")) == bool(((q == 0) & (p > 0)).any())


@given(joints(), st.data())
def test_no_channel_adds_information(joint, data):
    width = data.draw(shapes())
    channel = torch.stack([data.draw(distributions(width)) for _ in range(joint.shape[1])])
    assert float(information(joint @ channel)) <= float(information(joint)) + 1e-12


def test_entropy_is_the_surprise_to_expect():
    p = f64([0.5, 0.25, 0.125, 0.125])
    assert float((p * surprise(p)).sum()) == near(float(entropy(p))) == near(1.75 * log(2))
    assert float(surprise(f64(0.0))) == float("inf")
    assert float(surprise(f64(0.5) * f64(0.1))) == near(float(surprise(f64(0.5)) + surprise(f64(0.1))))


@pytest.mark.parametrize("p", [[0.5, 0.4], [1.5, -0.5], [float("nan"), 1.0], [0.0, 0.0]])
def test_what_is_no_distribution_is_refused(p):
    with pytest.raises(Refused, match="sum to 1"):
        entropy(f64(p))
    with pytest.raises(Refused):
        distribution(f64(p)[:, None], axes=2)


def test_batches_are_their_members():
    joint = measure.drawn((3, 5, 4), torch.Generator().manual_seed(0), axes=2)
    for function in (conditional_entropy, information):
        assert function(joint).tolist() == near([float(function(each)) for each in joint])


# --- Boltzmann


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_microstates_are_a_multinomial_coefficient(counts):
    exact = lgamma(sum(counts) + 1) - sum(lgamma(n + 1) for n in counts)
    assert float(counting.log_microstates(f64(counts))) == near(exact, abs=1e-9)
    assert float(counting.boltzmann_entropy(f64(counts), gibbs.K)) == near(gibbs.K * exact, rel=1e-9, abs=1e-30)


def test_six_letters_in_three_boxes():
    assert float(counting.log_microstates(f64([3, 2, 1])).exp()) == near(60)


def test_boltzmanns_entropy_per_particle_becomes_shannons():
    """By Stirling's limit: the gap closes as ln N / N, and the formula says by how much, to 1 / N²."""
    shares = f64([0.5, 0.25, 0.125, 0.125])
    for power in range(3, 21):
        counts = 2.0**power * shares
        total, missing = float(counts.sum()), 2.0**power * float(entropy(shares))
        counted, formula = float(counting.log_microstates(counts)), float(counting.stirling(counts))
        assert 0 < missing - counted < 2 * (log(total) + 1)
        assert abs(formula - counted) < 4 / total


def test_counts_are_whole():
    for counts in ([1.5, 2.0], [-1.0, 2.0], [float("nan"), 1.0]):
        with pytest.raises(Refused, match="whole numbers"):
            counting.log_microstates(f64(counts))


# --- maximum entropy


def test_the_dual_finds_the_closed_forms():
    for name, problem in measure.problems().items():
        assert float((problem.found.density - problem.closed).abs().max()) < 1e-10, name
    entropies = {name: problem.found.entropy for name, problem in measure.problems().items()}
    assert entropies == near(
        {
            "uniform": log(6),
            "geometric": 3 * log(3) - 2 * log(2),
            "exponential": 1 + log(2),
            "gaussian": 0.5 * log(2 * pi * e * 1.44),
        }
    )


def test_jaynes_die():
    die = measure.thrown(4.5)
    assert die.probabilities.tolist() == near(list(measure.DICE), abs=5e-6)
    assert die.entropy == near(1.61358, abs=5e-6)
    assert measure.thrown(3.5).probabilities.tolist() == near([1 / 6] * 6)
    assert float(measure.thrown(2.5).probabilities[0]) == near(float(die.probabilities[5]))


@settings(max_examples=25)
@given(st.integers(3, 8), st.integers(1, 3), st.integers(0, 10**6))
def test_another_solver_agrees(n, k, seed):
    """Sequential quadratic programming on the primal: over p itself, under the constraints."""
    random = np.random.default_rng(seed)
    k = min(k, n - 2)
    features, p = random.normal(size=(k, n)), random.dirichlet(np.full(n, 2.0))
    moments = features @ p
    found = maximum_entropy(f64(features), f64(moments))
    assert found.probabilities.numpy() @ features.T == near(moments, abs=1e-9)
    assert found.entropy >= float(entropy(f64(p))) - 1e-9
    assert found.entropy - float(entropy(f64(p))) == near(float(divergence(f64(p), found.probabilities)), abs=1e-8)
    constraints = {"type": "eq", "fun": lambda q: np.append(features @ q - moments, q.sum() - 1)}
    other = minimize(lambda q: float((q * np.log(q)).sum()), p, jac=lambda q: np.log(q) + 1, method="SLSQP",
                     bounds=[(1e-12, 1)] * n, constraints=constraints,
                     options={"ftol": 1e-14, "maxiter": 500})  # fmt: skip
    assert found.entropy == near(-other.fun, abs=1e-6)


def test_multipliers_are_the_slopes_of_entropy():
    """Legendre: dH/dm = -λ, so the dual and the primal know the same."""
    x = torch.arange(8, dtype=torch.float64)
    features, moments = torch.stack([x, x**2]), f64([3.0, 12.0])
    found, step = maximum_entropy(features, moments), 1e-5
    for which in range(2):
        moved = torch.zeros(2, dtype=torch.float64)
        moved[which] = step
        slope = maximum_entropy(features, moments + moved).entropy - maximum_entropy(features, moments - moved).entropy
        assert slope / (2 * step) == near(-float(found.multipliers[which]), abs=1e-6)
    assert found.entropy == near(found.log_partition - float(found.multipliers @ moments))


def test_units_of_a_feature_and_its_repetition_change_nothing():
    x = torch.arange(1, 7, dtype=torch.float64)
    once = maximum_entropy(x[None], f64([4.5]))
    for features, moments in (
        (1e9 * x[None], [4.5e9]), (1e-9 * x[None], [4.5e-9]), (torch.stack([x, 2 * x]), [4.5, 9.0]),
        (torch.stack([x, torch.ones(6, dtype=torch.float64)]), [4.5, 1.0]),
    ):  # fmt: skip
        assert maximum_entropy(features, f64(moments)).probabilities.tolist() == near(once.probabilities.tolist())


@pytest.mark.parametrize("mean", [0.0, 1.0, 6.0, 7.0, float("nan")])
def test_impossible_moments_are_refused(mean):
    with pytest.raises(Refused, match="between 1 and 6"):
        measure.thrown(mean)


def test_moments_that_contradict_one_another_are_refused():
    x = torch.arange(1, 7, dtype=torch.float64)
    with pytest.raises(Refused, match="has the moments"):
        maximum_entropy(torch.stack([x, x**2]), f64([3.0, 8.5]))  # the variance would be below 0
    with pytest.raises(Refused, match="is empty"):
        interval(2, 2, 10)


def test_quadrature_integrates():
    x, w = interval(-2, 3, 40)
    assert float((w * x**6).sum()) == near((3**7 + 2**7) / 7)


# --- Helmholtz


energies = st.lists(st.floats(-20, 20), min_size=2, max_size=8).map(f64)
temperatures = st.floats(0.2, 20).map(f64)


@given(energies, temperatures, st.data())
def test_free_energy_is_at_least_minus_t_log_z_with_equality_at_boltzmanns(energy, temperature, data):
    exact = helmholtz.canonical(energy, temperature)
    least = -float(temperature * exact.log_partition)
    assert float(exact.free_energy) == near(least)
    assert float(exact.energy - temperature * exact.entropy) == near(least, abs=1e-10)
    p = data.draw(distributions(len(energy)))
    above = float(helmholtz.free_energy(p, energy, temperature)) - least
    assert above >= -1e-10
    assert above == near(float(temperature * divergence(p, exact.probabilities)), abs=1e-9)


@settings(max_examples=30)
@given(energies, temperatures)
def test_descent_lowers_f_at_every_step_and_ends_at_boltzmanns(energy, temperature):
    path = list(helmholtz.descent(energy, temperature, measure.even(energy), 150))
    values = torch.stack([helmholtz.free_energy(p, energy, temperature) for p in path])
    assert bool((values.diff() <= 1e-10).all())
    assert path[-1].tolist() == near(helmholtz.canonical(energy, temperature).probabilities.tolist(), abs=1e-9)


def test_a_step_of_descent_mixes_the_start_with_boltzmanns_in_logarithms():
    """log p after k steps is (1 - r)^k of what it was and 1 - (1 - r)^k of -E / T: a step of F's natural gradient."""
    energy, temperature = f64([0.0, 1.0, 2.5]), f64([0.5, 2.0])
    start = f64([0.2, 0.5, 0.3])
    path = list(helmholtz.descent(energy, temperature, start, 4, rate=0.3))
    assert len(path) == 5
    for k, p in enumerate(path):
        left = 0.7**k
        expected = torch.softmax(left * start.log() - (1 - left) * energy / temperature[:, None], -1)
        torch.testing.assert_close(p, expected)
    torch.testing.assert_close(
        helmholtz.settle(energy, temperature, start, 3),
        torch.softmax(0.8**3 * start.log() - (1 - 0.8**3) * energy / temperature[:, None], -1),
    )


def test_another_minimiser_agrees():
    """BFGS on the logits of p, without a word of Boltzmann's."""
    energy = measure.landscape(4.0, 5.0)[::10].numpy()

    def objective(logits):
        p = np.exp(logits - logits.max())
        p /= p.sum()
        return float(p @ energy + 0.7 * (p @ np.log(p)))

    found = minimize(objective, np.zeros(len(energy)), method="BFGS", options={"gtol": 1e-9})
    assert found.fun == near(float(helmholtz.canonical(f64(energy), f64(0.7)).free_energy), abs=1e-7)


@given(energies, temperatures)
def test_legendre_slopes(energy, temperature):
    """dF/dT = -S; d(F/T)/d(1/T) = U; F is concave in T; dU/dT = var(E) / T² = T dS/dT."""
    at = temperature.clone().requires_grad_()
    exact = helmholtz.canonical(energy, at)
    (slope,) = torch.autograd.grad(exact.free_energy, at, retain_graph=True)
    (capacity,) = torch.autograd.grad(exact.energy, at)
    exact = helmholtz.Canonical(*(part.detach() for part in exact))
    assert float(slope) == near(-float(exact.entropy), abs=1e-9)
    assert float(capacity) == near(float(exact.heat_capacity), abs=1e-9)
    assert float(exact.heat_capacity) >= 0
    inverse = (1 / temperature).requires_grad_()
    (mean,) = torch.autograd.grad(-torch.logsumexp(-inverse * energy, -1), inverse)
    assert float(mean) == near(float(exact.energy), abs=1e-9)


def test_the_limits_of_temperature():
    energy = f64([1.0, 0.0, 0.0, 5.0])
    cold, hot = helmholtz.canonical(energy, f64([1e-3, 1e6]))[3].tolist()
    assert cold == near(log(2))  # the ground states share
    assert hot == near(log(4))
    assert helmholtz.canonical(energy, f64(1e-300)).probabilities.tolist() == [0, 0.5, 0.5, 0]


def test_boltzmanns_is_the_maximum_entropy_of_its_mean_energy():
    energy, temperature = f64([0.0, 0.3, 1.0, 2.0]), f64(0.8)
    exact = helmholtz.canonical(energy, temperature)
    found = maximum_entropy(energy[None], exact.energy[None])
    assert found.probabilities.tolist() == near(exact.probabilities.tolist())
    assert float(found.multipliers[0]) == near(-1 / 0.8)


def test_a_temperature_is_above_0_and_a_start_rules_nothing_out():
    energy = f64([0.0, 1.0])
    for temperature in (0.0, -1.0, float("nan")):
        with pytest.raises(Refused, match="temperature"):
            helmholtz.canonical(energy, f64(temperature))
    with pytest.raises(Refused, match="every state"):
        helmholtz.settle(energy, f64(1.0), f64([1.0, 0.0]), 3)


# --- the twin


@st.composite
def inferences(draw) -> tuple[Tensor, Tensor, Tensor]:
    n = draw(shapes())
    log_likelihood = f64(draw(st.lists(st.floats(-30, 5), min_size=n, max_size=n)))
    prior = (draw(distributions(n)) + 0.01) / (1 + 0.01 * n)
    return draw(distributions(n)), prior, log_likelihood


@given(inferences())
def test_the_variational_bound_and_its_three_forms(case):
    belief, prior, log_likelihood = case
    f = variational.free_energy(belief, prior, log_likelihood)
    evidence = float((prior * log_likelihood.exp()).sum().log())
    assert float(f.surprise) == near(-evidence, abs=1e-9)
    assert float(f.value) >= -evidence - 1e-9
    assert float(f.divergence + f.surprise) == near(float(f.value), abs=1e-9)
    assert float(f.complexity - f.accuracy) == near(float(f.value), abs=1e-9)


@given(inferences())
def test_the_bound_is_tight_at_the_posterior(case):
    _, prior, log_likelihood = case
    exact = variational.posterior(prior, log_likelihood)
    f = variational.free_energy(exact, prior, log_likelihood)
    assert float(f.value) == near(float(f.surprise), abs=1e-9)
    assert float(f.divergence) == near(0, abs=1e-9)
    bayes = prior * log_likelihood.exp()
    assert exact.tolist() == near((bayes / bayes.sum()).tolist(), abs=1e-12)


@given(inferences())
def test_the_twin(case):
    belief, prior, log_likelihood = case
    joint, one = variational.energy(prior, log_likelihood), f64(1.0)
    f = variational.free_energy(belief, prior, log_likelihood)
    assert float(helmholtz.free_energy(belief, joint, one)) == near(float(f.value), abs=1e-9)
    assert float(helmholtz.canonical(joint, one).free_energy) == near(float(f.surprise), abs=1e-9)


def test_a_belief_in_what_the_prior_rules_out_costs_all():
    prior, log_likelihood = f64([0.5, 0.5, 0.0]), f64([0.0, -1.0, 0.0])
    lost = variational.free_energy(f64([0.2, 0.3, 0.5]), prior, log_likelihood)
    assert float(lost.value) == float(lost.complexity) == float("inf")
    kept = variational.free_energy(f64([0.5, 0.5, 0.0]), prior, log_likelihood)
    assert float(kept.value) == near(float(kept.divergence + kept.surprise))


def test_perception_of_bogacz():
    percept = measure.seen(2.0, 3.0, 1.0, 150)
    found = measure.perceived(percept)
    assert found["percept.size"] == near(1.57, abs=1e-9)  # 2x³ - 3x - 3 = 0 at 1.5673
    assert 0.02 < found["percept.gaussian.gap"] < 0.03
    x = measure.SIZES
    mean, sd = float(percept.gaussian @ x), float(percept.gaussian @ x**2 - (percept.gaussian @ x) ** 2) ** 0.5
    grid = []
    for dm in (-0.02, 0.0, 0.02):
        for ds in (-0.02, 0.0, 0.02):
            q = torch.softmax(-0.5 * ((x - mean - dm) / (sd + ds)) ** 2, 0)
            grid.append(float(variational.free_energy(q, percept.prior, percept.log_likelihood).value))
    assert min(grid) == grid[4]  # no Gaussian beside it is better


def test_a_gaussian_belief_is_exact_where_the_posterior_is_gaussian():
    x = torch.linspace(-10, 10, 801, dtype=torch.float64)
    prior, log_likelihood = torch.softmax(-0.5 * x**2, 0), -0.5 * ((1.0 - x) / 0.5) ** 2
    found = variational.fit_gaussian(x, prior, log_likelihood)
    assert float(found @ x) == near(0.8)  # precisions 1 and 4
    f = variational.free_energy(found, prior, log_likelihood)
    assert float(f.value - f.surprise) == near(0, abs=1e-9)


# --- Gibbs


def test_a_gas_at_a_pressure():
    found = measure.pressed()
    assert found["gas.litres"] == near(22.41396954, rel=1e-8)
    assert max(found[f"gas.{each}.error"] for each in ("volume", "pressure", "temperature")) < 1e-7
    assert found["gas.entropy.Ar"] == near(154.846, abs=0.003)


def van_der_waals(temperature: Tensor, volume: Tensor) -> Tensor:
    """Reduced units: F = -(8/3) T ln(3V - 1) - 3 / V + a function of T alone, critical at T = p = V = 1."""
    return -8 / 3 * temperature * (3 * volume - 1).log() - 3 / volume - 4 * temperature * (temperature.log() - 1)


def test_any_body_will_do_and_its_slopes_are_volume_and_entropy():
    """Van der Waals above his critical point, where the volume at a pressure is one and his equation's."""
    t, p, step = f64([1.1, 1.5, 3.0]), f64([0.5, 1.0, 4.0]), 1e-5
    start = f64([5.0, 5.0, 5.0])

    def at(t, p):
        return gibbs.equilibrium(van_der_waals, t, p, start)

    here = at(t, p)
    assert (8 * t / (3 * here.volume - 1) - 3 / here.volume**2).tolist() == near(p.tolist(), rel=1e-9)
    assert ((at(t, p + step).gibbs - at(t, p - step).gibbs) / (2 * step)).tolist() == near(
        here.volume.tolist(), rel=1e-6
    )
    assert ((at(t - step, p).gibbs - at(t + step, p).gibbs) / (2 * step)).tolist() == near(
        here.entropy.tolist(), rel=1e-6
    )


def test_what_has_no_volume_is_refused():
    one = f64(1.0)
    with pytest.raises(Refused, match="did not settle"):
        gibbs.equilibrium(lambda t, v: -v, one, f64(0.5), one)  # it pushes harder than it is held
    with pytest.raises(Refused, match="stable"):
        gibbs.equilibrium(lambda t, v: -v - v.log() ** 2, one, one, one)  # balanced on a top
    for values in ((0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, float("nan"))):
        with pytest.raises(Refused, match="above 0"):
            gibbs.equilibrium(gibbs.ideal_gas(1, 1e-26), *map(f64, values))


def test_closed_forms_sum_to_1():
    x, w = interval(0, 100, 400)
    assert float((w * maxent.exponential(x, 2.0)).sum()) == near(1)
    assert float((w * maxent.gaussian(x, 50.0, 9.0)).sum()) == near(1)
    assert float(maxent.geometric(torch.arange(400, dtype=torch.float64), 2.0).sum()) == near(1)
