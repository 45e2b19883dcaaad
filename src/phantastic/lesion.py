"""Lesions: named sites x kind of damage x dose, reversible, on any model.

A *site* is a submodule that has units: a linear layer, a convolution, a transposed convolution, or any module that
declares ``units: int`` and ``unit_axis: int``, the axis of its output tensor along which the units lie. So a system
makes more of itself a site (an attention head, the precision of a sense) by passing it through such a module. A site's
name is its path, ``visual.encoder.conv3``, with list positions in brackets: ``layer[7].head[2]``.

Kinds of damage, each with a dose in [0, 1]; the output of a site is what the module returns, before any nonlinearity:

- ``sever``: a random share ``dose`` of the incoming connections is set to zero. A connection is an entry of the weight
  (in a convolution: of a kernel, wherever the kernel is applied); biases stay.
- ``noise``: Gaussian noise is added to the output, its standard deviation ``dose`` times that of the site's activity,
  taken over all units, positions and items of the same call. At dose 1 noise and signal have the same variance.
- ``silence``: a random share ``dose`` of the units gives 0.
- ``scale``: the output is multiplied by 1 - ``dose`` (a loss of gain; nothing is drawn).

What is drawn depends on the seed, the kind and the site's name only (noise also on how often the site was called), and
always on the CPU, so every device sees the same damage. The share is the beginning of one random order: under the same
seed a higher dose damages all that a lower dose does, and more, and noise only grows. With dose 0, and in a sham
lesion, the same numbers are drawn and the damage is computed and then thrown away.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count

import torch
from jaxtyping import Bool, Float
from msgspec import Struct
from torch import Tensor, nn

from phantastic.declare.claims import summarise
from phantastic.ground.errors import Refused, nearest
from phantastic.ground.randomness import torch_generator

MOST_DOSES = 1000


@dataclass(frozen=True)
class Site:
    """A place that can be damaged: a module and where the units are in its output."""

    name: str
    module: nn.Module
    units: int
    axis: int

    @property
    def weight(self) -> nn.Parameter | None:
        """The incoming connections; None where they are not the module's own parameter (it has none, or a
        reparametrisation computes them)."""
        return dict(self.module.named_parameters(recurse=False)).get("weight")

    @property
    def connections(self) -> int:
        return 0 if self.weight is None else self.weight.numel()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of damage possible here."""
        return tuple(kind for kind in KINDS if kind != "sever" or self.connections)


def sites(models: Mapping[str, nn.Module]) -> list[Site]:
    """Every site of the models, in their order; a module that two names lead to is listed by the first."""
    found, seen = [], set()
    for model, root in models.items():
        for path, module in root.named_modules(memo=seen):
            shape = units_of(module)
            if shape is not None:
                name = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f"{model}.{path}" if path else model)
                found.append(Site(name, module, *shape))
    return found


def units_of(module: nn.Module) -> tuple[int, int] | None:
    """(number of units, their axis in the output) or None for a module without units."""
    match module:
        case nn.Linear():
            return module.out_features, -1
        case nn.Conv1d() | nn.ConvTranspose1d():
            return module.out_channels, -2
        case nn.Conv2d() | nn.ConvTranspose2d():
            return module.out_channels, -3
        case nn.Conv3d() | nn.ConvTranspose3d():
            return module.out_channels, -4
    units, axis = getattr(module, "units", None), getattr(module, "unit_axis", None)
    return (units, axis) if isinstance(units, int) and isinstance(axis, int) else None


# --- kinds: each gives the damaged version of a tensor; ``call`` counts the calls of the site since the lesion was made


def sever(site: Site, weight: Float[Tensor, "..."], dose: float, seed: int, call: int) -> Float[Tensor, "..."]:
    chosen = share(weight.numel(), dose, torch_generator(seed, f"lesion/sever/{site.name}"))
    damaged = weight.clone()  # keeps the memory layout, which masked_fill would not
    return damaged.masked_fill_(chosen.view(weight.shape).to(weight.device), 0)


def noise(site: Site, output: Float[Tensor, "..."], dose: float, seed: int, call: int) -> Float[Tensor, "..."]:
    drawn = torch.randn(output.shape, generator=torch_generator(seed, f"lesion/noise/{site.name}", call))
    deviation = output.detach().float().std(correction=0)
    return output + drawn.to(output) * (dose * deviation)


def silence(site: Site, output: Float[Tensor, "..."], dose: float, seed: int, call: int) -> Float[Tensor, "..."]:
    chosen = share(site.units, dose, torch_generator(seed, f"lesion/silence/{site.name}"))
    return output.movedim(site.axis, -1).masked_fill(chosen.to(output.device), 0).movedim(-1, site.axis)


def scale(site: Site, output: Float[Tensor, "..."], dose: float, seed: int, call: int) -> Float[Tensor, "..."]:
    return output * (1 - dose)


KINDS = {kind.__name__: kind for kind in (sever, noise, silence, scale)}


