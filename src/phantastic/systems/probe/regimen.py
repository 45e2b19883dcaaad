"""How a probe is fitted: the published regimen of Hewitt & Manning (2019), as their program has it.

Adam at 1e-3 on batches of 20 sentences; after each epoch the learning rate falls tenfold unless the loss on the
development set fell by at least 1e-4 of its size; the projection of the best epoch is kept (better by 1e-4 at least)
and five epochs without a better one end it. Adam's moments go on when the rate falls.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator, torch_generator
from phantastic.systems.probe.objective import Corpus, Heads, Kind, Vectors, gradient, loss_of, residual

PATIENCE, IMPROVEMENT = 5, 1e-4


class Epoch(NamedTuple):
    """An epoch of the fit: mean losses over its sentences, and the learning rate it was trained with."""

    number: int
    train: float
    dev: float
    rate: float


def fit(
    embeddings: Vectors,
    heads: Heads,
    *,
    kind: Kind = "distance",
    rank: int,
    dev: tuple[Vectors, Heads] | None = None,
    seed: int = 0,
    initial: Float[Tensor, "hidden rank"] | None = None,
    shuffle: bool = True,
    batch: int = 20,
    epochs: int = 40,
    report: Callable[[Epoch], None] | None = None,
) -> Float[Tensor, "hidden rank"]:
    """The projection B whose squared distances (or norms) come nearest to the trees' distances (or depths).

    ``embeddings`` are one float[words, hidden] per sentence, ``heads`` count words from 1 with 0 for the root, as in
    CoNLL-U; ``dev`` are the same two of the development set (without one, the sentences themselves are it). It starts
    from ``initial`` or from U(−.05, .05), and takes the sentences in the given order where ``shuffle`` is off;
    ``report`` is called after each epoch. It computes in float32 where the vectors lie. Raises `Refused` naming the
    sentence whose vectors or heads do not fit, and for a rank, batch or number of epochs that is not possible.
    """
    train = Corpus(embeddings, heads, kind)
    hidden, device = train.vectors.shape[1], train.vectors.device
    held_out = train if dev is None else Corpus(*dev, kind, hidden)
    if not 1 <= rank <= hidden:
        raise Refused(f"rank {rank} is not possible; expected 1 to {hidden}, the size of the vectors")
    if batch < 1 or epochs < 1:
        raise Refused(f"batch {batch} and epochs {epochs} are not possible; expected at least 1")
    if initial is None:
        initial = torch.rand((hidden, rank), generator=torch_generator(seed, "probe/projection")) * 0.1 - 0.05
    projection = torch.as_tensor(initial).to(device, torch.float32, copy=True)
    if projection.shape != (hidden, rank):
        raise Refused(f"the initial projection is {list(projection.shape)}; expected [{hidden}, {rank}]")
    optimiser = torch.optim.Adam([projection], lr=1e-3, fused=True)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.1, patience=0)
    sorted_dev = np.argsort(held_out.lengths, kind="stable")  # little padding: the order does not change the loss
    best, best_loss, best_epoch = projection.clone(), np.inf, -1
    for epoch in range(epochs):
        order = np.arange(len(train))
        if shuffle:
            numpy_generator(seed, "probe/order", epoch).shuffle(order)
        total, rate = 0.0, optimiser.param_groups[0]["lr"]
        for begin in range(0, len(order), batch):
            chosen = order[begin : begin + batch]
            sentences = train.batch(chosen)
            projected, error = residual(projection, sentences)
            projection.grad = gradient(projected, error, sentences)
            optimiser.step()
            total += float(loss_of(error, sentences)) * len(chosen)
        dev_loss = mean_loss(projection, held_out, sorted_dev)
        schedule.step(dev_loss)
        if report is not None:
            report(Epoch(epoch, total / len(order), dev_loss, rate))
        if dev_loss < best_loss - IMPROVEMENT:
            best, best_loss, best_epoch = projection.clone(), dev_loss, epoch
        elif epoch - best_epoch >= PATIENCE:
            break
    return best


def mean_loss(projection: Float[Tensor, "hidden rank"], corpus: Corpus, order: np.ndarray, batch: int = 20) -> float:
    """The loss averaged over sentences."""
    total = 0.0
    for begin in range(0, len(order), batch):
        sentences = corpus.batch(order[begin : begin + batch])
        total += float(loss_of(residual(projection, sentences)[1], sentences)) * len(sentences.filled)
    return total / len(order)
