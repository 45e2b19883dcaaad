"""The faster transposed convolution against PyTorch's own."""

import pytest
import torch
from torch import nn

from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.convolution import ConvDecoder, ConvEncoder, Upconvolution


def pair(outputs: int, dtype: torch.dtype, layout: torch.memory_format) -> tuple[nn.Module, nn.Module, torch.Tensor]:
    with initialised(0, "layers"):
        ours, stock = Upconvolution(8, outputs), nn.ConvTranspose2d(8, outputs, 4, stride=2, padding=1)
    stock.load_state_dict(ours.state_dict())  # the same names and shapes
    x = torch.randn(3, 8, 6, 5, generator=torch_generator(0, "x"), dtype=dtype).contiguous(memory_format=layout)
    return ours.to(dtype), stock.to(dtype), x.requires_grad_()


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("outputs", [1, 3, 4, 5, 32])
def test_it_is_the_transposed_convolution(outputs, dtype, layout):
    ours, stock, x = pair(outputs, dtype, layout)
    made, expected = ours(x), stock(x)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-5)
    score = torch.randn(expected.shape, generator=torch_generator(0, "score"), dtype=dtype)
    each = zip(
        torch.autograd.grad((made * score).sum(), [x, *ours.parameters()]),
        torch.autograd.grad((expected * score).sum(), [x, *stock.parameters()]),
        strict=True,
    )
    for gradient, right in each:
        torch.testing.assert_close(gradient, right, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("outputs", [2, 6])
def test_its_derivatives_are_right_to_second_order(outputs):
    ours, _, x = pair(outputs, torch.float64, torch.channels_last)
    weight, bias = (parameter.detach().requires_grad_() for parameter in ours.parameters())

    def layer(x, weight, bias):
        return torch.func.functional_call(ours, {"weight": weight, "bias": bias}, x)

    small = x.detach()[:1, :, :2, :2].requires_grad_()
    assert torch.autograd.gradcheck(layer, (small, weight, bias), fast_mode=True)
    assert torch.autograd.gradgradcheck(layer, (small, weight, bias), fast_mode=True)


def test_a_jacobian_goes_through_the_decoder():
    with initialised(0, "decoder"):
        decoder = ConvDecoder(1, 32, 4, hidden=(16,), width=4).double()
    code = torch.randn(4, generator=torch_generator(0, "code"), dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda z: decoder(z[None])[0])(code)
    assert jacobian.shape == (1, 32, 32, 4)
    for latent, direction in enumerate(1e-6 * torch.eye(4, dtype=torch.float64)):
        slope = (decoder((code + direction)[None]) - decoder((code - direction)[None]))[0] / 2e-6
        torch.testing.assert_close(jacobian[..., latent], slope, atol=1e-8, rtol=0)


@pytest.mark.parametrize("outputs", [1, 3, 8])
def test_autocast_gives_bfloat16_and_gradients_in_float32(outputs):
    ours, stock, x = pair(outputs, torch.float32, torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        made = ours(x)
    assert made.dtype == torch.bfloat16
    torch.testing.assert_close(made.float(), stock(x), atol=0.02, rtol=0.02)
    made.float().square().sum().backward()
    stock(x).square().sum().backward()
    for parameter, other in zip(ours.parameters(), stock.parameters(), strict=True):
        assert parameter.grad is not None
        assert parameter.grad.dtype == torch.float32
        torch.testing.assert_close(parameter.grad, other.grad, atol=0.02 * float(other.grad.abs().max()), rtol=0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_activations_stay_in_channels_last(channels, precision):
    """A layout that is lost costs a copy of 8 MB wherever it happens, and nothing else would tell."""
    encoder, decoder = ConvEncoder(channels, 32, 4), ConvDecoder(channels, 32, 4)
    seen = []

    def look(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        seen.append(output.is_contiguous(memory_format=torch.channels_last))
        output.register_hook(lambda gradient: seen.append(gradient.is_contiguous(memory_format=torch.channels_last)))

    for network in (encoder, decoder):
        for name, module in network.named_modules():
            if name.startswith("conv"):
                module.register_forward_hook(look)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        logits = decoder(encoder(torch.rand(2, channels, 32, 32, generator=torch_generator(0, "images"))))
    logits.float().square().sum().backward()
    assert len(seen) == 12
    assert all(seen)
