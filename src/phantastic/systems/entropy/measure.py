"""What is measured: each law on random cases, each optimum against its closed form, each number against its table.

An *error* is the largest absolute difference from what must come out; an *excess* the largest amount by which an
inequality is broken (below 0 where it never is).
"""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.systems.entropy import counting, gibbs, helmholtz, maxent, variational
from phantastic.systems.entropy.information import conditional_entropy, divergence, entropy, information
from phantastic.systems.entropy.maxent import MaxEnt, interval, maximum_entropy

Found = dict[str, float]
SHARES = (1 / 2, 1 / 4, 1 / 8, 1 / 8)  # Shannon's source of four letters (1948, section 10)
DICE = (0.05435, 0.07877, 0.11416, 0.16545, 0.23977, 0.34749)  # Jaynes (1963), for an average of 4.5
SIZE = 1.6  # Bogacz (2017), exercises 1 and 2, to one decimal
NOBLE = {
    "He": (4.002602, 126.153),
    "Ne": (20.1797, 146.328),
    "Ar": (39.948, 154.846),
    "Kr": (83.798, 164.085),
    "Xe": (131.293, 169.685),
}  # Da; J/(K mol) at 298.15 K and 1 bar (Cox et al. 1989)
LITRES = 22.41396954  # of a mole at 273.15 K and 101325 Pa (CODATA)
ATMOSPHERE = 101_325.0
TEMPERATURES = torch.logspace(-0.8, 0.7, 46, dtype=torch.float64)  # .16 to 5
POSITIONS = torch.linspace(-4.5, 5, 191, dtype=torch.float64)
NARROW, WIDE, BETWEEN, WIDTH = -3.75, 1.5, -3.0, 0.25
SIZES = torch.linspace(0.01, 5, 500, dtype=torch.float64)


def drawn(shape: tuple[int, ...], generator: torch.Generator, axes: int = 1) -> Tensor:
    """Random distributions over the last ``axes`` axes, uniform on the simplex."""
    p = -torch.rand(shape, generator=generator, dtype=torch.float64).clamp_min(1e-300).log()
    return p / p.sum(tuple(range(-axes, 0)), keepdim=True)


def largest(*values: Tensor) -> float:
    return max(float(value.max()) for value in values)


def gap(a: Tensor | float, b: Tensor | float) -> float:
    return float(torch.as_tensor(a - b).abs().max())


# --- Shannon and Boltzmann


def letters(trials: int, generator: torch.Generator) -> Found:
    """The laws of entropy and information, on random joint distributions and channels."""
    joint, channel = drawn((trials, 5, 4), generator, axes=2), drawn((trials, 4, 3), generator)
    p, q = drawn((trials, 6), generator), drawn((trials, 6), generator)
    weight = torch.rand((trials, 1), generator=generator, dtype=torch.float64)
    joint_entropy, marginal = entropy(joint.flatten(-2)), joint.sum(-1)
    product = (p[:, :, None] * q[:, None, :]).flatten(-2)
    mixed = entropy(weight * p + (1 - weight) * q)
    bits = entropy(torch.tensor(SHARES, dtype=torch.float64)) / torch.log(torch.tensor(2.0, dtype=torch.float64))
    return {
        "shannon.bits": float(bits),
        "shannon.bits.error": gap(bits, 1.75),
        "chain.error": gap(joint_entropy, entropy(marginal) + conditional_entropy(joint)),
        "additive.error": gap(entropy(product), entropy(p) + entropy(q)),
        "concave.excess": largest(weight[:, 0] * entropy(p) + (1 - weight[:, 0]) * entropy(q) - mixed),
        "processing.excess": largest(information(joint @ channel) - information(joint)),
        "divergence.excess": largest(-divergence(p, q)),
    }


