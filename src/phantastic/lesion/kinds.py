"""Lesions: named sites x kind of damage x dose, reversible, on any model.

A *site* is a submodule that has units: a linear layer, a convolution, a transposed convolution, an embedding, a
recurrent layer or cell, or any module that declares ``units: int`` and ``unit_axis: int``, the axis of its output
tensor along which the units lie. So a system makes more of itself a site (an attention head, the precision of a sense)
by passing it through such a module. The output may be a tuple or dataclass whose first item or field is that tensor. A
site's name is its path, ``visual.encoder.conv3``, with list positions in brackets: ``layer[7].head[2]``.

Kinds of damage, each with a dose in [0, 1]; the output of a site is what the module returns, before any nonlinearity
but those that are a recurrent unit's own:

- ``sever``: a random share ``dose`` of the incoming connections is set to zero. A connection is an entry of the weight
  (in a convolution: of a kernel, wherever the kernel is applied; in an embedding: of the table, from a word to a unit;
  in recurrent modules: of every ``weight_ih`` and ``weight_hh``, of each gate, direction and layer); biases stay.
- ``noise``: Gaussian noise is added to the output, its standard deviation ``dose`` times that of the site's activity,
  taken over all units, positions and items of the same call. At dose 1 noise and signal have the same variance.
- ``silence``: a random share ``dose`` of the units gives 0.
- ``scale``: the output is multiplied by 1 - ``dose`` (a loss of gain; nothing is drawn).

The last three act on what others read of a unit. In a recurrent layer that is its state at every step and, where the
sequence ends, in h_n, the same there as here; within the sequence the layer's own recurrence goes on undamaged, while
a cell is handed back its damaged h by whoever calls it. Cell states are memory, not output, and ``noise`` and ``scale``
leave them; ``silence`` empties those of the silent units, so that nothing of a silent unit can be read anywhere.

What is drawn depends on the seed, the kind and the site's name only (noise also on how often the site was called), and
always on the CPU, so every device sees the same damage. The share is the beginning of one random order: under the same
seed a higher dose damages all that a lower dose does, and more, and noise only grows. With dose 0, and in a sham
lesion, the same numbers are drawn and the damage is computed and then thrown away.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from phantastic.ground.errors import Refused, nearest
from phantastic.ground.randomness import torch_generator
from phantastic.nn.units import altered, units_of, weights_of


@dataclass(frozen=True)
class Site:
    """A place that can be damaged: a module and where the units are in its output."""

    name: str
    module: nn.Module
    units: int
    axis: int

    @property
    def connections(self) -> int:
        """How many there are to sever."""
        return sum(weight.numel() for weight in weights_of(self.module).values())

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of damage possible here."""
        return tuple(kind for kind in KINDS if kind != "sever" or self.connections)


def sites(models: Mapping[str, nn.Module]) -> list[Site]:
    """Every site of the models, in their order; a module that two names lead to is listed by the first."""
    places, visited = [], set()
    for model, root in models.items():
        for path, module in root.named_modules(memo=visited):
            shape = units_of(module)
            if shape is not None:
                name = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f"{model}.{path}" if path else model)
                places.append(Site(name, module, *shape))
    return places


# --- kinds: what each makes of weights or of an output; ``call`` counts the calls of the site since the lesion was made


def sever(site: Site, weights: Sequence[Float[Tensor, "..."]], dose: float, seed: int) -> list[Float[Tensor, "..."]]:
    chosen = share(site.connections, dose, torch_generator(seed, f"lesion/sever/{site.name}"))
    cuts = chosen.split([weight.numel() for weight in weights])
    # a clone keeps the memory layout, which masked_fill would not
    return [
        weight.clone().masked_fill_(cut.view(weight.shape).to(weight.device), 0)
        for weight, cut in zip(weights, cuts, strict=True)
    ]


def noise(site: Site, output: Float[Tensor, "..."], dose: float, seed: int, call: int) -> Float[Tensor, "..."]:
    drawn = torch.randn(output.shape, generator=torch_generator(seed, f"lesion/noise/{site.name}", call))
    deviation = output.detach().float().std(correction=0)
    return output + drawn.to(output) * (dose * deviation)


