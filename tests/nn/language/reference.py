"""BERT and its family against the Hugging Face library (dev extra), on small models with random weights.

Outputs, losses, every hidden state, every attention map and the gradient of every weight agree to 1e-5, and folders go
both ways. The library computes with its explicit attention (``eager``).
"""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phantastic.ground.randomness import torch_generator
from phantastic.nn.language import load_pretrained, save_pretrained
from phantastic.nn.language.model import Model
from phantastic.nn.language.pretrained import ARCHITECTURES, in_library

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers", reason="the dev extra brings the reference")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

BATCH, LENGTH, WORDS, CHOICES, LABELS = 3, 7, 23, 2, 3
SIZES: dict[str, dict[str, Any]] = {
    "Bert": {
        "vocab_size": WORDS, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3,
        "intermediate_size": 20, "max_position_embeddings": 16, "type_vocab_size": 2,
    },
    "DistilBert": {
        "vocab_size": WORDS, "dim": 12, "n_layers": 2, "n_heads": 3, "hidden_dim": 20, "max_position_embeddings": 16,
    },
    "GPT2": {"vocab_size": WORDS, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 16, "pad_token_id": 0},
    "XLNet": {"vocab_size": WORDS, "d_model": 12, "n_layer": 2, "n_head": 3, "d_inner": 20},
    "XLM": {
        "vocab_size": WORDS, "emb_dim": 12, "n_layers": 2, "n_heads": 3, "n_langs": 4, "max_position_embeddings": 16,
    },
}  # fmt: skip
SIZES["Roberta"] = SIZES["Bert"]
FIELDS = (
    "loss", "logits", "prediction_logits", "seq_relationship_logits", "start_logits", "end_logits",
    "last_hidden_state", "pooler_output",
)  # fmt: skip


def draw(purpose: str) -> torch.Generator:
    return torch_generator(7, purpose)


def whole(purpose: str, high: int, *shape: int, low: int = 0) -> Tensor:
    return torch.randint(low, high, shape, generator=draw(purpose))


def made(name: str, **options: Any) -> nn.Module:
    """The library's model, all of its weights drawn anew: biases and norms begin at values that would hide them."""
    kind = max((kind for kind in SIZES if name.startswith(kind)), key=len)
    config = getattr(transformers, f"{kind}Config")(**{**SIZES[kind], "attn_implementation": "eager", **options})
    model = getattr(transformers, name)(config)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw(key)) * 0.3)
            if key.endswith("weight") and parameter.dim() == 1:
                parameter.add_(1)
    return model.eval()


def padded(rows: int = BATCH, length: int = LENGTH) -> Tensor:
    lengths = torch.arange(rows) % 3 + length - 2
    return (torch.arange(length) < lengths[:, None]).long()


def sentences(name: str, **options: Any) -> dict[str, Tensor]:
    """Words with padding at the end, its mask, and two segments or languages."""
    shape = (BATCH, CHOICES, LENGTH) if name.endswith("MultipleChoice") else (BATCH, LENGTH)
    mask = padded(BATCH * CHOICES).view(shape) if len(shape) == 3 else padded()
    empty = {"Roberta": 1, "XLM": 2, "XLNet": 5}.get(next((k for k in SIZES if name.startswith(k)), ""), 0)
    words = whole("words", WORDS, *shape, low=6)
    given = {"input_ids": words * mask + empty * (1 - mask), "attention_mask": mask}
    if not name.startswith("DistilBert"):
        given["token_type_ids"] = whole("segments", 2, *shape)
    if name.startswith("XLM"):
        given["langs"] = whole("languages", 4, *shape)
    return given


def targets(name: str, **options: Any) -> dict[str, Tensor]:
    if name.endswith("Model") and not name.endswith("LMHeadModel"):
        return {}
    if name.endswith("PreTraining"):
        return {"labels": hidden_words(), "next_sentence_label": whole("next", 2, BATCH)}
    if name.endswith("NextSentencePrediction"):
        return {"labels": whole("next", 2, BATCH)}
    if name.endswith("SequenceClassification"):
        match options.get("problem_type"), options.get("num_labels"):
            case "multi_label_classification", n:
                return {"labels": whole("labels", 2, BATCH, n).float()}
            case "regression", n:
                return {"labels": torch.randn(BATCH, n, generator=draw("labels"))}
            case _, 1:
                return {"labels": torch.randn(BATCH, generator=draw("labels"))}
            case _, n:
                return {"labels": whole("labels", n or 2, BATCH)}
    if name.endswith("TokenClassification"):
        return {"labels": whole("labels", LABELS, BATCH, LENGTH).masked_fill(padded() == 0, -100)}
    if "QuestionAnswering" in name:  # one answer lies outside the text
        return {"start_positions": torch.tensor([0, 2, 99]), "end_positions": torch.tensor([[1], [4], [5]])}
    if name.endswith("MultipleChoice"):
        return {"labels": whole("labels", CHOICES, BATCH)}
    return {"labels": hidden_words()}


