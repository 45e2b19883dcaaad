"""Multi-task fine-tuning with a shared encoder (Liu et al. 2019, MT-DNN, Algorithm 1): one BERT below, a head for each
task above; the mini-batches of all tasks are merged and shuffled, and each updates the encoder and its own head."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from phantastic.ground.errors import Refused, nearest
from phantastic.ground.randomness import numpy_generator
from phantastic.nn.language.model import Model
from phantastic.nn.language.result import Result


class Shared(nn.Module):
    """Models of one encoder: ``encoder`` is that of the first model, if possible with a pooler; ``heads`` holds each
    task's own."""

    def __init__(self, models: Mapping[str, Model]):
        """The models' own encoders are dropped for the shared one. Raises `Refused` where their sizes differ."""
        super().__init__()
        chosen = next((name for name, model in models.items() if "pooler.weight" in sizes(model)), next(iter(models)))
        self.encoder = models[chosen].transformer
        for name, model in models.items():
            if layers_of(model) != layers_of(models[chosen]):
                raise Refused(f"the encoder of task '{name}' has other sizes than that of '{chosen}'")
        for model in models.values():
            model.transformer = self.encoder
        self.heads = nn.ModuleDict({name: model.head for name, model in models.items()})
        self.models = dict(models)  # not registered: their parameters are those above

    def forward(self, task: str, **inputs: Any) -> Result:
        """The result of one task's model; inputs and labels by its keyword names."""
        if task not in self.models:
            raise Refused(f"unknown task '{task}'{nearest(task, self.models)}")
        return self.models[task](**inputs)


def sizes(model: Model) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in model.transformer.named_parameters()}


def layers_of(model: Model) -> dict[str, tuple[int, ...]]:
    """All sizes but those of the pooler, which some tasks do without."""
    return {name: size for name, size in sizes(model).items() if not name.startswith("pooler")}


def schedule(batches: Mapping[str, int], seed: int, epoch: int) -> list[tuple[str, int]]:
    """All mini-batches of an epoch in random order: (task, number of its batch). So a task comes as often as it has
    batches."""
    merged = [(task, number) for task, count in batches.items() for number in range(count)]
    order = numpy_generator(seed, "multi-task order", epoch).permutation(len(merged))
    return [merged[place] for place in np.asarray(order)]


def multi_task(shared: Shared, task: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``loss`` of one mini-batch, in the units of its task's own loss: cross-entropy, or squared error."""
    result = shared(task, **inputs)
    if result.loss is None:
        raise Refused(f"the batch of task '{task}' has no labels")
    return {"loss": result.loss}


def ranking_loss(
    scores: Float[Tensor, "questions candidates"], answer: Int[Tensor, " questions"], gamma: float = 1.0
) -> Float[Tensor, ""]:
    """Mean of -log P(answer | question) in nats, P = exp(γ Rel) / Σ exp(γ Rel) over the candidates of one question, and
    Rel = sigmoid(score) their relevance (Liu et al. 2019, section 3: relevance ranking; QNLI, with γ = 1).

    Relevance lies between 0 and 1, so that of two candidates the loss never falls below log(1 + 1/e) = .313 nats.
    """
    return cross_entropy(gamma * scores.float().sigmoid(), answer)
