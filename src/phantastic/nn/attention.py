"""Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2), and its masks.

Masks are boolean, True = may attend, and broadcast to [batch, heads, queries, keys]; ``&`` combines them. What people
look at and damage passes through a `HookPoint`: the attention weights and the heads' outputs.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import dropout, scaled_dot_product_attention

from phantastic.ground.errors import Refused

FEW = 48  # keys, up to which plain products are faster on a CPU than the fused kernel


class HookPoint(nn.Module):
    """Returns what it is given: the name of a tensor inside a model, read by a forward hook or damaged by `lesion`.

    Its ``units`` lie along axis ``unit_axis`` of the tensor.
    """

    def __init__(self, units: int, unit_axis: int):
        super().__init__()
        self.units, self.unit_axis = units, unit_axis

    def forward(self, x: Tensor) -> Tensor:
        return x

    @property
    def hooked(self) -> bool:
        """Whether anybody reads or damages what passes here."""
        return bool(self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks)


@contextmanager
def reading(points: Iterable[HookPoint]) -> Iterator[list[list[Tensor]]]:
    """What passes at each of the points while the context lasts: a list per point, with a tensor per call."""
    tensors: list[list[Tensor]] = []
    with ExitStack() as stack:
        for point in points:
            passed: list[Tensor] = []
            tensors.append(passed)
            stack.enter_context(point.register_forward_hook(lambda _module, _inputs, x, to=passed: to.append(x)))
        yield tensors


class Attention(nn.Module):
    """Multi-head attention of ``x`` to itself or, where one is given, to a memory ``memory_width`` wide.

    Sites: ``query``, ``key``, ``value``, ``output`` (linear maps); ``weights``, the probabilities [batch, heads,
    queries, keys] (units: heads); ``heads``, what each head makes of the values [batch, heads, queries, width / heads]
    (units: heads). ``dropout`` is of the weights, in training. While a model is trained and nobody looks at the
    weights, PyTorch's fused kernel computes the same, to rounding, without storing them; a model in eval mode gives the
    same bits whether anybody looks or not. Weights begin Glorot-uniform, biases at zero.
    """

    def __init__(
        self, width: int, heads: int, *, memory_width: int | None = None, bias: bool = True, dropout: float = 0.0
    ):
        super().__init__()
        if heads < 1 or width % heads:
            raise Refused(f"a width of {width} does not divide into {heads} heads; choose a width that heads divides")
        memory_width = memory_width or width
        self.query = nn.Linear(width, width, bias)
        self.key = nn.Linear(memory_width, width, bias)
        self.value = nn.Linear(memory_width, width, bias)
        self.output = nn.Linear(width, width, bias)
        self.weights, self.heads = HookPoint(heads, -3), HookPoint(heads, -3)
        self.dropout = dropout
        for layer in (self.query, self.key, self.value, self.output):
            glorot(layer)

    def forward(
        self,
        x: Float[Tensor, "batch queries width"],
        memory: Float[Tensor, "batch keys memory_width"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch queries width"]:
        """A query that may attend to nothing attends to everything alike. Raises `Refused` for a mask of numbers."""
        memory = x if memory is None else memory
        query, key, value = (
            layer(source).unflatten(-1, (self.heads.units, -1)).transpose(1, 2)
            for layer, source in ((self.query, x), (self.key, memory), (self.value, memory))
        )
        penalty = None if mask is None else penalties(mask, query.dtype)
        rate = self.dropout if self.training else 0.0
        # on a CPU the fused kernel takes longer for few keys, and three times as long in bfloat16; of a query without
        # any allowed key it gets the gradient wrong: log Σexp rounds log(keys) away
        slow = query.device.type == "cpu" and (query.dtype == torch.bfloat16 or key.shape[-2] <= FEW)
        if self.training and not self.weights.hooked and not slow and (mask is None or mask.any(-1).all()):
            heads = scaled_dot_product_attention(query, key, value, penalty, rate)
        else:
            weights = self.weights(probabilities(query, key, penalty))
            heads = dropout(weights, rate).to(value.dtype) @ value
        return self.output(self.heads(heads).transpose(1, 2).flatten(2))


def probabilities(
    query: Float[Tensor, "*batch queries width"],
    key: Float[Tensor, "*batch keys width"],
    penalty: Float[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch queries keys"]:
    """softmax(QKᵀ/√d): each query's weights over the keys, summing to one (Vaswani et al. 2017, Eq. 1)."""
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    return (scores if penalty is None else scores + penalty).softmax(-1)


def penalties(mask: Bool[Tensor, "*shape"], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
    """What is added to the scores: 0 where the mask allows, else the lowest number, whose weight is exactly 0.

    Not -∞, of which a query without any allowed key would make NaN.
    """
    if mask.dtype != torch.bool:
        raise Refused(f"an attention mask of {mask.dtype} is ambiguous; give booleans, True = may attend")
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, torch.finfo(dtype).min)


def glorot(layer: nn.Linear) -> None:
    """Glorot-uniform weights, biases at zero."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


# --- masks


def causal(queries: int, keys: int | None = None, device: torch.device | None = None) -> Bool[Tensor, "queries keys"]:
    """Each position may attend to itself and the past; of more keys than queries, the first lie before all queries."""
    keys = keys or queries
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def padding(present: Bool[Tensor, "batch keys"] | Int[Tensor, "batch keys"]) -> Bool[Tensor, "batch 1 1 keys"]:
    """No position may attend to padding; ``present`` is True or 1 where there is a token."""
    return present.bool()[:, None, None, :]


def permutation(
    order: Int[Tensor, "batch positions"], *, itself: bool = True
) -> Bool[Tensor, "batch 1 positions positions"]:
    """Position i may attend to those that come before it in the order (Yang et al. 2019, section 2.3).

    ``order[b, i]`` is the turn of position i. A position may attend to itself in the content stream, and not in the
    query stream (``itself=False``), which has to predict it.
    """
    mine, others = order[:, None, :, None], order[:, None, None, :]
    return others <= mine if itself else others < mine
