"""The study `transfer`: two networks of two languages, a teacher and its students; all tuned, then asked."""

from collections.abc import Mapping
from functools import lru_cache
from typing import final

import numpy as np
import torch
from torch import nn

from phantastic.nn.language.model import Model
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.transfer import crossing, distilling, students
from phantastic.systems.transfer import figures as drawn
from phantastic.systems.transfer.crossing import Crossing
from phantastic.systems.transfer.distilling import Distilling
from phantastic.systems.transfer.nearest import compared
from phantastic.systems.transfer.study import TransferRecipe

FEW = 40  # parallel sentences that lesions are measured on


@lru_cache(maxsize=2)
def first_seed(recipe: TransferRecipe, device: torch.device) -> tuple[Crossing, Distilling]:
    """What the first seed works with, kept for repeated lesions."""
    return Crossing(recipe, recipe.seed, device), Distilling(recipe, recipe.seed, device)


def trained(run: Run[TransferRecipe]) -> dict[str, Model]:
    """Both networks of two languages, the teacher and the distilled student of the first seed, in evaluation mode."""
    recipe = run.recipe
    bilingual, monolingual = first_seed(recipe, run.device)
    models = {}
    for name in ("mlm", "tlm"):
        models[name] = bilingual.blank()
        run.load(f"seed{recipe.seed}/{name}", {"xlm": models[name]})
    teacher = monolingual.blank()
    models |= {"teacher": teacher, "distilled": students.begun("distilled", teacher, monolingual.plan, recipe.seed)}
    for name in ("teacher", "distilled"):
        run.load(f"seed{recipe.seed}/{name}", {"bert": models[name]})
    return models


@final
class Transfer(Experiment[TransferRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[TransferRecipe], recipe: TransferRecipe, seed: int) -> Scores:
        """Both questions."""
        bilingual, monolingual = Crossing(recipe, seed, run.device), Distilling(recipe, seed, run.device)
        return crossing.measured(run, bilingual) | distilling.measured(run, monolingual)

    def networks(self, run: Run[TransferRecipe]) -> dict[str, nn.Module]:
        """All of `trained`."""
        return {**trained(run)}

    @torch.no_grad()
    def lesion_measures(self, run: Run[TransferRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """How many of 40 sentences are nearest to their translations, and how many of their words; the surprise at
        masked words of the teacher and the student, nats."""
        recipe, measures = run.recipe, {}
        bilingual, monolingual = first_seed(recipe, run.device)
        text = bilingual.bitext.first(FEW)
        for name, network in networks.items():
            assert isinstance(network, Model)
            if name in ("mlm", "tlm"):
                layer = compared(network, bilingual.languages, text)[bilingual.middle]
                measures[f"{name}.retrieval"] = float(np.mean(layer.sentences))
                measures[f"{name}.words"] = float(np.mean(layer.words))
            else:
                measures[f"{name}.masked"] = students.surprises(network, monolingual.new[:1])[0]
        return measures

    def figures(self, run: Run[TransferRecipe]) -> dict[str, Figure]:
        """Zero-shot scores; how near words are to their translations; which are nearest, by layer; the students."""
        recipe, measures, networks = run.recipe, run.measures(), trained(run)
        bilingual, _ = first_seed(recipe, run.device)
        pair = {name: networks[name] for name in ("mlm", "tlm")}
        seconds = run.result(f"seed{recipe.seed}/speed", dict[str, float])
        return {
            "zero-shot": drawn.zero_shot(measures),
            "words": drawn.words(pair, bilingual.languages, bilingual.bitext, bilingual.middle),
            "layers": drawn.layers(measures, recipe.layers),
            "students": drawn.students(measures, seconds),
        }
