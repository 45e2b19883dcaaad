"""The Helmholtz machine: what wake and sleep descend, held against brute force and against cases that are known."""

from itertools import product
from math import exp, log

import pytest
import torch
from torch import Tensor

from phantastic.declare.recipe import compose
from phantastic.ground.errors import Refused
from phantastic.systems.vae import helmholtz, wake_sleep
from phantastic.systems.vae.bars import bars, every
from phantastic.systems.vae.bars_vae import BarsVAE
from phantastic.systems.vae.helmholtz import Fantasies, HelmholtzMachine, enumerated
from phantastic.systems.vae.study import WAKE_SLEEP, WakeSleepRecipe


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def machine(seed: int, pixels: int = 4, hidden: int = 3, top: int = 2) -> HelmholtzMachine:
    made = HelmholtzMachine(pixels, hidden, top).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 0, 1, generator=generator(seed))
        seed += 1
    return made


def told(layer: torch.nn.Linear, given: tuple, states: tuple) -> float:
    """The probability of a layer's states, unit by unit, in plain arithmetic."""
    probability, biases = 1.0, [0.0] * len(states) if layer.bias is None else layer.bias.tolist()
    for state, weights, bias in zip(states, layer.weight.tolist(), biases, strict=True):
        on = 1 / (1 + exp(-bias - sum(w * g for w, g in zip(weights, given, strict=True))))
        probability *= on if state else 1 - on
    return probability


def slopes(value: Tensor, parameters: object) -> list[Tensor]:
    return list(torch.autograd.grad(value, list(parameters)))  # type: ignore[call-overload]


def close(found: list[Tensor], wanted: list[Tensor], **tolerance: float) -> None:
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, **{"rtol": 1e-9, "atol": 1e-9} | tolerance)


# --- the world


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_entropy_of_the_bars_is_that_of_their_making(size: int) -> None:
    """Orientation and bars, less the orientation where it cannot be seen: where there are none, or all."""

    def binary(p: float) -> float:
        return -p * log(p) - (1 - p) * log(1 - p)

    world = bars(size)
    assert len(world.probabilities) == 2 * 2**size - 2
    assert float(world.probabilities.sum()) == pytest.approx(1)
    unseen = 0.8**size + 0.2**size
    assert world.entropy == pytest.approx(size * binary(0.2) + (1 - unseen) * binary(1 / 3), rel=1e-9)
    assert float(world.probabilities.max()) == pytest.approx(0.8**size)


def test_a_column_is_twice_as_likely_as_a_row() -> None:
    world = bars(3)
    known = {tuple(x): float(p) for x, p in zip(world.patterns.int().tolist(), world.probabilities, strict=True)}
    assert known[1, 0, 0, 1, 0, 0, 1, 0, 0] == pytest.approx(2 / 3 * 0.2 * 0.8**2)
    assert known[1, 1, 1, 0, 0, 0, 0, 0, 0] == pytest.approx(1 / 3 * 0.2 * 0.8**2)
    assert (1, 1, 1, 1, 0, 0, 1, 0, 0) not in known


def test_independent_pixels_miss_the_total_correlation() -> None:
    world = bars(3)
    on = world.probabilities @ world.patterns
    marginal = torch.special.entr(on).sum() + torch.special.entr(1 - on).sum()
    assert world.divergence(world.independent()) == pytest.approx(float(marginal) - world.entropy)


def test_it_is_drawn_as_often_as_it_is_likely() -> None:
    world = bars(2)
    drawn = world.draw(40_000, generator())
    shares = (drawn[:, None] == world.patterns).all(2).double().mean(0)
    torch.testing.assert_close(shares, world.probabilities, rtol=0, atol=0.01)


# --- inference