def hidden_words() -> Tensor:
    return whole("hidden", WORDS, BATCH, LENGTH).masked_fill(whole("which", 3, BATCH, LENGTH) > 0, -100)


def flat(tensors: Any) -> list[Tensor]:
    """The tensors of a result's field, in order; of XLNet's streams one after the other."""
    if isinstance(tensors, Tensor):
        return [tensors]
    return [] if tensors is None else [tensor for each in tensors for tensor in flat(each)]


def computed(
    model: nn.Module, inputs: Mapping[str, Any], library: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> dict[str, list[Tensor]]:
    """Every number of a call, and the gradients of a random sum of the results, by the library's keys."""
    model.zero_grad()
    result = model(**inputs, output_hidden_states=True, output_attentions=True)
    results = {name: flat(getattr(result, name, None)) for name in FIELDS}
    total = torch.zeros(())
    for name in FIELDS:
        for tensor in results[name]:
            total = total + (tensor * torch.randn(tensor.shape, generator=draw(name))).sum()
    total.backward()
    gradients = {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in model.named_parameters()
    }
    for name in ("hidden_states", "attentions", "mems"):
        results[name] = flat(getattr(result, name, None))
    results |= {f"gradient of {key}": [gradient] for key, gradient in library(gradients).items()}
    return {name: [tensor.detach() for tensor in tensors] for name, tensors in results.items() if tensors}


def agree(theirs: Mapping[str, list[Tensor]], ours: Mapping[str, list[Tensor]]) -> None:
    assert theirs.keys() == ours.keys()
    for name, tensors in theirs.items():
        assert len(tensors) == len(ours[name]), name
        for index, (expected, found) in enumerate(zip(tensors, ours[name], strict=True)):
            largest = max(1.0, float(expected.abs().max()))
            torch.testing.assert_close(
                found, expected, rtol=0, atol=1e-5 * largest, msg=lambda text, n=name, i=index: f"{n}[{i}]: {text}"
            )


def compare(theirs: nn.Module, folder: Path, inputs: Mapping[str, Any]) -> Model:
    theirs.save_pretrained(folder / "theirs")  # pyright: ignore[reportCallIssue]
    ours = load_pretrained(folder / "theirs")
    tied = theirs.config.tie_word_embeddings  # pyright: ignore[reportAttributeAccessIssue]

    def used(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Without the bias of which the library makes use only where it is tied."""
        return {key: tensor for key, tensor in tensors.items() if tied or key != "cls.predictions.bias"}

    agree(computed(theirs, inputs, used), computed(ours, inputs, lambda tensors: in_library(ours, tensors)))
    return ours


def alone(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The first sequence: the library's one-way XLNet with a mask can take no more at a time."""
    return {
        name: tuple(x[:, :1] for x in given) if name == "mems" else given[:1] if isinstance(given, Tensor) else given
        for name, given in inputs.items()
    }


PLAIN = sorted(ARCHITECTURES)
CASES: list[tuple[str, dict[str, Any]]] = [
    *[(name, {"num_labels": LABELS} if name.endswith("TokenClassification") else {}) for name in PLAIN],
    *[
        (f"{kind}ForSequenceClassification", options)
        for kind in ("Bert", "Roberta", "DistilBert", "GPT2", "XLNet", "XLM")
        for options in ({"num_labels": 1}, {"num_labels": 3, "problem_type": "multi_label_classification"})
    ],
    ("BertForSequenceClassification", {"num_labels": 3, "problem_type": "regression"}),
    ("BertForSequenceClassification", {"hidden_act": "gelu_new", "layer_norm_eps": 1e-5}),
    ("BertForPreTraining", {"tie_word_embeddings": False, "hidden_act": "relu"}),
    ("BertLMHeadModel", {"is_decoder": True}),
    ("RobertaForCausalLM", {"is_decoder": True}),
    ("GPT2LMHeadModel", {"n_inner": 17, "activation_function": "relu", "tie_word_embeddings": False}),
    ("XLMWithLMHeadModel", {"causal": True, "gelu_activation": False}),
    ("XLMForSequenceClassification", {"summary_proj_to_labels": False, "summary_type": "mean", "num_labels": 12}),
    ("XLNetLMHeadModel", {"attn_type": "uni", "clamp_len": 3}),
    ("XLNetLMHeadModel", {"attn_type": "uni", "same_length": True}),
]


@pytest.mark.parametrize(("name", "options"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_outputs_states_attentions_and_gradients(name: str, options: dict[str, Any], tmp_path: Path):
    theirs = made(name, **options)
    inputs = sentences(name) | targets(name, **options)
    if options.get("attn_type") == "uni":
        inputs = alone(inputs)
    ours = compare(theirs, tmp_path, inputs)
    save_pretrained(ours, tmp_path / "ours")
    again, report = getattr(transformers, name).from_pretrained(
        tmp_path / "ours", attn_implementation="eager", output_loading_info=True
    )
    assert not any(report[key] for key in ("unexpected_keys", "mismatched_keys", "error_msgs"))
    assert set(report["missing_keys"]) <= {"cls.predictions.bias", "lm_head.bias"}  # the library's own, when not tied
    with torch.no_grad():
        expected, found = (flat(tuple(model(**inputs).values())) for model in (theirs, again.eval()))
    assert len(expected) == len(found)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["BertModel", "RobertaModel", "DistilBertModel", "GPT2Model", "XLNetModel", "XLMModel"]
)
def test_embeddings_in_place_of_words_and_positions_given(name: str, tmp_path: Path):
    theirs = made(name)
    inputs: dict[str, Any] = {"inputs_embeds": torch.randn(BATCH, LENGTH, 12, generator=draw("given"))}
    compare(theirs, tmp_path, inputs | {"attention_mask": padded()})
    if name != "XLNetModel":
        inputs["position_ids"] = torch.arange(LENGTH).flip(0).expand(BATCH, -1)
        compare(theirs, tmp_path, inputs)


def test_gpt2_padded_at_the_left(tmp_path: Path):
    inputs = sentences("GPT2LMHeadModel")
    inputs |= {"attention_mask": inputs["attention_mask"].flip(1), "labels": whole("hidden", WORDS, BATCH, LENGTH)}
    compare(made("GPT2LMHeadModel"), tmp_path, inputs)


def test_xlm_lengths(tmp_path: Path):
    inputs = {"input_ids": whole("words", WORDS, BATCH, LENGTH, low=6), "lengths": torch.tensor([5, 7, 2])}
    compare(made("XLMModel"), tmp_path, inputs)


@pytest.mark.parametrize("options", [{}, {"attn_type": "uni"}, {"mem_len": 4, "reuse_len": 3}, {"mem_len": None}])
def test_xlnet_two_streams_with_memory(options: dict[str, Any], tmp_path: Path):
    theirs = made("XLNetLMHeadModel", **options)
    order = torch.rand(BATCH, LENGTH, generator=draw("order")).argsort(1)
    targets = torch.zeros(BATCH, 3, LENGTH)
    for item in range(BATCH):
        targets[item, torch.arange(3), order[item].argsort()[-3:]] = 1
    inputs = sentences("XLNet") | {
        "perm_mask": (order[:, :, None] <= order[:, None]).float(),
        "target_mapping": targets,
        "labels": whole("hidden", WORDS, BATCH, 3),
    }
    some = alone if options.get("attn_type") == "uni" else dict
    compare(theirs, tmp_path, some(inputs))
    past = tuple(torch.randn(5, BATCH, 12, generator=draw(f"memory {layer}")) for layer in range(2))
    compare(theirs, tmp_path, some(inputs | {"mems": past, "use_mems": True}))
    compare(theirs, tmp_path, some(sentences("XLNet") | {"mems": past}))
    inputs["input_mask"] = 1.0 - inputs.pop("attention_mask")
    compare(theirs, tmp_path, some(inputs))
    ours = load_pretrained(tmp_path / "theirs")
    segment = {"input_ids": inputs["input_ids"]}
    first = {model: model(**segment, use_mems=True).mems for model in (theirs, ours)}
    with torch.no_grad():
        expected, found = (model(**segment, mems=first[model]).logits for model in (theirs, ours))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_shards(tmp_path: Path):
    theirs = made("BertForMaskedLM")
    theirs.save_pretrained(tmp_path, max_shard_size="4KB")  # pyright: ignore[reportCallIssue]
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    inputs = sentences("BertForMaskedLM")
    with torch.no_grad():
        expected, found = theirs(**inputs).logits, load_pretrained(tmp_path)(**inputs).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
