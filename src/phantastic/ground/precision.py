"""In which arithmetic networks learn. Every other module asks here, and bfloat16 is switched on nowhere else."""

import os
import platform
from pathlib import Path
from typing import Literal

import torch

# To what the environment may hold oneDNN, which computes PyTorch's bfloat16, so that it must do without such
# instructions; and PyTorch's own kernels: who holds those to AVX2 wants what a processor without them gives
WITHOUT = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
LIMITS = {"ONEDNN_MAX_CPU_ISA": WITHOUT, "DNNL_MAX_CPU_ISA": WITHOUT, "ATEN_CPU_CAPABILITY": {"DEFAULT", "AVX2"}}


def resolve(wanted: Literal["auto", "float32", "bfloat16"], device: str) -> Literal["float32", "bfloat16"]:
    """``float32`` or ``bfloat16``: what a recipe's ``precision`` means on ``cpu`` or ``cuda``."""
    if wanted != "auto":
        return wanted
    return "bfloat16" if hardware(device)[0] else "float32"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which networks compute in ``precision``, as `resolve` gives it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def hardware(device: str) -> tuple[bool, str]:
    """Whether ``cpu`` or ``cuda`` multiplies bfloat16 in hardware, and what shows it: the processor's instructions, the
    setting that keeps PyTorch from them, or the GPU. A processor that does not is about ten times slower in bfloat16
    than in float32.
    """
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False), torch.cuda.get_device_name()
    supported, limit = ", ".join(sorted(instructions())), held()
    kernels = f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
    return bool(supported) and not limit, limit or supported or kernels


def instructions() -> set[str]:
    """The processor's instructions that multiply bfloat16, by their names in Linux."""
    listing = Path("/proc/cpuinfo")
    support = {
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
        "amx_bf16": torch.cpu._is_amx_tile_supported(),
        "bf16": listing.exists() and "bf16" in listing.read_text().split(),  # Arm
    }
    return {name for name, supported in support.items() if supported}


def held() -> str:
    """The setting of the environment that keeps PyTorch from such instructions; empty where none does."""
    settings = ((name, os.environ.get(name, "")) for name in LIMITS)
    return next((f"{name}={value}" for name, value in settings if value.upper() in LIMITS[name]), "")
