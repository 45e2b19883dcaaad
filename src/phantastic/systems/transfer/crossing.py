"""From one language to the other: two pre-trained networks and an untrained one, asked in both."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Int

from phantastic.declare.measure import Measure, resampled
from phantastic.ground.randomness import numpy_generator
from phantastic.measures.bootstrap import mean, over_items
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Language
from phantastic.pretraining.corpus import Masking
from phantastic.pretraining.objectives.translation_lm import both_languages
from phantastic.pretraining.plan import Plan
from phantastic.run.folder import Run
from phantastic.systems.transfer import bag, bilingual, tasks, tuned
from phantastic.systems.transfer.bilingual import Reading, translated_sentences
from phantastic.systems.transfer.nearest import Bitext, Found, bitext, compared
from phantastic.systems.transfer.study import TransferRecipe
from phantastic.tuning import finetune, measure
from phantastic.tuning.finetune import Tuning
from phantastic.tuning.texts import Reader
from phantastic.world.sentences import LANGUAGES

STARTS = ("mlm", "tlm", "fresh")
KINDS = (*LANGUAGES, "translation")
BATCHES = 12  # of new text on which masked words are asked
DRAWS = 300  # of a bootstrap
LABELS = {"english": ("english", "zero-shot"), "japanese": ("", "japanese")}  # tuned on: measures in either language
Some = Int[np.ndarray, " examples"]


class Crossing:
    """What a seed works with."""

    def __init__(self, recipe: TransferRecipe, seed: int, device: torch.device):
        self.recipe, self.seed, self.device = recipe, seed, device
        self.plan = Plan(
            recipe.layers,
            recipe.width,
            recipe.heads,
            4 * recipe.width,
            recipe.steps,
            recipe.batch,
            recipe.rate,
            recipe.longest,
        )
        self.tuning = Tuning(recipe.crossing_steps, recipe.tuning_batch, recipe.tuning_rate)

    @cached_property
    def languages(self) -> tuple[Language, Language]:
        return both_languages()

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.languages[0].wordpiece.tokenizer, self.recipe.longest)

    @cached_property
    def bitext(self) -> Bitext:
        grammar = self.languages[0].grammar
        return bitext(grammar, self.seed, self.recipe.test, translated_sentences(self.plan, grammar, self.seed))

    @cached_property
    def new(self) -> Reading:
        """Text that no network has read; all asked words are shown as [MASK]."""
        masking = Masking(0.15, 1.0, 0.0)
        return Reading(self.languages, self.plan, self.seed, self.device, masking, "test")

    @property
    def middle(self) -> int:
        """The layer that is compared, counted from 1; the embeddings are 0."""
        return (self.recipe.layers + 1) // 2

    def blank(self) -> Model:
        return bilingual.build(self.plan, len(self.languages[0].wordpiece), self.seed).to(self.device)

    def network(self, run: Run, start: str) -> Model:
        if start == "fresh":
            return self.blank().eval()
        return bilingual.pretrain(run, start, self.plan, self.languages, self.seed)

    def task(self, name: str, language: str) -> tasks.Task:
        return tasks.in_language(name, language, self.seed, self.recipe.train, self.recipe.test)


def asked(setting: Crossing, network: Model, name: str, language: str) -> dict[str, Measure]:
    """Tune on a task in ``language``, some times over; the accuracy in both languages where that is English, else in
    Japanese alone."""
    task, seed, tunings = setting.task(name, language), setting.seed, setting.recipe.tunings
    items = finetune.encode(setting.reader, task.kind, task.train)
    tests = [setting.task(name, tested) for tested in LANGUAGES]
    values: dict[str, list[Callable[[Some], float]]] = {}
    for number in range(seed * tunings, (seed + 1) * tunings):
        model = tuned.bilingual(network, task, language, number)
        finetune.learn(model, task.kind, items, setting.tuning, number)
        for tested, test, label in zip(LANGUAGES, tests, LABELS[language], strict=True):
            if label:
                answers = tuned.answers(model, test, tested, setting.reader)
                values.setdefault(label, []).append(measure.valuation(test, "accuracy", answers))
    generator = numpy_generator(seed, f"bootstrap {name}")
    return {label: over_tunings(each, len(tests[0].test), generator) for label, each in values.items()}


def by_words(setting: Crossing, name: str) -> Measure:
    """The accuracy of a bag of the words in Japanese, learned and asked there."""
    task = setting.task(name, "japanese")
    value, count = measure.valuation(task, "accuracy", bag.answers(task)), len(task.test)
    generator = numpy_generator(setting.seed, f"bootstrap {name}")
    return over_tunings([value], count, generator)


def over_tunings(values: Sequence[Callable[[Some], float]], count: int, generator: np.random.Generator) -> Measure:
    """The mean over repeated tunings, with an interval by bootstrap over tunings and over ``count`` test examples; each
    value is a function of the examples that count."""

    def drawn() -> float:
        sample = generator.integers(count, size=count)
        return float(np.mean([values[number](sample) for number in generator.integers(len(values), size=len(values))]))

    whole = np.arange(count)
    return resampled(float(np.mean([value(whole) for value in values])), [drawn() for _ in range(DRAWS)])


def nearest(setting: Crossing, layer: Found) -> dict[str, Measure]:
    """``retrieval`` and ``words`` of a layer, with intervals by bootstrap over sentences and over words."""
    measures = {}
    for name, hits in (("retrieval", layer.sentences), ("words", layer.words)):
        generator = numpy_generator(setting.seed, f"bootstrap {name}")
        measures[name] = over_items(np.array(hits), generator, mean, DRAWS)
    return measures


def by_layer(setting: Crossing, network: Model) -> list[dict[str, Measure]]:
    """For the embeddings and every layer: are translations nearest?"""
    layers = compared(network, setting.languages, setting.bitext)
    return [nearest(setting, layer) for layer in layers]


def surprises(setting: Crossing, network: Model) -> dict[str, Measure]:
    """Nats at masked words of new text in each language, and of new sentences beside their translations."""
    return {kind: over_batches(setting.new.surprises(network, kind, BATCHES), setting.seed) for kind in KINDS}


def over_batches(values: list[float], seed: int) -> Measure:
    """The mean, with an interval by bootstrap over batches."""
    return over_items(np.array(values), numpy_generator(seed, "bootstrap batches"), mean, DRAWS)


def measured(run: Run, setting: Crossing) -> dict[str, Measure]:
    """``topic.tlm.zero-shot`` and so on; ``chance`` of each task and what its bare ``words`` tell;
    ``tlm.retrieval``, ``tlm.words``, ``tlm.surprise.japanese``."""
    measures: dict[str, Measure] = {}
    for start in STARTS:
        network, stem = setting.network(run, start), f"seed{setting.seed}/{start}"
        for name in tasks.NAMES:
            for language in LANGUAGES:
                compute = partial(asked, setting, network, name, language)
                scores = run.once(f"{stem}/{name}/{language}", compute, dict[str, Measure])
                measures |= {f"{name}.{start}.{label}": score for label, score in scores.items()}
        layers = run.once(f"{stem}/nearest", partial(by_layer, setting, network), list[dict[str, Measure]])
        for number, layer in enumerate(layers):
            measures |= {f"{start}.{what}.layer{number}": value for what, value in layer.items()}
        measures |= {f"{start}.{what}": value for what, value in layers[setting.middle].items()}
        surprise = run.once(f"{stem}/surprise", partial(surprises, setting, network), dict[str, Measure])
        measures |= {f"{start}.surprise.{kind}": value for kind, value in surprise.items()}
    for name in tasks.NAMES:
        value = tasks.chance(setting.task(name, "japanese"))
        measures[f"{name}.chance"] = Measure(value, [value])
        measures[f"{name}.words"] = run.once(
            f"seed{setting.seed}/{name}/words", partial(by_words, setting, name), Measure
        )
    value = 1 / setting.recipe.test
    return measures | {"retrieval.chance": Measure(value, [value])}