def counted(particles: int) -> dict[str, list[float]]:
    """ln W per particle of Shannon's shares for N = 8, 16, 32 ..., its distance to H, and Stirling's for it."""
    totals = 8 * 2 ** torch.arange(int(torch.tensor(particles / 8).log2()) + 1, dtype=torch.float64)
    counts = totals[:, None] * torch.tensor(SHARES, dtype=torch.float64)
    limit = entropy(torch.tensor(SHARES, dtype=torch.float64))
    return {
        "particles": totals.tolist(),
        "gap": (limit - counting.log_microstates(counts) / totals).tolist(),
        "stirling": (limit - counting.stirling(counts) / totals).tolist(),
    }


# --- maximum entropy


class Problem(NamedTuple):
    """A distribution of maximum entropy as the dual gives it, and the density in closed form."""

    x: Float64[Tensor, " n"]
    features: Float64[Tensor, "k n"]
    found: MaxEnt
    closed: Float64[Tensor, " n"]


def problems() -> dict[str, Problem]:
    """Uniform (nothing is known), geometric and exponential (the mean is), Gaussian (mean and variance are)."""
    die, n = (torch.arange(start, end, dtype=torch.float64) for start, end in ((1, 7), (0, 400)))
    ray, ray_weights = interval(0, 80, 300)
    line, weights = interval(-14, 16, 300)
    mean, variance = 2.0, 1.44
    parabola = torch.stack([line, line**2])
    moments = torch.tensor([1.0, 1.0 + variance], dtype=torch.float64)
    moment = torch.tensor([mean], dtype=torch.float64)
    flat = maximum_entropy(torch.empty((0, 6), dtype=torch.float64), torch.empty(0, dtype=torch.float64))
    return {
        "uniform": Problem(die, die[:0, None], flat, maxent.uniform(die)),
        "geometric": Problem(n, n[None], maximum_entropy(n[None], moment), maxent.geometric(n, mean)),
        "exponential": Problem(
            ray, ray[None], maximum_entropy(ray[None], moment, ray_weights), maxent.exponential(ray, mean)
        ),
        "gaussian": Problem(
            line, parabola, maximum_entropy(parabola, moments, weights), maxent.gaussian(line, 1.0, variance)
        ),
    }


def thrown(mean: float) -> MaxEnt:
    """Jaynes's die: six faces, and nothing known but the average."""
    faces = torch.arange(1, 7, dtype=torch.float64)
    return maximum_entropy(faces[None], torch.tensor([mean], dtype=torch.float64))


def highest(problem: Problem, trials: int, generator: torch.Generator) -> tuple[float, float]:
    """(excess, error) of rivals with the same moments: none has more entropy, and each lacks exactly its KL to it.

    A rival is p (1 + ε r), r random and, under p, uncorrelated with every feature.
    """
    p = problem.found.probabilities
    random = torch.randn((trials, len(p)), generator=generator, dtype=torch.float64)
    constraints = torch.cat([torch.ones_like(p)[None], problem.features.reshape(-1, len(p))]) * p.sqrt()
    basis = torch.linalg.qr(constraints.T).Q
    random = random - ((random * p.sqrt()) @ basis @ basis.T) / p.sqrt().clamp_min(1e-150)
    random = torch.where(p > 1e-30, random, 0.0)  # where rounding would be divided by nothing
    rivals = p * (1 + 0.9 * random / random.abs().amax(-1, keepdim=True))
    rivals = rivals / rivals.sum(-1, keepdim=True)
    log_density = problem.found.density.log()
    measured = entropy(rivals) + torch.xlogy(rivals, p).sum(-1) - (rivals * log_density).sum(-1)
    excess = measured - problem.found.entropy
    return largest(excess), gap(-excess, divergence(rivals, p.expand_as(rivals)))


# --- Helmholtz


def landscape(depth: float, room: float) -> Float64[Tensor, " states"]:
    """Energy of each position: a narrow well of that depth, and a wide one half as deep and ``room`` times as wide."""
    narrow = torch.exp(-0.5 * ((POSITIONS - NARROW) / WIDTH) ** 2)
    wide = torch.exp(-0.5 * ((POSITIONS - WIDE) / (room * WIDTH)) ** 2)
    return -depth * (narrow + 0.5 * wide)


