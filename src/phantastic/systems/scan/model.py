"""SCAN's own networks: the symbol VAE and the recombination operators (Higgins et al. 2018, Sec. 3 and App. A.1).

Both work in the latent space of a trained visual module (a β-VAE): the symbol encoder says which region of it a concept
covers, and the operators turn two regions into a third.
"""

import torch
from torch import Tensor, nn

from phantastic.nn.distributions import Gaussian, gaussian
from phantastic.systems.scan.concepts import OPERATORS


class SymbolEncoder(nn.Module):
    """q(z_y | y): k-hot symbols [batch, width] -> `Gaussian` [batch, latent]; one hidden layer."""

    def __init__(self, width: int, hidden: int, latent: int):
        super().__init__()
        self.dense1 = nn.Linear(width, hidden)
        self.head = nn.Linear(hidden, 2 * latent)

    def forward(self, symbols: Tensor) -> Tensor:
        return self.head(torch.relu(self.dense1(symbols)))


class SymbolDecoder(nn.Module):
    """p(y | z_y): codes [batch, latent] -> logits of the symbols [batch, width]."""

    def __init__(self, width: int, hidden: int, latent: int):
        super().__init__()
        self.dense1 = nn.Linear(latent, hidden)
        self.head = nn.Linear(hidden, width)

    def forward(self, codes: Tensor) -> Tensor:
        return self.head(torch.relu(self.dense1(codes)))


class SymbolVAE(nn.Module):
    """The VAE over symbols whose latent space is grounded in the visual one."""

    def __init__(self, width: int, hidden: int, latent: int):
        super().__init__()
        self.encoder = SymbolEncoder(width, hidden, latent)
        self.decoder = SymbolDecoder(width, hidden, latent)

    def encode(self, symbols: Tensor) -> Gaussian:
        return gaussian(self.encoder(symbols))

    def decode(self, codes: Tensor) -> Tensor:
        return self.decoder(codes).float()


class Recombinator(nn.Module):
    """The operators: (mean, log-variance) of two concepts -> those of the result, the same map for every latent.

    A convolution of kernel 1 along the latents, 4 -> hidden -> 2 per operator; the operator selects its pair. Because a
    disentangled latent belongs to one factor, one map for all latents suffices, and it carries over to factors it
    was never trained on.
    """

    def __init__(self, hidden: int):
        super().__init__()
        self.mix = nn.Linear(4, hidden)
        self.head = nn.Linear(hidden, 2 * len(OPERATORS))

    def forward(self, first: Gaussian, second: Gaussian, operator: Tensor) -> Gaussian:
        """``operator``: int[batch]; Gaussians [batch, latent]."""
        operands = torch.stack([*first, *second], dim=-1)  # [batch, latent, 4]
        results = self.head(torch.relu(self.mix(operands))).float().unflatten(-1, (len(OPERATORS), 2))
        chosen = results[torch.arange(len(operator), device=operator.device), :, operator]
        return Gaussian(chosen[..., 0], chosen[..., 1])
