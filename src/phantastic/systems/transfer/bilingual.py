"""One network that reads two languages (XLM; Lample & Conneau 2019, section 3): masked words of one language at a time
and, in the second of the two trainings, of sentences beside their translations.

Both trainings take as many batches of as many examples. The texts of the two languages are not translations of each
other; of parallel sentences there is a third corpus.
"""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from phantastic.ground.randomness import initialised, numpy_generator
from phantastic.nn.language.heads import word_loss
from phantastic.nn.language.model import Model
from phantastic.nn.language.pretrained import create
from phantastic.nn.language.xlm import XLMConfig
from phantastic.pretraining.batches import Batch, Examples, Language
from phantastic.pretraining.corpus import Masking
from phantastic.pretraining.objectives.translation_lm import Parallel, parallel, translation_lm
from phantastic.pretraining.optimiser import ClippedAdamW
from phantastic.pretraining.plan import Plan
from phantastic.pretraining.wordpiece import PAD
from phantastic.run.folder import Run
from phantastic.run.rates import warm_and_linear
from phantastic.run.train import train
from phantastic.world.sentences import LANGUAGES, Grammar, documents

POOL = 2048  # parallel sentences from which batches are made
TURNS = {  # what the batches hold, in turn
    "mlm": LANGUAGES,
    "tlm": (LANGUAGES[0], "translation", LANGUAGES[1], "translation"),
}


def build(plan: Plan, vocabulary: int, seed: int) -> Model:
    """XLM of two languages as it begins; a block's MLP is four times as wide as the network."""
    config = XLMConfig(
        vocab_size=vocabulary,
        emb_dim=plan.width,
        n_layers=plan.layers,
        n_heads=plan.heads,
        dropout=plan.dropout,
        attention_dropout=plan.dropout,
        n_langs=len(LANGUAGES),
        max_position_embeddings=plan.longest,
        embed_init_std=0.02,
        pad_token_id=PAD,
        summary_first_dropout=plan.dropout,
    )
    with initialised(seed, "model"):
        return create("XLMWithLMHeadModel", config)


def one_language(model: Model, batch: Batch, place: int) -> dict[str, Tensor]:
    """``loss``: mean of -log p(masked word | its text), nats; ``place``: of the language in `LANGUAGES`."""
    result = model(
        batch.input_ids,
        attention_mask=batch.attention_mask,
        langs=torch.full_like(batch.input_ids, place),
        prediction_positions=batch.prediction_positions,
    )
    assert result.logits is not None
    return {"loss": word_loss(result.logits, batch.labels)}


class Translations:
    """Batches of sentences beside their translations, those of like length together."""

    def __init__(self, languages: tuple[Language, Language], seed: int, batch: int, masking: Masking, purpose: str):
        self.languages, self.seed, self.masking, self.purpose = languages, seed, masking, purpose
        self.batches = max(1, POOL // batch)
        self.number, self.pool = -1, []

    def __call__(self, step: int) -> Parallel:
        number, place = divmod(step, self.batches)
        if number != self.number:
            self.number, self.pool = number, self.gathered(number)
        return self.pool[place]

    def gathered(self, number: int) -> list[Parallel]:
        rows = parallel(self.languages, self.seed, self.purpose, number, POOL, self.masking)
        lengths = rows.attention_mask.sum(1)
        parts = np.array_split(np.argsort(lengths.numpy(), kind="stable"), self.batches)
        order = numpy_generator(self.seed, f"{self.purpose}: order", number).permutation(len(parts))
        return [trimmed(rows, torch.from_numpy(parts[place])) for place in order]


def trimmed(rows: Parallel, indices: Tensor) -> Parallel:
    """Some of the rows, without columns that nothing stands in any more."""
    kept = Parallel(*(column[indices] for column in rows))
    longest, asked = int(kept.attention_mask.sum(1).max()), int((kept.labels >= 0).sum(1).max())
    widths = (*[longest] * 4, asked, asked)
    return Parallel(*(column[:, :width] for column, width in zip(kept, widths, strict=True)))


class Reading:
    """What the two networks read, and how much it surprises them. ``purpose`` names the corpus."""

    def __init__(
        self,
        languages: tuple[Language, Language],
        plan: Plan,
        seed: int,
        device: torch.device,
        masking: Masking | None = None,
        purpose: str = "corpus",
    ):
        self.languages, self.plan, self.seed, self.device = languages, plan, seed, device
        self.masking, self.purpose = masking or Masking(), purpose

    @cached_property
    def texts(self) -> dict[str, Examples]:
        """Documents of either language; the two never tell the same."""
        return {
            language.name: Examples(
                language,
                self.seed,
                self.plan.batch,
                masking=self.masking,
                longest=self.plan.longest,
                short=self.plan.short,
                random_next=0.0,
                purpose=f"{self.purpose}, {language.name}",
                device=self.device,
            )
            for language in self.languages
        }

    @cached_property
    def translations(self) -> Translations:
        purpose = f"{self.purpose}, translations"
        return Translations(self.languages, self.seed, self.plan.batch, self.masking, purpose)

    def loss(self, model: Model, kind: str, number: int) -> dict[str, Tensor]:
        """Of batch ``number`` of a kind: one of `LANGUAGES` or "translation"."""
        if kind == "translation":
            return translation_lm(model, Parallel(*(column.to(self.device) for column in self.translations(number))))
        return one_language(model, self.texts[kind](number), LANGUAGES.index(kind))

    @torch.no_grad()
    def surprises(self, model: Model, kind: str, batches: int) -> list[float]:
        """Mean nats at the masked words of each of the first batches of a kind."""
        return [float(self.loss(model, kind, number)["loss"]) for number in range(batches)]


def turn(turns: tuple[str, ...], step: int) -> tuple[str, int]:
    """What the batch of a step holds, and how many of its kind came before."""
    rounds, place = divmod(step, len(turns))
    kind = turns[place]
    return kind, rounds * turns.count(kind) + turns[:place].count(kind)


def translated_sentences(plan: Plan, grammar: Grammar, seed: int) -> set[str]:
    """The sentences, in both languages, that the network of translations reads beside each other."""
    batches = sum(turn(TURNS["tlm"], step)[0] == "translation" for step in range(plan.steps))
    pools = -(-batches // max(1, POOL // plan.batch))
    text = documents(grammar, seed, "corpus, translations", 0, pools * POOL // 2)
    return {getattr(text, name).text(sentence) for name in LANGUAGES for sentence in range(len(text))}


def pretrain(run: Run, name: str, plan: Plan, languages: tuple[Language, Language], seed: int) -> Model:
    """Train the network ``name`` ("mlm" or "tlm"), or load it where that was done before."""
    model = build(plan, len(languages[0].wordpiece), seed).to(run.device)
    reading = Reading(languages, plan, seed, run.device)
    optimiser = ClippedAdamW([model], plan.rate, plan.decay)

    def losses(step: int) -> Mapping[str, Tensor]:
        with initialised(seed, f"dropout/{step}"):
            return reading.loss(model, *turn(TURNS[name], step))

    train(
        run,
        f"seed{seed}/{name}",
        {"xlm": model},
        {"loss": optimiser},
        losses,
        steps=plan.steps,
        rate=warm_and_linear(plan.steps, plan.warmup),
    )
    return model
