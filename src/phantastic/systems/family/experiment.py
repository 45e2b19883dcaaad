"""The study `family`: every member reads the same texts; then it is tuned on tasks, read as it is, asked for words."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, final

import numpy as np
import torch
from torch import nn

from phantastic.declare.measure import Measure, average
from phantastic.ground.randomness import initialised, numpy_generator
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Cohesive
from phantastic.pretraining.objectives.word2vec import SkipGram, counted, drawn, skip_gram
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.rates import warm_and_linear
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.family import figures as drawings
from phantastic.systems.family import measure as measuring
from phantastic.systems.family import members, multitask
from phantastic.systems.family.features import reader_of
from phantastic.systems.family.seen import views
from phantastic.systems.family.study import FamilyRecipe
from phantastic.tuning import finetune, tasks
from phantastic.tuning import measure as official
from phantastic.tuning.tasks import Example, Task
from phantastic.tuning.texts import Reader, grammar

TASKS = ("acceptability", "questions")
UNTRAINED, ASKED = (
    "untrained",
    ("bert", "roberta", "gpt", "xlnet", "elmo"),
)  # masks that change are asked of words alone
WORDS, ORDER = "the kings watch quick dragons .", (2, 4, 0, 5, 1, 3)  # of the picture of who sees what
PAIRS = 64  # of words that skip-gram reads, for each example that the others read
RATE = 1e-2  # of skip-gram


class Setting:
    """What a seed works with."""

    def __init__(self, run: Run[FamilyRecipe], seed: int):
        self.run, self.recipe, self.seed = run, run.recipe, seed
        self.how = finetune.Tuning(self.recipe.tuning_steps, self.recipe.tuning_batch, self.recipe.tuning_rate)

    @cached_property
    def source(self) -> Cohesive:
        return grammar(8_192)

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.source.wordpiece.tokenizer, self.recipe.longest)

    @cached_property
    def tasks(self) -> dict[str, Task]:
        return {task.name: task for task in tasks.of_grammar(self.seed, self.recipe.train, self.recipe.test)}

    @cached_property
    def read(self) -> np.ndarray:
        """The corpus that all members read, [examples, longest] tokens."""
        texts = members.corpus("gpt", self.recipe, self.source, self.seed, self.run.device)
        rows = [texts.rows(number)[0].tokens for number in range(texts.length)]
        longest = max(part.shape[1] for part in rows)
        return np.concatenate([np.pad(part, ((0, 0), (0, longest - part.shape[1]))) for part in rows])

    @cached_property
    def words(self) -> np.ndarray:
        """The same; -1 for what is no word."""
        return np.where(self.read > members.SEP, self.read, -1)

    @cached_property
    def hidden(self) -> list[measuring.Texts]:
        found = measuring.sentences(self.read.tolist(), measuring.full_stop(self.source))
        read = set[tuple[int, ...]]().union(*found)
        return measuring.hidden_words(self.source, self.seed, self.recipe.test, self.recipe.longest, read)

    def blank(self, name: str) -> nn.Module:
        return members.built(name, self.recipe, len(self.source.wordpiece), self.seed).to(self.run.device)

    def scored(self, task: Task, answers: Sequence[Any]) -> Measure:
        """By the task's first official measure; all are scored on the same draws of its examples."""
        generator = numpy_generator(self.seed, f"bootstrap {task.name}")
        return official.scores(task, answers, generator)[task.measures[0]]

    def once(self, name: str, compute: Any) -> Measure:
        return self.run.once(f"seed{self.seed}/{name}", compute, Measure)


# --- what is asked of members


def tuned(setting: Setting, network: Model, name: str) -> Measure:
    """The task after all weights learned it, in float32."""
    task, seed = setting.tasks[name], setting.seed
    model = finetune.with_head(finetune.with_dropout(network, setting.recipe.dropout), task, seed)
    if network.architecture.startswith("GPT2"):  # it has no segments: their numbers would be read as words
        model.inputs = tuple(each for each in model.inputs if each != "token_type_ids")
    finetune.learn(model, task.kind, finetune.encode(setting.reader, task.kind, task.train), setting.how, seed)
    return setting.scored(task, finetune.answers(model, task, setting.reader))


def as_it_is(setting: Setting, network: nn.Module, name: str, *, top: bool = False) -> Measure:
    """The task read from the network's states, which do not change."""
    task, seed = setting.tasks[name], setting.seed
    head = setting.blank("bert")
    assert isinstance(head, Model)
    model = reader_of(network, head, task, seed, top=top)
    finetune.learn(model, task.kind, finetune.encode(setting.reader, task.kind, task.train), setting.how, seed)
    return setting.scored(task, finetune.answers(model, task, setting.reader))


def majority(setting: Setting, task: Task) -> Measure:
    """Of one who always says the class that is commonest among the examples to learn from."""
    values, counts = np.unique([example.target for example in task.train], return_counts=True)
    return setting.scored(task, [values[counts.argmax()].item()] * len(task.test))


def static(setting: Setting) -> SkipGram:
    """Skip-gram on the corpus of the members, by pairs of words that stand near one another there."""
    recipe, seed, size = setting.recipe, setting.seed, len(setting.source.wordpiece)
    with initialised(seed, "skip-gram"):
        network = SkipGram(size, recipe.width).to(setting.run.device)
    counts = counted(setting.words, size)
    train(
        setting.run,
        f"seed{seed}/skip-gram",
        {"skip-gram": network},
        {"loss": torch.optim.Adam(network.parameters(), RATE)},
        lambda step: skip_gram(network, drawn(counts, seed, step, PAIRS * recipe.batch)),
        steps=recipe.steps,
        rate=warm_and_linear(recipe.steps, members.WARMUP),
    )
    return network


