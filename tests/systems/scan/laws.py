"""Laws of SCAN: where its objective has its optimum, what its operators obey, and how its baselines join experts."""

from collections.abc import Sequence
from itertools import product
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from phantastic.ground.randomness import initialised, numpy_generator, torch_generator
from phantastic.nn.distributions import Gaussian, kl
from phantastic.systems.scan.baselines import JMVAE, JointVAE, TrELBO
from phantastic.systems.scan.concepts import LOGIC, OPEN, OPERATORS, Vocabulary, contradict
from phantastic.systems.scan.model import Recombinator, SymbolVAE
from phantastic.systems.scan.objective import recombination_loss, scan_loss
from phantastic.systems.scan.symbolic import sayable

VOCABULARY = Vocabulary((3, 4, 4, 4))
IMAGES = (-1.6, -1.0, 1.2)  # means of three images' codes, each of standard deviation 0.25


def noise(step: int = 0) -> torch.Generator:
    return torch_generator(0, "noise", step)


# --- the optimum of the objective in one latent: one constant symbol, named by every image


class OneSymbol:
    """A symbol VAE in one latent whose code is free: the bias of the encoder's last layer is mean and log-variance."""

    def __init__(self, means: Sequence[float], sds: Sequence[float], start: tuple[float, float] = (0.0, 1.0)):
        with initialised(0, "symbols"):
            self.model = SymbolVAE(width=3, hidden=4, latent=1)
        self.code = self.model.encoder.head.bias
        with torch.no_grad():
            self.model.encoder.head.weight.zero_()
            self.code.copy_(torch.tensor([start[0], 2 * log(start[1])]))
        self.symbols = torch.tensor([[1.0, 0.0, 1.0]]).expand(len(means), 3)
        self.seen = Gaussian(torch.tensor(means)[:, None], 2 * torch.tensor(sds).log()[:, None])

    def latent_terms(self, **weights: float | bool) -> Tensor:
        """The loss without what the decoder of the symbol adds to it."""
        terms = scan_loss(self.model, self.symbols, self.seen, noise(), **weights)  # type: ignore[arg-type]
        return terms["loss"] - terms["reconstruction"]

    def optimum(self, **weights: float | bool) -> tuple[float, float]:
        """Mean and standard deviation of the code at the minimum."""
        optimiser = torch.optim.LBFGS([self.code], max_iter=60, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = self.latent_terms(**weights)
            loss.backward(inputs=[self.code])
            return loss

        optimiser.step(closure)
        mean, log_variance = self.code.tolist()
        return mean, np.exp(log_variance / 2)


@pytest.mark.parametrize("start", [(0.0, 1.0), (1.2, 0.3), (-3.0, 2.0)])
@pytest.mark.parametrize(
    ("weights", "mean", "sd"),
    [
        ({"beta": 0.0, "grounding": 1.0}, -0.4667, 1.2294),  # forward: mean and variance of all that was seen
        ({"beta": 0.0, "grounding": 1.0, "reverse": True}, -0.4667, 0.25),  # as narrow as one image, and between them
        ({"beta": 1.0, "grounding": 10.0}, -0.4076, 1.2040),  # SCAN: drawn a little towards N(0, 1)
    ],
    ids=["forward", "reverse", "SCAN"],
)
def test_what_one_symbol_for_three_images_comes_to_mean(weights, mean, sd, start):
    assert OneSymbol(IMAGES, [0.25] * 3, start).optimum(**weights) == pytest.approx((mean, sd), abs=2e-4)


def test_a_symbol_without_grounding_means_nothing():
    assert OneSymbol(IMAGES, [0.25] * 3, (2.0, 0.4)).optimum(beta=1.0, grounding=0.0) == pytest.approx((0, 1), abs=2e-4)


seen = st.lists(st.tuples(st.floats(-3, 3), st.floats(0.1, 2)), min_size=1, max_size=30)


@settings(max_examples=40)
@given(seen)
def test_forward_grounding_is_least_at_the_moments_of_all_images(images):
    """The gradient vanishes there and every other code costs more, by the divergence from the moments (β = 0)."""
    means, sds = np.array(images, dtype=np.float32).T
    moments = float(means.mean()), float(np.sqrt((sds**2).mean() + means.var()))
    symbol = OneSymbol(means.tolist(), sds.tolist(), moments)
    loss = symbol.latent_terms(beta=0.0, grounding=1.0)
    (slope,) = torch.autograd.grad(loss, symbol.code)
    assert slope.abs().max() < 1e-3
    with torch.no_grad():
        best = symbol.model.encode(symbol.symbols[:1])
        symbol.code += torch.tensor([0.3, -0.5])
        elsewhere = symbol.model.encode(symbol.symbols[:1])
        # KL(mixture ‖ q) is KL(moments ‖ q) and a constant, because only two moments of the mixture enter
        extra = symbol.latent_terms(beta=0.0, grounding=1.0) - loss.detach()
    assert float(extra.detach()) == pytest.approx(float(kl(best, elsewhere).sum().detach()), rel=1e-3, abs=1e-4)


def test_the_loss_is_the_sum_of_its_weighted_terms():
    with initialised(0, "symbols"):
        model = SymbolVAE(VOCABULARY.width, hidden=16, latent=3)
    symbols = torch.from_numpy(VOCABULARY.khot(VOCABULARY.draw(5, numpy_generator(0, "concepts"))))
    images = Gaussian(torch.randn(5, 3, generator=noise(1)), torch.randn(5, 3, generator=noise(2)))
    for reverse in (False, True):
        terms = scan_loss(model, symbols, images, noise(), beta=2.0, grounding=7.0, reverse=reverse)
        weighted = terms["reconstruction"] + 2 * terms["kl"] + 7 * terms["grounding"]
        torch.testing.assert_close(terms["loss"], weighted)
        named = model.encode(symbols)
        apart = kl(named, images) if reverse else kl(images, named)
        torch.testing.assert_close(terms["grounding"], apart.sum(1).mean())
        torch.testing.assert_close(terms["kl"], kl(named, Gaussian(*torch.zeros(2, 5, 3))).sum(1).mean())


def test_a_symbol_is_read_off_samples_of_its_code_in_nats_per_pair():
    """A decoder that says ½ of each of K symbols pays K log 2 for a pair, however many pairs there are; and it is read
    at samples of the code, not at its mean."""
    with initialised(0, "symbols"):
        model = SymbolVAE(VOCABULARY.width, hidden=16, latent=3)
    symbols = torch.from_numpy(VOCABULARY.khot(VOCABULARY.draw(7, numpy_generator(0, "concepts"))))
    seen = Gaussian(*torch.zeros(2, 7, 3))

    def reconstruction(step: int, pairs: int = 7) -> float:
        part = Gaussian(*(each[:pairs] for each in seen))
        terms = scan_loss(model, symbols[:pairs], part, noise(step), beta=1.0, grounding=10.0)
        return float(terms["reconstruction"].detach())

    assert reconstruction(0) != reconstruction(1)
    with torch.no_grad():
        model.encoder.head.bias[3:] = -60  # codes without spread
    assert reconstruction(0) == pytest.approx(reconstruction(1), rel=1e-6)
    with torch.no_grad():
        for parameter in model.decoder.head.parameters():
            parameter.zero_()
    for pairs in (1, 7):
        assert reconstruction(0, pairs) == pytest.approx(VOCABULARY.width * log(2), rel=1e-6)


@pytest.mark.parametrize(("reverse", "kept_open"), [(False, True), (True, False)], ids=["SCAN", "SCAN_R"])
def test_only_forward_grounding_leaves_open_what_a_symbol_does_not_name(reverse, kept_open):
    """Two factors of two values, one latent for each, whose codes lie at ±1.5; all eight concepts, partial ones too."""
    world = Vocabulary((2, 2))
    concepts = np.array([row for row in product((OPEN, 0, 1), repeat=2) if row != (OPEN, OPEN)])
    rooms = np.array(list(product((0, 1), repeat=2)))
    true_of = ((concepts[:, None] == OPEN) | (concepts[:, None] == rooms)).all(-1)
    which, room = np.nonzero(true_of)
    symbols = torch.from_numpy(world.khot(concepts))
    means = torch.from_numpy(3.0 * rooms[room] - 1.5).float()
    images = Gaussian(means, torch.full_like(means, 2 * log(0.2)))
    with initialised(0, "symbols"):
        model = SymbolVAE(world.width, hidden=32, latent=2)
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for step in range(400):
        optimiser.zero_grad()
        terms = scan_loss(model, symbols[which], images, noise(step), beta=1.0, grounding=10.0, reverse=reverse)
        terms["loss"].backward()
        optimiser.step()
    with torch.no_grad():
        named = model.encode(symbols)
    sd, mean = (named.log_variance / 2).exp().numpy(), named.mean.numpy()
    assert np.abs(sd[concepts != OPEN] - 0.2).max() < 0.1
    assert np.abs(mean - np.where(concepts == OPEN, 0, 3.0 * concepts - 1.5)).max() < 0.3
    assert (sd[concepts == OPEN] > 1.2).all() if kept_open else (sd[concepts == OPEN] < 0.4).all()


# --- the logic of the operators


def partial(sizes: Sequence[int] = VOCABULARY.sizes) -> st.SearchStrategy[np.ndarray]:
    """Any concept, as the one row of a table; it may name nothing."""
    return st.tuples(*(st.integers(OPEN, size - 1) for size in sizes)).map(lambda row: np.array([row]))


def is_part(a: np.ndarray, b: np.ndarray) -> bool:
    """Does ``b`` name alike all that ``a`` names?"""
    return bool(((a == OPEN) | (a == b)).all())


@given(partial(), partial(), partial())
def test_and_joins_what_does_not_contradict(a, b, c):
    joined = LOGIC["AND"]
    assert np.array_equal(joined(a, a), a)
    if contradict(a, b)[0]:
        assert contradict(b, a)[0]
        return
    both = joined(a, b)
    assert np.array_equal(both, joined(b, a))
    assert is_part(a, both)
    assert is_part(b, both)
    assert ((both != OPEN) == ((a != OPEN) | (b != OPEN))).all()
    if not contradict(both, c)[0]:
        assert np.array_equal(joined(both, c), joined(a, joined(b, c)))


@given(partial(), partial(), partial())
def test_in_common_is_the_largest_part_of_both(a, b, c):
    shared = LOGIC["IN COMMON"]
    assert np.array_equal(shared(a, a), a)
    assert np.array_equal(shared(a, b), shared(b, a))
    assert np.array_equal(shared(shared(a, b), c), shared(a, shared(b, c)))
    assert is_part(shared(a, b), a)
    assert is_part(shared(a, b), b)
    if is_part(c, a) and is_part(c, b):
        assert is_part(c, shared(a, b))


@given(partial(), partial(), partial())
def test_ignore_takes_away_what_the_second_names(a, b, c):
    ignore = LOGIC["IGNORE"]
    rest = ignore(a, b)
    assert (rest[b != OPEN] == OPEN).all()
    assert is_part(rest, a)
    assert np.array_equal(ignore(rest, b), rest)
    assert np.array_equal(ignore(rest, c), ignore(ignore(a, c), b))
    assert (ignore(a, a) == OPEN).all()


@given(partial(), partial())
def test_how_the_operators_undo_each_other(a, b):
    joined, shared, ignore = (LOGIC[name] for name in OPERATORS)
    assert np.array_equal(
        joined(ignore(a, b), shared(a, ignore(a, ignore(a, b)))), a
    )  # what is left and what was taken
    if not contradict(a, b)[0]:
        assert is_part(ignore(joined(a, b), b), a)
        assert np.array_equal(shared(a, joined(a, b)), a)  # absorption
        assert np.array_equal(joined(a, shared(a, b)), a)


# --- the network of the operators


@pytest.fixture(scope="module")
def operators() -> Recombinator:
    with initialised(0, "operators"):
        return Recombinator(hidden=16).requires_grad_(False)


def codes(count: int, latent: int, step: int) -> Gaussian:
    return Gaussian(*torch.randn(2, count, latent, generator=noise(step)))


def test_the_operators_do_to_every_latent_the_same(operators):
    first, second, operator = codes(6, 5, 1), codes(6, 5, 2), torch.arange(6) % 3
    order = torch.tensor([3, 0, 4, 1, 2])
    result = operators(first, second, operator)
    permuted = operators(*(Gaussian(*(part[:, order] for part in q)) for q in (first, second)), operator)
    for part, other in zip(result, permuted, strict=True):
        torch.testing.assert_close(part[:, order], other)


def test_each_row_gets_its_own_operator(operators):
    first, second = codes(6, 5, 1), codes(6, 5, 2)
    mixed = operators(first, second, torch.tensor([0, 1, 2, 2, 1, 0]))
    alone = [operators(first, second, torch.full((6,), index)) for index in range(len(OPERATORS))]
    for row, index in enumerate([0, 1, 2, 2, 1, 0]):
        torch.testing.assert_close(mixed.mean[row], alone[index].mean[row])
        torch.testing.assert_close(mixed.log_variance[row], alone[index].log_variance[row])
    assert not torch.allclose(alone[0].mean, alone[1].mean)


def test_recombination_costs_the_divergence_of_the_target_from_the_result(operators):
    first, second, operator = codes(6, 5, 1), codes(6, 5, 2), torch.arange(6) % 3
    result, elsewhere = operators(first, second, operator), codes(6, 5, 3)
    assert float(recombination_loss(operators, first, second, operator, result)["loss"]) == pytest.approx(0, abs=1e-6)
    loss = recombination_loss(operators, first, second, operator, elsewhere)["loss"]
    torch.testing.assert_close(loss, kl(elsewhere, result).sum(1).mean())
    assert loss > 0


# --- the baselines


@pytest.fixture(scope="module", params=[JMVAE, TrELBO])
def baseline(request: pytest.FixtureRequest) -> JointVAE:
    with initialised(0, "baseline"):
        return request.param(32, VOCABULARY, hidden=16, latent=5)


@pytest.fixture(scope="module")
def experts() -> TrELBO:
    with initialised(0, "baseline"):
        return TrELBO(32, VOCABULARY, hidden=16, latent=5).requires_grad_(False)


def khot(*concepts: Sequence[int]) -> Tensor:
    return torch.from_numpy(VOCABULARY.khot(np.array(concepts)))


def test_a_symbol_that_names_nothing_is_the_prior(experts):
    q = experts.encode_symbols(khot([OPEN] * 4))
    assert torch.equal(q.mean, torch.zeros(1, 5))
    assert torch.equal(q.log_variance, torch.zeros(1, 5))


@settings(max_examples=30)
@given(partial(), st.permutations(range(4)))
def test_every_named_factor_adds_its_precision_in_whatever_order(experts, concept, order):
    """Named one after the other, and at once, by the rule for products of Gaussians."""
    part, q = np.full((1, 4), OPEN), experts.encode_symbols(khot([OPEN] * 4))
    natural = [(-q.log_variance).exp(), torch.zeros(1, 5)]
    for factor in order:
        if concept[0, factor] == OPEN:
            continue
        single = np.full((1, 4), OPEN)
        part[0, factor] = single[0, factor] = concept[0, factor]
        alone, before = experts.encode_symbols(khot(*single)), q
        q = experts.encode_symbols(khot(*part))
        assert (q.log_variance < before.log_variance).all()
        precision = (-alone.log_variance).exp()
        natural = [natural[0] + precision - 1, natural[1] + precision * alone.mean]  # the prior counts once
    torch.testing.assert_close((-q.log_variance).exp(), natural[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(q.mean, natural[1] / natural[0], rtol=1e-4, atol=1e-5)


def terms_of(baseline: JointVAE, weight: float) -> dict[str, Tensor]:
    images = torch.rand(6, 3, 32, 32, generator=noise(1))
    symbols = khot([0, 1, 2, 3], [OPEN, 1, OPEN, OPEN], [2, OPEN, OPEN, 0])
    name = "alpha" if isinstance(baseline, JMVAE) else "gamma"
    return baseline.loss(images[:3], symbols, images[3:], noise(2), **{name: weight})


def test_the_baselines_see_name_and_imagine(baseline):
    images, symbols = torch.rand(3, 3, 32, 32, generator=noise(1)), khot([0, 1, 2, 3], [OPEN, 1, 1, 1], [2, 0, 0, 0])
    alone, both = baseline.encode_both(images, symbols)
    for q in (baseline.encode(images), alone, both, baseline.encode_symbols(symbols)):
        assert q.mean.shape == q.log_variance.shape == (3, 5)
        assert q.mean.dtype == torch.float32
    torch.testing.assert_close(alone.mean, baseline.encode(images).mean)
    assert baseline.decoder(alone.mean).shape == images.shape
    assert baseline.symbols(alone.mean).shape == symbols.shape
    assert not torch.allclose(both.mean, baseline.encode_both(images, symbols.flip(0))[1].mean)


def test_the_baselines_losses_train_every_part(baseline):
    first, again = terms_of(baseline, 2.0), terms_of(baseline, 2.0)
    assert all(value.shape == () and torch.equal(value, again[name]) for name, value in first.items())
    baseline.zero_grad(set_to_none=True)
    first["loss"].backward()
    assert all(parameter.grad is not None for parameter in baseline.parameters())
    assert all(parameter.requires_grad for parameter in baseline.parameters())


def gradient(term: Tensor, module: nn.Module) -> list[Tensor | None]:
    return list(torch.autograd.grad(term, list(module.parameters()), retain_graph=True, allow_unused=True))


def test_jmvae_ties_symbols_to_pairs_by_alpha_alone():
    with initialised(0, "baseline"):
        model = JMVAE(32, VOCABULARY, hidden=16, latent=5)
    untied, tied = terms_of(model, 0.0), terms_of(model, 3.0)
    torch.testing.assert_close(tied["loss"], untied["loss"] + 3 * tied["apart"])
    torch.testing.assert_close(untied["loss"], untied["pair"] + untied["image"])
    assert not any(g.any() for g in gradient(untied["loss"], model.named) if g is not None)
    assert all(g is not None and g.any() for g in gradient(tied["loss"], model.named))


def test_jmvae_pulls_both_single_posteriors_to_the_joint_one():
    """KL(q(z|x,y) ‖ q(z|x)) + KL(q(z|x,y) ‖ q(z|y)): they must cover it (Suzuki et al. 2016, Eq. 4)."""
    with initialised(0, "baseline"):
        model = JMVAE(32, VOCABULARY, hidden=16, latent=5)
    with torch.no_grad():  # apart enough for the two directions to differ
        model.joint_head.bias.copy_(torch.cat([torch.ones(5), torch.full((5,), -2.0)]))
    symbols = khot([0, 1, 2, 3], [OPEN, 1, OPEN, OPEN], [2, OPEN, OPEN, 0])
    seen, both = model.encode_both(torch.rand(6, 3, 32, 32, generator=noise(1))[:3], symbols)
    wanted = (kl(both, seen) + kl(both, model.encode_symbols(symbols))).sum(1).mean()
    turned = (kl(seen, both) + kl(model.encode_symbols(symbols), both)).sum(1).mean()
    assert abs(float((wanted - turned).detach())) > 1
    torch.testing.assert_close(terms_of(model, 1.0)["apart"], wanted)


def test_in_the_triple_elbo_gamma_weighs_how_symbols_are_read():
    """Without it symbols cost their divergence from the prior; with a decoder that says ½ of each, γ K log 2 more."""
    with initialised(0, "baseline"):
        model = TrELBO(32, VOCABULARY, hidden=16, latent=5)
    with torch.no_grad():
        for parameter in model.symbols.head.parameters():
            parameter.zero_()
    named = model.encode_symbols(khot([0, 1, 2, 3], [OPEN, 1, OPEN, OPEN], [2, OPEN, OPEN, 0]))
    prior = float(kl(named, Gaussian(*torch.zeros(2, 3, 5))).sum(1).mean().detach())
    assert prior > 0.1
    for gamma in (0.0, 1.0, 10.0):
        cost = float(terms_of(model, gamma)["symbol"].detach())
        assert cost == pytest.approx(prior + gamma * VOCABULARY.width * log(2), rel=1e-5)


def test_in_the_triple_elbo_symbols_alone_train_the_experts_only():
    with initialised(0, "baseline"):
        model = TrELBO(32, VOCABULARY, hidden=16, latent=5)
    terms = terms_of(model, 10.0)
    torch.testing.assert_close(terms["loss"], terms["pair"] + terms["image"] + terms["symbol"])
    for factor in range(1, 5):
        expert = model.get_submodule(f"expert{factor}")
        assert all(g is not None and g.any() for g in gradient(terms["symbol"], expert))
        assert all(g is None for g in gradient(terms["pair"] + terms["image"], expert))
    for module in (model.symbols, model.encoder, model.decoder, model.seen, model.joint_head):
        assert all(g is None for g in gradient(terms["symbol"], module))
    assert all(g is not None for g in gradient(terms["pair"], model.symbols))


def test_of_what_is_seen_only_what_a_word_can_say_reaches_the_operators():
    """Latent 0 belongs to the words of one factor, 1 to those of another; nobody has a word for latent 2."""
    vocabulary = Vocabulary((2, 3))

    def encode(symbols: Tensor) -> Gaussian:
        first, second = symbols[:, :2].amax(1), symbols[:, 2:].amax(1)
        narrow = torch.stack([first, second, torch.zeros_like(first)], 1)
        return Gaussian(narrow, -3 * narrow)

    seen = Gaussian(torch.full((4, 3), 1.5), torch.full((4, 3), -4.0))
    said = sayable(seen, encode, vocabulary)
    assert torch.equal(said.mean, torch.tensor([[1.5, 1.5, 0.0]]).expand(4, -1))
    assert torch.equal(said.log_variance, torch.tensor([[-4.0, -4.0, 0.0]]).expand(4, -1))
    untaught = sayable(seen, lambda symbols: Gaussian(*torch.zeros(2, len(symbols), 3)), vocabulary)
    assert torch.equal(untaught.mean, seen.mean)
