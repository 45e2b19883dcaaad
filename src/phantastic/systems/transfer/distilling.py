"""From a teacher to its students: every network is tuned on the same tasks, and its scores are held against the
teacher's."""

from collections.abc import Mapping
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import torch

from phantastic.declare.measure import Measure, resampled
from phantastic.ground.randomness import numpy_generator
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Batch, Cohesive, Examples
from phantastic.pretraining.corpus import Masking
from phantastic.pretraining.plan import Plan, build, pretrain
from phantastic.run.folder import Run
from phantastic.systems.transfer import students
from phantastic.systems.transfer.crossing import BATCHES, DRAWS, over_batches
from phantastic.systems.transfer.students import STUDENTS
from phantastic.systems.transfer.study import TransferRecipe
from phantastic.tuning import finetune, measure, tasks
from phantastic.tuning.finetune import Tuning
from phantastic.tuning.tasks import Task
from phantastic.tuning.texts import Reader, grammar

NETWORKS = ("teacher", *STUDENTS)
TASKS = ("acceptability", "questions", "tagging")
Scores = dict[str, list[float]]  # of each task: the score, then its values over resampled test examples


class Distilling:
    """What a seed works with."""

    def __init__(self, recipe: TransferRecipe, seed: int, device: torch.device):
        self.recipe, self.seed, self.device = recipe, seed, device
        self.plan = Plan(
            2 * recipe.student_layers,
            recipe.width,
            recipe.heads,
            4 * recipe.width,
            recipe.teacher_steps,
            recipe.batch,
            recipe.rate,
            recipe.longest,
        )
        self.tuning = Tuning(recipe.tuning_steps, recipe.tuning_batch, recipe.tuning_rate)

    @cached_property
    def source(self) -> Cohesive:
        return grammar(8_192)

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.source.wordpiece.tokenizer, self.recipe.longest)

    @cached_property
    def tasks(self) -> list[Task]:
        cut = tasks.of_grammar(self.seed, self.recipe.train, self.recipe.test)
        return [task for task in cut if task.name in TASKS]

    def blank(self) -> Model:
        return build(self.plan, len(self.source.wordpiece), self.seed).to(self.device)

    @cached_property
    def new(self) -> list[Batch]:
        """Pairs of sentences that no network has read; all asked words are shown as [MASK]."""
        examples = Examples(
            self.source,
            self.seed,
            self.plan.batch,
            masking=Masking(0.15, 1.0, 0.0),
            longest=self.plan.longest,
            purpose="test",
            device=self.device,
        )
        return [examples(step) for step in range(BATCHES)]


def score(setting: Distilling, network: Model, task: Task) -> list[float]:
    """The task's first official measure, then the same on resampled test examples; all networks get the same draws."""
    model = finetune.with_head(network, task, setting.seed)
    items = finetune.encode(setting.reader, task.kind, task.train)
    finetune.learn(model, task.kind, items, setting.tuning, setting.seed)
    answers = finetune.answers(model, task, setting.reader)
    value, count = measure.valuation(task, task.measures[0], answers), len(task.test)
    generator = numpy_generator(setting.seed, f"bootstrap {task.name}")
    return [value(np.arange(count)), *(value(generator.integers(count, size=count)) for _ in range(DRAWS))]


class Macro(NamedTuple):
    """Means over the tasks, and over each draw of test examples."""

    value: float
    draws: np.ndarray


def macro(scores: Mapping[str, list[float]]) -> Macro:
    value, *draws = np.mean(list(scores.values()), 0)
    return Macro(float(value), np.array(draws))


def share(student: Macro, teacher: Macro) -> Measure:
    """How much of the teacher's macro score a student keeps; both are resampled together. Not a number where the
    teacher has none, without an interval where it has none on some of the draws."""
    if teacher.value <= 0:
        return Measure(float("nan"), [float("nan")])
    if (teacher.draws <= 0).any():
        return Measure(student.value / teacher.value, [student.value / teacher.value])
    return resampled(student.value / teacher.value, (student.draws / teacher.draws).tolist())


def measured(run: Run, setting: Distilling) -> dict[str, Measure]:
    """``distilled.questions``, ``distilled.macro``, ``distilled.share`` of the teacher's, ``distilled.masked`` (nats),
    ``distilled.weights``; so too of the teacher and the other students."""
    seed, measures, macros = setting.seed, {}, {}
    networks = {"teacher": pretrain(run, f"seed{seed}/teacher", setting.plan, setting.source, seed)}
    for name in NETWORKS:
        if name != "teacher":
            networks[name] = students.student(
                run, name, networks["teacher"], setting.plan, setting.source, seed, steps=setting.recipe.student_steps
            )
        network, scores = networks[name], {}
        for task in setting.tasks:
            compute = partial(score, setting, network, task)
            scores[task.name] = run.once(f"seed{seed}/{name}/{task.name}", compute, list[float])
            value, *draws = scores[task.name]
            measures[f"{name}.{task.name}"] = resampled(value, draws)
        macros[name] = macro(scores)
        measures[f"{name}.macro"] = resampled(macros[name].value, macros[name].draws.tolist())
        measures[f"{name}.share"] = share(macros[name], macros["teacher"])
        masked = run.once(f"seed{seed}/{name}/masked", partial(students.surprises, network, setting.new), list[float])
        measures[f"{name}.masked"] = over_batches(masked, seed)
        weights = float(sum(weight.numel() for weight in network.transformer.parameters()))
        measures[f"{name}.weights"] = Measure(weights, [weights])
    pair = {name: networks[name] for name in ("teacher", "distilled")}
    # of this machine: no measure
    run.once(f"seed{seed}/speed", partial(students.seconds, pair, setting.new[0]), dict[str, float])
    return measures
