"""A finished run's network and probes, and the sentences it was measured on."""

from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phantastic.randomness import initialised
from phantastic.run import Run
from phantastic.systems.probe.battery import by_layer
from phantastic.systems.probe.network import encoder, hidden_of, network, tokenizer_for
from phantastic.systems.probe.objective import Kind
from phantastic.systems.probe.study import ProbeRecipe
from phantastic.systems.probe.treebank import Sentences, from_files, from_grammar

KINDS: tuple[Kind, Kind] = ("distance", "depth")


@lru_cache(maxsize=2)  # lesions measure the same sentences again and again
def sentences_of(recipe: ProbeRecipe, seed: int) -> tuple[Sentences, Sentences, Sentences]:
    """Training, development and test sentences."""
    counts = recipe.train_sentences, recipe.dev_sentences, recipe.test_sentences
    if recipe.treebank:
        return from_files(recipe.treebank, counts, seed)
    return from_grammar(recipe.language, counts, seed)


def probes_of(hidden: int, rank: int) -> dict[str, nn.Linear]:
    """A distance and a depth probe: their weights are the projections, transposed."""
    with initialised(0, "probe/probes"):  # only so that the global generator is left alone
        return {kind: nn.Linear(hidden, min(rank or hidden, hidden), bias=False) for kind in KINDS}


def models(run: Run) -> dict[str, nn.Module]:
    """The network of the first seed and the probes of its best layer, in evaluation mode."""
    recipe: Any = run.recipe
    model, _ = network(run, recipe, recipe.seed)
    probes = probes_of(hidden_of(model), recipe.rank)
    run.load(f"seed{recipe.seed}/probes", probes)
    return {"network": model, **{kind: probe.to(run.device) for kind, probe in probes.items()}}


@torch.no_grad()
def vectors_of(run: Run, model: nn.Module, sentences: Sentences) -> list[Float[Tensor, "words hidden"]]:
    """Words at the best layer of the first seed."""
    recipe: Any = run.recipe
    layer = run.once(f"seed{recipe.seed}/chosen", dict)["layer"]
    network: Any = model
    [vectors] = by_layer(encoder(network, tokenizer_for(recipe)), [sentences], [layer])[layer]
    return list(vectors)
