"""Laws of attention and of the Transformer that follow from their definitions, not from this code."""

from math import cos, sin

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from phantastic import lesion
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.attention import Attention, causal, padding, permutation, reading
from phantastic.nn.transformer import Block, Positions, sinusoids

WIDTH, HEADS = 12, 3
SEEDS = st.integers(0, 2**31)
SIZES = st.integers(1, 7)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch_generator(seed, "input"), dtype=torch.float64)


def attention(seed: int, **options: object) -> Attention:
    with initialised(seed, "model"):
        made = Attention(WIDTH, HEADS, **options)  # pyright: ignore[reportArgumentType]
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
    return made.double()


def block(seed: int, **options: object) -> Block:
    with initialised(seed, "model"):
        made = Block(WIDTH, HEADS, 20, **options)  # pyright: ignore[reportArgumentType]
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
    return made.double()


def random_mask(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch_generator(seed, "mask")) < 0.5


@given(SEEDS, SIZES, SIZES)
def test_weights_are_probabilities_and_nothing_forbidden_has_any(seed: int, queries: int, keys: int):
    model, mask = attention(seed, memory_width=5), random_mask(seed, 2, HEADS, queries, keys)
    with reading([model.weights]) as found:
        model(drawn(seed, 2, queries, WIDTH), drawn(seed + 1, 2, keys, 5), mask)
    ((weights,),) = found
    assert weights.shape == (2, HEADS, queries, keys)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, HEADS, queries, dtype=torch.float64))
    some = mask.any(-1, keepdim=True)
    assert (weights[(~mask & some).expand_as(weights)] == 0).all()
    torch.testing.assert_close(  # a query that may attend to nothing attends to everything alike
        weights[(~some).expand_as(weights)], torch.full(((~some).expand_as(weights).sum(),), 1 / keys).double(),
    )  # fmt: skip


def computed(model: Attention, x: Tensor, memory: Tensor, mask: Tensor | None) -> list[Tensor]:
    """The output, and the gradients of its square with respect to what went in and to the weights."""
    leaves = (x, memory, *model.parameters())
    for leaf in leaves:
        leaf.requires_grad_().grad = None
    output = model(x, memory, mask)
    output.square().sum().backward()
    return [output, *(leaf.grad for leaf in leaves)]


@given(
    SEEDS, SIZES, SIZES, st.sampled_from([None, "random", "causal"]), st.sampled_from([torch.float64, torch.float32])
)
def test_the_fused_kernel_gives_the_numbers_of_the_explicit_form(
    seed: int, queries: int, keys: int, masked: str | None, dtype: torch.dtype
):
    model = attention(seed, memory_width=5).to(dtype)
    x, memory = drawn(seed, 2, queries, WIDTH).to(dtype), drawn(seed + 1, 2, keys, 5).to(dtype)
    mask = {None: None, "random": random_mask(seed, 2, HEADS, queries, keys), "causal": causal(queries, keys)}[masked]

    fused = computed(model, x, memory, mask)
    with reading([model.weights]):
        explicit = computed(model, x, memory, mask)
    largest = max(float(tensor.detach().abs().max()) for tensor in explicit)
    torch.testing.assert_close(fused, explicit, rtol=0, atol=100 * torch.finfo(dtype).eps * largest)


@pytest.mark.parametrize("masked", ["no mask", "some", "a query without a key"])
def test_over_many_keys_training_unseen_gives_what_it_gives_when_looked_at(masked: str):
    """Sixty keys: from there on PyTorch's own kernel computes, unless somebody looks."""
    model, x, memory = attention(8, memory_width=5), drawn(8, 2, 9, WIDTH), drawn(9, 2, 60, 5)
    mask = None if masked == "no mask" else random_mask(8, 2, 1, 9, 60)
    if mask is not None and masked != "some":
        mask[1, :, 4] = False

    unseen = computed(model, x, memory, mask)
    with reading([model.weights]) as found:
        seen = computed(model, x, memory, mask)
    torch.testing.assert_close(unseen, seen)
    weights = found[0][0]
    values = model.value(memory).unflatten(-1, (HEADS, -1)).transpose(1, 2)
    torch.testing.assert_close(unseen[0], model.output((weights @ values).transpose(1, 2).flatten(2)))
    if masked != "no mask":
        assert mask is not None
        assert bool((weights[(~mask & mask.any(-1, keepdim=True)).expand_as(weights)] == 0).all())


