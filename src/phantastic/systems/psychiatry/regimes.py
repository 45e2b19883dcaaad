"""Two maps of behaviour: pursuit over the precisions of prior and senses, pressing over attenuation and compensation.

A regime is a behaviour, named by bounds on what is measured, relative to the published control. Each contains a
published run, except that of senses too precise for the prior, the account of autism, of which none was published.
"""

from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from phantastic.declare.i18n import Text
from phantastic.systems.psychiatry import measure
from phantastic.systems.psychiatry.measure import vector
from phantastic.systems.psychiatry.simulate import follow, press

FOLLOWS, LOSES, SLOWED, ASTRAY = range(4)
Mapped = dict[str, Any]  # both maps, see `mapped`
EYE = (
    Text("anticipates the hidden target", "隠れた標的を予期する"),
    Text("loses the hidden target", "隠れた標的を見失う"),
    Text("slowed by its own senses", "自らの感覚に縛られ遅れる"),
    Text("worse than an eye at rest", "静止した眼よりも外れる"),
)
ILLUSION, TRUE, STILL, FALSE = range(4)
HAND = (
    Text("illusion: own force feels weak", "錯覚:自分の力を弱く感じる"),
    Text("no illusion", "錯覚なし"),
    Text("hardly moves", "ほとんど動けない"),
    Text("feels an outside force that is not there", "存在しない外力を感じる"),
)
MORE, LATE = 1.25, 1.2  # distances over the control's from which the hidden target, or the turning one, is lost
HALF, GAP, SURE = 0.5, 0.15, 1.0  # share of the control's force, own minus matched force, standard deviations
EYE_ANCHORS = {"control": (4.0, 4.0), "reduced": (0.0, 4.0), "sensory": (4.0, 6.0)}
HAND_ANCHORS = {"normal": (6.0, 0.0), "delusional": (4.0, 2.0), "unattenuated": (0.0, 0.0), "strong": (2.0, 4.0)}


def mapped(number: int) -> Mapped:
    """Both maps with ``number`` points in each direction: axes, measures, regimes, and the regimes of the anchors."""
    return {
        "eye": _map(_eye, EYE_ANCHORS, (-2.0, 6.0), (2.0, 6.0), number),
        "hand": _map(_hand, HAND_ANCHORS, (0.0, 6.5), (-1.0, 4.0), number),
    }


def _map(behave: Any, anchors: dict[str, tuple[float, float]], x: tuple, y: tuple, number: int) -> dict[str, Any]:
    axes = [torch.linspace(low, high, number, dtype=torch.float64) for low, high in (x, y)]
    points = torch.cat([torch.tensor(list(anchors.values()), dtype=torch.float64), torch.cartesian_prod(*axes)])
    measured, regime = behave(points)
    size = len(anchors)
    return {
        "x": points[size:, 0].tolist(),
        "y": points[size:, 1].tolist(),
        "regime": regime[size:].tolist(),
        "anchors": dict(zip(anchors, regime[:size].tolist(), strict=True)),
        "measures": {name: values[size:].tolist() for name, values in measured.items()},
    }


def _eye(points: Tensor) -> tuple[dict[str, Tensor], Int64[Tensor, " points"]]:
    """Distance behind the occluder and at the unexpected turn; the first point is the control."""
    occluded, turned = (follow(run, *points.T) for run in ("fig1_occluded_highprec", "fig4_reversal_highprec"))
    occluded_rms, turned_rms = measure.rms(occluded), measure.rms(turned)
    rest = occluded.target[0].square().mean().sqrt()
    regime = torch.full((len(points),), FOLLOWS)
    regime[occluded_rms > MORE * occluded_rms[0]] = LOSES
    regime[turned_rms > LATE * turned_rms[0]] = SLOWED
    regime[occluded_rms > rest] = ASTRAY
    return {"occluded": occluded_rms, "turned": turned_rms, "ratio": points[:, 1] - points[:, 0]}, regime


def _hand(points: Tensor) -> tuple[dict[str, Tensor], Int64[Tensor, " points"]]:
    """Pressing with an intention of 1; the first point is the control."""
    presses = press(points[:, 0], points[:, 1], vector(1.0).expand(len(points)))
    own, equal = presses.peak()
    _, sure = measure.opposed(presses)
    regime = torch.full((len(points),), TRUE)
    regime[own - equal > GAP] = ILLUSION
    regime[sure > SURE] = FALSE
    regime[own < HALF * own[0]] = STILL
    return {"own": own, "illusion": own - equal, "sure": sure}, regime


def measures(maps: Mapped) -> dict[str, float]:
    """1 for each anchor that lies in the regime it stands for."""
    expected = {
        "eye": {"control": FOLLOWS, "reduced": LOSES, "sensory": SLOWED},
        "hand": {"normal": ILLUSION, "delusional": TRUE, "unattenuated": STILL, "strong": FALSE},
    }
    return {
        f"map.{task}.{name}": float(maps[task]["anchors"][name] == regime)
        for task, names in expected.items()
        for name, regime in names.items()
    }
