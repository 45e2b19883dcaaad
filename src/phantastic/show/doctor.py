"""Is this machine fit to run phantastic? A line per check, with what to do where the answer is no."""

import os
import platform
import re
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

import torch

from phantastic.declare.i18n import words
from phantastic.ground import precision
from phantastic.ground.errors import Refused
from phantastic.ground.files import REASONS
from phantastic.run.machine import resolve_device

FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")  # what makes networks fast, and bfloat16
ENOUGH_BYTES = 2**30


class Check(NamedTuple):
    """What was looked at, whether it is as it should be, and what was found."""

    name: str
    ok: bool
    found: str


def examine(root: Path) -> list[Check]:
    """Look at everything a run needs; ``root`` is where the runs would be."""
    return [python(), libraries(), processor(), gpu(), arithmetic(), folder(root), fonts()]


def python() -> Check:
    description = f"{platform.python_version()}, {platform.system()} {platform.machine()}, {sys.prefix}"
    return Check("Python", sys.version_info >= (3, 11), description)


def libraries() -> Check:
    """The versions of the libraries that phantastic declares."""
    installed, missing = [], []
    for requirement in requires("phantastic") or []:
        name = re.split(r"[^\w.-]", requirement)[0]
        try:
            if "extra ==" not in requirement:
                installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    advice = f"missing: {', '.join(missing)}; install with: pip install {' '.join(missing)}"
    return Check("libraries", not missing, advice if missing else ", ".join(installed))


def processor() -> Check:
    """Cores, threads and the instructions that PyTorch uses."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    listing = Path("/proc/cpuinfo")
    flags = set(listing.read_text().split()) & set(FEATURES) if listing.exists() else set()
    parts = [f"{cores} of {os.cpu_count()} cores", f"PyTorch takes {torch.get_num_threads()} threads"]
    parts += [f"kernels for {torch.backends.cpu.get_cpu_capability()}", *sorted(flags)]
    return Check("processor", True, ", ".join(parts))


def gpu() -> Check:
    """A GPU is welcome, not needed."""
    if not torch.cuda.is_available():
        return Check("GPU", True, "none that PyTorch can use; everything runs on the processor")
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Check("GPU", True, ", ".join(names))


def arithmetic() -> Check:
    """What ``precision = "auto"`` takes here, and why."""
    word = words()
    able, why = precision.hardware(resolve_device("auto"))
    return Check("precision", True, (word["auto_bfloat16"] if able else word["auto_float32"]).format(why=why))


def folder(root: Path) -> Check:
    """Can runs be written under ``root`` (or where it would be made), and is there room?"""
    place = next(path for path in (root.absolute(), *root.absolute().parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        return Check("folder", False, f"{place}: {REASONS.get(error.errno or 0, error.strerror or str(error))}")
    return Check("folder", free >= ENOUGH_BYTES, f"{place} can be written; {free / 2**30:.1f} GiB free")


def fonts() -> Check:
    """Is Japanese drawn, and not as boxes, which would all look alike?"""
    from PIL import Image, ImageDraw, ImageFont

    from phantastic.show.fonts import JAPANESE, japanese_font

    try:
        font = ImageFont.truetype(japanese_font(), 24)
    except (Refused, OSError) as error:
        return Check("fonts", False, str(error))
    drawn = set()
    for letter in "心脳\uffff":
        canvas = Image.new("L", (32, 32))
        ImageDraw.Draw(canvas).text((2, 2), letter, fill=255, font=font)
        drawn.add(canvas.tobytes())
    return Check("fonts", len(drawn) == 3, f"{JAPANESE}: {japanese_font()}")
