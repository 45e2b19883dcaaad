"""bfloat16 where the device multiplies it; what a run began in is what it goes on in; and one place that decides."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import phantastic
from phantastic.declare.i18n import catalogue
from phantastic.declare.study import register
from phantastic.ground import precision
from phantastic.run.folder import Run

SOURCE = Path(phantastic.__file__).parent
LEARNING = (
    "scan", "vae", "gan", "transformer", "bert", "probe", "finetune", "ablations", "transfer", "fusion", "integration",
)  # fmt: skip
PROCESSORS = {"AVX2": set(), "AVX512-BF16": {"avx512_bf16"}, "AMX": {"amx_bf16", "avx512_bf16"}, "Arm": {"bf16"}}


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch):
    """Makes this machine one of `PROCESSORS`, without a GPU."""
    for name in precision.LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return lambda name: monkeypatch.setattr(precision, "instructions", lambda: PROCESSORS[name])


# --- what auto takes


@pytest.mark.parametrize("name", PROCESSORS)
def test_auto_asks_the_processor_and_a_name_does_not(processor, name: str):
    processor(name)
    assert precision.resolve("auto", "cpu") == ("float32" if name == "AVX2" else "bfloat16")
    assert [precision.resolve(named, "cpu") for named in ("float32", "bfloat16")] == ["float32", "bfloat16"]
    assert all(flag in precision.hardware("cpu")[1] for flag in PROCESSORS[name])


@pytest.mark.parametrize("able", [True, False])
def test_auto_asks_the_gpu(monkeypatch: pytest.MonkeyPatch, able: bool):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or able)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    assert precision.resolve("auto", "cuda") == ("bfloat16" if able else "float32")
    assert precision.hardware("cuda") == (able, "Tesla T4")


@pytest.mark.parametrize(
    "setting",
    [
        "ONEDNN_MAX_CPU_ISA=AVX2", "ONEDNN_MAX_CPU_ISA=avx512_core", "ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI",
        "DNNL_MAX_CPU_ISA=AVX2_VNNI_2", "ATEN_CPU_CAPABILITY=avx2", "ATEN_CPU_CAPABILITY=default",
    ],
)  # fmt: skip
def test_a_processor_held_to_less_is_one_with_less(processor, monkeypatch: pytest.MonkeyPatch, setting: str):
    processor("AMX")
    monkeypatch.setenv(*setting.split("="))
    assert precision.resolve("auto", "cpu") == "float32"
    assert precision.hardware("cpu") == (False, setting)


@pytest.mark.parametrize("value", ["AVX512_CORE_BF16", "AVX512_CORE_AMX", "AVX10_1_512", "DEFAULT", "ALL", ""])
def test_a_limit_that_leaves_bfloat16_is_none(processor, monkeypatch: pytest.MonkeyPatch, value: str):
    processor("AMX")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", value)
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx512")
    assert precision.resolve("auto", "cpu") == "bfloat16"


@pytest.mark.parametrize(
    ("x86", "listing"), [(["avx512_bf16"], ""), (["amx_bf16"], ""), ([], "asimd bf16"), ([], "avx2")]
)
def test_instructions_are_read_from_pytorch_and_on_arm_from_linux(
    monkeypatch: pytest.MonkeyPatch, x86: list[str], listing: str
):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: "avx512_bf16" in x86)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: "amx_bf16" in x86)
    made = SimpleNamespace(exists=lambda: True, read_text=lambda: f"Features : fp {listing}\n")
    monkeypatch.setattr(precision, "Path", lambda name: made)
    assert precision.instructions() == {*x86, *({"bf16"} & set(listing.split()))}


# --- what a run says and does


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_a_run_says_what_it_learned_in(phantastic, home: Path, processor):
    for name, expected in (("AMX", "bfloat16"), ("AVX2", "float32")):
        processor(name)
        result = phantastic("run", "toy", "--preset", "tiny", "--set", "precision=auto", "--name", name)
        assert result.exit_code == 0
        assert catalogue("en")["slow_bfloat16"] not in result.stderr
        made = json.loads((home / "runs/toy" / name / "manifest.json").read_text())
        assert (made["precision"], made["recipe"]["precision"]) == (expected, "auto")
        for lang in ("en", "ja"):
            shown = " ".join(phantastic("show", f"toy/{name}", "--lang", lang).output.split())
            assert f"{catalogue(lang)['precision']}: {expected}" in shown
        assert f"<dd>{expected}</dd>" in (home / "runs/toy" / name / "report.html").read_text()
    phantastic("run", "toy", "--preset", "tiny", "--name", "by name")  # float32
    assert weights(home / "runs/toy/AVX2") == weights(home / "runs/toy/by name") != weights(home / "runs/toy/AMX")


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_bfloat16_by_name_is_warned_of_in_one_line_where_it_is_slow(phantastic, processor, lang: str):
    for name, times in (("AVX2", 1), ("Arm", 0)):
        processor(name)
        result = phantastic("run", "toy", "--preset", "tiny", "--set", "precision=bfloat16", "--lang", lang)
        assert result.exit_code == 0
        assert result.stderr.splitlines().count(catalogue(lang)["slow_bfloat16"]) == times


def test_a_run_goes_on_in_what_it_began_in(phantastic, home: Path, processor, monkeypatch: pytest.MonkeyPatch):
    """Begun on a machine with bfloat16 and resumed on one without: the same bits, and a warning."""
    processor("AVX512-BF16")
    words_ = ("run", "toy", "--preset", "tiny", "--set", "precision=auto")
    assert phantastic(*words_, "--name", "whole").exit_code == 0
    with monkeypatch.context() as patch:
        log = Run.log

        def killed(self: Run, stage: str, step: int, values: dict[str, float]) -> None:
            log(self, stage, step, values)
            if stage == "mirror":
                raise KeyboardInterrupt

        patch.setattr(Run, "log", killed)
        assert phantastic(*words_, "--name", "half").exit_code != 0
    processor("AVX2")
    result = phantastic("resume", "toy/half")
    assert result.exit_code == 0
    assert result.stderr.count(catalogue("en")["slow_bfloat16"]) == 1
    assert weights(home / "runs/toy/half") == weights(home / "runs/toy/whole")
    assert (
        catalogue("en")["slow_bfloat16"] not in phantastic("resume", "toy/half").stderr
    )  # there is nothing left to learn


@pytest.mark.parametrize("named", ["float32", "bfloat16"])
def test_runs_from_before_auto_are_read(phantastic, home: Path, named: str):
    assert phantastic("run", "toy", "--preset", "tiny", "--set", f"precision={named}").exit_code == 0
    path = home / "runs/toy/tiny-seed0/manifest.json"
    made = json.loads(path.read_text())
    assert made.pop("precision") == named
    path.write_text(json.dumps(made))
    assert f"{catalogue('en')['precision']}: {named}" in " ".join(phantastic("show", "toy/tiny-seed0").output.split())
    path.write_text(json.dumps(made | {"precision": "float8"}))
    refused = phantastic("show", "toy/tiny-seed0")
    assert (refused.exit_code, "float8" in refused.output) == (2, True)


def test_doctor_says_what_auto_takes_and_why(phantastic, processor, monkeypatch: pytest.MonkeyPatch):
    processor("AMX")
    assert "auto takes bfloat16, which is in hardware here: amx_bf16, avx512_bf16" in phantastic("doctor").output
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert (
        "auto は float32(bfloat16 の乗算器がない: ATEN_CPU_CAPABILITY=avx2)"
        in phantastic("doctor", "--lang", "ja").output
    )


# --- one place


def test_bfloat16_is_switched_on_in_one_place():
    """Elsewhere autocast is only ever switched off, or entered as `precision.autocast` gives it."""
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"(?:torch|amp)\.\w*autocast\w*\([^\n]*|set_autocast\w*\(", text)
        on = [call for call in found if "enabled=False)" not in call and "is_autocast_enabled" not in call]
        assert len(on) == (path == SOURCE / "ground" / "precision.py"), (path, on)


def test_tiny_presets_give_the_same_bits_everywhere_and_no_preset_names_bfloat16():
    for study in register().values():
        assert "bfloat16" not in [recipe.precision for recipe in study.presets.values()]
        if study.name in LEARNING:
            assert study.presets["tiny"].precision == "float32"
