"""The units of a module: how many there are, which weights lead to them, and where they are read in what it returns.

Recurrent modules: a unit is a hidden unit h of the last layer (with ``proj_size``, a projected one), in each direction;
of ``bidirectional`` modules the forward units come first. They are read at every step, and in the final states h_n,
which are their states where each sequence ends. The cell state c of an LSTM is their memory, which nothing but the unit
itself reads, unless c_n or c is handed on. Lower layers are read by the module alone; their final states stay.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from phantastic.ground.errors import Refused

Change = Callable[[Tensor], Tensor]


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
        case nn.Embedding():
            return module.embedding_dim, -1
        case nn.RNNBase():
            return (module.proj_size or module.hidden_size) * ways(module), -1
        case nn.RNNCellBase():
            return module.hidden_size, -1
    units, axis = getattr(module, "units", None), getattr(module, "unit_axis", None)
    return (units, axis) if isinstance(units, int) and isinstance(axis, int) else None


def ways(module: nn.RNNBase) -> int:
    """Directions in which the module reads."""
    return 2 if module.bidirectional else 1


def weights_of(module: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that lead to the units, by name, without biases; of a recurrent module those of all layers,
    directions and gates: from what it reads, from its own states and, with ``proj_size``, to the projected units.

    None where they are not all parameters of the module's own (a reparametrisation computes them, or it has none).
    """
    match module:
        case nn.RNNBase():
            sources = ("ih", "hh", "hr") if module.proj_size else ("ih", "hh")
            ends = [f"l{layer}{way}" for layer in range(module.num_layers) for way in ("", "_reverse")[: ways(module)]]
            names = [f"weight_{source}_{end}" for end in ends for source in sources]
        case nn.RNNCellBase():
            names = ["weight_ih", "weight_hh"]
        case _:
            names = ["weight"]
    own = dict(module.named_parameters(recurse=False, remove_duplicate=False))
    return {name: own[name] for name in names} if own.keys() >= set(names) else {}


def altered(module: nn.Module, output: Any, change: Change, *, memory: bool) -> Any:
    """What the module returned, with its units as ``change`` makes them of theirs, wherever they are read.

    The units are in the tensor that was returned, or in the first item or field of a tuple or dataclass; the rest stays
    as it is, except the final states of a recurrent module, which follow its output, and with ``memory`` the cells.
    Raises `Refused` where there is no such tensor.
    """
    match module, output:
        case nn.LSTMCell(), (Tensor() as hidden, Tensor() as cell):
            return change(hidden), change(cell) if memory else cell
        case nn.RNNBase(), (states, (Tensor() as hidden, Tensor() as cells)):
            states = first_altered(module, states, change)
            hidden = finally_reached(module, states, hidden)
            if memory and not module.proj_size:  # a projected unit has no cell of its own
                lower, last = cells.tensor_split([-ways(module)])
                parts = change(torch.cat(last.unbind(), -1)).chunk(ways(module), -1)
                cells = torch.cat([lower, torch.stack(parts)])
            return states, (hidden, cells)
        case nn.RNNBase(), (states, Tensor() as hidden):
            states = first_altered(module, states, change)
            return states, finally_reached(module, states, hidden)
    return first_altered(module, output, change)


def first_altered(module: nn.Module, output: Any, change: Change) -> Any:
    """The tensor, or the tuple or dataclass with its first item or field, as ``change`` makes it."""
    match output:
        case Tensor():
            return change(output)
        case (Tensor() as first, *rest) if isinstance(output, tuple):
            make = getattr(type(output), "_make", tuple)  # a named tuple's own
            return make((change(first), *rest))
    if is_dataclass(output) and not isinstance(output, type) and fields(output):
        name = fields(output)[0].name
        if isinstance(first := getattr(output, name), Tensor):
            return replace(output, **{name: change(first)})
    raise Refused(
        f"a {type(module).__name__} returned a {type(output).__name__} in which its units are not found; what can be "
        "damaged is a tensor, or a tuple or dataclass that begins with one: let it return that"
    )


def finally_reached(
    module: nn.RNNBase, states: Tensor | PackedSequence, hidden: Float[Tensor, "layers*ways *batch units"]
) -> Float[Tensor, "layers*ways *batch units"]:
    """``hidden`` with the last layer's final states as the states of all steps have them: where each sequence ends or,
    read backwards, begins."""
    if isinstance(states, PackedSequence):
        steps, lengths = pad_packed_sequence(states)
        end = steps[lengths - 1, torch.arange(len(lengths))]
    else:
        steps = states.transpose(0, 1) if module.batch_first and states.dim() == 3 else states
        end = steps[-1]
    read = (end, steps[0])[: ways(module)]
    last = [state.chunk(ways(module), -1)[way] for way, state in enumerate(read)]
    return torch.cat([hidden[: -ways(module)], torch.stack(last)])
