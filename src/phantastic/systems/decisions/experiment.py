"""The study `decisions`: published numbers, simulated observers, and a network beside the true posterior."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from phantastic.declare.measure import Measure
from phantastic.ground.randomness import Epochs, numpy_generator
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.decisions import answers, behaviour, figures, measure, shapes
from phantastic.systems.decisions.shapes import Pictures
from phantastic.systems.decisions.study import DecisionsApply, DecisionsFit, DecisionsRecipe


def certain() -> dict[str, float]:
    """What is not random but for the cases on which laws are tried."""
    found = measure.exam() | measure.coverage(30) | measure.published() | measure.blind()
    return found | measure.laws(0)


def drawn(recipe: DecisionsRecipe, seed: int) -> dict[str, Pictures]:
    """Pictures to set the temperature by, to test on, and to test on where hearts are rare; none is learned from."""
    kinds = {"valid": (recipe.tests // 4, 0.5), "test": (recipe.tests, 0.5), "rare": (recipe.tests, recipe.rare)}
    return {name: shapes.draw(count, pi, recipe.noise, seed, name) for name, (count, pi) in kinds.items()}


def learned(run: Run[DecisionsRecipe], seed: int) -> nn.Sequential:
    """A network that has learned from pictures half of which show a heart."""
    recipe = run.recipe
    model = shapes.network(recipe.width, seed).to(run.device)
    optimiser = torch.optim.Adam(model.parameters(), recipe.rate)
    stage = f"seed{seed}/network"
    data = shapes.draw(recipe.pictures, 0.5, recipe.noise, seed, "train")
    batches = Epochs(recipe.pictures, recipe.batch, seed, "decisions/batch")

    def losses(step: int) -> dict[str, Tensor]:
        rows = batches(step)
        pixels, signal = (torch.from_numpy(each[rows]).to(run.device) for each in (data.pixels, data.signal))
        return {"loss": nn.functional.binary_cross_entropy_with_logits(model(pixels)[:, 0], signal.float())}

    train(run, stage, {"network": model}, {"loss": optimiser}, losses, steps=recipe.steps)
    return model


@final
class Decisions(Experiment[DecisionsRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[DecisionsRecipe], recipe: DecisionsRecipe, seed: int) -> Scores:
        """Observers, and a network's decisions beside those by Bayes' rule."""
        model = learned(run, seed)

        def judge() -> dict[str, float]:
            sets = drawn(recipe, seed)
            own = {name: shapes.answers(model, pictures.pixels) for name, pictures in sets.items()}
            return measure.decided(recipe, seed, own, sets)[0]

        observers = run.once(f"seed{seed}/observers", partial(measure.observed, recipe, seed), dict[str, float])
        return observers | run.once(f"seed{seed}/decisions", judge, dict[str, float])

    def overall(
        self, run: Run[DecisionsRecipe], recipe: DecisionsRecipe, seeds: Sequence[Mapping[str, Measure]]
    ) -> Scores:
        """The exam, the literature's numbers, and laws."""
        return run.once("certain", certain, dict[str, float])

    def networks(self, run: Run[DecisionsRecipe]) -> dict[str, nn.Module]:
        model = shapes.network(run.recipe.width, run.recipe.seed).to(run.device)
        run.load(f"seed{run.recipe.seed}/network", {"network": model})
        return {"network": model}

    def lesion_measures(self, run: Run[DecisionsRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Area, Brier score and calibration error on up to 2,000 pictures."""
        recipe = run.recipe
        test = shapes.draw(min(recipe.tests, 2_000), 0.5, recipe.noise, recipe.seed, "test")
        logits = shapes.answers(networks["network"], test.pixels)
        found = measure.judged(logits, test, numpy_generator(0, "decisions/chance"))
        return {name: found[name] for name in ("area", "brier", "ece")}

    def figures(self, run: Run[DecisionsRecipe]) -> dict[str, Figure]:
        """The exam's matrix, ROC curves, calibration, prevalence, costs."""
        recipe, model = run.recipe, self.networks(run)["network"]
        sets = drawn(recipe, recipe.seed)
        own = {name: shapes.answers(model, pictures.pixels) for name, pictures in sets.items()}
        _, t = measure.decided(recipe, recipe.seed, own, sets)
        scaled = {name: logits / t for name, logits in own.items()}
        return {
            "confusion": figures.confusion_matrix(measure.EXAM, examined=True),
            "roc": figures.roc(recipe, scaled["test"], sets["test"]),
            "calibration": figures.calibrated(own["test"], scaled["test"], sets["test"]),
            "prevalence": figures.rarity(scaled, sets, recipe.rare),
            "costs": figures.costs(recipe.sensitivity, measure.COSTS[1]),
        }

    def apply(self, run: Run[DecisionsRecipe], request: DecisionsApply) -> list[str]:
        """--confusion COUNTS or --scores FILE.csv [--beta B] [--prevalence P]: every measure of these decisions."""
        return answers.apply(run.artefact("decisions"), request)

    def fit(self, request: DecisionsFit) -> list[str]:
        """--data FILE.csv: everyone's d′ and criterion; --template FILE.csv: a file to fill in."""
        return behaviour.fit(request)
