"""Fine-tuning in one language and answering in another (zero-shot transfer; Lample & Conneau 2019, table 1)."""

from typing import Any

import torch
from torch import Tensor, nn

from phantastic.nn.language.model import Model
from phantastic.nn.language.result import States
from phantastic.tuning import finetune
from phantastic.tuning.tasks import Task
from phantastic.tuning.texts import Reader
from phantastic.world.sentences import LANGUAGES


class Spoken(nn.Module):
    """The layers of a network, which are told that all they read is in ``language``."""

    def __init__(self, below: nn.Module, language: str):
        super().__init__()
        self.below, self.language = below, language

    def forward(self, input_ids: Tensor, attention_mask: Tensor, *, keep: bool = False, **_: Tensor) -> States:
        langs = torch.full_like(input_ids, LANGUAGES.index(self.language))
        return self.below(input_ids, attention_mask, langs, keep=keep)


def bilingual(network: Model, task: Task, language: str, seed: int) -> Model:
    """A copy of a network of two languages with a new head for the task, reading ``language``."""
    model = finetune.with_head(network, task, seed)
    model.transformer = Spoken(model.transformer, language)
    return model


def answers(model: Model, task: Task, language: str, reader: Reader) -> list[Any]:
    """What a tuned network of two languages says of the test examples when they are in ``language``."""
    assert isinstance(model.transformer, Spoken)
    model.transformer.language = language
    return finetune.answers(model, task, reader)
