"""Putting a trained SCAN to use: imagine a phrase, or put an image into words."""

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import torch
from torch import Tensor, nn

from phantastic.data.folders import picture
from phantastic.declare.i18n import Text
from phantastic.ground.errors import Refused
from phantastic.run.folder import Run
from phantastic.show.figure import Figure, image_grid, write
from phantastic.systems.scan.concepts import OPEN
from phantastic.systems.scan.evaluation import grounded
from phantastic.systems.scan.figures import enlarged, imagine
from phantastic.systems.scan.language import Lexicon
from phantastic.systems.scan.rooms import Rooms, as_observed
from phantastic.systems.scan.study import ScanApply, ScanRecipe
from phantastic.systems.scan.symbolic import perceive

LEVELS = (
    Text("anything", "何でも"),
    Text("superordinate", "上位"),
    Text("basic", "基本"),
    Text("basic", "基本"),
    Text("subordinate", "下位"),
)


def apply(run: Run[ScanRecipe], networks: Callable[[], Mapping[str, nn.Module]], request: ScanApply) -> list[str]:
    """``say``: images imagined for a phrase; ``look``: the concepts of an image; both: the image as first operand."""
    recipe = run.recipe
    rooms = Rooms(recipe.size, recipe.colours)
    lexicon = Lexicon(rooms.palette)
    say, look = request.say, request.look
    if say is None and look is None:
        raise Refused('apply scan: give --say "red suitcase, blue wall" or --look FILE.png, or both')
    operator, first, _ = lexicon.parse_operation(say) if say is not None else (None, None, None)
    open_operand = operator is not None and first is None
    target = run.destination(request.to, "imagined.png")
    if open_operand and look is None:
        raise Refused(f"'{say}' lacks its first operand; write it, or give an image by --look FILE.png")
    seen = as_observed(picture(look, recipe.size)[None]) if look is not None else None
    trained = networks()
    model = grounded(trained["visual"], trained["denoiser"], trained["scan"])  # pyright: ignore[reportArgumentType]
    lines = []
    if seen is not None and not open_operand:
        with torch.no_grad():
            logits = model.symbols(perceive(model.vae, seen).mean)[0]
        lines += put_into_words(logits, rooms, lexicon)
    if say is not None:
        images, label = imagine(model, trained["operators"], lexicon, rooms, say, 16, recipe.seed, seen)
        grid = images.reshape(2, 8, *images.shape[1:])
        (written,) = write(Figure(label, image_grid(grid, scale=enlarged(recipe.size))), target.with_suffix(""))
        lines.append(f"{label}: {written}")
    return lines


def put_into_words(logits: Tensor, rooms: Rooms, lexicon: Lexicon) -> list[str]:
    """The concepts of an image at every level of the hierarchy, each with its probability.

    A factor's values share out its block of p(y|z) by a softmax; a concept's probability is the product over what it
    names.
    """
    shares = [torch.softmax(logits[block], 0).cpu().numpy() for block in rooms.vocabulary.blocks]
    best = [int(share.argmax()) for share in shares]
    lines = []
    for level in range(len(best), 0, -1):
        lines.append(f"{LEVELS[level]} ({level})")
        concepts = []
        for named in combinations(range(len(best)), level):
            concept = np.full(len(best), OPEN)
            for factor in named:
                concept[factor] = best[factor]
            concepts.append((float(np.prod([shares[f][best[f]] for f in named])), lexicon.describe(concept)))
        lines += [f"  {probability:.2f}  {words}" for probability, words in sorted(concepts, reverse=True)]
    return lines
