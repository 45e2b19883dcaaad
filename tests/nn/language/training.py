"""What a pre-trained model does in training, and the sizes it has when none are given: both as in the library."""

import warnings
from collections import Counter
from typing import Any

import msgspec
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from phantastic.nn.language.pretrained import ARCHITECTURES, FAMILIES, create

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers", reason="the dev extra brings the reference")

WORDS = torch.tensor([[7, 8, 9, 10, 11]])
SMALL = {
    "bert": {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20},
    "distilbert": {"dim": 12, "n_layers": 2, "n_heads": 3, "hidden_dim": 20},
    "gpt2": {"n_embd": 12, "n_layer": 2, "n_head": 3, "pad_token_id": 0},
    "xlnet": {"d_model": 12, "n_layer": 2, "n_head": 3, "d_inner": 20},
    "xlm": {"emb_dim": 12, "n_layers": 2, "n_heads": 3},
}
SMALL["roberta"] = SMALL["bert"]


def rates(kind: str) -> list[str]:
    """The dropouts of a family's configuration."""
    fields = FAMILIES[kind].config.__struct_fields__
    return [name for name in fields if "dropout" in name or "pdrop" in name]


class Drawn(TorchDispatchMode):
    """How often each rate of dropout is drawn, and for how many vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[tuple[float, int]] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None):
        if function is torch.ops.aten.bernoulli_.float:
            self.counts[round(1 - arguments[1], 3), arguments[0][..., 0].numel()] += 1
        return function(*arguments, **(options or {}))


def drawn(model: nn.Module, inputs: dict[str, torch.Tensor]) -> Counter[tuple[float, int]]:
    with Drawn() as mode, torch.no_grad():
        model(**inputs)
    return mode.counts


def library(kind: str) -> Any:
    """The library's configuration of a family."""
    return getattr(transformers, FAMILIES[kind].config.__name__)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_each_dropout_acts_where_the_library_has_it(architecture: str):
    """Every rate is another, so that a rate tells which dropout it is."""
    config = ARCHITECTURES[architecture].config
    options: dict[str, Any] = {**SMALL[config.kind], "vocab_size": 23}
    options |= {name: (11 + place) / 100 for place, name in enumerate(rates(config.kind))}
    theirs = getattr(transformers, architecture)(library(config.kind)(**options, attn_implementation="eager"))
    ours = create(architecture, msgspec.convert(options, config))
    inputs = {"input_ids": WORDS[:, None] if "MultipleChoice" in architecture else WORDS}
    if architecture == "XLNetLMHeadModel":  # with two streams
        inputs["target_mapping"] = torch.eye(WORDS.shape[1])[None, :2]
    expected, found = drawn(theirs.train(), inputs), drawn(ours.train(), inputs)
    assert found == expected
    assert not drawn(ours.eval(), inputs)


OWN = {  # where the published models differ from the library's defaults, or the library has no such key
    "gpt2": {"classifier_dropout": 0.1},
    "roberta": {"max_position_embeddings": 514, "layer_norm_eps": 1e-5, "type_vocab_size": 1},
    "xlm": {"initializer_range": 0.02, "summary_last_dropout": 0.0},
    "xlnet": {"d_head": None},
}


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_sizes_that_are_not_given_are_the_library_s(kind: str):
    ours, theirs = FAMILIES[kind].config(), library(kind)()
    for name in set(ours.__struct_fields__) - {"others"}:
        expected = OWN[kind][name] if name in OWN.get(kind, {}) else getattr(theirs, name)
        assert getattr(ours, name) == expected, name


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_first_weights_scatter_as_the_configuration_says(kind: str):
    """Linear maps and tables by their deviation, padding and biases 0, norms 1."""
    sizes = {"bert": "hidden_size", "roberta": "hidden_size", "distilbert": "dim", "gpt2": "n_embd", "xlnet": "d_model"}
    options = {**SMALL[kind], sizes.get(kind, "emb_dim"): 48, "vocab_size": 200}
    options |= {"init_std": 0.1, "embed_init_std": 0.3, "n_langs": 30} if kind == "xlm" else {"initializer_range": 0.1}
    model = create(next(iter(FAMILIES[kind].architectures)), msgspec.convert(options, FAMILIES[kind].config))
    own = {"content_bias", "distance_bias", "segment_bias", "segments", "mask"}  # XLNet's, drawn like its maps
    for name, module in model.named_modules():
        for leaf, parameter in module.named_parameters(recurse=False):
            values, deviation = parameter.detach(), 0.1
            if isinstance(module, nn.Embedding):
                deviation = 0.3 if kind == "xlm" else 0.1
                if module.padding_idx is not None:
                    assert not values[module.padding_idx].any(), name
                    values = torch.cat([values[: module.padding_idx], values[module.padding_idx + 1 :]])
            elif leaf == "bias" or isinstance(module, nn.LayerNorm):
                assert (values == float(leaf == "weight")).all(), (name, leaf)
                continue
            elif kind == "gpt2" and name.endswith(("attention.output", "mlp.contract")):
                deviation = 0.1 / 2  # two layers, each of which adds to the stream twice
            else:
                assert leaf == "weight" or leaf in own, (name, leaf)
            assert float(values.std()) == pytest.approx(deviation, rel=4 / (2 * values.numel()) ** 0.5), (name, leaf)
