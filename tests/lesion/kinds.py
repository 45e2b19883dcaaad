"""Lesions: what each kind does, that it can be taken back, and what is refused."""

from collections.abc import Mapping
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.lesion import KINDS, MOST_DOSES, by_dose, curve, damage, kinds, parse_doses, sites
from phantastic.nn.convolution import ConvDecoder, ConvEncoder

ENCODER, DECODER = "visual.conv2", "back.conv3"
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
EVERY_LAYER = pytest.mark.parametrize("site", ["visual.conv1", "visual.dense1", "visual.head", "back.dense1", DECODER])


@pytest.fixture(scope="module")
def models() -> dict[str, nn.Module]:
    with initialised(0, "test"):
        networks = {"visual": ConvEncoder(1, 32, 6, (16,), 8), "back": ConvDecoder(1, 32, 6, (16,), 8)}
    return {name: network.eval() for name, network in networks.items()}


IMAGES = torch.rand(5, 1, 32, 32, generator=torch_generator(0, "images"))


def answer(models: Mapping[str, nn.Module]) -> Tensor:
    with torch.no_grad():
        return models["back"](models["visual"](IMAGES))


def output(models: Mapping[str, nn.Module], site: str) -> Tensor:
    """What a site returns, as the rest of the model gets it."""
    seen: list[Tensor] = []
    module = next(place.module for place in sites(models) if place.name == site)
    handle = module.register_forward_hook(lambda module, inputs, output: seen.append(output))
    answer(models)
    handle.remove()
    return seen[0]


def bits(models: Mapping[str, nn.Module]) -> dict[str, bytes]:
    return {
        f"{name}/{key}": value.numpy().tobytes()
        for name, model in models.items()
        for key, value in model.state_dict().items()
    }


def same(a: Tensor, b: Tensor) -> bool:
    """Equal to the bit: −0 is not 0."""
    return a.shape == b.shape and a.contiguous().numpy().tobytes() == b.contiguous().numpy().tobytes()


# --- sites


def test_sites_are_the_layers_with_units_by_their_paths(models: dict[str, nn.Module]) -> None:
    table = {site.name: (site.units, site.connections, site.kinds) for site in sites(models)}
    every = ("sever", "noise", "silence", "scale")
    assert table == {
        "visual.conv1": (8, 8 * 16, every), "visual.conv2": (8, 8 * 8 * 16, every),
        "visual.conv3": (8, 8 * 8 * 16, every), "visual.dense1": (16, 128 * 16, every),
        "visual.head": (6, 16 * 6, every),
        "back.dense1": (16, 6 * 16, every), "back.dense2": (128, 16 * 128, every),
        "back.conv1": (8, 8 * 8 * 16, every), "back.conv2": (8, 8 * 8 * 16, every), "back.conv3": (1, 8 * 16, every),
    }  # fmt: skip


class Head(nn.Module):
    """A module that declares itself a site: its units are the last axis but one."""

    units, unit_axis = 3, -2

    def forward(self, x: Tensor) -> Tensor:
        return x * 2


def test_list_positions_root_modules_and_declared_sites() -> None:
    layer = nn.Module()
    layer.head = nn.ModuleList([Head(), Head()])
    shared = nn.Linear(2, 2)
    models = {"layer": nn.ModuleList([layer]), "alone": shared, "again": nn.Sequential(shared, nn.ReLU())}
    assert [site.name for site in sites(models)] == ["layer[0].head[0]", "layer[0].head[1]", "alone"]
    with damage(models, "layer[0].head[1]", "silence", 1 / 3, seed=0) as site:
        silenced = layer.head[1](torch.ones(4, 3, 5))
        assert (site.units, site.axis, site.kinds) == (3, -2, ("noise", "silence", "scale"))
        assert bool((layer.head[0](torch.ones(4, 3, 5)) == 2).all())
    assert sorted(silenced[0, :, 0].tolist()) == [0, 2, 2]
    assert bool((silenced == silenced[:1, :, :1]).all())
    with pytest.raises(Refused, match=r"no connections of its own to sever; possible there: noise, silence, scale"):
        damage(models, "layer[0].head[1]", "sever", 0.5, seed=0).__enter__()


