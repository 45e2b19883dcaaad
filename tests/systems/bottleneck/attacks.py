"""Weights from elsewhere: refusals of scenic's, agreement with transformers, the beginning of a fusion model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from mbt_numpy import random_parameters

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, numpy_generator
from phantastic.systems.bottleneck import (
    Architecture,
    FusionTransformer,
    Sense,
    initialise,
    load_pretrained,
    load_scenic,
)

CONFIG: dict[str, Any] = {
    "mlp_dim": 12, "num_layers": 2, "num_heads": 2, "num_classes": 3, "hidden_size": 8, "classifier": "token",
    "modality_fusion": ["spectrogram", "rgb"], "fusion_layer": 1, "use_bottleneck": True, "n_bottlenecks": 2,
    "share_encoder": False, "temporal": "3d_conv", "patches": [4, 4, 2],
}  # fmt: skip
INPUTS = {"rgb": np.zeros((1, 4, 8, 8, 3), np.float32), "spectrogram": np.zeros((1, 8, 8, 3), np.float32)}


def arrays() -> dict[str, np.ndarray]:
    return random_parameters(CONFIG, INPUTS, numpy_generator(0, "loading"))


# --- scenic


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fusion_layer": 3}, "fusion_layer = 3 .* 0 to 2"),
        ({"fusion_layer": -1}, "fusion_layer = -1"),
        ({"num_heads": 3}, "hidden_size 8 .* 3 heads"),
        ({"num_layers": 0}, "num_layers = 0"),
        ({"num_layers": True}, "num_layers = True"),
        ({"classifier": "gmp"}, "classifier = 'gmp' .* token, gap"),
        ({"temporal": "2d"}, "temporal = '2d' .* 3d_conv, temporal_sampling"),
        ({"patches": [4, 4]}, "patches"),
        ({"patches": 4}, "patches"),
        ({"modality_fusion": ["rgb", "flow"]}, "modality_fusion .* spectrogram"),
        ({"modality_fusion": ["rgb", "rgb"]}, "each once"),
        ({"share_encoder": "yes"}, "share_encoder = 'yes'"),
        ({"num_layers": 3}, "'Transformer/encoderblock_2_spectrogram/LayerNorm_0/scale' is missing"),
        ({"num_layers": 1}, "'Transformer/encoderblock_1.* is left over"),
        ({"use_bottleneck": False}, "'bottleneck' is left over"),
        ({"n_bottlenecks": 4}, r"'bottleneck' has shape \(1, 3, 8\); this configuration needs \(1, 5, 8\)"),
        ({"representation_size": 5}, "'pre_logits/kernel' is missing"),
        ({"modality_fusion": ["rgb"]}, "left over"),
        ({"temporal": "temporal_sampling"}, r"'embedding/kernel' has shape \(2, 4, 4, 3, 8\)"),
        ({"num_classes": 4}, "'output_projection/kernel' has shape"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(changes: dict[str, Any], words: str):
    with pytest.raises(Refused, match=words):
        load_scenic(arrays(), CONFIG | changes)


@pytest.mark.parametrize("key", [key for key in CONFIG if key not in ("use_bottleneck", "share_encoder")])
def test_a_missing_key_is_named(key: str):
    with pytest.raises(Refused, match=f"key '{key}' is missing"):
        load_scenic(arrays(), {name: value for name, value in CONFIG.items() if name != key})


@pytest.mark.parametrize(
    "name",
    ["cls", "Transformer/posembed_input/pos_embedding", "embedding_spectrogram/kernel", "output_projection/bias"],
)
def test_a_missing_a_damaged_and_an_extra_parameter_are_named(name: str):
    found = arrays()
    lacking = {key: value for key, value in found.items() if key != name}
    with pytest.raises(Refused, match=f"'{name}' is missing"):
        load_scenic(lacking, CONFIG)
    with pytest.raises(Refused, match=f"'{name}s' is left over.*did you mean '{name}'"):
        load_scenic({**found, f"{name}s": found[name]}, CONFIG)
    with pytest.raises(Refused, match=f"'{name}' has shape"):
        load_scenic({**found, name: found[name][..., None]}, CONFIG)
    damaged = found[name].copy()
    damaged.flat[0] = np.nan
    with pytest.raises(Refused, match=f"'{name}' .* not all finite"):
        load_scenic({**found, name: damaged}, CONFIG)


def test_a_file_is_read_with_or_without_prefix_and_a_damaged_one_is_named(tmp_path: Path):
    path, found = tmp_path / "mbt.npz", arrays()
    expected = load_scenic(found, CONFIG)(**INPUTS)
    np.savez(path, **{f"param/{name}": value for name, value in found.items()}, other=np.zeros(3))
    assert torch.equal(load_scenic(path, CONFIG)(**INPUTS), expected)
    assert torch.equal(load_scenic(str(path), CONFIG | {"dropout_rate": 0.1, "unknown": 3})(**INPUTS), expected)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(Refused, match=r"mbt\.npz cannot be read"):
        load_scenic(path, CONFIG)
    with pytest.raises(Refused, match=r"nothing\.npz cannot be read"):
        load_scenic(tmp_path / "nothing.npz", CONFIG)


def test_inputs_that_do_not_fit_are_refused():
    model = load_scenic(arrays(), CONFIG)
    for rgb, spectrogram, words in (
        (None, INPUTS["spectrogram"], "lacks its input 'rgb'"),
        (INPUTS["rgb"][:, :, :4], INPUTS["spectrogram"], "rgb: this input has 2 x 1 x 2 patches"),
        (INPUTS["rgb"], INPUTS["spectrogram"][..., :1], r"spectrogram of shape \[1, 8, 8, 1\]"),
        (INPUTS["rgb"][0], INPUTS["spectrogram"], "rgb of shape"),
    ):
        with pytest.raises(Refused, match=words):
            model(rgb, spectrogram)
    lone = load_scenic(
        random_parameters(CONFIG | {"modality_fusion": ["rgb"]}, INPUTS, numpy_generator(0, "lone")),
        CONFIG | {"modality_fusion": ["rgb"]},
    )
    with pytest.raises(Refused, match="does not have the sense 'spectrogram'"):
        lone(**INPUTS)


# --- Hugging Face

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
SOUND = {"max_length": 40, "num_mel_bins": 24, "patch_size": 8}
CASES = {
    "ViTModel": ("ViT", SMALL | {"image_size": 24, "patch_size": 8}),
    "ViTForImageClassification": ("ViT", SMALL | {"image_size": 24, "patch_size": 8, "num_labels": 5}),
    "ASTModel": ("AST", SMALL | SOUND | {"time_stride": 5, "frequency_stride": 6}),
    "ASTForAudioClassification": ("AST", SMALL | SOUND | {"qkv_bias": False, "num_labels": 5}),
}  # fmt: skip


def stored(name: str, folder: Path):
    """A small random model of transformers, saved."""
    import transformers

    family, settings = CASES[name]
    with initialised(0, name):
        model = getattr(transformers, name)(getattr(transformers, f"{family}Config")(**settings)).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    return model


def pictures(number: int = 2) -> torch.Tensor:
    return torch.randn(number, 24, 24, 3, generator=torch.Generator().manual_seed(0))


def sounds(number: int = 2) -> torch.Tensor:
    return torch.randn(number, 40, 24, 1, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", CASES)
def test_a_pretrained_model_computes_what_transformers_does(name: str, tmp_path: Path):
    theirs, ours = stored(name, tmp_path), load_pretrained(tmp_path)
    with torch.no_grad():
        if name.startswith("ViT"):
            expected = theirs(pictures().permute(0, 3, 1, 2))
            inputs = {"rgb": pictures()[:, None]}
        else:
            expected = theirs(sounds()[..., 0])
            inputs = {"spectrogram": sounds()}
        if "For" in name:
            torch.testing.assert_close(ours(**inputs), expected.logits, rtol=0, atol=1e-5)
            return
        (tokens,) = ours.encode(**inputs).values()
        if name.startswith("ViT"):
            torch.testing.assert_close(tokens, expected.last_hidden_state, rtol=0, atol=1e-5)
            assert ours.representation is not None
            pooled = torch.tanh(ours.representation(tokens[:, 0]))
        else:  # our tokens go through time first, theirs through frequency
            pooled = tokens[:, :2].mean(1)
            grid = ours.architecture.senses["spectrogram"].grid
            turned = tokens[:, 2:].unflatten(1, grid).transpose(1, 2).flatten(1, 2)
            torch.testing.assert_close(turned, expected.last_hidden_state[:, 2:], rtol=0, atol=1e-5)
        torch.testing.assert_close(pooled, expected.pooler_output, rtol=0, atol=1e-5)
        assert not ours(**inputs).any()  # no classifier: a head at zero


def test_a_damaged_folder_is_refused(tmp_path: Path):
    with pytest.raises(Refused, match=r"config\.json cannot be read"):
        load_pretrained(tmp_path)
    stored("ViTModel", tmp_path)
    config, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    good, tensors = json.loads(config.read_text()), safetensors.torch.load_file(weights)
    for changes, words in (
        ({"model_type": "bert"}, "model_type 'bert'"),
        ({"hidden_act": "silu"}, "hidden_act 'silu'"),
        ({"num_hidden_layers": "two"}, "num_hidden_layers = 'two'"),
        ({"num_hidden_layers": 1}, "left over"),
        ({"num_hidden_layers": 3}, "'encoder.layer.2.attention.attention.query.weight' is missing"),
        ({"image_size": 32}, "position_embeddings' has shape"),
        ({"image_size": 4}, "does not fit"),
    ):
        config.write_text(json.dumps(good | changes))
        with pytest.raises(Refused, match=words):
            load_pretrained(tmp_path)
    for text in ("[1]", "{", ""):
        config.write_text(text)
        with pytest.raises(Refused, match=r"config\.json"):
            load_pretrained(tmp_path)
    config.write_text(json.dumps(good))
    safetensors.torch.save_file({**tensors, "extra": torch.zeros(1)}, weights)
    with pytest.raises(Refused, match="'extra' is left over"):
        load_pretrained(tmp_path)
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(Refused, match=r"model\.safetensors cannot be read"):
        load_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(Refused, match=r"model\.safetensors cannot be read"):
        load_pretrained(tmp_path)


# --- beginning a fusion model


def fusion(rgb: Sense, spectrogram: Sense, **changes: Any) -> FusionTransformer:
    settings: dict[str, Any] = {
        "layers": 2, "width": 16, "heads": 2, "hidden": 24, "classes": 4, "activation": "gelu", "epsilon": 1e-12,
        "fusion_layer": 2,
    }  # fmt: skip
    with initialised(1, "fusion"):
        return FusionTransformer(Architecture({"spectrogram": spectrogram, "rgb": rgb}, **settings | changes)).eval()


def test_a_still_clip_and_a_repeated_spectrogram_give_what_the_pretrained_models_gave(tmp_path: Path):
    stored("ViTModel", tmp_path / "vit")
    vit = load_pretrained(tmp_path / "vit")
    model = fusion(Sense.of((6, 24, 24), (2, 8, 8)), Sense.of((24, 24), (8, 8)))
    for sense in ("rgb", "spectrogram"):
        initialise(model, sense, vit)
    clip = torch.randn(2, 6, 24, 24, 3, generator=torch.Generator().manual_seed(2))
    clip[:, 1::2] = pictures()[:, None]  # the central frame of each tubelet
    with torch.no_grad():
        found = model.encode(clip, pictures())
        expected = vit.encode(pictures()[:, None])["rgb"]
        image = model.tokens["rgb"](clip)[:, 1:].unflatten(1, (3, 9))
        torch.testing.assert_close(image, vit.tokens["rgb"](pictures()[:, None])[:, None, 1:].expand_as(image))
        torch.testing.assert_close(found["spectrogram"], expected)


def test_from_one_channel_and_back(tmp_path: Path):
    stored("ViTModel", tmp_path / "vit")
    stored("ASTModel", tmp_path / "ast")
    vit, ast = load_pretrained(tmp_path / "vit"), load_pretrained(tmp_path / "ast")
    mono = fusion(Sense.of((2, 24, 24), (2, 8, 8)), Sense.of((24, 24), (8, 8), channels=1))
    initialise(mono, "spectrogram", vit)
    grey = pictures()[..., :1]
    with torch.no_grad():
        expected = vit.tokens["rgb"](grey.expand(-1, -1, -1, 3)[:, None])
        torch.testing.assert_close(mono.tokens["spectrogram"](grey), expected)
        colour = fusion(Sense.of((2, 24, 24), (2, 8, 8)), Sense.of((40, 24), (8, 8), channels=3, stride=(5, 6)))
        initialise(colour, "spectrogram", ast)
        given = ast.tokens["spectrogram"](sounds())[:, 2:]
        torch.testing.assert_close(colour.tokens["spectrogram"](sounds().expand(-1, -1, -1, 3))[:, 1:], given)


def test_positions_are_resized_between_corners_that_stay(tmp_path: Path):
    stored("ViTModel", tmp_path)
    vit = load_pretrained(tmp_path)
    model = fusion(Sense.of((4, 40, 40), (2, 8, 8)), Sense.of((72, 24), (8, 8)))
    initialise(model, "rgb", vit)
    initialise(model, "spectrogram", vit)
    before = vit.get_parameter("tokens.rgb.positions.table")[1:].unflatten(0, (3, 3))
    clip = model.get_parameter("tokens.rgb.positions.table")[1:].unflatten(0, (2, 5, 5))
    sound = model.get_parameter("tokens.spectrogram.positions.table")[1:].unflatten(0, (9, 3))
    assert torch.equal(clip[0], clip[1])
    torch.testing.assert_close(clip[0, ::2, ::2], before)
    torch.testing.assert_close(clip[0, 1, 0], (before[0, 0] + before[1, 0]) / 2)
    torch.testing.assert_close(sound[::4], before)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 8}, "width 16, this one 8"),
        ({"activation": "gelu_tanh"}, "activation gelu, this one gelu_tanh"),
        ({"layers": 3}, "2 layers, this one 3"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_and_left_as_it_was(changes: dict[str, Any], words: str, tmp_path: Path):
    stored("ViTModel", tmp_path)
    vit = load_pretrained(tmp_path)
    with pytest.raises(Refused, match=words):
        initialise(fusion(Sense.of((4, 24, 24), (2, 8, 8)), Sense.of((24, 24), (8, 8)), **changes), "rgb", vit)
    model = fusion(Sense.of((4, 24, 24), (2, 4, 4)), Sense.of((24, 24), (8, 8)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(Refused, match=r"patches are \(8, 8\), this model's \(4, 4\)"):
        initialise(model, "rgb", vit)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_impossible_architectures_are_refused():
    rgb = Sense.of((4, 24, 24), (2, 8, 8))
    for changes, words in (
        ({"fusion_layer": 5}, "fusion layer 5"),
        ({"fusion": "bottle"}, "unknown fusion 'bottle'; did you mean 'bottleneck'"),
        ({"classifier": "cap"}, "unknown classifier 'cap'"),
        ({"heads": 3}, "does not divide into 3 heads"),
    ):
        with pytest.raises(Refused, match=words):
            fusion(rgb, Sense.of((24, 24), (8, 8)), **changes)
    with pytest.raises(Refused, match="unknown sense 'touch'"):
        Architecture({"touch": rgb}, 1, 8, 1, 8, 2)
    with pytest.raises(Refused, match="at least one sense"):
        Architecture({}, 1, 8, 1, 8, 2)
    with pytest.raises(Refused, match="does not fit"):
        Sense.of((4, 4), (8, 8))
