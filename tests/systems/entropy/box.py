"""The box of particles: each law of mechanics by itself, and where a gas must come out."""

import json
import re
from itertools import product
from math import lgamma, log, pi

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from phantastic.declare.verdicts import judge
from phantastic.ground.errors import Refused
from phantastic.systems.entropy import particles
from phantastic.systems.entropy.box import LATTICE, Gas, scattered
from phantastic.systems.entropy.counting import expected_log_microstates, log_microstates
from phantastic.systems.entropy.study import GAS, ParticlesRecipe

near = pytest.approx
JAPANESE = re.compile("[ぁ-ヿ一-鿿]")


def crowd(disks: int = 20, step: float = 5e-4, seed: int = 0, speed: float = 1.0, **kind: bool) -> Gas:
    random = np.random.default_rng(seed)
    return Gas(scattered(disks, 0.03, 1.0, random), speed * random.normal(size=(disks, 2)), 0.03, step, **kind)


def test_two_disks_that_meet_head_on_exchange_their_velocities() -> None:
    gas = Gas(np.array([[0.4, 0.5], [0.6, 0.5]]), np.array([[1.0, 0.0], [-0.5, 0.0]]), 0.05, 1e-4)
    start = gas.energy()
    tensest = 0.0
    for _ in range(3000):
        gas.go()
        tensest = max(tensest, gas.potential())
    assert gas.velocities() == near(np.array([[-0.5, 0.0], [1.0, 0.0]]), abs=1e-6)
    assert tensest == near(0.75**2, rel=1e-4), (
        "in the middle of it, all of the motion that they do not share is tension"
    )
    assert gas.energy() == near(start, rel=1e-7)


def test_a_wall_turns_one_velocity_round_and_leaves_the_other() -> None:
    gas = Gas(np.array([[0.9, 0.5]]), np.array([[1.0, 0.3]]), 0.05, 1e-4)
    for _ in range(2500):
        gas.go()
    assert gas.velocities()[0] == near([-1.0, 0.3], abs=1e-6)


def test_force_is_the_slope_of_the_potential() -> None:
    """By central differences of U, for disks that touch each other and the walls; and the piston's, dU/dL = -F."""
    random, d, h = np.random.default_rng(1), 0.05, 1e-6
    places = np.array([[0.02, 0.5], [0.05, 0.52], [0.98, 0.97], [0.6, 0.4], [0.63, 0.41], [0.61, 0.43]])
    gas = Gas(places, random.normal(size=(6, 2)), d, 1e-3)
    force = gas.push * LATTICE / gas.step**2
    for disk, axis in product(range(6), range(2)):
        levels = []
        for side in (h, -h):
            moved = places.copy()
            moved[disk, axis] += side
            levels.append(Gas(moved, np.zeros((6, 2)), d, 1e-3).potential())
        assert force[disk, axis] == near(-(levels[0] - levels[1]) / 2 / h, rel=1e-5, abs=1e-5)
    levels = []
    for gas.length in (1 + h, 1 - h):
        levels.append(gas.potential())
    assert gas.held == near(-(levels[0] - levels[1]) / 2 / h, rel=1e-5)


def test_the_sum_of_momenta_is_kept_to_the_bit_away_from_the_walls() -> None:
    random = np.random.default_rng(2)
    places = np.stack(np.meshgrid(np.linspace(0.4, 0.6, 6), np.linspace(0.4, 0.6, 6)), -1).reshape(-1, 2)
    gas = Gas(places, random.normal(size=(36, 2)), 0.045, 1e-4)
    before, apart = (gas.now - gas.before + gas.push).sum(0), gas.velocities()
    assert len(gas.touching()[0]) > 10
    for _ in range(500):
        gas.go()
        assert (gas.now - gas.before + gas.push).sum(0).tolist() == before.tolist()
    assert np.abs(gas.velocities() - apart).max() > 1, "although they collided"


