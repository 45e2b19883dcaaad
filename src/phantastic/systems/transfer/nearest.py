"""Is a sentence nearest to its translation, and a word to one that says the same? Without any tuning.

Each language is read by itself. The states of a layer are compared by the cosine of their angle: a sentence is the mean
of its words' states (as on Tatoeba; Hu et al. 2020), a word the mean of its states wherever it stands.
"""

from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Language
from phantastic.pretraining.wordpiece import CLS, PAD, SEP
from phantastic.world import sentences as world

ROWS = 64  # sentences that go through the network together
Alignment = list[tuple[int, int]]


class Bitext(NamedTuple):
    """Sentences in the words of both languages, no two alike in either, and which words say the same."""

    words: tuple[list[list[str]], list[list[str]]]
    aligned: list[Alignment]

    def first(self, count: int) -> "Bitext":
        """At most ``count`` of them."""
        first, second = self.words
        return Bitext((first[:count], second[:count]), self.aligned[:count])


def bitext(grammar: world.Grammar, seed: int, count: int, read: Set[str] = frozenset()) -> Bitext:
    """``count`` sentences with their translations; those that were met before, or are in ``read``, are passed over."""
    words: tuple[list[list[str]], list[list[str]]] = ([], [])
    aligned: list[Alignment] = []
    seen = set(read)
    block = 0
    while len(aligned) < count:
        drawn = world.documents(grammar, seed, "bitext", block * count, count)
        both = [getattr(drawn, name) for name in world.LANGUAGES]
        for number in range(len(drawn)):
            texts = {side.text(number) for side in both}
            if not texts & seen and len(aligned) < count:
                seen |= texts
                aligned.append(world.alignment(both[0], both[1], number))
                for place, side in enumerate(both):
                    words[place].append(side.forms(number))
        block += 1
    return Bitext(words, aligned)


@torch.no_grad()
def states(
    model: Model, language: Language, sentences: Sequence[Sequence[str]]
) -> list[Float[Tensor, "layers words width"]]:
    """Of every sentence the states of its words: embeddings first, then each layer's. A word is its first piece."""
    device, place = next(model.parameters()).device, world.LANGUAGES.index(language.name)
    vectors: list[Tensor] = []
    for begin in range(0, len(sentences), ROWS):
        batch = sentences[begin : begin + ROWS]
        pieces = [language.wordpiece.pieces(words) for words in batch]
        longest = max(len(cut.ids) for cut in pieces) + 2
        ids = torch.full((len(batch), longest), PAD)
        for row, cut in enumerate(pieces):
            ids[row, : len(cut.ids) + 2] = torch.tensor([CLS, *cut.ids.tolist(), SEP])
        ids = ids.to(device)
        hidden = model(
            ids, attention_mask=(ids != PAD).long(), langs=torch.full_like(ids, place), output_hidden_states=True
        ).hidden_states
        assert hidden is not None
        layers = torch.stack(hidden, 1).float().cpu()
        vectors += [layers[row, :, 1 + cut.starts[:-1]] for row, cut in enumerate(pieces)]
    return vectors


def retrieved(
    first: Float[Tensor, "sentences width"], second: Float[Tensor, "sentences width"]
) -> Float[np.ndarray, " sentences"]:
    """For every sentence, in how many of the two directions its translation is the nearest: 0, 1/2 or 1."""
    cosine = normalize(first, dim=-1) @ normalize(second, dim=-1).T
    own = torch.arange(len(cosine))
    return ((cosine.argmax(1) == own).double() + (cosine.argmax(0) == own).double()).numpy() / 2


class Dictionary(NamedTuple):
    """The words of each language that have a counterpart, and which say the same."""

    words: tuple[list[str], list[str]]
    same: Bool[np.ndarray, "first second"]


def dictionary(text: Bitext) -> Dictionary:
    """From the alignments: "cow" and "cows" are both 牛."""
    pairs = {
        (first[a], second[b])
        for first, second, aligned in zip(*text.words, text.aligned, strict=True)
        for a, b in aligned
    }
    words = sorted({a for a, _ in pairs}), sorted({b for _, b in pairs})
    places = [{word: place for place, word in enumerate(side)} for side in words]
    same = np.zeros((len(words[0]), len(words[1])), bool)
    for a, b in pairs:
        same[places[0][a], places[1][b]] = True
    return Dictionary(words, same)


def averages(
    states: Sequence[Float[Tensor, "layers words width"]], sentences: Sequence[Sequence[str]], words: Sequence[str]
) -> Float[Tensor, "layers words width"]:
    """The mean state of each of the ``words``, over all the places where it stands."""
    place = {word: number for number, word in enumerate(words)}
    which = torch.tensor([place.get(word, len(words)) for sentence in sentences for word in sentence])
    every = torch.cat(list(states), 1)
    sums = every.new_zeros(len(every), len(words) + 1, every.shape[-1]).index_add_(1, which, every)
    return (sums / which.bincount(minlength=len(words) + 1)[:, None].clamp(min=1))[:, :-1]


def translated(
    first: Float[Tensor, "first width"], second: Float[Tensor, "second width"], same: Bool[np.ndarray, "first second"]
) -> Float[np.ndarray, " first+second"]:
    """For every word of either language: is the nearest word of the other one that says the same?"""
    cosine = (normalize(first, dim=-1) @ normalize(second, dim=-1).T).numpy()
    forth = same[np.arange(len(same)), cosine.argmax(1)]
    back = same[cosine.argmax(0), np.arange(same.shape[1])]
    return np.concatenate([forth, back]).astype(float)


class Found(NamedTuple):
    """Of one layer: was each sentence retrieved, is each word nearest to one that says the same?"""

    sentences: list[float]
    words: list[float]


def compared(model: Model, languages: tuple[Language, Language], text: Bitext) -> list[Found]:
    """Layer by layer, the embeddings first."""
    known, pooled, vectors = dictionary(text), [], []
    for language, sentences, words in zip(languages, text.words, known.words, strict=True):
        word_states = states(model, language, sentences)
        pooled.append(torch.stack([each.mean(1) for each in word_states], 1))
        vectors.append(averages(word_states, sentences, words))
    return [
        Found(retrieved(a, b).tolist(), translated(c, d, known.same).tolist())
        for a, b, c, d in zip(*pooled, *vectors, strict=True)
    ]
