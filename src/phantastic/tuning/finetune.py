"""Fine-tuning: a pre-trained network, a new layer for the task, all weights learned (Devlin et al. 2019, section 3.2).

Batches are of examples of like length; step s draws from (seed, purpose, s) alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tokenizers
import torch
from jaxtyping import Int
from msgspec import structs
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, numpy_generator
from phantastic.nn.language.model import Model
from phantastic.nn.language.pretrained import FAMILIES, create
from phantastic.pretraining.corpus import IGNORED
from phantastic.pretraining.optimiser import ClippedAdamW
from phantastic.run.rates import Peaks, Rate, warm_and_linear
from phantastic.tuning.tasks import Answer, Example, Kind, Task
from phantastic.tuning.texts import Reader

HEADS = {
    "class": "ForSequenceClassification",
    "score": "ForSequenceClassification",
    "span": "ForQuestionAnswering",
    "tags": "ForTokenClassification",
}
DROPOUTS = frozenset(  # a family's own names of it
    ("hidden_dropout_prob", "attention_probs_dropout_prob", "embd_pdrop", "resid_pdrop", "attn_pdrop", "dropout")
)
WARMUP, DECAY, CHUNK = 0.1, 0.01, 8  # batches that are sorted by length together
NOWHERE = 10**6  # a position that no text has: an answer that was cut away
LONGEST_ANSWER = 30  # tokens (Devlin et al. 2019, code)
See = Callable[[Int[Tensor, "batch n"]], Tensor]


class Item(NamedTuple):
    """An example in tokens; ``target`` is a class, a score, the answer's two places or a tag for each token."""

    tokens: tokenizers.Encoding
    target: Any


class Span(NamedTuple):
    """The likeliest answer's first character and the one after its last; by how much its score is above that of [CLS],
    which stands for "none" (Devlin et al. 2019, section 4.3)."""

    first: int
    last: int
    margin: float


class Tuning(NamedTuple):
    """How long and how fast."""

    steps: int
    batch: int
    rate: float

    def shares(self) -> Rate:
        """Of the step size, by step."""
        return warm_and_linear(self.steps, WARMUP)


def with_dropout(network: Model, rate: float) -> Model:
    """A network made here, tuned from now on with dropout at this rate (Devlin et al. 2019, appendix A.3: always .1);
    without, a small one learns a few thousand examples by heart."""
    names = DROPOUTS & set(network.config.__struct_fields__)
    network.config = structs.replace(network.config, **dict.fromkeys(names, rate))
    return network


def with_head(network: Model, task: Task, seed: int, *, fresh: bool = False) -> Model:
    """A copy of a network's layers, unless ``fresh``, with a new head for the task.

    Raises `Refused` where the network's family has no such head.
    """
    family = FAMILIES[network.config.kind]
    names = [name for name in family.architectures if name.removesuffix("Simple").endswith(HEADS[task.kind])]
    if not names:
        raise Refused(f"{network.architecture} has no head for '{task.name}'; there is none '…{HEADS[task.kind]}'")
    config = structs.replace(network.config, num_labels=task.labels, problem_type=None)
    with initialised(seed, f"head of {task.name}"):
        model = create(names[0], config)
    if not fresh:
        known = model.transformer.state_dict()
        weights = {name: value for name, value in network.transformer.state_dict().items() if name in known}
        model.transformer.load_state_dict(weights, strict=False)  # a pooler may be new
    return model.to(next(network.parameters()).device)


# --- examples


def encode(reader: Reader, kind: Kind, examples: Sequence[Example]) -> list[Item]:
    return [Item(*encoded(reader, kind, example)) for example in examples]


def encoded(reader: Reader, kind: Kind, example: Example) -> tuple[tokenizers.Encoding, Any]:
    if kind == "tags":
        assert isinstance(example.target, Sequence)
        tokens, last_word = reader.read_words(example.texts), -1
        target = []
        for word in tokens.word_ids:  # the first piece of a word bears its tag (Devlin et al. 2019, section 5.3)
            target.append(IGNORED if word is None or word == last_word else example.target[word])
            last_word = last_word if word is None else word
        return tokens, target
    tokens = reader.read(example.texts)
    if isinstance(example.target, Answer):
        start, text, _ = example.target
        if not text:  # [CLS] stands for "none" (Devlin et al. 2019, section 4.3)
            return tokens, [none_place(tokens)] * 2
        ends = [tokens.char_to_token(place, 1) for place in (start, start + len(text) - 1)]
        return tokens, [NOWHERE if end is None else end for end in ends]
    return tokens, example.target


def none_place(tokens: tokenizers.Encoding) -> int:
    """Where [CLS] stands: first or, as XLNet has it, last. Raises `Refused` where there is none."""
    special = tokens.special_tokens_mask
    if not (special[0] or special[-1]):
        raise Refused(
            "this model's tokenizer puts no [CLS] into a text, which stands for 'no answer'; take a model that has "
            "one, such as BERT, or questions that all have an answer"
        )
    return 0 if special[0] else len(special) - 1


