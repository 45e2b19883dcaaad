"""The learning rate of a fine-tuning is the one that is best on examples that were held out (Devlin et al. 2019,
appendix A.3: "the best fine-tuning learning rate … on the Dev set"). The test is not looked at."""

from functools import partial
from typing import NamedTuple

import numpy as np

from phantastic.nn.language.model import Model
from phantastic.run.folder import Run
from phantastic.run.train import train
from phantastic.systems.finetune.study import FinetuneRecipe
from phantastic.tuning import finetune, measure, nulls
from phantastic.tuning.tasks import Example, Task
from phantastic.tuning.texts import Reader

SHARE = 4  # at most one in so many of the examples to learn from is held out


class Tuned(NamedTuple):
    """A network with a task's head, and the stage in which it was trained."""

    model: Model
    stage: str


def tuned(run: Run[FinetuneRecipe], seed: int, reader: Reader, network: Model, task: Task, start: str) -> Tuned:
    """Fine-tune a copy of the network on a task at every rate, or load it where that was done before; the best."""
    recipe, place = run.recipe, stage(seed, task, start)
    learned, held = held_out(task, recipe.held)
    items = finetune.encode(reader, task.kind, learned)

    def at(rate: float) -> Tuned:
        model = finetune.with_head(network, task, seed, fresh=start == "fresh")
        plan = finetune.Tuning(recipe.tuning_steps, recipe.tuning_batch, rate)
        optimiser, losses = finetune.tuning(model, task.kind, items, plan, seed)
        name = f"{place}/{rate:g}"
        train(run, name, {"model": model}, {"loss": optimiser}, losses, steps=plan.steps, rate=plan.shares())
        return Tuned(model, name)

    scores = {}
    for rate in recipe.tuning_rates:
        found = at(rate)
        scores[rate] = run.once(f"{found.stage}/held", partial(score, found.model, task, held, reader), float)
    best = max(scores, key=scores.__getitem__)
    run.once(f"{place}/rate", lambda: {"rate": best}, dict[str, float])
    return at(best)


def stage(seed: int, task: Task, start: str) -> str:
    return f"seed{seed}/{task.name}/{start}"


def best_stage(run: Run[FinetuneRecipe], seed: int, task: Task, start: str) -> str:
    """In which the network was trained that `tuned` gave."""
    place = stage(seed, task, start)
    return f"{place}/{run.result(f'{place}/rate', dict[str, float])['rate']:g}"


def held_out(task: Task, most: int) -> tuple[list[Example], list[Example]]:
    """Examples to learn from, and others to choose by: those that settle when there is no answer, where there are such;
    else the last of them that are not among the others."""
    if task.dev:
        return task.train, list(task.dev)
    count = min(most, len(task.train) // SHARE)
    learned, last = task.train[: len(task.train) - count], task.train[len(task.train) - count :]
    known = {example.texts for example in learned}
    return learned, [example for example in last if example.texts not in known]


def score(model: Model, task: Task, held: list[Example], reader: Reader) -> float:
    """The task's first measure on the examples that were held out; 0 where there are none."""
    asked = task._replace(test=held)
    if not held:
        return 0.0
    answers = nulls.said(model, asked, reader).best if task.dev else finetune.answers(model, asked, reader)
    return measure.valuation(asked, task.measures[0], answers)(np.arange(len(held)))
