"""The stochastic answer network (Liu, Duh & Gao 2018; MT-DNN's head for pairs: Liu et al. 2019, section 3): it looks at
the premise again and again, and its answer is the mean of those of all looks."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import dropout

from phantastic.ground.errors import Refused

STEPS, DROPPED = 5, 0.1


class StochasticAnswer(nn.Module):
    """K looks. The state begins as what of the hypothesis is attended to, s⁰ = Σ αⱼ mⱼ with α = softmax(w₁·mⱼ); a look
    is xᵏ = Σ βⱼ mⱼ over the premise with β = softmax(sᵏ⁻¹ W₂ mⱼ), then sᵏ = GRU(sᵏ⁻¹, xᵏ). Each look answers:
    Pᵏ = softmax(W₃ [sᵏ; xᵏ; |sᵏ - xᵏ|; sᵏ xᵏ]). In training answers are left out at random, never all of them.
    """

    def __init__(self, width: int, classes: int, steps: int = STEPS, dropped: float = DROPPED):
        super().__init__()
        if steps < 1:
            raise Refused(f"{steps} looks give no answer; allowed: at least 1")
        self.steps, self.dropped = steps, dropped
        self.own = nn.Linear(width, 1, bias=False)
        self.match = nn.Linear(width, width, bias=False)
        self.gru = nn.GRUCell(width, width)
        self.answer = nn.Linear(4 * width, classes)

    def looks(
        self,
        states: Float[Tensor, "batch n width"],
        premise: Bool[Tensor, "batch n"],
        hypothesis: Bool[Tensor, "batch n"],
    ) -> Float[Tensor, "batch steps classes"]:
        """What each look answers, as probabilities. ``premise`` and ``hypothesis`` say whose each word is."""
        s = attended(self.own(states)[..., 0], hypothesis, states)
        answers = []
        for _ in range(self.steps):
            x = attended(torch.einsum("bw,bnw->bn", self.match(s), states), premise, states)
            s = self.gru(x, s)
            answers.append(self.answer(torch.cat([s, x, (s - x).abs(), s * x], -1)).softmax(-1))
        return torch.stack(answers, 1)

    def forward(
        self,
        states: Float[Tensor, "batch n width"],
        premise: Bool[Tensor, "batch n"],
        hypothesis: Bool[Tensor, "batch n"],
    ) -> Float[Tensor, "batch classes"]:
        """log P of each class, P being the mean of the looks that count."""
        answers = self.looks(states, premise, hypothesis)
        count = torch.ones(answers.shape[:2], device=answers.device)
        kept = (dropout(count, self.dropped, self.training) > 0).to(answers.dtype)
        kept = torch.where(kept.any(1, keepdim=True), kept, 1.0)
        return torch.einsum("bk,bkc->bc", kept / kept.sum(1, keepdim=True), answers).log()


def attended(
    scores: Float[Tensor, "batch n"], words: Bool[Tensor, "batch n"], states: Float[Tensor, "batch n width"]
) -> Float[Tensor, "batch width"]:
    """The mean of the states of some words, weighted by the softmax of their scores."""
    weights = scores.masked_fill(~words, torch.finfo(scores.dtype).min).softmax(-1)
    return torch.einsum("bn,bnw->bw", weights, states)
