"""A study small enough to be run hundreds of times: a curve fitted by a network, in two stages."""

import phantastic.declare.study as register_of_studies
from toys.study import TOY


def install() -> None:
    """Make the toy the only registered study of this process."""
    register_of_studies.register = lambda: {TOY.name: TOY}
