"""Blocks against the same written in NumPy, and what training adds: dropout, branches left out, first weights."""

from math import erf, sqrt, tanh
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.attention import Attention, causal, padding, reading
from phantastic.nn.transformer import MLP, Block, Positions

WIDTH, HEADS, HIDDEN, OTHER = 8, 2, 12, 5
MASK = causal(4)
PRESENT = torch.tensor([[1, 1, 1], [0, 1, 1]])  # of the memory


def drawn(purpose: str, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch_generator(3, purpose), dtype=torch.float64)


def block(**options: Any) -> Block:
    with initialised(3, "block"):
        made = Block(WIDTH, HEADS, HIDDEN, **options)
        for parameter in made.parameters():
            nn.init.normal_(parameter, std=0.6)
    return made.double()


# --- the numbers


def normalised(x: np.ndarray, norm: nn.LayerNorm, epsilon: float) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def linear(layer: nn.Linear, x: np.ndarray) -> np.ndarray:
    return x @ layer.weight.detach().numpy().T + (0 if layer.bias is None else layer.bias.detach().numpy())


def attended(model: Attention, x: np.ndarray, memory: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Query by query and head by head."""
    query, key, value = linear(model.query, x), linear(model.key, memory), linear(model.value, memory)
    mixed, each = np.zeros_like(query), WIDTH // HEADS
    for b, i, head in np.ndindex(len(x), x.shape[1], HEADS):
        part = slice(head * each, (head + 1) * each)
        seen = [j for j in range(memory.shape[1]) if mask[b, i, j]]
        weights = np.exp([query[b, i, part] @ key[b, j, part] / sqrt(each) for j in seen])
        mixed[b, i, part] = weights / weights.sum() @ value[b, seen, part]
    return linear(model.output, mixed)


ACTIVATIONS = {
    "relu": lambda x: max(x, 0.0),
    "gelu": lambda x: x * (1 + erf(x / sqrt(2))) / 2,
    "gelu_tanh": lambda x: x * (1 + tanh(sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2,
}


def by_hand(model: Block, x: np.ndarray, memory: np.ndarray, pre: bool, activation: str, epsilon: float) -> np.ndarray:
    """Vaswani et al. (2017), section 3.1; with ``pre``, what a branch reads is normalised instead of the sum."""
    own = np.broadcast_to(MASK.numpy(), (2, 4, 4))
    others = np.broadcast_to(PRESENT.numpy()[:, None], (2, 4, 3))
    branches = [
        (model.attention_norm, lambda y: attended(model.attention, y, y, own)),
        (model.memory_norm, lambda y: attended(model.memory_attention, y, memory, others)),
        (
            model.mlp_norm,
            lambda y: linear(model.mlp.contract, np.vectorize(ACTIVATIONS[activation])(linear(model.mlp.expand, y))),
        ),
    ]
    for norm, branch in branches:
        x = x + branch(normalised(x, norm, epsilon)) if pre else normalised(x + branch(x), norm, epsilon)
    return x


@pytest.mark.parametrize(
    ("options", "pre", "activation", "epsilon"),
    [
        ({}, True, "gelu", 1e-5),  # what it is when nothing is said
        ({"norm": "post", "epsilon": 0.3, "bias": False}, False, "gelu", 0.3),
        ({"norm": "pre", "epsilon": 0.3, "activation": "gelu_tanh"}, True, "gelu_tanh", 0.3),
        ({"norm": "post", "activation": "relu"}, False, "relu", 1e-5),
    ],
)
def test_a_block_is_what_the_paper_writes(options: dict[str, Any], pre: bool, activation: str, epsilon: float):
    model = block(memory_width=OTHER, **options)
    assert (model.attention.query.bias is None) == (model.memory_attention.output.bias is None) == ("bias" in options)
    x, memory = 0.01 * drawn("x", 2, 4, WIDTH), drawn("memory", 2, 3, OTHER)  # so small that an epsilon shows
    found = model(x, MASK, memory, padding(PRESENT))
    expected = by_hand(model, x.numpy(), memory.numpy(), pre, activation, epsilon)
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-9, atol=1e-12)


def test_the_activations_are_their_formulas():
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    for name, formula in ACTIVATIONS.items():
        model = MLP(33, 33, name).double()
        with torch.no_grad():
            for layer in (model.expand, model.contract):
                layer.weight.copy_(torch.eye(33))
                layer.bias.fill_(0.25)
        np.testing.assert_allclose(
            model(x).detach() - 0.25, [formula(value) for value in (x + 0.25).tolist()], rtol=1e-9, atol=1e-12
        )


def test_a_mask_of_the_stream_is_none_of_the_memory_s():
    model = block(memory_width=OTHER)
    x, memory = drawn("x", 2, 4, WIDTH), drawn("memory", 2, 4, OTHER)
    with reading([model.attention.weights, model.memory_attention.weights]) as found:
        model(x, MASK, memory)
    (own,), (others,) = found
    assert (own[..., ~MASK] == 0).all()
    assert (others > 0).all()


def test_each_site_is_of_the_units_that_pass_there():
    model = block(memory_width=OTHER)
    points = [
        model.middle,
        model.residual,
        model.attention.weights,
        model.attention.heads,
        model.memory_attention.heads,
    ]
    with reading(points) as found:
        y = model(drawn("x", 2, 4, WIDTH), memory=drawn("memory", 2, 3, OTHER))
    assert [point.units for point in points] == [WIDTH, WIDTH, HEADS, HEADS, HEADS]
    assert [passed[0].shape[point.unit_axis] for point, passed in zip(points, found, strict=True)] == [
        point.units for point in points
    ]
    assert [point.unit_axis for point in points] == [-1, -1, -3, -3, -3]
    assert torch.equal(found[1][0], y)


# --- in training


def in_training(model: nn.Module, *inputs: torch.Tensor, **others: torch.Tensor) -> torch.Tensor:
    with initialised(4, "training"):
        return model.train()(*inputs, **others)


def test_dropout_takes_out_or_scales_up_each_number_that_a_branch_adds():
    model, x = block(dropout=0.25), drawn("x", 300, 4, WIDTH)
    with reading([model.middle]) as found:
        y = in_training(model, x)
    ((middle,),) = found
    mlp = model.mlp(model.mlp_norm(middle))
    for added, whole in ((middle - x, model.attention(model.attention_norm(x))), (y - middle, mlp)):
        kept = added.abs() > 1e-9
        assert float(kept.double().mean()) == pytest.approx(0.75, abs=0.02)
        torch.testing.assert_close(added[kept], whole[kept] / 0.75)
    torch.testing.assert_close(model.eval()(x), block()(x))  # and only in training


@pytest.mark.parametrize("memory", [False, True])
def test_dropout_of_the_weights_is_in_either_attention_and_nowhere_else(memory: bool):
    model, x = block(attention_dropout=0.5, memory_width=OTHER), drawn("x", 2, 4, WIDTH)
    silent = model.attention if memory else model.memory_attention
    nn.init.zeros_(silent.output.weight)
    others = {"memory": drawn("memory", 2, 3, OTHER)}
    intact = model.eval()(x, **others)
    assert not torch.allclose(in_training(model, x, **others), intact)
    for attention in (model.attention, model.memory_attention):
        nn.init.zeros_(attention.output.weight)
    torch.testing.assert_close(in_training(model, x, **others), model.eval()(x, **others))


def test_a_share_of_the_branches_is_left_out_whole_for_single_examples():
    model, x = block(stochastic_depth=0.2), drawn("x", 2000, 2, WIDTH)
    with reading([model.middle]) as found:
        y = in_training(model, x)
    ((middle,),) = found
    for before, after in ((x, middle), (middle, y)):
        changed = (before != after).any(-1)
        assert (changed[:, 0] == changed[:, 1]).all()
        assert float(changed[:, 0].double().mean()) == pytest.approx(0.8, abs=0.03)
    assert torch.equal(model.eval()(x[:3]), block().eval()(x[:3]))


def test_first_weights_are_glorot_s_and_biases_zero():
    with initialised(5, "first"):
        model = Block(60, 3, 90, memory_width=30)
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}
    assert len(layers) == 10
    for name, layer in layers.items():
        bound = sqrt(6 / sum(layer.weight.shape))
        assert layer.weight.abs().max() <= bound, name
        assert layer.weight.abs().max() > 0.98 * bound, name
        assert float(layer.weight.detach().std()) == pytest.approx(bound / sqrt(3), rel=0.05), name
        assert not layer.bias.any(), name


# --- positions


def test_a_sequence_takes_the_first_places_up_to_all_of_them():
    with initialised(6, "places"):
        learned = Positions(5, WIDTH)
    for length in (1, 3, 5):
        with reading([learned.embedded]) as found:
            y = learned(torch.ones(2, length, WIDTH))
        torch.testing.assert_close(y, (1 + learned.table[:length]).expand(2, -1, -1))
        assert torch.equal(found[0][0], y)
    with pytest.raises(Refused, match="6 positions are too many"):
        learned(torch.ones(2, 6, WIDTH))


def test_learned_places_begin_at_their_scale_and_fixed_ones_are_not_stored():
    with initialised(7, "places"):
        usual, wide = Positions(200, 50), Positions(200, 50, scale=0.5)
    assert float(usual.table.detach().std()) == pytest.approx(0.02, rel=0.05)
    assert float(wide.table.detach().std()) == pytest.approx(0.5, rel=0.05)
    assert list(usual.state_dict()) == ["table"]
    assert not Positions(4, WIDTH, learned=False).state_dict()
