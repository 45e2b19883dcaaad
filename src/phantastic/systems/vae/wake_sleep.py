"""The study `wake_sleep`: the Helmholtz machine on bars, beside the same one on the bound's gradient and a VAE."""

from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from typing import Any, final

import msgspec
import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.autoencoder.vae import vae
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.rates import level_and_linear
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.vae import helmholtz
from phantastic.systems.vae.bars import World, bars
from phantastic.systems.vae.bars_vae import BarsVAE
from phantastic.systems.vae.helmholtz import Fantasies, HelmholtzMachine, enumerated
from phantastic.systems.vae.study import WakeSleepRecipe
from phantastic.systems.vae.wake_sleep_figures import curves, falling_asleep, patterns

TOP = 1  # the unit that may come to stand for the orientation
MOMENTS = 16  # of training at which the divergence from the world is enumerated
RULES = ("wake_sleep", "elbo")  # how a machine learns


# --- learning


def machine_of(recipe: WakeSleepRecipe, seed: int) -> HelmholtzMachine:
    """A machine as it begins, the same for both rules: weights N(0, ½²), every unit on as often as off."""
    with initialised(seed, "machine"):
        machine = HelmholtzMachine(recipe.size**2, recipe.hidden, TOP)
        for name, parameter in machine.named_parameters():
            drawn = name.endswith("weight") and not name.startswith("prior")
            nn.init.normal_(parameter, 0.0, 0.5 if drawn else 0.0)
    return machine


def build(recipe: WakeSleepRecipe, seed: int) -> dict[str, Any]:
    with initialised(seed, "vae"):
        model = BarsVAE(recipe.size**2, recipe.hidden)
    return {rule: machine_of(recipe, seed) for rule in RULES} | {"vae": model}


def losses(recipe: WakeSleepRecipe, name: str, network: Any, world: World, seed: int, device: torch.device) -> Any:
    """What a network makes smaller on a batch of the world; the batches of all are the same."""

    def loss(step: int) -> Mapping[str, Tensor]:
        x = world.draw(recipe.batch, torch_generator(seed, "bars", step)).float().to(device)
        generator = torch_generator(seed, "states", step, device)
        if name == "vae":
            return vae(network, x, generator)
        if name == "elbo":
            return {"loss": enumerated(network, x).free_energy.mean()}
        awake, asleep = helmholtz.wake(network, x, generator), helmholtz.sleep(network, len(x), generator)
        return {"loss": awake + asleep, "wake": awake, "sleep": asleep}  # neither has a slope in the other's weights

    return loss


def learn(run: Run[WakeSleepRecipe], seed: int, name: str, network: Any, world: World) -> None:
    recipe = run.recipe
    optimiser = (
        torch.optim.Adam(network.parameters(), recipe.vae_rate, fused=True)
        if name == "vae"
        else torch.optim.SGD(network.parameters(), recipe.rate, fused=True)
    )

    def look(step: int) -> None:
        run.once(f"seed{seed}/{name}-step{step}", lambda: world.divergence(evidence(network, world)), float)

    train(
        run,
        f"seed{seed}/{name}",
        {name: network},
        {"loss": optimiser},
        losses(recipe, name, network, world, seed, run.device),
        steps=recipe.steps,
        rate=level_and_linear(recipe.steps, 2),
        at={step: partial(look, step) for step in moments(recipe)},
    )


