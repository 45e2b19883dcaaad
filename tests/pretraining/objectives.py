"""Every objective against a number that does not come from its code: a sum that must be one, a loss done by hand, an
entropy, an optimum known in closed form."""

from collections.abc import Callable
from itertools import product
from math import exp, log

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.language import create
from phantastic.nn.language.bert import BertConfig
from phantastic.nn.language.gpt2 import GPT2Config
from phantastic.nn.language.model import Model
from phantastic.nn.language.xlm import XLMConfig
from phantastic.nn.language.xlnet import XLNetConfig
from phantastic.pretraining.batches import Batch, Examples, language
from phantastic.pretraining.corpus import IGNORED, Masking
from phantastic.pretraining.objectives import word2vec
from phantastic.pretraining.objectives.causal_lm import causal_lm
from phantastic.pretraining.objectives.distillation import aligned, distillation, halved, softened
from phantastic.pretraining.objectives.dynamic_masking import Epochs
from phantastic.pretraining.objectives.masked_lm import masked_lm
from phantastic.pretraining.objectives.multi_task import Shared, multi_task, ranking_loss, schedule
from phantastic.pretraining.objectives.permutation_lm import ordered, permutation_lm, permuted
from phantastic.pretraining.objectives.recurrent_lm import BidirectionalLM, backwards, recurrent_lm
from phantastic.pretraining.objectives.translation_lm import both_languages, parallel, translation_lm
from phantastic.pretraining.optimiser import ClippedAdamW
from phantastic.pretraining.plan import next_words
from phantastic.pretraining.wordpiece import CLS, MASK, PAD, SEP
from phantastic.run.rates import Peaks, warm_and_linear
from phantastic.world import sentences as world


def bert(architecture: str = "BertForPreTraining", vocabulary: int = 12, layers: int = 1, **changes) -> Model:
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=8, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=96, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.5,
        **changes,
    )  # fmt: skip
    with initialised(0, "model"):
        return create(architecture, config)


def xlnet(vocabulary: int) -> Model:
    config = XLNetConfig(vocab_size=vocabulary, d_model=8, n_layer=2, n_head=2, d_inner=16, dropout=0.0,
                         summary_last_dropout=0.0, initializer_range=0.5)  # fmt: skip
    with initialised(0, "model"):
        return create("XLNetLMHeadModel", config)


def batch_of(ids: Tensor, positions: Tensor, labels: Tensor, follows: Tensor) -> Batch:
    return Batch(ids, torch.ones_like(ids), torch.zeros_like(ids), positions, labels, follows)


# --- masked words and the next sentence


def test_the_loss_is_the_sum_of_two_means_done_by_hand() -> None:
    """Scores that are given: softmax(2, 0, 0) and so on, by hand."""

    class Given(nn.Module):
        def forward(self, *_: Tensor, **__: Tensor):
            from phantastic.nn.language.result import Result

            words = torch.tensor([[[2.0, 0, 0], [0, 0, 0]], [[0, 0, 1.0], [9, 9, 9]]])
            return Result(prediction_logits=words, seq_relationship_logits=torch.tensor([[1.0, 0], [0, 3.0]]))

    two = torch.zeros(2, 2, dtype=torch.long)
    batch = batch_of(two, two, torch.tensor([[0, 1], [2, IGNORED]]), torch.tensor([0, 0]))
    found = masked_lm(Given(), batch)  # pyright: ignore[reportArgumentType]
    masked = (log(exp(2) + 2) - 2 + log(3) + log(exp(1) + 2) - 1) / 3
    following = (log(exp(1) + 1) - 1 + log(1 + exp(3))) / 2
    assert float(found["masked"]) == pytest.approx(masked)
    assert float(found["next"]) == pytest.approx(following)
    assert float(found["loss"]) == pytest.approx(masked + following)
    assert "next" not in masked_lm(Given(), batch, next_sentence=False)  # pyright: ignore[reportArgumentType]


