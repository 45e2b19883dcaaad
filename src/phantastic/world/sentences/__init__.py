"""Sentences of a known grammar in two languages, with their trees, and what the best reader could know of them."""

from phantastic.world.sentences.chart import MASK
from phantastic.world.sentences.derivation import Derivations, documents
from phantastic.world.sentences.floor import (
    Entropy,
    Floor,
    entropy,
    masked_floor,
    next_probability,
    pairs,
    predictions,
    text_floor,
    topic_likelihood,
)
from phantastic.world.sentences.grammar import Grammar, grammar
from phantastic.world.sentences.lexicon import LANGUAGES, topics
from phantastic.world.sentences.written import PAD, Written, alignment

__all__ = [
    "LANGUAGES",
    "MASK",
    "PAD",
    "Derivations",
    "Entropy",
    "Floor",
    "Grammar",
    "Written",
    "alignment",
    "documents",
    "entropy",
    "grammar",
    "masked_floor",
    "next_probability",
    "pairs",
    "predictions",
    "text_floor",
    "topic_likelihood",
    "topics",
]
