"""The study `integration`: does a transformer combine the senses as people do?"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from phantastic.ground.randomness import Epochs
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.rates import warm_and_cosine
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.bottleneck import dubbing, integration_figures, locating, places, speaking
from phantastic.systems.bottleneck.locating import Located
from phantastic.systems.bottleneck.model import Architecture, FusionTransformer
from phantastic.systems.bottleneck.places import Trials
from phantastic.systems.bottleneck.scores import Judgement
from phantastic.systems.bottleneck.speaking import Speech, Spoken
from phantastic.systems.bottleneck.study import IntegrationRecipe
from phantastic.systems.bottleneck.training import WARM, build, optimiser_of

LESIONED = 200


def learn(
    run: Run[IntegrationRecipe],
    stage: str,
    model: FusionTransformer,
    items: int,
    epochs: int,
    seed: int,
    loss: Callable[[Tensor], Tensor],
) -> None:
    """Train on ``items`` in random order, each once an epoch; ``loss`` takes their numbers."""
    recipe = run.recipe
    optimiser = optimiser_of(model, recipe.rate, recipe.decay)
    rows = Epochs(items, recipe.batch, seed, "order")
    steps = epochs * rows.steps
    train(
        run,
        f"seed{seed}/{stage}",
        {"model": model},
        {"loss": optimiser},
        lambda step: {"loss": loss(torch.from_numpy(rows(step)))},
        steps=steps,
        rate=warm_and_cosine(steps, WARM),
    )


# --- what others ask of a study


@cache
def lesioned(recipe: IntegrationRecipe) -> tuple[Trials, dubbing.Dubbed]:
    count = min(LESIONED, recipe.test_trials)
    trials = places.render(places.training(recipe, 1.0), recipe.seed, "integration/test", count)
    return trials, dubbing.render(recipe, recipe.seed, "integration/test", count)


def pointing_loss(model: FusionTransformer, trials: Callable[[], Trials], rows: Tensor) -> Tensor:
    """Of some of the trials, by their numbers."""
    inputs = trials().inputs(rows, tuple(model.architecture.senses))
    return places.loss_of(model(**inputs), torch.from_numpy(trials().cues.sources)[rows])


def naming_loss(model: FusionTransformer, clips: Callable[[], dubbing.Dubbed], rows: Tensor) -> Tensor:
    """Of some of the clips, by their numbers."""
    return dubbing.loss_of(model, clips(), rows)


def saying_loss(model: FusionTransformer, speech: Callable[[], Speech], rows: Tensor) -> Tensor:
    """Of some of the syllables, by their numbers."""
    return speaking.loss_of(model, speech(), rows)


@final
class Integration(Experiment[IntegrationRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[IntegrationRecipe], recipe: IntegrationRecipe, seed: int) -> Scores:
        """Localisation by four models that learned from cues of one source and by two that learned from cues of one or
        two (``.causes``), the dubbed events by one, and spoken syllables by two."""
        models = {}
        for ending, common in {"": 1.0, ".causes": recipe.common}.items():
            setting = places.training(recipe, common)
            trials = cache(partial(places.render, setting, seed, "integration/train", recipe.trials))
            for name, plan in places.architectures(recipe).items():
                if ending and name not in ("bottleneck", "late"):
                    continue  # of one sense, the other's source is nothing
                models[name + ending] = model = build(plan, seed, run.device)
                loss = partial(pointing_loss, model, trials)
                learn(run, name + ending, model, recipe.trials, recipe.epochs, seed, loss)
        where = run.once(f"seed{seed}/places", lambda: locating.located(models, recipe, seed), Located)
        clips = cache(partial(dubbing.render, recipe, seed, "integration/dubbed", recipe.clips))
        judge = build(dubbing.architecture(recipe), seed, run.device)
        loss = partial(naming_loss, judge, clips)
        learn(run, "dubbed", judge, recipe.clips, recipe.clip_epochs, seed, loss)
        what = run.once(f"seed{seed}/dubbed", lambda: dubbing.judged(judge, recipe, seed), Judgement)
        speech = cache(partial(speaking.render, seed, "integration/speech", recipe.syllables, alone=speaking.ALONE))
        listeners = {}
        for name, plan in speaking.architectures(recipe).items():
            listeners[name] = model = build(plan, seed, run.device)
            loss = partial(saying_loss, model, speech)
            learn(run, f"syllables/{name}", model, recipe.syllables, recipe.syllable_epochs, seed, loss)
        said = run.once(f"seed{seed}/syllables", lambda: speaking.judged(listeners, recipe, seed), Spoken)
        return where.judgement.measures() | what.measures() | said.judgement.measures()

    def networks(self, run: Run[IntegrationRecipe]) -> dict[str, nn.Module]:
        """The model that localises and the one that names dubbed events, of the first seed."""
        recipe = run.recipe
        plans: dict[str, Architecture] = {
            "bottleneck": places.architectures(recipe)["bottleneck"],
            "dubbed": dubbing.architecture(recipe),
        }
        networks: dict[str, nn.Module] = {}
        for name, plan in plans.items():
            networks[name] = model = build(plan, recipe.seed, run.device)
            run.load(f"seed{recipe.seed}/{name}", {"model": model})
        return networks

    def lesion_measures(self, run: Run[IntegrationRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Distance of the answers from the sources (half widths of the picture), and the share of events named
        rightly."""
        trials, clips = lesioned(run.recipe)
        pointing, naming = networks["bottleneck"], networks["dubbed"]
        assert isinstance(pointing, FusionTransformer)
        assert isinstance(naming, FusionTransformer)
        distance = np.sqrt(np.mean((places.respond(pointing, trials) - trials.cues.sources) ** 2, 0))
        right = dubbing.answers(naming, clips).argmax(1) == clips.seen
        return {"distance.seen": float(distance[0]), "distance.heard": float(distance[1]), "named": float(right.mean())}

    def figures(self, run: Run[IntegrationRecipe]) -> dict[str, Figure]:
        """Weights against reliability, the ventriloquist curve, answers to dubbed events and syllables."""
        recipe = run.recipe
        where = run.result(f"seed{recipe.seed}/places", Located)
        what = run.result(f"seed{recipe.seed}/dubbed", Judgement)
        said = run.result(f"seed{recipe.seed}/syllables", Spoken)
        return integration_figures.figures(where, what, locating.DISPARITIES, said.shares)
