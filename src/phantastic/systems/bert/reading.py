"""Text of a person -> what the model and the grammar read; what both expect at the masked words."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from phantastic.data.text import lines_of
from phantastic.ground.errors import Refused, nearest
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Batch, Language
from phantastic.pretraining.wordpiece import CLS, MASK, SEP, SPECIAL
from phantastic.systems.bert.measure import single_pieces, word_probabilities
from phantastic.world import sentences as world

STOPS = (".", "。")
BLANK = SPECIAL[MASK]


class Sentences(NamedTuple):
    """One or two sentences: places in the world's vocabulary, world.MASK for [MASK]."""

    first: Int[np.ndarray, " words"]
    second: Int[np.ndarray, " words"] | None

    @property
    def each(self) -> list[Int[np.ndarray, " words"]]:
        return [self.first] if self.second is None else [self.first, self.second]

    def observed(self) -> Int[np.ndarray, "sentences longest"]:
        """As a table of the world."""
        table = np.full((len(self.each), max(map(len, self.each))), world.PAD)
        for row, words in zip(table, self.each, strict=True):
            row[: len(words)] = words
        return table


def words_of(text: str) -> list[str]:
    """Words as the language writes them: lower case, full stops apart; [MASK] in any case."""
    for stop in STOPS:
        text = text.replace(stop, f" {stop} ")
    return [BLANK if word.upper() == BLANK else word.lower() for word in text.split()]


