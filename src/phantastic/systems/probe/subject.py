"""A finished run's network and probes, and the sentences it was measured on."""

import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised
from phantastic.nn.language.pretrained import read_config
from phantastic.run.folder import Run
from phantastic.systems.probe.network import encoder, hidden_of, longest, network, tokenizer_for
from phantastic.systems.probe.objective import Kind
from phantastic.systems.probe.probe_suite import by_layer
from phantastic.systems.probe.study import ProbeRecipe
from phantastic.systems.probe.treebank import Sentences, from_files, from_grammar
from phantastic.systems.probe.wordpieces import Tokenizer

KINDS: tuple[Kind, Kind] = ("distance", "depth")


@lru_cache(maxsize=2)  # lesions measure the same sentences again and again
def sentences_of(recipe: ProbeRecipe, seed: int) -> tuple[Sentences, Sentences, Sentences]:
    """Training, development and test sentences; of a treebank, those that are not too long for the network."""
    counts = recipe.train_sentences, recipe.dev_sentences, recipe.test_sentences
    if not recipe.treebank:
        return from_grammar(recipe.language, counts, seed)
    tokenizer, most = tokenizer_for(recipe), longest(read_config(Path(recipe.model))[1])
    train, dev, test = from_files(recipe.treebank, counts, seed)
    fits = {id(each): fitting(each, tokenizer, most) for each in (train, dev, test)}  # dev may be what is tested on
    return fits[id(train)], fits[id(dev)], fits[id(test)]


def fitting(sentences: Sentences, tokenizer: Tokenizer, most: int) -> Sentences:
    """Those of at most so many tokens; how many others there are is told on the terminal. Raises `Refused` where
    nothing is left."""
    lengths = [len(tokenizer(words).ids) for words in sentences.forms]
    kept = [number for number, length in enumerate(lengths) if length <= most]
    if len(kept) == len(lengths):
        return sentences
    first = next(number for number, length in enumerate(lengths) if length > most)
    beginning = " ".join(sentences.forms[first])[:60]
    excess = len(lengths) - len(kept)
    message = f"{excess} of {len(lengths)} sentences have more than the {most} tokens that the model takes"
    if not kept:
        raise Refused(f"{message}: nothing is left; the first is {beginning!r}…")
    print(f"left out: {message}; the first is {beginning!r}…, with {lengths[first]}", file=sys.stderr)
    return sentences.chosen(kept)


def probes_of(hidden: int, rank: int) -> dict[str, nn.Linear]:
    """A distance and a depth probe: their weights are the projections, transposed."""
    with initialised(0, "probe/probes"):  # only so that the global generator is left alone
        return {kind: nn.Linear(hidden, min(rank or hidden, hidden), bias=False) for kind in KINDS}


def networks(run: Run[ProbeRecipe]) -> dict[str, nn.Module]:
    """The network of the first seed and the probes of its best layer, in evaluation mode."""
    recipe = run.recipe
    model, _ = network(run, recipe, recipe.seed)
    probes = probes_of(hidden_of(model), recipe.rank)
    run.load(f"seed{recipe.seed}/probes", probes)
    return {"network": model, **{kind: probe.to(run.device) for kind, probe in probes.items()}}


@torch.no_grad()
def vectors_of(run: Run[ProbeRecipe], model: nn.Module, sentences: Sentences) -> list[Float[Tensor, "words hidden"]]:
    """Words at the best layer of the first seed."""
    recipe = run.recipe
    layer = run.result(f"seed{recipe.seed}/chosen", dict[str, int])["layer"]
    network: Any = model
    [vectors] = by_layer(encoder(network, tokenizer_for(recipe)), [sentences], [layer])[layer]
    return list(vectors)
