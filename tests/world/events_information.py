"""What each sense tells of each class: by enumeration of what can be, and by what simple classifiers find in clips."""

from collections.abc import Iterable
from itertools import product

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from phantastic.data.spectrogram import log_mel
from phantastic.world import events
from phantastic.world.events import CLASSES, GROUPS, World

TRAINED, TESTED = 1000, 500
CHANCE = 0.1  # how far from .5 an AUC over 500 clips can stray: four standard errors of a balanced class
COLOURS = np.array(
    [
        (1, 1, 1),
        (0.95, 0.85, 0.1),
        (0.95, 0.55, 0.95),
        (0.3, 0.6, 0.6),
        (0, 0, 0),
        (0.6, 0.35, 0.15),
        (0.72, 0.12, 0.2),
    ],
    np.float32,
)


def bits(pairs: list[tuple]) -> float:
    """The mutual information of two variables that take these pairs of values equally often."""
    table = np.zeros((len({a for a, _ in pairs}), len({b for _, b in pairs})))
    rows, columns = (sorted({pair[side] for pair in pairs}) for side in (0, 1))
    for a, b in pairs:
        table[rows.index(a), columns.index(b)] += 1 / len(pairs)
    apart = table.sum(1, keepdims=True) * table.sum(0)
    return float((table[table > 0] * np.log2(table[table > 0] / apart[table > 0])).sum())


def test_the_atoms_by_enumeration():
    facts = [np.array(each).reshape(2, 4) for each in product((0, 1), repeat=8)]
    labels = [events.labels(np.zeros(12, bool), each) for each in facts]
    told = [(tuple(each[0]), tuple(each[1]), tuple(each.ravel())) for each in facts]
    for column, (sight, sound, both) in (
        *((column, (1, 0, 1)) for column in GROUPS["visual"][4:]),
        *((column, (0, 1, 1)) for column in GROUPS["auditory"][4:]),
        *((column, (0, 0, 1)) for column in GROUPS["synergy"]),
    ):
        for sense, expected in enumerate((sight, sound, both)):
            found = bits([(what[sense], float(label[column])) for what, label in zip(told, labels, strict=True)])
            assert found == pytest.approx(expected, abs=1e-12), (CLASSES[column], sense)
    pairs = [(a, b) for a in range(24) for b in range(a) if np.ptp([label[[a, b]] for label in labels], 0).all()]
    assert len(pairs) == 12 * 11 / 2
    assert max(bits([(float(label[a]), float(label[b])) for label in labels]) for a, b in pairs) < 1e-12


def seen_features(frames: np.ndarray) -> np.ndarray:
    """How much of each frame has each of a few colours and in which row that lies; how much changes in each row."""
    pixels = frames.reshape(*frames.shape[:2], 16, 2, 16, 2, 3).mean((3, 5), dtype=np.float32) / 255
    near = np.stack([np.exp(-np.square(pixels - colour).sum(-1) / 0.08) for colour in COLOURS], -1)
    height = (near * np.linspace(-1, 1, 16)[:, None, None]).sum((2, 3)) / near.sum((2, 3))
    change = np.abs(np.diff(pixels.mean(-1), axis=1)).mean(3)
    return np.concatenate([each.reshape(len(frames), -1) for each in (near.mean((2, 3)), height, change)], 1)


def heard_features(sound: np.ndarray) -> np.ndarray:
    """The log-mel spectrogram, 20 stretches of 20 bands."""
    levels = log_mel(torch.from_numpy(sound[:, 0]), bands=40, hop=0.02).numpy()
    return levels.reshape(len(sound), 20, 5, 20, 2).mean((2, 4)).reshape(len(sound), -1)


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    """The AUC of each class from what is seen and from what is heard; of the synergy, from both side by side too, and
    from the product of what each sense tells of its own fact."""
    clips = events.render(World(size=32), 0, "information", range(TRAINED + TESTED))
    sight, sound, labels = seen_features(clips.frames), heard_features(clips.sound), clips.labels

    def scores(features: np.ndarray, column: int) -> np.ndarray:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
        return model.fit(features[:TRAINED], labels[:TRAINED, column]).decision_function(features)

    def areas(features: np.ndarray, columns: Iterable[int]) -> np.ndarray:
        return np.array([roc_auc_score(labels[TRAINED:, c], scores(features, c)[TRAINED:]) for c in columns])

    result = {name: areas(features, range(len(CLASSES))) for name, features in (("sight", sight), ("sound", sound))}
    result["both"] = areas(np.concatenate([sight, sound], 1), GROUPS["synergy"])
    agreement = [
        scores(sight, GROUPS["visual"][4 + fact]) * scores(sound, GROUPS["auditory"][4 + fact]) for fact in range(4)
    ]
    result["products"] = np.array(
        [
            roc_auc_score(labels[TRAINED:, c], score[TRAINED:])
            for c, score in zip(GROUPS["synergy"], agreement, strict=True)
        ]
    )
    result["labels"] = labels
    return result


def told(found: dict[str, np.ndarray], sense: str, group: str) -> np.ndarray:
    return found[sense][list(GROUPS[group])]


def test_what_one_sense_alone_tells_the_other_does_not(found):
    for group, sense, other in (("visual", "sight", "sound"), ("auditory", "sound", "sight")):
        assert told(found, sense, group).min() > 0.85
        assert np.abs(told(found, other, group) - 0.5).max() < CHANCE


def test_either_sense_tells_what_is_redundant(found):
    assert told(found, "sight", "redundant").min() > 0.7
    assert told(found, "sound", "redundant").min() > 0.6


def test_only_both_senses_together_tell_the_synergy(found):
    for areas in (told(found, "sight", "synergy"), told(found, "sound", "synergy"), found["both"]):
        assert np.abs(areas - 0.5).max() < CHANCE  # side by side, too: they add up and do not interact
    assert found["products"].min() > 0.8


def test_labels_are_independent_of_one_another(found):
    correlations = np.corrcoef(found["labels"].T)
    np.fill_diagonal(correlations, 0)
    assert np.abs(correlations).max() < 4.5 / np.sqrt(TRAINED + TESTED)
    often = found["labels"].mean(0)
    halves = [*GROUPS["visual"][4:], *GROUPS["auditory"][4:], *GROUPS["synergy"]]
    assert np.abs(often[halves] - 0.5).max() < 0.05
    assert np.abs(np.delete(often, halves) - 0.25).max() < 0.05
