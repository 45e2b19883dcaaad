"""The precisions of a model's beliefs as places that lesions reach: `precision`, and in it `V1`, `W1`, `V2`, ....

Each returns log-precisions, one unit per channel: ``scale`` with dose 1, and ``silence``, leave a precision of 1.
"""

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from phantastic.systems.filtering import Model


class LogPrecision(nn.Module):
    """Log-precisions of the outputs (V) or the motion (W) of one level."""

    unit_axis = -1

    def __init__(self, value: Float64[Tensor, " channels"]):
        super().__init__()
        self.register_buffer("value", value)
        self.value: Tensor
        self.units = len(value)

    def forward(self) -> Tensor:
        return self.value + 0  # what a lesion works on is not the buffer itself


class Precisions(nn.Module):
    """All log-precisions of ``model``, whose V and W are numbers or one per channel."""

    unit_axis = -1

    def __init__(self, model: Model):
        super().__init__()
        for number, (level, outputs) in enumerate(zip(model.levels, model.outputs, strict=True), start=1):
            for letter, channels in (("V", outputs), ("W", len(level.states))):
                if channels:
                    given = torch.as_tensor(getattr(level, letter), dtype=torch.float64)
                    self.add_module(f"{letter}{number}", LogPrecision(given.log().expand(channels).clone()))
        self.units = sum(place.units for place in self.children() if isinstance(place, LogPrecision))

    def forward(self) -> Float64[Tensor, " channels"]:
        return torch.cat([place() for place in self.children()])

    def imposed(self, model: Model) -> Model:
        """``model`` with these precisions, damaged or not."""
        places = dict(self.named_children())
        sizes = [place.units for place in places.values() if isinstance(place, LogPrecision)]
        for name, values in zip(places, self().split(sizes), strict=True):
            model = model.with_level(int(name[1:]), **{name[0]: values.exp()})
        return model
