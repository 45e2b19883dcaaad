"""Lesions of a finished run: the dose curve over the networks of every seed, and the answers behind it."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from phantastic.declare.measure import summarise
from phantastic.lesion.doses import Row, by_dose, curve
from phantastic.lesion.kinds import Sites
from phantastic.run.experiment import Experiment
from phantastic.run.folder import Run


class Answers(NamedTuple):
    """What the networks of one seed answered under one draw of a lesion; ``items``: columns with an entry per item."""

    seed: int
    dose: float
    sham: bool
    repeat: int
    items: dict[str, list]


class Lesioned(NamedTuple):
    """The dose curve of a run and, where the study offers them, the answers behind it."""

    rows: list[Row]
    answers: list[Answers]


def lesioned(run: Run[Any], site: Sites, kind: str, doses: Sequence[float], repeats: int, seed: int) -> Lesioned:
    """Damage the networks of every seed of the run in turn, see `doses.by_dose`.

    ``seed`` is of the damage: the networks of the run's i-th seed (from 0) have `damage` with ``seed`` + i ``repeats``
    + r in repeat r, so that no two networks share a draw. Answers are given under the lesion made anew, whatever the
    measures did before. Raises `Refused` as `doses.by_dose` does.
    """
    experiment: Experiment[Any] = run.study.load()
    curves, answers = [], []
    for number, run_seed in enumerate(run.seeds):
        view = run.under(run_seed)
        networks = experiment.networks(view)
        lesion = (networks, site, kind, doses, repeats, seed + number * repeats)
        curves.append(curve(partial(experiment.lesion_measures, view, networks), *lesion))
        if experiment.lesion_answers(view, networks):
            for result in by_dose(partial(experiment.lesion_answers, view, networks), *lesion):
                answers.append(Answers(run_seed, result.dose, result.sham, result.repeat, result.value))
    return Lesioned(over_seeds(curves), answers)


def over_seeds(curves: Sequence[Sequence[Row]]) -> list[Row]:
    """A run's curves, one per seed, as one: means and 95% intervals over the seeds; of a single seed its own.

    ``each`` holds all repeats of the first seed, then those of the next. The interval is of the seeds' means: repeats
    on one network are no sample of networks. What a seed did not measure is left out.
    """
    if len(curves) == 1:
        return list(curves[0])
    tables = [{(row.measure, row.dose, row.sham): row for row in rows} for rows in curves]
    pooled = []
    for measure, dose, sham in (key for key in tables[0] if all(key in rows for rows in tables)):
        seed_rows = [rows[measure, dose, sham] for rows in tables]
        summary = summarise([row.mean for row in seed_rows])
        repeats = [value for row in seed_rows for value in row.each]
        pooled.append(Row(measure, dose, summary.value, summary.low, summary.high, repeats, sham))
    return pooled
