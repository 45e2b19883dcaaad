"""What the doctor looks at, what passes, and what is said where something is missing."""

import os
import shutil
from collections import namedtuple
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from phantastic.ground.errors import Refused
from phantastic.show import doctor, fonts
from phantastic.show.doctor import Check


def test_everything_a_run_needs_is_looked_at_once(tmp_path: Path) -> None:
    checks = doctor.examine(tmp_path)
    names = ["Python", "libraries", "processor", "GPU", "precision", "folder", "fonts"]
    assert [check.name for check in checks] == names
    assert all(check.ok and check.found for check in checks)


@pytest.mark.parametrize(("version", "ok"), [((3, 10, 9), False), ((3, 11, 0), True), ((4, 0, 0), True)])
def test_python_is_new_enough(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], ok: bool) -> None:
    monkeypatch.setattr(doctor, "sys", SimpleNamespace(version_info=version, prefix="/here"))
    assert doctor.python().ok == ok
    assert doctor.python().found.endswith(", /here")


def test_libraries_are_those_declared_and_what_is_missing_is_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name.startswith("no"):
            raise PackageNotFoundError
        return "1.0"

    declared = ["a-b.c>=2", "d", 'extra_one>1; extra == "dev"', 'none>1; extra == "dev"']
    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "requires", lambda name: declared)
    assert doctor.libraries() == Check("libraries", True, "a-b.c 1.0, d 1.0")
    declared += ["nothing<3", "noone"]
    advice = "missing: nothing, noone; install with: pip install nothing noone"
    assert doctor.libraries() == Check("libraries", False, advice)
    monkeypatch.setattr(doctor, "requires", lambda name: None)
    assert doctor.libraries().ok


def test_the_processor_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    listing = tmp_path / "cpuinfo"
    listing.write_text("flags : sse avx512f avx2 amx_bf16 avx512_bf16x")
    monkeypatch.setattr(doctor, "Path", lambda name: listing)
    capability = torch.backends.cpu.get_cpu_capability()
    said = f"3 of 8 cores, PyTorch takes 1 threads, kernels for {capability}"
    assert doctor.processor() == Check("processor", True, f"{said}, amx_bf16, avx2, avx512f")
    listing.unlink()
    assert doctor.processor() == Check("processor", True, said)


def test_a_gpu_is_welcome_and_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert doctor.gpu() == Check("GPU", True, "none that PyTorch can use; everything runs on the processor")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"card {index}")
    assert doctor.gpu() == Check("GPU", True, "card 0, card 1")


@pytest.mark.parametrize("available", [True, False])
def test_the_arithmetic_is_that_of_the_device_that_auto_takes(monkeypatch: pytest.MonkeyPatch, available: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(doctor.precision, "hardware", lambda device: (device == "cuda", f"a {device}"))
    said = (
        "bfloat16, which is in hardware here: a cuda"
        if available
        else "float32; bfloat16 is not in hardware here: a cpu"
    )
    assert doctor.arithmetic() == Check("precision", True, f"auto takes {said}")


@pytest.mark.parametrize(
    ("free", "ok", "said"), [(2**30, True, "1.0"), (2**30 - 1, False, "1.0"), (3 << 29, True, "1.5")]
)
def test_a_folder_has_a_gibibyte_to_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, ok: bool, said: str
) -> None:
    """Where it is not there yet, the one that it would be made in; nothing is left in it."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(0, 0, free))
    found = f"{tmp_path} can be written; {said} GiB free"
    assert doctor.folder(tmp_path / "runs/deep") == Check("folder", ok, found)
    assert doctor.folder(tmp_path) == Check("folder", ok, found)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.chdir(tmp_path)
    assert doctor.folder(Path("runs")).found == found


def test_a_folder_that_can_not_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert doctor.folder(tmp_path / "file/runs") == Check("folder", False, f"{tmp_path / 'file'}: Not a directory")


def test_fonts_that_draw_boxes_or_are_absent_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.fonts() == Check("fonts", True, f"IPAexGothic: {fonts.japanese_font()}")

    def absent() -> Path:
        raise Refused("the Japanese font is missing")

    with monkeypatch.context() as patch:
        patch.setattr(fonts, "japanese_font", absent)
        assert doctor.fonts() == Check("fonts", False, "the Japanese font is missing")
    from PIL import ImageDraw

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda self, *where, **how: None)  # all letters look alike
    assert not doctor.fonts().ok
