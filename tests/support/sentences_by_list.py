"""A small grammar whose sentences can be listed one by one, and the list."""

from collections import defaultdict
from itertools import product

from phantastic.world.sentences.grammar import Grammar

RULES = """
3  S -> NP.n:nsubj V.n '.':punct            || NP.n:nsubj 'は':case< V.n '。':punct
2  S -> NP.n:nsubj V.n NP.m:obj '.':punct   || NP.n:nsubj 'は':case< NP.m:obj V.n '。':punct
1  NP.n -> Det.n:det N.n
1  NP.n -> Det.n:det N.n PP:nmod            || PP:nmod Det.n:det N.n
1  PP -> 'near':case Bare                   || Bare 'の':case
1  Bare -> N.m
2  V.n -> Verb.n
1  V.n -> Verb.n PP:obl                     || PP:obl Verb.n
1  NP.pl -> N.m And:cc> N.n:conj            || N.m:nmod And:case< N.n
"""
TEXT = {
    "start": "S",
    "rules": RULES,
    "variables": {"n": {"sg": 0.7, "pl": 0.3}, "m": {"sg": 0.6, "pl": 0.4}},
    "labels": {"NP": "NP", "PP": "PP", "V": "VP"},
    "tags": {"N": "NOUN", "Verb": "VERB", "Det": "DET", "And": "CCONJ", "near": "ADP", ".": "PUNCT", "。": "PUNCT"}
    | {"は": "ADP", "の": "ADP"},
}
WORDS = {
    "N.sg": [[("cow", "牛", 2.0), ("sheep", "羊", 1.0)], [("sheep", "羊", 3.0), ("king", "王", 1.0)]],
    "N.pl": [[("cows", "牛", 1.0), ("sheep", "羊", 1.0)], [("sheep", "羊", 1.0), ("kings", "王", 1.0)]],
    "Verb.sg": [[("sees", "見る", 1.0), ("eats", "食う", 2.0)], [("sees", "見る", 1.0)]],
    "Verb.pl": [[("see", "見る", 1.0), ("eat", "食う", 2.0)], [("see", "見る", 1.0)]],
    "Det.sg": [[("the", "", 2.0), ("this", "この", 1.0)]] * 2,
    "Det.pl": [[("the", "", 1.0), ("these", "この", 1.0)]] * 2,
    "And": [[("and", "と", 1.0)]] * 2,
}


def small() -> Grammar:
    return Grammar(TEXT, WORDS)


def listed(grammar: Grammar, words: dict, topic: int, number: int) -> dict[tuple[str, ...], list[float]]:
    """Every sentence of one language (0 English, 1 Japanese) with the probabilities of its derivations."""
    rules = defaultdict(list)
    for rule in grammar.rules:
        rules[rule.parent].append(rule)

    def expand(symbol: str) -> list[tuple[tuple[str, ...], float]]:
        if symbol not in rules:
            entries = words[symbol][topic]
            total = sum(weight for *_, weight in entries)
            return [((entry[number],) if entry[number] else (), entry[2] / total) for entry in entries]
        found = []
        for rule in rules[symbol]:
            side = rule.sides[number]
            options = [[((slot.name,), 1.0)] if slot.quoted else expand(slot.name) for slot in side]
            for option in product(*options):
                probability = rule.probability
                for _, share in option:
                    probability *= share
                found.append((sum((part for part, _ in option), ()), probability))
        return found

    sentences = defaultdict(list)
    for sentence, probability in expand(grammar.start):
        sentences[sentence].append(probability)
    return sentences