def test_of_words_that_tell_nothing_of_each_other_the_entropy_is_learned() -> None:
    """Words are drawn by themselves, a quarter of them the one: the loss comes down to H(1/4) = .5623 nats."""
    model = bert("BertForMaskedLM")
    optimiser = ClippedAdamW([model], 3e-2)
    peaks, rate, losses = Peaks([optimiser]), warm_and_linear(100, 0.1), []
    for step in range(100):
        peaks.scale(rate(step))
        generator = torch_generator(0, "words", step)
        words = torch.where(torch.rand((64, 4), generator=generator) < 0.25, 6, 7)
        inputs = words.clone()
        inputs[:, 1] = MASK
        batch = batch_of(inputs, torch.ones(64, 1, dtype=torch.long), words[:, 1:2], torch.zeros(64))
        loss = masked_lm(model, batch, next_sentence=False)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    entropy = -(0.25 * log(0.25) + 0.75 * log(0.75))
    assert np.mean(losses[-40:]) == pytest.approx(entropy, abs=0.03)


def test_weights_decay_and_biases_do_not() -> None:
    layer = nn.Linear(2, 2)
    optimiser = ClippedAdamW([layer], 0.1, 0.5)
    before = layer.weight.detach().clone(), layer.bias.detach().clone()
    (0.0 * (layer.weight.sum() + layer.bias.sum())).backward()
    optimiser.step()
    assert layer.weight.detach().equal(before[0] * (1 - 0.1 * 0.5))
    assert layer.bias.detach().equal(before[1])


def test_a_long_gradient_is_clipped_to_a_norm_of_one() -> None:
    layer = nn.Linear(1, 1, bias=False)
    (30.0 * layer.weight.sum()).backward()
    ClippedAdamW([layer], 0.1).step()
    assert float(layer.weight.grad.norm()) == pytest.approx(1, abs=1e-5)  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize(("size", "clipped"), [(1.0, (0.6, 0.8)), (0.1, (0.3, 0.4))])
def test_the_norm_is_of_weights_and_biases_together(size: float, clipped: tuple[float, float]) -> None:
    """3 and 4 are 5 long: both become a fifth, whichever of them decays, and what is short enough stays."""
    layer = nn.Linear(1, 1)
    (3 * size * layer.weight.sum() + 4 * size * layer.bias.sum()).backward()
    ClippedAdamW([layer], 0.1).step()
    gradients = [float(parameter.grad) for parameter in layer.parameters() if parameter.grad is not None]
    assert gradients == pytest.approx(clipped, abs=1e-5)


# --- left to right


@pytest.mark.parametrize("architecture", ["GPT2LMHeadModel", "BertLMHeadModel"])
@torch.no_grad()
def test_the_probabilities_of_all_continuations_sum_to_one(architecture: str) -> None:
    """Σ exp(-3 loss) over all 4³ continuations of a word, which only a model that looks at no later word gives."""
    if architecture == "BertLMHeadModel":
        model = bert(architecture, 4, is_decoder=True)
    else:
        with initialised(0, "model"):
            model = create(architecture, GPT2Config(
                vocab_size=4, n_positions=8, n_embd=8, n_layer=2, n_head=2, initializer_range=0.5, resid_pdrop=0.0,
                embd_pdrop=0.0, attn_pdrop=0.0,
            ))  # fmt: skip
    model.eval()
    total = 0.0
    for rest in product(range(4), repeat=3):
        ids = torch.tensor([[2, *rest]])
        total += exp(-3 * float(causal_lm(model, ids, torch.ones_like(ids))["loss"]))
    assert total == pytest.approx(1, abs=1e-5)


@torch.no_grad()
def test_padding_is_not_predicted() -> None:
    model = bert("BertLMHeadModel", 12, is_decoder=True).eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    alone = causal_lm(model, ids, torch.ones_like(ids))["loss"]
    padded = torch.tensor([[5, 6, 7, 8, PAD, PAD]])
    assert float(causal_lm(model, padded, (padded != PAD).long())["loss"]) == pytest.approx(float(alone), abs=1e-6)


# --- in a random order


