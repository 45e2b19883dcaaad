"""Questions of which half cannot be answered from their text, as in SQuAD 2.0 (Rajpurkar et al. 2018).

Such a question is asked of a sentence that differs from the text's in one word. What would have been the answer still
stands there: a plausible one, of the right kind, that answers another question. The word is one that the text does not
have and, the next time, a noun or name of the text's other sentence: so that all words of a question stand in the text
does not mean that it answers. Every text could have been given such a question: the text alone tells nothing.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from phantastic.world.language_tasks import Answered, askable, document_trees, occurrences
from phantastic.world.sentences.edit import Node, changed, english, others, spoken
from phantastic.world.sentences.grammar import Grammar
from phantastic.world.sentences.meaning import places

NOUNS = {"N", "Name"}
VERBS = {"IV", "TV"}  # adverbs and adjectives are left: who always sings also often sings


def unanswered(grammar: Grammar, seed: int, purpose: str, count: int) -> list[Answered]:
    """A question that is answered, one that is not (it starts and stops at word 0), and so on.

    The verb asked about stands once in the text, in a statement about others than the question's; where the verb is the
    word that was changed, it stands nowhere: no statement answers.
    """
    return list(islice(_unanswered(grammar, seed, purpose), count))


def _unanswered(grammar: Grammar, seed: int, purpose: str) -> Iterator[Answered]:
    turn = 0
    for roots, topic, generator in document_trees(grammar, seed, purpose):
        asked = int(generator.integers(2))
        said = [spoken(grammar, root) for root in roots]
        words, before = said[0] + said[1], len(said[0]) if asked else 0
        borrowed = turn // 2 % 2 == 1
        options = _twins(grammar, roots[asked], topic, words, said[1 - asked] if borrowed else None, generator)
        if options:
            right, start, stop, wrong = options[int(generator.integers(len(options)))]
            question, span = (right, (before + start, before + stop)) if turn % 2 == 0 else (wrong, (0, 0))
            yield Answered(" ".join(question), " ".join(words), *span)
            turn += 1


def _twins(
    grammar: Grammar, root: Node, topic: int, words: list[str], other: list[str] | None, generator: np.random.Generator
) -> list[tuple[list[str], int, int, list[str]]]:
    """Questions that a sentence answers, the answer's first word and the word after its last, and each question with
    one word changed: to one of the ``other`` sentence or, without it, to one that the text's ``words`` lack."""
    questions = list(askable(grammar, root))
    if not any(occurrences(grammar, verb, words) == 1 for *_, verb in questions):
        return []
    nodes = places(grammar, root, topic, NOUNS if other else NOUNS | VERBS)
    for place in generator.permutation(len(nodes)):
        old = nodes[place]
        new = [
            leaf
            for leaf in others(grammar, old, topic)
            if (english(grammar, leaf) in other if other else english(grammar, leaf) not in words)
        ]
        if new:
            leaf = new[int(generator.integers(len(new)))]
            pairs = zip(questions, askable(grammar, changed(root, old, leaf)), strict=True)
            stands = 0 if old.kind in VERBS else 1
            found = [
                (right, start, stop, wrong)
                for (right, start, stop, verb), (wrong, _, _, other_verb) in pairs
                if right != wrong
                and occurrences(grammar, verb, words) == 1
                and occurrences(grammar, other_verb, words) == stands
            ]
            if found:
                return found
    return []
