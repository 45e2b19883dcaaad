"""Training clips per second of the fusion models at the `quick` size, beside a plain transformer over the same tokens.

    python benchmarks/fusion.py

The rival is `torch.nn.TransformerEncoder` (pre-norm, GELU, no dropout, as wide and as deep) over all tokens of both
senses at once, embedded by the same maps; it has one set of layers where fusion models have one for each sense. Each
turn times every model once, one after the other, in processor seconds, with one thread and in float32; the median over
turns is shown. Then: how the time of a step grows with the number of bottleneck tokens and with the length of clips.
"""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from phantastic.ground.randomness import initialised
from phantastic.systems.bottleneck.clips import architectures, middle
from phantastic.systems.bottleneck.model import Architecture, Compute, FusionTransformer
from phantastic.systems.bottleneck.study import FusionRecipe
from phantastic.systems.bottleneck.tokens import Tokens

TURNS, BATCH = 15, 32
RECIPE = FusionRecipe()


class Plain(nn.Module):
    """All tokens of both senses through PyTorch's own transformer."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        a = architecture
        self.tokens = nn.ModuleDict({name: Tokens(name, sense, a.width, 1) for name, sense in a.senses.items()})
        layer = nn.TransformerEncoderLayer(
            a.width, a.heads, a.hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, a.layers, nn.LayerNorm(a.width), enable_nested_tensor=False)
        self.head = nn.Linear(a.width, a.classes)

    def logits(self, **inputs: Tensor) -> dict[str, Tensor]:
        x = torch.cat([self.tokens[name](value) for name, value in inputs.items()], 1)
        return {"all": self.head(self.encoder(x)[:, 0])}


def stepper(model: nn.Module, architecture: Architecture, clips: int = BATCH) -> Callable[[], float]:
    """A training step on random clips; returns its processor seconds."""
    generator = torch.Generator().manual_seed(0)
    inputs = {}
    for name, sense in architecture.senses.items():
        size = [length * step for length, step in zip(sense.grid, sense.patch, strict=True)]
        inputs[name] = torch.randn(clips, *size, sense.channels, generator=generator)
    labels = (torch.rand(clips, architecture.classes, generator=generator) < 0.5).float()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)

    def step() -> float:
        start = time.process_time()
        logits = model.logits(**inputs)  # pyright: ignore[reportCallIssue]
        loss = torch.stack([binary_cross_entropy_with_logits(each, labels) for each in logits.values()]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return time.process_time() - start

    return step


def fusion(architecture: Architecture, compute: Compute = "read") -> Callable[[], float]:
    with initialised(0, "benchmark"):
        return stepper(FusionTransformer(architecture, compute), architecture)


def alternating(steps: dict[str, Callable[[], float]], turns: int = TURNS) -> dict[str, list[float]]:
    """Processor seconds of each model, turn by turn, after two turns to warm up."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(turns + 2):
        for name, step in steps.items():
            spent = step()
            if turn > 1:
                times[name].append(spent)
    return times


def against(times: dict[str, list[float]], one: str, other: str) -> float:
    """How many times faster ``one`` is than ``other``: the median over turns."""
    return median(b / a for a, b in zip(times[one], times[other], strict=True))


def exponent(sizes: list[float], seconds: list[float]) -> float:
    """The slope of log seconds over log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def main() -> None:
    torch.set_num_threads(1)
    plans = architectures(RECIPE)
    mid = f"bottleneck{middle(RECIPE)}"
    with initialised(0, "benchmark"):
        plain = Plain(plans[mid])
    tokens = " + ".join(f"{sense.tokens} {name}" for name, sense in plans[mid].senses.items())
    print(
        f"PyTorch {torch.__version__}, one thread, float32; {tokens} tokens, {RECIPE.layers} layers of {RECIPE.width}"
    )
    times = alternating(
        {
            "nn.TransformerEncoder": stepper(plain, plans[mid]),
            "bottleneck, middle": fusion(plans[mid]),
            "bottleneck, middle, every token": fusion(plans[mid], "published"),
            "bottleneck, early": fusion(plans["bottleneck0"]),
            "late": fusion(plans["late"]),
            "vanilla, early": fusion(plans["vanilla0"]),
            "vanilla, early, as published": fusion(plans["vanilla0"], "published"),
        }
    )
    print(f"{'model':<34}{'clips per CPU-second':>22}{'x nn.TransformerEncoder':>25}{'x vanilla as published':>24}")
    for name, seconds in times.items():
        rivals = (against(times, name, rival) for rival in ("nn.TransformerEncoder", "vanilla, early, as published"))
        print(f"{name:<34}{BATCH / median(seconds):>22.0f}{next(rivals):>25.2f}{next(rivals):>24.2f}")
    growth()


def growth() -> None:
    """Time by the number of bottleneck tokens (a straight line) and by the length of clips (an exponent)."""
    numbers = [0, 8, 16, 32, 64]
    recipes = {number: FusionRecipe(numbers=(number or 1,), points=2) for number in numbers}
    steps = {}
    for number, recipe in recipes.items():
        plan = architectures(recipe)[f"tokens{number}" if number else "late"]
        steps[str(number)] = fusion(plan)
    times = [median(each) for each in alternating(steps, 9).values()]
    slope, start = np.polyfit(numbers, times, 1)
    worst = max(abs(start + slope * n - t) / t for n, t in zip(numbers, times, strict=True))
    shown = ", ".join(f"{number}: {1000 * t:.0f}" for number, t in zip(numbers, times, strict=True))
    print(f"\nbottleneck tokens, at fusion layer 0: ms per step {shown}")
    print(f"{1000 * slope:.2f} ms a token; a straight line is within {worst:.0%} everywhere")
    print(
        "\nlength of clips (1 = two seconds, 36 tokens): ms per step, early fusion; middle fusion against the plain one"
    )
    lengths = [1, 2, 4, 8]
    found: dict[str, list[float]] = {}
    for length in lengths:
        # more tokens along time, as longer clips have; that the same clip is cut finer makes no difference to the time
        plans = architectures(FusionRecipe(frames=8 * length, hop=0.02 / length))
        mid = plans[f"bottleneck{middle(RECIPE)}"]
        with initialised(0, "benchmark"):
            plain = Plain(mid)
        steps = {
            "bottleneck": fusion(plans["bottleneck0"]),
            "vanilla": fusion(plans["vanilla0"]),
            "vanilla, as published": fusion(plans["vanilla0"], "published"),
            "bottleneck, middle": fusion(mid),
            "nn.TransformerEncoder": stepper(plain, mid),
        }
        for name, times in alternating(steps, 5).items():
            found.setdefault(name, []).append(median(times))
    for name, times in found.items():
        shown = ", ".join(f"{length}: {1000 * t:.0f}" for length, t in zip(lengths, times, strict=True))
        print(f"{name:<24}{shown:<36} exponent {exponent([float(n) for n in lengths], times):.2f}")
    ratios = zip(lengths, found["nn.TransformerEncoder"], found["bottleneck, middle"], strict=True)
    shown = ", ".join(f"{length}: {a / b:.2f}" for length, a, b in ratios)
    print(f"bottleneck, middle, times the throughput of nn.TransformerEncoder: {shown}")


if __name__ == "__main__":
    main()
