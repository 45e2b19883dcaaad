"""The studies `vae`, `kl`, `wake_sleep`, `gan` and `modes`: presets, and tiny runs through the real experiments."""

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from phantastic.declare.recipe import compose
from phantastic.declare.study import Study
from phantastic.declare.verdicts import judge
from phantastic.ground.errors import Refused
from phantastic.run.execute import execute
from phantastic.run.folder import Run
from phantastic.systems.gan import modes
from phantastic.systems.gan import study as gan_study
from phantastic.systems.vae import curve, vae
from phantastic.systems.vae.study import DIVERGENCE, FAMILY, WAKE_SLEEP, FamilyApply, FamilyRecipe
from phantastic.world import dsprites

STUDIES = {study.name: study for study in (FAMILY, DIVERGENCE, WAKE_SLEEP, *gan_study.STUDIES)}
OBJECTIVES = compose(FAMILY.recipe, FAMILY.presets, "quick", {}).objectives  # type: ignore[attr-defined]
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


class Tiny(NamedTuple):
    study: Study
    run: Run


@pytest.fixture(params=STUDIES)
def tiny(request: pytest.FixtureRequest, tiny_run: Callable[[str], Run]) -> Tiny:
    return Tiny(STUDIES[request.param], tiny_run(request.param))


@pytest.mark.parametrize(("name", "preset"), [(name, preset) for name in STUDIES for preset in STUDIES[name].presets])
def test_every_preset_is_valid(name: str, preset: str) -> None:
    study = STUDIES[name]
    assert compose(study.recipe, study.presets, preset, {}) == study.presets[preset]
    assert {"tiny", "quick", "full", "paper"} == set(study.presets)
    assert set(study.minutes) <= set(study.presets)


@pytest.mark.parametrize("name", STUDIES)
def test_claims_are_bilingual_and_name_presets_there_are(name: str) -> None:
    claims = STUDIES[name].claims()
    assert claims
    for claim in claims:
        assert set(claim.presets) <= set(STUDIES[name].presets)
        assert JAPANESE.search(claim.statement.ja)
        assert not JAPANESE.search(claim.statement.en)


def test_claims_name_measures_that_are_made(tiny: Tiny) -> None:
    """Of `vae` a tiny run trains two members only, so a measure is looked up under the member that it has; a tiny run
    of `gan` makes no images of anything, and what is grey there is not measured."""
    made = set(tiny.run.measures())
    if tiny.study is gan_study.GAME:
        made |= {"image.gan.grey", "image.vae.grey"}
    if tiny.study is FAMILY:
        curves = {f"beta.epoch2.{term}.deviation" for term in ("reconstruction", "kl")} | {"beta.kl.deviation"}
        made |= curves
    for claim in tiny.study.claims():
        for name in (*claim.measure, *claim.than):
            known = re.sub(r"^\w+", "beta", name) if tiny.study is FAMILY else name
            assert known in made, name


def test_measures_are_finite_and_in_range(tiny: Tiny) -> None:
    for name, measure in tiny.run.measures().items():
        assert np.isfinite(measure.value), name
        if re.search(r"mig|sap|dci|modularity|explicitness|score|quality|grey$", name):
            assert 0 <= measure.value <= 1, name


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(tiny: Tiny, lang: str) -> None:
    figures = tiny.run.study.load().figures(tiny.run)
    assert len(figures) >= {"gan": 1, "modes": 2}.get(tiny.study.name, 3)
    for name, (caption, picture) in figures.items():
        assert bool(JAPANESE.search(caption)) == (lang == "ja"), name
        if isinstance(picture, Image.Image):
            assert len(np.unique(np.asarray(picture.convert("L")))) > 2, name
        else:
            text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)
            assert '"values": [{' in text, name
            assert bool(JAPANESE.search(text)) == (lang == "ja"), name


