"""The toy's heavy half: stages, measures, figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import altair as alt
import numpy as np
import torch
from torch import Tensor, nn

from phantastic.declare.i18n import Text
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.train import train
from phantastic.show.figure import Figure, image_grid
from toys.study import ToyApply, ToyRecipe


def curve(run: Run[ToyRecipe], x: Tensor) -> Tensor:
    return run.recipe.scale * (torch.sin(3 * x) if run.recipe.shape == "sine" else (x > 0).float())


def network(run: Run[ToyRecipe], seed: int, stage: str) -> nn.Sequential:
    with initialised(seed, stage):
        return nn.Sequential(nn.Linear(1, run.recipe.width), nn.Tanh(), nn.Linear(run.recipe.width, 1))


def stages(run: Run[ToyRecipe], seed: int) -> dict[str, nn.Sequential]:
    """``fit`` learns the curve; ``mirror`` learns what ``fit`` says, with a rival that learns its negative."""
    prefix = f"seed{seed}/" if run.recipe.seeds > 1 else ""
    fit = network(run, seed, "fit")

    def draw(purpose: str, step: int) -> Tensor:
        return torch.rand(64, 1, generator=torch_generator(seed, purpose, step)) * 2 - 1

    def fit_losses(step: int) -> dict[str, Tensor]:
        x = draw("fit", step)
        noise = torch.randn(64, 1, generator=torch_generator(seed, "noise", step))
        error = (fit(x) - curve(run, x) - 0.1 * noise).square().mean()
        weight = fit[0].weight.square().mean()
        return {"loss": error + 1e-4 * weight, "error": error, "weight": weight}

    def adam(module: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(module.parameters(), lr=run.recipe.learning_rate)

    train(run, f"{prefix}fit", {"fit": fit}, {"loss": adam(fit)}, fit_losses, steps=run.recipe.steps)
    mirror, rival = network(run, seed, "mirror"), network(run, seed, "rival")

    def mirror_losses(step: int) -> dict[str, Tensor]:
        x = draw("mirror", step)
        with torch.no_grad():
            wanted = fit(x)
        return {"loss": (mirror(x) - wanted).square().mean(), "rival": (rival(x) + wanted).square().mean()}

    modules = {"mirror": mirror, "rival": rival}
    optimisers = {"loss": adam(mirror), "rival": adam(rival)}
    train(run, f"{prefix}mirror", modules, optimisers, mirror_losses, steps=run.recipe.steps)
    return {"fit": fit, **modules}


def error(run: Run[ToyRecipe], module: nn.Module) -> float:
    x = torch.linspace(-1, 1, 101)[:, None]
    with torch.no_grad():
        return float((module(x) - curve(run, x)).square().mean())


@final
class Toy(Experiment[ToyRecipe]):
    def one_seed(self, run: Run[ToyRecipe], recipe: ToyRecipe, seed: int) -> Scores:
        models = stages(run, seed)
        errors = run.once(f"error/{seed}", lambda: {k: error(run, m) for k, m in models.items()}, dict[str, float])
        return {f"error_{name}": value for name, value in errors.items()}

    def networks(self, run: Run[ToyRecipe]) -> dict[str, nn.Module]:
        seed = run.recipe.seed
        prefix = f"seed{seed}/" if run.recipe.seeds > 1 else ""
        found = {name: network(run, seed, name) for name in ("fit", "mirror", "rival")}
        run.load(f"{prefix}fit", {"fit": found["fit"]})
        run.load(f"{prefix}mirror", {name: found[name] for name in ("mirror", "rival")})
        return {**found}

    def lesion_measures(self, run: Run[ToyRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        return {f"error_{name}": error(run, networks[name]) for name in ("fit", "mirror")}

    def figures(self, run: Run[ToyRecipe]) -> dict[str, Figure]:
        x = torch.linspace(-1, 1, 41)[:, None]
        names = {"fit": Text("network", "ネットワーク"), "curve": Text("curve", "曲線")}
        with torch.no_grad():
            values = {"fit": self.networks(run)["fit"](x), "curve": curve(run, x)}
        rows = [
            {"x": float(a), "y": float(b), "which": str(names[name])}
            for name, y in values.items()
            for a, b in zip(x, y, strict=True)
        ]
        chart = alt.Chart(alt.Data(values=rows)).mark_line().encode(
            x=alt.X("x:Q", title=str(Text("input x", "入力 x"))),
            y=alt.Y("y:Q", title=str(Text("output y", "出力 y"))),
            color=alt.Color("which:N", title=None),
        )  # fmt: skip
        ramp = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (2, 3, 16, 1))[..., None]
        labels = [str(Text("input", "元の画像")), str(Text("reconstruction", "再構成"))]
        grid = image_grid(ramp, labels, ["0.1", "0.2", str(Text("blue wall", "青い壁"))], scale=4)
        return {
            "fit": Figure(str(Text("The fitted curve.", "当てはめた曲線。")), chart),
            "ramps": Figure(str(Text("Ramps <of> grey.", "濃淡。")), grid),
        }

    def apply(self, run: Run[ToyRecipe], request: ToyApply) -> list[str]:
        with torch.no_grad():
            return [f"y = {float(self.networks(run)['fit'](torch.tensor([[request.at]]))):.4f}"]