def test_every_state_has_the_probability_that_plain_arithmetic_gives_it() -> None:
    made, images = machine(1), every(4)
    with torch.no_grad():
        found = enumerated(made, images)
    bits = (0, 1)
    for number, x in enumerate(images.int().tolist()):
        for i, h1 in enumerate(product(bits, repeat=3)):
            for j, h2 in enumerate(product(bits, repeat=2)):
                p = told(made.prior, (1,), h2) * told(made.generate1, h2, h1) * told(made.generate0, h1, tuple(x))
                q = told(made.recognise1, tuple(x), h1) * told(made.recognise2, h1, h2)
                assert float(found.log_p[number, i, j]) == pytest.approx(log(p))
                assert float(found.log_q[number, i, j]) == pytest.approx(log(q))
    assert float(found.evidence.exp().sum()) == pytest.approx(1)
    torch.testing.assert_close(found.log_q.exp().sum((1, 2)), torch.ones(16).double())


def test_sure_units_have_probabilities_that_sum_to_1() -> None:
    """PyTorch's softplus is a straight line above 20, where e^-20 = 2e-9 is still to be told."""
    logits = torch.tensor([[20.5, -21.0, 300.0]], dtype=torch.float64)
    total = helmholtz.log_bernoulli(logits, every(3)).exp().sum()
    assert abs(float(total) - 1) < 1e-12
    assert float(helmholtz.softplus(logits)[0, 0]) - 20.5 == pytest.approx(exp(-20.5), rel=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_free_energy_is_surprise_and_error_of_inference(seed: int) -> None:
    found = enumerated(machine(100 * seed), every(4))
    assert bool((found.free_energy >= -found.evidence).all())
    torch.testing.assert_close(found.free_energy + found.evidence, found.inference_error)


def exact_posterior(made: HelmholtzMachine) -> None:
    """Of a machine with one hidden and one top unit the posterior is logistic: recognition can be exact."""
    with torch.no_grad():
        weight, bias, top = made.generate0.weight[:, 0], made.generate0.bias, made.prior.weight
        joint = {
            (a, b): told(made.prior, (1,), (b,)) * told(made.generate1, (b,), (a,)) for a in (0, 1) for b in (0, 1)
        }
        odds = {a: log(joint[a, 1] / joint[a, 0]) for a in (0, 1)}
        made.recognise1.weight.copy_(weight[None])
        prior = log((joint[1, 0] + joint[1, 1]) / (joint[0, 0] + joint[0, 1]))
        softplus = torch.nn.functional.softplus
        made.recognise1.bias.fill_(prior + float((softplus(bias) - softplus(bias + weight)).sum()))
        made.recognise2.weight.fill_(odds[1] - odds[0])
        made.recognise2.bias.fill_(odds[0])
        assert top.shape == (1, 1)


def test_where_recognition_can_be_exact_neither_divergence_is_left() -> None:
    made = machine(7, hidden=1, top=1)
    assert Fantasies(made).divergence(made).item() > 0.01
    exact_posterior(made)
    assert enumerated(made, every(4)).inference_error.abs().max().item() < 1e-12
    assert abs(Fantasies(made).divergence(made).item()) < 1e-12


# --- learning


def test_both_phases_are_delta_rules_and_local() -> None:
    """The slope of every layer is (what the layer is expected to be − what it is) times the layer before it."""
    made, x = machine(3), every(4)[:8]
    h1, h2 = made.recognise(x, generator())
    loss = helmholtz.wake(made, x, generator())
    assert all(
        slope is None
        for slope in torch.autograd.grad(loss, list(made.recognition()), retain_graph=True, allow_unused=True)
    )
    top, weight1, bias1, weight0, bias0 = slopes(loss, made.generative())
    below = torch.sigmoid(made.generate0(h1)) - x
    above = torch.sigmoid(made.generate1(h2)) - h1
    first = torch.sigmoid(made.prior.weight.T) - h2
    wanted = [first.mean(0)[:, None], above.T @ h2 / 8, above.mean(0), below.T @ h1 / 8, below.mean(0)]
    close([top, weight1, bias1, weight0, bias0], wanted)
    x, h1, h2 = made.fantasise(8, generator())
    loss = helmholtz.sleep(made, 8, generator())
    assert all(
        slope is None
        for slope in torch.autograd.grad(loss, list(made.generative()), retain_graph=True, allow_unused=True)
    )
    up, upper = torch.sigmoid(made.recognise1(x)) - h1, torch.sigmoid(made.recognise2(h1)) - h2
    close(slopes(loss, made.recognition()), [up.T @ x / 8, up.mean(0), upper.T @ h1 / 8, upper.mean(0)])


def test_the_wake_phase_descends_the_free_energy() -> None:
    made, x = machine(4), every(4)
    wanted = slopes(enumerated(made, x).free_energy.mean(), made.generative())
    close(slopes(helmholtz.wake(made, x.repeat(20_000, 1), generator()), made.generative()), wanted, rtol=0, atol=0.005)


def backwards(made: HelmholtzMachine) -> Tensor:
    """KL(p(h|x) ‖ q(h|x)), the mean over p(x), from the table of all states."""
    found = enumerated(made, every(4))
    posterior = found.log_p - found.evidence[:, None, None]
    return (found.log_p.exp() * (posterior - found.log_q)).sum()


def test_the_sleep_phase_descends_the_other_divergence() -> None:
    made = machine(5)
    fantasies = Fantasies(made)
    assert fantasies.divergence(made).item() == pytest.approx(backwards(made).item(), rel=1e-9)
    wanted = slopes(backwards(made), made.recognition())
    close(slopes(fantasies.divergence(made), made.recognition()), wanted)
    close(slopes(helmholtz.sleep(made, 320_000, generator()), made.recognition()), wanted, rtol=0, atol=0.005)
    found = enumerated(made, every(4))
    forwards = slopes((found.evidence.exp().detach() * found.free_energy).sum(), made.recognition())
    assert max(float((one - other).abs().max()) for one, other in zip(forwards, wanted, strict=True)) > 0.02


def test_fantasies_are_drawn_as_often_as_the_machine_holds_them_likely() -> None:
    made = machine(6)
    drawn = made.fantasise(40_000, generator())[0]
    shares = (drawn[:, None] == every(4)).all(2).double().mean(0)
    torch.testing.assert_close(shares, enumerated(made, every(4)).evidence.exp().detach(), rtol=0, atol=0.01)
    torch.testing.assert_close(Fantasies(made).p, enumerated(made, every(4)).evidence.exp().detach())


# --- the rival and the night


def test_the_evidence_of_the_vae_is_an_integral_over_its_codes() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BarsVAE(4, 3).double()
    for parameter in model.decoder.parameters():
        torch.nn.init.normal_(parameter, 0, 2, generator=generator(1))
    found = model.log_evidence(every(4)).exp().detach()
    assert float(found.sum()) == pytest.approx(1, abs=1e-6)
    drawn = model.fantasise(100_000, generator(2))
    torch.testing.assert_close((drawn[:, None] == every(4)).all(2).double().mean(0), found, rtol=0, atol=0.01)


def test_a_night_gains_nothing_where_day_and_night_want_the_same() -> None:
    """Recognition by one hidden unit can be exact: both phases leave it there. With more a night undoes a day."""
    recipe, world = WakeSleepRecipe(size=2, night=400, night_rate=0.02), bars(2)
    one = machine(8, hidden=1, top=1)
    exact_posterior(one)
    rested = wake_sleep.slept(wake_sleep.night(recipe, world, one))
    assert rested["asleep.free_energy"] == pytest.approx(rested["awake.free_energy"], abs=1e-4)
    assert abs(rested["asleep.reverse"]) < 1e-4
    entangled = machine(1, hidden=3, top=1)
    with torch.no_grad():
        for parameter in entangled.generative():
            parameter *= 3
    rested = wake_sleep.slept(wake_sleep.night(recipe, world, entangled))
    assert rested["asleep.free_energy"] > rested["awake.free_energy"] + 0.1
    assert rested["asleep.reverse"] < rested["awake.reverse"] - 0.1


def test_both_machines_begin_alike_and_what_cannot_be_enumerated_is_refused() -> None:
    networks = wake_sleep.build(WAKE_SLEEP.presets["tiny"], 0)  # type: ignore[arg-type]
    close(list(networks["wake_sleep"].parameters()), list(networks["elbo"].parameters()))
    for change in ({"size": 5}, {"hidden": 11}, {"rate": 0}):
        with pytest.raises(Refused):
            compose(WAKE_SLEEP.recipe, WAKE_SLEEP.presets, "tiny", change)
