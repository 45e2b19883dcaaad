"""Attention with relative positions (Dai et al. 2019, Transformer-XL, section 3.3), as XLNet uses it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import dropout

from phantastic.ground.errors import Refused
from phantastic.nn.attention import HookPoint, penalties


class RelativeAttention(nn.Module):
    """Attention by content, by distance and by whether two words are in one segment.

    score(i, j) = [(qᵢ + u)·kⱼ + (qᵢ + v)·r(i - j) + (qᵢ + w)·s(i, j)] / √d (Dai et al. 2019, section 3.3; Yang et al.
    2019, section 2.5), with u, v, w the biases ``content_bias``, ``distance_bias``, ``segment_bias``. Sites as in
    `Attention`, and ``distance``, the linear map of the sinusoids to r; the streams pass one after the other.
    """

    def __init__(self, width: int, heads: int, rate: float):
        super().__init__()
        if width % heads:
            raise Refused(f"'d_model' is {width}; allowed: a multiple of 'n_head', {heads}")
        self.query, self.key, self.value, self.output, self.distance = (
            nn.Linear(width, width, bias=False) for _ in range(5)
        )
        head_width = width // heads
        self.content_bias, self.distance_bias, self.segment_bias = (
            nn.Parameter(torch.zeros(heads, head_width)) for _ in range(3)
        )
        self.segments = nn.Parameter(torch.zeros(2, heads, head_width))
        self.weights, self.heads = HookPoint(heads, -3), HookPoint(heads, -3)
        self.rate = rate

    def keys(self, memory: Float[Tensor, "batch keys width"], distances: Float[Tensor, "distances width"]) -> tuple:
        """What all streams attend to: keys, values and distances, by head."""
        return self.split(self.key(memory)), self.split(self.value(memory)), self.split(self.distance(distances)[None])

    def split(self, x: Float[Tensor, "batch n width"]) -> Float[Tensor, "batch heads n each"]:
        return x.unflatten(-1, (self.heads.units, -1)).transpose(1, 2)

    def forward(
        self,
        x: Float[Tensor, "batch n width"],
        keys: tuple[Tensor, Tensor, Tensor],
        allowed: Bool[Tensor, "..."] | None,
        other_segment: Bool[Tensor, "batch queries keys"] | None,
        targets: Float[Tensor, "batch n queries"] | None = None,
    ) -> Float[Tensor, "batch n width"]:
        """``targets`` spreads the n predictions over the positions they stand for, and gathers them again."""
        key, value, distance = keys
        query = self.split(self.query(x))
        if targets is not None:
            query = torch.einsum("bhnd,bnq->bhqd", query, targets)
        bias = self.content_bias[:, None], self.distance_bias[:, None], self.segment_bias[:, None]
        scores = (query + bias[0]) @ key.mT + shifted((query + bias[1]) @ distance.mT, key.shape[2])
        if other_segment is not None:
            same, other = torch.einsum("bhqd,shd->sbhq", query + bias[2], self.segments)[..., None]
            scores = scores + torch.where(other_segment[:, None], other, same)
        scores = scores * query.shape[-1] ** -0.5
        if allowed is not None:
            scores = scores + penalties(allowed, scores.dtype)
        weights = self.weights(scores.softmax(-1))
        mixed = self.heads(dropout(weights, self.rate, self.training).to(value.dtype) @ value)
        if targets is not None:
            mixed = torch.einsum("bhqd,bnq->bhnd", mixed, targets)
        return self.output(mixed.transpose(1, 2).flatten(2))


def shifted(
    scores: Float[Tensor, "batch heads queries distances"], keys: int
) -> Float[Tensor, "batch heads queries keys"]:
    """From scores by distance, where column c stands for a distance of keys - c, those of each key: key j is
    keys - queries + i - j before query i. Where a distance has no column, a mask must forbid the key."""
    queries, distances = scores.shape[-2:]
    key, query = (torch.arange(n, device=scores.device) for n in (keys, queries))
    columns = (key[None] + queries - query[:, None]).clamp(max=distances - 1)
    return scores.gather(-1, columns.expand(*scores.shape[:2], -1, -1))


def sinusoids_of(distances: Float[Tensor, " n"], width: int) -> Float[Tensor, "n width"]:
    """All sines, then all cosines; distances may be negative."""
    rates = 10_000 ** (torch.arange(0, width, 2, device=distances.device) / -width)
    angles = distances[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)
