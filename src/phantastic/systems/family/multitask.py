"""MT-DNN (Liu et al. 2019): five tasks of the grammar, each with its own head, learned one network each (ST-DNN) or all
by one (MT-DNN), in as many batches of each task.

Heads: of one sentence, a layer on the pooled state; of pairs, the stochastic answer network; a score, w · C; and of
questions which of two sentences holds the answer, by the ranking loss, as of QNLI.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from msgspec import structs
from torch import Tensor
from torch.nn.functional import nll_loss

from phantastic.ground.randomness import Epochs, initialised
from phantastic.nn.language.heads import Choices, Head, Pooled
from phantastic.nn.language.model import Model
from phantastic.nn.language.result import Result, States
from phantastic.nn.language.stochastic_answer import StochasticAnswer
from phantastic.pretraining.objectives.multi_task import Shared, multi_task, ranking_loss, schedule
from phantastic.systems.family.members import words_of
from phantastic.tuning import finetune
from phantastic.tuning.tasks import Answer, Example, Kind, Task
from phantastic.tuning.texts import Reader

PAIRS = ("paraphrase", "entailment")
TASKS = ("acceptability", *PAIRS, "similarity", "ranking")
Batch = tuple[dict[str, Tensor], dict[str, Tensor]]


class Answering(Head):
    """A class for a pair, by looking again and again (`StochasticAnswer`)."""

    targets = ("labels", "premise", "hypothesis")

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.answer = StochasticAnswer(width, classes)

    def forward(self, states: States, premise: Tensor, hypothesis: Tensor, labels: Tensor | None = None) -> Result:
        logits = self.answer(states.last, premise, hypothesis)
        return Result(None if labels is None else nll_loss(logits, labels), logits)


class Ranking(Choices):
    """Which of several candidates answers, by `ranking_loss`."""

    def forward(self, states: States, labels: Tensor | None = None, *, choices: int) -> Result:
        logits = super().forward(states, choices=choices).logits
        assert logits is not None
        return Result(None if labels is None else ranking_loss(logits, labels), logits)


class Learned(NamedTuple):
    """A task, and its examples in tokens; of rankings an item is the list of its candidates."""

    name: str
    kind: Kind
    train: list[Any]
    test: list[Any]


# --- examples


def ranked(example: Example) -> tuple[list[Example], int]:
    """A question with each sentence of its text, and the number of the sentence that holds the answer."""
    question, text = example.texts
    assert isinstance(example.target, Answer)
    sentences = [f"{sentence} ." for sentence in text.removesuffix(" .").split(" . ")]
    answer = text[: example.target.start].count(" . ")
    return [Example((question, sentence), 0) for sentence in sentences], answer


def learned(reader: Reader, task: Task) -> Learned:
    if task.kind != "span":
        parts = (finetune.encode(reader, task.kind, examples) for examples in (task.train, task.test))
        return Learned(task.name, task.kind, *parts)
    parts = []
    for examples in (task.train, task.test):
        rows = [ranked(example) for example in examples]
        parts.append([(finetune.encode(reader, "class", candidates), answer) for candidates, answer in rows])
    return Learned("ranking", "class", *parts)


def collated(model: Model, task: Learned, items: Sequence[Any]) -> Batch:
    """What the network reads and what it is to say. Of a pair also whose each word is."""
    device = next(model.parameters()).device
    if task.name == "ranking":
        flat = [candidate for candidates, _ in items for candidate in candidates]
        inputs, _ = finetune.collated(model, "class", flat, None, device)
        inputs = {name: value.unflatten(0, (len(items), -1)) for name, value in inputs.items()}
        return inputs, {"labels": torch.tensor([answer for _, answer in items], device=device)}
    inputs, targets = finetune.collated(model, task.kind, items, None, device)
    if task.name in PAIRS:
        word, second = words_of(inputs["input_ids"]), inputs["token_type_ids"].bool()
        inputs |= {"premise": word & ~second, "hypothesis": word & second}
    return inputs, targets


# --- learning and answering


def with_head(network: Model, task: Task, seed: int) -> Model:
    """A copy of the network with MT-DNN's head for the task; of questions, for their ranking."""
    width = network.get_parameter("transformer.words.weight").shape[1]
    name = "ranking" if task.kind == "span" else task.name
    one = task._replace(kind="score" if task.kind == "score" else "class")
    model = finetune.with_head(network, one, seed)
    with initialised(seed, f"MT-DNN's head of {name}"):
        if name == "ranking":
            model.head = Ranking(Pooled(structs.asdict(network.config)["hidden_dropout_prob"]), width)
        elif name in PAIRS:
            model.head = Answering(width, task.labels)
    return model.to(next(network.parameters()).device)


def shared(network: Model, tasks: Sequence[Task], seed: int) -> Shared:
    models = {}
    for task in tasks:
        models["ranking" if task.kind == "span" else task.name] = with_head(network, task, seed)
    return Shared(models)


def losses(
    network: Shared, tasks: Mapping[str, Learned], plan: finetune.Tuning, seed: int
) -> Callable[[int], dict[str, Tensor]]:
    """By step, of ``plan.steps`` for each task; the batches of all are shuffled (Algorithm 1)."""
    order = schedule(dict.fromkeys(tasks, plan.steps), seed, 0)
    rows = {
        name: Epochs(len(task.train), min(plan.batch, len(task.train)), seed, f"order of {name}")
        for name, task in tasks.items()
    }

    def loss(step: int) -> dict[str, Tensor]:
        name, number = order[step]
        items = [tasks[name].train[row] for row in rows[name](number)]
        inputs, targets = collated(network.models[name], tasks[name], items)
        with initialised(seed, f"dropout/{step}"):
            return multi_task(network, name, inputs | targets)

    return loss


@torch.no_grad()
def answers(network: Shared, task: Learned, size: int = 64) -> list[Any]:
    """The class, the score or the number of the candidate, of each test example."""
    model, said = network.models[task.name], []
    for first in range(0, len(task.test), size):
        logits = model(**collated(model, task, task.test[first : first + size])[0]).logits
        assert logits is not None
        said += (logits.squeeze(-1) if task.kind == "score" else logits.argmax(-1)).tolist()
    return said
