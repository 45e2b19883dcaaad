"""Which words a position has seen, as the network itself tells: ∂ state of position i / ∂ vector of word j is not 0."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from phantastic.ground.randomness import torch_generator
from phantastic.nn.language.model import Model
from phantastic.pretraining.objectives.permutation_lm import ordered
from phantastic.pretraining.objectives.recurrent_lm import BidirectionalLM
from phantastic.pretraining.wordpiece import CLS


def seen(words: nn.Embedding, states: Callable[[], Tensor], ids: Int[Tensor, " n"]) -> Bool[Tensor, "n n"]:
    """Row i: the words of ``ids`` that the ``states`` [1, n, width] of position i hang on. No word stands there twice,
    so that the gradient of a word's vector is that of its place."""
    found, x = [], states()
    direction = torch.randn(x.shape[-1], generator=torch_generator(0, "seen")).to(x)  # of a norm the sum is always 0
    for position in range(len(ids)):
        (gradient,) = torch.autograd.grad(x[0, position] @ direction, words.weight, retain_graph=True)
        found.append(gradient[ids].abs().sum(-1) > 0)
    return torch.stack(found)


def views(network: nn.Module, ids: Int[Tensor, " n"], order: Sequence[int]) -> dict[str, Bool[Tensor, "n n"]]:
    """What each stream of a network sees of the words ``ids`` behind [CLS]. XLNet's come in the ``order`` of their
    places; all are predicted, so that the first of them has seen [CLS] alone."""
    ids = torch.cat([ids.new_tensor([CLS]), ids])
    row, present = ids[None], torch.ones(1, len(ids), dtype=torch.long, device=ids.device)
    return {name: matrix[1:, 1:] for name, matrix in streams(network, row, present, order).items()}


def streams(
    network: nn.Module, row: Int[Tensor, "1 n"], present: Int[Tensor, "1 n"], order: Sequence[int]
) -> dict[str, Bool[Tensor, "n n"]]:
    ids = row[0]
    if isinstance(network, nn.Embedding):
        return {"alone": seen(network, lambda: network(row), ids)}
    if isinstance(network, BidirectionalLM):
        return {
            name: seen(network.words, lambda number=number: network(row, present)[number][-1], ids)
            for number, name in enumerate(("forward", "backward"))
        }
    assert isinstance(network, Model)
    words = network.get_submodule("transformer.words")
    assert isinstance(words, nn.Embedding)
    if not network.architecture.startswith("XLNet"):
        return {"states": seen(words, lambda: network.transformer(row, attention_mask=present).last, ids)}
    turn = torch.zeros_like(row)
    turn[0, 1 + torch.tensor(order)] = torch.arange(1, len(ids), device=ids.device)
    drawn = ordered(row, turn, row != CLS)
    each = torch.eye(len(ids), device=ids.device)[None]
    return {
        "content": seen(words, lambda: network.transformer(row, perm_mask=drawn.perm_mask).last, ids),
        "query": seen(
            words, lambda: network.transformer(row, perm_mask=drawn.perm_mask, target_mapping=each).last, ids
        ),
    }
