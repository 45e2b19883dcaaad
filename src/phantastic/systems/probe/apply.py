"""Putting fitted probes to use: the tree of a sentence of the user's, or scores on a treebank of theirs."""

import numpy as np
import torch

from phantastic.declare.i18n import Text
from phantastic.ground.errors import Refused
from phantastic.nn.language.model import Model
from phantastic.run.folder import Run
from phantastic.show.figure import Figure, write
from phantastic.systems.probe.arcs import arcs
from phantastic.systems.probe.measure import geometry, measure_depths, measure_distances
from phantastic.systems.probe.network import longest, tokenizer_for
from phantastic.systems.probe.study import ProbeApply, ProbeRecipe
from phantastic.systems.probe.subject import fitting, networks, vectors_of
from phantastic.systems.probe.treebank import Sentences, read
from phantastic.systems.probe.trees import distances, spanning_tree

MOST_WORDS, DRAWN = 60, 3
PARSED = Text("Minimum spanning tree over the probe's distances.", "プローブの距離による最小全域木。")
SCORED = Text("Gold tree above, predicted tree below.", "上が正解の構文木、下が予測した木。")


@torch.no_grad()
def apply(run: Run[ProbeRecipe], request: ProbeApply) -> list[str]:
    """``parse``: the tree of a sentence; ``treebank``: scores on sentences in CoNLL-U, and the first ones drawn."""
    if (request.parse is None) == (request.treebank is None):
        raise Refused('apply probe: give --parse "the dog that barks sleeps ." or --treebank FILE.conllu, one of them')
    sentences = sentence(request.parse) if request.parse is not None else read(str(request.treebank))
    trained, recipe = networks(run), run.recipe
    network = trained["network"]
    assert isinstance(network, Model)
    assert isinstance(recipe, ProbeRecipe)
    if request.treebank is not None:
        sentences = fitting(sentences, tokenizer_for(recipe), longest(network.config))
    vectors = vectors_of(run, trained["network"], sentences)
    space = geometry([trained["distance"](words) for words in vectors], "distance")
    height = geometry([trained["depth"](words) for words in vectors], "depth")
    return (parsed if request.treebank is None else scored)(run, sentences, space, height)


def sentence(text: str) -> Sentences:
    """Words apart by spaces; one without a letter or a digit is punctuation."""
    words = text.split()
    if not 1 <= len(words) <= MOST_WORDS:
        raise Refused(f"--parse has {len(words)} words; allowed: 1 to {MOST_WORDS}, apart by spaces")
    return Sentences([words], [np.arange(len(words))], [np.array([not any(map(str.isalnum, word)) for word in words])])


def parsed(run: Run[ProbeRecipe], sentences: Sentences, space: list[np.ndarray], height: list[np.ndarray]) -> list[str]:
    [words], [marks] = sentences.forms, sentences.punctuation
    edges = spanning_tree(space[0], ~marks)
    root = words[int(np.argmin(np.where(marks & ~marks.all(), np.inf, height[0])))]
    files = write(Figure(str(PARSED), arcs(words, None, edges)), run.artefact("trees") / "parsed")
    pairs = " · ".join(f"{words[one]}–{words[other]}" for one, other in edges.tolist())
    return [str(Text(f"edges: {pairs}", f"枝:{pairs}")), str(Text(f"root: {root}", f"根:{root}")), *map(str, files)]


def scored(run: Run[ProbeRecipe], sentences: Sentences, space: list[np.ndarray], height: list[np.ndarray]) -> list[str]:
    by_distance = measure_distances(space, sentences.heads, sentences.punctuation)
    by_depth = measure_depths(height, sentences.heads, sentences.punctuation)
    lines = [
        str(Text(f"{len(sentences)} sentences", f"{len(sentences)} 文")),
        f"UUAS {by_distance.uuas:.3f}, DSpr. {by_distance.spearman:.3f}",
        str(Text(f"root found {by_depth.root_accuracy:.3f}", f"根の正答率 {by_depth.root_accuracy:.3f}"))
        + f", NSpr. {by_depth.spearman:.3f}",
    ]
    short = [number for number, words in enumerate(sentences.forms) if 1 < len(words) <= MOST_WORDS][:DRAWN]
    for number in short:
        gold, keep = distances([sentences.heads[number]])[0], ~sentences.punctuation[number]
        chart = arcs(sentences.forms[number], spanning_tree(gold, keep), spanning_tree(space[number], keep))
        lines += map(str, write(Figure(str(SCORED), chart), run.artefact("trees") / f"sentence{number + 1}"))
    return lines
