"""What a study does, as the ground asks for it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from phantastic.declare.measure import Measure
from phantastic.declare.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

    from phantastic.run.folder import Run
    from phantastic.show.figure import Figure

R = TypeVar("R", bound=Recipe)
Scores = Mapping[str, Measure | float]  # measures by name; of a number nothing is known but its value


class Experiment(ABC, Generic[R]):
    """The science of one study; its subclasses are final.

    The ground asks for it seed by seed, and owns what is around it: seeds, resuming, means and intervals over seeds,
    recording, judging. The last five hooks are optional. Those without a ``seed`` speak of ``run.recipe.seed``, which
    is the first, or another that the run is looked at `under`; what all seeds share hangs on ``run.first_seed``.
    """

    @abstractmethod
    def one_seed(self, run: "Run[R]", recipe: R, seed: int) -> Scores:
        """Train by `train`, compute by `Run.once`, and return what was measured under one seed."""

    @abstractmethod
    def networks(self, run: "Run[R]") -> dict[str, "nn.Module"]:
        """The trained networks of the first seed, in evaluation mode; their modules are the sites of lesions."""

    @abstractmethod
    def lesion_measures(self, run: "Run[R]", networks: "Mapping[str, nn.Module]") -> dict[str, float]:
        """Measure these networks, whole or damaged, in a few seconds; deterministic."""

    @abstractmethod
    def figures(self, run: "Run[R]") -> dict[str, "Figure"]:
        """What came out, each figure with its caption, in the language that is spoken."""

    def overall(self, run: "Run[R]", recipe: R, seeds: Sequence[Mapping[str, Measure]]) -> Scores:
        """What hangs on no seed, or on all: measures of the run beside those of ``seeds``."""
        return {}

    def equations(self, run: "Run[R]") -> dict[str, list[str]]:
        """The equations of the models that ran, as MathML by the models' names, for the report."""
        return {}

    def lesion_answers(self, run: "Run[R]", networks: "Mapping[str, nn.Module]") -> dict[str, list]:
        """What these networks, whole or damaged, answer to each test item, and what the item was: columns by name, an
        entry per item, in an order that no damage changes; deterministic. Written beside the dose curve."""
        return {}

    def apply(self, run: "Run[R]", request: Any) -> list[str]:
        """Take stimuli in a request of the study's type ``apply``; lines to be printed."""
        raise NotImplementedError

    def fit(self, request: Any) -> list[str]:
        """Infer a person's parameters from a request of the study's type ``fit``; lines to be printed."""
        raise NotImplementedError
