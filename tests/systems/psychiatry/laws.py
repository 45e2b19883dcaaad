"""The laws of fitting people: on a linear simulator the posterior is known, on a curved one recovery is tested."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from phantastic.ground.randomness import torch_generator
from phantastic.systems.psychiatry import check, cohort, recording, tasks
from phantastic.systems.psychiatry.fit import (
    Data,
    Posterior,
    Prior,
    _closest,
    _squares,
    delayed,
    infer,
    lattice,
    repeated,
)
from phantastic.systems.psychiatry.simulate import Press, pressed, watched
from phantastic.systems.psychiatry.study import REACH, SchizophreniaRecipe

SAMPLES = 40
DESIGN = torch.stack([torch.ones(SAMPLES), torch.linspace(-1, 1, SAMPLES)]).double()
ENDS = (torch.tensor(v, dtype=torch.float64) for v in ([0, 1], [2, 2], [-20, -20], [20, 20]))
WIDE = Prior(*ENDS, noise=2.0, noise_deviation=1.5)


def linear(theta: Tensor) -> Tensor:
    return theta @ DESIGN


def curved(theta: Tensor) -> Tensor:
    t = torch.linspace(0, 3, SAMPLES, dtype=torch.float64)
    return torch.exp(theta[:, :1] / 4) * torch.sin(t + theta[:, 1:] / 3)


def people(
    simulate: Callable[[Tensor], Tensor], number: int, trials: int = 2, noise: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Parameters drawn from the prior, and noisy trials [people, trials, samples]."""
    generator = torch_generator(0, "tests/fit")
    theta = WIDE.mean + WIDE.deviation / 2 * torch.randn(number, 2, generator=generator, dtype=torch.float64)
    drawn = torch.randn(number, trials, SAMPLES, generator=generator, dtype=torch.float64)
    return theta, simulate(theta)[:, None] + noise * drawn


def test_the_posterior_of_a_linear_simulator_is_that_of_linear_regression() -> None:
    _, trials = people(linear, 6)
    found = infer(linear, repeated(trials), WIDE)
    tight = torch.diag(WIDE.deviation**-2)
    for k in range(6):
        covariance = torch.linalg.inv(2 * found.noise[k].exp() * DESIGN @ DESIGN.T + tight)
        mean = covariance @ (found.noise[k].exp() * DESIGN @ trials[k].sum(0) + tight @ WIDE.mean)
        torch.testing.assert_close(found.covariance[k], covariance, rtol=1e-6, atol=1e-12)
        short = 0.1 * float(covariance.diagonal().sqrt().min())  # a last step of a tenth of a deviation is not taken
        torch.testing.assert_close(found.mean[k], mean, rtol=0, atol=short)


def test_free_energy_is_below_the_log_evidence_and_close_to_it() -> None:
    """The evidence of a linear simulator with Gaussian noise, integrated over the noise's precision on a fine grid."""
    _, trials = people(linear, 4, trials=1)
    found = infer(linear, repeated(trials), WIDE)
    noises = torch.linspace(-4, 10, 4001, dtype=torch.float64)
    prior = torch.distributions.Normal(WIDE.noise, WIDE.noise_deviation).log_prob(noises)
    own = DESIGN.T @ torch.diag(WIDE.deviation**2) @ DESIGN
    values, vectors = torch.linalg.eigh(own)
    for k in range(4):
        error = (trials[k, 0] - WIDE.mean @ DESIGN) @ vectors
        variance = values.clamp(min=0) + torch.exp(-noises)[:, None]
        likelihood = -0.5 * (error**2 / variance + variance.log() + math.log(2 * math.pi)).sum(-1)
        evidence = float(torch.logsumexp(likelihood + prior, 0) + (noises[1] - noises[0]).log())
        assert abs(float(found.free_energy[k]) - evidence) < 0.05


def test_repetitions_and_their_mean_say_the_same() -> None:
    """Sufficient statistics: the sum of squares around the means is what the mean leaves out."""
    _, trials = people(curved, 3, trials=5)
    data = repeated(trials)
    trace = curved(torch.tensor([[0.3, 1.2]], dtype=torch.float64))
    whole = ((trials - trace) ** 2).sum((1, 2))
    torch.testing.assert_close((data.weight * (data.mean - trace) ** 2).sum(-1) + data.within, whole)


