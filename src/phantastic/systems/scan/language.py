"""Between people's words and concepts: "red suitcase, blue wall", "yellow AND hat", 「赤い帽子、青い壁」.

A phrase names values of factors in any order; a colour belongs to the noun after it (wall, floor, object, or an
identity), a colour without a noun to the object. Japanese may stand without spaces.
"""

import re
from collections.abc import Sequence

import numpy as np

from phantastic.declare.i18n import language
from phantastic.ground.errors import Refused, nearest
from phantastic.systems.scan.concepts import LOGIC, OPEN, OPERATORS, contradict
from phantastic.world import rooms

SURFACES = {"object": 1, "wall": 2, "floor": 3, "物": 1, "壁": 2, "床": 3}
FILLERS = (
    "a", "an", "the", "in", "on", "with", "of", "and", "front", "room", "coloured", "color", "colour",
    "と", "の", "い", "色", "前", "部屋", "な", "に", "で",
)  # fmt: skip
UNKNOWN = r"[a-z-]+|[ァ-ヶー]+|[一-鿿]+|\S"  # letters, katakana or kanji in a row, else one character
JAPANESE_OPERATORS = {"かつ": "AND", "共通": "IN COMMON", "除く": "IGNORE"}


class Lexicon:
    """The words for rooms in the colours ``palette`` (places in the full palette)."""

    def __init__(self, palette: Sequence[int] | np.ndarray):
        names = (rooms.VALUES, rooms.VALUES_JA)
        self.values = [
            [[table[factor][index] for index in (palette if factor else range(3))] for table in names]
            for factor in range(len(rooms.FACTORS))
        ]
        self.identities = {word: i for words in self.values[0] for i, word in enumerate(words)}
        self.colours = {word: i for words in self.values[1] for i, word in enumerate(words)}
        self.known = {*self.identities, *self.colours, *SURFACES}
        # Longest first, and with the colours these rooms lack: 「黄緑」 must not be read as 「黄」 and 「緑」.
        foreign = {word for names in (rooms.VALUES, rooms.VALUES_JA) for word in names[1]}
        self.vocabulary = sorted({*self.known, *foreign, *FILLERS}, key=lambda word: (-len(word), word))

    def parse(self, text: str) -> np.ndarray:
        """A phrase as a concept int[factors]; raises `Refused` naming the word and the nearest known ones."""
        concept = np.full(len(rooms.FACTORS), OPEN)
        for phrase in re.split(r"[,、，;]", text):
            colour: str | None = None
            for word in self.split(phrase):
                if word in self.colours:
                    if colour is not None:
                        self.assign(concept, 1, self.colours[colour], colour)
                    colour = word
                elif word in self.identities or word in SURFACES:
                    factor = SURFACES.get(word, 1)
                    if word in self.identities:
                        self.assign(concept, 0, self.identities[word], word)
                    elif colour is None:
                        raise Refused(f"'{word}' in '{text}' has no colour; write for example 'red {word}'")
                    if colour is not None:
                        self.assign(concept, factor, self.colours[colour], colour)
                        colour = None
                else:
                    raise Refused(f"unknown word '{word}' in '{text}'{nearest(word, self.known)}")
            if colour is not None:
                self.assign(concept, 1, self.colours[colour], colour)
        if (concept == OPEN).all():
            raise Refused(f"'{text}' names nothing; write for example 'red suitcase, blue wall'")
        return concept

    def assign(self, concept: np.ndarray, factor: int, value: int, word: str) -> None:
        if concept[factor] not in (OPEN, value):
            already = self.values[factor][0][concept[factor]]
            raise Refused(f"'{word}': the {rooms.FACTORS[factor]} is {already} already; one value per factor")
        concept[factor] = value

    def split(self, phrase: str) -> list[str]:
        """Words in order, the longest known one at each place; fillers are dropped, unknown words are kept whole."""
        rest, words = phrase.strip().lower(), []
        while rest:
            word = next((w for w in self.vocabulary if rest.startswith(w) and self.ends(w, rest)), None)
            word = word or re.match(UNKNOWN, rest)[0]  # pyright: ignore[reportOptionalSubscript]
            if word not in FILLERS:
                words.append(word)
            rest = rest[len(word) :].strip()
        return words

    @staticmethod
    def ends(word: str, rest: str) -> bool:
        """Does a Latin word end where the vocabulary's does ("hat" is not "hats")?"""
        return not word.isascii() or not re.match(r"[a-z-]", rest[len(word) :])

    def parse_operation(self, text: str) -> tuple[str | None, np.ndarray | None, np.ndarray]:
        """``A AND B`` -> (operator, A, B); a phrase alone -> (None, None, A). ``AND B`` alone leaves A to an image."""
        for japanese, operator in JAPANESE_OPERATORS.items():
            text = text.replace(japanese, f" {operator} ")
        parts = re.split(rf"\s*(?<![A-Za-z])({'|'.join(OPERATORS)})(?![A-Za-z])\s*", text)
        if len(parts) == 1:
            return None, None, self.parse(text)
        if len(parts) > 3:
            raise Refused(f"'{text}' has {len(parts) // 2} operators; one at a time: {', '.join(OPERATORS)}")
        left, operator, right = parts
        first = self.parse(left) if left.strip() else None
        second = self.parse(right)
        if operator == "AND" and first is not None and contradict(first[None], second[None])[0]:
            raise Refused(f"'{text}': the two name a factor differently, so nothing can be both")
        return operator, first, second

    def describe(self, concept: np.ndarray) -> str:
        """A concept in words: ``red suitcase, blue wall``; ``anything`` for what names nothing."""
        table = 1 if language() == "ja" else 0
        identity, colour = (self.values[f][table][concept[f]] if concept[f] != OPEN else "" for f in (0, 1))
        joiner, comma = ("の", "、") if table else (" ", ", ")
        nouns = ("物", "壁", "床") if table else ("object", "wall", "floor")
        parts = [joiner.join(filter(None, (colour, identity or (colour and nouns[0]))))] if colour or identity else []
        parts += [f"{self.values[f][table][concept[f]]}{joiner}{nouns[f - 1]}" for f in (2, 3) if concept[f] != OPEN]
        return comma.join(parts) or ("何でも" if table else "anything")


def expected(operator: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What the logic of the operator says should come out."""
    return LOGIC[operator](first[None], second[None])[0]
