"""The laws of lesions, on the trained models of every registered study at its `tiny` preset.

A new study is covered as soon as it is registered: its models' sites are found by their names.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack

import pytest
from torch import Tensor, nn

from phantastic.declare.claims import names
from phantastic.declare.study import register
from phantastic.lesion import Site, damage, sites
from phantastic.nn.units import altered
from phantastic.run.folder import Run

STUDIES = register()


class Subject:
    """The models of a study, its measures on them, and their exact state."""

    def __init__(self, models: Mapping[str, nn.Module], measure: Callable[[], Mapping[str, float]]):
        self.models, self.measure, self.sites = models, measure, sites(models)
        self.intact, self.state = self.measures(), self.bits()

    def measures(self) -> dict[str, str]:
        """To the last bit."""
        return {name: float(value).hex() for name, value in self.measure().items()}

    def bits(self) -> dict[str, bytes]:
        return {
            f"{name}/{key}": value.cpu().contiguous().numpy().tobytes()
            for name, model in self.models.items()
            for key, value in model.state_dict().items()
        }

    def first_output(self, place: Site) -> bytes | None:
        """What the site returns when the measures first call it, as the rest of the model gets it; None if they never
        do. An exception cuts the measures short there."""

        class Reached(Exception):
            pass

        found: list[bytes] = []

        def reach(units: Tensor) -> Tensor:
            found.append(units.detach().cpu().contiguous().float().numpy().tobytes())
            raise Reached

        def note(module: nn.Module, inputs: object, output: object) -> None:
            altered(module, output, reach, memory=False)

        handle = place.module.register_forward_hook(note)
        try:
            self.measure()
        except Reached:
            pass
        finally:
            handle.remove()
        return found[0] if found else None


@pytest.fixture(scope="session", params=STUDIES)
def subject(request: pytest.FixtureRequest, tiny_run: Callable[[str], Run]) -> Subject:
    run = tiny_run(request.param)
    experiment = run.study.load()
    models = experiment.networks(run)
    return Subject(models, lambda: experiment.lesion_measures(run, models))


def test_the_measures_are_deterministic_and_leave_the_models_alone(subject: Subject) -> None:
    assert subject.intact, "a study without measures has nothing to lose"
    assert subject.measures() == subject.intact
    assert subject.bits() == subject.state


def test_every_model_has_sites_with_names_of_their_own(subject: Subject) -> None:
    names = [place.name for place in subject.sites]
    assert len(names) == len(set(names))
    assert all(sites({name: model}) for name, model in subject.models.items())
    assert all(place.units > 0 for place in subject.sites)


@pytest.mark.parametrize(("dose", "sham"), [(0, False), (1, True)], ids=["dose 0", "sham"])
def test_dose_0_and_sham_change_no_bit(subject: Subject, dose: float, sham: bool) -> None:
    """At every site and of every kind, all at once."""
    with ExitStack() as lesions:
        for place in subject.sites:
            for kind in place.kinds:
                lesions.enter_context(damage(subject.models, place.name, kind, dose, 0, sham))
        assert subject.bits() == subject.state
        assert subject.measures() == subject.intact
    assert subject.bits() == subject.state


def test_a_lesion_changes_what_its_site_returns_and_lifting_it_restores_every_bit(subject: Subject) -> None:
    """At dose 1, at the first, the middle and the last site of every model."""
    possible, changed = set(), set()
    for name, model in subject.models.items():
        own = sites({name: model})
        for place in {place.name: place for place in (own[0], own[len(own) // 2], own[-1])}.values():
            intact = subject.first_output(place)
            if intact is None:
                continue
            possible |= set(place.kinds)
            for kind in place.kinds:
                with damage(subject.models, place.name, kind, 1, 0):
                    if subject.first_output(place) != intact:
                        changed.add(kind)
                assert subject.first_output(place) == intact, (place.name, kind)
                assert not place.module._forward_hooks
    assert possible or not subject.models, "the measures call none of these sites"
    assert changed == possible
    assert subject.bits() == subject.state
    assert subject.measures() == subject.intact


@pytest.mark.parametrize("name", STUDIES)
def test_what_a_study_measures_is_declared(name: str, tiny_run: Callable[[str], Run]) -> None:
    """And what its claims speak of; else a claim whose measure is misspelt is untested for ever."""
    study = STUDIES[name]
    patterns = [names(pattern) for pattern in study.measures]
    spoken_of = {measure for claim in study.claims() for measure in (*claim.measure, *claim.than)}
    for measure in (*tiny_run(name).measures(), *spoken_of):
        examples = [measure.replace("*", row) for row in ("1", "80-10-10")] if "*" in measure else [measure]
        assert any(pattern.fullmatch(each) for pattern in patterns for each in examples), measure