def test_missing_samples_have_no_weight() -> None:
    _, trials = people(linear, 5)
    holed, wild = trials.clone(), repeated(trials)
    holed[:, :, 7:12] = math.nan
    found = infer(linear, repeated(holed), WIDE)
    kept = wild.weight.clone()
    kept[:, 7:12] = 0
    seen = torch.ones(SAMPLES, dtype=torch.bool)
    seen[7:12] = False
    within = (trials - wild.mean[:, None])[:, :, seen].square().sum((1, 2))
    other = infer(linear, Data(wild.mean + 1e3 * (kept == 0), kept, within), WIDE)
    assert bool(found.mean.isfinite().all())
    torch.testing.assert_close(found.mean, other.mean, rtol=0, atol=1e-6)
    expected = (0.9 * wild.weight.sum(-1)[0] / kept.sum(-1)[0]).sqrt()  # the noise is inferred anew, too
    ratio = found.deviation.mean() / infer(linear, wild, WIDE).deviation.mean()
    assert expected < ratio < expected / 0.8


def test_nothing_seen_leaves_the_prior() -> None:
    found = infer(linear, repeated(torch.full((1, 1, SAMPLES), math.nan, dtype=torch.float64)), WIDE)
    torch.testing.assert_close(found.mean[0], WIDE.mean, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.deviation[0], WIDE.deviation)


def test_nobody_depends_on_the_others() -> None:
    """Neither on their order nor on who else is fitted."""
    _, trials = people(curved, 12)
    together = infer(curved, repeated(trials), WIDE)
    order = torch.randperm(12, generator=torch_generator(1, "tests/order"))
    shuffled = infer(curved, repeated(trials[order]), WIDE)
    alone = infer(curved, repeated(trials[3:4]), WIDE)
    torch.testing.assert_close(shuffled.mean, together.mean[order], rtol=0, atol=1e-9)
    torch.testing.assert_close(alone.mean, together.mean[3:4], rtol=0, atol=1e-9)


def test_recovery_and_coverage_of_a_curved_simulator() -> None:
    theta, trials = people(curved, 300)
    found = infer(curved, repeated(trials), WIDE)
    for each in cohort.recovered(cohort.Cohort(theta, torch.arange(300) % 2), found):
        assert each.correlation > 0.95
        assert 0.9 <= each.coverage <= 0.98
    assert float((torch.exp(-found.noise / 2) / 0.2).mean()) == pytest.approx(1, abs=0.03)


def test_bounds_are_kept() -> None:
    narrow = WIDE._replace(low=torch.tensor([-0.5, 0.5]).double(), high=torch.tensor([0.5, 1.5]).double())
    _, trials = people(linear, 30)
    found = infer(linear, repeated(trials), narrow)
    assert bool(((found.mean >= narrow.low) & (found.mean <= narrow.high)).all())


# --- groups


def exact(theta: Tensor, deviation: float) -> Posterior:
    """Posteriors whose likelihoods have this standard deviation around theta, under the wide prior."""
    information = torch.eye(2, dtype=torch.float64) / deviation**2
    tight = torch.diag(WIDE.deviation**-2)
    covariance = torch.linalg.inv(information + tight)
    mean = (theta @ information + WIDE.mean @ tight) @ covariance
    zero = torch.zeros(len(theta), dtype=torch.float64)
    return Posterior(mean, covariance.expand(len(theta), -1, -1), zero, zero, zero, zero[:, None])


def test_a_group_is_not_drawn_to_the_prior() -> None:
    """Each person's posterior is; the group's mean is the mean of what their data say."""
    theta = torch.randn(400, 2, generator=torch_generator(2, "tests/group"), dtype=torch.float64)
    theta += torch.tensor([5.0, -3.0])
    found = exact(theta, 1.5)
    assert bool(((found.mean.mean(0) - theta.mean(0)).abs() > 0.5).all())
    group = cohort.level(found, WIDE)
    torch.testing.assert_close(group.mean, theta.mean(0), rtol=0, atol=5e-3)


def test_spread_between_people_is_told_from_uncertainty_about_each() -> None:
    generator = torch_generator(3, "tests/group")
    theta = torch.randn(2000, 2, generator=generator, dtype=torch.float64)  # deviation 1 between people
    seen = theta + 0.8 * torch.randn(2000, 2, generator=generator, dtype=torch.float64)
    group = cohort.level(exact(seen, 0.8), WIDE)
    assert bool(((group.between.sqrt() - 1).abs() < 0.06).all())
    expected = math.sqrt((1 + 0.64) / 2000)
    assert bool(((group.covariance.diagonal().sqrt() / expected - 1).abs() < 0.06).all())


