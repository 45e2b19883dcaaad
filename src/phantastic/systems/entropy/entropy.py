"""The study `entropy`: nothing is trained; laws are tried on random cases and optima are held against closed forms."""

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import nn

from phantastic.declare.measure import Measure
from phantastic.ground.randomness import torch_generator
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.entropy import belief, belief_figures, column, energy_figures, measure
from phantastic.systems.entropy import entropy_figures as pictures
from phantastic.systems.entropy.measure import Found
from phantastic.systems.entropy.study import EntropyApply, EntropyRecipe

BOGACZ = {"light": 2.0, "expected": 3.0, "noise": 1.0}  # what the published size was seen with


def tried(recipe: EntropyRecipe, seed: int) -> Found:
    """Every law on the random cases of one seed."""
    measures = measure.letters(recipe.trials, torch_generator(seed, "entropy/letters"))
    rivals = {
        name: measure.highest(problem, recipe.trials, torch_generator(seed, f"entropy/rivals/{name}"))
        for name, problem in measure.problems().items()
    }
    measures["maxent.rival.excess"] = max(excess for excess, _ in rivals.values())
    measures["maxent.rival.error"] = max(error for _, error in rivals.values())
    measures |= measure.warm(recipe.trials, recipe.steps, torch_generator(seed, "entropy/energies"))
    measures |= measure.believed(recipe.trials, torch_generator(seed, "entropy/beliefs"))
    measures |= belief.turned(recipe.trials, torch_generator(seed, "entropy/animals"))
    return measures | belief.conjugate(min(recipe.trials, 100), torch_generator(seed, "entropy/conjugate"))


def certain(recipe: EntropyRecipe) -> Found:
    """What is not random: optima and limits."""
    count = measure.counted(recipe.particles)
    measures = {
        "stirling.gap": count["gap"][-1],
        "stirling.gap.deviation": count["gap"][-1] / count["stirling"][-1] - 1,
    }
    for name, problem in measure.problems().items():
        measures[f"maxent.{name}.entropy"] = problem.found.entropy
        measures[f"maxent.{name}.error"] = measure.gap(problem.found.density, problem.closed)
    if recipe.dice == 4.5:
        die = measure.thrown(recipe.dice)
        measures["dice.error"] = measure.gap(die.probabilities, torch.tensor(measure.DICE, dtype=torch.float64))
    heat = measure.heated(recipe.depth, recipe.room, recipe.steps)
    measures["boltzmann.distance"] = max(heat["distance"])
    measures["boltzmann.error"] = max(
        abs(f + t * z) for f, t, z in zip(heat["free_energy"], heat["temperature"], heat["log_partition"], strict=True)
    )
    measures["wells.cold.narrow"], measures["wells.hot.wide"] = heat["narrow"][0], 1 - heat["narrow"][-1]
    measures |= measure.perceived(measure.seen(recipe.light, recipe.expected, recipe.noise, recipe.steps))
    if all(getattr(recipe, name) == value for name, value in BOGACZ.items()):
        measures["percept.size.error"] = abs(measures["percept.size"] - measure.SIZE)
    return measures | measure.pressed()


@final
class Entropy(Experiment[EntropyRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[EntropyRecipe], recipe: EntropyRecipe, seed: int) -> Scores:
        """Every law, tried on random cases."""
        measures = run.once(f"seed{seed}", lambda: tried(recipe, seed), dict[str, float])
        return measures | run.once(f"surprise{seed}", lambda: belief.bored(recipe.trials, seed), dict[str, Measure])

    def overall(self, run: Run[EntropyRecipe], recipe: EntropyRecipe, seeds: Sequence[Mapping[str, Measure]]) -> Scores:
        """What is certain."""
        return run.once("certain", lambda: certain(recipe), dict[str, float])

    def networks(self, run: Run[EntropyRecipe]) -> dict[str, nn.Module]:
        """None: there is no network here, so there is nothing to damage."""
        return {}

    def lesion_measures(self, run: Run[EntropyRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Free energy where its descent ends and the surprise under it, in nats; no lesion reaches them."""
        recipe = run.recipe
        measures = measure.perceived(measure.seen(recipe.light, recipe.expected, recipe.noise, recipe.steps))
        return {
            "free_energy": measures["percept.surprise"] + measures["percept.gap"],
            "surprise": measures["percept.surprise"],
        }

    def figures(self, run: Run[EntropyRecipe]) -> dict[str, Figure]:
        """Counting, maximum entropy, Boltzmann's distribution, perception as its twin, action, surprise, a gas."""
        recipe = run.recipe
        return {
            "microstates": pictures.microstates(measure.counted(recipe.particles)),
            "maximum-entropy": pictures.maximum(measure.problems(), recipe.dice),
            "boltzmann": energy_figures.boltzmann(recipe),
            "perception": energy_figures.perception(recipe),
            "action": belief_figures.action(),
            "surprise": belief_figures.surprises(recipe.trials, recipe.seed),
            "gibbs": energy_figures.gas(recipe.kelvin),
        }

    def apply(self, run: Run[EntropyRecipe], request: EntropyApply) -> list[str]:
        """--data FILE.csv [--column NAME]: entropy, surprises and maximum-entropy fits of the user's numbers."""
        return column.apply(run.artefact("columns"), run.recipe.bins, request)
