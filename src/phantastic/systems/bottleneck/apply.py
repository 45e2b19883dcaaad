"""A clip of the user's own: what a trained model hears, sees and both, and where its bottleneck looks and listens."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from phantastic.data import clips
from phantastic.data.spectrogram import log_mel
from phantastic.declare.i18n import Text, language
from phantastic.ground.errors import Refused
from phantastic.nn.attention import reading
from phantastic.run.folder import Run
from phantastic.show.figure import Figure, image_grid, write
from phantastic.systems.bottleneck.clips import Corpus, architectures, classes_of, middle
from phantastic.systems.bottleneck.model import FusionTransformer
from phantastic.systems.bottleneck.study import FusionApply, FusionRecipe
from phantastic.systems.bottleneck.training import build
from phantastic.world import events

HEADS = Text("event", "出来事"), Text("both", "両方"), Text("seen", "視覚"), Text("heard", "聴覚")
SHOWN = 160  # pixels of a picture's side


def apply(run: Run[FusionRecipe], request: FusionApply) -> list[str]:
    """Event probabilities of ``clip``, or of ``frames`` with ``audio``: with both senses and with each alone; and a
    picture of the bottleneck's attention."""
    recipe = run.recipe
    separate = [Path(given) for given in (request.frames, request.audio) if given is not None]
    if (request.clip is None) == (not separate):
        raise Refused("apply fusion: give --clip FILE (a video), or --frames DIR and --audio FILE")
    if len(separate) == 1:
        raise Refused("apply fusion: frames and sound go together; give both --frames DIR and --audio FILE")
    target = run.destination(request.to, "attention.png")
    paths = separate if request.clip is None else [Path(request.clip)]
    clip = clips.read(paths, 0.0, recipe.seconds, None, recipe.frames, recipe.size)
    spectrogram = log_mel(torch.from_numpy(clip.sound), bands=recipe.bands, hop=recipe.hop)
    corpus = Corpus(torch.from_numpy(clip.frames)[None], spectrogram[None].half(), torch.zeros(1, 1))
    probabilities, models = [], []
    for name in (f"bottleneck{middle(recipe)}", "rgb", "spectrogram"):
        model = build(architectures(recipe)[name], recipe.seed, run.device)
        run.load(f"seed{recipe.seed}/{name}", {"model": model})
        with torch.no_grad():
            logits = model(**corpus.inputs(slice(1), tuple(model.architecture.senses)))
        probabilities.append(torch.sigmoid(logits)[0].tolist())
        models.append(model)
    names = events.CLASSES_JA if language() == "ja" and not recipe.data else classes_of(recipe)
    lines = [f"{note}" for note in clip.notes]
    lines.append("  ".join(f"{head!s:>5}" for head in HEADS[1:]) + f"  {HEADS[0]}")
    for row in sorted(range(len(names)), key=lambda row: -probabilities[0][row]):
        lines.append("  ".join(f"{each[row]:5.2f}" for each in probabilities) + f"  {names[row]}")
    (written,) = write(looked(models[0], corpus, recipe.seconds), target.with_suffix(""))
    return [*lines, str(written)]


@torch.no_grad()
def attention(model: FusionTransformer, corpus: Corpus) -> dict[str, Float[Tensor, "*grid"]]:
    """How much the bottleneck tokens of the first fused layer attend to each patch of each sense, summing to one over
    its patches; the mean over tokens and heads."""
    a = model.architecture
    between = a.bottleneck_tokens
    model.compute = "published"
    points = [model.blocks(name)[a.fusion_layer].attention.weights for name in a.senses]
    with reading(points) as readings:
        model(**corpus.inputs(slice(1), tuple(a.senses)))
    maps = {}
    for (name, sense), weights in zip(a.senses.items(), readings, strict=True):
        looks = weights[0][0, :, -between:, a.cls : a.cls + sense.tokens].mean((0, 1))
        maps[name] = (looks / looks.sum()).reshape(sense.grid).cpu()
    return maps


def looked(model: FusionTransformer, corpus: Corpus, seconds: float) -> Figure:
    """Frames and spectrogram, with what the bottleneck attends to left bright."""
    maps = attention(model, corpus)
    frames = corpus.frames[0].numpy()
    light = maps["rgb"]
    shade = enlarged(
        light.repeat_interleave(-(-len(frames) // len(light)), 0)[: len(frames)].numpy(), frames.shape[1:3]
    )
    chosen = np.linspace(0, len(frames) - 1, min(4, len(frames))).round().astype(int)
    pictures = [resized(lit(frames[index], shade[index])) for index in chosen]
    sound = corpus.spectrograms[0].float().numpy().T[::-1]  # time to the right, pitch upwards
    sound = (255 * (sound - sound.min()) / max(float(np.ptp(sound)), 1e-6)).astype(np.uint8)
    weights = enlarged(maps["spectrogram"].numpy().T[::-1][None], sound.shape)[0]
    pictures.append(resized(lit(np.repeat(sound[..., None], 3, 2), weights)))
    columns = [f"{seconds * (index + 0.5) / len(frames):.1f} s" for index in chosen]
    columns.append(str(Text("spectrogram", "スペクトログラム")))
    caption = Text(
        "What the bottleneck tokens of the first fused layer attend to, bright: patches of frames, and of the "
        "spectrogram (time to the right, pitch upwards).",
        "最初の融合層でボトルネックトークンが注意を向ける場所(明るい部分):画像と、スペクトログラム(右が時間、上が高い音)。",
    )
    return Figure(str(caption), image_grid(np.stack(pictures)[None], column_labels=columns))


def enlarged(weights: Float[np.ndarray, "time rows columns"], size: tuple[int, ...]) -> Float[np.ndarray, "time h w"]:
    """Weights of patches as brightness from .25 to 1 of the pixels that they cover."""
    scaled = 0.25 + 0.75 * (weights - weights.min()) / max(float(np.ptp(weights)), 1e-12)
    rows = np.arange(size[0]) * weights.shape[1] // size[0]
    columns = np.arange(size[1]) * weights.shape[2] // size[1]
    return scaled[:, rows][:, :, columns]


def lit(picture: UInt8[np.ndarray, "h w 3"], shade: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    return (picture * shade[..., None]).astype(np.uint8)


def resized(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "s s 3"]:
    return np.asarray(Image.fromarray(picture).resize((SHOWN, SHOWN), Image.Resampling.NEAREST))