def moments(recipe: WakeSleepRecipe) -> list[int]:
    return np.unique(np.geomspace(max(1, recipe.steps // 256), recipe.steps, MOMENTS).astype(int)).tolist()


# --- measures


def exactly(network: Any) -> Any:
    """A copy to be measured, in float64."""
    return deepcopy(network).cpu().double().eval()


@torch.no_grad()
def evidence(network: Any, world: World) -> Float64[Tensor, " patterns"]:
    """log p of every pattern of the world under a machine or a VAE."""
    model = exactly(network)
    if isinstance(model, HelmholtzMachine):
        return enumerated(model, world.patterns).evidence
    return model.log_evidence(world.patterns)


def fit(world: World, log_p: Float64[Tensor, " patterns"]) -> dict[str, float]:
    """How far the world is from a model and what the model needs to tell a pattern (entropy and divergence), in nats,
    and how likely a fantasy of the model is a pattern of the world."""
    cost = -float(world.probabilities @ log_p)
    return {"divergence": world.divergence(log_p), "cost": cost, "legal": float(log_p.exp().sum())}


@torch.no_grad()
def inference(world: World, machine: HelmholtzMachine) -> dict[str, float]:
    """Free energy, what of it is error of inference, and by how much the two ways of having that differ."""
    found = enumerated(exactly(machine), world.patterns)
    gap = found.free_energy + found.evidence
    return {
        "free_energy": float(world.probabilities @ found.free_energy),
        "gap": float(world.probabilities @ gap),
        "gap.least": float(gap.min()),
        "gap.error": float((gap - found.inference_error).abs().max()),
    }


class Night(msgspec.Struct):
    """Recognition alone goes on learning, first awake, then asleep: before every step the mean free energy of the world
    and the mean KL(p(h|x) ‖ q(h|x)) of fantasies, in nats."""

    awake: int  # steps of the day; the night begins after them
    free_energy: list[float]
    reverse: list[float]


def night(recipe: WakeSleepRecipe, world: World, trained: HelmholtzMachine) -> Night:
    """Both by exact gradients, with Adam: what is descended is what its phase descends on average."""
    machine = deepcopy(trained).cpu().float()
    x, p, fantasies = world.patterns.float(), world.probabilities.float(), Fantasies(machine)
    found = Night(recipe.night, [], [])
    for phase in ("awake", "asleep"):
        optimiser = torch.optim.Adam(machine.recognition(), recipe.night_rate)
        for _ in range(recipe.night):
            free_energy, reverse = p @ enumerated(machine, x).free_energy, fantasies.divergence(machine)
            found.free_energy.append(free_energy.item())
            found.reverse.append(reverse.item())
            machine.zero_grad()
            (free_energy if phase == "awake" else reverse).backward()
            optimiser.step()
    return found


def slept(found: Night) -> dict[str, float]:
    return {
        f"{when}.{name}": getattr(found, name)[at]
        for when, at in (("awake", found.awake), ("asleep", -1))
        for name in ("free_energy", "reverse")
    }


# --- the study


@final
class WakeSleep(Experiment[WakeSleepRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[WakeSleepRecipe], recipe: WakeSleepRecipe, seed: int) -> Scores:
        """Three networks learn the same batches of bars; then everything is enumerated."""
        world, networks = bars(recipe.size), build(recipe, seed)
        for name, network in networks.items():
            learn(run, seed, name, network.to(run.device), world)
        machine = networks["wake_sleep"]
        rested = run.once(f"seed{seed}/night", lambda: night(recipe, world, machine), Night)
        return {
            "entropy": world.entropy,
            **{f"pixels.{key}": value for key, value in fit(world, world.independent()).items()},
            **self.lesion_measures(run, networks),
            **slept(rested),
        }

    def networks(self, run: Run[WakeSleepRecipe]) -> dict[str, nn.Module]:
        """The trained networks of the first seed, in evaluation mode."""
        networks = build(run.recipe, run.recipe.seed)
        for name, network in networks.items():
            run.load(f"seed{run.recipe.seed}/{name}", {name: network})
        return {name: network.to(run.device) for name, network in networks.items()}

    def lesion_measures(self, run: Run[WakeSleepRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Every model against the world, and the machines' free energies; enumerated."""
        world = bars(run.recipe.size)
        measures = {}
        for name, network in networks.items():
            found = fit(world, evidence(network, world))
            if isinstance(network, HelmholtzMachine):
                found |= inference(world, network)
            measures |= {f"{name}.{key}": value for key, value in found.items()}
        return measures

    def figures(self, run: Run[WakeSleepRecipe]) -> dict[str, Figure]:
        """Patterns and fantasies of the first seed, the divergence while all seeds learn, and a night."""
        recipe, seed = run.recipe, run.recipe.seed
        world, networks = bars(recipe.size), self.networks(run)
        steps = {
            (name, other, step): run.result(f"seed{other}/{name}-step{step}", float)
            for name in networks
            for other in run.seeds
            for step in moments(recipe)
        }
        nights = {other: run.result(f"seed{other}/night", Night) for other in run.seeds}
        return {
            "fantasies": patterns(world, fantasies_of(networks, world, seed), recipe.size),
            "learning": curves(steps, fit(world, world.independent())["divergence"]),
            "night": falling_asleep({other: msgspec.structs.asdict(each) for other, each in nights.items()}),
        }


def fantasies_of(
    networks: Mapping[str, Any], world: World, seed: int, count: int = 20
) -> dict[str, Float[Tensor, "count pixels"]]:
    """Draws from the world, from every network, and from a model of independent pixels."""
    found: dict[str, Tensor] = {"world": world.draw(count, torch_generator(seed, "figure"))}
    for name, network in networks.items():
        model, generator = exactly(network), torch_generator(seed, "figure/fantasies")
        drawn = model.fantasise(count, generator)
        found[name] = (drawn[0] if isinstance(model, HelmholtzMachine) else drawn).detach()
    chances = (world.probabilities @ world.patterns).expand(count, -1)
    return found | {"pixels": torch.bernoulli(chances, generator=torch_generator(seed, "figure/pixels"))}