def multi(setting: Setting, network: Model) -> dict[str, Measure]:
    """Each task learned by itself and with the others, from the same network, in as many batches of each."""
    given = [setting.tasks[name] for name in ("acceptability", *multitask.PAIRS, "similarity", "questions")]
    network = finetune.with_dropout(network, setting.recipe.dropout)
    together = [multitask.TASKS, *((name,) for name in multitask.TASKS)]
    found: dict[str, Measure] = {}
    encoded = {each.name: each for each in (multitask.learned(setting.reader, task) for task in given)}
    by_name = dict(zip(encoded, given, strict=True))
    scored = by_name | {"ranking": ranking(encoded["ranking"])}
    for names in together:
        row = "mt-dnn" if len(names) > 1 else "st-dnn"
        stage = f"seed{setting.seed}/{row}" + (f"/{names[0]}" if len(names) == 1 else "")
        model = multitask.shared(network, [by_name[name] for name in names], setting.seed)
        steps = setting.how.steps * len(names)
        train(
            setting.run,
            stage,
            {row: model},
            {"loss": members.ClippedAdamW([model], setting.how.rate, members.DECAY)},
            multitask.losses(model, {name: encoded[name] for name in names}, setting.how, setting.seed),
            steps=steps,
            rate=warm_and_linear(steps, members.WARMUP),
        )
        for name in names:
            found[f"{row}.{name}"] = setting.once(
                f"{row}/{name}",
                lambda model=model, name=name: setting.scored(scored[name], multitask.answers(model, encoded[name])),
            )
    found |= {f"majority.{name}": majority(setting, task) for name, task in scored.items() if task.kind == "class"}
    averages = {
        f"{row}.average": average([found[f"{row}.{name}"] for name in multitask.TASKS]) for row in ("st-dnn", "mt-dnn")
    }
    return found | averages


def ranking(learned: multitask.Learned) -> Task:
    """As a task that is scored by how often the right candidate is named."""
    train, test = ([Example((), answer) for _, answer in part] for part in (learned.train, learned.test))
    return Task("ranking", "class", 2, ("accuracy",), train, test)


@final
class FamilyStudy(Experiment[FamilyRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[FamilyRecipe], recipe: FamilyRecipe, seed: int) -> Scores:
        """All members read; then each is asked."""
        setting, measures = Setting(run, seed), {}
        networks = {name: members.pretrained(run, name, setting.source, seed) for name in members.MEMBERS}
        networks[UNTRAINED] = setting.blank("bert").eval()
        words = static(setting).words
        for name, network in networks.items():
            compute = partial(measuring.surprise, network, setting.hidden, seed)
            measures[f"surprise.{name}"] = setting.once(f"surprise/{name}", compute)
        known, size = setting.words[setting.words >= 0], len(setting.source.wordpiece)
        measures["surprise.frequency"] = measuring.frequency(setting.hidden, known, size, seed)
        bert = networks["bert"]
        assert isinstance(bert, Model)
        asked = {name: networks[name] for name in (*ASKED, UNTRAINED)}
        for task in TASKS:
            for name, network in asked.items():
                if isinstance(network, Model):  # ELMo is used as it is (Peters et al. 2018)
                    compute = partial(tuned, setting, network, task)
                    measures[f"tuned.{name}.{task}"] = setting.once(f"tuned/{name}/{task}", compute)
            for name, network in (asked | {"skip-gram": words}).items():
                compute = partial(as_it_is, setting, network, task)
                measures[f"features.{name}.{task}"] = setting.once(f"features/{name}/{task}", compute)
            compute = partial(as_it_is, setting, networks["elmo"], task, top=True)
            measures[f"features.elmo-last.{task}"] = setting.once(f"features/elmo-last/{task}", compute)
        return measures | multi(setting, bert)

    def networks(self, run: Run[FamilyRecipe]) -> dict[str, nn.Module]:
        """All members of the first seed, in evaluation mode."""
        setting = Setting(run, run.recipe.seed)
        networks = {name: setting.blank(name) for name in members.MEMBERS}
        for name, network in networks.items():
            run.load(f"seed{setting.seed}/{name}", {name: network})
        return networks

    def lesion_measures(self, run: Run[FamilyRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Surprise at one hidden word of new texts, nats, on two batches."""
        setting = Setting(run, run.recipe.seed)
        return {
            f"{name}.surprise": measuring.surprise(network, setting.hidden[:2], setting.seed).value
            for name, network in networks.items()
        }

    def figures(self, run: Run[FamilyRecipe]) -> dict[str, Figure]:
        """Who sees what, who scores what, who comes from whom."""
        setting, measures, found = Setting(run, run.recipe.seed), run.measures(), {}
        ids = torch.tensor(setting.reader.pieces([WORDS])[0], device=run.device)
        for name, network in (self.networks(run) | {"skip-gram": static(setting).words}).items():
            seen = views(network, ids, ORDER)
            found |= {(name, stream): matrix.cpu() for stream, matrix in seen.items()}
        return {
            "masks": drawings.masks(found, WORDS.split(), ORDER),
            "surprise": drawings.surprise(measures),
            "scores": drawings.scores(measures),
            "together": drawings.together(measures),
            "family": drawings.family(),
        }
