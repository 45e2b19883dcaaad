"""What SCAN minimises (Higgins et al. 2018, Eq. 4, App. A.1).

    L = E_q(z_y|y) log p(y|z_y) − β KL(q(z_y|y) ‖ N(0, I)) − λ KL(q(z_x|x) ‖ q(z_y|y))

The grounding term is the *forward* divergence: q(z_y|y) must cover the posteriors of all images the concept is true of,
so what a concept leaves open stays open. SCAN_R, with the divergence turned round, settles between the images instead.
λ = 10 and β = 1 are those of App. A.1 (the text under Eq. 4 has them the other way round).
"""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from phantastic.nn.distributions import Gaussian, kl, kl_to_standard, sample
from phantastic.systems.scan.model import Recombinator, SymbolVAE


def scan_loss(
    model: SymbolVAE,
    symbols: Tensor,
    seen: Gaussian,
    generator: torch.Generator,
    *,
    beta: float,
    grounding: float,
    reverse: bool = False,
) -> dict[str, Tensor]:
    """The negative of L in nats per pair. ``symbols`` [batch, width], ``seen`` = q(z_x|x) [batch, latent].

    ``reverse`` gives SCAN_R: KL(q(z_y|y) ‖ q(z_x|x)), pair by pair.
    """
    named = model.encode(symbols)
    logits = model.decode(sample(named, generator))
    reconstruction = binary_cross_entropy_with_logits(logits, symbols, reduction="sum") / len(symbols)
    prior = kl_to_standard(named).sum(1).mean()
    apart = (kl(named, seen) if reverse else kl(seen, named)).sum(1).mean()
    return {
        "loss": reconstruction + beta * prior + grounding * apart,
        "reconstruction": reconstruction,
        "kl": prior,
        "grounding": apart,
    }


def recombination_loss(
    model: Recombinator, first: Gaussian, second: Gaussian, operator: Tensor, target: Gaussian
) -> dict[str, Tensor]:
    """KL(target ‖ result) in nats: the result must cover what the target concept covers (Sec. 3)."""
    return {"loss": kl(target, model(first, second, operator)).sum(1).mean()}