def collated(
    model: Model, kind: Kind, items: Sequence[Item], see: See | None, device: torch.device
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the network reads, by the library's names, and what it is to say."""
    longest = max(len(item.tokens.ids) for item in items)

    def padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
        return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows], device=device)

    present = padded([item.tokens.attention_mask for item in items], 0)
    inputs = {
        "input_ids": padded([item.tokens.ids for item in items], model.config.pad_token_id or 0),
        "attention_mask": present if see is None else see(present),
    }
    if "token_type_ids" in model.inputs:
        inputs["token_type_ids"] = padded([item.tokens.type_ids for item in items], 0)
    if kind == "tags":
        return inputs, {"labels": padded([item.target for item in items], IGNORED)}
    targets = torch.tensor([item.target for item in items], device=device)
    if kind == "span":
        return inputs, {"start_positions": targets[:, 0], "end_positions": targets[:, 1]}
    return inputs, {"labels": targets.float() if kind == "score" else targets}


def drawn(items: Sequence[Item], size: int, seed: int, step: int) -> list[Item]:
    """The batch of a step: in every round each example once, in a new order."""
    size = min(size, len(items))
    per_round = len(items) // size
    number, place = divmod(step, per_round)
    generator = numpy_generator(seed, "fine-tuning: order", number)
    order = generator.permutation(len(items))[: per_round * size]
    lengths = np.array([len(item.tokens.ids) for item in items])
    bounds = range(CHUNK * size, len(order), CHUNK * size)
    chunks = [chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in np.split(order, bounds)]
    order = np.concatenate(chunks).reshape(-1, size)[generator.permutation(per_round)]
    return [items[row] for row in order[place]]


# --- learning and answering


def tuning(
    model: Model, kind: Kind, items: Sequence[Item], plan: Tuning, seed: int, see: See | None = None
) -> tuple[ClippedAdamW, Callable[[int], Mapping[str, Tensor]]]:
    """The optimiser and the losses by step, as `train` takes them; weights that need no gradient stay as they are."""
    optimiser = ClippedAdamW([model], plan.rate, DECAY)
    device = next(model.parameters()).device

    def losses(step: int) -> Mapping[str, Tensor]:
        inputs, targets = collated(model, kind, drawn(items, plan.batch, seed, step), see, device)
        with initialised(seed, f"dropout/{step}"):
            loss = model(**inputs, **targets).loss
        assert loss is not None
        return {"loss": loss}

    return optimiser, losses


def learn(model: Model, kind: Kind, items: Sequence[Item], plan: Tuning, seed: int, see: See | None = None) -> Model:
    """Tune a model at one go, in float32; in evaluation mode when it is done."""
    optimiser, losses = tuning(model.train(), kind, items, plan, seed, see)
    peaks, rate = Peaks([optimiser]), plan.shares()
    with torch.enable_grad(), torch.autocast(next(model.parameters()).device.type, enabled=False):
        for step in range(plan.steps):
            peaks.scale(rate(step))
            loss = losses(step)["loss"]
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return model.eval()


@torch.no_grad()
def predictions(model: Model, kind: Kind, items: Sequence[Item], see: See | None = None, size: int = 64) -> list[Any]:
    """For each example its class, its score, the answer's first and last character, or the tags of its words."""
    device = next(model.parameters()).device
    order = np.argsort([len(item.tokens.ids) for item in items], kind="stable")
    predicted: dict[int, Any] = {}
    for places in np.split(order, range(size, len(order), size)):
        batch = [items[place] for place in places]
        inputs, _ = collated(model, kind, batch, see, device)
        result = model(**inputs)
        if kind == "span":
            assert result.start_logits is not None
            assert result.end_logits is not None
            ends = zip(result.start_logits.float().cpu(), result.end_logits.float().cpu(), strict=True)
            outputs = [span(item.tokens, *pair) for item, pair in zip(batch, ends, strict=True)]
        else:
            assert result.logits is not None
            outputs = result.logits.float().squeeze(-1) if kind == "score" else result.logits.argmax(-1)
            outputs = outputs.tolist()
        if kind == "tags":
            outputs = [
                [tag for tag, label in zip(tags, item.target, strict=False) if label != IGNORED]
                for tags, item in zip(outputs, batch, strict=True)
            ]
        predicted |= dict(zip(places.tolist(), outputs, strict=True))
    return [predicted[place] for place in range(len(items))]


def answers(model: Model, task: Task, reader: Reader, see: See | None = None) -> list[Any]:
    """What it says of the test examples; of questions, the text of the likeliest answer."""
    predicted = predictions(model, task.kind, encode(reader, task.kind, task.test), see)
    if task.kind == "span":
        return [example.texts[1][span.first : span.last] for example, span in zip(task.test, predicted, strict=True)]
    return predicted


def span(tokens: tokenizers.Encoding, start: Tensor, end: Tensor, longest: int = LONGEST_ANSWER) -> Span:
    """The likeliest answer in the second text that does not end before it begins."""
    inside = torch.tensor([place for place, text in enumerate(tokens.sequence_ids) if text == 1])
    if not len(inside):
        return Span(0, 0, -math.inf)
    length = len(inside)
    allowed = torch.ones(length, length, dtype=torch.bool).triu().tril(longest - 1)
    scores = (start[inside][:, None] + end[inside]).masked_fill(~allowed, -torch.inf)
    first, last = divmod(int(scores.argmax()), length)
    special = tokens.special_tokens_mask
    none = 0 if special[0] else len(special) - 1
    margin = float(scores[first, last] - start[none] - end[none])
    return Span(tokens.offsets[int(inside[first])][0], tokens.offsets[int(inside[last])][1], margin)
