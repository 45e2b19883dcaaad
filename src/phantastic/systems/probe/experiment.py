"""The study `probe`: every layer of a network, and everything it is held against."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from math import nan
from typing import Any, final

import torch
from torch import Tensor, nn

from phantastic.declare.measure import Measure, resampled
from phantastic.ground.errors import Refused
from phantastic.nn.language.model import Model
from phantastic.run.checkpoint import pack
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.probe.apply import apply
from phantastic.systems.probe.controls import Projected, decayed
from phantastic.systems.probe.figures import figures
from phantastic.systems.probe.measure import geometry, measure_depths, measure_distances
from phantastic.systems.probe.network import encoder, hidden_of, network, of_pieces, untrained, word_vectors
from phantastic.systems.probe.objective import Heads, Kind
from phantastic.systems.probe.pieces import ASKED
from phantastic.systems.probe.probe_suite import (
    Battery,
    Score,
    Splits,
    by_layer,
    control_heads,
    mapped,
    random_vectors,
)
from phantastic.systems.probe.study import ProbeApply, ProbeRecipe
from phantastic.systems.probe.subject import KINDS, networks, probes_of, sentences_of, vectors_of
from phantastic.systems.probe.treebank import Sentences, from_grammar


def probed(run: Run[ProbeRecipe], recipe: ProbeRecipe, seed: int) -> dict[str, Measure]:
    """Every layer of a network, and everything it is held against."""
    sentences = sentences_of(recipe, seed)
    battery = Battery(sentences, recipe.rank, recipe.epochs, seed)
    model, tokenizer = network(run, recipe, seed)
    layers = layers_of(recipe, model)

    def once(name: str, compute: Callable[[], Score]) -> Score:
        stored = run.once(f"seed{seed}/{name}", lambda: compute()._asdict(), dict[str, Any])
        known: dict[str, Any] = {key: nan if value is None else value for key, value in stored.items()}
        return Score(**known)  # JSON has no NaN

    @cache
    def trained() -> dict[int, Splits]:
        return by_layer(encoder(model, tokenizer), sentences, layers)

    @cache
    def fresh() -> dict[int, Splits]:
        return by_layer(encoder(untrained(model, seed), tokenizer), sentences, layers)

    @cache
    def words() -> Splits:
        return by_layer(word_vectors(model, tokenizer), sentences, [0])[0]

    def at(layer: int, kind: Kind = "distance", rank: int = 0, heads: Sequence[Heads] = ()) -> Score:
        return battery.probed(trained()[layer], kind, rank, heads)

    def before(layer: int) -> Score:
        return battery.probed(fresh()[layer])

    def without(change: Callable[[Tensor], Tensor], kind: Kind = "distance") -> Score:
        return battery.probed(mapped(words(), change), kind)

    hidden = hidden_of(model)
    scores: dict[str, Score] = {}
    roots: dict[str, Score] = {}
    for layer in layers:
        name = f"layer{layer}"
        scores[name] = once(name, partial(at, layer))
        roots[name] = once(f"{name}/depth", partial(at, layer, "depth"))
        fresh_name = f"untrained.layer{layer}"
        scores[fresh_name] = once(fresh_name, partial(before, layer))
    best = max(layers, key=lambda layer: scores[f"layer{layer}"].dev)
    scores["best"], roots["best"] = scores[f"layer{best}"], roots[f"layer{best}"]
    scores["untrained"] = max((scores[f"untrained.layer{layer}"] for layer in layers), key=lambda score: score.dev)
    if inner := [layer for layer in layers if 0 < layer < max(layers)]:
        scores["middle"] = max((scores[f"layer{layer}"] for layer in inner), key=lambda score: score.dev)
        scores["last"] = scores[f"layer{max(layers)}"]
    scores["linear"], roots["linear"] = battery.chained(), battery.chained("depth")
    scores["words"] = once("words", lambda: battery.probed(words()))
    for name, change in (("decayed", decayed), ("projected", Projected(hidden, seed).to(run.device))):
        scores[name] = once(name, partial(without, change))
        roots[name] = once(f"{name}/depth", partial(without, change, "depth"))
    scores["random"] = once("random", lambda: battery.probed(random_vectors(sentences, hidden, seed)))
    hung = control_heads(sentences, seed)
    scores["control"], scores["star"] = once("control", partial(at, best, heads=hung)), battery.starred(hung)
    for rank in sorted({rank for rank in recipe.ranks if rank <= hidden}):
        scores[f"rank{rank}"] = once(f"rank{rank}", partial(at, best, rank=rank))
    run.once(f"seed{seed}/chosen", lambda: {"layer": best}, dict[str, int])
    kept(run, seed, battery, lambda: trained()[best], hidden)
    if not recipe.treebank:
        counts = [len(each) for each in sentences]
        nonsense = from_grammar(recipe.language, counts, seed, nonce=ASKED)
        scores |= invented(run, recipe, seed, battery, (sentences, nonsense), once)
    return measures(scores, roots, best)


def invented(
    run: Run[ProbeRecipe],
    recipe: ProbeRecipe,
    seed: int,
    battery: Battery,
    texts: tuple[Sequence[Sentences], Sequence[Sentences]],
    once: Callable[[str, Callable[[], Score]], Score],
) -> dict[str, Score]:
    """``pieces``: the best layer of the network that met words in pieces, and other inventions; ``jabberwocky``: that
    layer and its probe, asked of sentences with invented content words and the same trees (Hall Maudslay & Cotterell
    2021)."""
    real, nonsense = texts
    model, tokenizer = of_pieces(run, recipe, seed)
    layers = layers_of(recipe, model)

    @cache
    def vectors() -> dict[int, Splits]:
        return by_layer(encoder(model, tokenizer), real, layers)

    def at(layer: int) -> Score:
        return battery.probed(vectors()[layer])

    found = {layer: once(f"pieces/layer{layer}", partial(at, layer)) for layer in layers}
    best = max(layers, key=lambda layer: found[layer].dev)

    def score() -> Score:
        projection = battery.fit(vectors()[best], "distance")
        unheard_of = by_layer(encoder(model, tokenizer), nonsense[1:], [best])[best]
        return battery.score(projection, [[], *unheard_of], "distance")

    return {"pieces": found[best], "jabberwocky": once("jabberwocky", score)}


def measures(scores: Mapping[str, Score], roots: Mapping[str, Score], best: int) -> dict[str, Measure]:
    """What is recorded of a seed: shares and their differences with intervals over resampled test sentences."""

    def measure(value: float, draws: Sequence[float] = ()) -> Measure:
        return resampled(value, draws) if draws else Measure(value, [value])

    recorded = {"best.layer": measure(float(best))}
    for name, score in scores.items():
        recorded |= {f"{name}.uuas": measure(score.share, score.draws), f"{name}.dspr": measure(score.spearman)}
    for name, score in roots.items():
        recorded |= {f"{name}.root": measure(score.share, score.draws), f"{name}.nspr": measure(score.spearman)}
    for rival, name in (("linear", "over_linear"), ("untrained", "over_untrained"), ("control", "selectivity")):
        pairs = zip(scores["best"].draws, scores[rival].draws, strict=True)
        difference = scores["best"].share - scores[rival].share
        recorded[name] = measure(difference, [one - other for one, other in pairs])
    return recorded


def layers_of(recipe: ProbeRecipe, model: Model) -> list[int]:
    """Layers to be probed; 0 is what enters the network's first one."""
    count = len(model.transformer.get_submodule("layer"))  # pyright: ignore[reportArgumentType]
    if recipe.layer > count:
        raise Refused(
            f"layer = {recipe.layer} is not possible: the network has {count}; allowed: 0 to {count}, -1 for all"
        )
    return list(range(count + 1)) if recipe.layer < 0 else [recipe.layer]