def test_a_reparametrised_weight_can_not_be_severed() -> None:
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
    assert sites({"layer": layer})[0].kinds == ("noise", "silence", "scale")


# --- what each kind does


@EVERY_LAYER
def test_severed_at_dose_1_is_the_weights_zeroed_by_hand(models: dict[str, nn.Module], site: str) -> None:
    with damage(models, site, "sever", 1, seed=3):
        severed = answer(models)
    weight = next(place.module for place in sites(models) if place.name == site).weight.data
    kept = weight.clone()
    weight.zero_()
    by_hand = answer(models)
    weight.copy_(kept)
    assert same(severed, by_hand)
    assert not same(severed, answer(models))


@EVERY_LAYER
@pytest.mark.parametrize("dose", [0.1, 0.5, 0.75])
def test_severed_share(models: dict[str, nn.Module], site: str, dose: float) -> None:
    place = next(place for place in sites(models) if place.name == site)
    intact = place.module.weight.detach()
    with damage(models, site, "sever", dose, seed=3):
        severed = place.module.weight.detach()
    cut = severed != intact
    assert int(cut.sum()) == round(dose * intact.numel())
    assert bool((severed[cut] == 0).all())
    assert severed.stride() == intact.stride(), "the memory layout is part of how fast and how exactly it runs"


@EVERY_LAYER
def test_silenced_units_give_zero_everywhere(models: dict[str, nn.Module], site: str) -> None:
    place = next(place for place in sites(models) if place.name == site)
    intact = output(models, site)
    for dose in (0.25, 0.5, 1.0):
        with damage(models, site, "silence", dose, seed=3):
            silenced = output(models, site)
        per_unit = silenced.movedim(place.axis, 0).flatten(1)
        silent = (per_unit == 0).all(1)
        assert int(silent.sum()) == int(dose * place.units + 0.5)
        assert same(per_unit[~silent], intact.movedim(place.axis, 0).flatten(1)[~silent])
    assert same(silenced, torch.zeros_like(intact))


def test_silence_at_dose_1_is_the_output_zeroed_by_hand(models: dict[str, nn.Module]) -> None:
    with damage(models, ENCODER, "silence", 1, seed=3):
        silenced = answer(models)
    handle = models["visual"].conv2.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    by_hand = answer(models)
    handle.remove()
    assert same(silenced, by_hand)


@EVERY_LAYER
def test_scaled_is_the_output_times_one_minus_dose(models: dict[str, nn.Module], site: str) -> None:
    intact = output(models, site)
    with damage(models, site, "scale", 0.3, seed=3):
        assert same(output(models, site), intact * 0.7)
    with damage(models, site, "scale", 1, seed=3):
        assert not output(models, site).any()


@EVERY_LAYER
def test_noise_is_gaussian_with_dose_times_the_sites_deviation(models: dict[str, nn.Module], site: str) -> None:
    intact = output(models, site)
    added = {}
    for dose in (0.5, 1.0):
        with damage(models, site, "noise", dose, seed=3):
            added[dose] = output(models, site) - intact
    deviation = intact.std(correction=0)
    drawn = torch.randn(intact.shape, generator=torch_generator(3, f"lesion/noise/{site}", 0))
    torch.testing.assert_close(added[1.0], drawn * deviation, rtol=0, atol=1e-6)
    torch.testing.assert_close(added[0.5], drawn * deviation / 2, rtol=0, atol=1e-6)


def test_noise_is_new_at_every_call_and_the_same_in_every_lesion(models: dict[str, nn.Module]) -> None:
    runs = []
    for _ in range(2):
        with damage(models, ENCODER, "noise", 1, seed=3):
            runs.append([answer(models), answer(models)])
    assert not same(runs[0][0], runs[0][1])
    assert same(runs[0][0], runs[1][0])
    assert same(runs[0][1], runs[1][1])


