"""The study `entropy` at its tiny preset, and what it makes of a column of numbers."""

import csv
import json
import re
from collections.abc import Callable
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from phantastic.declare.recipe import compose
from phantastic.declare.verdicts import judge
from phantastic.run.folder import Run
from phantastic.systems.entropy import column, measure
from phantastic.systems.entropy.entropy import certain, tried
from phantastic.systems.entropy.information import divergence, information
from phantastic.systems.entropy.study import STUDY, EntropyApply, EntropyRecipe

JAPANESE = re.compile("[぀-ヿ一-鿿]")


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("entropy")


@pytest.mark.parametrize("preset", STUDY.presets)
def test_every_preset_is_valid(preset: str) -> None:
    assert compose(STUDY.recipe, STUDY.presets, preset, {}) == STUDY.presets[preset]


def test_every_claim_holds_already_at_tiny(run: Run) -> None:
    findings = judge(STUDY.claims(), run.measures(), "tiny")
    assert {finding.claim.id: finding.evidence for finding in findings if finding.verdict != "holds"} == {}
    for finding in findings:
        assert JAPANESE.search(finding.claim.statement.ja)
        assert not JAPANESE.search(finding.claim.statement.en)


def test_an_unfinished_descent_fails_its_claim() -> None:
    """The ledger can say no."""
    found = certain(EntropyRecipe(steps=5, particles=64))
    assert found["boltzmann.distance"] > 0.01
    assert found["percept.gap"] > 1e-3


def test_published_numbers_are_not_held_against_other_settings() -> None:
    found = certain(EntropyRecipe(dice=3.0, light=4.0, particles=64))
    assert "dice.error" not in found
    assert "percept.size.error" not in found


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["microstates", "maximum-entropy", "boltzmann", "perception", "action", "surprise", "gibbs"]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert '"values": [{' in text, name
        assert not re.search(r"NaN|Infinity", text), name


def test_figures_follow_extreme_recipes(run: Run) -> None:
    for changes in (
        {"light": 16.0, "noise": 0.1, "expected": 0.5, "steps": 1, "dice": 1.01, "depth": 10.0, "room": 1.0,
         "temperature": 0.15, "kelvin": 1.0, "particles": 64},
        {"light": 0.0, "noise": 10.0, "steps": 2, "dice": 5.99, "depth": 0.5, "temperature": 5.0, "kelvin": 1e4},
    ):  # fmt: skip
        recipe = compose(STUDY.recipe, STUDY.presets, "tiny", changes)
        other = Run(run.folder, STUDY, recipe, run.manifest)
        for name, (_, picture) in other.study.load().figures(other).items():
            assert not re.search(r"NaN|Infinity", json.dumps(picture.to_dict(validate=False))), name


def test_a_descent_that_has_not_begun_is_measured_at_its_start() -> None:
    """The even distribution: log n of entropy, the mean energy, and half the absolute difference from Boltzmann's."""
    heat, energy = measure.heated(4.0, 8.0, 0), measure.landscape(4.0, 8.0).numpy()
    for place in (0, 20, 45):
        t = heat["temperature"][place]
        weights = np.exp(-energy / t)
        assert heat["entropy"][place] == pytest.approx(log(191))
        assert heat["energy"][place] == pytest.approx(energy.mean())
        assert heat["free_energy"][place] == pytest.approx(energy.mean() - t * log(191))
        assert heat["log_partition"][place] == pytest.approx(log(weights.sum()))
        assert heat["distance"][place] == pytest.approx(np.abs(1 / 191 - weights / weights.sum()).sum() / 2)
        assert heat["narrow"][place] == pytest.approx(30 / 191)


def test_the_landscape_has_a_deep_well_and_a_wide_one_of_half_its_depth() -> None:
    x = measure.POSITIONS.numpy()
    energy = measure.landscape(4.0, 6.0).numpy()
    assert energy[np.abs(x + 3.75).argmin()] == pytest.approx(-4, abs=0.02)
    assert energy[np.abs(x - 1.5).argmin()] == pytest.approx(-2)
    assert energy[np.abs(x - 3.0).argmin()] == pytest.approx(-2 * np.exp(-0.5), abs=1e-3)  # 6 · ¼ away
    assert energy[np.abs(x + 4.0).argmin()] == pytest.approx(-4 * np.exp(-0.5), abs=4e-3)  # ¼ away