@pytest.mark.parametrize("keys", [20, 70])
@pytest.mark.parametrize("masked", [False, True])
def test_dropout_takes_weights_out_and_scales_the_others_up_in_training_only(keys: int, masked: bool):
    """With maps that change nothing and one-hot values, what comes out are the weights themselves."""
    model = Attention(keys, 1, dropout=0.25).double()
    with torch.no_grad():
        for layer in (model.query, model.key):
            layer.weight.copy_(drawn(3, keys, keys))
        for layer in (model.value, model.output):
            layer.weight.copy_(torch.eye(keys))
    x = torch.eye(keys, dtype=torch.float64).expand(8, -1, -1)
    mask = causal(keys) if masked else None
    weights = model.eval()(x, mask=mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(8, keys, dtype=torch.float64))
    with initialised(0, "dropout"):
        dropped = model.train()(x, mask=mask)
    kept = (dropped != 0)[weights != 0]
    assert float(kept.double().mean()) == pytest.approx(0.75, abs=0.03)
    torch.testing.assert_close(dropped[weights != 0][kept], weights[weights != 0][kept] / 0.75)
    assert not dropped[weights == 0].any()


def test_when_nothing_is_said_there_are_biases_and_no_dropout():
    model = Attention(6, 2)
    assert {name for name, _ in model.named_parameters()} == {
        f"{layer}.{leaf}" for layer in ("query", "key", "value", "output") for leaf in ("weight", "bias")
    }
    assert {name for name, _ in Attention(6, 2, bias=False).named_parameters()} == {
        f"{layer}.weight" for layer in ("query", "key", "value", "output")
    }
    for keys in (9, 70):
        x = drawn(4, 1, keys, 6).float()
        torch.testing.assert_close(model.train()(x), model.eval()(x))


@pytest.mark.parametrize("kind", ["forward_pre", "forward", "full_backward_pre", "full_backward"])
def test_whoever_hooks_the_weights_is_called_however_many_keys_there_are(kind: str):
    model, called = attention(2), []
    assert not model.weights.hooked
    handle = getattr(model.weights, f"register_{kind}_hook")(lambda *_: called.append(kind))
    assert model.weights.hooked
    model(drawn(2, 1, 60, WIDTH).requires_grad_()).sum().backward()
    assert called == [kind]
    handle.remove()
    assert not model.weights.hooked


def test_looking_at_a_model_in_eval_mode_does_not_change_a_bit():
    model, x = attention(1).eval(), drawn(1, 2, 5, WIDTH).float()
    model.float()
    unseen = model(x)
    with reading([model.weights]):
        assert torch.equal(model(x), unseen)


@given(SEEDS, SIZES)
def test_without_positions_a_permuted_input_gives_the_permuted_output(seed: int, length: int):
    order = torch.randperm(length, generator=torch_generator(seed, "order"))
    x = drawn(seed, 2, length, WIDTH)
    for model in (attention(seed), block(seed), block(seed, norm="post")):
        torch.testing.assert_close(model(x[:, order]), model(x)[:, order])


@given(SEEDS, st.integers(2, 7), st.data())
def test_no_gradient_comes_from_the_future(seed: int, length: int, data: st.DataObject):
    position = data.draw(st.integers(0, length - 1))
    for model in (block(seed), block(seed, norm="post", activation="gelu_tanh")):
        for hooked in (False, True):
            x = drawn(seed, 2, length, WIDTH).requires_grad_()
            handle = model.attention.weights.register_forward_hook(lambda *_: None) if hooked else None
            model(x, causal(length))[:, position].square().sum().backward()
            assert x.grad is not None
            assert (x.grad[:, position + 1 :] == 0).all()
            assert (x.grad[:, : position + 1] != 0).any(-1).all()
            if handle:
                handle.remove()


def test_causal_queries_are_the_last_of_more_keys():
    assert causal(2, 4).tolist() == [[True, True, True, False], [True, True, True, True]]


@given(SEEDS, st.integers(1, 6), st.integers(1, 4))
def test_padding_changes_nothing(seed: int, length: int, padded: int):
    x, garbage = drawn(seed, 2, length, WIDTH), 100 * drawn(seed + 1, 2, padded, WIDTH)
    present = torch.tensor([1] * length + [0] * padded).expand(2, -1)
    for model in (block(seed), block(seed, norm="post")):
        whole = model(torch.cat([x, garbage], 1), padding(present))
        torch.testing.assert_close(whole[:, :length], model(x))


@given(SEEDS, st.integers(1, 7))
def test_in_a_permutation_a_position_sees_only_what_came_before_it(seed: int, length: int):
    turns = torch.stack([torch.randperm(length, generator=torch_generator(seed, "turns", item)) for item in range(2)])
    content, query = permutation(turns), permutation(turns, itself=False)
    for item in range(2):
        by_turn = turns[item].argsort()
        assert torch.equal(content[item, 0][by_turn][:, by_turn], causal(length))
        assert torch.equal(content[item, 0] & ~torch.eye(length, dtype=torch.bool), query[item, 0])


