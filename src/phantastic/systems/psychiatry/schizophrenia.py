"""The study `schizophrenia`: cohorts, their precisions inferred from behaviour, and a map of regimes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
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
from phantastic.systems.psychiatry import cohort, measure, recording, regimes, schizophrenia_figures
from phantastic.systems.psychiatry.check import check
from phantastic.systems.psychiatry.cohort import Cohort, Group
from phantastic.systems.psychiatry.fit import NORMAL, Data, Posterior, infer
from phantastic.systems.psychiatry.measure import INTENDED, vector
from phantastic.systems.psychiatry.simulate import follow, intending, pressed, watched, watching
from phantastic.systems.psychiatry.study import SchizophreniaRecipe
from phantastic.systems.psychiatry.tasks import EYES, OCCLUDED, Task, equal_forces, pressing

Inferred = dict[str, Any]  # of one task, see `inferred`
WHO = ("controls", "patients")
NARROW = 1.644854  # half the width of a 90% interval, in standard deviations
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
    """Everyone's pursuit as a clinic measures it; the precisions inferred from the recorded traces of the first people,
    with what the recording did and, to compare, as if it had done nothing (``ignored``); and whom the checks mark."""
    people = cohort.draw(eye_groups(recipe), recipe.people, EYES.prior, seed, "eyes")
    pursuit = follow(OCCLUDED, people.parameters[:, 0], people.parameters[:, 1])
    first = torch.arange(min(recipe.fitted, recipe.people))
    traces = recording.recorded(pursuit.eye[first], recipe, seed, "eyes")
    data = cohort.measured(traces, recipe.eye_noise, recipe.trials, seed, "eyes")
    found = inferred(EYES, people, first, data, recipe.starts)
    ignored = inferred(EYES._replace(recording=None), people, first, data, recipe.starts)
    target = pursuit.target[0]
    marks = astray(recipe, pursuit.eye[: recipe.astray], target, seed)
    plain, group = recording.unlike(data.mean, target), people.group[first]
    for number, who in enumerate(WHO):
        follows = torch.tensor(found["follows"])[group == number]
        marks |= {who: (~follows).tolist(), f"plain.{who}": plain[group == number].tolist()}
    return found | {"clinic": lists(measure.clinic(pursuit)), "ignored": ignored, "marks": marks}


def astray(recipe: SchizophreniaRecipe, traces: Tensor, target: Tensor, seed: int) -> dict[str, list[bool]]:
    """Who is marked as not following, of those who do not, by kind; and by the plain rule."""
    marks = {}
    for kind, drawn in recording.astray(traces, target, seed).items():
        traces = recording.recorded(drawn, recipe, seed, kind)
        data = cohort.measured(traces, recipe.eye_noise, recipe.trials, seed, kind)
        posterior = infer(EYES.simulate, data, EYES.prior, recipe.starts, recording=EYES.recording)
        marks[kind] = (~check(data, posterior, EYES.prior).follows).tolist()
        marks[f"plain.{kind}"] = recording.unlike(data.mean, target).tolist()
    return marks


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
    whole = infer(task.simulate, data, task.prior, starts, recording=task.recording)
    posterior = whole.first(len(task.names))
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
        "follows": check(data, whole, task.prior).follows.tolist(),
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


def over_people(statistic: Callable[[np.ndarray], float], count: int, seed: int, study: str) -> Measure:
    """A statistic of ``count`` people's numbers, with an interval over resampled people."""
    with np.errstate(divide="ignore", invalid="ignore"):  # of few people a resample may be one of them
        found = over_items(np.arange(count), numpy_generator(seed, f"{study}/bootstrap"), statistic)
    return found if np.isfinite(found.draws).all() else summarise([found.value])


def measures(results: Inferred, study: str, seed: int, purpose: str | None = None) -> dict[str, Measure | float]:
    """The numbers of one task by name. What has the same ``purpose`` is resampled alike."""
    scores: dict[str, Measure | float] = {}
    truth, mean, deviation = (np.array(results[key]) for key in ("truth", "mean", "deviation"))
    group = np.array(results["group"])[: len(truth)]
    error = mean - truth
    away = np.abs(error) / deviation

    def over(statistic: Callable[[np.ndarray], float], count: int = len(truth)) -> Measure:
        return over_people(statistic, count, seed, purpose or study)

    for k, name in enumerate(results["names"]):
        _, within, _, size = results["recovery"][k]
        apart, low, high = results["difference"][k]
        true, spread = results["true_difference"][k], truth[:, k].std()
        scores |= {
            f"{study}.{name}.r": over(lambda rows, k=k: float(np.corrcoef(mean[rows, k], truth[rows, k])[0, 1])),
            f"{study}.{name}.coverage": over(lambda rows, k=k: float((away[rows, k] <= NORMAL).mean())),
            f"{study}.{name}.coverage90": over(lambda rows, k=k: float((away[rows, k] <= NARROW).mean())),
            f"{study}.{name}.error": size,
            f"{study}.{name}.difference": apart,
            f"{study}.{name}.difference.low": low,
            f"{study}.{name}.difference.high": high,
            f"{study}.{name}.difference.missed": max(low - true, true - high),
        }
        scores |= {f"{study}.{name}.{who}.r": value for who, value in zip(WHO, within, strict=True)}
        for number, who in enumerate(WHO):
            moved = error[group == number, k] / spread
            scores[f"{study}.{name}.{who}.bias"] = over(lambda rows, own=moved: float(own[rows].mean()), len(moved))
    return scores


def clinical(results: Inferred, study: str, seed: int) -> dict[str, Measure]:
    """What a clinic measures of each group."""
    scores, group = {}, np.array(results["group"])
    for name, values in results["clinic"].items():
        recorded = np.array(values, float)
        for number, who in enumerate(WHO):
            own = recorded[(group == number) & np.isfinite(recorded)]
            scores[f"{study}.{who}.{name}"] = over_people(
                lambda rows, own=own: float(own[rows].mean()), len(own), seed, study
            )
    return scores


def judged(results: Inferred, seed: int) -> dict[str, Measure]:
    """Shares of people: whose inferred log W2 is nearer to the mean of the other group than to that of their own, with
    the recording inferred and with it ignored; who is marked as not following, by the checks and by the plain rule."""
    truth = np.array(results["truth"])[:, 0]
    group = np.array(results["group"])[: len(truth)]
    middle = (truth[group == 0].mean() + truth[group == 1].mean()) / 2
    shares = {f"marked.{kind}": marks for kind, marks in results["marks"].items()}
    for study, found in (("eyes", results), ("ignored", results["ignored"])):
        motion = np.array(found["mean"])[:, 0]
        wrong = (motion < middle) == (group == 0)
        shares |= {f"{study}.{who}.mistaken": wrong[group == number] for number, who in enumerate(WHO)}
    found = {name: np.array(own, float) for name, own in shares.items()}
    return {
        name: over_people(lambda rows, own=own: float(own[rows].mean()), len(own), seed, "eyes")
        for name, own in found.items()
    }


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
        ignored = measures(eye_results["ignored"], "ignored", seed, "eyes")
        found = measures(eye_results, "eyes", seed) | ignored | measures(hand_results, "hands", seed)
        found |= clinical(eye_results, "eyes", seed) | clinical(hand_results, "hands", seed)
        return found | judged(eye_results, seed)

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