def test_eight_particles_are_counted_by_hand() -> None:
    """8! / (4! 2! 1! 1!) = 840 ways; H of the shares is 1.75 log 2."""
    found = measure.counted(64)
    assert found["particles"] == [8, 16, 32, 64]
    assert found["gap"][0] == pytest.approx(1.75 * log(2) - log(840) / 8)
    by_stirling = [n * log(n) - n + 0.5 * log(2 * np.pi * n) for n in (8, 4, 2, 1, 1)]
    assert found["stirling"][0] == pytest.approx(1.75 * log(2) - (by_stirling[0] - sum(by_stirling[1:])) / 8)


def test_what_is_certain_is_the_worst_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    heat = {"distance": [0.1, 0.5, 0.2], "free_energy": [-1.0, -2.0, -3.0], "temperature": [1.0, 2.0, 4.0],
            "log_partition": [1.0, 1.25, 0.75], "narrow": [0.9, 0.5, 0.3]}  # fmt: skip
    monkeypatch.setattr(measure, "heated", lambda *_: heat)
    monkeypatch.setattr(measure, "counted", lambda particles: {"gap": [5.0, 2.0], "stirling": [3.0, 1.6]})
    monkeypatch.setattr(measure, "perceived", lambda percept: {"percept.size": 1.5})
    found = certain(EntropyRecipe())
    names = ("boltzmann.distance", "boltzmann.error", "wells.cold.narrow", "wells.hot.wide", "percept.size.error")
    assert [found[name] for name in names] == pytest.approx([0.5, 0.5, 0.9, 0.7, 0.1])
    assert (found["stirling.gap"], found["stirling.gap.deviation"]) == (2, pytest.approx(0.25))
    excesses = iter([(-3.0, 0.1), (-1.0, 0.4), (-2.0, 0.2), (-4.0, 0.3)])
    monkeypatch.setattr(measure, "highest", lambda *_: next(excesses))
    found = tried(EntropyRecipe(trials=3), 0)
    assert (found["maxent.rival.excess"], found["maxent.rival.error"]) == (-1, 0.4)


def test_errors_and_excesses_are_the_largest() -> None:
    one, other = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([0.5, -5.0, 3.0])
    assert measure.gap(one, other) == 3
    assert measure.gap(2.0, 2.5) == 0.5
    assert measure.largest(one, other - 10) == 3