def test_who_sees_whom_in_a_given_order() -> None:
    """Four words; the order is 2, 0, 3, 1 and the last two of it (3, 1) are predicted. By hand: the words 0 and 2 see
    each other and neither target; 3 sees 0 and 2; 1 sees 0, 2 and 3; no target sees itself."""
    turn = torch.tensor([[1, 3, 0, 2]])
    found = ordered(torch.tensor([[10, 11, 12, 13]]), turn, torch.tensor([[False, True, False, True]]))
    hidden = [[0, 1, 0, 1], [0, 1, 0, 0], [0, 1, 0, 1], [0, 1, 0, 1]]
    assert found.perm_mask[0].int().tolist() == hidden
    assert found.target_mapping[0].int().tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]]
    assert found.labels.tolist() == [[13, 11]]
    with pytest.raises(Refused, match="no target"):
        ordered(torch.tensor([[1, 2]]), torch.tensor([[0, 1]]), torch.zeros(1, 2, dtype=torch.bool))


@torch.no_grad()
def test_the_probabilities_of_all_targets_sum_to_one_in_any_order() -> None:
    """Σ exp(-2 loss) over the 4² values of two targets. A query stream that saw its own word, or a later target, would
    give another sum."""
    model = xlnet(4).eval()
    for turn in ([1, 3, 0, 2], [3, 2, 1, 0], [2, 0, 3, 1]):
        order = torch.tensor([turn])
        target = order >= 2
        places = torch.nonzero(target[0])[:, 0]
        total = 0.0
        for values in product(range(4), repeat=2):
            ids = torch.tensor([[1, 3, 0, 2]])
            ids[0, places] = torch.tensor(values)
            drawn = ordered(ids, order, target)
            total += exp(-2 * float(permutation_lm(model, ids, torch.ones_like(ids), drawn)["loss"]))
        assert total == pytest.approx(1, abs=1e-5)


def test_no_gradient_reaches_a_prediction_from_what_it_may_not_see() -> None:
    """Two targets, 3 before 1: the first prediction hangs on the words 0 and 2 alone, the second on 3 as well; neither
    on its own word, which the content stream does hold."""
    model = xlnet(14).eval()
    drawn = ordered(torch.tensor([[10, 11, 12, 13]]), torch.tensor([[1, 3, 0, 2]]),
                    torch.tensor([[False, True, False, True]]))  # fmt: skip
    with torch.no_grad():
        words = model.transformer.get_submodule("words")(torch.tensor([[10, 11, 12, 13]]))
    for prediction, seen in enumerate(([True, False, True, False], [True, False, True, True])):
        entered = words.clone().requires_grad_()
        logits = model(
            inputs_embeds=entered, perm_mask=drawn.perm_mask, target_mapping=drawn.target_mapping
        ).logits  # fmt: skip
        assert logits is not None
        (slope,) = torch.autograd.grad(logits[0, prediction].square().sum(), entered)
        assert (slope[0].abs().sum(-1) > 0).tolist() == seen
    entered = words.clone().requires_grad_()
    content = model(inputs_embeds=entered, perm_mask=drawn.perm_mask).logits
    assert content is not None
    (slope,) = torch.autograd.grad(content[0, 1].square().sum(), entered)
    assert (slope[0].abs().sum(-1) > 0).all()