@EVERY_KIND
@pytest.mark.parametrize("kind_of_number", [torch.bfloat16, torch.float64])
def test_numbers_keep_their_precision(kind: str, kind_of_number: torch.dtype) -> None:
    layer = nn.Linear(4, 4).to(kind_of_number)
    inputs = torch.ones(2, 4, dtype=kind_of_number)
    intact = layer(inputs)
    with damage({"layer": layer}, "layer", kind, 0.5, seed=0):
        assert layer(inputs).dtype == kind_of_number
        assert not torch.equal(layer(inputs), intact)


@EVERY_KIND
def test_gradients_pass_through_damage(models: dict[str, nn.Module], kind: str) -> None:
    images = IMAGES.clone().requires_grad_()
    with damage(models, ENCODER, kind, 0.5, seed=3):
        models["visual"](images).sum().backward()
    assert images.grad is not None
    assert bool(images.grad.any())
    models["visual"].zero_grad(set_to_none=True)


@EVERY_KIND
@given(doses=st.tuples(st.floats(0, 1), st.floats(0, 1)), seed=st.integers(0, 10))
def test_a_higher_dose_damages_all_that_a_lower_one_does(kind: str, doses: tuple[float, float], seed: int) -> None:
    layer = nn.Linear(7, 9, bias=False).requires_grad_(False)
    layer.weight.copy_(torch.arange(1.0, 64.0).view(9, 7))
    identity = torch.eye(7)
    intact, found = layer(identity), []
    for dose in sorted(doses):
        with damage({"layer": layer}, "layer", kind, dose, seed):
            found.append((layer(identity) - intact).abs())
    assert bool((found[0] <= found[1]).all())


def test_seeds_and_sites_differ(models: dict[str, nn.Module]) -> None:
    weight = models["visual"].conv2.weight
    patterns = []
    for site, seed in (("visual.conv2", 0), ("visual.conv2", 1), ("visual.conv3", 0)):
        with damage(models, site, "sever", 0.5, seed) as place:
            patterns.append(place.module.weight == 0)
    assert models["visual"].conv2.weight is weight
    assert not torch.equal(patterns[0], patterns[1])
    assert not torch.equal(patterns[0], patterns[2])


# --- reversible, and independent of everything else


@EVERY_KIND
@pytest.mark.parametrize("site", [ENCODER, DECODER])
def test_dose_0_and_sham_are_bit_equal_to_intact(models: dict[str, nn.Module], kind: str, site: str) -> None:
    intact = answer(models)
    weights = bits(models)
    for dose, sham in ((0, False), (0, True), (1, True), (0.5, True)):
        with damage(models, site, kind, dose, 3, sham):
            assert same(answer(models), intact)
            assert bits(models) == weights
    assert bits(models) == weights


@pytest.mark.parametrize("kind", ["noise", "silence", "scale"])
def test_dose_0_keeps_minus_zero(kind: str) -> None:
    inputs = torch.tensor([[-0.0, -0.0, -0.0, -0.0], [1.0, 2.0, -2.0, 0.0], [-0.0, -0.0, -0.0, -0.0]])
    head = Head()
    with damage({"head": head}, "head", kind, 0, seed=0):
        assert same(head(inputs), inputs * 2)


@EVERY_KIND
def test_a_sham_draws_what_the_lesion_draws(
    models: dict[str, nn.Module], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[tuple[object, ...], torch.Generator]] = []

    def recording(*arguments: object) -> torch.Generator:
        made.append((arguments, torch_generator(*arguments)))
        return made[-1][1]

    monkeypatch.setattr(kinds, "torch_generator", recording)
    histories = []
    for dose, sham in ((0.7, False), (0.7, True), (0, False)):
        made.clear()
        with damage(models, ENCODER, kind, dose, 3, sham):
            answer(models)
            answer(models)
        histories.append([(arguments, generator.get_state().numpy().tobytes()) for arguments, generator in made])
    assert histories[0] == histories[1] == histories[2]
    assert bool(histories[0]) == (kind != "scale")


