"""The study `finetune`: one network for all tasks, tuned on each; beside it, one that never read anything else."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, final

import torch
from torch import nn

from phantastic.declare.measure import Measure, average, summarise
from phantastic.ground import files
from phantastic.ground.randomness import numpy_generator
from phantastic.nn.language.model import Model
from phantastic.nn.language.pretrained import load_pretrained, save_pretrained
from phantastic.pretraining.batches import Source
from phantastic.pretraining.plan import Plan, build, pretrain
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.finetune import figures as drawn
from phantastic.systems.finetune import search, static
from phantastic.systems.finetune.study import FinetuneRecipe
from phantastic.tuning import entities, finetune, further, measure, nulls, tasks
from phantastic.tuning.tasks import Task
from phantastic.tuning.texts import Reader, Rows, grammar, model_folder

TUNED = ("pretrained", "fresh")
STARTS = (*TUNED, "static")
COMPARED = "compared"  # pairs of sentences are told apart by a network that was tuned on their similarity before
DAMAGED = 2  # tasks that lesions are measured on
FEW = 40  # examples of each


class Setting:
    """What a seed works with: the tasks, the texts to pre-train on, the tokenizer and the network as it begins."""

    def __init__(self, run: Run[FinetuneRecipe], seed: int):
        self.run, self.recipe, self.seed = run, run.recipe, seed

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        recipe = self.recipe
        if recipe.data:
            return further.of_folder(recipe.data, recipe.train, recipe.test)
        counts = max(1, recipe.train), max(1, recipe.test)
        return (*tasks.of_grammar(self.seed, *counts), *further.of_grammar(self.seed, *counts))

    @cached_property
    def source(self) -> Source:
        """The texts of the grammar or, with a folder, those of its training sets."""
        if not self.recipe.data:
            return grammar(self.recipe.vocabulary)
        return Rows([example.texts for task in self.tasks for example in task.train], self.recipe.vocabulary)

    @cached_property
    def reader(self) -> Reader:
        if self.recipe.model:
            return Reader.open(model_folder(self.recipe.model), self.recipe.longest)
        return Reader(self.source.wordpiece.tokenizer, self.recipe.longest)

    @cached_property
    def plan(self) -> Plan:
        recipe = self.recipe
        return Plan(
            recipe.layers,
            recipe.width,
            recipe.heads,
            recipe.hidden,
            recipe.steps,
            recipe.batch,
            recipe.rate,
            recipe.longest,
        )

    def blank(self) -> Model:
        """The network that a task's head is put on, its weights not yet of any worth."""
        if self.recipe.model:
            return load_pretrained(model_folder(self.recipe.model)).to(self.run.device)
        network = build(self.plan, len(self.source.wordpiece), self.seed).to(self.run.device)
        return finetune.with_dropout(network, self.recipe.dropout)

    def pretrained(self) -> Model:
        if self.recipe.model:
            return self.blank()
        network = pretrain(self.run, f"seed{self.seed}/pretrained", self.plan, self.source, self.seed)
        return finetune.with_dropout(network, self.recipe.dropout)

    def static_vectors(self) -> Any:
        text = self.source.text(self.seed, "static vectors", 0, self.recipe.documents)
        return static.vectors(text, len(self.source.wordpiece), self.recipe.width, self.seed)


# --- learning


def tune(run: Run[FinetuneRecipe], setting: Setting, network: Model, task: Task, start: str) -> Model:
    return search.tuned(run, setting.seed, setting.reader, network, task, start).model


def measured(setting: Setting, task: Task, predictions: list[Any]) -> dict[str, Measure]:
    return measure.scores(task, predictions, numpy_generator(setting.seed, f"bootstrap {task.name}"))


def tuned_scores(setting: Setting, model: Model, task: Task) -> dict[str, Measure]:
    if not task.dev:
        return measured(setting, task, finetune.answers(model, task, setting.reader))
    said = nulls.said(model, task, setting.reader)
    found = measured(setting, task, said.best) | {"threshold": summarise([said.threshold])}
    plain = task._replace(measures=task.measures[:2])
    for name, answers in (("zero", said.zero), ("never", said.never)):
        found |= {f"{what}_{name}": score for what, score in measured(setting, plain, answers).items()}
    return found


def baselines(setting: Setting, task: Task) -> dict[str, Callable[[], dict[str, Measure]]]:
    """What needs no network of more than one word: of questions, to say always that there is no answer; of names, the
    usual tag of each word, and the same network on each word alone."""
    if task.dev:
        return {"silent": lambda: measured(setting, task, ["" for _ in task.test])}
    if task.measures == entities.MEASURES:
        return {"dictionary": lambda: measured(setting, task, entities.looked_up(task))}
    return {}


def alone_scores(setting: Setting, model: Model, task: Task) -> dict[str, Measure]:
    said = finetune.answers(model, entities.alone(task), setting.reader)
    return measured(setting, task, entities.together(task, said))


