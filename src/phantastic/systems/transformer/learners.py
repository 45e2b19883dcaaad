"""Who learns in the study `transformer`: one for strings, one for sentences, and those they are held against."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

from phantastic.ground.randomness import initialised, torch_generator
from phantastic.run.folder import Run
from phantastic.run.rates import warm_and_root
from phantastic.run.train import train
from phantastic.systems.transformer import measure, task
from phantastic.systems.transformer.model import Order, Transformer
from phantastic.systems.transformer.study import TransformerRecipe
from phantastic.systems.transformer.task import FIRST, Pairs

LONGER = 4  # letters by which test strings exceed the longest that was learned
MOMENTUM, EPSILON = (0.9, 0.98), 1e-9  # of Adam (section 5.3)


class Learner(NamedTuple):
    """What is learned, how positions are told, with how many heads (None: the recipe's), and whether a string that is
    learned begins at any of the first positions (Kiyono et al. 2021), so that those of longer strings are met."""

    strings: bool
    order: Order = "sinusoidal"
    heads: int | None = None
    shifted: bool = True


LEARNERS = {
    "reversal": Learner(strings=True),
    "learned": Learner(strings=True, order="learned"),
    "unshifted": Learner(strings=True, shifted=False),
    "unordered": Learner(strings=True, order="none"),
    "translation": Learner(strings=False),
    "single": Learner(strings=False, heads=1),
}


def drawn(recipe: TransformerRecipe, learner: Learner, count: int, seed: int, purpose: str, step: int = 0) -> Pairs:
    """Strings or sentences; sentences are aligned where they are not for training."""
    if learner.strings:
        return task.strings(recipe.letters, recipe.length // 2, recipe.length, count, seed, purpose, step)
    return task.translations(recipe.words, count, seed, purpose, step, align=purpose != "train")


def build(recipe: TransformerRecipe, learner: Learner, seed: int) -> Transformer:
    source, target = (recipe.letters,) * 2 if learner.strings else map(len, task.vocabularies())
    length = 2 + (recipe.length + LONGER if learner.strings else recipe.words)
    with initialised(seed, "model"):
        return Transformer(
            source + FIRST,
            target + FIRST,
            width=recipe.width,
            heads=learner.heads or recipe.heads,
            layers=recipe.layers,
            hidden=recipe.hidden,
            length=length,
            order=learner.order,
            dropout=recipe.dropout,
        )


def shifts(seed: int, step: int, count: int) -> Int[Tensor, " count"]:
    """At which position each string of a step begins: 0 to `LONGER`."""
    return torch.randint(LONGER + 1, (count,), generator=torch_generator(seed, "shift", step))


def learn(run: Run[TransformerRecipe], name: str, seed: int) -> Transformer:
    """Train one of the learners.

    The step size rises in a straight line and then falls with the square root of the steps (section 5.3, Eq. 3).
    """
    recipe, learner = run.recipe, LEARNERS[name]
    steps, batch = (
        (recipe.string_steps, recipe.strings) if learner.strings else (recipe.sentence_steps, recipe.sentences)
    )
    model = build(recipe, learner, seed).to(run.device)
    optimiser = torch.optim.Adam(model.parameters(), recipe.rate, MOMENTUM, EPSILON, fused=True)

    def losses(step: int) -> Mapping[str, Tensor]:
        pairs = drawn(recipe, learner, batch, seed, "train", step).to(run.device)
        offset = shifts(seed, step, batch).to(run.device) if learner.strings and learner.shifted else None
        with initialised(seed, f"dropout/{step}"):
            return {"loss": measure.loss(model, pairs, recipe.smoothing, offset)}

    train(
        run,
        f"seed{seed}/{name}",
        {name: model},
        {"loss": optimiser},
        losses,
        steps=steps,
        rate=warm_and_root(recipe.warmup),
    )
    return model


def trained(run: Run[TransformerRecipe], name: str) -> Transformer:
    """A learner of the first seed as its training left it."""
    model = build(run.recipe, LEARNERS[name], run.recipe.seed)
    modules: dict[str, nn.Module] = {name: model}
    run.load(f"seed{run.recipe.seed}/{name}", modules)
    return model.to(run.device).eval()
