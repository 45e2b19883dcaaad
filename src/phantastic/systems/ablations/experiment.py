"""The study `ablations`: every network is pre-trained on the same number of tokens, then asked the same tasks."""

from collections.abc import Mapping
from functools import cached_property, partial
from typing import final

import numpy as np
import torch
from torch import nn

from phantastic.declare.measure import Measure, average, less
from phantastic.ground.randomness import numpy_generator
from phantastic.measures.bootstrap import mean, over_items
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Cohesive, Examples
from phantastic.pretraining.corpus import Masking
from phantastic.pretraining.objectives.masked_lm import masked_lm
from phantastic.pretraining.plan import Plan, build, leftward, next_words, pretrain
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.ablations import figures as drawn
from phantastic.systems.ablations.conditions import CURVE, TASKS, asked, plans, sizes
from phantastic.systems.ablations.study import AblationsRecipe
from phantastic.systems.ablations.transfer_methods import worth
from phantastic.tuning import tasks
from phantastic.tuning.finetune import Tuning
from phantastic.tuning.tasks import Task
from phantastic.tuning.texts import Reader, grammar

BATCHES = 256  # of new text on which the masked loss is measured
DRAWS = 300  # of a bootstrap
NETWORKS = ("full", "ltr")  # whose worth is followed while they learn
PAIRS, SINGLE = ("entailment", "paraphrase"), "acceptability"


