"""The picture of the study `gan`: images side by side."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.show.figure import Figure, image_grid, in_bytes


def side_by_side(images: Mapping[str, Float[Tensor, "n 1 64 64"]], measures: Mapping[str, Measure]) -> Figure:
    """Two rows each of data, the VAE's reconstructions of them, and samples of either; twelve columns."""
    titles = {
        "data": Text("data", "データ"),
        "reconstructed": Text("VAE: reconstructions", "VAE:再構成"),
        "vae": Text("VAE: samples", "VAE:標本"),
        "gan": Text("GAN: samples", "GAN:標本"),
    }
    rows, labels = [], []
    for kind, title in titles.items():
        tiles = in_bytes(images[kind])
        rows += [tiles[:12], tiles[12:24]]
        labels += [str(title), ""]
    phrases = {kind: described(measures, kind) for kind in ("vae", "gan")}
    caption = Text(
        "dSprites, and what a VAE and a GAN make of them in as many steps. Of the data every picture holds one shape, "
        "and no pixel is grey (between .1 and .9). "
        f"Of the VAE's samples {phrases['vae']}; of the GAN's {phrases['gan']}.",
        "dSprites と、同じステップ数だけ学習した VAE と GAN の結果。"
        "データではどの画像にも形が 1 つあり、灰色の画素(.1〜.9)はない。"
        f"VAE の標本では{phrases['vae']}。GAN の標本では{phrases['gan']}。",
    )
    return Figure(str(caption), image_grid(np.stack(rows), labels))


def described(measures: Mapping[str, Measure], kind: str) -> str:
    """How many samples hold a shape and, where enough do, how grey those are."""
    share, grey = measures[f"image.{kind}.shapes"].value, measures.get(f"image.{kind}.grey")
    phrase = str(Text(f"{share:.0%} hold one shape", f"{share:.0%} に形が 1 つ"))
    if grey is None:
        return phrase
    return phrase + str(Text(f", with {grey.value:.2%} grey pixels", f"(灰色の画素は {grey.value:.2%})"))
