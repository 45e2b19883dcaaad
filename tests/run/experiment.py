"""What a study must say, and what it is taken to say where it says nothing."""

import pytest

from phantastic.run.experiment import Experiment

MUST = ("one_seed", "networks", "lesion_measures", "figures")


def experiment(*said: str) -> type[Experiment]:
    return type("Mine", (Experiment,), {name: lambda self, *given: {} for name in said})


@pytest.mark.parametrize("left_out", MUST)
def test_four_things_every_study_says(left_out: str) -> None:
    experiment(*MUST)()
    with pytest.raises(TypeError, match=left_out):
        experiment(*(name for name in MUST if name != left_out))()


def test_of_the_rest_it_says_nothing() -> None:
    mine = experiment(*MUST)()
    assert mine.overall(None, None, []) == {}  # type: ignore[arg-type]
    assert mine.equations(None) == {}  # type: ignore[arg-type]
    assert mine.lesion_answers(None, {}) == {}  # type: ignore[arg-type]
    for ask in (lambda: mine.apply(None, None), lambda: mine.fit(None)):  # type: ignore[arg-type]
        with pytest.raises(NotImplementedError):
            ask()
