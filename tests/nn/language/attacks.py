"""Folders of pre-trained models that are old, odd, damaged or meant to harm: opened, or refused by file and key."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.language import create, load_pretrained, save_pretrained
from phantastic.nn.language.bert import BertConfig
from phantastic.nn.language.gpt2 import GPT2Config
from phantastic.nn.language.model import Model
from phantastic.nn.language.xlnet import XLNetConfig

SIZES: dict[str, Any] = {
    "vocab_size": 19, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
    "max_position_embeddings": 10,
}  # fmt: skip
CONFIG = BertConfig(**SIZES)
WORDS = torch.randint(0, 19, (2, 6), generator=torch_generator(0, "words"))
Weights = dict[str, Tensor]


def bert(architecture: str = "BertForMaskedLM") -> Model:
    with initialised(0, "model"):
        return create(architecture, CONFIG).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_pretrained(bert(), tmp_path)
    return tmp_path


def rewrite(folder: Path, change: Callable[[Weights], Weights]) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)


def configure(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def same(model: Model, other: Model) -> bool:
    with torch.no_grad():
        return torch.equal(model(WORDS).logits, other(WORDS).logits)


# --- old and odd, but good


def without_prefix(weights: Weights) -> Weights:
    return {key.removeprefix("bert."): value for key, value in weights.items()}


def old_norms(weights: Weights) -> Weights:
    def old(key: str) -> str:
        return key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    return {old(key): value for key, value in weights.items()}


def from_several_gpus(weights: Weights) -> Weights:
    return {f"module.{key}": value for key, value in weights.items()}


def with_the_other_heads(weights: Weights) -> Weights:
    """As the published bert-base-uncased, which names itself a BertForMaskedLM."""
    return weights | {
        "bert.embeddings.position_ids": torch.arange(10)[None], "bert.pooler.dense.weight": torch.zeros(8, 8),
        "bert.pooler.dense.bias": torch.zeros(8), "cls.seq_relationship.weight": torch.zeros(2, 8),
        "cls.seq_relationship.bias": torch.zeros(2),
        "cls.predictions.decoder.weight": weights["bert.embeddings.word_embeddings.weight"].clone(),
    }  # fmt: skip


def only_the_other_bias(weights: Weights) -> Weights:
    weights["cls.predictions.decoder.bias"] = weights.pop("cls.predictions.bias")
    return weights


@pytest.mark.parametrize(
    "change", [without_prefix, old_norms, from_several_gpus, with_the_other_heads, only_the_other_bias]
)
def test_older_names_are_understood(folder: Path, change: Callable[[Weights], Weights]):
    rewrite(folder, change)
    assert same(load_pretrained(folder), bert())


def test_half_precision_is_read_into_float32(folder: Path):
    rewrite(folder, lambda weights: {key: value.half() for key, value in weights.items()})
    model = load_pretrained(folder)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    torch.testing.assert_close(model(WORDS).logits, bert()(WORDS).logits, rtol=0, atol=1e-3)


def test_safetensors_under_another_name(folder: Path):
    (folder / "model.safetensors").rename(folder / "pytorch_model.safetensors")
    assert same(load_pretrained(folder), bert())


def test_a_bare_gpt2_as_published(tmp_path: Path):
    config = GPT2Config(vocab_size=19, n_embd=8, n_layer=2, n_head=2, n_positions=10)
    with initialised(0, "model"):
        model = create("GPT2LMHeadModel", config).eval()
    save_pretrained(model, tmp_path)

    def published(weights: Weights) -> Weights:
        weights = {key.removeprefix("transformer."): value for key, value in weights.items()}
        buffers = {
            f"h.{layer}.attn.{name}": torch.ones(1, 1, 10, 10) for layer in (0, 1) for name in ("bias", "masked_bias")
        }
        return weights | buffers

    rewrite(tmp_path, published)
    assert same(load_pretrained(tmp_path), model)


def test_what_config_says_beyond_the_sizes_is_kept(folder: Path):
    configure(folder, id2label={"0": "no", "1": "yes", "2": "perhaps"}, torch_dtype="float32", finetuning_task="mnli")
    model = load_pretrained(folder)
    assert model.config.num_labels == 3
    save_pretrained(model, folder / "again")
    again = json.loads((folder / "again/config.json").read_text())
    assert again["id2label"]["2"] == "perhaps"
    assert again["finetuning_task"] == "mnli"


def test_without_architectures_it_is_the_bare_model(tmp_path: Path):
    save_pretrained(bert("BertModel"), tmp_path)
    configure(tmp_path, architectures=None)
    assert load_pretrained(tmp_path).architecture == "BertModel"


# --- refused


def without(key: str) -> Callable[[Weights], Weights]:
    return lambda weights: {name: value for name, value in weights.items() if name != key}


QUERY = "bert.encoder.layer.1.attention.self.query.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without(QUERY), f"the weight '{QUERY}' of BertForMaskedLM is missing"),
        (without("cls.predictions.bias"), "'cls.predictions.bias' of BertForMaskedLM is missing"),
        (lambda w: w | {"bert.encoder.layer.2.output.dense.bias": torch.zeros(8)}, "layer.2.output.dense.bias' does"),
        (lambda w: w | {"a.0": torch.zeros(1), "a.1": torch.zeros(1)}, "'a.0' and 1 more does not belong"),
        (lambda w: w | {QUERY: torch.zeros(8, 9)}, rf"'{QUERY}' is \(8, 9\) of torch.float32; allowed: \(8, 8\)"),
        (lambda w: w | {QUERY: torch.zeros(8, 8, dtype=torch.int8)}, "of torch.int8; allowed: .* floating-point"),
        (lambda w: w | {"cls.predictions.decoder.weight": torch.ones(19, 8)}, "word_embeddings.weight' and .* differ"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit(folder: Path, change: Callable[[Weights], Weights], message: str):
    rewrite(folder, change)
    with pytest.raises(Refused, match=rf"model\.safetensors: .*{message}"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bret"}, "'model_type' is 'bret'.*did you mean 'bert'"),
        ({"model_type": None}, "'model_type' is None"),
        ({"architectures": ["BertForMaskedLLM"]}, "'BertForMaskedLLM'.*did you mean 'BertForMaskedLM'"),
        ({"architectures": "BertForMaskedLM"}, "'architectures' names 'BertForMaskedLM'"),
        ({"hidden_act": "silu"}, "'hidden_act' is 'silu', which is not implemented"),
        ({"position_embedding_type": "relative_key"}, "'position_embedding_type' is .*allowed: 'absolute'"),
        ({"position_embedding_type": "rotary"}, "'position_embedding_type' is 'rotary'"),
        ({"rope_theta": 10000.0}, "'rope_theta' is 10000.0, which is not implemented"),
        ({"pruned_heads": {"0": [1]}}, "'pruned_heads'"),
        ({"add_cross_attention": True}, "'add_cross_attention'"),
        ({"hidden_size": "8"}, r"hidden_size"),
        ({"hidden_size": -8}, "'hidden_size' is -8; allowed: at least 1"),
        ({"num_attention_heads": 3}, "width of 8 does not divide into 3 heads"),
        ({"pad_token_id": 19}, "'pad_token_id' is 19; allowed: less than 'vocab_size', 19"),
        ({"problem_type": "guessing"}, "problem_type"),
        ({"hidden_dropout_prob": -0.5}, "'hidden_dropout_prob' is -0.5"),
    ],
)  # fmt: skip
def test_configurations_that_are_not_implemented(folder: Path, changes: dict[str, Any], message: str):
    configure(folder, **changes)
    with pytest.raises(Refused, match=rf"config\.json: .*{message}"):
        load_pretrained(folder)


def test_answers_have_two_ends(tmp_path: Path):
    save_pretrained(bert("BertForQuestionAnswering"), tmp_path)
    configure(tmp_path, id2label={"0": "a", "1": "b", "2": "c"})
    with pytest.raises(Refused, match=r"config\.json: 'num_labels' is 3; allowed for answers: 2"):
        load_pretrained(tmp_path)


class Harm:
    def __reduce__(self):
        return (Path.touch, (Path("harmed"),))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin"])
def test_a_pickle_is_never_read(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Harm()))
    with pytest.raises(Refused, match=rf"{re.escape(name)} is a pickle.*save_pretrained"):
        load_pretrained(folder)
    assert not Path("harmed").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"\xff" * 64, b"\x10" + b"\0" * 7 + b'{"a":{"dtype":"F32"'])
def test_damaged_weights(folder: Path, content: bytes):
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(Refused, match=r"model\.safetensors is damaged or not a safetensors file"):
        load_pretrained(folder)


def test_cut_off_weights(folder: Path):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(Refused, match=r"model\.safetensors is damaged"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("content", "message"), [("[]", "is damaged"), ("{", "is damaged"), ("[" * 10_000, "is damaged")]
)
def test_damaged_configurations(folder: Path, content: str, message: str):
    (folder / "config.json").write_text(content)
    with pytest.raises(Refused, match=rf"config\.json {message}"):
        load_pretrained(folder)


def test_absent_files(folder: Path):
    with pytest.raises(Refused, match=r"nowhere.*config\.json is missing"):
        load_pretrained(folder / "nowhere")
    (folder / "model.safetensors").unlink()
    with pytest.raises(Refused, match=r"holds no weights; expected there: model\.safetensors"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": {"a": "../elsewhere/model.safetensors"}}, "'../elsewhere/model.safetensors' is not a file"),
        ({"weight_map": {"a": "part.safetensors"}}, r"part\.safetensors: the weight 'a' is missing"),
        ({"weight_map": {"a": "absent.safetensors"}}, r"absent\.safetensors is damaged or not"),
        ({"weight_map": {"a": 3}}, "'weight_map' is missing or not a table"),
        ({}, "'weight_map' is missing or not a table"),
    ],
)  # fmt: skip
def test_indices_that_mislead(folder: Path, index: dict[str, Any], message: str):
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(Refused, match=message):
        load_pretrained(folder)


# --- calls


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"input_ids": torch.tensor([[3, 19]])}, "input_ids holds ids from 3 to 19; this model has 0 to 18"),
        ({"input_ids": WORDS, "token_type_ids": WORDS * 0 + 2}, "token_type_ids holds ids from 2 to 2"),
        ({"input_ids": torch.zeros(1, 11).long()}, "input_ids hold 11 positions; this model has 10"),
        ({"input_ids": WORDS, "head_mask": torch.ones(2, 2)}, "BertForMaskedLM has no input 'head_mask'"),
        ({"input_ids": WORDS, "langs": WORDS}, "BertForMaskedLM has no input 'langs'; did you mean 'labels'"),
        ({}, "either input_ids or inputs_embeds"),
        ({"input_ids": WORDS, "attention_mask": torch.ones(6)}, r"attention_mask is \(6,\); allowed: \[batch, keys\]"),
        ({"input_ids": WORDS, "return_dict": False}, "return_dict=False"),
    ],
)
def test_inputs_that_are_not_possible(inputs: dict[str, Any], message: str):
    with pytest.raises(Refused, match=message):
        bert()(**inputs)


def test_a_gpt2_without_padding_classifies_one_sequence_at_a_time():
    with initialised(0, "model"):
        config = GPT2Config(vocab_size=19, n_embd=8, n_layer=1, n_head=2, n_positions=10)
        model = create("GPT2ForSequenceClassification", config)
    assert model(WORDS[:1]).logits.shape == (1, 2)
    with pytest.raises(Refused, match="'pad_token_id' is not set"):
        model(WORDS)


def test_xlnet_takes_one_mask_and_all_memories():
    with initialised(0, "model"):
        model = create("XLNetModel", XLNetConfig(vocab_size=19, d_model=8, n_layer=2, n_head=2, d_inner=8))
    with pytest.raises(Refused, match="not both"):
        model(WORDS, attention_mask=torch.ones(2, 6), input_mask=torch.zeros(2, 6))
    with pytest.raises(Refused, match="mems are 1 tensors; this model needs one for each of its 2 layers"):
        model(WORDS, mems=(torch.zeros(3, 2, 8),))


def test_creating_what_is_not_there():
    with pytest.raises(Refused, match="unknown architecture 'BertForFun'"):
        create("BertForFun", CONFIG)
    with pytest.raises(Refused, match="GPT2Model needs a GPT2Config, not a BertConfig"):
        create("GPT2Model", CONFIG)