@EVERY_KIND
def test_an_exception_inside_lifts_the_lesion(models: dict[str, nn.Module], kind: str) -> None:
    intact, weights, weight = answer(models), bits(models), models["visual"].conv2.weight

    def failing() -> None:
        with damage(models, ENCODER, kind, 1, seed=3):
            assert not same(answer(models), intact)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert same(answer(models), intact)
    assert bits(models) == weights
    assert models["visual"].conv2.weight is weight
    assert not models["visual"].conv2._forward_hooks


def test_training_inside_does_not_reach_the_intact_weight() -> None:
    layer = nn.Linear(3, 3)
    before = layer.weight.detach().clone()
    with damage({"layer": layer}, "layer", "sever", 0.5, seed=0), torch.no_grad():
        layer.weight += 1
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("outer", KINDS)
@pytest.mark.parametrize("inner", KINDS)
@pytest.mark.parametrize("place", [ENCODER, "visual.dense1"])
def test_nested_lesions_compose_and_lift_in_turn(
    models: dict[str, nn.Module], outer: str, inner: str, place: str
) -> None:
    weights, intact = bits(models), answer(models)
    with damage(models, ENCODER, outer, 0.4, seed=3):
        one = answer(models)
    with damage(models, ENCODER, outer, 0.4, seed=3):
        with damage(models, place, inner, 0.6, seed=4):
            both = answer(models)
        with damage(models, ENCODER, outer, 0.4, seed=3, sham=True):
            pass
    with damage(models, ENCODER, outer, 0.4, seed=3), damage(models, place, inner, 0.6, seed=4):
        assert same(answer(models), both)
    assert not same(one, both)
    assert not same(one, intact)
    assert bits(models) == weights
    assert same(answer(models), intact)


def test_lifting_the_inner_lesion_leaves_the_outer(models: dict[str, nn.Module]) -> None:
    for kind in ("sever", "silence", "scale"):
        with damage(models, ENCODER, kind, 0.4, seed=3):
            one = answer(models)
            for again in KINDS:
                with damage(models, ENCODER, again, 0.6, seed=4):
                    assert not same(answer(models), one)
                assert same(answer(models), one)


def test_the_same_lesion_twice_is_the_greater_of_the_two(models: dict[str, nn.Module]) -> None:
    for kind in ("sever", "silence"):
        with damage(models, ENCODER, kind, 0.6, seed=3):
            greater = answer(models)
            with damage(models, ENCODER, kind, 0.4, seed=3):
                assert same(answer(models), greater)


@EVERY_KIND
def test_damage_depends_on_nothing_else(models: dict[str, nn.Module], kind: str) -> None:
    """Neither the order of the models, nor other models, nor the global generators; and it moves none of them."""
    with damage(models, ENCODER, kind, 0.5, seed=3):
        reference = answer(models)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tobytes()  # noqa: NPY002
        turned = dict(reversed(models.items())) | {"other": nn.Identity()}
        with damage(turned, ENCODER, kind, 0.5, seed=3):
            assert same(answer(models), reference)
        assert torch.equal(torch.get_rng_state(), state)
        assert np.random.get_state()[1].tobytes() == numpy_state  # noqa: NPY002


def test_a_layer_that_shares_the_weight_is_spared() -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    before = second(torch.ones(1, 3))
    with damage({"first": first, "second": second}, "first", "sever", 1, seed=0):
        assert torch.equal(second(torch.ones(1, 3)), before)
        assert torch.equal(first(torch.ones(1, 3)), first.bias[None])
    assert second.weight is first.weight


# --- several sites at once


