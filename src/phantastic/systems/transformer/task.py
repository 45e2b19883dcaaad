"""What is learned: strings to be written backwards, and English to be said in the grammar's Japanese.

Both are endless: a batch is drawn from (seed, purpose, step). Sequences are filled with PAD; a target begins with BEGIN
and ends with END.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from phantastic.ground.randomness import torch_generator
from phantastic.world import sentences
from phantastic.world.sentences import Written

PAD, BEGIN, END, FIRST = 0, 1, 2, 3
DRAWN = 1024  # sentences
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Pairs(NamedTuple):
    """Inputs and outputs; ``aligned`` says which input word each output word stands for, -1 for none."""

    source: Int[Tensor, "batch n"]
    target: Int[Tensor, "batch m"]
    aligned: Int[Tensor, "batch m-1"]

    def to(self, device: torch.device) -> "Pairs":
        return Pairs(*(tensor.to(device) for tensor in self))


def strings(letters: int, shortest: int, longest: int, count: int, seed: int, purpose: str, step: int = 0) -> Pairs:
    """Random strings of so many different letters, all lengths alike, and the same strings backwards."""
    generator = torch_generator(seed, purpose, step)
    lengths = torch.randint(shortest, longest + 1, (count, 1), generator=generator)
    places = torch.arange(longest)
    filled = places < lengths
    source = torch.randint(FIRST, FIRST + letters, (count, longest), generator=generator).masked_fill(~filled, PAD)
    mirrored = torch.where(filled, lengths - 1 - places, -1)
    target = torch.zeros(count, longest + 2, dtype=torch.long)
    target[:, 0] = BEGIN
    target[:, 1:-1] = source.gather(1, mirrored.clamp(min=0)).masked_fill(~filled, PAD)
    target.scatter_(1, lengths + 1, END)
    return Pairs(source, target, torch.cat([mirrored, torch.full((count, 1), -1)], 1))


@lru_cache(maxsize=4)  # lesions ask for the same sentences many times
def translations(longest: int, count: int, seed: int, purpose: str, step: int = 0, *, align: bool = True) -> Pairs:
    """Up to ``count`` sentences, those of no more than ``longest`` words, in English and in Japanese.

    Without ``align``, which training does not need, no word stands for another.
    """
    batches = max(1, DRAWN // count)  # are drawn at once: it takes little longer than to draw one
    english, japanese = written(batches * count, seed, purpose, step // batches)
    candidates = np.arange(count) + step % batches * count
    lengths = np.maximum(np.diff(english.starts), np.diff(japanese.starts))
    kept = candidates[lengths[candidates] <= longest]
    source, words = (text_of(language, kept) for language in (english, japanese))
    target = torch.nn.functional.pad(words, (1, 1))
    target[:, 0] = BEGIN
    target.scatter_(1, (words != PAD).sum(1, keepdim=True) + 1, END)
    aligned = torch.full((len(kept), target.shape[1] - 1), -1)
    for row, sentence in enumerate(kept if align else ()):
        for english_word, japanese_word in sentences.alignment(english, japanese, int(sentence)):
            aligned[row, japanese_word] = english_word
    return Pairs(source, target, aligned)


@lru_cache(maxsize=2)
def written(count: int, seed: int, purpose: str, chunk: int) -> tuple[Written, Written]:
    """So many sentences in English and in Japanese, of documents of two sentences each."""
    documents = (count + 1) // 2
    drawn = sentences.documents(sentences.grammar(), seed, purpose, chunk * documents, documents)
    return drawn.english, drawn.japanese


def text_of(language: Written, kept: Int[np.ndarray, " batch"]) -> Int[Tensor, "batch longest"]:
    """Some of the sentences as ids, no wider than the longest of them."""
    lengths = np.diff(language.starts)[kept]
    places = np.arange(lengths.max(initial=1))
    filled = places < lengths[:, None]
    words = language.words[np.where(filled, language.starts[kept][:, None] + places, 0)]
    return torch.from_numpy(np.where(filled, words + FIRST, PAD)).long()


def vocabularies() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of English and of Japanese, in the order of their ids above FIRST."""
    drawn = sentences.documents(sentences.grammar(), 0, "vocabulary", 0, 1)
    return drawn.english.vocabulary, drawn.japanese.vocabulary
