"""An epoch of a distance probe beside the pairwise-difference form of the public program, in one process, taking turns.

    python benchmarks/probe.py                               768 dimensions, full rank, one thread
    python benchmarks/probe.py --treebank en_ewt-ud-train.conllu --threads 2
    python benchmarks/probe.py --hidden 256 --rank 64

Contenders, on the same random vectors, trees and batches of 20 sentences in random order, both with Adam:

- differences: words padded to the longest sentence of the batch and projected, all differences [20, n, n, rank] made,
  squared and summed by autograd; labels made beforehand (in the public program Python makes them, which takes longer);
- ours: `fit`'s own batches, loss and gradient.

An epoch is extrapolated from the sentences of a turn. CPU time is what counts on a busy machine; ratios are of turns
next to each other. Without a treebank, random trees have lengths distributed as in UD English EWT (mean 16).
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from phantastic.data import conllu
from phantastic.ground.randomness import numpy_generator, torch_generator
from phantastic.systems.probe.objective import Corpus, gradient, loss_of, residual

BATCH, EPOCH = 20, 12_544
Turn = Callable[[np.ndarray], float]


def trees(count: int) -> list[np.ndarray]:
    """Random heads; lengths of a negative binomial distribution with the mean and spread of EWT's."""
    rng = numpy_generator(0, "benchmark")
    lengths = 1 + np.minimum(rng.negative_binomial(1.7, 1.7 / (1.7 + 15.3), count), 158)
    return [np.concatenate([[0], 1 + rng.integers(np.arange(1, length))]) for length in lengths]


def differences(corpus: Corpus, initial: Tensor) -> Turn:
    """The form of the public program, written anew."""
    projection = initial.clone().requires_grad_()
    optimiser = torch.optim.Adam([projection], lr=1e-3)

    def train(order: np.ndarray) -> float:
        total = 0.0
        for begin in range(0, len(order), BATCH):
            chosen = order[begin : begin + BATCH]
            lengths = corpus.lengths[chosen]
            vectors = torch.zeros(len(chosen), int(lengths.max()), initial.shape[0])
            gold = torch.full((len(chosen), int(lengths.max()), int(lengths.max())), -1.0)
            for row, (sentence, length) in enumerate(zip(chosen, lengths, strict=True)):
                vectors[row, :length] = corpus.vectors[corpus.begins[sentence] : corpus.begins[sentence] + length]
                gold[row, :length, :length] = torch.from_numpy(corpus.gold[sentence]).float()
            optimiser.zero_grad()
            projected = (vectors @ projection).unsqueeze(2).expand(-1, -1, gold.shape[1], -1)
            squared = (projected - projected.transpose(1, 2)).pow(2).sum(-1)
            known = (gold != -1).float()
            by_sentence = (squared * known - gold * known).abs().sum((1, 2)) / torch.from_numpy(lengths) ** 2
            loss = by_sentence.mean()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(chosen)
        return total / len(order)

    return train


def ours(corpus: Corpus, initial: Tensor) -> Turn:
    projection = initial.clone()
    optimiser = torch.optim.Adam([projection], lr=1e-3, fused=True)

    def train(order: np.ndarray) -> float:
        total = 0.0
        for begin in range(0, len(order), BATCH):
            sentences = corpus.batch(order[begin : begin + BATCH])
            projected, error = residual(projection, sentences)
            projection.grad = gradient(projected, error, sentences)
            optimiser.step()
            total += float(loss_of(error, sentences)) * len(sentences.filled)
        return total / len(order)

    return train


def main() -> None:
    parser = argparse.ArgumentParser(description="An epoch of a distance probe.")
    parser.add_argument("--treebank", type=Path, help="take heads from this CoNLL-U file")
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--rank", type=int, help="full where not given")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sentences", type=int, default=400, help="in a turn")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rank, rounds = options.rank or options.hidden, options.rounds
    order = numpy_generator(0, "benchmark/order").permutation
    heads = [s.heads for s in conllu.read(options.treebank)] if options.treebank else trees(EPOCH)
    epoch = len(heads)
    chosen = order(epoch)[: rounds * options.sentences]
    heads = [heads[number] for number in chosen]
    generator = torch_generator(0, "benchmark")
    corpus = Corpus([torch.randn(len(each), options.hidden, generator=generator) for each in heads], heads, "distance")
    initial = torch.rand(options.hidden, rank, generator=generator) * 0.1 - 0.05
    turns = {"differences": differences(corpus, initial), "ours": ours(corpus, initial)}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in turns}
    losses: dict[str, list[float]] = {name: [] for name in turns}
    for turn in range(rounds):
        part = np.arange(turn * options.sentences, min(len(heads), (turn + 1) * options.sentences))
        for name, train in turns.items():
            cpu, wall = time.process_time(), time.perf_counter()
            losses[name].append(train(part))
            times[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    print(f"{options.hidden} dimensions, rank {rank}, {options.threads} thread(s), torch {torch.__version__}")
    print(f"{'':12s} CPU-seconds per epoch of {epoch:,} sentences     wall   ratio (CPU, wall)   loss by turn")
    for name, each in times.items():
        cpu, wall = (statistics.median(clock) * epoch / options.sentences for clock in zip(*each, strict=True))
        pairs = list(zip(times["differences"], each, strict=True))
        ratios = [statistics.median(a[clock] / b[clock] for a, b in pairs) for clock in (0, 1)]
        shown = " ".join(f"{loss:.4f}" for loss in losses[name])
        print(f"{name:12s} {cpu:43.1f} {wall:8.1f} {ratios[0]:9.1f} {ratios[1]:8.1f}   {shown}")


if __name__ == "__main__":
    main()
