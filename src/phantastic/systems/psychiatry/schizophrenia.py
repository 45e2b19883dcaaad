"""The study `schizophrenia`: cohorts, their precisions inferred from behaviour, and a map of regimes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
from msgspec.structs import replace
from torch import Tensor, nn

from phantastic.declare.measure import Measure, summarise
from phantastic.ground.randomness import numpy_generator
from phantastic.inference.precision import Precisions
from phantastic.inference.published import printed
from phantastic.inference.published.simulation import Simulation
from phantastic.measures.bootstrap import over_items
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.psychiatry import cohort, measure, regimes, schizophrenia_figures
from phantastic.systems.psychiatry.cohort import Cohort, Group
from phantastic.systems.psychiatry.fit import NORMAL, Data, Posterior, infer
from phantastic.systems.psychiatry.measure import INTENDED, vector
from phantastic.systems.psychiatry.simulate import follow, intending, pressed, watched, watching
from phantastic.systems.psychiatry.study import SchizophreniaRecipe
from phantastic.systems.psychiatry.tasks import EYES, OCCLUDED, Task, equal_forces, pressing

Inferred = dict[str, Any]  # of one task, see `inferred`
WHO = ("controls", "patients")
FELT, SEEN = 2, 17  # channels of the senses in pursuit: angle and velocity of the eye, photoreceptors


def eye_groups(recipe: SchizophreniaRecipe) -> tuple[Group, ...]:
    """log W2 and log V1 of controls and patients."""
    senses = (4.0, recipe.spread)
    return ((recipe.motion, recipe.spread), senses), ((recipe.motion_patients, recipe.spread), senses)


def hand_groups(recipe: SchizophreniaRecipe) -> tuple[Group, ...]:
    """h and D of controls and patients, whose attenuation falls as far as their prior beliefs make up for it."""
    lost, spread = recipe.delusion, 0.7 * recipe.spread
    normal = (recipe.attenuation, spread), (0.0, spread)
    return normal, ((max(recipe.attenuation - lost, 0.5), spread), (lost, spread))


def eyes(recipe: SchizophreniaRecipe, seed: int) -> Inferred:
    """Everyone's pursuit as a clinic measures it, and the precisions inferred from the traces of the first people."""
    people = cohort.draw(eye_groups(recipe), recipe.people, EYES.prior, seed, "eyes")
    pursuit = follow(OCCLUDED, people.parameters[:, 0], people.parameters[:, 1])
    first = torch.arange(min(recipe.fitted, recipe.people))
    data = cohort.measured(pursuit.eye[first], recipe.eye_noise, recipe.trials, seed, "eyes")
    return inferred(EYES, people, first, data, recipe.starts) | {"clinic": lists(measure.clinic(pursuit))}


def hands(recipe: SchizophreniaRecipe, seed: int) -> Inferred:
    """Everyone's forces and illusion, and attenuation and compensation inferred from those of the first people."""
    task = pressing(vector(*INTENDED))
    people = cohort.draw(hand_groups(recipe), recipe.people, task.prior, seed, "hands")
    forces = task.simulate(people.parameters)
    own, equal = forces.split(len(INTENDED), -1)
    first = torch.arange(min(recipe.fitted, recipe.people))
    data = cohort.measured(forces[first], recipe.force_noise, recipe.trials, seed, "hands")
    clinic = {"own": own.mean(-1), "illusion": (own - equal).mean(-1)}
    return inferred(task, people, first, data, recipe.starts) | {"clinic": lists(clinic)}


