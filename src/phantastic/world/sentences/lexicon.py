"""The words of the grammar, inflected: for each symbol of the lexicon and each topic, pairs of an English and a
Japanese word with their weights. In Jabberwocky the stems are invented and all else stays."""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from phantastic.ground.randomness import numpy_generator

LANGUAGES = ("english", "japanese")
USUAL = 8  # how much more often a topic uses a word that is usual there
Entry = tuple[str, str, float]  # the English word, the Japanese word ("" where there is none), the weight
Words = dict[str, list[list[Entry]]]  # symbol -> topic -> entries

_GODAN = dict(zip("うくぐすつぬぶむる", "わかがさたなばまら", strict=True))


@lru_cache(maxsize=1)
def source() -> dict:
    """lexicon.toml as it is written."""
    return tomllib.loads(Path(__file__).with_name("lexicon.toml").read_text(encoding="utf-8"))


def topics() -> tuple[str, ...]:
    """The names of the topics, in the order in which they are counted."""
    return tuple(source()["topic"])


def with_s(word: str) -> str:
    """The regular plural of a noun, which is also the third person singular of a verb."""
    if re.search(r"(s|x|z|ch|sh)$", word):
        return word + "es"
    return word[:-1] + "ies" if re.search(r"[^aeiou]y$", word) else word + "s"


def with_ed(verb: str) -> str:
    """The regular past participle."""
    if verb.endswith("e"):
        return verb + "d"
    return verb[:-1] + "ied" if re.search(r"[^aeiou]y$", verb) else verb + "ed"


def conjugated(verb: str) -> tuple[str, str, str]:
    """The plain, negative and passive forms of a Japanese verb; * marks one that conjugates as 食べる."""
    if verb.endswith("*"):
        return verb[:-1], verb[:-2] + "ない", verb[:-2] + "られる"
    if verb.endswith("する"):
        return verb, verb[:-2] + "しない", verb[:-2] + "される"
    stem = verb[:-1] + _GODAN[verb[-1]]
    return verb, stem + "ない", stem + "れる"


def nouns(english: str, japanese: str, irregular: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """(feature, English, Japanese) for both numbers."""
    yield ".sg", english, japanese
    yield ".pl", irregular.get(english, with_s(english)), japanese


def verbs(english: str, japanese: str, irregular: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """(symbol's tail, English, Japanese): present in both numbers, negated, passive participle."""
    plain, negative, passive = conjugated(japanese)
    yield ".sg", with_s(english), plain
    yield ".pl", english, plain
    yield "neg", english, negative
    yield "part", irregular.get(english, with_ed(english)), passive


def words(renamed: Callable[[str, str, str], tuple[str, str]] = lambda kind, en, ja: (en, ja)) -> Words:
    """All entries. ``renamed(kind, english, japanese)`` may replace the stems of content words, kind being "noun",
    "verb", "adjective", "adverb" or "name"."""
    data = source()
    lexicon: Words = {}
    for kind in ("function", "adverb", "name", "adjective", "verb"):
        for symbol, entries in data[kind].items():
            for topic, groups in enumerate(data["topic"].values()):
                for en, ja, weight in _weighted(entries, groups["usual"].split()):
                    if kind == "function":
                        forms = [("", en, ja.strip("-"))]
                    elif kind == "verb":
                        forms = verbs(*renamed(kind, en, ja), data["irregular"])
                    else:
                        forms = [("", *renamed(kind, en, ja))]
                    _enter(lexicon, symbol, forms, topic, weight)
    for topic, groups in enumerate(data["topic"].values()):
        for group in ("person", "animal", "thing", "place"):
            for en, ja, weight in _weighted(groups[group], []):
                _enter(lexicon, f"N.{group}", nouns(*renamed("noun", en, ja), data["irregular"]), topic, weight)
    return lexicon


def _weighted(entries: list[str], usual: list[str]) -> Iterator[Entry]:
    for rank, entry in enumerate(entries):
        en, ja, *weight = entry.split()
        yield en, ja, (float(weight[0]) if weight else 1 / (2 + rank)) * (USUAL if en in usual else 1)


def _enter(lexicon: Words, symbol: str, forms: Iterable[tuple[str, str, str]], topic: int, weight: float) -> None:
    for tail, english, japanese in forms:
        by_topic = lexicon.setdefault(_symbol(symbol, tail), [[] for _ in topics()])
        by_topic[topic].append((english, japanese, weight))


def _symbol(group: str, tail: str) -> str:
    """The grammar's name: TV.person.thing + .sg -> TV.person.thing.sg; IV.animal + neg -> IVneg.animal."""
    name, *features = group.split(".")
    head = {"neg": f"{name}neg", "part": "Vpart" if name == "TV" else f"{name}part"}.get(tail, name)
    return ".".join([head, *features]) + (tail if tail.startswith(".") else "")


def nonce(seed: int) -> Callable[[str, str, str], tuple[str, str]]:
    """Invented stems, pronounceable and inflected right, one for each stem of the lexicon: a bijection, so that every
    probability stays what it was. English stems begin and end with a consonant; Japanese ones are katakana."""
    generator = numpy_generator(seed, "nonce words")
    known: dict[tuple[str, str], str] = {}
    taken = {
        form for by_topic in words().values() for entries in by_topic for en, ja, _ in entries for form in (en, ja)
    }

    def fresh(language: str, endings: tuple[str, ...]) -> str:
        while True:
            stem = _english(generator) if language == "english" else _japanese(generator)
            forms = {stem + ending for ending in ("", "s", "ed", *endings)}
            if not forms & taken:
                taken.update(forms)
                return stem

    def renamed(kind: str, english: str, japanese: str) -> tuple[str, str]:
        tail = {"verb": "る", "adjective": "い"}.get(kind, "")
        pair = []
        for language, stem in (("english", english), ("japanese", japanese)):
            if (language, stem) not in known:
                end = tail if language == "japanese" else "ly" if kind == "adverb" else ""
                known[language, stem] = fresh(language, (end, "ra", "らない", "られる")) + end
            pair.append(known[language, stem])
        return pair[0], pair[1]

    return renamed


_ONSETS = "b bl br d dr f fl fr g gl gr j k kl kr m n p pl pr r s sl sn sp t tr v w z"
_MIDDLES, _CODAS = "b d f g l m n p r t v z bl dr mp nd", "b d f g k l m n p r t"


def _english(generator: np.random.Generator) -> str:
    syllables = (_ONSETS, "a e i o u", _MIDDLES, "a e i o u", _CODAS)
    return "".join(parts.split()[generator.integers(len(parts.split()))] for parts in syllables)


def _japanese(generator: np.random.Generator) -> str:
    kana = "カキクケコサシスセソタテトナニヌネノハヒフヘホマミムメモラリルレロガギグゲゴダデドバビブベボ"
    return "".join(kana[place] for place in generator.integers(len(kana), size=3))