@torch.no_grad()
def test_whose_each_word_is_can_be_told_to_a_permuted_network() -> None:
    """Segments are relative: that all are of the second says no more than that all are of the first."""
    model, ids = xlnet(20), torch.tensor([[7, 8, 9, 10, 11]])
    drawn = permuted(ids, torch.ones_like(ids).bool(), torch_generator(0, "order"), 0.4)
    losses = [
        float(permutation_lm(model, ids, torch.ones_like(ids), drawn, torch.tensor([segments]))["loss"])
        for segments in ([0] * 5, [1] * 5, [0, 0, 1, 1, 1])
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert abs(losses[0] - losses[2]) > 1e-4


def test_a_sixth_of_the_words_is_predicted_and_no_special_token() -> None:
    ids = torch.arange(100, 126).repeat(300, 1)
    words = torch.ones_like(ids, dtype=torch.bool)
    words[:, 0] = words[:, 20] = False  # 24 words: 4 targets
    found = permuted(ids, words, torch_generator(0, "order"))
    assert found.labels.shape == (300, 4)
    assert not ((found.labels == 100) | (found.labels == 120)).any()
    shares = torch.bincount(found.labels.flatten() - 100, minlength=26)[words[0]] / 1200
    assert shares.min() > 0.02  # 1/24 each
    assert shares.max() < 0.07


# --- beside its translation


def test_a_sentence_and_its_translation_stand_side_by_side() -> None:
    first, second = both_languages()
    batch = parallel((first, second), 0, "test", 3, 6, Masking(0.15, 0.0, 1.0))  # nothing hidden
    sentences = world.documents(first.grammar, 0, "test", 9, 3)
    for row in range(6):
        number = row
        texts = [sentences.english.text(number), sentences.japanese.text(number)]
        swapped = texts[::-1] if row % 2 else texts
        length = int(batch.attention_mask[row].sum())
        tokens = [CLS, *first.wordpiece.encode(swapped[0]), SEP, *first.wordpiece.encode(swapped[1]), SEP]
        assert batch.input_ids[row, :length].tolist() == tokens
        cut = len(first.wordpiece.encode(swapped[0])) + 2
        assert batch.position_ids[row, :length].tolist() == [*range(cut), *range(length - cut)]
        ahead = row % 2
        assert batch.langs[row, :length].tolist() == [ahead] * cut + [1 - ahead] * (length - cut)
        assert int((batch.labels[row] != IGNORED).sum()) == max(1, round(0.15 * length))


@torch.no_grad()
def test_without_scores_every_word_of_both_vocabularies_is_as_likely() -> None:
    languages = both_languages()
    size = len(languages[0].wordpiece)
    with initialised(0, "model"):
        model = create("XLMWithLMHeadModel", XLMConfig(
            vocab_size=size, emb_dim=8, n_layers=1, n_heads=2, n_langs=2, max_position_embeddings=64, pad_token_id=0,
            dropout=0.0, attention_dropout=0.0,
        ))  # fmt: skip
    nn.init.zeros_(model.get_parameter("transformer.words.weight"))
    found = translation_lm(model.eval(), parallel(languages, 0, "test", 0, 4))
    assert float(found["loss"]) == pytest.approx(log(size), rel=1e-6)


# --- from a teacher


def test_softened_distance_by_hand() -> None:
    """Teacher (4, 0), student (0, 0), T = 2: p = e²/(e² + 1); 4 (p log 2p + (1 - p) log 2(1 - p))."""
    p = exp(2) / (exp(2) + 1)
    expected = 4 * (p * log(2 * p) + (1 - p) * log(2 * (1 - p)))
    found = softened(torch.tensor([[0.0, 0.0]]), torch.tensor([[4.0, 0.0]]))
    assert float(found) == pytest.approx(expected)
    assert float(aligned(torch.tensor([[1.0, 0], [2, 0]]), torch.tensor([[3.0, 0], [0, 5]]))) == pytest.approx(0.5)


def test_a_student_that_is_its_teacher_has_only_the_masked_loss() -> None:
    teacher = bert("BertForMaskedLM", layers=2).eval()
    ids = torch.tensor([[CLS, 7, MASK, SEP]])
    batch = batch_of(ids, torch.tensor([[2]]), torch.tensor([[9]]), torch.zeros(1))
    found = {name: value.detach() for name, value in distillation(teacher, teacher, batch).items()}
    assert float(found["soft"]) == pytest.approx(0, abs=1e-6)
    assert float(found["cosine"]) == pytest.approx(0, abs=1e-6)
    assert float(found["loss"]) == pytest.approx(2 * float(found["masked"]), abs=1e-5)
    student = halved(teacher)
    assert len(student.transformer.get_submodule("layer")._modules) == 1
    other = distillation(student, teacher, batch)
    assert float(other["soft"].detach()) > 0
    weighted = 5 * other["soft"] + 2 * other["masked"] + other["cosine"]
    assert float(other["loss"].detach()) == pytest.approx(float(weighted.detach()))
    other["loss"].backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert student.get_parameter("transformer.layer.0.mlp.expand.weight").grad is not None


def distilled(batch: Batch) -> dict[str, Tensor]:
    teacher = bert(layers=2).eval()
    return distillation(halved(teacher), teacher, batch)


def recurrent(batch: Batch) -> dict[str, Tensor]:
    with initialised(0, "model"):
        return recurrent_lm(BidirectionalLM(12, 8), batch.input_ids, batch.attention_mask)


@pytest.mark.parametrize(
    "objective",
    [
        distilled,
        recurrent,
        lambda batch: masked_lm(bert().eval(), batch),
        lambda batch: next_words(bert().eval(), batch),
    ],
    ids=["distillation", "recurrent", "masked", "next words"],
)
def test_padding_counts_for_nothing(objective: Callable[[Batch], dict[str, Tensor]]) -> None:
    """However much of it there is, and whatever stands beneath it."""
    ids = torch.tensor([[CLS, 7, 8, MASK, 9, SEP], [CLS, MASK, 6, SEP, PAD, PAD]])
    batch = batch_of(ids, torch.tensor([[3], [1]]), torch.tensor([[9], [8]]), torch.tensor([0, 1]))
    batch = batch._replace(attention_mask=(ids != PAD).long())
    beneath = torch.cat([ids.masked_fill(ids == PAD, 11), torch.full((2, 3), 10)], 1)
    there, segments = (torch.nn.functional.pad(part, (0, 3)) for part in (batch.attention_mask, batch.token_type_ids))
    more = batch._replace(input_ids=beneath, attention_mask=there, token_type_ids=segments)
    few, many = objective(batch), objective(more)
    assert few.keys() == many.keys()
    for name, value in few.items():
        torch.testing.assert_close(value, many[name])


# --- RoBERTa's masks


@pytest.mark.parametrize(("dynamic", "different"), [(False, 10), (True, 24)])
def test_static_masks_come_ten_ways_and_dynamic_ones_never_again(dynamic: bool, different: int) -> None:
    examples = Examples(language("english"), 0, 768, masking=Masking())
    epochs = Epochs(examples, dynamic=dynamic)
    length = epochs.length
    assert length == 2
    seen: dict[bytes, set[bytes]] = {}
    for step in range(24 * length):
        batch = epochs(step)
        positions = batch.prediction_positions.clone()
        text = batch.input_ids.scatter(1, positions, torch.where(batch.labels < 0, batch.input_ids.gather(1, positions),
                                                                 batch.labels))  # fmt: skip
        seen.setdefault(text.numpy().tobytes(), set()).add(batch.input_ids.numpy().tobytes())
    assert len(seen) == length  # the same texts in every epoch
    assert [len(ways) for ways in seen.values()] == [different] * length


# --- ELMo


@torch.no_grad()
def test_both_directions_are_language_models() -> None:
    """Σ exp(-2 loss) over the continuations of a word is one, forwards; backwards over what stood before it."""
    with initialised(0, "model"):
        model = BidirectionalLM(3, 4)
    here = torch.ones(1, 3, dtype=torch.long)
    forward = backward = 0.0
    for two in product(range(3), repeat=2):
        forward += exp(-2 * float(recurrent_lm(model, torch.tensor([[1, *two]]), here)["forward"]))
        backward += exp(-2 * float(recurrent_lm(model, torch.tensor([[*two, 1]]), here)["backward"]))
    assert forward == pytest.approx(1, abs=1e-5)
    assert backward == pytest.approx(1, abs=1e-5)


@torch.no_grad()
def test_reading_backwards_leaves_the_padding_behind() -> None:
    rows = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 7]])
    lengths = torch.tensor([3, 4])
    assert backwards(rows, lengths).tolist() == [[3, 2, 1, 0], [7, 6, 5, 4]]
    assert backwards(backwards(rows, lengths), lengths).equal(rows)
    with initialised(0, "model"):
        model = BidirectionalLM(8, 4)
    padded = torch.tensor([[1, 2, 3, 0, 0]])
    alone = recurrent_lm(model, padded[:, :3], torch.ones(1, 3, dtype=torch.long))
    beside = recurrent_lm(model, padded, (padded != 0).long())
    for name, value in alone.items():
        assert float(beside[name]) == pytest.approx(float(value), abs=1e-6)


