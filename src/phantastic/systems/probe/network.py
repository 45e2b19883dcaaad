"""The network that is probed: that of a folder, or a BERT that learned the generated grammar's language."""

from functools import lru_cache
from typing import Any

import torch
from msgspec import structs

from phantastic.data.files import folder as existing_folder
from phantastic.declare.study import find
from phantastic.ground.errors import Refused, nearest
from phantastic.ground.randomness import initialised
from phantastic.nn.language import create, load_pretrained
from phantastic.nn.language.config import Config
from phantastic.nn.language.model import Model
from phantastic.nn.language.roberta import RobertaConfig
from phantastic.pretraining.batches import Language, language
from phantastic.pretraining.plan import plan_of, pretrain
from phantastic.run.folder import Run
from phantastic.systems.probe.pieces import in_pieces
from phantastic.systems.probe.study import ProbeRecipe
from phantastic.systems.probe.wordpieces import Pieces, Tokenizer


def network(run: Run, recipe: ProbeRecipe, seed: int) -> tuple[Model, Tokenizer]:
    """In evaluation mode on the run's device; where it is not of a folder, trained, or loaded if it has been."""
    tokenizer = tokenizer_for(recipe)
    if recipe.model:
        with initialised(seed, "model"):  # PyTorch draws weights even where they are read afterwards
            return load_pretrained(recipe.model).to(run.device), tokenizer
    bert = bert_of(recipe)  # masked words and next sentences: the same network, to the bit, as the study `bert` gives
    return pretrain(run, f"seed{seed}/network", plan_of(bert), language_of(bert), seed, name="network"), tokenizer


def of_pieces(run: Run, recipe: ProbeRecipe, seed: int) -> tuple[Model, Tokenizer]:
    """As `network`, but one that met every word in pieces, and inventions (see `pieces`); a folder's is the same."""
    if recipe.model:
        return network(run, recipe, seed)
    bert = bert_of(recipe)
    read = in_pieces(bert.language, recipe.pieces)
    plan = plan_of(bert)._replace(steps=recipe.pieces_steps)
    return pretrain(run, f"seed{seed}/pieces", plan, read, seed, name="network"), Tokenizer(read.wordpiece.tokenizer)


def bert_of(recipe: ProbeRecipe) -> Any:
    """The recipe of the network that is trained: a preset of the study `bert`, in the probe's language."""
    presets = find("bert").presets
    if recipe.bert not in presets:
        raise Refused(f"bert = '{recipe.bert}' is no preset of the study bert{nearest(recipe.bert, presets)}")
    return structs.replace(presets[recipe.bert], language=recipe.language)


def language_of(bert: Any) -> Language:
    return language(bert.language, bert.vocabulary)


@lru_cache(maxsize=2)
def tokenizer_for(recipe: ProbeRecipe) -> Tokenizer:
    """The folder's, or the grammar's: each of its words is a token, invented ones are cut into pieces."""
    if recipe.model:
        return Tokenizer.open(recipe.model)
    if recipe.treebank:
        existing_folder(recipe.treebank, "a folder with a treebank (CoNLL-U)")
        raise Refused("a treebank needs a network that knows its language: --set model=FOLDER")
    return Tokenizer(language_of(bert_of(recipe)).wordpiece.tokenizer)


def untrained(model: Model, seed: int) -> Model:
    """The same architecture with weights as they are before training."""
    with initialised(seed, "probe/untrained"):
        return create(model.architecture, model.config).to(next(model.parameters()).device).eval()


def encoder(model: Model, tokenizer: Tokenizer) -> Pieces:
    """The words' vectors at every layer, layer 0 being what enters the first."""
    return Pieces(
        lambda ids, mask: model.transformer(input_ids=ids, attention_mask=mask, keep=True).hidden,
        tokenizer,
        longest=longest(model.config),
        device=next(model.parameters()).device,
    )


def longest(config: Config) -> int:
    """Tokens of a sentence at most. RoBERTa's first place is that after the padding's; XLNet's have no end."""
    sizes = (getattr(config, name, None) for name in ("max_position_embeddings", "n_positions"))
    skipped = config.pad_token_id + 1 if isinstance(config, RobertaConfig) and config.pad_token_id is not None else 0
    return next(filter(None, sizes), 512) - skipped


def word_vectors(model: Model, tokenizer: Tokenizer) -> Pieces:
    """The words' vectors in the network's table, without places or neighbours: one layer."""
    table = model.transformer.get_submodule("words")
    return Pieces(lambda ids, mask: [table(ids)], tokenizer, longest=10**6, device=next(model.parameters()).device)


def hidden_of(model: Model) -> int:
    """The size of a word's vector."""
    weight = model.transformer.get_submodule("words").weight
    assert isinstance(weight, torch.Tensor)
    return weight.shape[1]
