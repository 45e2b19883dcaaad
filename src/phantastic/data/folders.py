"""Pictures of the user's own: a file or a folder of them, brought to one size."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from phantastic.data.files import folder, names_in, regular_file
from phantastic.ground.errors import Refused

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # no EPS, which would start another program
LARGEST = 2**26  # pixels; a small file can claim to be a picture that fills the memory
DROPPINGS = {"thumbs.db", "desktop.ini"}  # what Windows leaves in folders; elsewhere such names begin with a dot


class Pictures(NamedTuple):
    """Pictures with the names of their files."""

    images: UInt8[np.ndarray, "n size size channels"]
    names: tuple[str, ...]


def picture(path: str | Path, size: int, channels: int = 3) -> UInt8[np.ndarray, "size size channels"]:
    """One picture: upright by its EXIF tag, its middle square, resized by Lanczos's filter, on white if transparent.

    `channels` is 3 (RGB) or 1 (grey). The first frame of an animation. Raises Refused naming the file where it is
    absent, damaged, no picture, or larger than LARGEST pixels.
    """
    if size < 1 or channels not in (1, 3):
        raise Refused(
            f"pictures of {size}x{size} pixels in {channels} channels; allowed: 1 pixel or more, 1 or 3 channels"
        )
    path = regular_file(path, "a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fault is refused here, or harmless
            with Image.open(path, formats=FORMATS) as opened:
                if opened.width * opened.height > LARGEST:
                    raise Refused(
                        f"{str(path)!r} is {opened.width}x{opened.height} pixels; at most {LARGEST:,} are read: "
                        "save it smaller"
                    )
                upright = eight_bits(ImageOps.exif_transpose(opened))
        fitted = ImageOps.fit(
            flat(upright).convert("L" if channels == 1 else "RGB"), (size, size), Image.Resampling.LANCZOS
        )
    except Refused:
        raise
    except Exception as error:  # a damaged file can raise nearly anything within Pillow's decoders
        state = "in no format that is read here" if isinstance(error, UnidentifiedImageError) else f"damaged ({error})"
        raise Refused(f"{str(path)!r} is {state}; expected a whole file of {', '.join(FORMATS)}") from error
    return np.array(fitted).reshape(size, size, channels)


def eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey brought to 8 bits, which Pillow's own conversion would clip instead."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("32 bits per pixel; 8 or 16 are read")
    return image


def flat(image: Image.Image) -> Image.Image:
    """A transparent picture laid on white; others as they are."""
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def load(path: str | Path, size: int, channels: int = 3) -> Pictures:
    """All pictures of a folder, sorted by name, each as `picture` reads it.

    Raises Refused where the folder is absent or holds no picture, or holds anything else, which is named.
    """
    path = folder(path, "a folder of pictures")
    names = tuple(name for name in names_in(path) if not name.startswith(".") and name.lower() not in DROPPINGS)
    if not names:
        raise Refused(f"the folder {str(path)!r} holds no picture; expected files of {', '.join(FORMATS)}")
    images = np.empty((len(names), size, size, channels), np.uint8)
    for image, name in zip(images, names, strict=True):
        image[:] = picture(path / name, size, channels)
    return Pictures(images, names)