# --- several tasks


def test_each_task_comes_as_often_as_it_has_batches() -> None:
    order = schedule({"large": 30, "small": 3}, 0, 0)
    assert sorted(order) == [*(("large", number) for number in range(30)), *(("small", number) for number in range(3))]
    assert order != schedule({"large": 30, "small": 3}, 0, 1)
    assert order == schedule({"large": 30, "small": 3}, 0, 0)


def test_a_task_moves_the_encoder_and_its_own_head_only() -> None:
    tasks = {"tags": bert("BertForTokenClassification"), "pairs": bert("BertForSequenceClassification")}
    shared = Shared(tasks)
    names = [name.split(".")[0] for name, _ in shared.named_parameters()]
    assert set(names) == {"encoder", "heads"}
    ids = torch.tensor([[CLS, 7, 8, SEP]])
    loss = multi_task(shared, "tags", {"input_ids": ids, "labels": torch.tensor([[IGNORED, 0, 1, IGNORED]])})["loss"]
    loss.backward()
    assert shared.get_parameter("encoder.words.weight").grad is not None
    assert all(parameter.grad is None for parameter in shared.heads["pairs"].parameters())
    assert any(parameter.grad is not None for parameter in shared.heads["tags"].parameters())
    logits = shared("tags", input_ids=ids).logits[0, 1:3].log_softmax(-1).detach()
    assert float(loss.detach()) == pytest.approx(-float(logits[0, 0] + logits[1, 1]) / 2, abs=1e-6)
    with pytest.raises(Refused, match="unknown task 'pair'; did you mean 'pairs'"):
        shared("pair", input_ids=ids)
    with pytest.raises(Refused, match="has no labels"):
        multi_task(shared, "tags", {"input_ids": ids})
    with pytest.raises(Refused, match="has other sizes"):
        Shared({"one": bert(), "other": bert(layers=2)})


