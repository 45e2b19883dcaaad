"""What is ours in pre-trained models: sites, positions to predict, first weights; the rest is in the parity test."""

from typing import Any

import pytest
import torch

from phantastic import lesion
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.language import create
from phantastic.nn.language.bert import BertConfig
from phantastic.nn.language.gpt2 import GPT2Config
from phantastic.nn.language.model import Model
from phantastic.nn.language.xlnet import XLNetConfig

WORDS = torch.randint(1, 19, (2, 6), generator=torch_generator(0, "words"))


def bert(architecture: str = "BertForPreTraining") -> Model:
    config = BertConfig(
        vocab_size=19, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
        max_position_embeddings=10,
    )  # fmt: skip
    with initialised(0, "model"):
        return create(architecture, config).eval()


def test_logits_of_some_positions_only():
    model, places = bert(), torch.tensor([[1, 4, 5], [0, 0, 3]])
    labels = torch.full((2, 6), -100).scatter(1, torch.tensor([[1, 4, 5], [0, 2, 3]]), 7)
    everywhere = model(WORDS).prediction_logits
    result = model(
        WORDS, prediction_positions=places, labels=torch.full((2, 3), 7), next_sentence_label=torch.tensor([0, 1])
    )
    torch.testing.assert_close(result.prediction_logits, everywhere.gather(1, places[..., None].expand(-1, -1, 19)))
    all_places = torch.arange(6).expand(2, -1)
    losses = [
        model(WORDS, labels=labels, next_sentence_label=torch.tensor([0, 1]), prediction_positions=at).loss
        for at in (None, all_places)
    ]
    torch.testing.assert_close(*losses)


def test_the_sites_of_a_model_can_be_damaged():
    model = {"bert": bert()}
    names = {site.name for site in lesion.sites(model)}
    assert {
        "bert.transformer.embedded", "bert.transformer.layer[1].attention.weights",
        "bert.transformer.layer[0].attention.heads", "bert.transformer.layer[0].residual", "bert.head.words.decoder",
    } <= names  # fmt: skip
    intact = model["bert"](WORDS).prediction_logits
    for name in sorted(names - {"bert.transformer.pooler", "bert.head.relation"}):
        with lesion.damage(model, name, "scale", 0.5, seed=0):
            assert not torch.equal(model["bert"](WORDS).prediction_logits, intact), name
    assert torch.equal(model["bert"](WORDS).prediction_logits, intact)


def test_reported_attention_is_the_damaged_one():
    model = bert("BertModel")
    with lesion.damage({"bert": model}, "bert.transformer.layer[0].attention.weights", "scale", 1, seed=0):
        attentions = model(WORDS, output_attentions=True).attentions
    assert attentions[0].abs().max() == 0
    torch.testing.assert_close(attentions[1].sum(-1), torch.ones(2, 2, 6))


def test_looking_does_not_change_what_is_seen():
    model = bert("BertModel")
    plain = model(WORDS).last_hidden_state
    looked = model(WORDS, output_attentions=True, output_hidden_states=True)
    torch.testing.assert_close(looked.last_hidden_state, plain, rtol=0, atol=1e-6)
    assert model(WORDS).attentions is None


def test_weights_begin_as_published():
    config = BertConfig(num_hidden_layers=1, vocab_size=2000)
    with initialised(0, "model"):
        model = create("BertForMaskedLM", config)
    model.requires_grad_(False)
    weight = model.get_parameter("transformer.layer.0.mlp.expand.weight")
    assert float(weight.std()) == pytest.approx(0.02, rel=0.01)
    words = model.get_parameter("transformer.words.weight")
    assert words is model.get_parameter("head.words.decoder.weight")
    assert words[0].abs().max() == 0
    assert float(words[1:].std()) == pytest.approx(0.02, rel=0.01)
    assert model.get_parameter("head.words.decoder.bias").abs().max() == 0


def gpt2(layers: int = 2, width: int = 8) -> Model:
    config = GPT2Config(vocab_size=19, n_embd=width, n_layer=layers, n_head=2, n_positions=10, pad_token_id=0)
    with initialised(0, "model"):
        return create("GPT2ForSequenceClassification", config).eval()


def test_what_is_added_to_the_stream_of_gpt2_begins_smaller_by_the_root_of_its_layers():
    """Radford et al. (2019), section 2.3: N residual layers, of which each block has two."""
    model = gpt2(layers=8, width=64)
    for place, deviation in (
        ("attention.query", 0.02), ("mlp.expand", 0.02), ("attention.output", 0.005), ("mlp.contract", 0.005)
    ):  # fmt: skip
        weights = torch.stack([model.get_parameter(f"transformer.layer.{layer}.{place}.weight") for layer in range(8)])
        assert float(weights.detach().std()) == pytest.approx(deviation, rel=0.03)


