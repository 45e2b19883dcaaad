"""What stands on a pre-trained model: one class per task, shared by all architectures.

Every head takes the `States` and, by the library's keyword names, the targets it lists in ``targets``; with targets it
gives a loss. A label of -100 counts for nothing.
"""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss, relu

from phantastic.ground.errors import Refused, nearest
from phantastic.nn.language.config import Problem
from phantastic.nn.language.result import Result, States
from phantastic.nn.transformer import ACTIVATIONS


class WordScores(nn.Module):
    """[..., width] -> logits over the vocabulary, by the word embeddings where ``tied``; before that, where an
    ``activation`` is given, a dense layer and a norm."""

    def __init__(
        self, words: nn.Embedding, *, tied: bool, bias: bool = True, activation: str | None = None, epsilon: float = 0
    ):
        super().__init__()
        vocabulary, width = words.weight.shape
        self.activation = ACTIVATIONS[activation] if activation else None
        if activation:
            self.dense, self.norm = nn.Linear(width, width), nn.LayerNorm(width, epsilon)
        self.decoder = nn.Linear(width, vocabulary, bias)
        if tied:
            self.decoder.weight = words.weight

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        if self.activation:
            x = self.norm(self.activation(self.dense(x)))
        return self.decoder(x)


SQUASHING: dict[str | None, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": relu, None: lambda x: x}
POSITIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "first": lambda x: x[:, 0],
    "last": lambda x: x[:, -1],
    "mean": lambda x: x.mean(1),
    "cls_index": lambda x: x[:, -1],  # of a class token at the end
}


class Summary(nn.Module):
    """One vector per sequence: a position's state through dropout, a dense layer, an activation and dropout."""

    def __init__(
        self,
        width: int,
        outputs: int,
        *,
        activation: str | None = "tanh",
        before: float = 0,
        after: float = 0,
        position: str = "first",
        dense: bool = True,
    ):
        super().__init__()
        if position not in POSITIONS:
            raise Refused(f"'summary_type' is '{position}', which is not implemented{nearest(position, POSITIONS)}")
        if activation not in SQUASHING:
            close = nearest(str(activation), filter(None, SQUASHING))
            raise Refused(f"'summary_activation' is '{activation}', which is not implemented{close}")
        self.position = POSITIONS[position]
        self.before, self.after = nn.Dropout(before), nn.Dropout(after)
        self.dense = nn.Linear(width, outputs) if dense else nn.Identity()
        self.activation = SQUASHING[activation]

    def forward(self, states: States) -> Float[Tensor, "batch outputs"]:
        return self.after(self.activation(self.dense(self.before(self.position(states.last)))))


class Pooled(nn.Module):
    """The layers' own vector per sequence, through dropout."""

    def __init__(self, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: States) -> Float[Tensor, "batch width"]:
        assert states.pooled is not None
        return self.dropout(states.pooled)


class Head(nn.Module):
    """Common to all heads."""

    targets: ClassVar[tuple[str, ...]] = ()
    choices: ClassVar[bool] = False
    """Whether the inputs are [batch, choices, positions]."""


class Bare(Head):
    """No head: the last states and, with ``pooled``, the layers' own vector per sequence."""

    def __init__(self, *, pooled: bool = False):
        super().__init__()
        self.pooled = pooled

    def forward(self, states: States) -> Result:
        return Result(last_hidden_state=states.last, pooler_output=states.pooled if self.pooled else None)


def at_positions(states: Float[Tensor, "batch n width"], positions: Int[Tensor, "batch k"] | None) -> Tensor:
    """The states of some positions of each sequence, [batch, k, width]: a vocabulary's logits are costly."""
    if positions is None:
        return states
    rows = torch.arange(len(states), device=states.device)[:, None] * states.shape[1] + positions
    return states.flatten(0, 1).index_select(0, rows.flatten()).view(*positions.shape, -1)


def word_loss(logits: Float[Tensor, "*batch vocabulary"], labels: Int[Tensor, "*batch"]) -> Float[Tensor, ""]:
    """Mean cross-entropy in nats, of the labels that are not -100."""
    return cross_entropy(logits.flatten(0, -2).float(), labels.flatten())


class LanguageModel(Head):
    """Masked words, or with ``shift`` the next word: labels [batch, positions] are then the input itself.

    With ``prediction_positions`` [batch, k], logits and labels are of those positions only, [batch, k, vocabulary].
    """

    targets = ("labels", "prediction_positions")

    def __init__(self, words: WordScores, *, shift: bool = False):
        super().__init__()
        self.words, self.shift = words, shift

    def forward(
        self, states: States, labels: Tensor | None = None, prediction_positions: Tensor | None = None
    ) -> Result:
        logits = self.words(at_positions(states.last, prediction_positions))
        if labels is None:
            return Result(logits=logits)
        if self.shift and prediction_positions is None:
            return Result(loss=word_loss(logits[:, :-1], labels[:, 1:]), logits=logits)
        return Result(loss=word_loss(logits, labels), logits=logits)