def test_a_run_is_not_repeated(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (tiny.run.folder / "measures.json").read_bytes()
    module = sys.modules[type(tiny.study.load()).__module__]
    for name in ("measured", "two_modes", "followed", "night"):
        monkeypatch.setattr(module, name, pytest.fail, raising=False)
    execute(tiny.run)
    assert (tiny.run.folder / "measures.json").read_bytes() == before


def test_every_measure_of_a_lesion_is_finite(tiny: Tiny) -> None:
    models = tiny.run.study.load().networks(tiny.run)
    assert all(not module.training for model in models.values() for module in model.modules())
    assert all(np.isfinite(value) for value in tiny.run.study.load().lesion_measures(tiny.run, models).values())


# --- vae


@pytest.fixture(scope="session")
def part() -> dsprites.DSprites:
    return dsprites.part(256, 0)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_can_be_minimised(objective: str, part: dsprites.DSprites) -> None:
    recipe, device = FamilyRecipe(batch=8, latent=3), torch.device("cpu")
    modules = vae.build(recipe, objective, 0)
    terms = vae.losses(recipe, objective, 0, modules, part, device)(1)
    assert next(iter(terms)) == "loss"
    assert all(torch.isfinite(value) for value in terms.values())
    terms["loss"].backward()
    assert all(parameter.grad is not None for parameter in modules[objective].parameters())


def test_what_a_recipe_weighs_each_member_minimises(part: dsprites.DSprites) -> None:
    recipe = FamilyRecipe(
        batch=8, latent=3, beta=5.0, warm_up=10, capacity_weight=7.0, capacity=40.0, capacity_steps=20,
        factor_weight=11.0, tc_weight=13.0,
    )  # fmt: skip
    step, expected = 3, {
        "vae": lambda t: 0.3 * t["kl"],  # the β-VAE of β = 1, which is warmed up too
        "beta": lambda t: 5 * 0.3 * t["kl"],
        "capacity": lambda t: 7 * (t["kl"] - 40 * 3 / 20).abs(),
        "factor": lambda t: t["kl"] + 11 * t["total_correlation"],
        "tcvae": lambda t: t["mutual_information"] + 13 * t["total_correlation"] + t["dimensionwise_kl"],
    }  # fmt: skip
    for objective, divergence in expected.items():
        modules = vae.build(recipe, objective, 0)
        terms = vae.losses(recipe, objective, 0, modules, part, torch.device("cpu"))(step)
        torch.testing.assert_close(terms["loss"], terms["reconstruction"] + divergence(terms), msg=objective)


def test_codes_are_shuffled_across_another_batch(part: dsprites.DSprites, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[torch.Tensor, torch.Tensor]] = []
    monkeypatch.setattr(vae, "factor_vae", lambda model, judge, one, other, *_, **__: shown.append((one, other)))
    modules = vae.build(FamilyRecipe(latent=3), "factor", 0)
    losses = vae.losses(FamilyRecipe(batch=8), "factor", 0, modules, part, torch.device("cpu"))
    for step in range(32):  # an epoch
        losses(step)
    assert not any(torch.equal(one, other) for one, other in shown)
    images, others = (torch.cat(batches) for batches in zip(*shown, strict=True))
    assert sorted(map(bytes, images.numpy())) == sorted(map(bytes, others.numpy()))


def test_scores_of_codes_are_as_uncertain_as_the_votes_they_were_tested_on(tiny_run: Callable[[str], Run]) -> None:
    """A share p of as many test votes as half the training votes has the standard error of a binomial."""
    run, compared = tiny_run("vae"), 0
    for name, measure in run.measures().items():
        if name.endswith(("factor_vae_score", "beta_vae_score")):
            error = (measure.value * (1 - measure.value) / (run.recipe.votes // 2)) ** 0.5
            assert measure.high - measure.low == pytest.approx(2 * 1.96 * error, rel=0.25, abs=1e-9), name
            compared += error > 0
    assert compared


def test_an_epoch_shows_every_image_once_and_each_epoch_in_its_own_order(part: dsprites.DSprites) -> None:
    batches = dsprites.Batches(part, 64, 0, "shuffle", torch.device("cpu"))
    epochs = [torch.cat([batches(step) for step in range(4 * epoch, 4 * epoch + 4)]) for epoch in (0, 1)]
    shown = [sorted(image.numpy().tobytes() for image in epoch) for epoch in epochs]
    assert shown[0] == shown[1] == sorted(image.numpy().tobytes() for image in part.batch(np.arange(256)))
    assert not torch.equal(*epochs)
    assert torch.equal(batches(2), epochs[0][128:192]), "a resumed run draws what it would have drawn"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[FamilyRecipe], Run]]:
    """New runs of `vae`, closed at the end."""
    runs: list[Run] = []

    def create(recipe: FamilyRecipe) -> Run:
        runs.append(Run.create(FAMILY, recipe, "full", tmp_path))
        return runs[-1]

    yield create
    for run in runs:
        run.close()


def test_epochs_are_averaged_and_held_against_the_published_ones(opened: Callable[[FamilyRecipe], Run]) -> None:
    run = opened(FamilyRecipe(steps=2 * curve.EPOCH))
    for step in range(120, 2 * curve.EPOCH + 1, 120):
        first = step <= curve.EPOCH
        run.log("seed0/vae", step, {"loss": 1.0, "reconstruction": 71.01 if first else 1.1 * 38.56, "kl": 26.64})
    found = {name: each.value for name, each in curve.from_curve(run, "vae", 0).items()}
    assert found["epoch1.reconstruction.deviation"] == pytest.approx(0, abs=1e-9)
    assert found["epoch2.reconstruction.deviation"] == pytest.approx(0.1)
    assert found["epoch2.kl"] == pytest.approx(26.64)


def test_capacity_is_held_against_c_only_after_c_is_reached(opened: Callable[[FamilyRecipe], Run]) -> None:
    run = opened(FamilyRecipe(steps=40, capacity_steps=20, capacity=10.0))
    for step in range(10, 41, 10):
        run.log("seed0/capacity", step, {"loss": 1.0, "kl": 11.0 if step > 20 else 3.0})
    found = curve.from_curve(run, "capacity", 0)
    assert {name: each.value for name, each in found.items()} == {"kl.deviation": pytest.approx(0.1)}


def test_total_correlation_of_a_known_gaussian() -> None:
    drawn = np.random.default_rng(0).standard_normal((100_000, 2))
    correlated = np.stack([drawn[:, 0], 0.8 * drawn[:, 0] + 0.6 * drawn[:, 1]], axis=1)
    assert vae.gaussian_total_correlation(correlated) == pytest.approx(-0.5 * log(1 - 0.64), abs=0.01)
    assert vae.gaussian_total_correlation(drawn) == pytest.approx(0, abs=1e-3)


def test_the_users_pictures_are_coded_and_reconstructed(tiny_run: Callable[[str], Run], tmp_path: Path) -> None:
    run = tiny_run("vae")
    for number in range(2):
        Image.fromarray(np.full((20, 30, 3), 100 * number, np.uint8)).save(tmp_path / f"{number}.png")
    table, grid = run.study.load().apply(run, FamilyApply(look=str(tmp_path)))
    rows = list(csv.DictReader(Path(table).read_text().splitlines()))
    assert [(row["file"], row["model"]) for row in rows] == [("0.png", "beta"), ("1.png", "beta")]
    model = run.study.load().networks(run)["beta"]
    grey = torch.tensor([0.0, 100 / 255])[:, None, None, None].expand(-1, 1, 64, 64)
    coded = vae.coded(model, grey, 0)
    for number, row in enumerate(rows):
        told = [float(row[name]) for name in ("reconstruction", "kl", "z1", "z2", "z3", "z4")]
        terms = [coded.reconstruction[number], coded.kl[number], *coded.q.mean[number].tolist()]
        assert told == pytest.approx(terms, rel=1e-4)
    with Image.open(grid) as picture:
        assert picture.size[0] > 100
    with pytest.raises(Refused, match="does not exist"):
        run.study.load().apply(run, FamilyApply(look=str(tmp_path / "absent")))


class Known(vae.VAE):
    """A VAE that says the same of every image: codes N(μ, 1) of two latents, and even odds for every pixel."""

    def __init__(self, mean: float = 0.0):
        super().__init__(1, 64, 2, (4,), 4)
        for parameter in self.parameters():
            torch.nn.init.zeros_(parameter)
        torch.nn.init.constant_(self.encoder.head.bias[:2], mean)


def test_what_a_vae_makes_of_images_is_coded_in_nats() -> None:
    """Of 4096 pixels at even odds log 2 each; of two latents at 3 with a variance of 1, 9/2 each."""
    images = torch.cat([torch.zeros(500, 1, 64, 64), torch.ones(100, 1, 64, 64)])
    found = vae.coded(Known(3.0), images, 0)
    assert found.reconstruction == pytest.approx(np.full(600, 4096 * log(2)), rel=1e-6)
    assert found.kl == pytest.approx(np.full(600, 9.0))
    assert found.q.mean.unique().tolist() == [3]
    assert found.codes.std().item() == pytest.approx(1, abs=0.1)
    assert found.codes.unique(dim=0).shape == (600, 2), "every image and every portion has noise of its own"
    assert not torch.equal(found.codes, vae.coded(Known(3.0), images, 1).codes)
    sure = Known()
    torch.nn.init.constant_(sure.decoder.get_submodule(f"conv{sure.decoder.convolutions}").bias, 5.0)
    black, white = vae.coded(sure, images, 0).reconstruction[[0, 599]]
    assert white == pytest.approx(4096 * np.log1p(np.exp(-5)), rel=1e-4)
    assert black == pytest.approx(4096 * (5 + np.log1p(np.exp(-5))), rel=1e-4)


def test_a_denoiser_is_asked_for_the_whole_image_of_which_a_part_was_hidden() -> None:
    """One that says white of all that it does not see as black is right of white images, but for what is hidden."""
    seen: list[torch.Tensor] = []

    class White(vae.DenoisingAutoencoder):
        def reconstruct_logits(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images)
            return 40 * images - 20

    white = torch.ones(600, 1, 64, 64)
    found = vae.restored(White(1, 64), white, 0)
    hidden = (1 - torch.cat(seen)).sum((1, 2, 3)).numpy()
    assert hidden.min() >= 1
    assert found == pytest.approx(20 * hidden, rel=1e-4, abs=1e-3)


def test_everything_measured_on_a_member_stands_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores are of posterior means, the total correlation is of codes that were drawn; votes as in the recipe."""
    recipe = FamilyRecipe(latent=2, sample=50, votes=90, dci_sample=30)
    given: dict[str, Any] = {}

    def score(name: str, value: Any) -> Callable[..., Any]:
        def scored(*arguments: Any, **options: Any) -> Any:
            given[name] = (*arguments, options)
            return value

        return scored

    values = {"mig": 0.1, "grouped_mig": 0.2, "sap": 0.3, "modularity": 0.4, "explicitness": 0.5, "active_units": 2,
              "factor_vae_score": 0.6, "beta_vae_score": 0.7, "dci": (0.8, 0.85, 0.9)}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setattr(vae.disentanglement, name, score(name, value))
    monkeypatch.setattr(vae, "gaussian_total_correlation", lambda codes: float(codes.std()))
    found = {name: each.value for name, each in vae.measured(recipe, "vae", Known(3.0), 0, torch.device("cpu")).items()}
    trees = {"dci_disentanglement": 0.8, "dci_completeness": 0.85, "dci_informativeness": 0.9}
    assert {name: found[name] for name in (*values, *trees) if name != "dci"} == {
        **{name: value for name, value in values.items() if name != "dci"}, **trees,
    }  # fmt: skip
    assert found["reconstruction"] == pytest.approx(4096 * log(2))
    assert found["kl"] == pytest.approx(9)
    assert found["total_correlation"] == pytest.approx(1, abs=0.3)
    factors = vae.test_images(50, 0)[0]
    for name in ("mig", "grouped_mig", "sap", "modularity", "explicitness", "dci"):
        assert (given[name][0] == 3).all(), name
        assert np.array_equal(given[name][1], factors), name
    assert (given["active_units"][0] == 3).all()
    assert given["dci"][2] == {"train": 30, "test": 15}
    votes = {"train_votes": 90, "eval_votes": 45}
    assert given["factor_vae_score"][3] == {"variance_images": 50} | votes
    assert given["beta_vae_score"][3] == votes


def test_images_are_looked_up_where_more_would_be_drawn_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vae.dsprites, "IMAGES", 700)
    monkeypatch.setattr(vae.dsprites, "render", lambda factors: factors)
    monkeypatch.setattr(vae.dsprites, "as_batch", lambda images, device: images)
    monkeypatch.setattr(vae.dsprites, "index", lambda factors: factors[:, 0])
    monkeypatch.setattr(vae.dsprites, "factors_of", lambda places: np.stack([places] * 5, 1))
    asked: list[int] = []

    class Telling:
        def encode(self, factors: np.ndarray) -> Any:
            asked.append(len(factors))
            return SimpleNamespace(mean=torch.from_numpy(10.0 * factors[:, :1]))

    some = np.stack([np.array([699, 3, 3])] * 5, 1)
    for drawn, kept in ((700, False), (701, True)):
        asked.clear()
        sprites = vae.Sprites(Telling(), torch.device("cpu"), drawn)  # type: ignore[arg-type]
        assert sum(asked) == (700 if kept else 0)
        assert sprites.encode(some)[:, 0].tolist() == [6990, 30, 30]
        assert sum(asked) == (700 if kept else 3)


def test_lesions_are_measured_on_every_member(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[np.ndarray, np.ndarray]] = []
    monkeypatch.setattr(vae.disentanglement, "mig", lambda codes, factors: given.append((codes, factors)) or 0.25)
    denoiser = vae.DenoisingAutoencoder(1, 64)
    for parameter in denoiser.parameters():
        torch.nn.init.zeros_(parameter)
    run: Any = SimpleNamespace(recipe=FamilyRecipe(), device=torch.device("cpu"))
    found = FAMILY.load().lesion_measures(run, {"beta": Known(1.0), "denoising": denoiser})
    assert found == {
        "beta.reconstruction": pytest.approx(4096 * log(2)), "beta.kl": pytest.approx(1), "beta.mig": 0.25,
        "denoising.reconstruction": pytest.approx(4096 * log(2)),
    }  # fmt: skip
    assert (given[0][0] == 1).all()
    assert np.array_equal(given[0][1], vae.test_images(256, 0)[0])


# --- kl


def test_every_claim_on_the_divergences_holds(tiny_run: Callable[[str], Run]) -> None:
    run = tiny_run("kl")
    for name, value in run.study.load().lesion_measures(run, {}).items():
        assert value == pytest.approx(run.measures()[name].value, abs=1e-9), name
    findings = judge(DIVERGENCE.claims(), run.measures(), "tiny")
    assert [finding.claim.id for finding in findings if finding.verdict != "holds"] == []


# --- gan


def test_the_best_judge_has_no_error_and_the_value_of_theorem_1() -> None:
    found = modes.verdicts(torch.nn.Linear(1, 1), torch.device("cpu"))
    best = modes.Verdicts(found.x, found.data, found.made, found.optimal, found.optimal).measures()
    assert best["judge.error"] == 0
    assert best["judge.value.deviation"] == 0
    assert -log(4) < best["judge.value"] < 0
    blind = modes.Verdicts(found.x, found.data, found.made, [0.5] * len(found.x), found.optimal).measures()
    assert blind["judge.value"] == pytest.approx(-log(4), abs=1e-4)


def test_the_point_vae_knows_its_likelihood() -> None:
    model = modes.PointVAE(2, 2, 4.0)
    means, points = torch.zeros(3, 2), torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    expected = torch.distributions.Normal(0.0, 2.0).log_prob(points).sum(1)
    torch.testing.assert_close(model.log_likelihood(means, points), expected)