def inferred(task: Task, people: Cohort, first: Tensor, data: Data, starts: int) -> Inferred:
    """Truth, posterior, recovery and group comparison of the ``first`` people."""
    fitted = people.of(first)
    posterior = infer(task.simulate, data, task.prior, starts)
    groups = [Posterior(*(each[fitted.group == number] for each in posterior)) for number in range(len(WHO))]
    levels = [cohort.level(group, task.prior) for group in groups]
    differences = cohort.compare(levels[1], levels[0], len(first))
    truth = [fitted.parameters[fitted.group == number].mean(0) for number in range(len(WHO))]
    return {
        "names": task.names,
        "group": people.group.tolist(),
        "truth": fitted.parameters.tolist(),
        "mean": posterior.mean.tolist(),
        "deviation": posterior.deviation.tolist(),
        "recovery": [list(each) for each in cohort.recovered(fitted, posterior)],
        "level": [{"mean": m.tolist(), "deviation": c.diagonal().sqrt().tolist()} for m, c, _ in levels],
        "difference": [list(each) for each in differences],
        "true_difference": (truth[1] - truth[0]).tolist(),
    }


def identified() -> dict[str, float]:
    """How far the own force that matches one from outside moves (rms over five forces, in newtons) when attenuation
    falls by 2, and when compensation rises by 2: the classical task, where the intention is unknown."""
    people = torch.tensor([[6.0, 0.0], [4.0, 0.0], [6.0, 2.0]], dtype=torch.float64)
    own = equal_forces(people, vector(0.5, 1.0, 1.5, 2.0, 2.5))
    moved = (own[1:] - own[0]).square().mean(-1).sqrt().tolist()
    return {f"matching.{name}.moves": value for name, value in zip(("attenuation", "delusion"), moved, strict=True)}


def too_precise() -> dict[str, float]:
    """How much further from a target that turns unexpectedly the eye is when log V1 rises by 2: that of vision, that of
    the eye's felt position, or both; with the control's prior and with a reduced one."""
    senses = {"vision": slice(FELT, None), "proprioception": slice(FELT), "both": slice(None)}
    log_V = torch.full((len(senses) + 1, FELT + SEEN), 4.0, dtype=torch.float64)
    for person, raised in enumerate(senses.values(), 1):
        log_V[person, raised] = 6.0
    ratios = {}
    for prior, log_W in (("", 4.0), (".reduced", 0.0)):
        prior_belief = vector(log_W).expand(len(log_V))
        distance = measure.rms(watched(watching("fig4_reversal_highprec", prior_belief, log_V).run()))
        ratios |= {f"precise.{sense}{prior}": float(distance[k] / distance[0]) for k, sense in enumerate(senses, 1)}
    return ratios


def lists(tensors: Mapping[str, Tensor]) -> dict[str, list[float]]:
    return {name: tensor.tolist() for name, tensor in tensors.items()}


def measures(results: Inferred, study: str, seed: int) -> dict[str, Measure | float]:
    """The numbers of one task by name; of what is measured on people, with an interval over resampled people."""
    scores: dict[str, Measure | float] = {}
    truth, mean, deviation = (np.array(results[key]) for key in ("truth", "mean", "deviation"))
    within_interval = np.abs(mean - truth) <= NORMAL * deviation

    def over_people(value: float, statistic: Callable[[np.ndarray], float], count: int) -> Measure:
        with np.errstate(divide="ignore", invalid="ignore"):  # of few people a resample may be one of them
            drawn = over_items(np.arange(count), numpy_generator(seed, f"{study}/bootstrap"), statistic)
        return replace(drawn, value=value, each=[value]) if np.isfinite(drawn.draws).all() else summarise([value])

    for k, name in enumerate(results["names"]):
        r, within, coverage, error = results["recovery"][k]
        apart, low, high = results["difference"][k]
        true = results["true_difference"][k]
        scores |= {
            f"{study}.{name}.r": over_people(
                r, lambda rows, k=k: float(np.corrcoef(mean[rows, k], truth[rows, k])[0, 1]), len(truth)
            ),
            f"{study}.{name}.coverage": over_people(
                coverage, lambda rows, k=k: float(within_interval[rows, k].mean()), len(truth)
            ),
            f"{study}.{name}.error": error,
            f"{study}.{name}.difference": apart,
            f"{study}.{name}.difference.low": low,
            f"{study}.{name}.difference.high": high,
            f"{study}.{name}.difference.missed": max(low - true, true - high),
        }
        scores |= {f"{study}.{name}.{who}.r": value for who, value in zip(WHO, within, strict=True)}
    group = np.array(results["group"])
    for name, values in results["clinic"].items():
        recorded = np.array(values, float)
        for number, who in enumerate(WHO):
            own = recorded[(group == number) & np.isfinite(recorded)]
            scores[f"{study}.{who}.{name}"] = over_people(
                float(own.mean()), lambda rows, own=own: float(own[rows].mean()), len(own)
            )
    return scores


