"""The study `particles`: a gas is released, turned round, watched one by one, and pressed together."""

from collections.abc import Mapping
from copy import deepcopy
from math import log2, pi, sqrt
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import nn

from phantastic.ground.randomness import numpy_generator
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.entropy import particles_figures as pictures
from phantastic.systems.entropy.box import STIFFNESS, Gas, scattered
from phantastic.systems.entropy.counting import expected_log_microstates, log_microstates
from phantastic.systems.entropy.study import ParticlesRecipe

Traces = dict[str, list]
SIDE = 4  # cells along each side of the box
OFTEN = 0.05  # time between two looks
QUICK = 0.5  # time of the quick stroke: the piston is about as fast as the particles
HALF = 0.5  # of the length is left when the stroke ends
CONTACT = 4.0  # how often a particle meets the bath, per unit of time


def entropy(gas: Gas) -> float:
    """ln W per particle, of how many are in each of the cells."""
    cells = np.clip((gas.places() * SIDE).astype(int), 0, SIDE - 1)
    counts = np.bincount(cells[:, 0] * SIDE + cells[:, 1], minlength=SIDE**2)
    return float(log_microstates(torch.as_tensor(counts, dtype=torch.float64))) / len(cells)


def distance(energies: Float64[ndarray, " n"]) -> float:
    """Kolmogorov's, of kinetic energies to Maxwell's law in two dimensions, 1 - exp(-K / T), T their mean."""
    law = -np.expm1(-np.sort(energies.ravel()) / energies.mean())
    steps = np.arange(energies.size + 1) / energies.size
    return float(np.maximum(steps[1:] - law, law - steps[:-1]).max())


def released(recipe: ParticlesRecipe, seed: int, step: float, *, collide: bool = True) -> Gas:
    """All in the left half, equally fast, in random directions: K = 1 for each, U = 0."""
    generator = numpy_generator(seed, "particles/release")
    places = scattered(recipe.particles, recipe.diameter, HALF, generator)
    angles = generator.uniform(0, 2 * pi, recipe.particles)
    velocities = sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], -1)
    return Gas(places, velocities, recipe.diameter, step, collide=collide)


def watch(gas: Gas, time: float) -> Traces:
    """Let time go on; look every `OFTEN` at entropy, energies and places."""
    traces: Traces = {"t": [], "entropy": [], "energies": [], "potential": [], "places": []}
    every = max(1, round(OFTEN / gas.step))
    for step in range(round(time / gas.step) + 1):
        if step % every == 0:
            traces["t"].append(step * gas.step)
            traces["entropy"].append(entropy(gas))
            traces["energies"].append(gas.kinetic().tolist())
            traces["potential"].append(gas.potential())
            traces["places"].append(gas.places().round(4).tolist())
        if step < round(time / gas.step):
            gas.go()
    return traces


def loschmidt(recipe: ParticlesRecipe, seed: int) -> tuple[dict[str, Traces], dict[str, float]]:
    """The gas expands; then all velocities are turned; and once more, one disk displaced by one step of the lattice."""
    gas = released(recipe, seed, recipe.step)
    start, found = gas.now.copy(), {}
    traces = {"out": watch(gas, recipe.time)}
    gas.turn()
    nudged = deepcopy(gas)
    nudged.now[0, 0] += 1
    nudged.before[0, 0] += 1
    nudged.feel()
    for name, other in (("back", gas), ("nudged", nudged)):
        traces[name] = watch(other, recipe.time)
        found[f"{name}.distance"] = float(np.sqrt(np.square((other.now - start) * 2.0**-44).sum(-1).mean()))
        found[f"entropy.{name}"] = traces[name]["entropy"][-1]
    late = len(traces["out"]["t"]) // 2
    found["entropy.start"] = traces["out"]["entropy"][0]
    found["entropy.end"] = float(np.mean(traces["out"]["entropy"][late:]))
    found["entropy.scattered"] = expected_log_microstates(recipe.particles, SIDE**2) / recipe.particles
    found["entropy.end.deviation"] = found["entropy.end"] / found["entropy.scattered"] - 1
    kinetic, potential = np.sum(traces["out"]["energies"], -1), np.array(traces["out"]["potential"])
    found["energy.strays"] = float(np.abs((kinetic + potential) / kinetic[0] - 1).max())
    found["energy.exchanged"] = float(potential.max() / kinetic[0])
    traces["free"] = watch(released(recipe, seed, recipe.step, collide=False), recipe.time)
    found["speeds.start.ks"] = distance(np.array(traces["out"]["energies"][0]))
    for name, key in (("end", "out"), ("free", "free")):
        found[f"speeds.{name}.ks"] = distance(np.array(traces[key]["energies"][late:]))
    return traces, found