def test_broken_laws_are_measured_by_how_much_they_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were entropy or information below 0, no law of sums or of concavity would hold, and every excess be above 0."""
    monkeypatch.setattr(measure, "entropy", lambda p: -torch.special.entr(p).sum(-1))
    found = measure.letters(50, torch.Generator().manual_seed(0))
    assert found["concave.excess"] > 0.01
    assert found["shannon.bits"] == pytest.approx(-1.75)
    assert found["shannon.bits.error"] == pytest.approx(3.5)
    assert found["chain.error"] > 1
    monkeypatch.undo()
    monkeypatch.setattr(measure, "information", lambda joint: -information(joint))
    monkeypatch.setattr(measure, "divergence", lambda p, q: -divergence(p, q))
    found = measure.letters(50, torch.Generator().manual_seed(0))
    assert min(found["processing.excess"], found["divergence.excess"]) > 0.01


def test_distances_of_distributions_are_halves_of_their_absolute_differences() -> None:
    """So that none is above 1, which those of an even distribution from cold ones come near."""
    found = measure.warm(200, 0, torch.Generator().manual_seed(0))
    assert 0.94 < found["boltzmann.any.distance"] < 0.95  # 19/20, where one state of twenty has all


def test_every_seed_has_random_cases_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    stubs = {"letters": {}, "highest": (0.0, 0.0), "warm": {}, "believed": {}}
    for name, result in stubs.items():
        monkeypatch.setattr(
            measure,
            name,
            lambda *given, result=result: drawn.append(float(torch.rand(1, generator=given[-1]))) or result,
        )
    run: Any = SimpleNamespace(once=lambda name, compute, kind: compute())
    for seed in (0, 1):
        STUDY.load().one_seed(run, EntropyRecipe(), seed)
    assert len(drawn) == len(set(drawn)) == 14


def test_a_sense_of_size_by_bayes_rule(run: Run) -> None:
    """The surprise is -log of the likelihood's mean under the prior; a lesion's free energy ends just above it."""
    x = np.linspace(0.01, 5, 500)
    prior = np.exp(-0.5 * (x - 3) ** 2)
    likelihood = np.exp(-0.5 * ((2 - x**2) / 0.5) ** 2) / (0.5 * np.sqrt(2 * np.pi))
    surprise = -log(float((prior * likelihood).sum() / prior.sum()))
    percept = measure.seen(2.0, 3.0, 0.5, 15)
    found = measure.perceived(percept)
    assert found["percept.surprise"] == pytest.approx(surprise)
    exact = prior * likelihood / (prior * likelihood).sum()
    ended, there = percept.path[-1].numpy(), exact > 1e-200
    apart = float((ended[there] * np.log(ended[there] / exact[there])).sum())
    assert 1e-6 < apart == pytest.approx(found["percept.gap"], rel=1e-4)
    assert found["percept.distance"] == pytest.approx(np.abs(ended - exact).sum() / 2)
    told = run.study.load().lesion_measures(run, {})
    measures = run.measures()
    assert told["surprise"] == pytest.approx(measures["percept.surprise"].value)
    assert told["free_energy"] - told["surprise"] == pytest.approx(measures["percept.gap"].value, abs=1e-12)


# --- apply


def numbers(folder: Path, values: list[float], header: str = "score") -> Path:
    path = folder / "numbers.csv"
    path.write_text(header + "\n" + "\n".join(map(repr, values)) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_column_is_described_and_fitted(run: Run, tmp_path: Path, lang: str) -> None:
    values = np.random.default_rng(0).normal(100, 15, 400).tolist()
    *lines, table, svg, png = run.study.load().apply(run, EntropyApply(data=str(numbers(tmp_path, values))))
    assert bool(JAPANESE.search(" ".join(lines))) == (lang == "ja")
    rows = list(csv.DictReader(Path(table).read_text().splitlines()))
    assert len(rows) == 30
    assert sum(float(row["count"]) for row in rows) == 400
    for name in ("share", "maxent_mean", "maxent_mean_variance"):
        assert sum(float(row[name]) for row in rows) == pytest.approx(1, abs=1e-6)
    middle = [float(row["value"]) for row in rows]
    for power in (1, 2):
        moment, fit = (sum(float(row[name]) * x**power for row, x in zip(rows, middle, strict=True)) for name in
                       ("share", "maxent_mean_variance"))  # fmt: skip
        assert fit == pytest.approx(moment, rel=1e-6)
    assert Path(svg).suffix == ".svg"
    with Image.open(png) as picture:
        assert picture.size[0] > 100


def test_a_column_of_four_numbers_is_described_by_hand() -> None:
    """Shares 1/4, 1/2, 1/4: 3/2 bits. Their mean is the middle, so that it leaves all three alike; with the variance
    nothing is left open."""
    values = np.array([0.0, 1.0, 1.0, 2.0])
    found, index = column.sort(values, 30)
    assert found.by_mean == pytest.approx(1 / 3)
    assert found.by_variance == pytest.approx(found.shares)
    said = column.described(column.Column("score", values, [3, 4, 6, 7]), found, index)
    own = f"{1.5 * log(2):.4f} nats"
    assert said == [
        "score: 4 numbers, 3 distinct values",
        f"entropy, the surprise to expect: {own} (1.5000 bits); with nothing known: {log(3):.4f} nats",
        f"the most surprising value: 0 (line 3), {log(4):.4f} nats",
        f"maximum entropy with its mean: {log(3):.4f} nats",
        f"maximum entropy with its mean and variance: {own}; beyond these the column tells 0.0000 nats",
    ]


def test_many_numbers_are_sorted_into_bins_of_equal_width(tmp_path: Path) -> None:
    """Eight numbers from 0 to 8 in four bins of 2: 3, 2, 0 and 3 of them, the largest in the last."""
    values = [0.0, 1.0, 1.5, 2.0, 3.9, 6.0, 7.0, 8.0]
    found, index = column.sort(np.array(values), 4)
    assert (found.width, found.x.tolist(), found.counts.tolist()) == (2, [1, 3, 5, 7], [3, 2, 0, 3])
    assert index == [0, 0, 0, 1, 1, 3, 3, 3]
    assert found.surprise()[[0, 1, 3]] == pytest.approx([log(8 / 3), log(4), log(8 / 3)])
    request = EntropyApply(data=str(numbers(tmp_path, values)))
    *lines, table, _, _ = column.apply(tmp_path / "out", 4, request)
    own = 6 / 8 * log(8 / 3) + 2 / 8 * log(4)
    assert lines[0] == "score: 8 numbers, 4 bins of width 2"
    assert lines[1].endswith(f"{own:.4f} nats ({own / log(2):.4f} bits); with nothing known: {log(4):.4f} nats")
    assert lines[2] == f"the most surprising value: 2 (line 5), {log(4):.4f} nats"
    mean, variance = (column.entropy_of(fit) for fit in (found.by_mean, found.by_variance))
    assert lines[3].endswith(f"{mean:.4f} nats")
    assert lines[4].endswith(f"{variance:.4f} nats; beyond these the column tells {variance - own:.4f} nats")
    assert own < variance < mean < log(4)
    rows = list(csv.DictReader(Path(table).read_text().splitlines()))
    assert [float(row["surprise"]) for row in rows] == pytest.approx([log(8 / 3), log(4), np.inf, log(8 / 3)])
    assert [float(row["maxent_mean"]) for row in rows] == pytest.approx(found.by_mean.tolist())
    moments = [sum(float(row[name]) * float(row["value"]) for row in rows) for name in ("share", "maxent_mean")]
    assert moments[0] == pytest.approx(moments[1]) == pytest.approx((3 + 6 + 21) / 8)
    assert column.sort(np.array(values), 8)[0].width == 0, "as many bins as values leave them as they are"


def test_of_a_certainty_there_is_nothing_to_tell() -> None:
    found, index = column.sort(np.array([5.0, 5.0]), 30)
    said = column.described(column.Column("score", np.array([5.0, 5.0]), [1, 2]), found, index)
    assert [re.findall(r"-?[\d.]+ nats", line) for line in said[1:]] == [["0.0000 nats"] * n for n in (2, 1, 1, 2)]


def test_the_cold_is_in_the_deep_well_and_the_hot_in_the_wide_one() -> None:
    """At low temperatures energy decides, at high ones room: there the share of places, 30 of 191, is the limit."""
    heat = measure.heated(4.0, 8.0, 200)
    assert heat["temperature"][0] < 0.2 < 4 < heat["temperature"][-1]
    assert heat["narrow"][0] > 0.999
    assert abs(heat["narrow"][-1] - 30 / 191) < 0.05
    assert heat["energy"][0] < -3 < -1.5 < heat["energy"][-1]
    assert heat["entropy"][0] < 2 < heat["entropy"][-1] < log(191)


def test_the_entropy_that_data_lack_is_their_divergence_from_the_fit() -> None:
    values = np.random.default_rng(1).exponential(2.0, 5000)
    found, _ = column.sort(values, 30)
    p = found.shares
    for fit in (found.by_mean, found.by_variance):
        missing = column.entropy_of(fit) - column.entropy_of(p)
        assert missing == pytest.approx(float(np.sum(p[p > 0] * np.log(p[p > 0] / fit[p > 0]))), abs=1e-9)
        assert missing > 0
    assert column.entropy_of(found.by_mean) >= column.entropy_of(found.by_variance)


def test_a_fair_die_has_log_6_and_surprises_alike() -> None:
    found, index = column.sort(np.array([1.0, 2, 3, 4, 5, 6] * 10), 30)
    assert (found.width, found.x.tolist(), index[:6]) == (0, [1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5])
    assert found.surprise() == pytest.approx(log(6))
    assert found.by_variance == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    "values",
    [[5.0] * 9, [0.0, 1.0], [1.0, 2.0, 2.0], [*np.linspace(0, 1e-9, 40), *np.linspace(1, 1 + 1e-9, 40)],
     [k * 5e-324 for k in range(90)], [1e16, 1e16 + 2, 1e16 + 4], [*np.linspace(-1e300, 1e300, 70)],
     [0.0] * 500 + list(range(60)), [1e9, *range(100)]],
)  # fmt: skip
def test_odd_columns_have_fits_too(values: list[float]) -> None:
    found, index = column.sort(np.array(values, dtype=float), 30)
    assert len(index) == len(values)
    assert found.counts.sum() == len(values)
    for p in (found.shares, found.by_mean, found.by_variance):
        assert p.sum() == pytest.approx(1)
        assert np.isfinite(p).all()
    assert found.by_variance @ found.x == pytest.approx(found.shares @ found.x, rel=1e-9)


def test_one_of_several_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("\ufeffage, height\r\n\r\n20, 1.7\r\n30,1.8\r\n", encoding="utf-8")
    assert column.read(str(path), "height") == ("height", pytest.approx([1.7, 1.8]), [3, 4])
    path.write_text("1,2\n3,4\n")
    assert column.read(str(path), "2")[1].tolist() == [2, 4]
