"""A student of half the depth (DistilBERT; Sanh et al. 2019), and what it is held against.

``distilled`` begins as every other layer of the teacher and learns from it by the three losses; ``masked`` begins there
too and learns masked words alone; ``random`` learns from the teacher but begins at random; ``cut`` learns nothing
more. All that learn read the same batches, which the teacher has not seen, and no next-sentence prediction.
"""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from phantastic.ground.randomness import initialised
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Batch, Examples, Source
from phantastic.pretraining.corpus import Masking
from phantastic.pretraining.objectives.distillation import distillation, halved
from phantastic.pretraining.objectives.masked_lm import masked_lm
from phantastic.pretraining.optimiser import ClippedAdamW
from phantastic.pretraining.plan import Plan, build
from phantastic.run.folder import Run
from phantastic.run.rates import warm_and_linear
from phantastic.run.train import train

STUDENTS = ("distilled", "masked", "random", "cut")
REPEATS = 9


def begun(name: str, teacher: Model, plan: Plan, seed: int) -> Model:
    """A student as it begins; ``plan`` is the teacher's."""
    if name == "random":  # not from what the teacher itself began as
        vocabulary = teacher.config.vocab_size
        return build(plan._replace(layers=plan.layers // 2), vocabulary, seed + 1).to(next(teacher.parameters()).device)
    return halved(teacher)


def student(run: Run, name: str, teacher: Model, plan: Plan, source: Source, seed: int, *, steps: int) -> Model:
    """Train one of `STUDENTS`, or load it where that was done before."""
    model = begun(name, teacher, plan, seed)
    if name == "cut":
        return model.eval()
    examples = Examples(
        source,
        seed,
        plan.batch,
        masking=plan.masking or Masking(),
        longest=plan.longest,
        purpose="distillation",
        device=run.device,
    )
    optimiser = ClippedAdamW([model], plan.rate, plan.decay)

    def losses(step: int) -> Mapping[str, Tensor]:
        with initialised(seed, f"dropout/{step}"):
            if name == "masked":
                return masked_lm(model, examples(step), next_sentence=False)
            return distillation(model, teacher, examples(step))

    train(
        run,
        f"seed{seed}/{name}",
        {"bert": model},
        {"loss": optimiser},
        losses,
        steps=steps,
        rate=warm_and_linear(steps, plan.warmup),
    )
    return model


@torch.no_grad()
def surprises(model: Model, batches: Sequence[Batch]) -> list[float]:
    """Mean nats at the masked words of each batch."""
    return [float(masked_lm(model, batch, next_sentence=False)["masked"]) for batch in batches]


@torch.no_grad()
def seconds(models: Mapping[str, Model], batch: Batch) -> dict[str, float]:
    """CPU seconds that the layers of each network take for one example: the least of some repetitions in turn."""
    durations: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(REPEATS):
        for name, model in models.items():
            start = time.process_time()
            model.transformer(batch.input_ids, attention_mask=batch.attention_mask, token_type_ids=batch.token_type_ids)
            durations[name].append(time.process_time() - start)
    return {name: float(np.min(each)) / len(batch.input_ids) for name, each in durations.items()}