@given(st.integers(0, 400), st.integers(0, 100), st.sampled_from([2, 8, 64]))
def test_sinusoids_shift_by_a_rotation_that_depends_on_the_offset_only(position: int, offset: int, width: int):
    table = sinusoids(501, width).double()
    for pair in range(width // 2):
        angle = offset / 10_000 ** (2 * pair / width)
        rotation = torch.tensor([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]], dtype=torch.float64)
        here, there = (table[at, 2 * pair : 2 * pair + 2] for at in (position, position + offset))
        torch.testing.assert_close(rotation @ here, there, rtol=0, atol=1e-6)


def test_sinusoids_are_those_of_the_paper():
    table = sinusoids(50, 6)
    assert float(table[7, 2]) == pytest.approx(sin(7 / 10_000 ** (2 / 6)), abs=1e-7)
    assert float(table[49, 5]) == pytest.approx(cos(49 / 10_000 ** (4 / 6)), abs=1e-7)


def test_sites_can_be_read_and_damaged():
    model = {"block": block(1, memory_width=WIDTH)}
    names = {site.name for site in lesion.sites(model)}
    assert {
        "block.attention.query", "block.attention.weights", "block.attention.heads", "block.middle", "block.residual",
        "block.memory_attention.weights", "block.memory_attention.output", "block.mlp.expand", "block.mlp.contract",
    } <= names  # fmt: skip
    x, memory = drawn(1, 2, 4, WIDTH), drawn(2, 2, 3, WIDTH)
    intact = model["block"](x, memory=memory)
    for site in sorted(names):
        with lesion.damage(model, site, "scale", 0.5, seed=0):
            assert not torch.equal(model["block"](x, memory=memory), intact), site
    assert torch.equal(model["block"](x, memory=memory), intact)


@pytest.mark.parametrize("site", ["model.weights", "model.heads"])
def test_silencing_a_share_of_the_heads_takes_out_exactly_their_columns_of_the_output(site: str):
    model, x = attention(3), drawn(3, 1, 5, WIDTH)
    with reading([model.heads]) as before:
        model(x)
    with lesion.damage({"model": model}, site, "silence", 1 / HEADS, seed=4), reading([model.heads]) as after:
        model(x)
    ((intact,),), ((damaged,),) = before, after
    gone = (damaged == 0).all(-1).all(-1)[0]
    assert gone.sum() == 1
    torch.testing.assert_close(damaged[:, ~gone], intact[:, ~gone])


def test_stochastic_depth_leaves_out_branches_of_single_examples():
    model = block(5, stochastic_depth=0.5)
    x = drawn(5, 64, 3, WIDTH)
    with initialised(5, "drop"), reading([model.middle]) as found:
        y = model(x)
    ((middle,),) = found
    attended, computed = ((a != b).flatten(1).any(1) for a, b in ((middle, x), (y, middle)))
    assert {(bool(a), bool(b)) for a, b in zip(attended, computed, strict=True)} == {
        (a, b) for a in (False, True) for b in (False, True)
    }
    with initialised(5, "drop"):
        assert torch.equal(model(x), y)
    intact = model.eval()(x)
    both = attended & computed
    torch.testing.assert_close(y[both], intact[both])  # what is kept is not rescaled


def test_positions_learned_and_fixed():
    x = torch.zeros(2, 5, 4)
    with initialised(0, "positions"):
        learned, fixed = Positions(6, 4), Positions(6, 4, learned=False)
    assert [name for name, _ in learned.named_parameters()] == ["table"]
    assert not list(fixed.parameters())
    torch.testing.assert_close(fixed(x)[1], sinusoids(5, 4))
    with pytest.raises(Refused, match=r"7 positions are too many.* places for 6"):
        learned(torch.zeros(1, 7, 4))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Attention(10, 3), "width of 10 does not divide into 3 heads"),
        (lambda: Attention(10, 0), "into 0 heads"),
        (lambda: Attention(10, -2), "into -2 heads"),
        (lambda: Block(4, 2, 8, activation="gelo"), "unknown activation 'gelo'; did you mean 'gelu'"),
        (lambda: sinusoids(3, 5), "even width"),
        (lambda: Attention(4, 2)(torch.zeros(1, 3, 4), mask=torch.zeros(3, 3)), "booleans, True = may attend"),
    ],
)
def test_refusals(made, message: str):
    with pytest.raises(Refused, match=message):
        made()