def test_energy_strays_with_the_square_of_the_step_and_does_not_drift() -> None:
    strayed = []
    for step in (5e-4, 2.5e-4, 1.25e-4):
        gas = crowd(40, step)
        start, worst = gas.energy(), 0.0
        for _ in range(round(0.2 / step)):
            gas.go()
            worst = max(worst, abs(gas.energy() / start - 1))
        strayed.append(worst)
    assert strayed[0] / strayed[1] == near(4, rel=0.25)
    assert strayed[1] / strayed[2] == near(4, rel=0.25)
    gas = crowd(20, 1e-3)
    start = gas.energy()
    for _ in range(10_000):
        gas.go()
    assert gas.energy() == near(start, rel=5e-3), "after ten crossings as after one"


def test_turned_round_it_goes_back_to_the_bit_and_nudged_it_does_not() -> None:
    gas, other = crowd(), crowd()
    start, velocities = gas.now.copy(), gas.velocities()
    for _ in range(4000):
        gas.go()
        other.go()
    assert np.abs(gas.now - start).max() * LATTICE > 0.3
    gas.turn()
    other.turn()
    other.now[0, 0] += 1
    other.before[0, 0] += 1
    for _ in range(4000):
        gas.go()
        other.go()
    assert (gas.now == start).all()
    assert gas.velocities() == near(-velocities, abs=1e-12)
    assert np.abs(other.now - start).max() > 10**8, "one step of the lattice has become a hundred million"


def test_nobody_who_touches_is_overlooked() -> None:
    """The list of who is close, which is renewed only now and then, against all pairs at every step."""
    gas = crowd(60, 1e-3, speed=2.0)
    renewed, last = 0, None
    for _ in range(400):
        gas.go()
        all_pairs = set(np.flatnonzero(pdist(gas.places()) < gas.diameter).tolist())
        one, other, *_ = gas.touching()
        numbers = {(int(a), int(b)): k for k, (a, b) in enumerate(zip(*gas.pairs, strict=True))}
        assert {numbers[int(a), int(b)] for a, b in zip(one, other, strict=True)} == all_pairs
        renewed, last = renewed + (last is not gas.looked), gas.looked
    assert 10 < renewed < 390


def test_heat_is_what_the_energy_rises_by() -> None:
    gas = crowd()
    for _ in range(300):
        gas.go()
    before, which = gas.energy(), np.array([1, 5, 7])
    taken = gas.heat(which, np.array([[2.0, 0.0], [0.0, -3.0], [0.1, 0.1]]))
    assert gas.energy() - before == near(taken, abs=1e-9)
    assert gas.velocities()[which] == near(np.array([[2.0, 0.0], [0.0, -3.0], [0.1, 0.1]]), abs=1e-9)
    assert gas.heat(np.empty(0, int), np.empty((0, 2))) == 0


def test_work_is_what_the_energy_rises_by_and_a_slow_piston_keeps_vx_l() -> None:
    """dE = δW; by the adiabatic invariant one disk has (L₀ / L₁)² of its energy along the piston's motion."""
    found = {}
    for time in (0.3, 20.0):
        gas = Gas(np.array([[0.3, 0.5]]), np.array([[1.0, 0.5]]), 0.02, 1e-3)
        before = gas.energy()
        _, work, heat = particles.stroke(gas, time, 0.5)
        found[time] = gas.energy() / before
        assert heat == 0
        assert gas.energy() - before == near(work, rel=2e-3)
    room = (1 - 0.02) / (0.5 - 0.02)  # within 1%: how far a soft wall keeps off hangs a little on the speed
    assert found[20.0] == near((room**2 + 0.25) / 1.25, rel=0.03)
    assert found[0.3] > 1.2 * found[20.0] or found[0.3] < found[20.0] / 1.2, "a quick stroke keeps nothing"


