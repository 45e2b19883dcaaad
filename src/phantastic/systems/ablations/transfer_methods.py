"""What a pre-trained network is worth to a task: tuned, with a recurrent network on top, or as it is."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from phantastic.declare.measure import Measure
from phantastic.ground.randomness import initialised, numpy_generator
from phantastic.nn.language.model import Model
from phantastic.nn.language.result import States
from phantastic.pretraining.wordpiece import PAD
from phantastic.tuning import finetune, measure
from phantastic.tuning.finetune import See, Tuning
from phantastic.tuning.tasks import Task
from phantastic.tuning.texts import Reader


class Recurrent(nn.Module):
    """A network, and on its last states a bidirectional LSTM, half of the width in each direction; a sequence is
    judged by the first state. ``frozen``: the network below stays as it is (Devlin et al. 2019, sections 5.1,
    5.3)."""

    def __init__(self, below: nn.Module, width: int, layers: int, *, frozen: bool):
        super().__init__()
        self.below = below.requires_grad_(not frozen)
        self.width = width
        self.lstm = nn.LSTM(width, (width + 1) // 2, layers, batch_first=True, bidirectional=True)
        self.pooler = nn.Linear(width, width)

    def forward(self, input_ids: Tensor, *, keep: bool = False, **inputs: Tensor) -> States:
        states: States = self.below(input_ids, **inputs, keep=keep)
        lengths = (input_ids != PAD).sum(1).cpu()
        packed = pack_padded_sequence(states.last, lengths, batch_first=True, enforce_sorted=False)
        x, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=input_ids.shape[1])
        x = x[..., : self.width]  # of an odd width one output is left out
        return States(x, torch.tanh(self.pooler(x[:, 0])), states.hidden)


def prepared(network: Model, task: Task, use: str, seed: int, dropout: float) -> Model:
    """A copy of the network with the task's head, ready to learn; features as they are have no dropout."""
    finetune.with_dropout(network, 0.0 if use == "features" else dropout)
    model = finetune.with_head(network, task, seed)
    if use != "tuned":
        width = network.transformer.get_parameter("words.weight").shape[1]
        frozen = use == "features"
        with initialised(seed, "recurrent"):
            model.transformer = Recurrent(model.transformer, width, 2 if frozen else 1, frozen=frozen)
    return model.to(next(network.parameters()).device)


def worth(
    network: Model,
    task: Task,
    use: str,
    reader: Reader,
    plan: Tuning,
    dropout: float,
    seed: int,
    see: See | None = None,
) -> Measure:
    """The task's first official measure after learning it, in float32."""
    model = prepared(network, task, use, seed, dropout)
    finetune.learn(model, task.kind, finetune.encode(reader, task.kind, task.train), plan, seed, see)
    with torch.autocast(next(model.parameters()).device.type, enabled=False):
        predictions = finetune.answers(model, task, reader, see)
    scores = measure.scores(task, predictions, numpy_generator(seed, f"bootstrap {task.name}"))
    return scores[task.measures[0]]
