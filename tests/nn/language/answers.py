"""What stands on ELMo and on MT-DNN: the mix of layers, and the answer in several looks."""

import pytest
import torch

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.language.scalar_mix import ScalarMix
from phantastic.nn.language.stochastic_answer import StochasticAnswer

STATES = torch.randn(3, 5, 8, generator=torch_generator(0, "states"))
PREMISE = torch.tensor([[0, 1, 1, 0, 0]] * 3, dtype=torch.bool)
HYPOTHESIS = torch.tensor([[0, 0, 0, 1, 0]] * 3, dtype=torch.bool)


def san(**changes: float) -> StochasticAnswer:
    with initialised(0, "model"):
        return StochasticAnswer(8, 3, **changes)  # pyright: ignore[reportArgumentType]


def test_a_mix_begins_as_the_mean_and_is_weighted_as_in_equation_1() -> None:
    layers = [STATES, 2 * STATES, 6 * STATES]
    mix = ScalarMix(3)
    assert torch.allclose(mix(layers), 3 * STATES, atol=1e-6)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([1.0, 1.0, 2.0]).log())  # a quarter, a quarter, a half
        mix.scale.fill_(2.0)
    assert torch.allclose(mix(layers), 2 * (1 / 4 + 2 / 4 + 6 / 2) * STATES, atol=1e-5)
    mix(layers).sum().backward()
    assert all(parameter.grad is not None for parameter in mix.parameters())
    with pytest.raises(Refused, match="2 layers are given to a mix of 3"):
        mix(layers[:2])


def test_the_answer_is_the_mean_of_all_looks_and_sums_to_one() -> None:
    model = san().eval()
    looks = model.looks(STATES, PREMISE, HYPOTHESIS)
    assert looks.shape == (3, 5, 3)
    assert len({tuple(look) for look in looks[0].round(decimals=5).tolist()}) == 5  # it goes on thinking
    answer = model(STATES, PREMISE, HYPOTHESIS).exp()
    assert torch.allclose(answer, looks.mean(1), atol=1e-6)
    assert torch.allclose(answer.sum(-1), torch.ones(3), atol=1e-6)
    with pytest.raises(Refused, match="allowed: at least 1"):
        StochasticAnswer(8, 3, 0)


def test_in_training_looks_are_left_out_and_the_rest_still_sums_to_one() -> None:
    """Of two looks, one of which may be left out, the answer is the one, the other or the mean."""
    model = san(steps=2, dropped=0.5).train()
    looks = model.looks(STATES[:1], PREMISE[:1], HYPOTHESIS[:1])[0]
    possible = torch.stack([looks[0], looks[1], looks.mean(0)]).detach()
    found = set()
    for draw in range(40):
        with initialised(0, f"dropout/{draw}"):
            answer = model(STATES[:1], PREMISE[:1], HYPOTHESIS[:1]).exp()[0].detach()
        assert float(answer.sum()) == pytest.approx(1, abs=1e-5)
        found.add(int((possible - answer).abs().sum(-1).argmin()))
        assert float((possible - answer).abs().sum(-1).min()) < 1e-5
    assert found == {0, 1, 2}
    with initialised(0, "all"):
        assert san(dropped=0.999).train()(STATES, PREMISE, HYPOTHESIS).isfinite().all()


def test_words_of_neither_sentence_count_for_nothing() -> None:
    model = san().eval()
    entered = STATES.clone().requires_grad_()
    model(entered, PREMISE, HYPOTHESIS)[:, 0].sum().backward()
    assert entered.grad is not None
    assert (entered.grad.abs().sum(-1) > 0).tolist() == (PREMISE | HYPOTHESIS).tolist()


def test_the_first_look_by_hand() -> None:
    """One word each: attention has no choice, so s⁰ is the hypothesis' word, x the premise's, and s¹ = GRU(s⁰, x)."""
    model = san(steps=1).eval()
    premise = torch.tensor([[0, 1, 0, 0, 0]] * 3, dtype=torch.bool)
    x, s = STATES[:, 1], STATES[:, 3]
    reset, update, _ = (x @ model.gru.weight_ih.T + model.gru.bias_ih).chunk(3, -1)
    reset_s, update_s, _ = (s @ model.gru.weight_hh.T + model.gru.bias_hh).chunk(3, -1)
    inner = (x @ model.gru.weight_ih.T + model.gru.bias_ih)[:, 16:]
    inner_s = (s @ model.gru.weight_hh.T + model.gru.bias_hh)[:, 16:]
    r, z = (reset + reset_s).sigmoid(), (update + update_s).sigmoid()
    state = (1 - z) * (inner + r * inner_s).tanh() + z * s
    expected = model.answer(torch.cat([state, x, (state - x).abs(), state * x], -1)).softmax(-1)
    assert torch.allclose(model(STATES, premise, HYPOTHESIS).exp(), expected, atol=1e-6)
