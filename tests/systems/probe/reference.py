"""Structural probes against the authors' own program (Hewitt & Manning 2019).

``probe/hewitt_manning_*.npz`` are numbers that it gave on sentences of UD English EWT of 3 to 40 words, without
punctuation in the trees, for vectors of 32 dimensions: random ones (distance), and ones that hold the tree under noise
(depth). Kept are the first batch of 20 training sentences with its loss and gradient, and every fifth of 120
development sentences with what the fitted projection predicts and the edges of both spanning trees. No text and no
program code is included.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from phantastic.systems import probe
from phantastic.systems.probe import measure, trees
from phantastic.systems.probe.objective import Corpus, gradient, loss_of, residual

HERE = Path(__file__).parent / "published"


class Reference:
    def __init__(self, kind: str):
        with np.load(HERE / f"hewitt_manning_{kind}.npz") as arrays:
            self.arrays = {key: arrays[key] for key in arrays.files}

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    def split(self, key: str, side: str = "dev", power: int = 1) -> list[np.ndarray]:
        lengths = self[f"{side}_len"].astype(int) ** power
        return np.split(self[f"{side}_{key}"], np.cumsum(lengths)[:-1])


@pytest.fixture(params=["distance", "depth"])
def both(request: pytest.FixtureRequest) -> tuple[str, Reference]:
    return request.param, Reference(request.param)


def test_loss_and_gradient_of_the_first_step(both) -> None:
    kind, reference = both
    batch = Corpus(reference.split("emb", "train"), reference.split("heads", "train"), kind).batch(np.arange(20))
    projected, error = residual(torch.from_numpy(reference["init_proj"]), batch)
    assert float(loss_of(error, batch)) == pytest.approx(float(reference["step0_loss"]), abs=1e-6)
    assert np.abs(gradient(projected, error, batch).numpy() - reference["step0_grad"]).max() < 1e-6


def test_predictions_of_the_fitted_projection(both) -> None:
    kind, reference = both
    found = measure.predict(torch.from_numpy(reference["best_proj"]), reference.split("emb"), kind)
    theirs = reference.split("pred", power=2 if kind == "distance" else 1)
    for one, other in zip(found, theirs, strict=True):
        assert np.allclose(one.ravel(), other, atol=1e-5)


def test_edges_and_uuas() -> None:
    reference = Reference("distance")
    heads, keep = reference.split("heads"), [~marks for marks in reference.split("punctuation")]
    predicted = measure.predict(torch.from_numpy(reference["best_proj"]), reference.split("emb"), "distance")
    found: list[set] = []
    for side, distances in (("gold", trees.distances(trees.checked(heads))), ("pred", predicted)):
        edges = np.split(reference[f"dev_{side}_edges"], np.cumsum(reference[f"dev_{side}_count"])[:-1])
        for distance, words, theirs in zip(distances, keep, edges, strict=True):
            assert trees.spanning_tree(distance, words).tolist() == sorted(theirs.tolist())
        found.append({(number, *edge) for number, theirs in enumerate(edges) for edge in theirs.tolist()})
    marks = reference.split("punctuation")
    uuas = probe.evaluate(reference["best_proj"], reference.split("emb"), heads, punctuation=marks).uuas
    assert uuas == pytest.approx(len(found[0] & found[1]) / len(found[0]))