def kept(
    run: Run[ProbeRecipe], seed: int, battery: Battery, vectors: Callable[[], Splits], hidden: int
) -> dict[str, nn.Linear]:
    """The probes of the best layer, for pictures, lesions and applications."""
    stage, probes = f"seed{seed}/probes", probes_of(hidden, battery.rank)
    if stage not in run.checkpoints.latest.finished:
        for kind, probe in zip(KINDS, probes.values(), strict=True):
            probe.weight.data.copy_(battery.fit(vectors(), kind).mT)
        run.checkpoints.finish(stage, pack(probes))
    run.load(stage, probes)
    return probes


@final
class Probe(Experiment[ProbeRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[ProbeRecipe], recipe: ProbeRecipe, seed: int) -> Scores:
        return probed(run, recipe, seed)

    def networks(self, run: Run[ProbeRecipe]) -> dict[str, nn.Module]:
        return networks(run)

    def figures(self, run: Run[ProbeRecipe]) -> dict[str, Figure]:
        return figures(run)

    def apply(self, run: Run[ProbeRecipe], request: ProbeApply) -> list[str]:
        return apply(run, request)

    @torch.no_grad()
    def lesion_measures(self, run: Run[ProbeRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """UUAS, DSpr, root accuracy and NSpr in at most 100 test sentences, with the probes as they were fitted."""
        recipe = run.recipe
        test = sentences_of(recipe, recipe.seed)[2].drawn(100, recipe.seed, "lesion")
        vectors = vectors_of(run, networks["network"], test)
        space, height = (geometry([networks[kind](words) for words in vectors], kind) for kind in KINDS)
        by_distance = measure_distances(space, test.heads, test.punctuation)
        by_depth = measure_depths(height, test.heads, test.punctuation)
        return {
            "uuas": by_distance.share,
            "dspr": by_distance.spearman,
            "root": by_depth.share,
            "nspr": by_depth.spearman,
        }
