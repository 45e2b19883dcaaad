"""What the study measures: each published simulation under one noise."""

import math
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from phantastic.inference import published
from phantastic.inference.generation import generate
from phantastic.inference.model import Model
from phantastic.inference.published.song import SONGS, hierarchical_model
from phantastic.inference.result import Result
from phantastic.measures.gaussian import NORMAL, correlations, rms
from phantastic.systems.song.study import SongRecipe

Found = dict[str, float]
LOCKED = 32  # bins after which a listener has locked on to the song
AFTER = 15  # bins of silence after which what is still heard is no echo of the song
STATES = 8.0  # log-precision of the first level's states, in every listener
LISTENERS = ("full", "omission", "attenuated", "hallucination")
PRIORS = {"canonical": "canonical", "no_structure": "no_structural_priors", "no_dynamics": "no_dynamical_priors"}


@lru_cache(maxsize=8)
def recognised(song: str, seed: int) -> Result:
    """A song of one category, whose two causes are inferred."""
    return published.setup("birdsong", song).run(seed=seed)


@lru_cache(maxsize=8)
def followed(recipe: SongRecipe, listener: str, seed: int) -> Result:
    """The hierarchical song, the same for all, heard by a listener with or without structural and dynamical priors."""
    simulation, singer = (published.setup("hierarchical_song", PRIORS[name]) for name in (listener, "canonical"))
    truth = generate(singer.process, _unmoved(recipe), orders=singer.orders, seed=seed)
    return replace(simulation.run(y=truth.v[1]), process=truth)


def log_precisions(recipe: SongRecipe, listener: str) -> tuple[float, float, float, float]:
    """Of V1, W1, V2 and W2 of a listener to the song that breaks off."""
    sensory = recipe.compensated if listener == "hallucination" else recipe.sensory
    prior = recipe.reduced if listener in ("attenuated", "hallucination") else recipe.prior
    return sensory, STATES, prior, prior


def listener_model(recipe: SongRecipe, listener: str) -> Model:
    """What the listener believes, from the published start."""
    return hierarchical_model((1.0, 1.0, 32.0), (1.0, 1.0, 8.0), log_precisions(recipe, listener))


@lru_cache(maxsize=8)
def heard(recipe: SongRecipe, listener: str, seed: int) -> Result:
    """The song that breaks off (for the listener `full`: goes on) as a listener hears it."""
    return broken(recipe, listener_model(recipe, listener), seed, whole=listener == "full")


def broken(recipe: SongRecipe, model: Model, seed: int, whole: bool = False) -> Result:
    """The song that breaks off after ``sung`` bins, or does not, as ``model`` hears it."""
    simulation = published.setup("song_omission", "omission_normal")

    def silenced(y: Tensor) -> Tensor:
        return y if whole else torch.cat([y[: recipe.sung], torch.zeros_like(y[recipe.sung :])])

    return simulation.changed(model=model, causes=_unmoved(recipe), edit=silenced).run(seed=seed)


def _unmoved(recipe: SongRecipe) -> Tensor:
    return torch.zeros(recipe.sung + recipe.silence, 0, dtype=torch.float64)


def response(result: Result) -> Tensor:
    """The simulated evoked response at the sensory level: the size of the precision-weighted errors at each bin."""
    return result.weighted_errors()["z"][1].norm(dim=-1)


def named(recipe: SongRecipe, seed: int) -> Found:
    """The two causes of each song, and how many of them lie within their 90% intervals."""
    measures: Found = {}
    inside = 0
    for song, (rayleigh, second) in SONGS.items():
        belief = recognised(song, seed)
        mean = belief.v[2][recipe.listened - 1]
        deviation = belief.covariance.v[recipe.listened - 1].diagonal().sqrt()
        letter = song[-1]
        measures[f"{letter}.rayleigh"], measures[f"{letter}.second"] = mean.tolist()
        measures[f"{letter}.rayleigh.deviation"] = float(mean[0]) / rayleigh - 1
        measures[f"{letter}.second.deviation"] = float(mean[1]) / second - 1
        inside += int(((mean - mean.new_tensor([rayleigh, second])).abs() <= NORMAL * deviation).sum())
    return measures | {"causes.inside": inside / 6}


def expected(recipe: SongRecipe, seed: int) -> Found:
    """Root mean square error of the predicted response after locking on, by what the listener expects."""
    measures: Found = {}
    for listener in PRIORS:
        belief = followed(recipe, listener, seed)
        assert belief.process is not None
        measures[f"{listener}.error"] = rms((belief.v[1] - belief.process.v[1])[LOCKED:])
    return measures


def surprised(recipe: SongRecipe, seed: int) -> Found:
    """Responses from the omission on, and what is heard in the silence."""
    measures: Found = {}
    whole = heard(recipe, "full", seed).process
    assert whole is not None
    for listener in LISTENERS:
        belief = heard(recipe, listener, seed)
        measures |= {f"{listener}.{name}": value for name, value in evoked(recipe, belief).items()}
        measures[f"{listener}.song"] = alike(belief.v[1], whole.v[1], slice(recipe.sung + AFTER, None))
        measures[f"{listener}.song.before"] = alike(belief.v[1], whole.v[1], slice(LOCKED, recipe.sung))
    return measures


def alike(percept: Tensor, song: Tensor, where: slice) -> float:
    """Mean correlation of what is heard with what the bird would sing, of the response's two channels; 0 where nothing
    varies that is heard."""
    return float(correlations(percept[where], song[where]).nan_to_num().mean())


def evoked(recipe: SongRecipe, belief: Result) -> Found:
    """Of one listener: peak and root mean square of the response, and the song heard when it should be over."""
    late = response(belief)[recipe.sung :]
    return {
        "peak": float(late.max()),
        "power": math.sqrt(float(late[:AFTER].pow(2).mean())),
        "heard": float(belief.v[1][recipe.sung + AFTER :].abs().mean()),
    }


def every(recipe: SongRecipe, seed: int) -> Found:
    """Everything under one noise."""
    return named(recipe, seed) | expected(recipe, seed) | surprised(recipe, seed)