def test_intervals_of_a_difference_cover_it() -> None:
    covered = 0
    for k in range(150):
        generator = torch_generator(k, "tests/difference")
        one, other = torch.randn(2, 12, 2, generator=generator, dtype=torch.float64)
        levels = [cohort.level(exact(theta, 0.5), WIDE, steps=25) for theta in (one + 1, other)]
        covered += sum(low <= 1 <= high for _, low, high in cohort.compare(*levels, people=24))
    assert 0.91 <= covered / 300 <= 0.98


def test_the_margin_of_a_difference_is_that_of_students_table() -> None:
    """Four people have two degrees of freedom, for which the table gives 4.303."""
    half = 0.5 * torch.eye(2, dtype=torch.float64)
    one, other = (cohort.Level(torch.tensor(mean).double(), half, torch.ones(2)) for mean in ([1.0, 0.0], [3.0, 0.0]))
    for found, mean in zip(cohort.compare(one, other, people=4), (-2.0, 0.0), strict=True):
        assert found == pytest.approx((mean, mean - 4.303, mean + 4.303), abs=1e-3)


def test_a_cohort_is_drawn_in_turn_with_the_means_and_spreads_of_its_groups() -> None:
    """And no further than the prior's bounds."""
    groups = ((1.0, 0.5), (-2.0, 0.1)), ((3.0, 1.0), (9.0, 2.0))
    bounds = WIDE._replace(low=torch.tensor([-9.0, -9.0]).double(), high=torch.tensor([9.0, 9.5]).double())
    drawn = cohort.draw(groups, 4001, bounds, 0, "tests/cohort")
    assert drawn.group.tolist() == [0, 1] * 2000 + [0]
    for number, parameters in enumerate(groups):
        for k, (mean, spread) in enumerate(parameters):
            values = drawn.parameters[drawn.group == number, k]
            if (number, k) != (1, 1):  # which is cut off
                assert float(values.mean()) == pytest.approx(mean, abs=4 * spread / 2000**0.5)
                assert float(values.std()) == pytest.approx(spread, rel=0.08)
    assert float(drawn.parameters[:, 1].max()) == 9.5
    assert not torch.equal(drawn.parameters, cohort.draw(groups, 4001, bounds, 1, "tests/cohort").parameters)


def test_the_noise_of_what_is_recorded_differs_between_people_by_a_third() -> None:
    data = cohort.measured(torch.ones(600, 50, dtype=torch.float64), 0.2, 9, 0, "tests/noise")
    assert bool((data.weight == 9).all())
    size = (data.within / (50 * 8)).sqrt()  # eight degrees of freedom are left in each sample
    assert float(size.log().mean()) == pytest.approx(math.log(0.2), abs=0.06)
    assert float(size.log().std()) == pytest.approx(1 / 3, abs=0.04)
    assert float((data.mean - 1).square().mean()) == pytest.approx(float((size**2).mean()) / 9, rel=0.05)


def test_recovery_by_hand() -> None:
    """Over all the groups' difference counts, within each not; one of four lies outside of its interval."""
    truth = torch.tensor([[0.0], [1.0], [10.0], [11.0]], dtype=torch.float64)
    mean = torch.tensor([[1.0], [0.0], [12.0], [13.0]], dtype=torch.float64)
    variance = torch.tensor([1.0, 0.2, 1.1, 1.5], dtype=torch.float64)[:, None, None]
    zero = torch.zeros(4, dtype=torch.float64)
    posterior = Posterior(mean, variance, zero, zero, zero, zero[:, None])
    (found,) = cohort.recovered(cohort.Cohort(truth, torch.tensor([0, 0, 1, 1])), posterior)
    assert found.within == pytest.approx([-1, 1])
    assert found.correlation == pytest.approx(np.corrcoef(truth[:, 0], mean[:, 0])[0, 1])
    assert (found.coverage, found.error) == (0.75, pytest.approx(math.sqrt(10 / 4)))


