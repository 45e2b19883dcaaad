"""ELMo's objective (Peters et al. 2018, section 3.1): one LSTM reads forwards and one backwards; each predicts the next
word on its way, and the two share the words' embeddings and their scores.

ELMo reads characters; here a word is an embedding, as in its layer 0 after the character network.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from phantastic.pretraining.corpus import IGNORED


class BidirectionalLM(nn.Module):
    """Two stacks of LSTMs (without ELMo's projections), and a residual connection between layers.

    Sites: ``words``, the layers ``forwards[i]`` and ``backwards[i]``, ``scores``.
    """

    def __init__(self, vocabulary: int, width: int, layers: int = 2):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.forwards, self.backwards = (
            nn.ModuleList(nn.LSTM(width, width, batch_first=True) for _ in range(layers)) for _ in range(2)
        )
        self.scores = nn.Linear(width, vocabulary)

    def forward(
        self, input_ids: Int[Tensor, "batch n"], attention_mask: Int[Tensor, "batch n"]
    ) -> tuple[list[Float[Tensor, "batch n width"]], list[Float[Tensor, "batch n width"]]]:
        """The states of both directions, from the embeddings to the last layer, each at the word it has just read."""
        lengths = attention_mask.sum(1)
        ahead, behind = [self.words(input_ids)], [self.words(backwards(input_ids, lengths))]
        for stack, states in ((self.forwards, ahead), (self.backwards, behind)):
            for depth, layer in enumerate(stack):
                output, _ = layer(states[-1])
                states.append(output + states[-1] if depth else output)
        return ahead, [backwards(state, lengths) for state in behind]


def backwards(x: Tensor, lengths: Int[Tensor, " batch"]) -> Tensor:
    """Each row's first ``lengths`` items in the opposite order; the padding stays. Twice, it is nothing."""
    places = torch.arange(x.shape[1], device=x.device)[None]
    turned = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)
    return x.gather(1, turned if x.dim() == 2 else turned[..., None].expand_as(x))


def recurrent_lm(
    model: BidirectionalLM, input_ids: Int[Tensor, "batch n"], attention_mask: Int[Tensor, "batch n"]
) -> dict[str, Tensor]:
    """``loss``: the mean of ``forward``, -log p(word | the words before), and ``backward``, -log p(word | the words
    after), in nats per word; the first word is not predicted forwards, nor the last backwards."""
    ahead, behind = model(input_ids, attention_mask)
    words = torch.where(attention_mask.bool(), input_ids, IGNORED)
    before, after = model.scores(ahead[-1][:, :-1]), model.scores(behind[-1][:, 1:])
    last = torch.where(attention_mask[:, 1:].bool(), words[:, :-1], IGNORED)  # a word with one behind it
    forward, backward = (
        cross_entropy(scores.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED)
        for scores, targets in ((before, words[:, 1:]), (after, last))
    )
    return {"loss": (forward + backward) / 2, "forward": forward, "backward": backward}
