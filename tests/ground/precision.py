"""In which arithmetic networks learn: what a processor is asked, and what the context does."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from phantastic.ground import precision


@pytest.mark.parametrize(
    "value", ["SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "avx512_core_vnni"]
)
@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_every_limit_below_bfloat16_counts(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    for other in precision.LIMITS:
        monkeypatch.delenv(other, raising=False)
    assert precision.held() == ""
    monkeypatch.setenv(name, value)
    assert precision.held() == f"{name}={value}"
    monkeypatch.delenv(name)
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "AVX512_CORE")  # no limit of that setting's
    assert precision.held() == ""


@pytest.mark.parametrize("listing", ["flags : avx512_bf16 amx_bf16", None])
def test_an_instruction_of_another_name_and_no_listing_are_not_arms(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listing: str | None
) -> None:
    file = tmp_path / "cpuinfo"
    if listing:
        file.write_text(listing)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(precision, "Path", lambda name: file)
    assert precision.instructions() == set()


def test_a_processor_without_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "held", lambda: "")
    monkeypatch.setattr(precision, "instructions", lambda: set())
    monkeypatch.setattr(precision, "platform", SimpleNamespace(machine=lambda: "x86_64"))
    capability = torch.backends.cpu.get_cpu_capability()
    assert precision.hardware("cpu") == (False, f"x86_64, {capability}")


def test_networks_compute_in_what_was_resolved_and_nothing_after() -> None:
    weight = torch.ones(2, 2)
    for name, kind in (("bfloat16", torch.bfloat16), ("float32", torch.float32)):
        with precision.autocast(torch.device("cpu"), name):
            assert (weight @ weight).dtype == kind
        assert (weight @ weight).dtype == torch.float32
