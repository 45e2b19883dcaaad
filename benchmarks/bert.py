"""Pre-training throughput of BERT beside stock `transformers`, taking turns.

    python benchmarks/bert.py                       4 layers x 256, 128 positions, batch 32, two threads
    python benchmarks/bert.py --threads 1
    python benchmarks/bert.py --curves 200          the loss over so many steps instead, for three seeds (minutes)

4 layers, width 256, 4 heads, MLP 1024, vocabulary 8,192; 15% of the positions are predicted (80/10/10), and whether the
second part followed the first; dropout .1, AdamW. Contenders, on the same batches of sentences of the grammar:

- stock: ``BertForPreTraining`` of `transformers` as it comes (fused attention, logits at all positions, labels -100),
  ``torch.optim.AdamW`` as it comes;
- stock, bfloat16: the same under autocast;
- ours: logits at the predicted positions only, fused AdamW, memory kept, as `train` runs it;
- ours, bfloat16: the same under autocast.

Those in bfloat16 are left out on a processor that does not multiply it.

Each has a process of its own; freed memory is kept in ours and left to the C library in stock's. CPU time is what
counts on a busy machine; ratios are of turns next to each other.
"""

import argparse
import statistics
import tempfile
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from support.turns import compare, runnable
from torch import Tensor, nn

from phantastic.ground.allocator import keep_freed_memory
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.language import create, save_pretrained
from phantastic.nn.language.bert import BertConfig
from phantastic.world import sentences

LENGTH, BATCH, HIDDEN, RATE = 128, 32, 19, 1e-3  # 19 = round(.15 * 128)
CLS, SEP, MASK, FIRST_WORD = 1, 2, 3, 4
CONFIG = BertConfig(
    vocab_size=8192, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024,
    max_position_embeddings=LENGTH,
)  # fmt: skip
Step = Callable[[int], Tensor]  # trains on the batch of that number; gives its loss


class Batch(NamedTuple):
    """Words with some hidden, their segments, where words are to be predicted, which, and whether B is random."""

    words: Tensor
    segments: Tensor
    places: Tensor
    hidden: Tensor
    random_next: Tensor


def text(documents: int) -> Tensor:
    """The words of the grammar's documents one after the other."""
    drawn = sentences.documents(sentences.grammar(), 0, "benchmark", 0, documents)
    return torch.as_tensor(drawn.english.words).long() + FIRST_WORD


def batch(corpus: Tensor, seed: int, step: int) -> Batch:
    generator = torch_generator(seed, "batch", step)
    half = (LENGTH - 3) // 2
    begin = torch.randint(len(corpus) - LENGTH, (BATCH,), generator=generator)
    random_next = torch.randint(2, (BATCH,), generator=generator)
    second = torch.where(
        random_next == 1, torch.randint(len(corpus) - LENGTH, (BATCH,), generator=generator), begin + half
    )
    a, b = corpus[begin[:, None] + torch.arange(half)], corpus[second[:, None] + torch.arange(LENGTH - 3 - half)]
    one = torch.ones(BATCH, 1, dtype=torch.long)
    words = torch.cat([CLS * one, a, SEP * one, b, SEP * one], 1)
    places = torch.rand(BATCH, LENGTH, generator=generator).masked_fill(words < FIRST_WORD, 2).argsort(1)[:, :HIDDEN]
    hidden = words.gather(1, places)
    chance = torch.rand(BATCH, HIDDEN, generator=generator)
    other = torch.randint(FIRST_WORD, int(corpus.max()) + 1, (BATCH, HIDDEN), generator=generator)
    shown = torch.where(chance < 0.8, MASK, torch.where(chance < 0.9, other, hidden))
    segments = (torch.arange(LENGTH) > half + 1).long().expand(BATCH, -1)
    return Batch(words.scatter(1, places, shown), segments, places, hidden, random_next)


