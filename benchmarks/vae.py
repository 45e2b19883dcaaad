"""Training throughput of the Burgess β-VAE beside what a user would write or install, taking turns.

    python benchmarks/vae.py                        64x64x1, batch 64, one thread
    python benchmarks/vae.py --channels 3 --size 32 --threads 2
    python benchmarks/vae.py --curves 500           the bound over so many steps instead, for four seeds (minutes)

Contenders:

- plain: PyTorch's own layers in their own layout (NCHW), float32 images in memory (no DataLoader), ``torch.optim.Adam``
  as it comes, ``binary_cross_entropy_with_logits`` summed and divided by the batch, ``loss.item()`` never asked for;
- ours: `VAE` and `beta_vae` as `train` runs them: channels_last, 8-bit images in memory, fused Adam, memory kept;
- ours, bfloat16: the same under autocast, on a processor that multiplies bfloat16;
- Pythae: its BetaVAE and trainer around the plain loop's layers, where it is installed (``pip install .[bench]``).

Each has a process of its own; what the C library does with freed memory is set in ours and left alone in the others
("plain, memory kept" shows how much of the difference that is). CPU time is what counts on a busy machine; ratios are
of turns next to each other.
"""

import argparse
import importlib.util
import statistics
import tempfile
from collections.abc import Callable, Mapping

import torch
from support.turns import Turn, compare, runnable
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from phantastic.ground.allocator import keep_freed_memory
from phantastic.ground.randomness import initialised, numpy_generator, torch_generator
from phantastic.nn.autoencoder.model import VAE
from phantastic.nn.convolution import depth_of
from phantastic.systems.vae.objectives.beta_vae import beta_vae, warm_up
from phantastic.world import dsprites

LATENT, BETA, RATE, BATCH, IMAGES = 10, 4.0, 5e-4, 64, 4096
Step = Callable[[], tuple[Tensor, Tensor]]  # trains on one batch; gives reconstruction and divergence


def pixels(channels: int, size: int) -> Tensor:
    """uint8 [IMAGES, size, size, channels]: dSprites, or noise where there are none (the time is the same)."""
    rng = numpy_generator(0, "benchmark")
    if (channels, size) == (1, 64):
        factors = rng.integers(0, dsprites.SIZES, (IMAGES, len(dsprites.SIZES)))
        return torch.from_numpy(255 * dsprites.render(factors))[..., None]
    return torch.from_numpy(rng.integers(0, 256, (IMAGES, size, size, channels), dtype="uint8"))


def ours(data: Tensor, seed: int, precision: str = "float32", warm: int = 0) -> Step:
    with initialised(seed, "model"):
        model = VAE(data.shape[3], data.shape[1], LATENT)
    optimiser = torch.optim.Adam(model.parameters(), RATE, fused=True)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    count = iter(range(10**9))

    def step() -> tuple[Tensor, Tensor]:
        number = next(count)
        generator = torch_generator(seed, "batch", number)
        rows = torch.randint(len(data), (BATCH,), generator=generator)
        with autocast:
            images = data[rows].permute(0, 3, 1, 2).float().div_(255)
            terms = beta_vae(model, images, generator, beta=BETA * warm_up(number, warm))
        optimiser.zero_grad(set_to_none=True)
        terms["loss"].backward()
        optimiser.step()
        return terms["reconstruction"].detach(), terms["kl"].detach()

    return step


def stock_layers(channels: int, size: int) -> tuple[nn.Module, nn.Module]:
    """The Burgess network as it is usually written."""
    depth, grid = depth_of(size), size >> depth_of(size)
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = [
        nn.Linear(LATENT, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
        nn.Linear(256, 32 * grid**2), nn.ReLU(), nn.Unflatten(1, (32, grid, grid)),
    ]  # fmt: skip
    for index in range(depth):
        encoder += [nn.Conv2d(32 if index else channels, 32, 4, 2, 1), nn.ReLU()]
        last = index == depth - 1
        decoder += [nn.ConvTranspose2d(32, channels if last else 32, 4, 2, 1), *([] if last else [nn.ReLU()])]
    encoder += [nn.Flatten(), nn.Linear(32 * grid**2, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()]
    return nn.Sequential(*encoder, nn.Linear(256, 2 * LATENT)), nn.Sequential(*decoder)


def plain(data: Tensor, seed: int, warm: int = 0) -> Step:
    with initialised(seed, "model"):
        encoder, decoder = stock_layers(data.shape[3], data.shape[1])
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=RATE)
    images = (data.permute(0, 3, 1, 2).float() / 255).contiguous()
    generator = torch_generator(seed, "plain")
    count = iter(range(10**9))

    def step() -> tuple[Tensor, Tensor]:
        beta = BETA * min(next(count) / warm, 1) if warm else BETA
        x = images[torch.randint(len(images), (BATCH,), generator=generator)]
        mean, log_variance = encoder(x).chunk(2, 1)
        z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator)
        reconstruction = binary_cross_entropy_with_logits(decoder(z), x, reduction="sum") / BATCH
        kl = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum(1).mean()
        optimiser.zero_grad()
        (reconstruction + beta * kl).backward()
        optimiser.step()
        return reconstruction.detach(), kl.detach()

    return step


