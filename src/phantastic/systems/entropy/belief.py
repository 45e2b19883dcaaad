"""What is measured of beliefs: the three forms of F in perception and action, and what surprises."""

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.declare.measure import Measure
from phantastic.ground.randomness import numpy_generator, torch_generator
from phantastic.measures.bootstrap import mean, over_items
from phantastic.systems.entropy import acting, surprise, variational
from phantastic.systems.entropy.acting import Animal
from phantastic.systems.entropy.maxent import interval
from phantastic.systems.entropy.measure import Found, drawn, gap
from phantastic.systems.entropy.surprise import Beta
from phantastic.systems.entropy.variational import FreeEnergy

PIXELS = 64  # of a frame
SNOW, PROGRAMME = 40, 40  # frames of each
STAYS = {"snow": 0.5, "programme": 0.95}  # how often a pixel is as it was in the frame before
SETTLED = 20  # the last frames of each, which are averaged


def animals(trials: int, generator: torch.Generator) -> Animal:
    """Random ones, none of which believes what is so."""
    expected, sensed, mean = 2 * torch.randn((3, trials), generator=generator, dtype=torch.float64)
    looseness, noise = 0.5 + 1.5 * torch.rand((2, trials), generator=generator, dtype=torch.float64)
    log_sd = 0.5 * torch.randn(trials, generator=generator, dtype=torch.float64)
    return Animal(expected, looseness, noise, sensed, mean, log_sd)


def forms(f: FreeEnergy) -> float:
    """How far the three forms of F are apart."""
    return max(gap(f.value, f.divergence + f.surprise), gap(f.value, f.complexity - f.accuracy))


def moved(before: FreeEnergy, after: FreeEnergy, part: str) -> float:
    """How far the change of F is from that of one part; accuracy counts against F."""
    sign = -1 if part == "accuracy" else 1
    return gap(after.value - before.value, sign * (getattr(after, part) - getattr(before, part)))


def turned(trials: int, generator: torch.Generator) -> Found:
    """Perception, and action, on random Gaussian animals and on random beliefs over twelve causes of seven sensations.

    What changes is F = energy - entropy, from which none of the parts that are held against it is computed.
    """
    animal = animals(trials, generator)
    first = acting.free_energy(animal)
    saw, did = acting.free_energy(acting.perceived(animal, 0.1)), acting.free_energy(acting.acted(animal, 0.1))
    prior, one, other = (drawn((trials, 12), generator) for _ in range(3))
    senses = drawn((trials, 12, 7), generator).log()  # of each cause, the chances of the sensations
    start, seen = (variational.free_energy(q, prior, senses[..., 0]) for q in (one, other))
    options = torch.stack([variational.free_energy(one, prior, senses[..., y]).value for y in range(7)], -1)
    best = options.argmin(-1)[:, None, None].expand(-1, 12, 1)
    done = variational.free_energy(one, prior, senses.gather(-1, best)[..., 0])
    return {
        "forms.gaussian.error": max(forms(f) for f in (first, saw, did)),
        "perception.error": max(moved(first, saw, "divergence"), moved(start, seen, "divergence")),
        "action.error": max(moved(first, did, "accuracy"), moved(start, done, "accuracy")),
        "perception.rise": float((saw.value - first.value).max()),
        "action.rise": max(float((did.value - first.value).max()), float((done.value - start.value).max())),
    }


def conjugate(trials: int, generator: torch.Generator) -> Found:
    """Both surprises of random beliefs and frames against integrals over θ, and what is expected of Bayesian surprise
    against the information that a frame carries about θ."""
    theta, weight = interval(0, 1, 400)
    a, b = 4 + 20 * torch.rand((2, trials, 1), generator=generator, dtype=torch.float64)
    yes = torch.arange(17, dtype=torch.float64)[None]  # of sixteen pixels, every number that may say yes
    prior, no = Beta(a, b), 16 - yes
    posterior = prior.learned(yes, no)

    def log_density(belief: Beta) -> Float64[Tensor, "trials counts theta"]:
        kernel = (belief.a - 1)[..., None] * theta.log() + (belief.b - 1)[..., None] * (-theta).log1p()
        return kernel - (weight * kernel.exp()).sum(-1, keepdim=True).log()

    before, after = log_density(prior), log_density(posterior)
    log_frame = yes[..., None] * theta.log() + no[..., None] * (-theta).log1p()
    evidence = (weight * (before + log_frame).exp()).sum(-1)
    divergence = (weight * after.exp() * (after - before)).sum(-1)
    by_shannon, by_bayes = surprise.shannon(prior, yes, no), surprise.bayesian(prior, posterior)
    ways = torch.lgamma(torch.tensor(17.0).double()) - torch.lgamma(yes + 1) - torch.lgamma(no + 1)
    joint = ways.exp()[..., None] * (before + log_frame).exp()  # of the count and θ
    count = (weight * joint).sum(-1)
    given_theta = (ways[..., None] + log_frame).exp()
    noise = (weight * before[:, 0].exp() * torch.special.entr(given_theta).sum(-2)).sum(-1)
    told = torch.special.entr(count).sum(-1) - noise
    return {
        "conjugate.error": max(gap(by_shannon, -evidence.log()), gap(by_bayes, divergence)),
        "conjugate.information.error": gap((count * by_bayes).sum(-1), told),
    }


def screen(viewers: int, seed: int) -> tuple[Float64[Tensor, "viewers frames"], Float64[Tensor, "viewers frames"]]:
    """Shannon's and Bayesian surprise of viewers of snow that gives way to a programme."""
    chances = torch.tensor([STAYS["snow"]] * SNOW + [STAYS["programme"]] * PROGRAMME, dtype=torch.float64)
    pixels = torch.full((viewers, SNOW + PROGRAMME), PIXELS, dtype=torch.float64)
    stayed = torch.binomial(pixels, chances.expand_as(pixels), generator=torch_generator(seed, "entropy/screen"))
    return surprise.watched(stayed, PIXELS)


def bored(viewers: int, seed: int) -> dict[str, Measure]:
    """Surprise per frame of settled snow, of the first frame of the programme, and of the programme, over viewers."""
    spans = {
        "snow": slice(SNOW - SETTLED, SNOW),
        "switch": slice(SNOW, SNOW + 1),
        "programme": slice(SNOW + PROGRAMME - SETTLED, None),
    }
    generator = numpy_generator(seed, "entropy/viewers")
    return {
        f"surprise.{span}.{kind}": over_items(course[:, frames].mean(-1).numpy(), generator, mean)
        for kind, course in zip(("shannon", "bayes"), screen(viewers, seed), strict=True)
        for span, frames in spans.items()
    }