def test_ranking_loss_by_hand() -> None:
    """Relevance σ(0) = 1/2 and σ(log 3) = 3/4: P = 1 / (1 + exp(∓γ/4)), whichever of the two is the answer."""
    scores = torch.tensor([[0.0, log(3)], [0.0, log(3)]])
    for gamma in (1.0, 2.0):
        right, wrong = (log(1 + exp(sign * gamma / 4)) for sign in (-1, 1))
        assert float(ranking_loss(scores, torch.tensor([1, 0]), gamma)) == pytest.approx((right + wrong) / 2)
        assert float(ranking_loss(scores, torch.tensor([1, 1]), gamma)) == pytest.approx(right)
    certain = ranking_loss(torch.tensor([[50.0, -50.0]]), torch.tensor([0]))
    assert float(certain) == pytest.approx(log(1 + exp(-1)))  # the least there is


def test_a_corpus_that_is_read_again_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    whole = Examples.gathered
    monkeypatch.setattr(Examples, "gathered", lambda self, number: made.append(number) or whole(self, number))
    epochs = Epochs(Examples(language("english"), 0, 256, masking=Masking()), pools=2)
    seen = {epochs.place(step)[0] for step in range(epochs.length)}
    for step in range(2 * epochs.length):
        epochs(step)
    assert seen == set(range(epochs.length))
    assert made == [0, 1]


# --- static vectors


def test_counts_and_mutual_information_by_hand() -> None:
    """a b a and b c: with a window of one, ab 2 (both ways), bc 1; of 6 ordered pairs P(a, b) = 2/6, P(a) = 2/6,
    P(b) = 3/6, so PMI = log(2/6 / (1/6)) = log 2."""
    counts = word2vec.counted(np.array([[0, 1, 0], [1, 2, -1]]), 3, 1)
    assert counts.tolist() == [[0, 2, 0], [2, 0, 1], [0, 1, 0]]
    found = word2vec.mutual_information(counts)
    assert found[0, 1] == pytest.approx(log(2))
    assert found[1, 2] == pytest.approx(log(1 / 6 / (3 / 6 * 1 / 6)))
    assert found[0, 0] == -np.inf
    wide = word2vec.counted(np.array([[0, 1, 0], [1, 2, -1]]), 3, 2)
    assert wide[0, 0] == 2  # a sees itself, from either side
    for message, call in (("holds no context", lambda: word2vec.counted(np.array([[0, 1]]), 2, 0)),
                          ("allowed: 1 to 3", lambda: word2vec.factorised(counts, 4))):  # fmt: skip
        with pytest.raises(Refused, match=message):
            call()