def test_everybody_starts_at_the_likeliest_point_of_the_grid() -> None:
    """By brute force: each point's joint with the noise's precision, at the best of many precisions; two standard
    deviations to either side, no further than the bounds."""
    near = WIDE._replace(high=torch.tensor([3.0, 20.0]).double())
    points = lattice(near, 5)
    assert points[:, 0].unique().tolist() == [-4, -2, 0, 2, 3]
    assert points[:, 1].unique().tolist() == [-3, -1, 1, 3, 5]
    _, trials = people(linear, 12, noise=1.5)
    data, noises = repeated(trials), torch.linspace(-8, 12, 2001, dtype=torch.float64)
    for k, found in enumerate(_closest(_squares(linear(points), data), data, points, near).tolist()):
        squares = (trials[k] - linear(points)[:, None]).square().sum((1, 2))
        joint = SAMPLES * noises - noises.exp() / 2 * squares[:, None] - ((noises - near.noise) / 1.5).square() / 2
        prior = ((points - near.mean) / near.deviation).square().sum(-1) / 2
        assert found == int((joint.amax(-1) - prior).argmax())


# --- the tasks themselves, on a few people


def test_precisions_come_back_from_eye_traces() -> None:
    truth = torch.tensor([[4.0, 4.0], [2.2, 4.4], [0.5, 3.8]], dtype=torch.float64)
    data = cohort.measured(tasks.watch(truth), 0.01, 2, 0, "tests/eyes")
    found = infer(tasks.EYES.simulate, data, tasks.EYES.prior, grid=5)
    assert bool(((found.mean - truth).abs() < (4 * found.deviation).clamp(max=0.6)).all())


def test_attenuation_comes_back_from_forces() -> None:
    truth = torch.tensor([[5.8, 0.0], [5.0, 0.8], [4.0, 2.0]], dtype=torch.float64)
    task = tasks.pressing(torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64))
    found = infer(task.simulate, cohort.measured(task.simulate(truth), 0.02, 3, 0, "tests/hands"), task.prior, grid=7)
    assert bool(((found.mean - truth).abs() < 3 * found.deviation + 0.05).all())


def test_straight_lines_are_interpolated_and_continued_as_such() -> None:
    x = torch.tensor([[0, 0.2, 0.7, 1.5]], dtype=torch.float64)
    at = torch.tensor([-0.3, 0.1, 0.2, 1.1, 2.0], dtype=torch.float64)
    torch.testing.assert_close(tasks.interpolated(x, 2 * x + 1, at)[0], 2 * at + 1, rtol=0, atol=1e-4)


def test_a_parabola_is_interpolated_exactly_between_uneven_knots() -> None:
    """The slope at a knot is that of the parabola through it and its neighbours, whatever their distances."""
    x = torch.tensor([[-1.0, 0.0, 0.3, 1.5, 2.0]], dtype=torch.float64)
    at = torch.tensor([0.1, 0.25, 0.4, 1.0, 1.4], dtype=torch.float64)
    torch.testing.assert_close(tasks.interpolated(x, 3 * x**2 - x, at)[0], 3 * at**2 - at, rtol=0, atol=1e-4)