@pytest.mark.parametrize("padding", ["none", "behind", "before", "both", "between"])
def test_a_sequence_is_judged_by_its_last_word_wherever_padding_stands(padding: str):
    ids = {
        "none": [3, 4, 5, 6, 7, 8], "behind": [3, 4, 5, 0, 0, 0], "before": [0, 0, 0, 3, 4, 5],
        "both": [0, 3, 4, 5, 0, 0], "between": [3, 0, 4, 0, 5, 0],
    }[padding]  # fmt: skip
    model, last = gpt2(), max(place for place, word in enumerate(ids) if word)
    rows = torch.tensor([ids, [1] * 6])
    states = model.transformer(rows, attention_mask=(rows != 0).long())
    torch.testing.assert_close(states.pooled, torch.stack([states.last[0, last], states.last[1, 5]]))


def test_the_query_stream_does_not_see_the_word_it_predicts():
    """XLNet: the prediction for a position does not depend on the word there, nor on those that come later."""
    with initialised(0, "model"):
        config = XLNetConfig(vocab_size=19, d_model=8, n_layer=2, n_head=2, d_inner=8, initializer_range=0.5)
        model = create("XLNetLMHeadModel", config).eval()
    order = torch.tensor([3, 0, 5, 1, 4, 2])  # the turn of each position
    masked = (order[:, None] <= order[None]).float()[None]
    target = torch.zeros(1, 1, 6)
    target[0, 0, 4] = 1  # its turn is the last but one
    words = WORDS[:1]
    before = model(words, perm_mask=masked, target_mapping=target).logits
    for position in range(6):
        changed = words.clone()
        changed[0, position] = (words[0, position] + 1) % 19
        after = model(changed, perm_mask=masked, target_mapping=target).logits
        assert torch.equal(after, before) == (order[position] >= order[4])


def remembering(**changes: Any) -> Model:
    config = XLNetConfig(vocab_size=19, d_model=8, n_layer=2, n_head=2, d_inner=8, initializer_range=0.5, **changes)
    with initialised(0, "model"):
        return create("XLNetLMHeadModel", config)


@pytest.mark.parametrize("changes", [{}, {"mem_len": 4}, {"mem_len": None}, {"reuse_len": 2}])
@pytest.mark.parametrize("streams", [1, 2])
def test_no_gradient_flows_into_the_memory(changes: dict[str, Any], streams: int):
    """The segment before is read with the weights of its time and not learned from again (Dai et al. 2019, Eq. 4)."""
    model = remembering(**changes)
    words = model.transformer.words
    inputs = [words(WORDS).detach().requires_grad_() for _ in range(2)]
    two = {"target_mapping": torch.eye(6).expand(2, 6, 6), "perm_mask": torch.ones(2, 6, 6).triu()}
    two = two if streams == 2 else {}
    before = model(inputs_embeds=inputs[0], use_mems=True, **two).mems
    assert before is not None
    assert len(before) == 2
    assert not any(memory.requires_grad for memory in before)
    result = model(inputs_embeds=inputs[1], mems=before, use_mems=True, **two)
    past, here = torch.autograd.grad(result.logits.square().sum(), inputs, allow_unused=True)
    assert past is None
    assert here.abs().max() > 0
    moved = tuple(memory + 1 for memory in before)  # and yet it is read
    assert not torch.allclose(model(inputs_embeds=inputs[1], mems=moved, **two).logits, result.logits)


def test_the_memory_is_the_last_that_was_read():
    """Of the second of two segments all, and of the first as much as there is room for."""
    model = remembering(mem_len=8, dropout=0.0).eval()
    first = model(WORDS, use_mems=True)
    second = model(WORDS.flip(0), mems=first.mems, use_mems=True, output_hidden_states=True)
    for kept, before, states in zip(second.mems, first.mems, second.hidden_states, strict=False):
        assert kept.shape == (8, 2, 8)
        assert torch.equal(kept[2:], states.transpose(0, 1))
        assert torch.equal(kept[:2], before[-2:])


@pytest.mark.parametrize("clamp", [-1, 2])
def test_beyond_the_clamped_distance_places_are_alike_on_either_side(clamp: int):
    """In one layer, words change places unnoticed where they are at least as far away as distances are told apart."""
    config = XLNetConfig(
        vocab_size=19, d_model=8, n_layer=1, n_head=2, d_inner=8, initializer_range=0.5, clamp_len=clamp
    )
    with initialised(0, "model"):
        model = create("XLNetModel", config).eval()
    words = torch.tensor([[1, 2, 3, 4, 5, 6]])
    states = model(words).last_hidden_state[0]
    for place, moved in ((0, [0, 1, 5, 2, 4, 3]), (5, [2, 0, 3, 1, 4, 5])):
        same = torch.allclose(model(words[:, moved]).last_hidden_state[0, place], states[place], atol=1e-5)
        assert same == (clamp > 0)
    nearer = model(words[:, [0, 2, 1, 3, 4, 5]]).last_hidden_state[0, 0]  # within the distance an order is seen
    assert not torch.allclose(nearer, states[0], atol=1e-3)


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_read_in_two_segments_a_text_is_read_as_in_one(cut: int):
    """One way and with memory enough: positions count from one another, so it does not matter where one begins."""
    model = remembering(attn_type="uni", mem_len=None, dropout=0.0).eval()
    whole = model(WORDS).logits
    before = model(WORDS[:, :cut], use_mems=True)
    torch.testing.assert_close(before.logits, whole[:, :cut])
    torch.testing.assert_close(model(WORDS[:, cut:], mems=before.mems).logits, whole[:, cut:])