SEVERAL = (ENCODER, "visual.dense1", DECODER)


@EVERY_KIND
def test_several_sites_are_damaged_as_each_would_be(models: dict[str, nn.Module], kind: str) -> None:
    intact, weights, found = answer(models), bits(models), []
    with damage(models, SEVERAL, kind, 0.5, seed=3) as place:
        assert place.name == ENCODER
        found.append(answer(models))
    with ExitStack() as lesions:
        for site in reversed(SEVERAL):
            lesions.enter_context(damage(models, site, kind, 0.5, seed=3))
        found.append(answer(models))
    with damage(models, SEVERAL[:2], kind, 0.5, seed=3):
        fewer = answer(models)
    assert same(found[0], found[1])
    assert not same(found[0], fewer)
    for dose, sham in ((0, False), (1, True)):
        with damage(models, SEVERAL, kind, dose, 3, sham):
            assert same(answer(models), intact)
            assert bits(models) == weights
    assert bits(models) == weights
    assert same(answer(models), intact)


def test_one_site_in_a_list_is_that_site(models: dict[str, nn.Module]) -> None:
    curves = [
        curve(lambda: {"mean": float(answer(models).mean())}, models, site, "silence", [0, 0.5], 2, seed=7)
        for site in (ENCODER, [ENCODER])
    ]
    assert curves[0] == curves[1]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ([], r"no site is named; give one or more of: visual.conv1, "),
        ([ENCODER, "visual.conv9"], r"unknown site 'visual.conv9'; did you mean"),
        ([ENCODER, DECODER, ENCODER], r"site 'visual.conv2' is named 2 times; name each site once"),
    ],
)
def test_several_sites_are_checked_before_any_is_damaged(
    models: dict[str, nn.Module], chosen: list[str], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        damage(models, chosen, "silence", 0.5, seed=0).__enter__()
    assert not models["visual"].conv2._forward_hooks


# --- refusals


@pytest.mark.parametrize(
    ("site", "kind", "dose", "message"),
    [
        ("visual.conv9", "noise", 0.5, r"unknown site 'visual.conv9'; did you mean 'visual.conv\d'\?"),
        ("conv", "noise", 0.5, r"unknown site 'conv'; (did you mean|allowed)"),
        ("", "noise", 0.5, r"unknown site ''; allowed: back.conv1, .*"),
        (ENCODER, "silense", 0.5, r"unknown kind of lesion 'silense'; did you mean 'silence'\?"),
        (ENCODER, "cut", 0.5, r"unknown kind of lesion 'cut'; allowed: noise, scale, sever, silence"),
        (ENCODER, "noise", 1.01, r"dose 1.01 is not possible; allowed: a number from 0"),
        (ENCODER, "noise", -0.1, r"dose -0.1 is not possible"),
        (ENCODER, "noise", float("nan"), r"dose nan is not possible"),
        (ENCODER, "sever", float("inf"), r"dose inf is not possible"),
    ],
)
def test_refusals_say_what_is_allowed(
    models: dict[str, nn.Module], site: str, kind: str, dose: float, message: str
) -> None:
    with pytest.raises(Refused, match=message):
        damage(models, site, kind, dose, seed=0).__enter__()
    with pytest.raises(Refused, match=message):
        curve(lambda: pytest.fail("measured before it was checked"), models, site, kind, [0, dose], 2, seed=0)


# --- curves


def test_curve_is_damage_by_dose_with_a_sham_control(models: dict[str, nn.Module]) -> None:
    calls = []

    def measure() -> dict[str, float]:
        calls.append(answer(models))
        return {"mean": float(calls[-1].mean()), "spread": float(calls[-1].std())}

    rows = curve(measure, models, ENCODER, "silence", [0, 0.5, 1], repeats=3, seed=7)
    assert [(row.measure, row.dose, row.sham, len(row.each)) for row in rows] == [
        (name, dose, sham, repeats)
        for name in ("mean", "spread")
        for dose, sham, repeats in ((0, False, 1), (0.5, False, 3), (1, False, 3), (1, True, 1))
    ]
    assert len(calls) == 8
    intact, half, _, sham = rows[:4]
    assert intact.each == sham.each == [float(answer(models).mean())]
    assert (intact.low, intact.high) == (None, None)
    for repeat, value in enumerate(half.each):
        with damage(models, ENCODER, "silence", 0.5, seed=7 + repeat):
            assert value == measure()["mean"]
    assert half.mean == sum(half.each) / 3
    half_width = 4.302652729911275 * np.std(half.each, ddof=1) / np.sqrt(3)  # t(0.975, 2)
    np.testing.assert_allclose([half.low, half.high], [half.mean - half_width, half.mean + half_width], rtol=1e-6)


def test_what_is_not_random_is_measured_once(models: dict[str, nn.Module]) -> None:
    rows = curve(lambda: {"mean": float(answer(models).mean())}, models, ENCODER, "scale", [0.5, 1], 5, seed=0)
    assert [len(row.each) for row in rows] == [1, 1, 1]


def test_a_curve_of_nothing_is_refused(models: dict[str, nn.Module]) -> None:
    for doses, repeats in (([], 3), ([0.5], 0)):
        with pytest.raises(Refused, match="at least one of each"):
            curve(dict, models, ENCODER, "noise", doses, repeats, seed=0)


def test_a_curve_summarises_what_is_computed_by_dose(models: dict[str, nn.Module]) -> None:
    def measure() -> dict[str, float]:
        return {"mean": float(answer(models).mean())}

    how = (models, SEVERAL, "noise", [0, 0.5, 0.5, 1], 2, 7)
    found = by_dose(measure, *how)
    assert [(one.dose, one.sham, one.repeat) for one in found] == [
        (0, False, 0), (0.5, False, 0), (0.5, False, 1), (1, False, 0), (1, False, 1), (1, True, 0),
    ]  # fmt: skip
    assert [row.each for row in curve(measure, *how)] == [
        [one.value["mean"] for one in found if (one.dose, one.sham) == condition]
        for condition in ((0, False), (0.5, False), (1, False), (1, True))
    ]
    assert found[0].value == found[-1].value == measure()


# --- doses in words


@pytest.mark.parametrize(
    ("text", "doses"),
    [
        ("0:1:0.2", [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ("0:1:0.1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("0:1:0.3", [0, 0.3, 0.6, 0.9]),
        ("0,0.5,1", [0, 0.5, 1]),
        ("1, 0,0.5 ,.5", [0, 0.5, 1]),
        ("0.25", [0.25]),
        ("0:0.2:0.1,1", [0, 0.1, 0.2, 1]),
        ("0.5:0.5:0.1", [0.5]),
        ("0.1:1:5", [0.1]),
    ],
)
def test_doses_in_words(text: str, doses: list[float]) -> None:
    assert parse_doses(text) == doses


@pytest.mark.parametrize(
    "text",
    ["", "a", "0:1", "0:1:0", "0:1:-0.1", "1:0:0.1", "0:2:0.5", "nan", "inf", "0:1:nan", "sNaN", "-0.1", "0,,1",
     "0:1:0.1:2", "::", "0;1", "1.5", "0:1:1e-9", "0:1:1e-999999999", "1e999999999", "0:1:0.001"],
)  # fmt: skip
def test_bad_doses_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(Refused, match=r"doses '.*': .*0:1:0\.2|more than 1000; .*0:1:0\.2"):
        parse_doses(text)


@given(st.text("0123456789.:,e- aN", max_size=12))
def test_any_text_gives_doses_or_a_refusal(text: str) -> None:
    try:
        doses = parse_doses(text)
    except Refused:
        return
    assert doses == sorted(set(doses))
    assert 1 <= len(doses) <= MOST_DOSES
    assert all(0 <= dose <= 1 for dose in doses)
