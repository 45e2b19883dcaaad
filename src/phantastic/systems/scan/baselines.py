"""What SCAN is held against: JMVAE (Suzuki et al. 2016) and TrELBO (Vedantam et al. 2018).

Both put images and symbols into one latent space and train everything at once. They see what SCAN sees: pairs of an
image and a (partial) symbol, and images without one, on which they maximise the ELBO of the image alone.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from phantastic.nn.convolution import ConvDecoder, ConvEncoder
from phantastic.nn.distributions import Gaussian, gaussian, kl, kl_to_standard, sample
from phantastic.systems.scan.concepts import Vocabulary
from phantastic.systems.scan.model import SymbolDecoder, SymbolEncoder


class JointVAE(nn.Module):
    """The networks both share: q(z|x), q(z|x, y), p(x|z) and p(y|z); how q(z|y) is made is what differs."""

    def __init__(self, size: int, vocabulary: Vocabulary, hidden: int, latent: int, features: int = 256):
        super().__init__()
        self.encoder = ConvEncoder(3, size, features, hidden=())
        self.seen = nn.Linear(features, 2 * latent)
        self.joint_dense = nn.Linear(features + vocabulary.width, features)
        self.joint_head = nn.Linear(features, 2 * latent)
        self.decoder = ConvDecoder(3, size, latent, hidden=(features,))
        self.symbols = SymbolDecoder(vocabulary.width, hidden, latent)

    def encode(self, images: Tensor) -> Gaussian:
        """q(z|x)."""
        return gaussian(self.seen(torch.relu(self.encoder(images))))

    def encode_both(self, images: Tensor, symbols: Tensor) -> tuple[Gaussian, Gaussian]:
        """q(z|x) and q(z|x, y), on the same image features."""
        features = torch.relu(self.encoder(images))
        joint = torch.relu(self.joint_dense(torch.cat([features, symbols], dim=1)))
        return gaussian(self.seen(features)), gaussian(self.joint_head(joint))

    def image_loss(self, codes: Tensor, images: Tensor) -> Tensor:
        """-log p(x|z), nats per image."""
        return binary_cross_entropy_with_logits(self.decoder(codes).float(), images, reduction="sum") / len(images)

    def symbol_loss(self, codes: Tensor, symbols: Tensor) -> Tensor:
        """-log p(y|z), nats per symbol."""
        return binary_cross_entropy_with_logits(self.symbols(codes).float(), symbols, reduction="sum") / len(symbols)


class JMVAE(JointVAE):
    """JMVAE-kl: q(z|y) is a network of its own, pulled towards the joint posterior."""

    def __init__(self, size: int, vocabulary: Vocabulary, hidden: int, latent: int):
        super().__init__(size, vocabulary, hidden, latent)
        self.named = SymbolEncoder(vocabulary.width, hidden, latent)

    def encode_symbols(self, symbols: Tensor) -> Gaussian:
        """q(z|y)."""
        return gaussian(self.named(symbols))

    def loss(
        self, images: Tensor, symbols: Tensor, unpaired: Tensor, generator: torch.Generator, *, alpha: float
    ) -> dict[str, Tensor]:
        """-ELBO(x, y) + α [KL(q(z|x,y) ‖ q(z|x)) + KL(q(z|x,y) ‖ q(z|y))] (Suzuki et al., Eq. 4), plus -ELBO(x).

        The divergence has SCAN's direction, but its first argument is the joint posterior, which learns with it.
        """
        seen, both = self.encode_both(images, symbols)
        codes = sample(both, generator)
        prior = kl_to_standard(both).sum(1).mean()
        apart = (kl(both, seen) + kl(both, self.encode_symbols(symbols))).sum(1).mean()
        alone = self.encode(unpaired)
        pair = self.image_loss(codes, images) + self.symbol_loss(codes, symbols) + prior + alpha * apart
        single = self.image_loss(sample(alone, generator), unpaired) + kl_to_standard(alone).sum(1).mean()
        return {"loss": pair + single, "pair": pair, "image": single, "kl": prior, "apart": apart}


class TrELBO(JointVAE):
    """The triple ELBO: q(z|y) is a product of one Gaussian expert per named factor and the prior.

    A factor that is left open contributes no expert, so the product widens (Vedantam et al. 2018, Sec. 3).
    """

    def __init__(self, size: int, vocabulary: Vocabulary, hidden: int, latent: int):
        super().__init__(size, vocabulary, hidden, latent)
        self.blocks = vocabulary.blocks
        for factor, block in enumerate(vocabulary.blocks, start=1):
            self.add_module(f"expert{factor}", SymbolEncoder(block.stop - block.start, hidden, latent))

    def encode_symbols(self, symbols: Tensor) -> Gaussian:
        """q(z|y) ∝ N(0, I) Π_named q(z|y_k): precisions add, means are weighted by precision."""
        precision = torch.ones(len(symbols), self.seen.out_features // 2, device=symbols.device)
        weighted = torch.zeros_like(precision)
        for factor, block in enumerate(self.blocks, start=1):
            expert = gaussian(self.get_submodule(f"expert{factor}")(symbols[:, block]))
            named = symbols[:, block].sum(1, keepdim=True)  # 1 where the factor is named, else 0
            share = named * (-expert.log_variance).exp()
            precision, weighted = precision + share, weighted + share * expert.mean
        return Gaussian(weighted / precision, -precision.log())

    def loss(
        self, images: Tensor, symbols: Tensor, unpaired: Tensor, generator: torch.Generator, *, gamma: float
    ) -> dict[str, Tensor]:
        """-[ELBO(x, y) + ELBO(x) + ELBO(y)], the last with log p(y|z) weighted γ and p held fixed (Sec. 3.1)."""
        _, both = self.encode_both(images, symbols)
        codes = sample(both, generator)
        named, alone = self.encode_symbols(symbols), self.encode(unpaired)
        pair = self.image_loss(codes, images) + self.symbol_loss(codes, symbols) + kl_to_standard(both).sum(1).mean()
        single = self.image_loss(sample(alone, generator), unpaired) + kl_to_standard(alone).sum(1).mean()
        self.symbols.requires_grad_(False)  # ELBO(y) trains the experts only
        symbol = gamma * self.symbol_loss(sample(named, generator), symbols) + kl_to_standard(named).sum(1).mean()
        self.symbols.requires_grad_(True)
        return {"loss": pair + single + symbol, "pair": pair, "image": single, "symbol": symbol}
