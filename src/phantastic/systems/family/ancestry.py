"""The models of the lecture: when each appeared, and on what it builds, as its own paper says."""

from typing import Literal, NamedTuple


class Ancestor(NamedTuple):
    """``network``: its layers or weights are taken over; ``idea``: what for or how it is trained."""

    name: str
    kind: Literal["network", "idea"]
    where: str
    """The place in the descendant's paper that says so."""


class Relative(NamedTuple):
    """``month`` in which the paper appeared; ``height``: its place in the picture, from 0 below."""

    name: str
    paper: str
    month: str
    height: int
    ancestors: tuple[Ancestor, ...] = ()


FAMILY = (
    Relative("skip-gram", "mikolov2013", "2013-10", 0),
    Relative("Transformer", "vaswani2017", "2017-06", 3),
    Relative("ELMo", "peters2018", "2018-02", 0, (Ancestor("skip-gram", "idea", "section 1"),)),
    Relative("GPT", "radford2018", "2018-06", 4, (Ancestor("Transformer", "network", "section 3.1"),)),
    Relative(
        "BERT",
        "devlin2019",
        "2018-10",
        2,
        (
            Ancestor("Transformer", "network", "section 3"),
            Ancestor("GPT", "idea", "section 2.2"),
            Ancestor("ELMo", "idea", "section 2.1"),
        ),
    ),
    Relative("Transformer-XL", "dai2019", "2019-01", 3, (Ancestor("Transformer", "network", "section 3.1"),)),
    Relative("MT-DNN", "liu2019", "2019-01", 1, (Ancestor("BERT", "network", "section 3"),)),
    Relative("GPT-2", "radford2019", "2019-02", 4, (Ancestor("GPT", "network", "section 2.3"),)),
    Relative(
        "XLNet",
        "yang2019",
        "2019-06",
        3,
        (Ancestor("Transformer-XL", "network", "section 2.4"), Ancestor("BERT", "idea", "section 2.1")),
    ),
    Relative("RoBERTa", "liu2019roberta", "2019-07", 2, (Ancestor("BERT", "network", "section 3"),)),
)