def averages(given: Sequence[Task], measures: Mapping[str, Measure]) -> dict[str, Measure]:
    """GLUE's: over tasks, of each the mean of its measures, MNLI's two test sets being one task (Wang et al. 2019); of
    those tasks that are there."""
    found, given = {}, [task for task in given if task.name not in tasks.FURTHER]
    for start in STARTS:
        parts = []
        for task in given:
            asked = [task.name, *(other.name for other in task.also if other.name == "MNLI-mm")]
            scores = [measures.get(f"{name}.{start}.{what}") for name in asked for what in task.measures]
            if None not in scores:
                parts.append(average([score for score in scores if score is not None]))
        if len(parts) == len(given) > 0:
            found[f"average.{start}.score"] = average(parts)
    return found


def static_scores(setting: Setting, task: Task, vectors: Any) -> dict[str, Measure]:
    return measured(setting, task, static.predictions(task, setting.reader, vectors))


def keep(run: Run[FinetuneRecipe], setting: Setting, model: Model, task: Task) -> None:
    """The tuned network as a folder in the Hugging Face layout; what it says of GLUE's test set as the leaderboard
    takes it."""
    folder = run.artefact("tuned") / task.name
    save_pretrained(model, folder)
    files.write(folder / "tokenizer.json", setting.reader.stored.to_str().encode())
    for unlabelled in tasks.unlabelled(task.name, setting.recipe.data) if setting.recipe.data else ():
        test = [tasks.Example(texts, 0) for texts in unlabelled.sentences]
        predictions = finetune.predictions(model, task.kind, finetune.encode(setting.reader, task.kind, test))
        submission = run.artefact("submission")
        submission.mkdir(exist_ok=True)
        tasks.write_submission(predictions, unlabelled, submission)


# --- what is left to look at


@final
class Finetune(Experiment[FinetuneRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[FinetuneRecipe], recipe: FinetuneRecipe, seed: int) -> Scores:
        """Pre-train; tune on every task from there and from nothing; measure, also the baseline."""
        setting, measures = Setting(run, seed), {}
        network = setting.pretrained()
        vectors = None if recipe.model else setting.static_vectors()
        similar: Model | None = None
        for task in sorted(setting.tasks, key=lambda task: task.kind != "score"):  # similarity first
            initial: dict[str, Model] = dict.fromkeys(TUNED, network)
            if similar is not None and task.kind == "class" and len(task.train[0].texts) == 2:
                initial[COMPARED] = similar
            tuned = {start: tune(run, setting, base, task, start) for start, base in initial.items()}
            if task.kind == "score":
                similar = tuned["pretrained"]
            if seed == recipe.seed:
                keep(run, setting, tuned["pretrained"], task)
            for asked in (task, *task.also):
                pending = {start: partial(tuned_scores, setting, model, asked) for start, model in tuned.items()}
                pending |= baselines(setting, asked)
                if task.measures == entities.MEASURES:
                    model = tune(run, setting, network, entities.alone(task), "alone")
                    pending["alone"] = partial(alone_scores, setting, model, asked)
                if vectors is not None and static.applies(task):
                    pending["static"] = partial(static_scores, setting, asked, vectors)
                for start, compute in pending.items():
                    scores = run.once(search.stage(seed, asked, start), compute, dict[str, Measure])
                    measures |= {f"{asked.name}.{start}.{name}": score for name, score in scores.items()}
        return measures | (averages(setting.tasks, measures) if recipe.data else {})

    def networks(self, run: Run[FinetuneRecipe]) -> dict[str, nn.Module]:
        """The networks tuned on the first tasks from pre-training, of the first seed, in evaluation mode."""
        setting = Setting(run, run.recipe.seed)
        networks: dict[str, nn.Module] = {}
        for task in setting.tasks[:DAMAGED]:
            model = finetune.with_head(setting.blank(), task, setting.seed)
            run.load(search.best_stage(run, setting.seed, task, "pretrained"), {"model": model})
            networks[task.name] = model
        return networks

    @torch.no_grad()
    def lesion_measures(self, run: Run[FinetuneRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """The official measures of those tasks, on a few examples."""
        setting, measures = Setting(run, run.recipe.seed), {}
        for task in setting.tasks[:DAMAGED]:
            model, few = networks[task.name], task._replace(test=task.test[:FEW])
            assert isinstance(model, Model)
            scores = measure.scores(few, finetune.answers(model, few, setting.reader))
            measures |= {f"{task.name}.{name}": score.value for name, score in scores.items()}
        return measures

    def figures(self, run: Run[FinetuneRecipe]) -> dict[str, Figure]:
        """Every task by how its network began; how the tuning went."""
        setting = Setting(run, run.recipe.seed)
        curves = {
            (task.name, start): run.curve(search.best_stage(run, setting.seed, task, start))
            for task in setting.tasks
            for start in TUNED
        }
        main = [(task.name, task.measures[0]) for task in setting.tasks]
        main += [(asked.name, asked.measures[0]) for task in setting.tasks for asked in task.also]
        main += [("average", "score")] if setting.recipe.data else []
        lacking = tasks.lacking(setting.recipe.data) if setting.recipe.data else ([], [])
        return {"tasks": drawn.scores(main, run.measures(), *lacking), "tuning": drawn.tuning(curves)}