def typical(recipe: SchizophreniaRecipe) -> dict[str, Simulation]:
    """The mean control and the mean patient in the two tasks."""
    motion, senses = (vector(*values) for values in means(eye_groups(recipe)))
    h, D = (vector(*values) for values in means(hand_groups(recipe)))
    return {"eyes": watching(OCCLUDED, motion, senses), "hands": intending(h, D, vector(1, 1)).changed(noise={})}


def means(groups: tuple[Group, ...]) -> list[tuple[float, ...]]:
    """Of every parameter, by group."""
    return list(zip(*([mean for mean, _ in group] for group in groups), strict=True))


@final
class Schizophrenia(Experiment[SchizophreniaRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[SchizophreniaRecipe], recipe: SchizophreniaRecipe, seed: int) -> Scores:
        """Two cohorts, in one task each."""
        eye_results = run.once(f"seed{seed}/eyes", lambda: eyes(recipe, seed), Inferred)
        hand_results = run.once(f"seed{seed}/hands", lambda: hands(recipe, seed), Inferred)
        return measures(eye_results, "eyes", seed) | measures(hand_results, "hands", seed)

    def overall(
        self, run: Run[SchizophreniaRecipe], recipe: SchizophreniaRecipe, seeds: Sequence[Mapping[str, Measure]]
    ) -> Scores:
        """What is not random."""
        fixed = run.once("identified", identified, dict[str, float])
        fixed |= run.once("precise", too_precise, dict[str, float])
        return fixed | regimes.measures(run.once("map", lambda: regimes.mapped(recipe.grid), regimes.Mapped))

    def networks(self, run: Run[SchizophreniaRecipe]) -> dict[str, nn.Module]:
        """The log-precisions of the mean control and the mean patient at once, in both tasks; nothing is trained."""
        return {name: Precisions(task.model).eval() for name, task in typical(run.recipe).items()}

    def lesion_measures(self, run: Run[SchizophreniaRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Distance of eye and target, and the force-matching illusion, of the mean control and patient with these
        precisions."""
        tasks = typical(run.recipe)
        for name, task in tasks.items():
            precisions = networks[name]
            assert isinstance(precisions, Precisions)
            tasks[name] = task.changed(model=precisions.imposed(task.model))
        own, equal = pressed(tasks["hands"].run()).peak()
        distance = measure.rms(watched(tasks["eyes"].run()))
        scores = {f"eyes.{who}.rms": float(distance[k]) for k, who in enumerate(WHO)}
        return scores | {f"hands.{who}.illusion": float(own[k] - equal[k]) for k, who in enumerate(WHO)}

    def figures(self, run: Run[SchizophreniaRecipe]) -> dict[str, Figure]:
        """The map, the cohort's behaviour, recovery and comparison of the groups, of the first seed."""
        eye_results = run.result(f"seed{run.recipe.seed}/eyes", Inferred)
        hand_results = run.result(f"seed{run.recipe.seed}/hands", Inferred)
        of_tasks = [(EYES, eye_results), (pressing(vector(*INTENDED)), hand_results)]
        return {
            "map": schizophrenia_figures.mapped(run.result("map", regimes.Mapped)),
            "cohort": schizophrenia_figures.behaviour(eye_results, hand_results),
            "recovery": schizophrenia_figures.recovery(of_tasks),
            "groups": schizophrenia_figures.groups(of_tasks),
        }

    def equations(self, run: Run[SchizophreniaRecipe]) -> dict[str, list[str]]:
        """The equations of the published models, for the report."""
        return printed(("occlusion", "fig1_occluded_highprec"), ("attenuation", "self_hE+6"))
