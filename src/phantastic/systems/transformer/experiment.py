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
PICTURED = 100  # strings of each length in the picture


@torch.no_grad()
def measured(
    recipe: TransformerRecipe, name: str, model: Transformer, seed: int, device: torch.device
) -> dict[str, Measure]:
    """Everything measured on one trained learner, on strings or sentences drawn for this alone."""
    learner = LEARNERS[name]
    pairs = drawn(recipe, learner, recipe.tested, seed, "measure").to(device)
    longest = pairs.target.shape[1] - 1
    outputs = model.greedy(pairs.source, longest)
    exact, words = measure.right(outputs, pairs)
    shares: dict[str, Shares] = {"exact": exact, "words": words}
    measures: dict[str, Measure] = {}
    if learner.strings:
        beyond = task.strings(
            recipe.letters, recipe.length + 1, recipe.length + LONGER, recipe.tested, seed, "measure/longer"
        ).to(device)
        _, shares["longer"] = measure.right(model.greedy(beyond.source, beyond.target.shape[1] - 1), beyond)
    else:
        for way, texts in (("bleu", model.beam(pairs.source, longest)), ("greedy_bleu", outputs)):
            measures[way] = measure.bleu(texts, pairs, numpy_generator(seed, "measure/bootstrap"))
    if name in LOOKED_AT:  # the head is chosen on other strings or sentences
        chosen = drawn(recipe, learner, max(recipe.tested // 4, 1), seed, "measure/choose").to(device)
        shares["followed"] = measure.looked(model, pairs, measure.best_follower(model, chosen))
        shares["straight"] = measure.straight(pairs)
    for key, share in shares.items():
        measures[key] = share.measure(numpy_generator(seed, "measure/bootstrap"))
    return {f"{name}.{key}": value for key, value in measures.items()}


@torch.no_grad()
def carried(recipe: TransformerRecipe, model: Transformer, length: int, device: torch.device) -> float:
    """The share of letters that are right in strings of one length, of the first seed."""
    pairs = task.strings(recipe.letters, length, length, PICTURED, recipe.seed, f"figure/{length}").to(device)
    _, letters = measure.right(model.greedy(pairs.source, pairs.target.shape[1] - 1), pairs)
    return letters.share


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
        """Where the output looks, head by head; how far positions carry; how the learners learn."""
        recipe, looks = run.recipe, {}
        for name, model in self.networks(run).items():
            assert isinstance(model, Transformer)
            pairs = drawn(recipe, LEARNERS[name], 50, recipe.seed, "figure").to(run.device)
            looks[name] = applied.looked_at(recipe, name, model, pairs)
        reversing = {name: trained(run, name) for name in ("reversal", "learned", "unshifted")}
        tables = {name: reversing[name].source.positions.table.detach().cpu() for name in ("reversal", "learned")}  # pyright: ignore
        rights = [
            pictures.Length(name, length, carried(recipe, model, length, run.device))
            for name, model in reversing.items()
            for length in range(max(1, recipe.length // 2), recipe.length + LONGER + 1)
        ]
        curves = {name: run.curve(f"seed{recipe.seed}/{name}") for name in LEARNERS}
        return {
            "attention": pictures.attention(looks["reversal"], looks["translation"]),
            "heads": pictures.heads(looks["translation"]),
            "positions": pictures.positions(tables, rights, recipe.length),
            "learning": pictures.learning(curves),
        }

    def apply(self, run: Run[TransformerRecipe], request: TransformerApply) -> list[str]:
        return applied.apply(run, request)