def ours(corpus: Tensor, seed: int, precision: str) -> Step:
    with initialised(seed, "model"):
        model = create("BertForPreTraining", CONFIG)
    optimiser = torch.optim.AdamW(model.parameters(), RATE, fused=True)

    def step(number: int) -> Tensor:
        now = batch(corpus, seed, number)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = model(
                now.words, token_type_ids=now.segments, prediction_positions=now.places, labels=now.hidden,
                next_sentence_label=now.random_next,
            ).loss  # fmt: skip
        assert loss is not None
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def stock(corpus: Tensor, seed: int, precision: str) -> Step:
    """The library's own, from the same first weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder, initialised(seed, "model"):
        save_pretrained(create("BertForPreTraining", CONFIG), folder)
        model: nn.Module = transformers.BertForPreTraining.from_pretrained(folder).train()
    optimiser = torch.optim.AdamW(model.parameters(), RATE)

    def step(number: int) -> Tensor:
        now = batch(corpus, seed, number)
        labels = torch.full((BATCH, LENGTH), -100).scatter(1, now.places, now.hidden)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = model(
                input_ids=now.words, attention_mask=torch.ones_like(now.words), token_type_ids=now.segments,
                labels=labels, next_sentence_label=now.random_next,
            ).loss  # fmt: skip
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


CONTENDERS: dict[str, tuple[Callable[[Tensor, int, str], Step], str]] = {
    "stock": (stock, "float32"),
    "ours": (ours, "float32"),
    "stock, bfloat16": (stock, "bfloat16"),
    "ours, bfloat16": (ours, "bfloat16"),
}


def throughput(corpus: Tensor, rounds: int, steps: int, threads: int) -> None:
    def turn(step: Step) -> Callable[[int], None]:
        def train(number: int) -> None:
            for place in range(steps):
                step(number * steps + place)

        return train

    contenders = {
        name: (lambda make=make, precision=precision: turn(make(corpus, 0, precision)), name.startswith("ours"))
        for name, (make, precision) in runnable(CONTENDERS).items()
    }
    compare(contenders, rounds, steps * BATCH * LENGTH, "tokens", "stock", threads)


def curves(corpus: Tensor, steps: int, seeds: int) -> None:
    """The loss in nats by tenths of the steps, and how far apart the contenders end."""
    last: dict[str, list[float]] = {}
    for name, (make, precision) in runnable(CONTENDERS).items():
        if name.startswith("ours"):
            keep_freed_memory()
        tables = []
        for seed in range(seeds):
            step = make(corpus, seed, precision)
            with initialised(seed, "dropout"):
                tables.append(torch.stack([step(number) for number in range(steps)]).view(10, -1).mean(1))
        losses = torch.stack(tables)
        last[name] = losses[:, -1].tolist()
        print(f"{name:20s} by tenths:", *(f"{value:.3f}" for value in losses.mean(0).tolist()), flush=True)
        print(f"{'':20s} at the end, by seed:", *(f"{value:.3f}" for value in last[name]), flush=True)
    for name, values in last.items():
        differences = [one - other for one, other in zip(values, last["stock"], strict=True)]
        spread = statistics.stdev(last["stock"])
        print(f"{name:20s} {statistics.mean(differences):+.3f} from stock; seeds of stock differ by {spread:.3f} (sd)")


def main() -> None:
    parser = argparse.ArgumentParser(description="Pre-training throughput of BERT.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="training steps in a turn")
    parser.add_argument("--curves", type=int, metavar="STEPS", help="a multiple of ten; compare the loss instead")
    parser.add_argument("--seeds", type=int, default=3, help="of the curves")
    options = parser.parse_args()
    torch.set_num_threads(options.threads if options.curves else 1)  # those that take turns set their own
    corpus = text(20_000)
    print(f"{LENGTH} positions, batch {BATCH}, {options.threads} thread(s), torch {torch.__version__}")
    if options.curves:
        curves(corpus, options.curves, options.seeds)
    else:
        throughput(corpus, options.rounds, options.steps, options.threads)


if __name__ == "__main__":
    main()
