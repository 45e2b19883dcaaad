"""Recipes: a preset with changes, every bound enforced, and what is wrong said by key, value and what is allowed."""

from pathlib import Path

import pytest
from toys.study import TOY, ToyRecipe

from phantastic.declare.recipe import NEUTRAL, Recipe, changed, compose, differing, read_toml, validated
from phantastic.ground.errors import Refused


def composed(changes: dict, preset: str = "quick", **origin: str) -> ToyRecipe:
    return compose(TOY.recipe, TOY.presets, preset, changes, **origin)  # type: ignore[return-value]


def test_changes_are_made_to_the_preset() -> None:
    assert composed({}) == TOY.presets["quick"]
    recipe = composed({"width": 4, "seeds": 1})
    assert (recipe.steps, recipe.width, recipe.seeds, recipe.learning_rate) == (25, 4, 1, 0.01)


@pytest.mark.parametrize(
    ("changes", "preset", "said"),
    [
        ({}, "quik", "unknown preset 'quik'; did you mean 'quick'?"),
        ({}, "x", "unknown preset 'x'; allowed: quick, tiny"),
        ({"wdth": 1}, "quick", "--set: unknown key 'wdth'; did you mean 'width'?"),
        (
            {"width": 0},
            "quick",
            "--set: width = 0 is not possible: Expected `int` >= 1; allowed: integer from 1 to 512",
        ),
        ({"scale": float("nan")}, "quick", "--set: scale = nan is not possible: a number must be finite"),
        (
            {"shape": "x"},
            "tiny",
            "--set: shape = 'x' is not possible: Invalid enum value 'x'; allowed: one of: sine, step",
        ),
    ],
)
def test_what_is_not_possible_is_refused_with_what_is(changes: dict, preset: str, said: str) -> None:
    with pytest.raises(Refused) as refusal:
        composed(changes, preset)
    assert str(refusal.value) == said
    with pytest.raises(Refused) as refusal:
        composed(changes, preset, origin="mine")
    assert str(refusal.value) == said.replace("--set", "mine")


def test_a_long_value_is_shown_in_short() -> None:
    with pytest.raises(Refused) as refusal:
        composed({"width": "9" * 1000})
    assert "width = '9999" in str(refusal.value)
    assert len(str(refusal.value)) < 200


def test_a_field_that_no_recipe_has_is_refused_with_the_nearest() -> None:
    with pytest.raises(Refused, match=r"^manifest: .*unknown field `wdth`; did you mean 'width'\?$"):
        validated(ToyRecipe, {"wdth": 1}, "manifest")


@pytest.mark.parametrize(("key", "last"), [("seed", 2**31 - 1), ("seeds", 50), ("threads", 256)])
def test_what_every_recipe_has_is_bounded(key: str, last: int) -> None:
    first = 1 if key == "seeds" else 0
    for value in (first, last):
        assert getattr(composed({key: value}), key) == value
    for value in (first - 1, last + 1):
        with pytest.raises(Refused, match=f"allowed: integer from {first} to {last}$"):
            composed({key: value})


def test_what_a_recipe_is_unless_it_is_said() -> None:
    recipe = Recipe()
    assert {key: getattr(recipe, key) for key in Recipe.__struct_fields__} == {
        "seed": 0, "seeds": 1, "device": "auto", "precision": "auto", "threads": 0,
    }  # fmt: skip


def test_a_recipe_differs_in_its_keys_and_is_another_experiment_but_for_seeds_and_machine() -> None:
    preset = TOY.presets["tiny"]
    other = composed({"width": 4, "seed": 7, "seeds": 2, "threads": 2, "device": "cpu", "precision": "auto"}, "tiny")
    assert differing(other, preset) == ["seed", "seeds", "device", "precision", "threads", "width"]
    assert changed(other, preset) == ["width"]
    assert differing(other, None) == changed(other, None) == []
    assert set(NEUTRAL) == set(Recipe.__struct_fields__)


def test_a_recipe_file_is_toml_with_or_without_a_mark_and_else_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for mark in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(mark + 'width = 4\nshape = "波"\n'.encode())
        assert read_toml(path) == {"width": 4, "shape": "波"}
    path.write_text("width = ")
    with pytest.raises(Refused, match=rf"^recipe file {path}: Invalid value"):
        read_toml(path)
    with pytest.raises(Refused, match=rf"^recipe file {tmp_path} is not a file$"):
        read_toml(tmp_path)
    with pytest.raises(Refused, match=r"none\.toml: .*No such file"):
        read_toml(tmp_path / "none.toml")