def order(recipe: ParticlesRecipe, seed: int) -> dict[str, float]:
    """With which power of the step E strays, over the first quarter of a unit of time."""
    strayed = []
    for step in (recipe.step / 2, recipe.step / 4):
        gas = released(recipe, seed, step)
        start, squares = gas.energy(), []
        for _ in range(round(0.25 / step)):
            gas.go()
            squares.append((gas.energy() - start) ** 2)
        strayed.append(sqrt(np.mean(squares)))
    power = log2(strayed[0] / strayed[1])
    return {"energy.order": power, "energy.order.deviation": power / 2 - 1}


def filling(recipe: ParticlesRecipe, seed: int, purpose: str, *, collide: bool = True) -> Gas:
    """In equilibrium all over the box: places at random, velocities by Maxwell's law, the mean of K exactly 1."""
    generator = numpy_generator(seed, f"particles/{purpose}")
    velocities = generator.normal(size=(recipe.particles, 2))
    velocities *= sqrt(2 * recipe.particles / (velocities**2).sum())
    places = scattered(recipe.particles, recipe.diameter, 1.0, generator)
    return Gas(places, velocities, recipe.diameter, recipe.step, collide=collide)


def alone(recipe: ParticlesRecipe, seed: int) -> tuple[dict[str, Traces], dict[str, float]]:
    """The mean over time of each particle's vx²: how much the particles differ in it, relative to the mean over all."""
    traces, found, steps = {}, {}, round(recipe.watched / recipe.step)
    for name in ("gas", "free"):
        gas, total = filling(recipe, seed, "alone", collide=name == "gas"), np.zeros(recipe.particles)
        course: Traces = {"t": [], "means": [], "spread": []}
        at_start = gas.velocities()[:, 0] ** 2
        for step in range(1, steps + 1):
            gas.go()
            total += gas.velocities()[:, 0] ** 2
            if step % max(1, steps // 80) == 0:
                course["t"].append(step * recipe.step)
                course["means"].append((total[:6] / step).tolist())
                course["spread"].append(float(total.std() / total.mean()))
        traces[name], found[f"alone.{name}"] = course, course["spread"][-1]
        if name == "gas":
            found["alone.gas.quarter"] = course["spread"][len(course["spread"]) // 4 - 1]
            found["alone.gas.rate.deviation"] = 2 * found["alone.gas"] / found["alone.gas.quarter"] - 1
        else:
            found["alone.free.deviation"] = found["alone.free"] / float(at_start.std() / at_start.mean()) - 1
    return traces, found


def stroke(
    gas: Gas, time: float, length: float, bath: np.random.Generator | None = None
) -> tuple[Traces, float, float]:
    """The piston goes evenly to ``length``; energy per disk by length, work, heat. A bath has the temperature 1."""
    steps, begun, work, heat = round(time / gas.step), gas.length, 0.0, 0.0
    traces: Traces = {"length": [], "energy": []}
    for step in range(1, steps + 1):
        work += gas.go(begun + (length - begun) * step / steps)
        if bath is not None:
            met = np.flatnonzero(bath.random(len(gas.now)) < CONTACT * gas.step)
            heat += gas.heat(met, bath.normal(size=(len(met), 2)))
        if step % max(1, steps // 100) == 0:
            traces["length"].append(gas.length)
            traces["energy"].append(gas.energy() / len(gas.now))
    return traces, work, heat


def adiabatic(recipe: ParticlesRecipe) -> float:
    """E after over E before the slow stroke: dE = -p dV, p = E / V (1 + N B / V), without a piece of these dynamics.

    For points T V would be constant (γ = 2 in two dimensions). The walls keep disks off by δ = ∫ (1 - exp(-U / T)) dh;
    the second virial coefficient of their pairs is B = π ∫ (1 - exp(-U / T)) r dr; both at the temperature midway.
    """
    d, near = recipe.diameter, np.linspace(0, 1, 2001)
    wall, pair = (-np.expm1(-STIFFNESS * (1 - near**power) ** 4 / sqrt(2)) for power in (1, 2))
    off, b = d * np.trapezoid(wall, near), pi * d**2 * np.trapezoid(pair * near, near)
    wide, narrow = ((length - 2 * off) * (1 - 2 * off) for length in (1.0, HALF))
    return float(wide / narrow * np.exp(recipe.particles * b * (1 / narrow - 1 / wide)))


def pressed(recipe: ParticlesRecipe, seed: int) -> tuple[dict[str, Traces], dict[str, float]]:
    """Pressed to half its room: slowly and back, quickly and back, without collisions, and in touch with a bath."""
    traces, found = {}, {}
    for name in ("slow", "quick", "free", "bath"):
        gas = filling(recipe, seed, "pressed", collide=name != "free")
        before, across = gas.energy(), 0.5 * float((gas.velocities()[:, 0] ** 2).sum())
        time = QUICK if name == "quick" else recipe.stroke
        bath = numpy_generator(seed, "particles/bath") if name == "bath" else None
        traces[name], work, heat = stroke(gas, time, HALF, bath)
        after = gas.energy()
        found[f"{name}.work"], found[f"{name}.heat"] = work / recipe.particles, heat / recipe.particles
        found[f"{name}.firstlaw.error"] = abs(after - before - work - heat) / work
        if name == "slow":
            found["slow.deviation"] = after / before / adiabatic(recipe) - 1
        if name == "free":  # each keeps vx times the length, and vy
            found["free.deviation"] = after / (before + (HALF**-2 - 1) * across) - 1
        if name in ("slow", "quick"):
            found[f"{name}.energy"] = after / before
            traces[f"{name} back"], _, _ = stroke(gas, time, 1.0)
            found[f"{name}.lost"] = gas.energy() / before - 1
    return traces, found


def seeds_own(recipe: ParticlesRecipe, seed: int) -> dict[str, Any]:
    """All of one seed: what is drawn of it, and what is measured."""
    release, found = loschmidt(recipe, seed)
    watched, ergodic = alone(recipe, seed)
    piston, laws = pressed(recipe, seed)
    for course in release.values():  # of the places only what is drawn
        places = course.pop("places")
        course["places"] = [places[0], places[len(places) // 16], places[-1]]
    return {
        "traces": {"release": release, "alone": watched, "pressed": piston},
        "found": found | order(recipe, seed) | ergodic | laws,
    }


@final
class Particles(Experiment[ParticlesRecipe]):
    """See `study.py`."""

    def own(self, run: Run[ParticlesRecipe], seed: int) -> dict[str, Any]:
        return run.once(f"seed{seed}", lambda: seeds_own(run.recipe, seed), dict[str, Any])

    def one_seed(self, run: Run[ParticlesRecipe], recipe: ParticlesRecipe, seed: int) -> Scores:
        """Release and return, energy, time averages, and the strokes of the piston."""
        return self.own(run, seed)["found"]

    def networks(self, run: Run[ParticlesRecipe]) -> dict[str, nn.Module]:
        """None: there is no network here, so there is nothing to damage."""
        return {}

    def lesion_measures(self, run: Run[ParticlesRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Entropy per particle before and after the release, in nats; no lesion reaches it."""
        found = self.own(run, run.recipe.seed)["found"]
        return {name: found[f"entropy.{name}"] for name in ("start", "end")}

    def figures(self, run: Run[ParticlesRecipe]) -> dict[str, Figure]:
        """The box and its entropy, speeds and energies, particles watched one by one, the piston."""
        traces = self.own(run, run.recipe.seed)["traces"]
        measures = run.measures()
        return {
            "box": pictures.box(traces["release"], measures, run.recipe.time),
            "speeds": pictures.speeds(traces["release"]),
            "ergodic": pictures.ergodic(traces["alone"]),
            "piston": pictures.piston(traces["pressed"]),
        }