def sentences_of(language: Language, text: str, where: str, *, longest: int = 128) -> Sentences:
    """A text of one or two sentences; a full stop is added at the end where there is none.

    Raises `Refused`, saying ``where``, for a text that is empty, holds words that the language has not, more than two
    sentences or more words than the model has positions.
    """
    place = language.grammar.sides[language.name].place
    words = words_of(text)
    if not any(word not in STOPS for word in words):
        raise Refused(f"{where}: there is no word in {text!r}; give a sentence, such as {example(language)!r}")
    unknown = [word for word in dict.fromkeys(words) if word != BLANK and word not in place]
    if unknown:
        named = ", ".join(f"'{word}'{hint(word, place)}" for word in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise Refused(
            f"{where}: the language of this model has no {named}{more}. Its {len(place)} words are in vocab.txt of the "
            "run's folder 'pretrained'; words have a space between them"
        )
    stop = next(mark for mark in STOPS if mark in place)
    if words[-1] != stop:
        words.append(stop)
    ends = [number for number, word in enumerate(words, 1) if word == stop]
    if len(ends) > 2:
        raise Refused(f"{where}: {len(ends)} sentences in {text!r}; the model reads one or two")
    if len(words) + 3 > longest:
        raise Refused(f"{where}: {len(words)} words and 3 marks are more than the model's {longest} positions")
    ids = np.array([world.MASK if word == BLANK else place[word] for word in words])
    return Sentences(ids[: ends[0]], ids[ends[0] :] if len(ends) == 2 else None)


def hint(word: str, known: dict[str, int]) -> str:
    suggestion = nearest(word, known)
    return suggestion.replace("; ", " (").replace("?", "?)") if "did you mean" in suggestion else ""


def example(language: Language) -> str:
    sentence = world.documents(language.grammar, 0, "example", 0, 1)
    return getattr(sentence, language.name).text(0)


def read(language: Language, *texts: Sentences) -> Batch:
    """[CLS] A [SEP] or [CLS] A [SEP] B [SEP]; asked is every [MASK]."""
    pieces = np.append(single_pieces(language), [MASK])
    rows, segments, positions = [], [], []
    for text in texts:
        row, segment = [CLS], [0]
        for number, words in enumerate(text.each):
            row += [int(piece) for piece in pieces[np.where(words == world.MASK, len(pieces) - 1, words)]] + [SEP]
            segment += [number] * (len(words) + 1)
        rows.append(torch.tensor(row))
        segments.append(torch.tensor(segment))
        positions.append(torch.tensor([place for place, piece in enumerate(row) if piece == MASK], dtype=torch.long))

    def padded(columns: list[torch.Tensor], fill: int = 0) -> torch.Tensor:
        return torch.nn.utils.rnn.pad_sequence(columns, batch_first=True, padding_value=fill)

    mask = padded([torch.ones_like(row) for row in rows])
    labels = padded([torch.zeros_like(places) for places in positions], -100)
    return Batch(
        padded(rows), mask, padded(segments), padded(positions), labels, torch.zeros(len(rows), dtype=torch.long)
    )


def likely_words(model: Model, language: Language, text: Sentences) -> list[dict[str, float]]:
    """For every [MASK], the probability of each token, the likeliest first."""
    batch = read(language, text)
    if not batch.labels.numel():
        return []
    predictions = []
    for row in word_probabilities(model, batch)[0].exp().numpy():
        predictions.append({language.wordpiece.vocabulary[token]: float(row[token]) for token in np.argsort(-row)})
    return predictions


def best_words(language: Language, text: Sentences) -> list[dict[str, float]]:
    """For every [MASK], the exact posterior of each word; nothing where the grammar cannot make the text."""
    observed = text.observed()
    selected = observed == world.MASK
    masks = int(selected.sum())
    if not possible(language, text):
        return [{}] * masks
    posterior = world.predictions(
        language.grammar, language.name, observed, selected, paired=0.5 if text.second is not None else None
    )
    return [{language.words[word]: float(row[word]) for word in np.argsort(-row)} for row in posterior]


def possible(language: Language, text: Sentences) -> bool:
    """Can the grammar make every sentence of the text?"""
    return bool((world.topic_likelihood(language.grammar, language.name, text.observed()) > 0).any(1).all())


class Surprisals(NamedTuple):
    """-log p of every word when it alone is masked, in nats; ``best`` of the exact posterior, where there is one."""

    words: list[str]
    nats: Float[np.ndarray, " words"]
    best: Float[np.ndarray, " words"] | None


def surprisals(model: Model, language: Language, text: Sentences) -> Surprisals:
    """The summands of the pseudo-log-likelihood (Salazar et al. 2020, Eq. 1)."""
    truth = np.concatenate(text.each)
    variants = []
    for place in range(len(truth)):
        words = truth.copy()
        words[place] = world.MASK
        variants.append(Sentences(words[: len(text.first)], None if text.second is None else words[len(text.first) :]))
    log_p = word_probabilities(model, read(language, *variants))[:, 0].numpy()
    nats = -log_p[np.arange(len(truth)), single_pieces(language)[truth]]
    best = None
    if possible(language, text):
        observed = np.concatenate([variant.observed() for variant in variants])
        paired = 0.5 if text.second is not None else None
        posterior = world.predictions(language.grammar, language.name, observed, observed == world.MASK, paired=paired)
        best = -np.log(posterior[np.arange(len(truth)), truth])
    return Surprisals([language.words[word] for word in truth], nats, best)


def texts_of(language: Language, path: str, *, longest: int = 128) -> list[tuple[str, Sentences]]:
    """The lines of a file, each a text. Raises `Refused` naming the file and the line."""
    lines = lines_of(path, "a sentence in each line, in UTF-8")
    return [
        (line.strip(), sentences_of(language, line, f"{path!r}, line {number}", longest=longest))
        for number, line in enumerate(lines, 1)
    ]


def vectors(model: Model, language: Language, text: Sentences) -> Float[torch.Tensor, "layers words width"]:
    """The states of all words, from the embeddings to the last layer; [CLS] and [SEP] left out."""
    batch = read(language, text)
    device = next(model.parameters()).device
    with torch.no_grad():
        result = model(
            batch.input_ids.to(device), token_type_ids=batch.token_type_ids.to(device), output_hidden_states=True
        )
    assert result.hidden_states is not None
    words = [place for place, token in enumerate(batch.input_ids[0].tolist()) if token not in (CLS, SEP)]
    return torch.stack(result.hidden_states)[:, 0, words].float().cpu()
