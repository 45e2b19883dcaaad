"""No item of a test is one that was learned from, study by study; a new study must say which its items are."""

from collections.abc import Callable, Hashable, Sequence
from itertools import combinations, product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from msgspec import structs
from torch import Tensor, nn

from phantastic.declare.study import register
from phantastic.nn.distributions import Gaussian
from phantastic.pretraining.batches import Examples, language
from phantastic.pretraining.corpus import Masking
from phantastic.systems.bert.measure import test_of as pairs_of
from phantastic.systems.bottleneck import clips, dubbing, places, speaking
from phantastic.systems.bottleneck.study import FUSION, INTEGRATION
from phantastic.systems.decisions import experiment, shapes
from phantastic.systems.family.measure import full_stop, hidden_words, sentences
from phantastic.systems.family.members import corpus
from phantastic.systems.finetune.search import held_out
from phantastic.systems.gan import game, gan, modes
from phantastic.systems.gan.model import ImageDiscriminator, PointDiscriminator
from phantastic.systems.probe.treebank import SPLITS, from_grammar
from phantastic.systems.scan.experiment import setting
from phantastic.systems.scan.rooms import Rooms
from phantastic.systems.scan.symbolic import draw_concepts, draw_held_out, draw_lessons
from phantastic.systems.scan.visual import Pool
from phantastic.systems.transfer import tasks as of_languages
from phantastic.systems.transfer.bilingual import translated_sentences
from phantastic.systems.transfer.crossing import Crossing
from phantastic.systems.transformer.learners import LEARNERS, drawn
from phantastic.systems.vae import vae
from phantastic.tuning import further
from phantastic.tuning.tasks import Example, Task, of_grammar
from phantastic.tuning.texts import grammar
from phantastic.world import dsprites
from phantastic.world.sentences import LANGUAGES

SOME = 1_000, 100  # examples to learn from and to be tested on, of tasks that are slow to cut
Parts = dict[str, set[Hashable]]  # the items of each part, as they are given to a network
STUDIES = register()
CPU = torch.device("cpu")


def of(*columns: np.ndarray) -> set[Hashable]:
    return {tuple(each.tobytes() for each in row) for row in zip(*columns, strict=True)}


def fusion() -> dict[str, Parts]:
    recipe = FUSION.presets["tiny"]
    found = {}
    for part in ("train", "validation", "test"):
        made = clips.corpus(recipe, 0, part, 48)  # pyright: ignore[reportArgumentType]
        found[part] = of(made.frames.numpy(), made.spectrograms.numpy())
    return {"clips": found}


def integration() -> dict[str, Parts]:
    """Trials of localising by their sources, which noise cannot hide; dubbed events and syllables as they are shown."""
    recipe = structs.replace(INTEGRATION.presets["tiny"], test_trials=48)
    trials = {
        part: of(places.render(places.training(recipe, common), 0, f"integration/{part}", 48).cues.sources)  # pyright: ignore[reportArgumentType]
        for part, common in (("train", recipe.common), ("test", 1.0), ("ventriloquist", 1.0))  # pyright: ignore[reportAttributeAccessIssue]
    }
    events, spoken = {}, {}
    for part in ("dubbed", "congruent"):
        made = dubbing.render(recipe, 0, f"integration/{part}", 16).clips  # pyright: ignore[reportArgumentType]
        events[part] = of(made.frames.numpy(), made.spectrograms.numpy())
    for part in ("speech", "spoken"):
        cues = speaking.render(0, f"integration/{part}", 48).cues
        spoken[part] = of(cues.seen, cues.heard)
    return {"trials": trials, "events": events, "syllables": spoken}