def test_who_lost_attenuation_is_taken_to_make_up_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 6 down, by at most 4; with more than that nothing is to be made up for."""
    asked: list[Tensor] = []

    def press(h: Tensor, delusion: Tensor, intended: Tensor) -> SimpleNamespace:
        asked.append(torch.stack([h, delusion], 1))
        return SimpleNamespace(peak=lambda: (2 * intended, intended))

    monkeypatch.setattr(tasks, "press", press)
    theta = torch.tensor([[6.6], [6.0], [4.5], [1.0]], dtype=torch.float64)
    targets = torch.tensor([0.5, 2.5], dtype=torch.float64)
    own = tasks.matching(targets).simulate(theta)
    assert asked[0].unique(dim=0).tolist() == [[1, 4], [4.5, 1.5], [6, 0], [6.6, 0]]
    torch.testing.assert_close(own, 2 * targets.expand(4, 2), rtol=0, atol=1e-4)


def test_what_is_pressed_and_watched_is_taken_from_its_place() -> None:
    x = torch.arange(6.0).view(2, 3).double()  # bins, states
    covariance = torch.tensor([[4.0, 7.0], [7.0, 9.0]]).double().expand(2, 2, 2)
    result: Any = SimpleNamespace(
        process=SimpleNamespace(x={1: 10 + x}), x={1: x}, v={3: 20 + x}, covariance=SimpleNamespace(x=covariance)
    )
    assert [each.tolist() for each in pressed(result)] == [[10, 13], [0, 3], [2, 2], [1, 4], [3, 3]]
    assert [each.tolist() for each in watched(result)] == [[10, 13], [12, 15], [2, 5], [20, 23]]


def test_what_is_reported_as_equal_is_reported_at_the_peak_of_the_own_force() -> None:
    """A margin of 1.694 standard deviations of doubt below the perceived one."""
    columns = ([0, 3, 1], [9, 2, 9], [0, 0.5, 0], [0] * 3, [1] * 3)
    own, equal = Press(*(torch.tensor([column], dtype=torch.float64) for column in columns)).peak()
    assert (float(own), float(equal)) == (3, pytest.approx(2 - 0.847))


# --- how behaviour is recorded


def test_a_trace_is_delayed_by_whole_and_by_broken_samples() -> None:
    t = torch.arange(64.0).double()
    wave = torch.sin(t / 5)[None]
    late = delayed(wave.expand(2, -1), torch.tensor([3.0, 1.4]).double())
    torch.testing.assert_close(late[0, 3:], wave[0, :-3])
    torch.testing.assert_close(late[1, 4:], torch.sin((t - 1.4) / 5)[4:], rtol=0, atol=2e-3)


@pytest.fixture(scope="module")
def faulty() -> tuple[Tensor, Data, Posterior]:
    """Thirty people, half of them patients, whose traces have an offset, a gain and a latency of their own."""
    generator = torch_generator(0, "tests/recording")
    theta = torch.tensor([3.5, 4.0]) + 0.5 * torch.randn(30, 2, generator=generator, dtype=torch.float64)
    theta[::2, 0] -= 2.5
    drawn = torch.randn(3, 30, generator=generator, dtype=torch.float64)
    assert tasks.EYES.recording
    offset, gain, latency = (size * each for size, each in zip(tasks.EYES.recording, drawn, strict=True))
    traces = offset[:, None] + (1 + gain[:, None]) * delayed(tasks.watch(theta), latency)
    data = cohort.measured(traces, 0.02, 4, 0, "tests/recording")
    return theta, data, infer(tasks.watch, data, tasks.EYES.prior, grid=5, recording=tasks.EYES.recording)


def test_people_are_recovered_whatever_their_recording_did(faulty: tuple[Tensor, Data, Posterior]) -> None:
    """Without the nuisances a third of the intervals miss; with them no one is moved on average."""
    theta, data, whole = faulty
    found, group = whole.first(2), torch.arange(30) % 2
    assert bool(((found.mean - theta).mean(0).abs() < 0.1).all())
    for each in cohort.recovered(cohort.Cohort(theta, group), found):
        assert each.correlation > 0.95
        assert each.coverage >= 0.85
    naive = infer(tasks.watch, data, tasks.EYES.prior, grid=5)
    assert all(each.coverage < 0.75 for each in cohort.recovered(cohort.Cohort(theta, group), naive))


def test_an_offset_makes_no_patient_of_a_control_and_who_does_not_follow_is_marked() -> None:
    trace = tasks.watch(torch.tensor([[3.5, 4.0]]).double())
    late = delayed(trace, torch.tensor([2.4]).double())  # 150 ms of a cycle of 2 s
    generator = torch_generator(1, "tests/marks")
    noise = torch.randn(9, 64, generator=generator, dtype=torch.float64)
    follows = [trace, trace + 0.05, 0.9 * trace, late]
    astray = [trace + 5, -trace, 0 * trace, 0.7 * noise[-1:]]
    data = repeated((torch.cat(follows + astray) + 0.02 * noise[:8])[:, None])
    found = infer(tasks.watch, data, tasks.EYES.prior, grid=5, recording=tasks.EYES.recording)
    checked = check.check(data, found, tasks.EYES.prior)
    assert checked.follows.tolist() == [True] * 4 + [False] * 4
    away = (found.mean[:4, 0] - 3.5).abs()
    assert bool((away < 3.3 * found.deviation[:4, 0]).all())  # one in a thousand is further
    assert bool((found.mean[:4, 0] > 2.5).all())
    assert bool(checked.described[:4].all())
    torch.testing.assert_close(found.mean[:4, 3], torch.tensor([1, 1, 0.9, 1]).double(), rtol=0, atol=0.05)
    assert float(found.mean[3, 4]) == pytest.approx(2.4, abs=0.2)


def test_p_is_uniform_over_noise_and_small_where_errors_run_together() -> None:
    generator = torch_generator(0, "tests/tail")
    zero = torch.zeros(400, 64, dtype=torch.float64)
    noise = torch.randn(400, 3, 64, generator=generator, dtype=torch.float64)
    p = check.tail(repeated(noise), zero)
    assert float((p < 0.5).double().mean()) == pytest.approx(0.5, abs=0.1)
    assert float((p < check.UNLIKELY).double().mean()) < 0.035
    wave = torch.sin(torch.arange(64.0).double() / 5)
    assert bool((check.tail(repeated(noise + wave), zero) < check.UNLIKELY).all())


def test_who_is_at_a_bound_or_across_it_is_said() -> None:
    posterior = exact(torch.tensor([[0.0, 19.9], [0.0, 1.0], [18.0, 0.0]]).double(), 0.5)
    assert check.bounded(posterior, WIDE._replace(high=torch.tensor([17.5, 20.0]).double())).tolist() == [
        [False, True], [False, False], [True, False],
    ]  # fmt: skip


def test_samples_that_err_together_are_worth_as_many_as_err_on_their_own() -> None:
    """White noise counts in full; of errors that n trials share an nth; of a chain with correlation r (1 − r) / (1 + r)
    (Bayley & Hammersley 1946)."""
    generator = torch_generator(0, "tests/own")
    zero = torch.zeros(60, 400, dtype=torch.float64)
    drawn = torch.randn(60, 3, 400, generator=generator, dtype=torch.float64)
    assert float(check.own(repeated(drawn), zero).mean()) == pytest.approx(1, abs=0.08)
    shared = drawn[:, :1].expand(-1, 3, -1)
    assert float(check.own(repeated(shared), zero).mean()) == pytest.approx(1 / 3, abs=0.03)
    chain = drawn[:, 0].clone()
    for t in range(1, 400):
        chain[:, t] = 0.8 * chain[:, t - 1] + 0.6 * drawn[:, 0, t]
    assert float(check.own(repeated(chain[:, None]), zero).mean()) == pytest.approx(0.2 / 1.8, rel=0.15)


def test_a_recording_is_offset_gain_and_latency_one_way_or_the_other() -> None:
    t = torch.arange(64.0).double()
    wave = torch.sin(t / 5).expand(200, -1)
    nothing = SchizophreniaRecipe(offset=0, gain=1, latency=0)
    assert torch.equal(recording.recorded(wave, nothing, 0, "tests"), wave)
    far = recording.recorded(wave, SchizophreniaRecipe(offset=0.1, gain=0.8, latency=2), 0, "tests")
    middle = slice(4, -4)
    found = {}
    for offset in (-0.1, 0.1):
        for gain in (0.8, 1.25):
            for latency in (-2, 2):
                made = offset * REACH + gain * torch.sin((t - latency) / 5)
                found[offset, gain, latency] = int(((far - made)[:, middle].abs().amax(-1) < 1e-6).sum())
    assert sum(found.values()) == 200
    assert min(found.values()) > 10


def test_who_goes_astray_wanders_as_far_and_as_smoothly_as_the_target_stays_or_is_mirrored() -> None:
    target = torch.sin(torch.arange(64.0).double() / 5)
    lost = recording.astray(0.9 * target.expand(100, -1), target, 0)
    assert tuple(lost) == recording.ASTRAY
    wander = lost["wandering"]
    torch.testing.assert_close(wander.square().mean(-1), target.square().mean().expand(100))
    smooth = float((wander[:, 1:] * wander[:, :-1]).mean() / wander.square().mean())
    assert smooth == pytest.approx(math.exp(-1 / (4 * recording.WANDER**2)), abs=0.01)  # of white noise so smoothed
    assert bool((lost["flat"] == 0).all())
    assert torch.equal(lost["mirrored"], -0.9 * target.expand(100, -1))
    assert recording.unlike(lost["mirrored"], target).all()
    assert not recording.unlike(5 + 0.2 * target.expand(3, -1), target).any()


def test_an_eye_that_wanders_is_not_taken_to_follow_where_a_fit_explains_most_of_it_by_chance() -> None:
    """Eight in a hundred such eyes are explained by more than half by some precisions, gain and latency; of forty none
    or one has evidence that lasts."""
    target = tasks.follow(tasks.OCCLUDED, *torch.tensor([[4.0], [4.0]]).double()).target[0]
    drawn = recording.astray(tasks.watch(torch.full((40, 2), 4.0, dtype=torch.float64)), target, 7)["wandering"]
    data = cohort.measured(drawn, 0.02, 4, 7, "tests/wandering")
    found = infer(tasks.watch, data, tasks.EYES.prior, grid=3, recording=tasks.EYES.recording)
    checked = check.check(data, found, tasks.EYES.prior)
    assert int((checked.noise < 0.5).sum()) > 1
    assert int(checked.follows.sum()) <= 1