def pythae(data: Tensor, steps: int, folder: str) -> Callable[[], object]:
    """One turn of Pythae's own trainer: an epoch of ``steps`` batches."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import BetaVAE, BetaVAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def forward(self, x: Tensor) -> ModelOutput:
            mean, log_variance = self.layers(x).chunk(2, 1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z).sigmoid())

    with initialised(0, "model"):
        encoder, decoder = Encoder(), Decoder()
        encoder.layers, decoder.layers = stock_layers(data.shape[3], data.shape[1])
    shape = (data.shape[3], *data.shape[1:3])
    config = BetaVAEConfig(input_dim=shape, latent_dim=LATENT, beta=BETA, reconstruction_loss="bce")
    images = data[: steps * BATCH].permute(0, 3, 1, 2).float() / 255
    training = BaseTrainerConfig(output_dir=folder, per_device_train_batch_size=BATCH, learning_rate=RATE, no_cuda=True)
    dataset = BaseDataset(images.contiguous(), torch.zeros(len(images)))
    trainer = BaseTrainer(BetaVAE(config, encoder, decoder), dataset, training_config=training)
    trainer.prepare_training()
    trainer.callback_handler.callbacks.clear()  # no progress bars
    return lambda: trainer.train_step(1)


def throughput(data: Tensor, rounds: int, steps: int, threads: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        contenders: dict[str, tuple[Callable[[], Turn], bool]] = {
            "plain": (lambda: repeated(plain(data, 0), steps), False),
            "plain, memory kept": (lambda: repeated(plain(data, 0), steps), True),
            "ours": (lambda: repeated(ours(data, 0), steps), True),
            "ours, bfloat16": (lambda: repeated(ours(data, 0, "bfloat16"), steps), True),
        }
        if importlib.util.find_spec("pythae"):
            contenders["Pythae"] = lambda: ignoring(pythae(data, steps, folder)), False
        compare(runnable(contenders), rounds, steps * BATCH, "images", "plain", threads)


def ignoring(epoch: Callable[[], object]) -> Turn:
    return lambda _turn: epoch()


def repeated(step: Step, steps: int) -> Callable[[int], None]:
    def train(_turn: int) -> None:
        for _ in range(steps):
            step()

    return train


def curves(data: Tensor, steps: int, seeds: int) -> None:
    """The bound by tenths of the steps, while β grows from 0 (else so few steps teach nothing), and how far apart the
    contenders end."""
    keep_freed_memory()
    contenders: Mapping[str, Callable[[int], Step]] = {
        "plain": lambda seed: plain(data, seed, steps),
        "ours": lambda seed: ours(data, seed, "float32", steps),
        "ours, bfloat16": lambda seed: ours(data, seed, "bfloat16", steps),
    }
    last: dict[str, list[float]] = {}
    for name, make in runnable(contenders).items():
        each = []
        for seed in range(seeds):
            step = make(seed)
            each.append(torch.stack([torch.stack(step()) for _ in range(steps)]).view(10, -1, 2).mean(1))
        tables = torch.stack(each)  # [seed, tenth, reconstruction and divergence]
        bound = tables.sum(2)
        last[name] = bound[:, -1].tolist()
        print(f"{name:20s} -bound by tenths:", *(f"{value:.1f}" for value in bound.mean(0)), flush=True)
        print(f"{'':20s} at the end, by seed:", *(f"{a:.1f}+{b:.1f}" for a, b in tables[:, -1].tolist()), flush=True)
    for name, values in last.items():
        difference = statistics.mean(values) - statistics.mean(last["plain"])
        noise = ((statistics.variance(values) + statistics.variance(last["plain"])) / seeds) ** 0.5
        print(f"{name:20s} {difference:+.2f} nats from plain; two standard errors of that are {2 * noise:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Training throughput of the Burgess β-VAE.")
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=15, help="training steps in a turn")
    parser.add_argument("--curves", type=int, metavar="STEPS", help="a multiple of ten; compare the bound instead")
    parser.add_argument("--seeds", type=int, default=4, help="of the curves")
    options = parser.parse_args()
    torch.set_num_threads(options.threads if options.curves else 1)  # those that take turns set their own
    data = pixels(options.channels, options.size)
    shape = f"{options.size}x{options.size}x{options.channels}"
    print(f"{shape}, batch {BATCH}, {options.threads} thread(s), torch {torch.__version__}")
    if options.curves:
        curves(data, options.curves, options.seeds)
    else:
        throughput(data, options.rounds, options.steps, options.threads)


if __name__ == "__main__":
    main()