class Setting:
    """What a seed works with."""

    def __init__(self, recipe: AblationsRecipe, seed: int):
        self.recipe, self.seed = recipe, seed
        self.plans = plans(recipe)

    @cached_property
    def source(self) -> Cohesive:
        return grammar(8_192)

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.source.wordpiece.tokenizer, self.recipe.longest)

    @cached_property
    def tasks(self) -> dict[str, Task]:
        return {task.name: task for task in tasks.of_grammar(self.seed, self.recipe.train, self.recipe.test)}

    def worth(self, network: Model, plan: Plan, use: str, task: str) -> Measure:
        recipe = self.recipe
        how = Tuning(recipe.tuning_steps, recipe.tuning_batch, recipe.tuning_rate)
        see = leftward if plan.masking is None else None
        return worth(network, self.tasks[task], use, self.reader, how, recipe.dropout, self.seed, see)

    def moments(self) -> list[int]:
        """Steps of pre-training at which the curve has a point, closer at first: from a tenth of all steps to all."""
        steps = self.recipe.steps
        return np.unique(np.geomspace(max(1, steps // 10), steps, self.recipe.moments)).astype(int).tolist()


@torch.no_grad()
def masked_loss(network: Model, source: Cohesive, plan: Plan, seed: int, batches: int = BATCHES) -> Measure:
    """Surprise at masked words of new text, nats, all of them shown as [MASK]; interval by bootstrap over batches."""
    examples = Examples(
        source,
        seed,
        32,
        masking=Masking(0.15, 1.0, 0.0),
        longest=plan.longest,
        purpose="test",
        device=next(network.parameters()).device,
    )
    with torch.autocast(next(network.parameters()).device.type, enabled=False):
        losses = np.array([float(masked_lm(network, examples(step))["masked"]) for step in range(batches)])
    return over_items(losses, numpy_generator(seed, "bootstrap masked loss"), mean, DRAWS)


@torch.no_grad()
def next_word_loss(network: Model, source: Cohesive, plan: Plan, seed: int, batches: int = 2) -> float:
    examples = Examples(
        source,
        seed,
        32,
        masking=Masking(0.0, 0.0, 1.0),
        longest=plan.longest,
        purpose="test",
        device=next(network.parameters()).device,
    )
    return float(np.mean([float(next_words(network, examples(step))["loss"]) for step in range(batches)]))


def learn(run: Run[AblationsRecipe], setting: Setting, name: str) -> Model:
    """Pre-train one of the networks; of some, on the way, ask now and then what they are worth."""
    plan, seed = setting.plans[name], setting.seed

    def look(step: int, network: Model) -> None:
        run.once(f"seed{seed}/{name}/step{step}", partial(setting.worth, network, plan, "tuned", CURVE), Measure)

    moments = setting.moments()[:-1] if name in NETWORKS else ()
    at = {step: partial(look, step) for step in moments}
    return pretrain(run, f"seed{seed}/{name}", plan, setting.source, seed, at)


def measured(run: Run[AblationsRecipe], setting: Setting) -> dict[str, Measure]:
    """Every row of every table for one seed."""
    seed, scores = setting.seed, {}
    for name, plan in setting.plans.items():
        network = learn(run, setting, name)
        uses = {(row.use, row.task) for row in asked(setting.recipe) if row.network == name}
        for use, task in sorted(uses):
            compute = partial(setting.worth, network, plan, use, task)
            scores[name, use, task] = run.once(f"seed{seed}/{name}/{use}/{task}", compute, Measure)
        if plan.masking is not None:
            compute = partial(masked_loss, network, setting.source, plan, seed)
            scores[name, "loss"] = run.once(f"seed{seed}/{name}/loss", compute, Measure)
    measures = {row.measure: scores[row.network, row.use, row.task] for row in asked(setting.recipe)}
    for number, name in enumerate(sizes(setting.plans["full"]), 1):
        measures[f"size.{number}.loss"] = scores[name, "loss"]
    return measures | curve(run, setting, scores) | differences(measures)


def curve(run: Run[AblationsRecipe], setting: Setting, scores: Mapping[tuple[str, ...], Measure]) -> dict[str, Measure]:
    """``curve.ltr.3``: the worth of a network at the third moment."""
    measures = {}
    for name in NETWORKS:
        for number, step in enumerate(setting.moments(), 1):
            if step == setting.recipe.steps:
                measures[f"curve.{name}.last"] = scores[name, "tuned", CURVE]
            else:
                measures[f"curve.{name}.{number}"] = run.result(f"seed{setting.seed}/{name}/step{step}", Measure)
    return measures


def differences(measures: Mapping[str, Measure]) -> dict[str, Measure]:
    """What claims are about: the cost of leaving out next sentences, by kind of task; of showing nothing but [MASK], by
    kind of use. All networks are scored on the same draws of test items."""
    cost = {
        task: less(measures[f"direction.full.{task}"], measures[f"direction.no-nsp.{task}"])
        for task in TASKS["direction"]
    }
    contrasts = {"nsp.cost.pairs": average([cost[task] for task in PAIRS]), "nsp.cost.single": cost[SINGLE]}
    for task, use in (("questions", "tuned"), ("tagging", "tuned"), ("tagging", "features")):
        shown, all_masked = (measures[f"masking.{name}.{task}.{use}"] for name in ("80-10-10", "100-0-0"))
        contrasts[f"masking.cost-of-mask.{task}.{use}"] = less(shown, all_masked)
    return contrasts


@final
class Ablations(Experiment[AblationsRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[AblationsRecipe], recipe: AblationsRecipe, seed: int) -> Scores:
        """All networks."""
        return measured(run, Setting(recipe, seed))

    def networks(self, run: Run[AblationsRecipe]) -> dict[str, nn.Module]:
        """The masked and the left-to-right network of the first seed, in evaluation mode."""
        setting, networks = Setting(run.recipe, run.recipe.seed), {}
        for name in NETWORKS:
            network = build(setting.plans[name], len(setting.source.wordpiece), setting.seed).to(run.device)
            run.load(f"seed{setting.seed}/{name}", {"bert": network})
            networks[name] = network
        return networks

    def lesion_measures(self, run: Run[AblationsRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Surprise at masked words and at next words, nats, on two batches of new text."""
        setting, measures = Setting(run.recipe, run.recipe.seed), {}
        for name, network in networks.items():
            assert isinstance(network, Model)
            plan = setting.plans[name]
            if plan.masking is None:
                measures[f"{name}.next-word"] = next_word_loss(network, setting.source, plan, setting.seed)
            else:
                measures[f"{name}.masked"] = masked_loss(network, setting.source, plan, setting.seed, 2).value
        return measures

    def figures(self, run: Run[AblationsRecipe]) -> dict[str, Figure]:
        """The four figures of the lecture."""
        setting, measures = Setting(run.recipe, run.recipe.seed), run.measures()
        weights = {
            f"{plan.layers} × {plan.width}": sum(
                weight.numel() for weight in build(plan, len(setting.source.wordpiece), setting.seed).parameters()
            )
            for plan in sizes(setting.plans["full"]).values()
        }
        return {
            "masking": drawn.masking(measures),
            "size": drawn.size(measures, weights),
            "direction": drawn.direction(measures, setting.moments()),
            "tasks": drawn.tasks(measures),
        }
