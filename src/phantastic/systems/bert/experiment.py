"""The study `bert`: pre-train, and hold what is learned against what can be known of the same inputs."""

from collections.abc import Mapping
from functools import partial
from typing import final

import numpy as np
import torch
from torch import nn

from phantastic.declare.measure import Measure
from phantastic.ground.randomness import numpy_generator
from phantastic.nn.language.model import Model
from phantastic.nn.language.pretrained import save_pretrained
from phantastic.pretraining import batches, plan
from phantastic.pretraining.batches import Language
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.bert import agreement, measure
from phantastic.systems.bert import apply as applied
from phantastic.systems.bert import figures as drawn
from phantastic.systems.bert.agreement import Agreement
from phantastic.systems.bert.inputs import input_sum
from phantastic.systems.bert.measure import Exact, Test
from phantastic.systems.bert.study import BertApply, BertRecipe

POINTS = 16  # of the learning curve on the test pairs
FEW = 60  # pairs, and as many items of each number of attractors, on which a damaged model is measured
SOUGHT = 8  # documents for each pair of the test, among which sentences with attractors are sought


def language_of(recipe: BertRecipe) -> Language:
    return batches.language(recipe.language, recipe.vocabulary)


def pretrain(run: Run[BertRecipe], seed: int, language: Language, test: Test, best: Exact) -> Model:
    """Train one model; on the way, measure it now and then on the test pairs."""
    recipe = run.recipe
    moments = set(np.unique(np.geomspace(1, recipe.steps, POINTS).astype(int)).tolist()) - {recipe.steps}

    def look(step: int, model: Model) -> None:
        run.once(f"seed{seed}/step{step}", lambda: plainly(reached(model, test, best)), dict[str, float])

    at = {step: partial(look, step) for step in moments}
    return plan.pretrain(run, f"seed{seed}", plan.plan_of(recipe), language, seed, at)


def best_reader(language: Language, test: Test) -> dict[str, list[float]]:
    return measure.exact(language, test)._asdict()


def plainly(values: Mapping[str, Measure]) -> dict[str, float]:
    return {name: each.value for name, each in values.items()}


def reached(model: Model, test: Test, best: Exact) -> dict[str, Measure]:
    """Masked words and next sentences of the test pairs, in float32 and without dropout."""
    generator, training = numpy_generator(0, "bootstrap"), model.training
    model.eval()
    with torch.autocast(next(model.parameters()).device.type, enabled=False):
        measures = measure.against(measure.surprise(model, test), best, test, generator)
        measures |= measure.following(measure.next_probabilities(model, test.batch), best, test, generator)
    model.train(training)
    return measures


def measured(
    recipe: BertRecipe, model: Model, language: Language, test: Test, best: Exact, seed: int
) -> dict[str, Measure]:
    measures = reached(model, test, best)
    items = agreement.agreement_of(language, seed, SOUGHT * recipe.test, recipe.test)
    return measures | agreement.agreement(model, items, numpy_generator(seed, "agreement bootstrap"))


def few_verbs(recipe: BertRecipe) -> Agreement | None:
    """Agreement items for a damaged model."""
    few = min(recipe.test, FEW)
    return agreement.agreement_of(language_of(recipe), recipe.seed, SOUGHT * few, few)


def trained(run: Run[BertRecipe]) -> Model:
    """The model of the first seed, in evaluation mode."""
    recipe = run.recipe
    model = plan.build(plan.plan_of(recipe), len(language_of(recipe).wordpiece), recipe.seed)
    run.load(f"seed{recipe.seed}", {"bert": model})
    return model.to(run.device)


@final
class BertExperiment(Experiment[BertRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[BertRecipe], recipe: BertRecipe, seed: int) -> Scores:
        """Pre-train a model, then measure."""
        language = language_of(recipe)
        test = measure.test_of(language, seed, recipe.test, recipe.share)
        best = Exact(**run.once(f"seed{seed}/exact", partial(best_reader, language, test), dict[str, list[float]]))
        model = pretrain(run, seed, language, test, best)
        compute = partial(measured, recipe, model, language, test, best, seed)
        measures = run.once(f"seed{seed}/measures", compute, dict[str, Measure])
        if seed == recipe.seed:
            save_pretrained(model, run.artefact("pretrained"))
            language.wordpiece.save(run.artefact("pretrained"))
        return measures

    def networks(self, run: Run[BertRecipe]) -> dict[str, nn.Module]:
        """See `trained`."""
        return {"bert": trained(run)}

    @torch.no_grad()
    def lesion_measures(self, run: Run[BertRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """The masked loss in nats, next-sentence accuracy and agreement, on 60 pairs of sentences and as many items
        of each number of attractors."""
        recipe, model = run.recipe, networks["bert"]
        assert isinstance(model, Model)
        language = language_of(recipe)
        test = measure.test_of(language, recipe.seed, min(recipe.test, FEW), recipe.share)
        measures = {"masked.loss": float(measure.surprise(model, test).mean())}
        guess = measure.next_probabilities(model, test.batch).numpy() > 0.5
        measures["next.accuracy"] = float((guess == test.follows).mean())
        items = few_verbs(recipe)
        if items is not None:
            measures["agreement"] = float(agreement.preferred(model, items).mean())
        return measures

    @torch.no_grad()
    def lesion_answers(self, run: Run[BertRecipe], networks: Mapping[str, nn.Module]) -> dict[str, list]:
        """The form that is preferred of every verb whose agreement `lesion_measures` counts."""
        items, model = few_verbs(run.recipe), networks["bert"]
        assert isinstance(model, Model)
        return {} if items is None else agreement.answers(model, items, language_of(run.recipe))

    def figures(self, run: Run[BertRecipe]) -> dict[str, Figure]:
        """What enters, learning, two masked sentences, attention, agreement: of the first seed."""
        recipe = run.recipe
        seed, language = recipe.seed, language_of(recipe)
        model = trained(run)
        points = []
        for path in sorted((run.folder / "results").glob(f"seed{seed}.step*.json")):
            step = int(path.stem.rpartition("step")[2])
            points.append({"step": step, **run.result(f"seed{seed}/step{step}", dict[str, float])})
        final = run.result(f"seed{seed}/measures", dict[str, Measure])
        points.append({"step": recipe.steps, **plainly(final)})
        figures = {
            "input": input_sum(model, language, drawn.EXAMPLES[language.name][1]),
            "learning": drawn.learning(sorted(points, key=lambda point: point["step"])),
            "cloze": drawn.cloze(model, language),
            "attention": drawn.attention(model, language, drawn.EXAMPLES[language.name][0]),
        }
        items = agreement.agreement_of(language, seed, SOUGHT * recipe.test, recipe.test)
        if items is not None:
            figures["agreement"] = drawn.agreement(items, agreement.preferred(model, items))
        return figures

    def apply(self, run: Run[BertRecipe], request: BertApply) -> list[str]:
        return applied.apply(run, lambda: trained(run), request)
