"""The family: who sees what, that all read the same, that no hidden word leaks, and what MT-DNN is asked."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from phantastic.declare.references import find
from phantastic.ground.errors import Refused
from phantastic.nn.language.model import Model
from phantastic.pretraining.objectives.word2vec import SkipGram
from phantastic.systems.family import measure, members, multitask
from phantastic.systems.family.ancestry import FAMILY
from phantastic.systems.family.features import reader_of
from phantastic.systems.family.seen import views
from phantastic.systems.family.study import STUDY, FamilyRecipe
from phantastic.tuning import finetune, tasks
from phantastic.tuning.tasks import Answer, Example
from phantastic.tuning.texts import Reader, grammar

RECIPE = FamilyRecipe(layers=2, width=16, heads=2, batch=64, pools=1, train=12, test=8)
CPU = torch.device("cpu")
ORDER = (2, 4, 0, 3, 1)


def network(name: str, vocabulary: int = 40) -> nn.Module:
    return members.built(name, RECIPE, vocabulary, 0).eval()


# --- who sees what


def test_each_stream_sees_what_its_objective_allows() -> None:
    ids, n = torch.arange(10, 15), len(ORDER)
    turn = torch.empty(n, dtype=torch.long)
    turn[list(ORDER)] = torch.arange(n)
    before = turn[None] < turn[:, None]
    expected = {
        ("gpt", "states"): torch.ones(n, n).tril().bool(),
        ("bert", "states"): torch.ones(n, n).bool(),
        ("elmo", "forward"): torch.ones(n, n).tril().bool(),
        ("elmo", "backward"): torch.ones(n, n).triu().bool(),
        ("xlnet", "query"): before,
        ("xlnet", "content"): before | torch.eye(n).bool(),
    }
    found = {(name, stream): seen for name in ("gpt", "bert", "elmo", "xlnet")
             for stream, seen in views(network(name), ids, ORDER).items()}  # fmt: skip
    assert set(found) == set(expected)
    for key, seen in expected.items():
        assert torch.equal(found[key], seen), key
    assert torch.equal(views(SkipGram(40, 8).words, ids, ORDER)["alone"], torch.eye(n).bool())


# --- what is read


def test_all_members_read_the_same_texts_in_the_same_order() -> None:
    source = grammar(8_192)
    texts = {name: members.corpus(name, RECIPE, source, 3, CPU) for name in members.MEMBERS}
    for step in (0, 5, texts["gpt"].length + 2):
        plain = texts["gpt"](step)
        for name, member in members.MEMBERS.items():
            batch = texts[name](step)
            assert torch.equal(batch.token_type_ids, plain.token_type_ids)
            shown = batch.input_ids.clone()
            rows = torch.arange(len(shown))[:, None].expand_as(batch.labels)[batch.labels >= 0]
            shown[rows, batch.prediction_positions[batch.labels >= 0]] = batch.labels[batch.labels >= 0]
            assert torch.equal(shown, plain.input_ids), name
            assert (batch.input_ids != plain.input_ids).any() == member.masked


def test_masks_come_back_for_bert_alone() -> None:
    """After ten epochs, as create_pretraining_data.py masks a corpus ten times over."""
    for name, member in members.MEMBERS.items():
        texts = members.corpus(name, RECIPE, grammar(8_192), 3, CPU)
        first = {texts.place(step)[0]: texts(step).input_ids for step in range(texts.length)}
        later = {texts.place(step)[0]: texts(step).input_ids for step in range(10 * texts.length, 11 * texts.length)}
        same = all(torch.equal(first[batch], later[batch]) for batch in first)
        assert same == (not member.masked or name == "bert"), name


@pytest.mark.parametrize("preset", STUDY.presets)
def test_members_are_of_one_size(preset: str) -> None:
    """Within a quarter of BERT's weights, where ELMo's layers are as many; at `tiny` words are all that there is."""
    recipe = STUDY.presets[preset]
    assert isinstance(recipe, FamilyRecipe)
    size = {name: sum(weight.numel() for weight in members.built(name, recipe, 566, 0).parameters())
            for name in members.MEMBERS}  # fmt: skip
    transformers = [size[name] for name in ("bert", "dynamic", "roberta", "gpt", "xlnet")]
    assert max(transformers) < 1.25 * min(transformers)
    assert preset == "tiny" or abs(size["elmo"] / size["bert"] - 1) < 0.35


# --- hidden words


@pytest.mark.parametrize("name", members.MEMBERS)
def test_a_hidden_word_does_not_leak(name: str) -> None:
    """What stands at the place changes nothing; a word on the left does; one on the right where both sides are seen."""
    ids = torch.tensor([[2, 11, 12, 13, 14, 15, 3, 16, 17, 3], [2, 21, 22, 23, 24, 3, 25, 26, 3, 0]])
    present, segments = (ids > 0).long(), torch.tensor([[0] * 7 + [1] * 3, [0] * 6 + [1] * 3 + [0]])
    place, model = torch.tensor([3, 2]), network(name)

    def asked(words: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return measure.scores(model, words, present, segments, place)

    def changed(shift: int) -> torch.Tensor:
        words = ids.clone()
        words[torch.arange(2), place + shift] += 10
        return words

    whole = asked(ids)
    assert torch.allclose(whole, asked(changed(0)), atol=1e-6)
    assert not torch.allclose(whole, asked(changed(-1)), atol=1e-5)
    both = name not in ("gpt", "elmo")
    assert torch.allclose(whole, asked(changed(2)), atol=1e-6) != both


def test_who_knows_nothing_is_surprised_by_the_vocabulary() -> None:
    source = grammar(8_192)
    size, batches = len(source.wordpiece), measure.hidden_words(source, 0, 100, 128, set())
    assert sum(len(ids) for ids, *_ in batches) >= 100
    assert all((ids[torch.arange(len(ids)), place] > members.SEP).all() for ids, _, _, place in batches)
    model = network("gpt", size)
    nn.init.zeros_(model.get_parameter("transformer.words.weight"))  # which its scores are made of
    found = measure.surprise(model, batches, 0)
    assert found.value == pytest.approx(math.log(size), rel=1e-6)
    assert found.low == pytest.approx(found.high)
    uniform = measure.frequency(batches, np.arange(size), size, 0)
    assert uniform.value == pytest.approx(math.log(size))


def test_no_sentence_is_asked_that_was_read() -> None:
    source = grammar(8_192)
    stop = measure.full_stop(source)
    cut = measure.sentences([[2, 10, 11, stop, 12, stop, 3, 13, stop, 3, 0, 0], [2, 10, 3, 0]], stop)
    assert cut == [{(10, 11), (12,), (13,)}, {(10,)}]
    everything = measure.hidden_words(source, 0, 64, 128, set())
    read = set().union(*measure.sentences(everything[0][0][:20].tolist(), stop))
    left = measure.hidden_words(source, 0, 64, 128, read)
    assert all(read.isdisjoint(found) for ids, *_ in left for found in measure.sentences(ids.tolist(), stop))
    assert len(left[0][0]) <= 44
    with pytest.raises(Refused, match="fewer than 1 hold"):
        measure.hidden_words(source, 0, 1, 128, Everything())


class Everything(set[tuple[int, ...]]):
    """All sentences were read."""

    def isdisjoint(self, other: object) -> bool:
        return not other


def test_frequency_by_hand() -> None:
    """Of three words seen 3, 1 and 0 times, +1 each: 4/7, 2/7, 1/7."""
    batch = (torch.tensor([[0, 2], [0, 1]]), torch.ones(2, 2), torch.zeros(2, 2), torch.tensor([0, 1]))
    found = measure.frequency([batch], np.array([0, 0, 0, 1]), 3, 0)
    assert found.value == pytest.approx(-(math.log(4 / 7) + math.log(2 / 7)) / 2)


# --- states as they are


def test_a_reader_leaves_the_member_as_it_is_and_padding_unread() -> None:
    source, task = grammar(8_192), tasks.of_grammar(0, 12, 8)[0]
    reader, size = Reader(source.wordpiece.tokenizer, 128), len(source.wordpiece)
    head = network("bert", size)
    assert isinstance(head, Model)
    for name in members.MEMBERS:
        below = network(name, size)
        before = [weight.clone() for weight in below.parameters()]
        model = reader_of(below, head, task, 0)
        items = finetune.encode(reader, task.kind, task.train)
        finetune.learn(model, task.kind, items, finetune.Tuning(3, 4, 1e-2), 0)
        assert all(torch.equal(old, new) for old, new in zip(before, below.parameters(), strict=True)), name
        mix = model.get_parameter("transformer.mix.weights")
        assert len(mix) == (members.ELMO_LAYERS if name == "elmo" else RECIPE.layers) + 1
        assert mix.detach().abs().max() > 0, name  # it has learned
        ids = torch.tensor([[2, 30, 31, 3]])
        longer = torch.cat([ids, torch.zeros(1, 3, dtype=torch.long)], 1)
        one, two = (model(x, attention_mask=(x > 0).long(), token_type_ids=0 * x).logits for x in (ids, longer))
        assert torch.allclose(one, two, atol=1e-5), name


def test_the_top_alone_hangs_on_no_other_layer() -> None:
    head, below = network("bert"), network("elmo")
    assert isinstance(head, Model)
    task = tasks.of_grammar(0, 12, 8)[0]
    model = reader_of(below, head, task, 0, top=True)
    assert model.get_parameter("transformer.mix.weights").shape == (1,)


def test_tuned_with_dropout_whatever_the_family_calls_it() -> None:
    task = tasks.of_grammar(0, 12, 8)[0]
    for name in ("bert", "gpt", "xlnet"):
        model = network(name)
        assert isinstance(model, Model)
        rates = [m.p for m in finetune.with_head(finetune.with_dropout(model, 0.1), task, 0).transformer.modules()
                 if isinstance(m, nn.Dropout)]  # fmt: skip
        assert rates
        assert set(rates) == {0.1}, name


# --- MT-DNN


def test_which_sentence_answers_by_hand() -> None:
    text = "the cow sleeps in the barn . a goat rests near that tree ."
    where = text.index("near")
    candidates, answer = multitask.ranked(Example(("where does a goat rest ?", text), Answer(where, "near that tree")))
    assert [example.texts[1] for example in candidates] == [
        "the cow sleeps in the barn .",
        "a goat rests near that tree .",
    ]
    assert answer == 1
    assert multitask.ranked(Example(("what sleeps ?", text), Answer(0, "the cow")))[1] == 0


def tasks_of(seed: int = 0) -> dict[str, tasks.Task]:
    return {task.name: task for task in tasks.of_grammar(seed, 12, 8) if task.name != "tagging"}


def test_heads_of_each_kind_of_task_and_one_encoder() -> None:
    source, given = grammar(8_192), tasks_of()
    reader = Reader(source.wordpiece.tokenizer, 128)
    bert = network("bert", len(source.wordpiece))
    assert isinstance(bert, Model)
    model = multitask.shared(bert, list(given.values()), 0).eval()
    assert set(model.models) == set(multitask.TASKS)
    assert len({id(each.transformer) for each in model.models.values()}) == 1
    assert isinstance(model.models["entailment"].head, multitask.Answering)
    with torch.no_grad():
        for task in (multitask.learned(reader, each) for each in given.values()):
            inputs, targets = multitask.collated(model.models[task.name], task, task.train[:4])
            result = model.models[task.name](**inputs, **targets)
            assert result.loss is not None
            assert result.logits is not None
            if task.name in multitask.PAIRS:  # log-probabilities, and theirs is the loss
                assert torch.allclose(result.logits.exp().sum(-1), torch.ones(4), atol=1e-5)
                picked = result.logits[torch.arange(4), targets["labels"]]
                assert float(result.loss) == pytest.approx(-float(picked.mean()), rel=1e-5)
            if task.name == "ranking":
                assert inputs["input_ids"].shape[:2] == (4, 2)
                assert result.logits.shape == (4, 2)
                assert math.log(1 + 1 / math.e) < float(result.loss) < math.log(1 + math.e)
            assert len(multitask.answers(model, task)) == 8


def test_premise_and_hypothesis_are_the_words_of_each_sentence() -> None:
    source, given = grammar(8_192), tasks_of()
    reader = Reader(source.wordpiece.tokenizer, 128)
    bert = network("bert", len(source.wordpiece))
    assert isinstance(bert, Model)
    task = multitask.learned(reader, given["entailment"])
    inputs, _ = multitask.collated(multitask.with_head(bert, given["entailment"], 0), task, task.train[:3])
    for row, example in enumerate(given["entailment"].train[:3]):
        sizes = [len(pieces) for pieces in reader.pieces(example.texts)]
        assert [int(inputs[name][row].sum()) for name in ("premise", "hypothesis")] == sizes


def test_all_together_learn_as_many_batches_of_each() -> None:
    source, given = grammar(8_192), tasks_of()
    reader = Reader(source.wordpiece.tokenizer, 128)
    bert = network("bert", len(source.wordpiece))
    assert isinstance(bert, Model)
    model = multitask.shared(bert, list(given.values()), 0)
    learned = {each.name: each for each in (multitask.learned(reader, task) for task in given.values())}
    loss, asked = multitask.losses(model, learned, finetune.Tuning(3, 4, 1e-3), 0), []
    for name, each in model.models.items():
        each.register_forward_pre_hook(lambda *_, name=name: asked.append(name))
    for step in range(15):
        loss(step)
    assert sorted(asked) == sorted(3 * list(multitask.TASKS))


# --- the lecture's figure


def test_nobody_builds_on_what_came_later() -> None:
    months = {each.name: each.month for each in FAMILY}
    assert [each.month for each in FAMILY] == sorted(months.values())
    for each in FAMILY:
        assert 0 <= find(each.paper).year - int(each.month[:4]) <= 1, each.name  # first as a preprint
        assert each.paper in STUDY.papers
        for ancestor in each.ancestors:
            assert months[ancestor.name] <= each.month
    gpt2 = next(each for each in FAMILY if each.name == "GPT-2")
    assert [ancestor.name for ancestor in gpt2.ancestors] == ["GPT"]
