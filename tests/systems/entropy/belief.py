"""Perception, action and surprise: each part of F by an integral, each surprise by another way there."""

from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom
from torch import Tensor

from phantastic.systems.entropy import acting, belief, surprise
from phantastic.systems.entropy.acting import Animal
from phantastic.systems.entropy.maxent import interval
from phantastic.systems.entropy.surprise import Beta

near = pytest.approx
x, weight = interval(-25, 25, 400)
numbers, widths = st.floats(-3, 3), st.floats(0.4, 2)


def f64(value) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


@st.composite
def animals(draw) -> Animal:
    values = (draw(numbers), draw(widths), draw(widths), draw(numbers), draw(numbers), draw(st.floats(-0.8, 0.6)))
    return Animal(*(f64(value) for value in values))


def normal(x: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
    return torch.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * (2 * torch.pi) ** 0.5)


@settings(max_examples=25, deadline=None)
@given(animals())
def test_each_part_of_f_is_its_integral_and_the_three_forms_are_equal(animal):
    m, s, r, y, mean, log_sd = animal
    q, prior, likelihood = normal(x, mean, log_sd.exp()), normal(x, m, s), normal(y, x, r)
    evidence = (weight * prior * likelihood).sum()

    def under(value: Tensor) -> float:
        return float(torch.where(q > 0, weight * q * value.clamp(-1e6, 1e6), 0.0).sum())

    f = acting.free_energy(animal)
    assert float(f.energy) == near(under(-(prior * likelihood).log()), abs=1e-6)
    assert float(f.entropy) == near(under(-q.log()), abs=1e-6)
    assert float(f.divergence) == near(under(q.log() - (prior * likelihood / evidence).log()), abs=1e-6)
    assert float(f.surprise) == near(-log(float(evidence)), abs=1e-6)
    assert float(f.complexity) == near(under(q.log() - prior.log()), abs=1e-6)
    assert float(f.accuracy) == near(under(likelihood.log()), abs=1e-6)
    assert belief.forms(f) < 1e-11


@settings(max_examples=4, deadline=None)
@given(animals())
def test_perception_ends_at_the_posterior_and_leaves_the_surprise(animal):
    seen = animal
    for _ in range(400):
        seen = acting.perceived(seen, 0.1)
    precision = float(animal.looseness**-2 + animal.noise**-2)
    weighed = float(animal.expected / animal.looseness**2 + animal.sensed / animal.noise**2)
    assert float(seen.mean) == near(weighed / precision, abs=1e-3)
    assert float(seen.log_sd) == near(-0.5 * log(precision), abs=1e-3)
    first, last = acting.free_energy(animal), acting.free_energy(seen)
    assert float(last.surprise) == float(first.surprise), "to the bit"
    assert float(last.value) == near(float(last.surprise), abs=1e-4)


@settings(max_examples=4, deadline=None)
@given(animals())
def test_action_ends_where_what_is_sensed_is_what_is_believed_and_leaves_the_complexity(animal):
    did = animal
    for _ in range(300):
        did = acting.acted(did, 0.2)
    assert float(did.sensed) == near(float(animal.mean), abs=1e-3)
    first, last = acting.free_energy(animal), acting.free_energy(did)
    assert float(last.complexity) == float(first.complexity), "to the bit"
    assert float(last.accuracy) >= float(first.accuracy)
    least = -0.5 * log(2 * torch.pi) - float(animal.noise.log() + 0.5 * (animal.log_sd.exp() / animal.noise) ** 2)
    assert float(last.accuracy) == near(least, abs=1e-4), "only the spread of the belief is left"


def test_the_other_parts_do_change():
    """Or the claims would hold of anything: perception moves complexity too, and action the divergence."""
    animal = belief.animals(50, torch.Generator().manual_seed(0))
    first = acting.free_energy(animal)
    saw, did = (acting.free_energy(turn(animal, 0.1)) for turn in (acting.perceived, acting.acted))
    assert belief.moved(first, saw, "divergence") < 1e-12 < 0.1 < belief.moved(first, saw, "complexity")
    assert belief.moved(first, did, "accuracy") < 1e-12 < 0.1 < belief.moved(first, did, "divergence")
    assert belief.moved(first, saw, "surprise") > 0.1


shapes, counts = st.floats(0.3, 60), st.integers(0, 40)


@given(shapes, shapes, counts, counts)
def test_bayesian_surprise_is_torchs_divergence_and_shannons_is_scipys_probability(a, b, yes, no):
    prior = Beta(f64(a), f64(b))
    posterior = prior.learned(f64(yes), f64(no))
    told = torch.distributions.kl_divergence(torch.distributions.Beta(*posterior), torch.distributions.Beta(*prior))
    assert float(surprise.bayesian(prior, posterior)) == near(float(told), abs=1e-8)
    assert float(surprise.bayesian(prior, posterior)) >= -1e-10
    ways = torch.lgamma(f64(yes + no + 1)) - torch.lgamma(f64(yes + 1)) - torch.lgamma(f64(no + 1))
    expected = -float(betabinom.logpmf(yes, yes + no, a, b)) + float(ways)
    assert float(surprise.shannon(prior, f64(yes), f64(no))) == near(expected, abs=1e-8)


@given(shapes, shapes, counts, counts, counts, counts)
def test_two_frames_surprise_shannon_as_much_as_one_of_both(a, b, yes, no, more, less):
    prior = Beta(f64(a), f64(b))
    between = prior.learned(f64(yes), f64(no))
    one = surprise.shannon(prior, f64(yes), f64(no)) + surprise.shannon(between, f64(more), f64(less))
    assert float(one) == near(float(surprise.shannon(prior, f64(yes + more), f64(no + less))), abs=1e-8)


def test_a_frame_without_pixels_surprises_nobody_and_one_pixel_is_one_bit():
    prior = Beta(f64(1.0), f64(1.0))
    assert float(surprise.shannon(prior, f64(0), f64(0))) == float(surprise.bayesian(prior, prior)) == 0
    assert float(surprise.shannon(prior, f64(1), f64(0))) == near(log(2))
    learned = surprise.bayesian(prior, prior.learned(f64(1), f64(0)))
    assert float(learned) == near(log(2) - 0.5), "KL(2θ ‖ 1) = ln 2 - ½"


def test_snow_bores_and_a_programme_does_not():
    by_shannon, by_bayes = (course.mean(0) for course in belief.screen(400, 0))
    snow, switch = slice(belief.SNOW - belief.SETTLED, belief.SNOW), belief.SNOW
    assert float(by_shannon[snow].mean()) == near(belief.PIXELS * log(2), rel=0.01)
    assert float(by_bayes[snow].mean()) < 0.2 < 5 < float(by_bayes[switch])
    assert float(by_shannon[switch]) < float(by_shannon[snow].min())
    entropy = -0.95 * log(0.95) - 0.05 * log(0.05)
    assert float(by_shannon[-20:].mean()) == near(belief.PIXELS * entropy, rel=0.05)
    assert float(by_bayes[-20:].mean()) < 0.2


def test_without_forgetting_snow_teaches_less_and_less():
    yes = torch.binomial(torch.full((200, 100), 64.0).double(), f64(0.5), generator=torch.Generator().manual_seed(1))
    _, by_bayes = surprise.watched(yes, 64, memory=1.0)
    late = float(by_bayes[:, 50:].mean())
    expected = float((0.5 / torch.arange(51.0, 101.0)).mean())  # one chance: half a nat is shared by the frames so far
    assert late == near(expected, rel=0.15)