def test_contexts_are_smoothed_and_still_a_distribution() -> None:
    """Contexts that were counted 1 and 16 times: to the power of 3/4 they are 1 and 8, hence 1/9 and 8/9. The first
    word has the first context 1 of 9 times: PMI = log(1/9 / 1/9) = 0 where without smoothing it were log(17/9)."""
    counts = np.array([[1.0, 8.0], [0.0, 8.0]])
    found = word2vec.mutual_information(counts, 0.75)
    assert found.tolist() == [[pytest.approx(0), pytest.approx(0)], [-np.inf, pytest.approx(log(9 / 8))]]
    assert word2vec.mutual_information(counts)[0, 0] == pytest.approx(log(17 / 9))
    contexts = np.exp(-word2vec.mutual_information(np.ones((2, 3)) * [1, 5, 7], 0.75)) / 13 * [1, 5, 7]
    assert contexts.sum(1) == pytest.approx(1)


def test_negatives_are_of_contexts_and_pairs_of_words_with_contexts() -> None:
    """Word 0 has context 1 alone, word 1 context 2 alone: no negative is 0."""
    counts = np.array([[0.0, 16, 0], [0, 0, 1], [0, 0, 0]])
    found = word2vec.drawn(counts, 0, 0, 3400, 5)
    assert set(zip(found.word.tolist(), found.context.tolist(), strict=True)) == {(0, 1), (1, 2)}
    assert (found.word == 1).double().mean() == pytest.approx(1 / 17, abs=0.02)
    assert set(found.negative.flatten().tolist()) == {1, 2}
    assert (found.negative == 2).double().mean() == pytest.approx(1 / 9, abs=0.01)
    assert not torch.equal(found.word, word2vec.drawn(counts, 0, 1, 3400, 5).word)


def test_skip_gram_finds_the_shifted_mutual_information() -> None:
    """Levy & Goldberg 2014, Eq. 11: with vectors wide enough the optimum is w·c = PMI(w, c) - log k."""
    counts = torch.tensor([[8.0, 4, 1], [4, 2, 6], [1, 6, 3]], dtype=torch.float64)
    with initialised(0, "model"):
        model = word2vec.SkipGram(3, 3).double()
    nn.init.normal_(model.contexts.weight, std=0.5, generator=torch_generator(0, "contexts"))
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-12)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = word2vec.expected(model, counts, 2.0, smoothing=1.0)
        loss.backward()
        return loss

    optimiser.step(closure)  # pyright: ignore[reportArgumentType]
    expected = word2vec.mutual_information(counts.numpy()) - log(2)
    assert (model.words.weight @ model.contexts.weight.T).detach().numpy() == pytest.approx(expected, abs=1e-3)


def test_what_is_drawn_has_the_expected_loss() -> None:
    counts = np.array([[8.0, 4, 1], [4, 2, 6], [1, 6, 3]])
    with initialised(0, "model"):
        model = word2vec.SkipGram(3, 2)
    nn.init.normal_(model.contexts.weight, std=2.0, generator=torch_generator(0, "contexts"))
    nn.init.normal_(model.words.weight, std=2.0, generator=torch_generator(0, "words"))
    with torch.no_grad():
        sampled = np.mean([word2vec.skip_gram(model, word2vec.drawn(counts, 0, s, 2000))["loss"] for s in range(20)])
        assert sampled == pytest.approx(
            float(word2vec.expected(model, torch.from_numpy(counts).float(), 5.0)), rel=0.02
        )


def test_the_factorisation_is_exact_where_there_is_room() -> None:
    counts = np.array([[8.0, 4, 1], [4, 2, 6], [1, 6, 3]])
    vectors = word2vec.factorised(counts, 3)
    positive = np.maximum(word2vec.mutual_information(counts), 0)
    assert vectors @ vectors.T == pytest.approx(_root(positive), abs=1e-9)


def _root(matrix: np.ndarray) -> np.ndarray:
    """The positive square root of M Mᵀ, which is U Σ Uᵀ of M = U Σ Vᵀ."""
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def test_words_of_one_topic_are_neighbours() -> None:
    """In the grammar's text, vectors of the PMI matrix find topics: knight is nearer to king than to sailor."""
    sentences = world.documents(world.grammar(), 0, "static", 0, 3000).english
    counts = word2vec.counted(sentences.padded(), len(sentences.vocabulary), 10)
    vectors = word2vec.factorised(counts, 40)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)
    near = {word: vectors[sentences.vocabulary.index(word)] for word in ("knight", "king", "sailor", "teacher")}
    assert near["knight"] @ near["king"] > max(near["knight"] @ near["sailor"], near["knight"] @ near["teacher"])
