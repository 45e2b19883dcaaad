"""A member's states as they are, read by a small network: a learned mix of the layers (Peters et al. 2018, Eq. 1), a
bidirectional LSTM and the task's layer. The member does not change (Devlin et al. 2019, section 5.3)."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from phantastic.ground.randomness import initialised
from phantastic.nn.language.model import Model
from phantastic.nn.language.result import States
from phantastic.nn.language.scalar_mix import ScalarMix
from phantastic.systems.family import members
from phantastic.tuning import finetune
from phantastic.tuning.tasks import Task


class Features(nn.Module):
    """[batch, n] tokens to states of the LSTM; a text is judged by their maxima over its words.

    ``top``: the last layer alone is read. The member ``below`` is not among the weights.
    """

    def __init__(self, below: nn.Module, layers: int, sizes: tuple[int, int], *, top: bool):
        super().__init__()
        self.below, self.top = [below], top
        self.mix = ScalarMix(1 if top else layers)
        self.lstm = nn.LSTM(sizes[0], sizes[1] // 2, batch_first=True, bidirectional=True)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor, *, keep: bool = False
    ) -> States:
        with torch.no_grad():
            layers = members.states(self.below[0], input_ids, attention_mask, token_type_ids)
        x = self.mix(layers[-1:] if self.top else layers)
        packed = pack_padded_sequence(x, attention_mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        x, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=input_ids.shape[1])
        highest = x.masked_fill(~attention_mask.bool()[..., None], -torch.inf).amax(1)
        return States(x, highest)


def reader_of(below: nn.Module, head: Model, task: Task, seed: int, *, top: bool = False) -> Model:
    """Ready to learn the task; of ``head`` only its kind of heads is taken, which all members share."""
    model = finetune.with_head(finetune.with_dropout(head, 0.0), task, seed, fresh=True)
    some = torch.ones(1, 2, dtype=torch.long, device=next(below.parameters()).device)
    with torch.no_grad():
        layers = members.states(below.eval(), some, some, 0 * some)
    with initialised(seed, "features"):
        sizes = layers[-1].shape[-1], head.get_parameter("transformer.words.weight").shape[1]
        model.transformer = Features(below, len(layers), sizes, top=top)
    return model.to(some.device)
