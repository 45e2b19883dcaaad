"""Translation language modelling (Lample & Conneau 2019, section 3.4): masked words in a sentence and its translation,
side by side, so that a word may be found in the other language.

Positions begin anew with the translation, and every word has the embedding of its language. Masks are BERT's (exactly
max(1, round(.15 n)) positions) where XLM draws each position by itself.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from phantastic.ground.randomness import numpy_generator
from phantastic.nn.language.heads import word_loss
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Language
from phantastic.pretraining.corpus import Masking, Pairs, Text, masked, written
from phantastic.pretraining.wordpiece import PAD, learn
from phantastic.world import sentences as world


class Parallel(NamedTuple):
    """Rows [CLS] sentence [SEP] translation [SEP]; ``langs`` is 0 for the first language, 1 for the second."""

    input_ids: Int[Tensor, "batch n"]
    attention_mask: Int[Tensor, "batch n"]
    langs: Int[Tensor, "batch n"]
    position_ids: Int[Tensor, "batch n"]
    prediction_positions: Int[Tensor, "batch k"]
    labels: Int[Tensor, "batch k"]


def both_languages(size: int = 8_192) -> tuple[Language, Language]:
    """English and Japanese with one vocabulary for both."""
    grammar = world.grammar()
    wordpiece = learn([word for name in world.LANGUAGES for word in grammar.sides[name].vocabulary], size)
    first, second = (Language(grammar, name, wordpiece) for name in world.LANGUAGES)
    return first, second


def parallel(
    languages: tuple[Language, Language], seed: int, purpose: str, step: int, count: int, masking: Masking | None = None
) -> Parallel:
    """``count`` sentences with their translations, of ``step``; every other row begins with the second language."""
    first = step * ((count + 1) // 2)
    texts = [language.text(seed, purpose, first, (count + 1) // 2) for language in languages]
    shift = len(texts[0].tokens)
    text = Text(
        np.concatenate([texts[0].tokens, texts[1].tokens]),
        np.append(texts[0].starts, shift + texts[1].starts[1:]),
        np.array([0]),
    )
    spans = [np.stack([part.starts[:count], part.starts[1 : count + 1]], 1) for part in texts]
    spans[1] = spans[1] + shift
    turned = (np.arange(count) % 2 == 1)[:, None]
    ahead, behind = np.where(turned, spans[1], spans[0]), np.where(turned, spans[0], spans[1])
    rows = written(text, Pairs(ahead, behind, np.ones(count, bool)))
    generator = numpy_generator(seed, f"{purpose}: masks", step)
    occurring = np.union1d(*(language.occurring for language in languages))
    masked_rows = masked(rows.tokens, masking or Masking(), occurring, generator)
    places = np.arange(rows.tokens.shape[1])[None]
    begins = (ahead[:, 1] - ahead[:, 0] + 2)[:, None]
    positions = np.where(rows.segments == 1, places - begins, places)
    columns = (
        masked_rows.inputs,
        rows.tokens != PAD,
        np.where(turned, 1 - rows.segments, rows.segments),
        positions,
        masked_rows.positions,
        masked_rows.labels,
    )
    return Parallel(*(torch.from_numpy(np.asarray(column, np.int64)) for column in columns))


def translation_lm(model: Model, batch: Parallel) -> dict[str, Tensor]:
    """``loss``: mean of -log p(masked word | both sentences), nats. ``model`` is an XLMWithLMHeadModel of two
    languages."""
    result = model(
        batch.input_ids,
        attention_mask=batch.attention_mask,
        langs=batch.langs,
        position_ids=batch.position_ids,
        prediction_positions=batch.prediction_positions,
    )
    assert result.logits is not None
    return {"loss": word_loss(result.logits, batch.labels)}
