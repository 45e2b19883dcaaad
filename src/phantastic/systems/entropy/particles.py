"""The study `particles`: a gas is released, turned round, watched one by one, and pressed together."""

from collections.abc import Mapping
from copy import deepcopy
from math import log, log2, pi, sqrt
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
from phantastic.systems.entropy.box import Gas, scattered
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


def energy(traces: Traces) -> Float64[ndarray, " t"]:
    """E at every look."""
    return np.sum(traces["energies"], -1) + np.asarray(traces["potential"])


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
    full, half = (expected_log_microstates(recipe.particles, cells) for cells in (SIDE**2, SIDE**2 // 2))
    found["entropy.scattered"] = full / recipe.particles
    grown = found["entropy.end"] - found["entropy.start"]
    found["growth.deviation"] = grown * recipe.particles / (full - half) - 1
    traces["free"] = watch(released(recipe, seed, recipe.step, collide=False), recipe.time)
    found["speeds.start.ks"] = distance(np.array(traces["out"]["energies"][0]))
    for name, key in (("end", "out"), ("free", "free")):
        found[f"speeds.{name}.ks"] = distance(np.array(traces[key]["energies"][late:]))
    return traces, found


def kept(recipe: ParticlesRecipe, seed: int) -> dict[str, float]:
    """How far E strays in the first unit of time, and with which power of the step."""
    strayed = []
    for step in (recipe.step, recipe.step / 2):
        e = energy(watch(released(recipe, seed, step), 1.0))
        strayed.append(np.abs(e / e[0] - 1))
    order = log2(float(np.sqrt((strayed[0] ** 2).mean() / (strayed[1] ** 2).mean())))
    return {"energy.drift": float(strayed[0].max()), "energy.order": order, "energy.order.deviation": order / 2 - 1}


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


def stroke(gas: Gas, time: float, length: float, bath: np.random.Generator | None = None) -> tuple[Traces, float, float]:
    """The piston goes evenly to ``length``; temperatures by length, work and heat. A bath has the temperature 1."""
    steps, begun, work, heat = round(time / gas.step), gas.length, 0.0, 0.0
    traces: Traces = {"length": [], "temperature": []}
    for step in range(1, steps + 1):
        work += gas.go(begun + (length - begun) * step / steps)
        if bath is not None:
            met = np.flatnonzero(bath.random(len(gas.now)) < CONTACT * gas.step)
            heat += gas.heat(met, bath.normal(size=(len(met), 2)))
        if step % max(1, steps // 100) == 0:
            traces["length"].append(gas.length)
            traces["temperature"].append(float(gas.kinetic().mean()))
    return traces, work, heat


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
            found["slow.deviation"] = after / before * HALF - 1  # E V, that is T V
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
        "found": found | kept(recipe, seed) | ergodic | laws,
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
