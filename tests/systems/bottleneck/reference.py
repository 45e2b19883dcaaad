"""The multimodal bottleneck transformer against the published program, and against a second opinion in NumPy.

`mbt/README.md` says how the published numbers were made. They are of five variants; the NumPy forward pass, which
reproduces these, stands in for the others.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mbt_numpy import forward, random_parameters

from phantastic.ground.randomness import numpy_generator
from phantastic.systems.bottleneck import load_scenic
from phantastic.systems.bottleneck.model import Compute, FusionTransformer
from phantastic.systems.bottleneck.scenic import correspondence

HERE = Path(__file__).parent / "mbt"
CONFIG: dict[str, Any] = {
    "mlp_dim": 48, "num_layers": 4, "num_heads": 4, "num_classes": 7, "hidden_size": 32, "classifier": "token",
    "modality_fusion": ["spectrogram", "rgb"], "fusion_layer": 2, "use_bottleneck": True, "n_bottlenecks": 4,
    "share_encoder": False, "temporal": "3d_conv", "patches": [8, 8, 2],
}  # fmt: skip
PUBLISHED: dict[str, dict[str, Any]] = {
    "bottleneck_f0": {"fusion_layer": 0},
    "bottleneck_f2": {},
    "bottleneck_f4_late": {"fusion_layer": 4},
    "vanilla_f0": {"fusion_layer": 0, "use_bottleneck": False},
    "vanilla_f2": {"use_bottleneck": False},
}
VARIANTS: dict[str, dict[str, Any]] = {
    **PUBLISHED,
    "bottleneck_f2_shared": {"share_encoder": True},
    "bottleneck_f2_one": {"n_bottlenecks": 1},
    "bottleneck_f2_apart_at_test": {"test_with_bottlenecks": False},
    "bottleneck_f2_representation": {"representation_size": 24},
    "bottleneck_f2_sampled": {"temporal": "temporal_sampling", "n_sampled_frames": 3},
    "bottleneck_f2_all_frames": {"temporal": "temporal_sampling", "n_sampled_frames": 6, "patches": [8, 8]},
    "bottleneck_f2_rgb_first": {"modality_fusion": ["rgb", "spectrogram"]},
    "bottleneck_f2_one_frame": {"patches": [8, 8, 1]},
    "vanilla_f4_late": {"fusion_layer": 4, "use_bottleneck": False},
    "vanilla_f2_shared": {"use_bottleneck": False, "share_encoder": True},
    "vanilla_f0_shared": {"use_bottleneck": False, "share_encoder": True, "fusion_layer": 0},
    "vanilla_f2_gap": {"use_bottleneck": False, "classifier": "gap"},
    "vanilla_f2_gap_representation": {"use_bottleneck": False, "classifier": "gap", "representation_size": 24},
    "rgb_only": {"modality_fusion": ["rgb"], "use_bottleneck": False},
    "rgb_only_gap": {"modality_fusion": ["rgb"], "use_bottleneck": False, "classifier": "gap"},
    "spectrogram_only": {"modality_fusion": ["spectrogram"], "use_bottleneck": False},
}
COMPUTE: tuple[Compute, ...] = ("published", "own", "read")


def arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(HERE / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="module")
def outputs() -> dict[str, np.ndarray]:
    return arrays("outputs")


def published(name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, Any]]:
    """Parameters, inputs and configuration of a published variant; the inputs hold the cotangent, too."""
    found, config = arrays("parameters"), CONFIG | PUBLISHED[name]
    inputs = {key.removeprefix("in/"): value for key, value in found.items() if not key.startswith("param/")}
    parameters = {key: value for key, value in found.items() if key.startswith("param/")}
    if not config["use_bottleneck"]:
        del parameters["param/bottleneck"]
        parameters |= arrays("vanilla")
    return parameters, inputs, config


def close(ours: torch.Tensor | np.ndarray, theirs: np.ndarray, what: str = "") -> None:
    """To 1e-5 of the largest number (of 1 where that is smaller)."""
    ours = ours.detach().numpy() if isinstance(ours, torch.Tensor) else ours
    assert ours.shape == theirs.shape, what
    assert np.abs(ours - theirs).max() <= 1e-5 * max(1.0, float(np.abs(theirs).max())), what


@pytest.mark.parametrize("compute", COMPUTE)
@pytest.mark.parametrize("name", PUBLISHED)
def test_logits_and_gradients_are_the_published_program_s(name: str, compute: Compute, outputs):
    parameters, inputs, config = published(name)
    cotangent = torch.from_numpy(inputs.pop("grad_cotangent"))
    model = load_scenic(parameters, config)
    model.compute = compute
    logits = model(**inputs)
    close(logits, outputs[f"{name}/out/logits_eval"])
    (logits * cotangent).sum().backward()
    gradients = []
    for _, place in sorted(correspondence(model).items()):
        gradient = place.parameter.grad
        gradients.append(
            place.in_flax(torch.zeros_like(place.parameter) if gradient is None else gradient).ravel()[::37]
        )
    close(np.concatenate(gradients), outputs[f"{name}/grad"])
    model.train()
    for sense, value in model.logits(**inputs).items():
        close(value, outputs[f"{name}/out/logits_train/{sense}"], sense)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_block_returns_what_the_published_program_s_does(name: str, outputs):
    parameters, inputs, config = published(name)
    del inputs["grad_cotangent"]
    model = load_scenic(parameters, config)
    model.compute = "published"
    seen: dict[str, torch.Tensor] = {}
    for sense in model.architecture.senses:
        suffix = "" if sense == "rgb" else f"_{sense}"
        places = {f"Transformer/posembed_input{suffix}": model.get_submodule(f"tokens.{sense}.positions")}
        for index, block in enumerate(model.blocks(sense)):
            places[f"Transformer/encoderblock_{index}{suffix}"] = block
        for key, module in places.items():
            module.register_forward_hook(lambda module, inputs, output, key=key: seen.update({key: output}))
    with torch.no_grad():
        model(**inputs)
        seen["Transformer"] = torch.cat(list(model.encode(**inputs).values()), 1)
    samples = [seen[str(key)].detach().numpy().ravel()[::23] for key in outputs[f"{name}/names"]]
    close(np.concatenate(samples), outputs[f"{name}/inter"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_second_opinion_agrees_with_the_published_program(name: str, outputs):
    parameters, inputs, config = published(name)
    plain = {key.removeprefix("param/"): value for key, value in parameters.items()}
    close(forward(inputs, plain, config)["eval"], outputs[f"{name}/out/logits_eval"])
    for sense, value in forward(inputs, plain, config, training=True).items():
        close(value, outputs[f"{name}/out/logits_train/{sense}"], sense)


@pytest.mark.parametrize("compute", COMPUTE)
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_agrees_with_the_second_opinion(name: str, compute: Compute):
    config = CONFIG | {"hidden_size": 16, "mlp_dim": 20} | VARIANTS[name]
    generator = numpy_generator(0, name)
    inputs = {
        "rgb": generator.standard_normal((2, 6, 16, 24, 3)).astype(np.float32),
        "spectrogram": generator.standard_normal((2, 32, 16, 3)).astype(np.float32),
    }
    inputs = {sense: inputs[sense] for sense in config["modality_fusion"]}
    parameters = random_parameters(config, inputs, generator)
    model: FusionTransformer = load_scenic(parameters, config)
    model.compute = compute
    (evaluated,) = forward(inputs, parameters, config).values()
    close(model(**inputs), evaluated)
    model.train()
    trained = forward(inputs, parameters, config, training=True)
    ours = model.logits(**inputs)
    assert list(ours) == list(trained)
    for sense, value in trained.items():
        close(ours[sense], value, sense)
