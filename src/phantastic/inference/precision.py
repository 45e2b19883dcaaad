"""The precisions of a model's beliefs as places that lesions reach: of all levels, of one, of its outputs or states.

The sites are `precision`, `precision.level2`, `precision.level2.V`, ...: each returns log-precisions, a unit for every
channel. ``scale`` lowers them, with dose 1 (and where `silence` strikes) to a precision of 1; `noise` is as large as
they differ within the site, over channels and people.
"""

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from phantastic.inference.model import LogPrecision, Model


class Channels(nn.Module):
    """Log-precisions of a level's outputs (V) or states (W), [..., channels]; more axes in front are people."""

    unit_axis = -1
    value: Tensor

    def __init__(self, value: Float64[Tensor, "... channels"]):
        super().__init__()
        self.register_buffer("value", value)
        self.units = value.shape[-1]

    def forward(self) -> Float64[Tensor, "... channels"]:
        return self.value + 0  # what a lesion works on is not the buffer itself


class Joined(nn.Module):
    """Places whose log-precisions are also one place."""

    unit_axis = -1

    @property
    def units(self) -> int:
        return sum(place.units for place in self.children())  # type: ignore[misc]

    def forward(self) -> Float64[Tensor, "... channels"]:
        return torch.cat([place() for place in self.children()], -1)


class Precisions(Joined):
    """All log-precisions of ``model`` that are given as numbers, level by level, as ``level1.V``, ``level1.W``, ..."""

    def __init__(self, model: Model):
        super().__init__()
        log_precisions: dict[tuple[int, str], Tensor] = {}
        for number, (level, outputs) in enumerate(zip(model.levels, model.outputs, strict=True), start=1):
            for letter, channels in (("V", outputs), ("W", len(level.states))):
                precision = getattr(level, letter)
                if channels and not isinstance(precision, LogPrecision):
                    value = torch.as_tensor(precision, dtype=torch.float64).log()
                    log_precisions[number, letter] = value.expand(*value.shape[:-1], channels)
        people = torch.broadcast_shapes(*(value.shape[:-1] for value in log_precisions.values()))
        for (number, letter), value in log_precisions.items():
            name = f"level{number}"
            if not hasattr(self, name):
                self.add_module(name, Joined())
            self.get_submodule(name).add_module(letter, Channels(value.expand(*people, -1).clone()))

    def imposed(self, model: Model) -> Model:
        """``model`` with these precisions, damaged or not."""
        places = [(name, letter) for name, level in self.named_children() for letter, _ in level.named_children()]
        sizes = [self.get_submodule(f"{name}.{letter}").units for name, letter in places]
        for (name, letter), values in zip(places, self().split(sizes, -1), strict=True):  # type: ignore[arg-type]
            model = model.with_level(int(name.removeprefix("level")), **{letter: values.exp()})
        return model
