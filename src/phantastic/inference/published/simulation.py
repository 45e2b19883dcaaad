"""A published simulation: its models, its inputs and its scheme, with everything open to change."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Literal

import torch
from torch import Tensor

from phantastic.ground.errors import Refused, nearest
from phantastic.inference.action import act
from phantastic.inference.attenuation import attenuate
from phantastic.inference.generation import Noise, generate
from phantastic.inference.learn import invert
from phantastic.inference.model import Model
from phantastic.inference.result import Result


@dataclass(frozen=True)
class Simulation:
    """One run. ``run()`` is the published one; `changed` gives another one.

    model: the agent's beliefs; process: the world (for perception alone, the model that makes the data). causes: what
    drives the process [..., bins, causes]. prior_u: prior mean of the model's last causes. orders: embedding orders of
    states and causes; data_orders: those with which data are made, where they differ. edit: what is done to the data
    before they are perceived. noise: that of the published run.
    """

    scheme: Literal["invert", "act", "attenuate"]
    model: Model
    process: Model
    causes: Tensor
    prior_u: Tensor | None = None
    orders: tuple[int, int] = (6, 2)
    data_orders: tuple[int, int] | None = None
    iterations: int = 8
    rate: float = 1.0
    edit: Callable[[Tensor], Tensor] | None = None
    noise: Noise | None = None

    def run(self, y: Tensor | None = None, noise: Noise | None = None, seed: int | None = None) -> Result:
        """The result with data ``y`` or, by default, with data made with ``noise``.

        Without either, the noise is drawn from ``seed``; without a seed it is that of the published run, or drawn from
        seed 0 where that is not kept. An agent that acts makes its own data, so that ``y`` is not looked at.
        """
        noise = self.noise if noise is None and seed is None else noise
        noise_seed = (seed or 0) if noise is None else None
        if self.scheme == "invert":
            truth = None
            if y is None:
                orders = self.data_orders or self.orders
                truth = generate(self.process, self.causes, orders=orders, noise=noise, seed=noise_seed)
                y = truth.v[1]
            y = torch.as_tensor(y, dtype=torch.float64)
            y = self.edit(y) if self.edit else y
            result = invert(
                self.model, y, prior_u=self.prior_u, orders=self.orders, iterations=self.iterations, rate=self.rate
            )
            return replace(result, process=truth)
        scheme = act if self.scheme == "act" else attenuate
        return scheme(
            self.model,
            self.process,
            self.causes,
            prior_u=self.prior_u,
            orders=self.orders,
            noise=noise,
            seed=noise_seed,
        )

    def changed(self, **fields: Any) -> "Simulation":
        """This experiment with other fields, as in ``changed(model=e.model.with_level(2, W=1.0))``."""
        return replace(self, **fields)


def pick(runs: Mapping[str, Callable[[], Simulation]], run: str) -> Simulation:
    """The experiment called ``run``; raises `Refused` with the nearest name."""
    if run not in runs:
        raise Refused(f"there is no published run '{run}'{nearest(run, runs)}")
    return runs[run]()


def kept_noise(name: str) -> dict[str, Tensor]:
    """The noise of a published run, as the reference program drew it."""
    tables = tomllib.loads((files("phantastic.inference.published") / "noise.toml").read_text("utf-8"))
    return {key: torch.tensor(rows, dtype=torch.float64) for key, rows in tables[name].items()}


def bump(bins: int, centre: float, width: float) -> Tensor:
    """exp(-(t - centre)^2 / width) at t = 1 ... bins, as one channel [bins, 1]."""
    t = torch.arange(1, bins + 1, dtype=torch.float64)
    return torch.exp(-((t - centre) ** 2) / width)[:, None]
