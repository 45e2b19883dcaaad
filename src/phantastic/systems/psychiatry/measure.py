"""What is measured: how far the eye is from its target, gain and lag of pursuit, forces made and felt as equal.

A *deviation* is a measured number over the published one, less 1.
"""

import torch
from torch import Tensor

from phantastic.data.gaze import following
from phantastic.inference.published import force
from phantastic.systems.psychiatry.simulate import Press, Pursuit, follow, press

Found = dict[str, float]
EDGE = 0.5  # beyond it the target is behind the occluder
ONSET, TURN = 16, 49  # first bins (from 0) in which the target moves, and after it was turned round
INTENDED = (0.5, 1.0, 1.5, 2.0)
ATTENUATIONS = tuple(range(-4, 7))
FOLLOWED = {  # rms and largest distance of eye and target, learned frequency (SPM12)
    "occluded.control.rms": 0.217, "occluded.reduced.rms": 0.455,
    "occluded.control.peak": 0.43, "occluded.reduced.peak": 1.21,
    "reversal.control.rms": 0.261, "reversal.reduced.rms": 0.230,
    "frequency.control": 1.535, "frequency.reduced": 0.030,
}  # fmt: skip
PRESSED = {  # highest true and perceived force by attenuation, own and matched force by intention (SPM12)
    "attenuation-4.own": 0.107, "attenuation-4.perceived": 0.138,
    "attenuation+0.own": 0.269, "attenuation+0.perceived": 0.306,
    "attenuation+6.own": 1.860, "attenuation+6.perceived": 1.816,
    "normal.0.5.own": 0.65, "normal.0.5.matched": 0.42,
    "normal.1.own": 1.86, "normal.1.matched": 1.41,
    "normal.1.5.own": 2.51, "normal.1.5.matched": 2.07,
    "normal.2.own": 2.85, "normal.2.matched": 2.43,
    "delusional.0.5.own": 1.02, "delusional.0.5.matched": 0.92,
    "delusional.1.own": 2.00, "delusional.1.matched": 1.91,
    "delusional.1.5.own": 2.62, "delusional.1.5.matched": 2.50,
    "delusional.2.own": 2.95, "delusional.2.matched": 2.82,
}  # fmt: skip


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def deviations(measures: Found, published: Found) -> Found:
    return {f"{name}.deviation": measures[name] / value - 1 for name, value in published.items()}


# --- the eye


def rms(pursuit: Pursuit, where: Tensor | None = None) -> Tensor:
    """Root mean square distance of eye and target over all bins, or those ``where``; [people]."""
    square = (pursuit.eye - pursuit.target).square()
    where = torch.ones_like(square) if where is None else where.double()
    return ((square * where).sum(-1) / where.sum(-1)).sqrt()


def hidden(pursuit: Pursuit) -> Tensor:
    """Where the target is behind the occluder."""
    return pursuit.target > EDGE


def clinic(pursuit: Pursuit) -> dict[str, Tensor]:
    """Distance, distance while the target is hidden and while it is seen, gain and lag in bins, of each person."""
    moving = torch.arange(pursuit.eye.shape[-1]) >= ONSET
    tracking = following(pursuit.eye[:, ONSET:, None], pursuit.target[:, ONSET:, None])
    return {
        "rms": rms(pursuit),
        "peak": (pursuit.eye - pursuit.target).abs().amax(-1),
        "hidden": rms(pursuit, hidden(pursuit)),
        "seen": rms(pursuit, ~hidden(pursuit) & moving),
        "gain": tracking.gain,
        "lag": tracking.lag,
    }


def followed(control: float, reduced: float, senses: float) -> tuple[Found, dict[str, Pursuit]]:
    """The three tasks by two people: an occluded target, one that turns unexpectedly, one of unknown frequency.

    control, reduced: their log-precision of the expected motion; senses: that of both their senses.
    """
    people, both = vector(control, reduced), vector(senses, senses)
    runs = {
        task: follow(run, people, both)
        for task, run in (
            ("occluded", "fig1_occluded_highprec"),
            ("reversal", "fig4_reversal_highprec"),
            ("frequency", "fig5_learnfreq_highprec"),
        )
    }
    measures: Found = {}
    for task in ("occluded", "reversal"):
        for name, values in clinic(runs[task]).items():
            measures |= {f"{task}.{who}.{name}": float(values[k]) for k, who in enumerate(("control", "reduced"))}
    after = torch.arange(runs["reversal"].eye.shape[-1]).expand(2, -1) >= TURN
    for k, who in enumerate(("control", "reduced")):
        measures[f"reversal.{who}.after"] = float(rms(runs["reversal"], after)[k])
        measures[f"frequency.{who}"] = float(runs["frequency"].frequency[k, -1])
    return measures, runs


def by_dose(control: float, reduced: float, senses: float, number: int) -> dict[str, list[float]]:
    """Distance of eye and target in both tasks, from the control's precision of expected motion to the reduced one."""
    motion = torch.linspace(control, reduced, number, dtype=torch.float64)
    both = torch.full_like(motion, senses)
    occluded, reversal = (follow(run, motion, both) for run in ("fig1_occluded_highprec", "fig4_reversal_highprec"))
    values = {
        "motion": motion,
        "occluded": rms(occluded),
        "reversal": rms(reversal),
        **{name: value for name, value in clinic(occluded).items() if name in ("gain", "lag")},
    }
    return {name: value.tolist() for name, value in values.items()}


# --- the hand


def attenuated(attenuations: tuple[float, ...], delusion: float) -> tuple[Found, Press]:
    """Pressing with an intended force of 1 over attenuation: the highest force made and the highest perceived."""
    h = vector(*attenuations)
    presses = press(h, torch.full_like(h, delusion), torch.ones_like(h), force.kept_noise("force"))
    measures: Found = {}
    for k, value in enumerate(attenuations):
        measures[f"attenuation{value:+g}.own"] = float(presses.own[k].max())
        measures[f"attenuation{value:+g}.perceived"] = float(presses.perceived[k].max())
    return measures, presses


def matched(attenuation: float, delusion: float, who: str) -> Found:
    """Own and matched force at the four intentions, and by how much the own one is larger, on average."""
    intended = vector(*INTENDED)
    presses = press(
        torch.full_like(intended, attenuation),
        torch.full_like(intended, delusion),
        intended,
        force.kept_noise("force"),
    )
    own, equal = presses.peak()
    measures: Found = {}
    for level, a, b in zip(INTENDED, own.tolist(), equal.tolist(), strict=True):
        measures |= {f"{who}.{level:g}.own": a, f"{who}.{level:g}.matched": b}
    return measures | {f"{who}.illusion": float((own - equal).mean())}


def opposed(presses: Press) -> tuple[Tensor, Tensor]:
    """The outside force that is felt to press against the own one although there is none, and how many standard
    deviations it is below 0, [people]: where that is most, while the own force is above half its peak."""
    pressing = presses.own > presses.own.amax(-1, keepdim=True) / 2
    sure = torch.where(pressing, -presses.external / presses.external_doubt, -torch.inf)
    moment = sure.argmax(-1, keepdim=True)
    return presses.external.gather(-1, moment)[:, 0], sure.gather(-1, moment)[:, 0]
