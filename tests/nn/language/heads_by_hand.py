"""Heads and configurations of pre-trained models against numbers worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from phantastic.ground.errors import Refused
from phantastic.nn.language import create, heads
from phantastic.nn.language.bert import BertConfig
from phantastic.nn.language.config import ACTIVATIONS, interpret
from phantastic.nn.language.gpt2 import GPT2Config
from phantastic.nn.language.layers import attended, both, look_up, positions_of, word_states
from phantastic.nn.language.pretrained import FAMILIES
from phantastic.nn.language.relative import RelativeAttention, sinusoids_of
from phantastic.nn.language.result import States
from phantastic.nn.language.xlm import XLMConfig

X = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))


# --- losses


@pytest.mark.parametrize(
    ("labels", "problem", "truth", "logits", "loss"),
    [
        (1, None, torch.tensor([1.0, 3.0]), [[2.0], [1.0]], (1 + 4) / 2),
        (1, None, torch.tensor([[1.0], [3.0]]), [[2.0], [1.0]], (1 + 4) / 2),
        (1, "regression", torch.tensor([1, 3]).float(), [[2.0], [1.0]], 2.5),
        (2, "regression", torch.tensor([[1.0, 0.0], [0.0, 0.0]]), [[2.0, 0.0], [1.0, 2.0]], (1 + 0 + 1 + 4) / 4),
        (2, None, torch.tensor([0, 1]), [[0.0, 0.0], [0.0, 0.0]], 0.6931472),
        (2, "single_label_classification", torch.tensor([[0], [1]]), [[1.0, 0.0], [0.0, 1.0]], 0.3132617),
        (2, None, torch.tensor([[1.0, 1.0], [0.0, 1.0]]), [[0.0, 0.0], [0.0, 0.0]], 0.6931472),
        (2, "multi_label_classification", torch.tensor([[1.0, 0.0]]), [[1.0, -1.0]], 0.3132617),
    ],
)
def test_what_a_label_costs(labels, problem, truth, logits, loss):
    assert float(heads.Task(labels, problem).loss(torch.tensor(logits), truth)) == pytest.approx(loss, rel=1e-5)


def test_words_are_lost_in_nats_and_minus_a_hundred_counts_for_nothing():
    logits = torch.zeros(2, 3, 5)
    logits[0, 0, 2] = 1
    labels = torch.tensor([[2, -100, 1], [-100, -100, 4]])
    expected = (2 * 1.6094379 + float(torch.tensor(4 + torch.e).log()) - 1) / 3
    assert float(heads.word_loss(logits, labels)) == pytest.approx(expected, rel=1e-6)
    assert heads.word_loss(logits.bfloat16(), labels).dtype == torch.float32


def test_the_next_word_is_compared_with_what_comes_next():
    table = nn.Embedding(5, 3)
    model, labels = (
        heads.LanguageModel(heads.WordScores(table, tied=True), shift=True),
        torch.tensor([[1, 2, 3, 4]] * 2),
    )
    result = model(States(X), labels)
    torch.testing.assert_close(result.loss, cross_entropy(result.logits[:, :3].flatten(0, 1), labels[:, 1:].flatten()))
    places = torch.tensor([[3, 0], [1, 1]])
    some = model(States(X), torch.tensor([[1, 2], [3, 4]]), places)
    torch.testing.assert_close(some.logits, torch.stack([result.logits[0, [3, 0]], result.logits[1, [1, 1]]]))
    torch.testing.assert_close(some.loss, cross_entropy(some.logits.flatten(0, 1), torch.tensor([1, 2, 3, 4])))
    assert model.words.decoder.weight is table.weight
    assert heads.WordScores(table, tied=False).decoder.weight is not table.weight


def test_pre_training_costs_the_sum_of_both_objectives_and_needs_both_labels():
    model = heads.PreTraining(heads.WordScores(nn.Embedding(5, 3), tied=True), 3)
    states, words, after = States(X, X[:, 0]), torch.tensor([[1, -100, 2, 0]] * 2), torch.tensor([[0], [1]])
    whole = model(states, words, after)
    expected = heads.word_loss(whole.prediction_logits, words) + cross_entropy(
        whole.seq_relationship_logits, after[:, 0]
    )
    torch.testing.assert_close(whole.loss, expected)
    assert model(states, words).loss is model(states, None, after).loss is model(states).loss is None


def test_answers_outside_the_text_cost_nothing():
    model = heads.Spans(3)
    whole = model(States(X), torch.tensor([1, 9]), torch.tensor([2, 3]))
    start, end = whole.start_logits, whole.end_logits
    torch.testing.assert_close(torch.stack([start, end], -1), model.ends(X))
    expected = (cross_entropy(start[:1], torch.tensor([1])) + cross_entropy(end, torch.tensor([2, 3]))) / 2
    torch.testing.assert_close(whole.loss, expected)
    assert model(States(X), torch.tensor([1, 1])).loss is model(States(X), None, torch.tensor([1, 1])).loss is None
    before = model(States(X), torch.tensor([-1, 1]), torch.tensor([2, 3])).loss
    torch.testing.assert_close(before, model(States(X), torch.tensor([0, 1]), torch.tensor([2, 3])).loss)
    for wrong in (1, 3):
        with pytest.raises(Refused, match=f"'num_labels' is {wrong}"):
            heads.Spans(3, wrong)


@pytest.mark.parametrize(
    ("position", "expected"), [("first", X[:, 0]), ("last", X[:, 3]), ("mean", X.sum(1) / 4), ("cls_index", X[:, 3])]
)
def test_a_summary_is_of_its_position(position: str, expected: torch.Tensor):
    bare = heads.Summary(3, 3, activation=None, position=position, dense=False)
    torch.testing.assert_close(bare(States(X)), expected)
    usual = heads.Summary(3, 5, position=position)
    torch.testing.assert_close(usual(States(X)), torch.tanh(usual.dense(expected)))
    relu = heads.Summary(3, 5, activation="relu", position=position)
    torch.testing.assert_close(relu(States(X)), relu.dense(expected).clamp(0))


# --- layers


def test_masks_positions_and_words():
    mask = torch.tensor([[1, 1, 0]])
    assert attended(mask).tolist() == [[[[True, True, False]]]]
    assert attended(torch.eye(2)[None].long()).tolist() == [[[[True, False], [False, True]]]]
    for shape in ((3,), (1, 1, 2, 2)):
        with pytest.raises(Refused, match="attention_mask is"):
            attended(torch.ones(shape))
    a, b = torch.tensor([True, True, False]), torch.tensor([True, False, False])
    assert both(a, b).tolist() == [True, False, False]
    assert both(a, None) is both(None, a) is a
    table = nn.Embedding(4, 3)
    assert positions_of(table, X).tolist() == [[0, 1, 2, 3]]
    with pytest.raises(Refused, match="hold 5 positions; this model has 4"):
        positions_of(table, torch.zeros(1, 5, 3))
    with pytest.raises(Refused, match="input_ids holds ids from 1 to 4; this model has 0 to 3"):
        look_up(table, torch.tensor([[3, 1, 4]]), "input_ids")
    for given in ((None, None), (torch.tensor([[1]]), torch.zeros(1, 1, 3))):
        with pytest.raises(Refused, match="either input_ids or inputs_embeds"):
            word_states(table, *given)


def test_distances_are_sines_then_cosines():
    found = sinusoids_of(torch.tensor([2.0, 0.0, -1.0]), 4)
    angles = torch.tensor([[2.0, 0.02], [0.0, 0.0], [-1.0, -0.01]])
    torch.testing.assert_close(found, torch.cat([angles.sin(), angles.cos()], 1))


def test_relative_attention_drops_its_weights_in_training_alone_and_names_its_heads():
    model = RelativeAttention(4, 2, 0.5)
    assert (model.weights.units, model.weights.unit_axis, model.heads.units, model.heads.unit_axis) == (2, -3, 2, -3)
    assert not [name for name, _ in model.named_parameters() if name.endswith(".bias")]
    x = torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(1))
    keys = model.keys(x, sinusoids_of(torch.arange(6, -6, -1.0), 4))
    one, other = (model.eval()(x, keys, None, None) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(model.train()(x, keys, None, None), one)
    with pytest.raises(Refused, match="'d_model' is 5"):
        RelativeAttention(5, 2, 0.0)


# --- configurations


@pytest.mark.parametrize("kind", sorted(FAMILIES))
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rope_theta", 1e4), ("rope_scaling", {"type": "linear"}), ("rope_parameters", {"a": 1}),
        ("is_encoder_decoder", True), ("add_cross_attention", True), ("pruned_heads", {"0": [1]}),
        ("quantization_config", {"bits": 4}), ("position_embedding_type", "rotary"),
    ],
)  # fmt: skip
def test_what_nobody_computes_is_refused_by_its_key(kind: str, key: str, value: Any):
    with pytest.raises(Refused, match=f"c.json: '{key}' is .*not implemented"):
        interpret({key: value}, FAMILIES[kind].config, Path("c.json"))
    interpret({key: None}, FAMILIES[kind].config, Path("c.json"))


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("gpt2", "scale_attn_weights", False), ("gpt2", "scale_attn_by_inverse_layer_idx", True),
        ("xlnet", "bi_data", True), ("xlm", "asm", True), ("xlm", "is_encoder", False),
    ],
)  # fmt: skip
def test_what_a_family_does_not_compute_is_refused(kind: str, key: str, value: Any):
    with pytest.raises(Refused, match=f"'{key}' is {value}"):
        interpret({key: value}, FAMILIES[kind].config, Path("c.json"))
    interpret({key: not value}, FAMILIES[kind].config, Path("c.json"))


def test_sizes_begin_at_one_tokens_and_rates_at_zero():
    assert (BertConfig(pad_token_id=0).pad_token_id, BertConfig(hidden_dropout_prob=0.0).last_dropout) == (0, 0)
    assert BertConfig(hidden_size=1, num_labels=1).hidden_size == 1
    for wrong in (
        {"hidden_size": 0},
        {"pad_token_id": -1},
        {"layer_norm_eps": -1e-9},
        {"num_labels": 0},
        {"vocab_size": -1},
    ):
        with pytest.raises(Refused, match=f"'{next(iter(wrong))}' is .*at least"):
            BertConfig(**wrong)
    assert BertConfig(vocab_size=5, pad_token_id=4).padding() == 4
    with pytest.raises(Refused, match="'pad_token_id' is 5; allowed: less than 'vocab_size', 5"):
        BertConfig(vocab_size=5, pad_token_id=5).padding()
    assert BertConfig(classifier_dropout=0.3).last_dropout == 0.3
    assert BertConfig(hidden_dropout_prob=0.4).last_dropout == 0.4


def test_labels_are_counted_and_written_and_other_keys_kept():
    content = {"id2label": {"0": "a", "1": "b", "2": "c"}, "num_labels": 7, "n_embd": 8, "hidden_size": 8, "odd": [1]}
    config = interpret(content | {"model_type": "gpt2", "architectures": ["x"]}, GPT2Config, Path("c.json"))
    assert (config.num_labels, config.n_embd) == (3, 8)
    assert set(config.others) == {"id2label", "odd"}
    written = json.loads(json.dumps(config.as_json("GPT2Model")))
    assert (written["id2label"], written["odd"]) == (content["id2label"], [1])
    assert (written["model_type"], written["architectures"], written["n_embd"]) == ("gpt2", ["GPT2Model"], 8)
    fresh = BertConfig(num_labels=2, others={"id2label": {"0": "x"}}).as_json("BertModel")
    assert fresh["id2label"] == {"0": "LABEL_0", "1": "LABEL_1"}
    assert fresh["label2id"] == {"LABEL_0": 0, "LABEL_1": 1}
    assert "num_labels" not in fresh


def test_the_library_s_names_of_activations():
    tanh = {"gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh"}
    assert {"relu": "relu", "gelu": "gelu", "gelu_python": "gelu"} | dict.fromkeys(tanh, "gelu_tanh") == ACTIVATIONS
    with pytest.raises(Refused, match="'hidden_act' is 'swish'"):
        BertConfig(hidden_act="swish").activated("hidden_act")


def test_an_input_of_none_is_not_given_and_languages_only_where_they_are_used():
    sizes = {
        "vocab_size": 9,
        "hidden_size": 4,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 4,
    }
    model = create("BertForMultipleChoice", BertConfig(**sizes)).eval()
    words = torch.tensor([[[1, 2], [3, 4], [5, 6]]])
    unsaid = model(words, attention_mask=None, labels=None, token_type_ids=None)
    assert torch.equal(unsaid.logits, model(words).logits)
    assert unsaid.logits.shape == (1, 3)
    for languages, used, there in ((4, True, True), (4, False, False), (1, True, False)):
        config = XLMConfig(vocab_size=9, emb_dim=4, n_layers=1, n_heads=2, n_langs=languages, use_lang_emb=used)
        names = {name for name, _ in create("XLMModel", config).named_parameters()}
        assert ("transformer.languages.weight" in names) == there
