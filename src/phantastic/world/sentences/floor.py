"""What no reader can beat: entropies, posteriors of masked words, and whether one sentence follows another.

Everything is exact given the sentences; averages over sentences carry a standard error.

A document is two sentences about one topic. A reader is shown pairs (rows 2k and 2k + 1) of which a share ``paired``
are documents; the second sentence of the others comes from any document.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.world.sentences.chart import MASK, binary, inside, likelihood, posterior
from phantastic.world.sentences.derivation import documents
from phantastic.world.sentences.grammar import Grammar
from phantastic.world.sentences.written import PAD

CHUNK = 64  # sentences in a chart: what fits the processor's cache best
SPECIAL = 3  # [CLS] A [SEP] B [SEP]: counted when a share of the positions is masked, but never masked


class Floor(NamedTuple):
    """A mean in nats per word, its standard error over documents, and how many words it is taken over."""

    nats: float
    error: float
    words: int


class Entropy(NamedTuple):
    """Of a sentence whose topic is known: nats of its derivation, and its expected number of words."""

    derivation: float
    words: float


def entropy(grammar: Grammar, language: str = "english") -> Entropy:
    """The entropy of a derivation in closed form: H = h + M H over symbols, h being the entropy of a symbol's own
    choice and M[a, b] how many b an a is expected to produce. Mean over the topics."""
    symbols, side = len(grammar.symbols), grammar.sides[language]
    h, words = np.zeros(symbols), np.zeros(symbols)
    M = np.zeros((symbols, symbols))
    np.add.at(h, grammar.parent, -grammar.probability * np.log(grammar.probability))
    np.add.at(words, grammar.parent, grammar.probability * (side.quoted >= 0).sum(1))
    rows, columns = np.nonzero(grammar.children >= 0)
    np.add.at(M, (grammar.parent[rows], grammar.children[rows, columns]), grammar.probability[rows])
    share = np.where(grammar.emission > 0, grammar.emission, 1)
    np.add.at(h, grammar.entry_symbol, -(share * np.log(share)).mean(0))
    np.add.at(words, grammar.entry_symbol, grammar.emission.mean(0) * (side.word >= 0))
    totals = np.linalg.solve(np.eye(symbols) - M, np.stack([h, words], 1))
    return Entropy(*totals[grammar.place[grammar.start]].tolist())


class Cell(NamedTuple):
    """Some sentences of one length, each read as being about one topic."""

    rows: Int[np.ndarray, " cell"]
    topics: Int[np.ndarray, " cell"]
    evidence: torch.Tensor  # [lexical, words, cell]


def cells(
    grammar: Grammar,
    language: str,
    observed: Int[np.ndarray, "sentences longest"],
    noise: float = 0.0,
    size: int | None = None,
    doubted: Bool[np.ndarray, "sentences longest"] | None = None,
) -> Iterator[Cell]:
    """Every sentence with every topic that its words allow, those that are ``doubted`` aside."""
    rules = binary(grammar, language)
    observed = checked(grammar, language, observed)
    trusted = observed if doubted is None else np.where(doubted, MASK, observed)
    possible = np.concatenate([(rules.emission.sum(1) > 0).numpy(), np.ones((grammar.topics, 2), bool)], 1)
    fits = np.stack([allowed[trusted].all(1) for allowed in possible], 1)  # PAD and MASK index the last two columns
    rows, topics = np.nonzero(fits | (noise > 0))
    lengths = (observed != PAD).sum(1)[rows]
    for length in np.unique(lengths):
        of_length = np.flatnonzero(lengths == length)
        for chunk in np.split(of_length, range(CHUNK, len(of_length), CHUNK)):
            words = torch.from_numpy(observed[rows[chunk], :length].copy())
            evidence = likelihood(rules, words, torch.from_numpy(topics[chunk]), noise, size)
            yield Cell(rows[chunk], topics[chunk], evidence)


def checked(grammar: Grammar, language: str, observed: np.ndarray) -> np.ndarray:
    """The table, or Refused: words by sentence, filled with PAD behind the last."""
    size = len(grammar.sides[language].vocabulary)
    observed = np.asarray(observed)
    if observed.ndim != 2 or observed.dtype.kind not in "iu":
        raise Refused(
            f"sentences are a table of whole numbers [sentences, words]; got {observed.dtype} {observed.shape}"
        )
    wrong = np.argwhere((observed < MASK) | (observed >= size))
    if len(wrong):
        row, column = wrong[0]
        raise Refused(
            f"sentence {row}, word {column}: {observed[row, column]} is no word; allowed: 0 to {size - 1}, {MASK} for "
            f"a masked word, {PAD} after the last"
        )
    ended = observed == PAD
    if (ended[:, :-1] & ~ended[:, 1:]).any() or ended.all(1).any():
        raise Refused(f"in a table of sentences {PAD} stands after the last word only, and no sentence is empty")
    return observed.astype(np.int64)


def topic_likelihood(
    grammar: Grammar, language: str, observed: Int[np.ndarray, "sentences longest"], *, noise: float = 0.0
) -> Float64[np.ndarray, "sentences topics"]:
    """P(words | topic) of every sentence: 0 where the grammar cannot make it. MASK stands for any word."""
    probability = np.zeros((len(observed), grammar.topics))
    rules = binary(grammar, language)
    with torch.no_grad():
        for rows, topics, evidence in cells(grammar, language, observed, noise):
            probability[rows, topics] = inside(rules, evidence).numpy()
    return probability


def joint_prior(topics: int, paired: float) -> Float64[np.ndarray, "topics topics"]:
    """P(topic of the first sentence, topic of the second) of a pair."""
    return paired * np.eye(topics) / topics + (1 - paired) / topics**2


def predictions(
    grammar: Grammar,
    language: str,
    observed: Int[np.ndarray, "sentences longest"],
    selected: Bool[np.ndarray, "sentences longest"],
    *,
    paired: float | None = 0.5,
    noise: float = 0.0,
    selected_noise: float = 0.5,
    size: int | None = None,
) -> Float64[np.ndarray, "selected vocabulary"]:
    """The exact posterior of each selected word (in the order of np.nonzero) given everything that is observed.

    Rows 2k and 2k + 1 are a pair, or unrelated where ``paired`` is None. A selected word may be masked or visible. A
    visible one that is not selected is another than the true one with probability ``noise``, a visible selected one
    with probability ``selected_noise`` (a half where as many are kept as replaced), and then one of ``size`` words at
    random. As in masked language modelling, the reader is asked about each selected position by itself.
    """
    observed, selected = np.asarray(observed), np.asarray(selected)
    if selected.shape != observed.shape or (selected & (observed == PAD)).any():
        raise Refused("selected marks words: it has the shape of observed, and marks nothing after the last word")
    if paired is not None and len(observed) % 2:
        raise Refused(f"pairs are rows 2k and 2k + 1; got {len(observed)} sentences (paired=None reads them singly)")
    vocabulary = len(grammar.sides[language].vocabulary)
    size = size or vocabulary
    rules = binary(grammar, language)
    place = np.full(observed.shape, -1)
    place[selected] = np.arange(selected.sum())
    at_topic = np.zeros((selected.sum(), grammar.topics, vocabulary))  # P(word, all other evidence | topic)
    probability = np.zeros((len(observed), grammar.topics))
    for rows, topics, evidence in cells(grammar, language, observed, noise, size, selected):
        chart = posterior(rules, evidence)
        probability[rows, topics] = chart.probability.numpy()
        item, column = np.nonzero(selected[rows, : evidence.shape[1]])
        outside = chart.outside[:, column, item].T[:, None]  # [selected, 1, lexical]
        words = (outside @ rules.emission[topics[item]])[:, 0].numpy()
        at_topic[place[rows[item], column], topics[item]] = words
    sentence, column = np.nonzero(selected)
    visible = np.flatnonzero(observed[sentence, column] != MASK)
    visible_words = observed[sentence, column][visible]
    scale = np.full((len(visible), 1, vocabulary), selected_noise / size)
    scale[np.arange(len(visible)), 0, visible_words] += 1 - selected_noise
    at_topic[visible] *= scale
    weight = np.full((len(sentence), grammar.topics), 1.0)
    if paired is not None:
        weight = (probability @ joint_prior(grammar.topics, paired))[sentence ^ 1]
    joint = np.einsum("st,stw->sw", weight, at_topic)
    return joint / joint.sum(1, keepdims=True)


def next_probability(
    grammar: Grammar,
    language: str,
    observed: Int[np.ndarray, "sentences longest"],
    *,
    paired: float = 0.5,
    noise: float = 0.0,
) -> Float64[np.ndarray, " pairs"]:
    """The exact probability that the second sentence of each pair (rows 2k, 2k + 1) follows the first.

    Bayes' rule: the best possible accuracy is the mean of max(p, 1 - p).
    """
    likelihoods = topic_likelihood(grammar, language, observed, noise=noise).reshape(-1, 2, grammar.topics)
    follows = paired * (likelihoods[:, 0] * likelihoods[:, 1]).mean(1)
    return follows / (follows + (1 - paired) * likelihoods[:, 0].mean(1) * likelihoods[:, 1].mean(1))


def pairs(
    grammar: Grammar, language: str, seed: int, purpose: str, count: int, *, paired: float = 0.5
) -> tuple[Int[np.ndarray, "sentences longest"], Bool[np.ndarray, " pairs"]]:
    """Pairs of sentences as a reader is shown them (rows 2k, 2k + 1), and which of them are documents."""
    sentences = getattr(documents(grammar, seed, purpose, 0, 2 * count), language).padded()
    first, second, other = sentences[0 : 2 * count : 2], sentences[1 : 2 * count : 2], sentences[2 * count + 1 :: 2]
    follows = numpy_generator(seed, f"{purpose}: which pairs are documents").random(count) < paired
    return np.stack([first, np.where(follows[:, None], second, other)], 1).reshape(2 * count, -1), follows


def masked_floor(
    grammar: Grammar,
    language: str = "english",
    *,
    seed: int = 0,
    count: int = 400,
    share: float = 0.15,
    paired: float = 0.5,
) -> Floor:
    """The lowest loss of masked language modelling: nats per masked word, over ``count`` pairs.

    Of each pair exactly max(1, round(share * positions)) words are masked, all by [MASK]; the positions include [CLS]
    and two [SEP], which are never masked. The mean is over masked words, as in training.
    """
    observed, _ = pairs(grammar, language, seed, "floor", count, paired=paired)
    generator = numpy_generator(seed, "floor: masks")
    by_pair = (observed != PAD).reshape(count, -1)
    order = np.where(by_pair, generator.random(by_pair.shape), np.inf).argsort(1).argsort(1)
    masked = order < np.maximum(1, np.rint(share * (by_pair.sum(1) + SPECIAL)))[:, None]
    selected = masked.reshape(observed.shape)
    posteriors = predictions(grammar, language, np.where(selected, MASK, observed), selected, paired=paired)
    # The entropy of a posterior is the mean surprisal of what it is a posterior of, with less sampling error.
    nats = -(posteriors * np.log(np.maximum(posteriors, 1e-300))).sum(1)
    document = np.nonzero(selected)[0] // 2
    return mean_per_word(np.bincount(document, nats, count), np.bincount(document, minlength=count))


def text_floor(
    grammar: Grammar, language: str = "english", *, seed: int = 0, count: int = 400, paired: float = 0.5
) -> Floor:
    """The lowest loss of predicting every word from those before it: nats per word of a pair, both full stops counted.

    By the chain rule it is the entropy of a pair of sentences (as strings, whatever their derivation), by word.
    """
    observed, _ = pairs(grammar, language, seed, "floor", count, paired=paired)
    likelihoods = topic_likelihood(grammar, language, observed).reshape(count, 2, -1)
    joint = np.einsum("pt,tu,pu->p", likelihoods[:, 0], joint_prior(grammar.topics, paired), likelihoods[:, 1])
    return mean_per_word(-np.log(joint), (observed != PAD).reshape(count, -1).sum(1))


def mean_per_word(nats: Float64[np.ndarray, " documents"], words: Int[np.ndarray, " documents"]) -> Floor:
    """The ratio of two means, with the standard error of a ratio (delta method)."""
    mean = nats.sum() / words.sum()
    spread = np.sqrt(np.square(nats - mean * words).sum())
    return Floor(float(mean), float(spread / words.sum()), int(words.sum()))
