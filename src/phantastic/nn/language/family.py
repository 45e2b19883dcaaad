"""How an architecture is declared: what it is built of, and under which names the library stores its weights."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from phantastic.nn.language.config import Config
from phantastic.nn.language.heads import Head


class Stored(NamedTuple):
    """A weight in the library's files.

    ``key``, with ``#`` for the layer; ``also``, keys that hold the same where the model's words are tied, and of which
    the first is the one that counts where they are not. ``read`` and ``write`` turn the library's tensor into ours and
    back; of several ``parts``, side by side on the last axis, ours is one.
    """

    key: str
    also: tuple[str, ...] = ()
    read: Callable[[Tensor], Tensor] = lambda stored: stored
    write: Callable[[Tensor], Tensor] = lambda ours: ours
    part: int = 0
    parts: int = 1


def transposed(key: str, part: int = 0, parts: int = 1) -> Stored:
    """A weight stored [inputs, outputs], as GPT-2's."""
    return Stored(key, (), torch.t, torch.t, part, parts)


Names = Mapping[str, str | Stored]
"""Our module or parameter, with ``#`` for the layer -> the library's."""


class Architecture(NamedTuple):
    """One of the library's classes: the layers and the head, built together, and the names of the head's weights."""

    build: Callable[[Any], tuple[nn.Module, Head]]
    names: Names


class Family(NamedTuple):
    """The architectures that share a ``config.json``, by the library's class names."""

    config: type[Config]
    prefix: str
    """Of the layers' weights in the files; the bare model's have none."""
    names: Callable[[Any], Names]
    """The layers' weights, without the prefix."""
    architectures: Mapping[str, Architecture]
    initialise: Callable[[nn.Module, Any], None]
    ignored: tuple[str, ...] = ()
    """Regular expressions: weights in a file that an architecture may do without, such as another head's."""
