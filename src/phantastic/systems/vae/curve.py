"""What the training curve of a member of the family says, held against the curves of a published run."""

from collections.abc import Mapping, Sequence

import numpy as np

from phantastic.declare.measure import Measure, less, scaled
from phantastic.ground.randomness import numpy_generator
from phantastic.measures.bootstrap import mean, over_items
from phantastic.run.folder import Run
from phantastic.systems.vae.study import FamilyRecipe
from phantastic.world import dsprites

EPOCH = dsprites.IMAGES // 64  # steps, 11,520, of the published runs
# Mean reconstruction and KL over an epoch, nats per image, as logged by disentangling-vae (Dubois et al. 2019) with the
# settings of the preset `full`.
PUBLISHED = {
    ("vae", 1): (71.01, 33.67), ("vae", 2): (38.56, 26.64),
    ("beta", 1): (87.90, 20.71), ("beta", 2): (64.42, 15.04),
}  # fmt: skip


def from_curve(run: Run[FamilyRecipe], objective: str, seed: int) -> dict[str, Measure]:
    """The training curve's mean over each published epoch, how far it is from the published mean, and C's from C; with
    intervals over the logged stretches of the curve."""
    recipe, points = run.recipe, run.curve(f"seed{seed}/{objective}")
    measures: dict[str, Measure] = {}

    def over(stretches: Sequence[Mapping[str, float]], term: str) -> Measure:
        values = np.array([stretch[term] for stretch in stretches])
        return over_items(values, numpy_generator(seed, "measure/bootstrap/curve"), mean)

    if recipe.images == dsprites.IMAGES and recipe.batch == 64:
        for epoch in range(1, min(2, recipe.steps // EPOCH) + 1):
            within = [point for point in points if (epoch - 1) * EPOCH < point["step"] <= epoch * EPOCH]
            for place, term in enumerate(("reconstruction", "kl")):
                if term not in within[0]:
                    continue
                value = measures[f"epoch{epoch}.{term}"] = over(within, term)
                if (objective, epoch) in PUBLISHED:
                    relative = scaled(value, 1 / PUBLISHED[objective, epoch][place])
                    measures[f"epoch{epoch}.{term}.deviation"] = less(relative, 1.0)
    if objective == "capacity" and recipe.capacity and recipe.steps > recipe.capacity_steps:
        settled = over([point for point in points if point["step"] > recipe.capacity_steps], "kl")
        measures["kl.deviation"] = less(scaled(settled, 1 / recipe.capacity), 1.0)
    return measures
