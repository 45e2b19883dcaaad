"""The study `transformer`: strings backwards and a translation, and where a Transformer looks while it writes them."""

from collections.abc import Mapping
from functools import partial
from typing import final

import torch
from torch import nn

from phantastic.declare.measure import Measure, deviation
from phantastic.ground.randomness import numpy_generator
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.transformer import apply as applied
from phantastic.systems.transformer import figures as pictures
from phantastic.systems.transformer import measure, task
from phantastic.systems.transformer.learners import LEARNERS, LONGER, drawn, learn, trained
from phantastic.systems.transformer.measure import Shares
from phantastic.systems.transformer.model import Transformer
from phantastic.systems.transformer.study import TransformerApply, TransformerRecipe

LOOKED_AT = ("reversal", "translation")  # the ones that are shown and damaged
FEW = 24  # strings or sentences with which a damaged model is measured


@torch.no_grad()
def measured(
    recipe: TransformerRecipe, name: str, model: Transformer, seed: int, device: torch.device
) -> dict[str, Measure]:
    """Everything measured on one trained learner, on strings or sentences drawn for this alone."""
    learner = LEARNERS[name]
    pairs = drawn(recipe, learner, recipe.tested, seed, "measure").to(device)
    exact, words = measure.written(model, pairs)
    shares: dict[str, Shares] = {"exact": exact, "words": words}
    if learner.strings:
        longest = recipe.length + LONGER
        beyond = task.strings(recipe.letters, recipe.length + 1, longest, recipe.tested, seed, "measure/longer")
        _, shares["longer"] = measure.written(model, beyond.to(device))
    if name in LOOKED_AT:  # the head is chosen on other strings or sentences
        chosen = drawn(recipe, learner, max(recipe.tested // 4, 1), seed, "measure/choose").to(device)
        shares["followed"] = measure.looked(model, pairs, measure.best_follower(model, chosen))
        shares["straight"] = measure.straight(pairs)
    return {f"{name}.{key}": share.measure(numpy_generator(seed, "measure/bootstrap")) for key, share in shares.items()}


@final
class Transformers(Experiment[TransformerRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[TransformerRecipe], recipe: TransformerRecipe, seed: int) -> Scores:
        """Train and measure every learner."""
        measures: dict[str, Measure] = {}
        for name in LEARNERS:
            compute = partial(measured, recipe, name, learn(run, name, seed), seed, run.device)
            measures |= run.once(f"seed{seed}/{name}", compute, dict[str, Measure])
        learned, sinusoids = measures["learned.words"], measures["reversal.words"]
        return measures | {"learned.deviation": deviation(learned, sinusoids)}

    def networks(self, run: Run[TransformerRecipe]) -> dict[str, nn.Module]:
        """The Transformer that reverses strings and the one that translates, of the first seed."""
        return {name: trained(run, name) for name in LOOKED_AT}

    @torch.no_grad()
    def lesion_measures(self, run: Run[TransformerRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Of a few strings and sentences: the share of words that are right while the right ones are shown before them,
        and the share that the best follower looks for where they stand."""
        recipe, measures = run.recipe, {}
        for name, model in networks.items():
            assert isinstance(model, Transformer)
            pairs = drawn(recipe, LEARNERS[name], FEW, recipe.seed, "lesion").to(run.device)
            hits, tries = measure.followed(measure.read(model, pairs), pairs.aligned)
            measures[f"{name}.followed"] = float(hits.sum(-1).max() / tries.sum())
            measures[f"{name}.words"] = measure.foretold(model, pairs).share
        return measures

    def figures(self, run: Run[TransformerRecipe]) -> dict[str, Figure]:
        """Where the output looks, head by head; how the learners learn."""
        recipe, looks = run.recipe, {}
        for name, model in self.networks(run).items():
            assert isinstance(model, Transformer)
            pairs = drawn(recipe, LEARNERS[name], 50, recipe.seed, "figure").to(run.device)
            looks[name] = applied.looked_at(recipe, name, model, pairs)
        curves = {name: run.curve(f"seed{recipe.seed}/{name}") for name in LEARNERS}
        return {
            "attention": pictures.attention(looks["reversal"], looks["translation"]),
            "heads": pictures.heads(looks["translation"]),
            "learning": pictures.learning(curves),
        }

    def apply(self, run: Run[TransformerRecipe], request: TransformerApply) -> list[str]:
        return applied.apply(run, request)