class PreTraining(Head):
    """BERT's two objectives: masked words, and whether the second sentence followed the first (label 0) or not (1).

    The loss is their sum (Devlin et al. 2019, appendix A.2); it needs both labels.
    """

    targets = ("labels", "next_sentence_label", "prediction_positions")

    def __init__(self, words: WordScores, width: int):
        super().__init__()
        self.words, self.relation = words, nn.Linear(width, 2)

    def forward(
        self,
        states: States,
        labels: Tensor | None = None,
        next_sentence_label: Tensor | None = None,
        prediction_positions: Tensor | None = None,
    ) -> Result:
        logits = self.words(at_positions(states.last, prediction_positions))
        relation = self.relation(states.pooled)
        loss = None
        if labels is not None and next_sentence_label is not None:
            loss = word_loss(logits, labels) + cross_entropy(relation.float(), next_sentence_label.flatten())
        return Result(loss=loss, prediction_logits=logits, seq_relationship_logits=relation)


class NextSentence(Head):
    """Whether the second sentence followed the first (label 0) or not (1)."""

    targets = ("labels",)

    def __init__(self, width: int):
        super().__init__()
        self.relation = nn.Linear(width, 2)

    def forward(self, states: States, labels: Tensor | None = None) -> Result:
        logits = self.relation(states.pooled)
        return Result(None if labels is None else cross_entropy(logits.float(), labels.flatten()), logits)


class Task(NamedTuple):
    """How many labels there are, and of what kind; without a kind, the labels tell."""

    labels: int
    problem: Problem | None

    def loss(self, logits: Float[Tensor, "batch labels"], labels: Tensor) -> Float[Tensor, ""]:
        """Squared error for one label or numbers, cross-entropy for one of several, one sigmoid each for any of
        several."""
        integers = labels.dtype in (torch.int64, torch.int32)
        kind = "single_label_classification" if integers else "multi_label_classification"
        problem = self.problem or ("regression" if self.labels == 1 else kind)
        if problem == "regression":
            return mse_loss(logits.squeeze(), labels.squeeze()) if self.labels == 1 else mse_loss(logits, labels)
        if problem == "single_label_classification":
            return cross_entropy(logits.view(-1, self.labels), labels.flatten())
        return binary_cross_entropy_with_logits(logits, labels)


class Sequences(Head):
    """A label, several, or a number for each sequence."""

    targets = ("labels",)

    def __init__(self, task: Task, summary: nn.Module, width: int | None, bias: bool = True):
        """``width`` of the summary; None where the summary's own dense layer gives the logits."""
        super().__init__()
        self.task, self.summary = task, summary
        self.classifier = nn.Identity() if width is None else nn.Linear(width, task.labels, bias)

    def forward(self, states: States, labels: Tensor | None = None) -> Result:
        logits = self.classifier(self.summary(states))
        return Result(None if labels is None else self.task.loss(logits, labels), logits)


class Choices(Head):
    """Which of several continuations is right: one score for each, [batch, choices]."""

    targets = ("labels",)
    choices = True

    def __init__(self, summary: nn.Module, width: int):
        super().__init__()
        self.summary, self.classifier = summary, nn.Linear(width, 1)

    def forward(self, states: States, labels: Tensor | None = None, *, choices: int) -> Result:
        logits = self.classifier(self.summary(states)).view(-1, choices)
        return Result(None if labels is None else cross_entropy(logits, labels.flatten()), logits)


class Tokens(Head):
    """A label for each position, [batch, positions, labels]."""

    targets = ("labels",)

    def __init__(self, width: int, labels: int, dropout: float = 0):
        super().__init__()
        self.dropout, self.classifier = nn.Dropout(dropout), nn.Linear(width, labels)

    def forward(self, states: States, labels: Tensor | None = None) -> Result:
        logits = self.classifier(self.dropout(states.last))
        return Result(None if labels is None else word_loss(logits, labels), logits)


class Spans(Head):
    """The first and the last position of an answer, [batch, positions] each; a place outside the text counts for
    nothing."""

    targets = ("start_positions", "end_positions")

    def __init__(self, width: int, labels: int = 2, dropout: float = 0):
        super().__init__()
        if labels != 2:
            raise Refused(f"'num_labels' is {labels}; allowed for answers: 2, their first and their last position")
        self.dropout, self.ends = nn.Dropout(dropout), nn.Linear(width, 2)

    def forward(
        self, states: States, start_positions: Tensor | None = None, end_positions: Tensor | None = None
    ) -> Result:
        start, end = (logits.contiguous() for logits in self.ends(self.dropout(states.last)).unbind(-1))
        if start_positions is None or end_positions is None:
            return Result(start_logits=start, end_logits=end)
        outside = start.shape[1]
        first, last = (
            cross_entropy(logits, places.flatten().clamp(0, outside), ignore_index=outside)
            for logits, places in ((start, start_positions), (end, end_positions))
        )
        return Result(loss=(first + last) / 2, start_logits=start, end_logits=end)
