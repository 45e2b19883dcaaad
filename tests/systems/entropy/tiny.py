"""The study `entropy` at its tiny preset, and what it makes of a column of numbers."""

import csv
import json
import re
from collections.abc import Callable
from math import log
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phantastic.declare.claims import judge
from phantastic.declare.recipe import compose
from phantastic.run.folder import Run
from phantastic.systems.entropy import column, experiment, measure
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
    found = experiment.certain(EntropyRecipe(steps=5, particles=64))
    assert found["boltzmann.distance"] > 0.01
    assert found["percept.gap"] > 1e-3


def test_published_numbers_are_not_held_against_other_settings() -> None:
    found = experiment.certain(EntropyRecipe(dice=3.0, light=4.0, particles=64))
    assert "dice.error" not in found
    assert "percept.size.error" not in found


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["microstates", "maximum-entropy", "boltzmann", "perception", "gibbs"]
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
