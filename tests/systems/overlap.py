"""No item of a test is one that was learned from, study by study; a new study must say which its items are."""

from collections.abc import Callable, Hashable
from itertools import combinations

import numpy as np
import pytest
import torch
from msgspec import structs

from phantastic.declare.study import register
from phantastic.systems.bottleneck import clips, dubbing, places, speaking
from phantastic.systems.bottleneck.study import FUSION, INTEGRATION
from phantastic.systems.family.measure import full_stop, hidden_words, sentences
from phantastic.systems.family.members import corpus
from phantastic.systems.transformer.learners import LEARNERS, drawn
from phantastic.tuning.tasks import of_grammar
from phantastic.tuning.texts import grammar

Parts = dict[str, set[Hashable]]  # the items of each part, as they are given to a network
STUDIES = register()


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
    for task in of_grammar(0, 200, 100):
        parts = (("train", task.train), ("test", task.test))
        found[task.name] = {name: {example.texts for example in examples} for name, examples in parts}
    return found


SHOWN: dict[str, Callable[[], dict[str, Parts]]] = {
    "family": family,
    "fusion": fusion,
    "integration": integration,
    "transformer": transformer,
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
OPEN = {
    "ablations",
    "bert",
    "decisions",
    "finetune",
    "gan",
    "modes",
    "probe",
    "scan",
    "transfer",
    "vae",
}  # items not yet listed here


def test_every_study_says_which_its_items_are() -> None:
    assert set(STUDIES) == set(SHOWN) | WITHOUT | OPEN
    assert not set(SHOWN) & WITHOUT
    assert not OPEN & (set(SHOWN) | WITHOUT)


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