def share(number: int, dose: float, generator: torch.Generator) -> Bool[Tensor, " number"]:
    """A random share of ``number`` things: the first ``dose`` (rounded to whole things) of their random order."""
    chosen = torch.zeros(number, dtype=torch.bool)
    chosen[torch.randperm(number, generator=generator)[: int(dose * number + 0.5)]] = True
    return chosen


# --- lesions


def checked(models: Mapping[str, nn.Module], site: str, kind: str, dose: float) -> Site:
    """The site of that name; raises `Refused` for an unknown site or kind, or a dose outside [0, 1]."""
    known = {place.name: place for place in sites(models)}
    if site not in known:
        raise Refused(f"unknown site '{site}'{nearest(site, known)}")
    if kind not in KINDS:
        raise Refused(f"unknown kind of lesion '{kind}'{nearest(kind, KINDS)}")
    if kind not in known[site].kinds:
        raise Refused(
            f"site '{site}' has no connections of its own to sever; possible there: {', '.join(known[site].kinds)}"
        )
    if not 0 <= dose <= 1:
        raise Refused(f"dose {dose} is not possible; allowed: a number from 0 (intact) to 1 (all of the site)")
    return known[site]


@contextmanager
def damage(
    models: Mapping[str, nn.Module], site: str, kind: str, dose: float, seed: int, sham: bool = False
) -> Iterator[Site]:
    """Damage a site while the context lasts; a sham lesion goes through it all and changes nothing.

    Afterwards, whatever happened inside, the site is what it was, to the bit. Lesions nest, also at one site: each acts
    on what the ones around it left, and the last made is the first lifted. Raises `Refused` as `checked` does.
    """
    place = checked(models, site, kind, dose)
    intact = sham or dose == 0
    if kind == "sever":
        # A damaged copy stands in for the weight: the weight is never written, and a layer that shares it is spared.
        weight = place.module.get_parameter("weight")
        severed = sever(place, weight.detach(), dose, seed, 0)
        if not intact:
            place.module.weight = nn.Parameter(severed, weight.requires_grad)
        try:
            yield place
        finally:
            place.module.weight = weight
        return
    calls = count()

    def hook(module: nn.Module, inputs: tuple[object, ...], output: Tensor) -> Tensor | None:
        damaged = KINDS[kind](place, output, dose, seed, next(calls))
        return None if intact else damaged

    handle = place.module.register_forward_hook(hook)
    try:
        yield place
    finally:
        handle.remove()


class Row(Struct, frozen=True):
    """One measure at one dose: the mean over repeats, its 95% interval and the repeats; in `sham` rows nothing was
    damaged."""

    measure: str
    dose: float
    mean: float
    low: float | None
    high: float | None
    each: list[float]
    sham: bool = False


def curve(
    measure: Callable[[], Mapping[str, float]],
    models: Mapping[str, nn.Module],
    site: str,
    kind: str,
    doses: Sequence[float],
    repeats: int,
    seed: int,
) -> list[Row]:
    """Measures by dose, and a sham lesion of the highest dose as the control; rows are grouped by measure.

    ``measure`` computes with ``models`` as they are and must be deterministic. Repeat r is `damage` with ``seed`` + r,
    at every dose. What is not random is measured once and has no interval: dose 0, the sham, and the kind ``scale``.
    Raises `Refused`, before anything is measured, as `checked` does and for no doses or no repeats.
    """
    for dose in doses:
        checked(models, site, kind, dose)
    if not doses or repeats < 1:
        raise Refused(f"{len(doses)} doses with {repeats} repeats are nothing to measure; give at least one of each")
    conditions = [(dose, False) for dose in doses] + [(max(doses), True)]
    rows = []
    for dose, sham in conditions:
        values = []
        for repeat in range(1 if sham or dose == 0 or kind == "scale" else repeats):
            with damage(models, site, kind, dose, seed + repeat, sham):
                values.append(measure())
        for name in values[0]:
            summary = summarise([value[name] for value in values])
            rows.append(Row(name, dose, summary.value, summary.low, summary.high, summary.each, sham))
    order = {name: position for position, name in enumerate(dict.fromkeys(row.measure for row in rows))}
    return sorted(rows, key=lambda row: order[row.measure])


def parse_doses(text: str) -> list[float]:
    """Doses from ``start:stop:step`` (the stop included where a step meets it), numbers, or both, with commas between.

    Sorted, each once. Raises `Refused` for anything else, doses outside [0, 1] or more than a thousand.
    """
    found: set[float] = set()
    example = "write it as 0:1:0.2, as 0,0.5,1 or as one number, from 0 (intact) to 1"
    for part in text.split(","):
        try:
            numbers = [Decimal(word) for word in part.split(":")]
            first, last, step = numbers if len(numbers) > 1 else (numbers[0], numbers[0], Decimal(1))
            if not 0 <= first <= last <= 1 or step <= 0:
                raise ValueError
            steps = (last - first) / step
        except (ArithmeticError, ValueError):
            raise Refused(f"doses '{text}': '{part.strip()}' is not possible; {example}") from None
        if steps >= MOST_DOSES - len(found):
            raise Refused(f"doses '{text}' are more than {MOST_DOSES}; {example}")
        found |= {float(first + index * step) for index in range(int(steps) + 1)}
    return sorted(found)
