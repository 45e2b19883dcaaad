"""Lesions of a run: of the networks of every seed, at several sites, with the answers behind them."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from toys.experiment import Toy

from phantastic.declare.i18n import speaking
from phantastic.declare.measure import summarise
from phantastic.ground.errors import Refused
from phantastic.lesion import Row, damage
from phantastic.lesion.seeds import lesioned, over_seeds
from phantastic.run.folder import Run
from phantastic.show.report import dose_curves, lesion_name

Invoke = Callable[..., Result]


def table(runs: Path, name: str) -> list[dict[str, str]]:
    with open(runs / f"three/lesions/{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_lesion_of_several_sites_and_every_seed(phantastic: Invoke, runs: Path) -> None:
    """`each` holds the repeats of the first seed, then of the second, ...; no two networks share a draw."""
    words = ("--kind", "silence", "--dose", "0,0.5", "--repeats", "2", "--seed", "7")
    both = phantastic("lesion", "toy/three", "--site", "fit[0]", "--site", "mirror[0]", *words)
    assert both.exit_code == 0, both.output
    rows = {(row["measure"], row["dose"], row["sham"]): row for row in table(runs, "fit[0]+mirror[0]-silence")}
    damaged = [float(value) for value in rows["error_fit", "0.5", "0"]["each"].split()]
    run = Run.open(runs / "three")
    for number, seed in enumerate(run.seeds):
        view, experiment = run.under(seed), run.study.load()
        networks = experiment.networks(view)
        whole = experiment.lesion_measures(view, networks)
        assert whole["error_fit"] == pytest.approx(run.result(f"error/{seed}", dict[str, float])["fit"], rel=1e-6)
        for measure in whole:
            for condition in (("0.0", "0"), ("0.5", "1")):
                assert float(rows[measure, *condition]["each"].split()[number]) == whole[measure]
        for repeat in range(2):
            entry = 2 * number + repeat
            with damage(networks, ("fit[0]", "mirror[0]"), "silence", 0.5, 7 + entry):
                assert experiment.lesion_measures(view, networks)["error_fit"] == damaged[entry]
    told = summarise([sum(damaged[place : place + 2]) / 2 for place in (0, 2, 4)])
    shown = [float(rows["error_fit", "0.5", "0"][key]) for key in ("mean", "low", "high")]
    assert shown == pytest.approx([told.value, told.low, told.high], rel=1e-12)
    picture = (runs / "three/lesions/fit[0]+mirror[0]-silence.svg").read_text()
    assert "fit[0] + mirror[0]: silence" in picture
    assert "interval of 3 seeds with 2 repeats each" in picture


def test_a_study_may_offer_the_answers_behind_a_lesion(
    phantastic: Invoke, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lesion_answers(self: Toy, run: Any, networks: Any) -> dict[str, list]:
        asked = torch.linspace(-1, 1, 3)[:, None]
        with torch.no_grad():
            return {"asked": asked[:, 0].tolist(), "said": networks["fit"](asked)[:, 0].tolist()}

    monkeypatch.setattr(Toy, "lesion_answers", lesion_answers)
    words = ("--site", "fit[0]", "--kind", "noise", "--dose", "0,1", "--repeats", "2")
    result = phantastic("lesion", "toy/three", *words)
    assert "fit[0]-noise-answers.csv" in result.output
    rows = table(runs, "fit[0]-noise-answers")
    assert list(rows[0]) == ["seed", "dose", "sham", "repeat", "item", "asked", "said"]
    assert len(rows) == 3 * (1 + 2 + 1) * 3  # seeds x draws x items
    said = {tuple(list(row.values())[:5]): row["said"] for row in rows}
    assert len(said) == len(rows)
    assert all(
        said[seed, "0.0", "0", "0", item] == said[seed, "1.0", "1", "0", item] for seed in "012" for item in "012"
    )
    drawn = [said[seed, "1.0", "0", repeat, "0"] for seed in "012" for repeat in "01"]
    assert len(set(drawn)) == 6
    run = Run.open(runs / "three").under(1)
    networks = run.study.load().networks(run)
    with damage(networks, "fit[0]", "noise", 1, seed=2):
        assert said["1", "1.0", "0", "0", "2"] == repr(run.study.load().lesion_answers(run, networks)["said"][2])


def test_a_view_under_another_seed_leaves_the_run_alone(phantastic: Invoke, runs: Path) -> None:
    run = Run.open(runs / "three")
    view = run.under(2)
    assert (run.recipe.seed, view.recipe.seed, view.first_seed, view.seeds) == (0, 2, 0, range(3))
    assert view.recipe.seeds == 3
    assert view.under(0).recipe == run.recipe


def test_of_one_seed_the_curve_is_its_own(phantastic: Invoke, runs: Path) -> None:
    run = Run.open(runs / "one")
    found = lesioned(run, "fit[0]", "silence", [0, 0.5], 3, seed=0)
    assert not found.answers
    assert [len(row.each) for row in found.rows] == [1, 3, 1] * 2
    assert over_seeds([found.rows]) == found.rows


def test_what_a_seed_did_not_measure_is_left_out() -> None:
    def row(measure: str, value: float) -> Row:
        return Row(measure, 0.5, value, None, None, [value - 1, value + 1])

    [pooled] = over_seeds([[row("a", 1), row("b", 2)], [row("a", 4)], [row("c", 1), row("a", 7)]])
    assert (pooled.measure, pooled.mean, pooled.each) == ("a", 4, [0, 2, 3, 5, 6, 8])
    assert (pooled.low, pooled.high) == (summarise([1, 4, 7]).low, summarise([1, 4, 7]).high)


def test_several_sites_are_refused_as_one_is(phantastic: Invoke, runs: Path) -> None:
    words = ("lesion", "toy/one", "--kind", "noise", "--site", "fit[0]", "--site")
    assert "unknown site 'fit[9]'; did you mean" in phantastic(*words, "fit[9]").stderr
    assert "site 'fit[0]' is named 2 times" in phantastic(*words, "fit[0]").stderr
    assert not (runs / "one/lesions").exists()
    with pytest.raises(Refused, match="no site is named"):
        lesioned(Run.open(runs / "one"), (), "noise", [0.5], 1, 0)


def test_a_name_of_many_sites_fits_a_file() -> None:
    sites = [f"bert.transformer.layer[{number}].attention.heads" for number in range(12)]
    names = {lesion_name(some, "noise") for some in (sites, sites[:11], sites[::-1], [*sites[:11], sites[0]])}
    assert len(names) == 4
    assert all(len(name.encode()) < 220 and name.endswith("-noise") for name in names)
    assert lesion_name(sites, "noise").startswith(f"{sites[0]}+11-")
    assert lesion_name(sites[:2], "scale") == f"{sites[0]}+{sites[1]}-scale"
    rows = [Row("m", 0.5, 1.0, None, None, [1.0]), Row("m", 0.5, 1.0, None, None, [1.0], sham=True)]
    lines = dose_curves(sites, "noise", rows).picture.to_dict(validate=False)["title"]["text"]
    assert " ".join(lines) == " + ".join(sites) + ": noise"
    assert max(map(len, lines)) <= 90


def test_captions_count_seeds_and_repeats() -> None:
    def caption(damaged: int, sham: int) -> str:
        rows = [Row("m", 0.5, 1, None, None, [1.0] * damaged), Row("m", 0.5, 1, None, None, [1.0] * sham, sham=True)]
        return dose_curves(["a"], "noise", rows).caption

    assert "of 5 repeats" in caption(5, 1)
    assert "of 3 seeds with 4 repeats each" in caption(12, 3)
    assert "of 3 seeds with 1 repeats each" in caption(3, 3)
    with speaking("ja"):
        assert "3個の種(それぞれ4回)" in caption(12, 3)
