"""The machine, the libraries and the source that a run is made with."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import torch

from phantastic.ground.errors import Refused

LIBRARIES = ("torch", "numpy", "scikit-learn", "safetensors", "msgspec", "altair")


def described() -> str:
    """Operating system, cores and Python."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def threads_of(wanted: int) -> int:
    """So many threads, or (0) as many as there are cores for this process, at most 4."""
    return wanted or min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


def resolve_device(wanted: str) -> Literal["cpu", "cuda"]:
    """The device a run will use; raises `Refused` when the wanted one is absent."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise Refused("device 'cuda': PyTorch finds no CUDA GPU here; allowed: auto, cpu")
    return "cuda" if available and wanted != "cpu" else "cpu"


def library_versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    versions = {"python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def git_revision() -> str:
    """The revision of the source tree phantastic runs from, if it is one."""
    here = Path(__file__).resolve().parent
    try:
        words = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(words, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
