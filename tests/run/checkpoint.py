"""Checkpoints: what is packed comes back to the bit, the pointer moves last, and damage is named with a way out."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from torch import nn

from phantastic.ground import files
from phantastic.ground.errors import Refused
from phantastic.run.checkpoint import Checkpoints, pack, pack_optimisers, unpack, unpack_optimisers


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def layered(seed: int) -> nn.Module:
    """More than ten parameters, and one whose memory is laid out otherwise than its shape says."""
    torch.manual_seed(seed)
    module = nn.Sequential(*(nn.Linear(3, 3) for _ in range(6)), nn.Conv2d(3, 4, 2))
    return module.to(memory_format=torch.channels_last)


def stepped(module: nn.Module) -> torch.optim.Optimizer:
    """An optimiser that has made three steps, on gradients that are all different."""
    optimiser = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(3):
        for number, parameter in enumerate(module.parameters()):
            parameter.grad = torch.randn_like(parameter) + number
        optimiser.step()
    return optimiser


# --- packing


def test_what_is_packed_stays_as_it_was_while_the_weights_move_on() -> None:
    module = layered(0)
    packed = pack({"net": module})
    assert packed.keys() == {f"net/{name}" for name in module.state_dict()}
    assert all(value.is_contiguous() and not value.requires_grad for value in packed.values())
    before = packed["net/0.weight"].tolist()
    with torch.no_grad():
        module[0].weight += 1
    assert packed["net/0.weight"].tolist() == before


def test_modules_come_back_each_to_its_own_also_where_names_begin_alike() -> None:
    saved = {"net": nn.Linear(2, 2), "net2": nn.Linear(2, 2), "n": nn.Linear(2, 2)}
    found = {name: nn.Linear(2, 2) for name in saved}
    unpack(pack(saved), found, Path("file"))
    for name, module in saved.items():
        assert torch.equal(found[name].weight, module.weight)
        assert torch.equal(found[name].bias, module.bias)


def test_weights_that_do_not_fit_name_the_file_and_the_module() -> None:
    with pytest.raises(Refused, match=r"(?s)^some/file does not fit the module 'net' of this recipe: .*size mismatch"):
        unpack(pack({"net": nn.Linear(2, 3)}), {"net": nn.Linear(2, 2)}, Path("some/file"))


def test_optimisers_come_back_to_the_bit_and_in_the_layout_of_their_parameters() -> None:
    modules, others = [layered(0), layered(1)], [layered(0), layered(1)]
    saved = {name: stepped(module) for name, module in zip(("a", "ab"), modules, strict=True)}
    found = {name: torch.optim.Adam(module.parameters(), 0.01) for name, module in zip(saved, others, strict=True)}
    packed = pack_optimisers(saved)
    unpack_optimisers(packed, found)
    for name, module, other in zip(saved, modules, others, strict=True):
        for old, new in zip(module.parameters(), other.parameters(), strict=True):
            wanted, got = saved[name].state[old], found[name].state[new]
            assert wanted.keys() == got.keys() == {"step", "exp_avg", "exp_avg_sq"}
            assert all(torch.equal(wanted[key], got[key]) for key in wanted)
            assert got["exp_avg"].stride() == new.stride()
    with torch.no_grad():
        saved["a"].state[modules[0][0].weight]["exp_avg"].zero_()
    assert packed["optimiser/a/0/exp_avg"].any()


# --- the pointer


def test_a_stage_that_ends_leaves_no_stage_in_progress(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, {"a": 1})
    checkpoints.save("seed0/fit", 3, {"w": torch.zeros(1)})
    assert names(tmp_path) == ["seed0.fit-00000003.safetensors"]
    checkpoints.finish("seed0/fit", {"w": torch.ones(1)})
    checkpoints.save("seed0/mirror", 4, {"w": torch.zeros(1)})
    checkpoints.finish("seed0/mirror", {"w": torch.ones(1)})
    again = Checkpoints(tmp_path, {"a": 1}).latest
    assert (again.recipe, again.stage, again.step, again.progress) == ({"a": 1}, "", 0, None)
    assert list(again.finished) == ["seed0/fit", "seed0/mirror"]
    assert names(tmp_path) == ["seed0.fit.safetensors", "seed0.mirror.safetensors"]


def test_a_checkpoint_that_went_meanwhile_ends_no_training(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, {})
    for step in (1, 2):
        checkpoints.save("fit", step, {"w": torch.zeros(1)})
        (tmp_path / f"checkpoints/fit-{step:08d}.safetensors").unlink()
    checkpoints.finish("fit", {"w": torch.zeros(1)})
    assert names(tmp_path) == ["fit.safetensors"]


@pytest.mark.parametrize("ends", [False, True])
def test_where_the_pointer_can_not_be_written_it_stays_and_so_does_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    checkpoints = Checkpoints(tmp_path, {})
    checkpoints.save("fit", 3, {"w": torch.zeros(1)})

    def full(path: Path, value: object) -> None:
        raise Refused("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_json", full)
        with pytest.raises(Refused):
            checkpoints.finish("fit", {}) if ends else checkpoints.save("fit", 4, {})
    for latest in (checkpoints.latest, Checkpoints(tmp_path, {}).latest):
        assert (latest.stage, latest.step, latest.finished) == ("fit", 3, {})
    Checkpoints(tmp_path, {}).verify()


# --- damage


@pytest.mark.parametrize(
    ("recipe", "named"),
    [({"a": 2, "b": 3}, "a, b"), ({"a": 1}, "b"), ({"a": 1, "b": 2, "c": 0}, "c"), ({"b": 3, "a": 1, "0": 0}, "0, b")],
)
def test_another_recipe_is_refused_by_all_keys_in_which_it_differs(
    tmp_path: Path, recipe: dict[str, int], named: str
) -> None:
    Checkpoints(tmp_path, {"a": 1, "b": 2}).save("fit", 1, {})
    with pytest.raises(Refused, match=rf"they differ in {named}; nothing was changed$"):
        Checkpoints(tmp_path, recipe)


@pytest.mark.parametrize("file", ["/etc/passwd", "../other/fit.safetensors", "checkpoints/../../x"])
@pytest.mark.parametrize("part", ["finished", "progress"])
def test_a_pointer_that_leads_out_of_the_run_is_refused(tmp_path: Path, file: str, part: str) -> None:
    entry = {"file": file, "sha256": ""}
    pointer = {"recipe": {}, part: entry if part == "progress" else {"fit": entry}}
    (tmp_path / "LATEST").write_text(json.dumps(pointer))
    with pytest.raises(Refused, match=rf"LATEST is damaged: {file} is outside the run; nothing was changed"):
        Checkpoints(tmp_path, {})


@pytest.mark.parametrize("part", ["finished", "in progress"])
def test_damage_is_found_before_anything_is_used_and_says_what_to_do(tmp_path: Path, part: str) -> None:
    checkpoints = Checkpoints(tmp_path, {})
    checkpoints.finish("fit", {"w": torch.zeros(1)})
    checkpoints.save("mirror", 7, {"w": torch.zeros(1)})
    path = tmp_path / (
        "checkpoints/fit.safetensors" if part == "finished" else "checkpoints/mirror-00000007.safetensors"
    )
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Refused) as refusal:
        Checkpoints(tmp_path, {}).verify()
    assert str(refusal.value) == (
        f"checkpoint {path} is damaged (its SHA-256 is not the one in LATEST); nothing was changed. "
        "Restore the file from a copy, or start a new run"
    )
    path.unlink()
    with pytest.raises(Refused) as refusal:
        Checkpoints(tmp_path, {}).verify()
    assert str(refusal.value) == f"checkpoint {path} cannot be read: No such file or directory; nothing was changed"


def test_a_file_of_another_kind_is_refused_though_its_hash_is_right(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, {})
    checkpoints.save("fit", 1, {})
    assert checkpoints.latest.progress is not None
    (tmp_path / checkpoints.latest.progress.file).write_bytes(b"text")
    pointer = json.loads((tmp_path / "LATEST").read_text())
    pointer["progress"]["sha256"] = sha256(b"text").hexdigest()
    (tmp_path / "LATEST").write_text(json.dumps(pointer))
    with pytest.raises(Refused, match=r"fit-00000001\.safetensors is not a safetensors file: "):
        Checkpoints(tmp_path, {}).verify()
