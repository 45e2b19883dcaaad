"""The models of the lecture: when each appeared, and on what it builds, as its own paper says."""

from typing import Literal, NamedTuple


class Ancestor(NamedTuple):
    """``network``: its layers or weights are taken over; ``idea``: what for or how it is trained."""

    name: str
    kind: Literal["network", "idea"]
    where: str
    """The place in the descendant's paper that says so."""


class Relative(NamedTuple):
    """``month``: when the paper appeared, in years; ``height``: a place in the picture, from 0 below."""

    name: str
    paper: str
    month: float
    height: float
    ancestors: tuple[Ancestor, ...] = ()


def at(year: int, month: int) -> float:
    return year + (month - 0.5) / 12


FAMILY = (
    Relative("skip-gram", "mikolov2013", at(2013, 10), 0),
    Relative("Transformer", "vaswani2017", at(2017, 6), 3),
    Relative("ELMo", "peters2018", at(2018, 2), 0, (Ancestor("skip-gram", "idea", "section 1"),)),
    Relative("GPT", "radford2018", at(2018, 6), 4, (Ancestor("Transformer", "network", "section 3.1"),)),
    Relative(
        "BERT",
        "devlin2019",
        at(2018, 10),
        2,
        (
            Ancestor("Transformer", "network", "section 3"),
            Ancestor("GPT", "idea", "section 2.2"),
            Ancestor("ELMo", "idea", "section 2.1"),
        ),
    ),
    Relative("Transformer-XL", "dai2019", at(2019, 1), 3, (Ancestor("Transformer", "network", "section 3.1"),)),
    Relative("MT-DNN", "liu2019", at(2019, 1), 0.6, (Ancestor("BERT", "network", "section 3"),)),
    Relative("GPT-2", "radford2019", at(2019, 2), 4, (Ancestor("GPT", "network", "section 2.3"),)),
    Relative(
        "XLNet",
        "yang2019",
        at(2019, 6),
        3,
        (Ancestor("Transformer-XL", "network", "section 2.4"), Ancestor("BERT", "idea", "section 2.1")),
    ),
    Relative("RoBERTa", "liu2019roberta", at(2019, 7), 2, (Ancestor("BERT", "network", "section 3"),)),
)