def silence(site: Site, output: Float[Tensor, "..."], dose: float, seed: int, call: int) -> Float[Tensor, "..."]:
    chosen = share(site.units, dose, torch_generator(seed, f"lesion/silence/{site.name}"))
    return output.movedim(site.axis, -1).masked_fill(chosen.to(output.device), 0).movedim(-1, site.axis)


def scale(site: Site, output: Float[Tensor, "..."], dose: float, seed: int, call: int) -> Float[Tensor, "..."]:
    return output * (1 - dose)


ON_OUTPUT = {kind.__name__: kind for kind in (noise, silence, scale)}
KINDS = (sever.__name__, *ON_OUTPUT)


def share(number: int, dose: float, generator: torch.Generator) -> Bool[Tensor, " number"]:
    """A random share of ``number`` things: the first ``dose`` (rounded to whole things) of their random order."""
    chosen = torch.zeros(number, dtype=torch.bool)
    chosen[torch.randperm(number, generator=generator)[: int(dose * number + 0.5)]] = True
    return chosen


# --- lesions

Sites = str | Sequence[str]
"""The name of a site, or of several that are damaged together."""


def checked(models: Mapping[str, nn.Module], site: Sites, kind: str, dose: float) -> list[Site]:
    """The sites of those names; raises `Refused` for an unknown or repeated site, for no site, for a kind that is
    unknown or not possible there, or a dose outside [0, 1]."""
    places = {place.name: place for place in sites(models)}
    names = [site] if isinstance(site, str) else list(site)
    for name in names:
        if name not in places:
            raise Refused(f"unknown site '{name}'{nearest(name, places)}")
        if kind not in KINDS:
            raise Refused(f"unknown kind of lesion '{kind}'{nearest(kind, KINDS)}")
        if kind not in places[name].kinds:
            raise Refused(
                f"site '{name}' has no connections of its own to sever; possible there: {', '.join(places[name].kinds)}"
            )
        if names.count(name) > 1:
            raise Refused(f"site '{name}' is named {names.count(name)} times; name each site once")
    if not names:
        raise Refused(f"no site is named; give one or more of: {', '.join(places)}")
    if not 0 <= dose <= 1:
        raise Refused(f"dose {dose} is not possible; allowed: a number from 0 (intact) to 1 (all of the site)")
    return [places[name] for name in names]


@contextmanager
def damage(
    models: Mapping[str, nn.Module], site: Sites, kind: str, dose: float, seed: int, sham: bool = False
) -> Iterator[Site]:
    """Damage a site, or several together, while the context lasts; a sham lesion goes through it all and changes
    nothing. Gives the site, of several the first.

    Afterwards, whatever happened inside, every site is what it was, to the bit. Lesions nest, also at one site: each
    acts on what the ones around it left, and the last made is the first lifted. Raises `Refused` as `checked` does.
    """
    places = checked(models, site, kind, dose)
    intact = sham or dose == 0
    with ExitStack() as lesions:
        for place in places:
            if kind == "sever":
                lesions.enter_context(severed(place, dose, seed, intact))
            else:
                lesions.enter_context(disturbed(place, kind, dose, seed, intact))
        yield places[0]


@contextmanager
def severed(place: Site, dose: float, seed: int, intact: bool) -> Iterator[None]:
    """Damaged copies stand in for the weights: a weight is never written, and a layer that shares it is spared.

    A recurrent layer on a GPU keeps its weights in one piece of memory; when it is next called it finds that they are
    others, and lays out the new ones.
    """
    weights = weights_of(place.module)
    copies = sever(place, [weight.detach() for weight in weights.values()], dose, seed)
    if not intact:
        for (name, weight), copy in zip(weights.items(), copies, strict=True):
            setattr(place.module, name, nn.Parameter(copy, weight.requires_grad))
    try:
        yield
    finally:
        for name, weight in weights.items():
            setattr(place.module, name, weight)


@contextmanager
def disturbed(place: Site, kind: str, dose: float, seed: int, intact: bool) -> Iterator[None]:
    """What the module returns is damaged on its way to whoever called."""
    calls = count()

    def hook(module: nn.Module, inputs: tuple[object, ...], output: Any) -> Any:
        call = next(calls)
        damaged = altered(
            module, output, lambda units: ON_OUTPUT[kind](place, units, dose, seed, call), memory=kind == "silence"
        )
        return None if intact else damaged

    handle = place.module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
