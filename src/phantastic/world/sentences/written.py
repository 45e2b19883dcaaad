"""Sentences as they are written in one language, with constituency tree, dependency tree, tags and alignment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from phantastic.ground.errors import Refused

if TYPE_CHECKING:
    from phantastic.world.sentences.derivation import Derivations
    from phantastic.world.sentences.grammar import Grammar

PAD = -1


@dataclass(frozen=True)
class Written:
    """Sentences one after the other: sentence i is ``starts[i]:starts[i + 1]`` of every array over words.

    ``words`` are places in ``vocabulary``; ``heads`` count from 1 within the sentence, 0 for the root, as in CoNLL-U;
    ``relations`` are places in ``grammar.relations``, ``tags`` in ``grammar.tags`` (universal parts of speech);
    ``numbers`` are 0 singular, 1 plural, -1 neither. ``topics`` has an element per sentence.
    """

    grammar: Grammar
    language: str
    vocabulary: tuple[str, ...]
    topics: Int[np.ndarray, " sentences"]
    words: Int[np.ndarray, " words"]
    starts: Int[np.ndarray, " bounds"]
    heads: Int[np.ndarray, " words"]
    relations: Int[np.ndarray, " words"]
    tags: Int[np.ndarray, " words"]
    numbers: Int[np.ndarray, " words"]
    node_starts: Int[np.ndarray, " nodes"]  # the first word below each node of the derivation
    node_sizes: Int[np.ndarray, " nodes"]
    derivations: Derivations

    def __len__(self) -> int:
        return len(self.topics)

    def span(self, sentence: int) -> slice:
        """Where a sentence stands in the arrays over words."""
        if not 0 <= sentence < len(self):
            raise Refused(f"there is no sentence {sentence}; they are counted from 0 to {len(self) - 1}")
        return slice(int(self.starts[sentence]), int(self.starts[sentence + 1]))

    def forms(self, sentence: int) -> list[str]:
        """The words of a sentence, the full stop included."""
        return [self.vocabulary[word] for word in self.words[self.span(sentence)]]

    def text(self, sentence: int) -> str:
        """The sentence, its words apart from each other by one space."""
        return " ".join(self.forms(sentence))

    def padded(self) -> Int[np.ndarray, "sentences longest"]:
        """Words by sentence, filled with -1."""
        return padded(self.words, self.starts)

    def tree(self, sentence: int) -> str:
        """The constituency tree in brackets, as in treebanks: (S (NP (DET the) (NOUN cow)) (VP (VERB sleeps)))."""
        span = self.span(sentence)
        grammar, derivations = self.grammar, self.derivations
        tags = [grammar.tags[tag] for tag in self.tags[span]]
        leaves = [f"({tag} {form})" for tag, form in zip(tags, self.forms(sentence), strict=True)]
        opened, closed = [""] * len(leaves), [""] * len(leaves)
        nodes = np.flatnonzero((derivations.sentence == sentence) & (derivations.rule >= 0) & (self.node_sizes > 0))
        labelled = set()
        for node in nodes:  # parents first
            label = grammar.labels.get(grammar.symbols[derivations.symbol[node]].split(".")[0])
            first = self.node_starts[node] - span.start
            last = first + self.node_sizes[node] - 1
            if label and (label, first, last) not in labelled:
                labelled.add((label, first, last))
                opened[first] += f"({label} "
                closed[last] += ")"
        body = " ".join(before + leaf + after for before, leaf, after in zip(opened, leaves, closed, strict=True))
        return f"(ROOT {body})"

    def conllu(self, sentence: int) -> str:
        """The sentence in CoNLL-U."""
        span = self.span(sentence)
        number = {0: "Number=Sing", 1: "Number=Plur", -1: "_"}
        lines = [f"# text = {self.text(sentence)}"]
        columns = (self.forms(sentence), *(column[span].tolist() for column in (self.tags, self.numbers)))
        depends = zip(self.heads[span].tolist(), self.relations[span].tolist(), strict=True)
        for place, (form, tag, mark, (head, kind)) in enumerate(zip(*columns, depends, strict=True), 1):
            cells = (place, form, "_", self.grammar.tags[tag], "_", number[mark], head, self.grammar.relations[kind])
            lines.append("\t".join(map(str, (*cells, "_", "_"))))
        return "\n".join(lines) + "\n\n"

    def attractors(self) -> Int[np.ndarray, " words"]:
        """For each word that agrees with a subject before it, how many nouns of the other number stand between the
        two (Linzen, Dupoux & Goldberg 2016); -1 for every other word.

        The word that agrees is the predicate or, where it has one, its auxiliary or copula. Members of a coordination
        are a plural together, and count as one subject, up to the last.
        """
        governor = np.repeat(self.starts[:-1], np.diff(self.starts)) + self.heads - 1
        relation = np.array(self.grammar.relations)[self.relations]
        agreeing, number, last = np.arange(len(self.words)), self.numbers.copy(), np.arange(len(self.words))
        helpers = np.flatnonzero(np.isin(relation, ("aux", "aux:pass", "cop")))
        agreeing[governor[helpers]] = helpers
        members = np.flatnonzero(relation == "conj")
        number[governor[members]], last[governor[members]] = 1, members
        subjects = np.flatnonzero((relation == "nsubj") & (self.numbers >= 0))
        verbs = agreeing[governor[subjects]]
        noun = np.isin(np.array(self.grammar.tags)[self.tags], ("NOUN", "PROPN"))
        others = np.cumsum([noun & (self.numbers == 1), noun & (self.numbers == 0)], axis=1)  # by the subject's number
        counts = np.full(len(self.words), -1)
        counts[verbs] = others[number[subjects], verbs] - others[number[subjects], last[subjects]]
        return counts


def padded(words: Int[np.ndarray, " words"], starts: Int[np.ndarray, " bounds"]) -> np.ndarray:
    """Words by sentence, [sentences, longest], filled with -1."""
    lengths = np.diff(starts)
    table = np.full((len(lengths), lengths.max(initial=0)), PAD)
    table[np.arange(table.shape[1]) < lengths[:, None]] = words
    return table


def alignment(first: Written, second: Written, sentence: int) -> list[tuple[int, int]]:
    """Which word of one language says the same as which of the other, counted from 0 within the sentence.

    A word of the one belongs to at most one of the other; those that only one language has (articles, particles)
    belong to none. Raises `Refused` where the two were not written from the same derivations.
    """
    if first.derivations is not second.derivations:
        raise Refused("only two writings of the same derivations are aligned")
    derivations = first.derivations
    nodes = np.flatnonzero((derivations.sentence == sentence) & (derivations.entry >= 0))
    both = nodes[(first.node_sizes[nodes] > 0) & (second.node_sizes[nodes] > 0)]
    pairs = zip(first.node_starts[both], second.node_starts[both], strict=True)
    return sorted((int(a - first.starts[sentence]), int(b - second.starts[sentence])) for a, b in pairs)