def transformer() -> dict[str, Parts]:
    """The strings of the whole quick run; sentences are OPEN."""
    recipe = STUDIES["transformer"].presets["quick"]
    found: Parts = {}
    for purpose, count, steps in (
        ("train", recipe.strings, recipe.string_steps),  # pyright: ignore[reportAttributeAccessIssue]
        ("measure", recipe.tested, 1),  # pyright: ignore[reportAttributeAccessIssue]
        ("measure/choose", recipe.tested // 4, 1),  # pyright: ignore[reportAttributeAccessIssue]
    ):
        batches = [drawn(recipe, LEARNERS["reversal"], count, 0, purpose, step).source for step in range(steps)]  # pyright: ignore[reportArgumentType]
        found[purpose] = {row for batch in batches for row in map(tuple, batch.tolist())}
    return {"strings": found}


def family() -> dict[str, Parts]:
    """Sentences that were read and those of which a word is asked; of each task the texts."""
    recipe, source = structs.replace(STUDIES["family"].presets["quick"], pools=1), grammar(8_192)
    texts, stop = corpus("gpt", recipe, source, 0, torch.device("cpu")), full_stop(source)  # pyright: ignore[reportArgumentType]
    rows = [row for number in range(texts.length) for row in texts.rows(number)[0].tokens.tolist()]
    read = set().union(*sentences(rows, stop))
    asked = [ids.tolist() for ids, *_ in hidden_words(source, 0, 256, recipe.longest, read)]  # pyright: ignore[reportAttributeAccessIssue]
    found: dict[str, Parts] = {
        "hidden words": {
            "read": set(read),
            "test": set().union(*(each for part in asked for each in sentences(part, stop))),
        }
    }
    return found | {
        task.name: {"train": told(task.train, task), "test": told(task.test, task)} for task in of_grammar(0, 200, 100)
    }


def told(examples: Sequence[Example], task: Task) -> set[Hashable]:
    """What is to be new of an example: its words with tags, the text that is asked about, every sentence."""
    if task.kind == "tags":
        return {example.texts for example in examples}
    return {text for example in examples for text in example.texts[1 if task.kind == "span" else 0 :]}


def finetune() -> dict[str, Parts]:
    """The tasks; and what is held out to choose by, as whole examples."""
    found: dict[str, Parts] = {}
    for task in (*of_grammar(0, *SOME), *further.of_grammar(0, *SOME)):
        learned, held = held_out(task, 200)
        found[task.name] = {"train": told(learned, task), "test": told(task.test, task)}
        whole = (("train", learned), ("held out", held), ("test", task.test))
        found[f"{task.name}, whole"] = {part: {example.texts for example in examples} for part, examples in whole}
    return found


def ablations() -> dict[str, Parts]:
    found = of_grammar(0, *SOME)
    return {task.name: {"train": told(task.train, task), "test": told(task.test, task)} for task in found}


def transfer() -> dict[str, Parts]:
    """Tasks in both languages; sentences beside their translations that were read, and those that are retrieved."""
    recipe: Any = STUDIES["transfer"].presets["quick"]
    found: dict[str, Parts] = {}
    for name, spoken in product(of_languages.NAMES, LANGUAGES):
        task = of_languages.in_language(name, spoken, 0, recipe.train, recipe.test)
        found[f"{name}, {spoken}"] = {"train": told(task.train, task), "test": told(task.test, task)}
    setting = Crossing(recipe, 0, CPU)
    read = translated_sentences(setting.plan, setting.languages[0].grammar, 0)
    asked = {" ".join(words) for side in setting.bitext.words for words in side}
    return found | {"translations": {"read": {*read}, "retrieved": {*asked}}}


def probe() -> dict[str, Parts]:
    recipe: Any = STUDIES["probe"].presets["full"]
    counts = recipe.train_sentences, recipe.dev_sentences, recipe.test_sentences
    parts = {name: from_grammar(name, counts, 0) for name in LANGUAGES}
    return {
        name: {part: {tuple(words) for words in each.forms} for part, each in zip(SPLITS, found, strict=True)}
        for name, found in parts.items()
    }


def bert() -> dict[str, Parts]:
    """Pairs of sentences: of those that are read in 300 of 18,000 steps."""
    read = Examples(language("english"), 0, 64, masking=Masking(0.0, 0.0, 1.0))
    batch = pairs_of(read.source, 0, 500, 0.15).batch  # pyright: ignore[reportArgumentType]
    asked = batch.input_ids.clone()
    for row, hidden, truth in zip(asked, batch.prediction_positions, batch.labels, strict=True):
        row[hidden[truth >= 0]] = truth[truth >= 0]
    rows = [row for step in range(300) for row in read.rows(step)[0].tokens.tolist()]
    return {
        "pairs": {
            part: {tuple(filter(None, row)) for row in of} for part, of in (("read", rows), ("test", asked.tolist()))
        }
    }


def decisions() -> dict[str, Parts]:
    """Pictures with their noise; the shapes under it are the same few by design, of which Bayes' rule is a sum."""
    recipe: Any = STUDIES["decisions"].presets["tiny"]
    pictures = experiment.drawn(recipe, recipe.seed) | {
        "train": shapes.draw(recipe.pictures, 0.5, recipe.noise, recipe.seed, "train")
    }
    return {"pictures": {part: of(each.pixels) for part, each in pictures.items()}}


class Hearing(nn.Module):
    """Stands for a network of which only the noise that it is given is asked."""

    def __init__(self, noise: int, shape: tuple[int, ...] = ()):
        super().__init__()
        self.noise, self.shape, self.heard = noise, shape or (noise,), []
        self.weight = nn.Parameter(torch.zeros(()))
        self.log_variance = torch.zeros(())

    def forward(self, noise: Tensor) -> Tensor:
        self.heard.append(noise.detach().numpy())
        return self.weight + torch.zeros(len(noise), *self.shape)

    def encode(self, images: Tensor) -> Gaussian:
        still = self.weight + torch.zeros(len(images), self.noise)
        return Gaussian(still, still)

    decode = forward

    def log_likelihood(self, logits: Tensor, images: Tensor) -> Tensor:
        return logits.flatten(1).sum(1)

    def items(self) -> set[Hashable]:
        return of(np.concatenate(self.heard))


def games(network: Hearing, judge: nn.Module, data: Tensor, recipe: Any) -> None:
    """All turns of a game, without a step of the optimisers."""
    turns: list[Callable[[int], object]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(game, "train", lambda *arguments, **_: turns.append(arguments[4]))
        run: Any = SimpleNamespace(device=CPU)
        players = {"generator": network, "discriminator": judge}
        game.play(run, recipe.seed, "game", players, lambda step: data, recipe.steps, rate=0.1, penalty=0.0)
    for step in range(recipe.steps):
        turns[0](step)


def images_of_games() -> dict[str, Parts]:
    """Noise. Of images nothing is held back (`test_what_learns_from_all_there_is`): scored is what is made."""
    recipe: Any = STUDIES["gan"].presets["tiny"]
    train, score = (Hearing(recipe.latent, (1, 64, 64)) for _ in range(2))
    games(train, ImageDiscriminator(1, 64), torch.zeros(recipe.batch, 1, 64, 64), recipe)
    gan.made({"generator": score, "vae": Hearing(recipe.latent, (1, 64, 64))}, recipe.sample, recipe.seed, CPU)
    return {"noise": {"train": train.items(), "score": score.items()}}


def points_of_games() -> dict[str, Parts]:
    """Points of the mixture are drawn anew at every step and never scored: scored is what is made, of other noise."""
    recipe: Any = STUDIES["modes"].presets["tiny"]
    train, score = (Hearing(modes.NOISE, (2,)) for _ in range(2))
    games(train, PointDiscriminator(2), torch.zeros(recipe.batch, 2), recipe)
    networks = {f"ring_{each}_generator": score for each in modes.GAMES} | {"ring_vae": Hearing(modes.NOISE, (2,))}
    modes.made(networks, "ring", recipe.sample, recipe.seed, CPU)
    return {"noise": {"train": train.items(), "score": score.items()}}


def family_of_vaes() -> dict[str, Parts]:
    """The noise of the codes. Of images nothing is held back (`test_what_learns_from_all_there_is`)."""
    recipe: Any = STUDIES["vae"].presets["tiny"]
    train, score = Hearing(recipe.latent), Hearing(recipe.latent)
    data = dsprites.part(recipe.images, recipe.seed)
    turn = vae.losses(recipe, "vae", recipe.seed, {"vae": train}, data, CPU)
    for step in range(recipe.steps):
        turn(step)
    _, images = vae.test_images(recipe.sample, recipe.seed)
    codes: Any = score
    vae.coded(codes, dsprites.as_batch(images, CPU), recipe.seed)
    return {"noise": {"train": train.items(), "score": score.items()}}


def scan() -> dict[str, Parts]:
    """Images of rooms as they are seen; concepts taught and held out, and results of the operators, as at `quick`."""
    tiny: Any = STUDIES["scan"].presets["tiny"]
    quick: Any = STUDIES["scan"].presets["quick"]
    rooms = Rooms(tiny.size, tiny.colours)
    run: Any = SimpleNamespace(
        first_seed=0, device=CPU, checkpoints=SimpleNamespace(latest=SimpleNamespace(finished=()))
    )
    scene = setting(run, tiny)
    lessons = draw_lessons(rooms, scene.concepts, tiny.pairs, tiny.seed).images.flatten(0, 1)
    images = {"pool": Pool(rooms, tiny.images, tiny.seed, CPU).images, "lessons": lessons, "test": scene.images}
    vocabulary = Rooms(quick.size, quick.colours).vocabulary
    taught, held_out = draw_concepts(vocabulary, quick)
    operations = draw_held_out(vocabulary, quick.test_concepts, 20 * quick.test_concepts, quick.seed)
    return {
        "rooms": {part: of(each.contiguous().numpy()) for part, each in images.items()},
        "concepts": {"taught": of(taught), "held out": of(held_out)},
        "results": {part: of(each.result) for part, each in zip(("taught", "held out"), operations, strict=True)},
    }


SHOWN: dict[str, Callable[[], dict[str, Parts]]] = {
    "ablations": ablations,
    "bert": bert,
    "decisions": decisions,
    "family": family,
    "finetune": finetune,
    "fusion": fusion,
    "gan": images_of_games,
    "integration": integration,
    "modes": points_of_games,
    "probe": probe,
    "scan": scan,
    "transfer": transfer,
    "transformer": transformer,
    "vae": family_of_vaes,
}
WITHOUT = {  # models are given, beliefs follow one stimulus, or all that there can be is enumerated
    "entropy",
    "filtering",
    "pursuit",
    "observe",
    "plaid",
    "occlusion",
    "force_matching",
    "schizophrenia",
    "song",
    "kl",
    "wake_sleep",
    "cueing",
    "particles",
}  # fmt: skip


def test_every_study_says_which_its_items_are() -> None:
    assert set(STUDIES) == set(SHOWN) | WITHOUT
    assert not set(SHOWN) & WITHOUT


@pytest.mark.parametrize("name", SHOWN)
def test_parts_have_no_item_in_common(name: str) -> None:
    for world, parts in SHOWN[name]().items():
        for one, other in combinations(parts, 2):
            assert len(parts[one]) > 1, (world, one)
            assert not parts[one] & parts[other], (world, one, other)


def test_an_item_of_both_parts_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the test's clips are drawn as the training's are."""
    render = clips.render
    monkeypatch.setattr(clips, "render", lambda recipe, seed, purpose, count: render(recipe, seed, "same", count))
    parts = fusion()["clips"]
    assert parts["train"] == parts["test"]


@pytest.mark.parametrize("name", ["gan", "vae"])
def test_what_learns_from_all_there_is_holds_nothing_back(name: str) -> None:
    """dSprites is a finite set, and no generalisation to other images is claimed of these studies: at every size at
    which claims on images are judged they learn from the whole of it."""
    for preset in ("quick", "full", "paper"):
        recipe: Any = STUDIES[name].presets[preset]
        assert recipe.images == dsprites.IMAGES