def test_a_gas_presses_on_the_piston_as_much_as_theory_says() -> None:
    """p V = E (1 + N B / V), the pressure being the mean force of the wall; without collisions Σ vx² of each."""
    recipe = ParticlesRecipe(particles=48, diameter=0.03, step=1e-3)
    free = particles.filling(recipe, 0, "test", collide=False)
    bouncing = float((free.velocities()[:, 0] ** 2).sum())
    gas = particles.filling(recipe, 0, "test")
    force = {"free": 0.0, "gas": 0.0}
    for _ in range(12_000):
        for name, each in (("free", free), ("gas", gas)):
            each.go()
            force[name] += each.held / 12_000
    assert force["free"] == near(bouncing, rel=0.04)
    wide = 1 - 2 * 0.4 * recipe.diameter
    b = pi / 2 * (0.66 * recipe.diameter) ** 2  # of hard disks as wide as the soft ones keep apart
    assert force["gas"] == near(48 / wide * (1 + 48 * b / wide**2), rel=0.06)
    assert 1 + 48 * b / wide**2 > 1.03


def test_expected_microstates_are_the_mean_over_all_ways() -> None:
    ways = [
        log_microstates(torch.bincount(torch.tensor(way), minlength=3).double()) for way in product(range(3), repeat=5)
    ]
    assert expected_log_microstates(5, 3) == near(float(torch.stack(ways).mean()))
    assert expected_log_microstates(7, 1) == near(0, abs=1e-9)
    grown = expected_log_microstates(200_000, 16) - expected_log_microstates(200_000, 8)
    assert grown / 200_000 == near(log(2), abs=3e-4), "twice the room is ln 2 for each, when they are many"


def test_entropy_counts_the_cells_there_are() -> None:
    places = np.array([[0.1, 0.1], [0.1, 0.2], [0.9, 0.9], [0.6, 0.1]])
    gas = Gas(places, np.zeros((4, 2)), 0.01, 1e-4)
    assert particles.entropy(gas) == near((lgamma(5) - lgamma(3)) / 4)


def test_the_distance_to_maxwells_law() -> None:
    exact = -np.log1p(-(np.arange(1000) + 0.5) / 1000)
    assert particles.distance(exact) < 0.002
    assert particles.distance(np.ones(10)) == near(1 - np.exp(-1)), "equal energies"
    assert particles.distance(np.linspace(0, 2, 1000)) > 0.1, "evenly spread ones"


def test_the_adiabat_of_points_is_t_v_constant() -> None:
    small = particles.adiabatic(ParticlesRecipe(particles=16, diameter=0.004, step=1e-4))
    assert small == near(2, rel=0.01)
    assert particles.adiabatic(ParticlesRecipe()) > small, "disks leave less room than points"


def test_what_has_no_room_or_goes_too_fast_is_refused() -> None:
    with pytest.raises(Refused, match=r"no room for 900 disks.*fewer or smaller"):
        scattered(900, 0.05, 0.5, np.random.default_rng(0))
    with pytest.raises(Refused, match=r"step of 0.002 is too long.*at most diameter / 20, 0.0008"):
        particles.released(ParticlesRecipe(step=2e-3), 0, 2e-3)


def test_disks_are_strewn_without_touching() -> None:
    places = scattered(100, 0.03, 0.5, np.random.default_rng(3))
    assert pdist(places).min() > 0.03
    assert (places >= 0.03).all()
    assert (places <= (0.47, 0.97)).all()


@pytest.fixture
def run(tiny_run):
    return tiny_run("particles")


def test_at_tiny_it_returns_and_the_rest_is_too_small_to_say(run) -> None:
    verdicts = {finding.claim.id: finding.verdict for finding in judge(GAS.claims(), run.measures(), "tiny")}
    assert verdicts.pop("particles.loschmidt") == "holds"
    assert set(verdicts.values()) == {"untested"}
    measures = {name: measure.value for name, measure in run.measures().items()}
    assert measures["entropy.back"] == measures["entropy.start"] < measures["entropy.end"] - 0.2
    assert measures["nudged.distance"] > 0.2
    assert measures["energy.strays"] < 0.005 < measures["energy.exchanged"]
    assert measures["speeds.end.ks"] < 0.2 < 0.5 < measures["speeds.free.ks"]
    assert measures["slow.lost"] < measures["quick.lost"] / 3
    assert measures["alone.free"] == near(1.12, abs=0.02)
    assert measures["slow.work"] > 1, "E of the disks was 1, and has doubled"


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["box", "speeds", "ergodic", "piston"]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"NaN|Infinity", text), name
