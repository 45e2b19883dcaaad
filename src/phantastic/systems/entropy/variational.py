"""Variational free energy: Helmholtz's with the energy -log p(y, x) and the temperature 1 (Friston 2010, Box 1).

x are the hidden causes, y the sensation, q(x) the belief (recognition density). Lowering F makes q the posterior and F
the surprise: the same descent that takes a hot body to Boltzmann's distribution is perception. All in nats; causes lie
on the last axis.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.systems.entropy.information import distribution, divergence, entropy


class FreeEnergy(NamedTuple):
    """F of a belief, with the parts of the three ways to write it."""

    energy: Float64[Tensor, "*batch"]
    """E_q[-log p(y, x)]"""
    entropy: Float64[Tensor, "*batch"]
    """H(q); F = energy - entropy"""
    divergence: Float64[Tensor, "*batch"]
    """KL(q || p(x|y)), what the belief is wrong by"""
    surprise: Float64[Tensor, "*batch"]
    """-log p(y), minus the log evidence; F = divergence + surprise"""
    complexity: Float64[Tensor, "*batch"]
    """KL(q || p(x)), how far the belief left the prior"""
    accuracy: Float64[Tensor, "*batch"]
    """E_q[log p(y|x)]; F = complexity - accuracy"""

    @property
    def value(self) -> Float64[Tensor, "*batch"]:
        """F = energy - entropy."""
        return self.energy - self.entropy


def energy(prior: Float64[Tensor, "*batch causes"], log_likelihood: Float64[Tensor, "*batch causes"]) -> Tensor:
    """-log p(y, x) of each cause; infinite where the prior is 0."""
    return -(distribution(prior).log() + log_likelihood)


def posterior(
    prior: Float64[Tensor, "*batch causes"], log_likelihood: Float64[Tensor, "*batch causes"]
) -> Float64[Tensor, "*batch causes"]:
    """p(x|y), by Bayes' rule."""
    return torch.softmax(-energy(prior, log_likelihood), -1)


def free_energy(
    belief: Float64[Tensor, "*batch causes"],
    prior: Float64[Tensor, "*batch causes"],
    log_likelihood: Float64[Tensor, "*batch causes"],
) -> FreeEnergy:
    """F of the belief. Each part is computed by its own definition, so that their sums agree is a law, not a trick.

    Raises `Refused` where belief or prior is no distribution; F is infinite where the belief allows what the prior
    rules out. A posterior is taken in logarithms: it may be too small for float64, and is yet not 0.
    """
    joint = energy(prior, log_likelihood)
    return FreeEnergy(
        energy=torch.where(belief > 0, belief * joint, 0.0).sum(-1),
        entropy=entropy(belief),
        divergence=torch.where(belief > 0, belief * (belief.log() - torch.log_softmax(-joint, -1)), 0.0).sum(-1),
        surprise=-torch.logsumexp(-joint, -1),
        complexity=divergence(belief, prior),
        accuracy=torch.where(belief > 0, belief * log_likelihood, 0.0).sum(-1),
    )


def fit_gaussian(
    x: Float64[Tensor, " causes"],
    prior: Float64[Tensor, " causes"],
    log_likelihood: Float64[Tensor, " causes"],
    iterations: int = 60,
) -> Float64[Tensor, " causes"]:
    """The belief of Gaussian form over evenly spaced causes with the lowest F: L-BFGS on its mean and log sd.

    It starts from the moments of the prior. F stays above the surprise by the divergence that no Gaussian can remove.
    """
    joint = energy(prior, log_likelihood)
    mean = (prior * x).sum()
    parameters = torch.stack([mean, 0.5 * (prior * (x - mean) ** 2).sum().log()]).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [parameters], max_iter=iterations, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def log_belief() -> Tensor:
        return torch.log_softmax(-0.5 * ((x - parameters[0]) / parameters[1].exp()) ** 2, -1)

    def loss() -> Tensor:
        optimiser.zero_grad()
        log_q = log_belief()
        value = (log_q.exp() * (joint + log_q)).sum()
        value.backward()
        return value

    optimiser.step(loss)  # pyright: ignore[reportArgumentType]
    return log_belief().detach().exp()