def even(energy: Tensor) -> Tensor:
    return torch.full_like(energy, 1 / energy.shape[-1])


def heated(depth: float, room: float, steps: int) -> dict[str, list[float]]:
    """By temperature: U, S and F where a descent of F ended, its distance to Boltzmann's, and the share left of the
    barrier."""
    energy = landscape(depth, room)
    ended = helmholtz.settle(energy, TEMPERATURES, even(energy), steps)
    exact = helmholtz.canonical(energy, TEMPERATURES)
    return {
        "temperature": TEMPERATURES.tolist(),
        "energy": (ended @ energy).tolist(),
        "entropy": entropy(ended).tolist(),
        "free_energy": helmholtz.free_energy(ended, energy, TEMPERATURES).tolist(),
        "log_partition": exact.log_partition.tolist(),
        "distance": (0.5 * (ended - exact.probabilities).abs().sum(-1)).tolist(),
        "narrow": ended[:, POSITIONS < BETWEEN].sum(-1).tolist(),
    }


def warm(trials: int, steps: int, generator: torch.Generator) -> Found:
    """Helmholtz's laws for random energies of twenty states at random temperatures."""
    energy = 3 * torch.randn((trials, 20), generator=generator, dtype=torch.float64)
    temperature = 0.2 + 4.8 * torch.rand(trials, generator=generator, dtype=torch.float64)
    temperature.requires_grad_()
    exact = helmholtz.canonical(energy, temperature)
    (slope,) = torch.autograd.grad(exact.free_energy.sum(), temperature, retain_graph=True)
    (capacity,) = torch.autograd.grad(exact.energy.sum(), temperature)
    exact, temperature = helmholtz.Canonical(*(part.detach() for part in exact)), temperature.detach()
    ended = helmholtz.settle(energy, temperature, even(energy), steps)
    rivals = drawn((trials, 20), generator)
    above = helmholtz.free_energy(rivals, energy, temperature) - exact.free_energy
    return {
        "boltzmann.any.distance": largest(0.5 * (ended - exact.probabilities).abs().sum(-1)),
        "boltzmann.any.error": gap(helmholtz.free_energy(ended, energy, temperature), exact.free_energy),
        "boltzmann.rival.excess": largest(-above),
        "boltzmann.rival.error": gap(above, temperature * divergence(rivals, exact.probabilities)),
        "slope.error": gap(slope, -exact.entropy),
        "capacity.error": gap(capacity, exact.heat_capacity),
    }


# --- the twin


class Percept(NamedTuple):
    """What is believed of a size before the light and, in three ways, after it."""

    prior: Float64[Tensor, " sizes"]
    log_likelihood: Float64[Tensor, " sizes"]
    path: Float64[Tensor, "passed sizes"]
    gaussian: Float64[Tensor, " sizes"]
    posterior: Float64[Tensor, " sizes"]


def seen(light: float, expected: float, noise: float, steps: int) -> Percept:
    """Bogacz's (2017) animal: it expects N(expected, 1) and receives N(size², noise²)."""
    prior = torch.softmax(-0.5 * (SIZES - expected) ** 2, 0)
    normal = torch.distributions.Normal(SIZES**2, torch.tensor(noise, dtype=torch.float64))
    log_likelihood = normal.log_prob(torch.tensor(light, dtype=torch.float64))
    joint = variational.energy(prior, log_likelihood)
    path = torch.stack(list(helmholtz.descent(joint, torch.tensor(1.0, dtype=torch.float64), prior, steps)))
    gaussian = variational.fit_gaussian(SIZES, prior, log_likelihood)
    return Percept(prior, log_likelihood, path, gaussian, variational.posterior(prior, log_likelihood))


