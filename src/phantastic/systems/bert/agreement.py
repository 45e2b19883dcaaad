"""Agreement of verbs with their subjects: minimal pairs that only a sentence's structure tells apart (Linzen et al.
2016; Goldberg 2019).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from phantastic.declare.measure import Measure
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Batch, Language, tensors
from phantastic.pretraining.corpus import Masked
from phantastic.systems.bert.measure import rows_of, share_of, single_pieces, word_probabilities
from phantastic.world import sentences as world


class Agreement(NamedTuple):
    """Sentences in which the number of one verb follows from its subject; a minimal pair each (Linzen et al. 2016)."""

    batch: Batch
    right: Int[np.ndarray, " items"]
    wrong: Int[np.ndarray, " items"]
    """The pieces of the verb as it stands there, and in the other number."""
    attractors: Int[np.ndarray, " items"]
    """Nouns of the other number between subject and verb."""
    distance: Int[np.ndarray, " items"]
    """From subject to verb, in words."""


def other_number(language: Language) -> dict[int, int]:
    """Verbs and auxiliaries that have number -> the form in the other one; places in the world's vocabulary."""
    side, grammar = language.grammar.sides[language.name], language.grammar
    forms: dict[str, list[int]] = {}
    for entry, (symbol, _, _) in enumerate(grammar.entries):
        forms.setdefault(symbol, []).append(int(side.word[entry]))
    opposite: dict[int, int] = {}
    verbs = {grammar.tags.index(tag) for tag in ("VERB", "AUX")}
    for symbol, singular in forms.items():
        verb = grammar.symbol_tag[grammar.place[symbol]] in verbs
        plural = forms.get(symbol.replace(".sg", ".pl")) if verb and ".sg" in symbol else None
        for one, many in zip(singular, plural or (), strict=False):
            if one != many and min(one, many) >= 0:
                opposite[one], opposite[many] = many, one
    return opposite


def agreement_of(language: Language, seed: int, count: int, most: int) -> Agreement | None:
    """Up to ``most`` items of each number of attractors (0, 1, 2 and more) from ``count`` documents, which are read
    whole. None where the language has no agreement."""
    sentences = getattr(world.documents(language.grammar, seed, "agreement", 0, count), language.name)
    others = other_number(language)
    attractors = sentences.attractors()
    forms = np.isin(sentences.words, list(others))
    sentence = np.repeat(np.arange(len(sentences)), np.diff(sentences.starts))
    chosen = []
    for least, highest in ((0, 0), (1, 1), (2, 99)):
        places = np.flatnonzero((attractors >= least) & (attractors <= highest) & forms)
        chosen += places[np.sort(np.unique(sentence[places] // 2, return_index=True)[1])][:most].tolist()
    if not chosen:
        return None
    place = np.array(chosen)
    subject = subjects(sentences)[place]
    document = sentence[place] // 2
    observed = sentences.padded()[np.stack([2 * document, 2 * document + 1], 1).ravel()]
    inside = place - sentences.starts[sentence[place]]
    second = sentence[place] % 2
    observed[2 * np.arange(len(place)) + second, inside] = world.MASK
    rows = rows_of(language, observed)
    column = np.where(second == 1, (observed[0::2] != world.PAD).sum(1) + 2, 1) + inside
    pieces = single_pieces(language)
    right = pieces[sentences.words[place]]
    wrong = pieces[[others[word] for word in sentences.words[place]]]
    masked = Masked(rows.tokens, column[:, None], right[:, None])
    batch = tensors((rows, np.ones(len(place), bool)), masked, "cpu")
    return Agreement(batch, right, wrong, attractors[place], place - subject)


def subjects(sentences: world.Written) -> Int[np.ndarray, " words"]:
    """For each word that agrees with a subject, the place of that subject; elsewhere -1."""
    names = sentences.grammar.relations
    sentence = np.repeat(np.arange(len(sentences)), np.diff(sentences.starts))
    governor = sentences.starts[sentence] + sentences.heads - 1
    agreeing = np.arange(len(sentences.words))
    helpers = np.flatnonzero(
        np.isin(sentences.relations, [names.index(n) for n in ("aux", "aux:pass", "cop") if n in names])
    )
    agreeing[governor[helpers]] = helpers
    subject = np.full(len(sentences.words), -1)
    nominal = np.flatnonzero((sentences.relations == names.index("nsubj")) & (sentences.numbers >= 0))
    subject[agreeing[governor[nominal]]] = nominal
    return subject


def preferred(model: Model, items: Agreement) -> Bool[np.ndarray, " items"]:
    """Is the right form more probable than the wrong one? A tie is wrong."""
    log_p = word_probabilities(model, items.batch)[:, 0].numpy()
    rows = np.arange(len(log_p))
    return log_p[rows, items.right] > log_p[rows, items.wrong]


def answers(model: Model, items: Agreement, language: Language) -> dict[str, list]:
    """Item by item: the verb's two forms, what makes it hard, and the form that is preferred; a tie is wrong."""
    right, wrong = ([language.wordpiece.vocabulary[piece] for piece in each] for each in (items.right, items.wrong))
    forms = zip(preferred(model, items), right, wrong, strict=True)
    return {
        "right": right,
        "wrong": wrong,
        "attractors": items.attractors.tolist(),
        "distance": items.distance.tolist(),
        "preferred": [one if correct else other for correct, one, other in forms],
    }


def agreement(model: Model, items: Agreement | None, generator: np.random.Generator) -> dict[str, Measure]:
    """``agreement`` over all items, and by the number of attractors."""
    if items is None:
        return {}
    correct = preferred(model, items)
    measures = {"agreement": share_of(correct, generator)}
    for name, chosen in (("0", items.attractors == 0), ("1", items.attractors == 1), ("2", items.attractors >= 2)):
        if chosen.any():
            measures[f"agreement.attractors{name}"] = share_of(correct[chosen], generator)
    return measures