def perceived(percept: Percept) -> Found:
    """Where the descent of F ends, how tight the bound is there, and what a Gaussian belief leaves."""
    ended, gaussian = (
        variational.free_energy(belief, percept.prior, percept.log_likelihood)
        for belief in (percept.path[-1], percept.gaussian)
    )
    return {
        "percept.size": float(SIZES[percept.path[-1].argmax()]),
        "percept.gap": float(ended.value - ended.surprise),
        "percept.distance": float(0.5 * (percept.path[-1] - percept.posterior).abs().sum()),
        "percept.surprise": float(ended.surprise),
        "percept.gaussian.gap": float(gaussian.value - gaussian.surprise),
    }


def believed(trials: int, generator: torch.Generator) -> Found:
    """The laws of variational free energy, for random priors, likelihoods and beliefs over twelve causes."""
    prior, belief = drawn((trials, 12), generator), drawn((trials, 12), generator)
    log_likelihood = 2 * torch.randn((trials, 12), generator=generator, dtype=torch.float64)
    f = variational.free_energy(belief, prior, log_likelihood)
    posterior = variational.posterior(prior, log_likelihood)
    tight = variational.free_energy(posterior, prior, log_likelihood)
    joint, temperature = variational.energy(prior, log_likelihood), torch.ones(trials, dtype=torch.float64)
    thermal, by_bayes = helmholtz.canonical(joint, temperature), prior * log_likelihood.exp()
    evidence = by_bayes.sum(-1)
    by_bayes = by_bayes / evidence[:, None]
    return {
        "bound.excess": largest(f.surprise - f.value),
        "bound.error": gap(tight.value, tight.surprise),
        "parts.error": max(gap(f.value, f.divergence + f.surprise), gap(f.value, f.complexity - f.accuracy)),
        "twin.error": max(
            gap(helmholtz.free_energy(belief, joint, temperature), divergence(belief, by_bayes) - evidence.log()),
            gap(thermal.probabilities, by_bayes),
            gap(thermal.free_energy, -evidence.log()),
        ),
    }


# --- Gibbs


def pressed() -> Found:
    """The ideal gas at a pressure: its volume, dG/dp, dG/dT and the entropies of the noble gases, relative or per mole.

    The slopes are differences of minima that were each found anew.
    """
    temperature = torch.tensor([4.0, 300.0, 3000.0], dtype=torch.float64)
    pressure = torch.tensor([1e3, ATMOSPHERE, 1e7], dtype=torch.float64)
    mole = gibbs.ideal_gas(gibbs.AVOGADRO, NOBLE["Ar"][0] * gibbs.DALTON)
    start = torch.ones(3, dtype=torch.float64)

    def at(t: Tensor, p: Tensor) -> gibbs.Equilibrium:
        return gibbs.equilibrium(mole, t, p, start)

    rest, step = at(temperature, pressure), 1e-4
    by_pressure = (at(temperature, pressure * (1 + step)).gibbs - at(temperature, pressure * (1 - step)).gibbs) / (
        2 * step * pressure
    )
    by_temperature = (at(temperature * (1 + step), pressure).gibbs - at(temperature * (1 - step), pressure).gibbs) / (
        2 * step * temperature
    )
    law = gibbs.AVOGADRO * gibbs.K * temperature / pressure
    standard = at(torch.full((3,), 273.15, dtype=torch.float64), torch.full((3,), ATMOSPHERE, dtype=torch.float64))
    litres = 1000 * float(standard.volume[0])
    measures = {
        "gas.volume.error": gap(rest.volume / law, 1.0),
        "gas.pressure.error": gap(by_pressure / rest.volume, 1.0),
        "gas.temperature.error": gap(-by_temperature / rest.entropy, 1.0),
        "gas.litres": litres,
        "gas.litres.error": abs(litres - LITRES),
    }
    room = torch.tensor(298.15, dtype=torch.float64)
    bar, one = torch.tensor(1e5, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    for name, (mass, tabled) in NOBLE.items():
        gas = gibbs.ideal_gas(gibbs.AVOGADRO, mass * gibbs.DALTON)
        measures[f"gas.entropy.{name}"] = float(gibbs.equilibrium(gas, room, bar, one).entropy)
        measures[f"gas.entropy.{name}.error"] = abs(measures[f"gas.entropy.{name}"] - tabled)
    return measures
