"""The study `cueing`: Posner's paradigm, with attention as precision that beliefs set, and that a learner tunes.

A target may appear in one of two places, left and right, after a cue (Posner 1980). The precision of either place is a
function of a hidden state x, as in Feldman & Friston (2010): what one place gains the other loses,
ln Π = ln Π₀ ± h tanh x. The cue drives x, x′ = k v_C / 4 − x / τ, so that x is inferred, and lasts. The hand moves to
where a target is believed, m′ = (v_R − v_L − m) / 4, and action makes true what the hand is predicted to feel.

How far a cue moves attention, k, is learned over trials: the log odds that the cue tells the side, from a count of how
often it did that forgets (see `Validity`). The constants, the hand and the learning of k are ours.
"""

import math
from collections.abc import Mapping, Sequence
from typing import final

import msgspec
import sympy
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from phantastic.declare.i18n import Text
from phantastic.ground.randomness import derive, numpy_generator
from phantastic.inference import Level, Model, attenuate
from phantastic.inference.precision import Precisions
from phantastic.inference.published.simulation import bump
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.movement import cueing_figures as pictures
from phantastic.systems.movement.study import CueingRecipe

CUES = {"valid": 1.0, "neutral": 0.0, "invalid": -1.0}  # the target is on the right
CUE, RISE = 12, 8  # the bin of the cue, and how many bins before its height a target begins
DELAYS = (8, 16, 24, 32)  # bins from the cue to the target
SHOWN = 16  # the delay of every trial but those that compare delays
BINS = CUE + DELAYS[-1] + 20
MOVED = 0.1  # the hand has reacted
TRUST = math.log(4)  # k of a cue that tells the side four times in five


def beliefs(recipe: CueingRecipe, trust: Float64[Tensor, " trials"], attention: float | None = None) -> Model:
    """What is believed in each trial, where cues are trusted so far."""
    x, m, left, right, cue, h, k = sympy.symbols("x m v_L v_R v_C h k")
    share = h * sympy.tanh(x)
    level = Level(
        states={x: 0.0, m: 0.0},
        causes=[left, right, cue],
        flow=[k * cue / 4 - x / recipe.lasting, (right - left - m) / 4],
        response=[left, right, cue, m],
        parameters={h: recipe.attention if attention is None else attention, k: trust},
        log_V=[recipe.senses - share, recipe.senses + share, sympy.Integer(4), sympy.Integer(4)],
        W=math.exp(6),
    )
    return Model([level, Level(V=1.0)])


def world() -> Model:
    """Targets, cue and a hand that action moves; both places are as noisy as each other, whatever is attended to."""
    m, left, right, cue, a = sympy.symbols("m v_L v_R v_C a")
    level = Level(
        states={m: 0.0},
        causes=[left, right, cue],
        actions={a: 0.0},
        flow=[a - m / 4],
        response=[left, right, cue, m],
        V=math.exp(6),
        W=math.exp(8),
    )
    return Model([level, Level(V=math.exp(16))], gain=torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64))


class Trials(msgspec.Struct):
    """What is believed and done in each trial, bin by bin."""

    attention: list[list[float]]
    left: list[list[float]]
    right: list[list[float]]
    hand: list[list[float]]

    def time(self, trial: int, delay: int) -> float:
        """Bins from the beginning of the target until the hand has moved to the right, or else to the trial's end."""
        return reaction(self.hand[trial], CUE + delay - RISE)


def reaction(hand: Sequence[float], onset: int) -> float:
    """When ``hand`` passes `MOVED`, in bins after bin ``onset`` (counted from 1), interpolated between bins."""
    for bin in range(onset, len(hand)):
        before, now = hand[bin - 1], hand[bin]
        if now > MOVED:
            return bin - onset + (MOVED - before) / (now - before) if before <= MOVED else 0.0
    return float(len(hand) - onset)


def trials(
    recipe: CueingRecipe,
    cues: Sequence[float],
    delays: Sequence[int],
    seed: int,
    trust: Sequence[float] | None = None,
    distractor: float = 0.0,
    attention: float | None = None,
    precisions: Precisions | None = None,
) -> Trials:
    """Trials with the target on the right, all under the same noise; ``distractor``: how strong another on the left is;
    ``attention``: what it does, where that is not as in the recipe; ``precisions``: imposed on what is believed."""
    strength = torch.tensor([TRUST] * len(cues) if trust is None else trust, dtype=torch.float64)
    causes = torch.stack(
        [
            torch.cat([distractor * target, target, cue * bump(BINS, CUE, 8)], -1)
            for cue, delay in zip(cues, delays, strict=True)
            for target in (bump(BINS, CUE + delay, 16),)
        ]
    )
    model = beliefs(recipe, strength, attention)
    if precisions is not None:
        model = precisions.imposed(model)
    result = attenuate(model, world(), causes, orders=(4, 2), seed=derive(seed, "cueing") % 2**31)
    assert result.process is not None
    seen = result.v[2]
    columns = result.x[1][..., 0], seen[..., 0], seen[..., 1], result.process.x[1][..., 0]
    return Trials(*(column.tolist() for column in columns))


# --- learning over trials


class Validity:
    """How often the cue told the side, of late: counts that are forgotten at a rate, from one of each at the start."""

    def __init__(self, forgetting: float):
        self.forgetting, self.counts = forgetting, [1.0, 1.0]

    @property
    def trust(self) -> float:
        """ln p / (1 − p): what the cue is worth, and 0 where it is worth nothing."""
        return math.log(self.counts[0] / self.counts[1])

    def learn(self, valid: bool) -> None:
        """One trial more; what is forgotten goes back to not knowing."""
        self.counts = [1 + (1 - self.forgetting) * (count - 1) for count in self.counts]
        self.counts[0 if valid else 1] += 1


class Session(msgspec.Struct):
    """Two blocks of trials, the second with cues that tell nothing."""

    valid: list[bool]
    trust: list[float]
    costs: list[float]  # in each trial: how much later an invalidly cued target would be answered than a validly cued


def session(recipe: CueingRecipe, seed: int) -> Session:
    """What is learned of the cue by each trial, and what it would cost and gain there."""
    learner, draws = Validity(recipe.forgetting), numpy_generator(seed, "validity").random(2 * recipe.trials)
    valid, trust = [], []
    for number, draw in enumerate(draws.tolist()):
        trust.append(learner.trust)
        valid.append(draw < (recipe.validity if number < recipe.trials else 0.5))
        learner.learn(valid[-1])
    cues, doubled = [1.0, -1.0] * len(trust), [each for each in trust for _ in CUES if _ != "neutral"]
    made = trials(recipe, cues, [SHOWN] * len(cues), seed, doubled)
    times = [made.time(trial, SHOWN) for trial in range(len(cues))]
    return Session(valid, trust, [invalid - told for told, invalid in zip(times[::2], times[1::2], strict=True)])


# --- the study


@final
class Cueing(Experiment[CueingRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[CueingRecipe], recipe: CueingRecipe, seed: int) -> Scores:
        """Three cues at every delay, the same with attention held, two targets at once, and a session of learning."""
        cues, delays = grid()
        cued = run.once(f"seed{seed}/cued", lambda: trials(recipe, cues, delays, seed), Trials)
        three, shown = list(CUES.values()), [SHOWN] * len(CUES)
        held = run.once(f"seed{seed}/held", lambda: trials(recipe, three, shown, seed, attention=0.0), Trials)
        both = run.once(f"seed{seed}/both", lambda: trials(recipe, [1.0], [SHOWN], seed, distractor=1.0), Trials)
        learned = run.once(f"seed{seed}/session", lambda: session(recipe, seed), Session)
        measures = {f"held.{cue}.time": held.time(number, SHOWN) for number, cue in enumerate(CUES)}
        measures["held.cost"] = measures["held.invalid.time"] - measures["held.valid.time"]
        for number, (cue, delay) in enumerate((cue, delay) for delay in DELAYS for cue in CUES):
            measures[f"delay{delay}.{cue}.time"] = cued.time(number, delay)
            if delay == SHOWN:
                measures[f"{cue}.time"], measures[f"{cue}.believed"] = cued.time(number, delay), max(cued.right[number])
        for delay in DELAYS:
            measures[f"delay{delay}.cost"] = (
                measures[f"delay{delay}.invalid.time"] - measures[f"delay{delay}.valid.time"]
            )
        half = max(1, recipe.trials // 2)
        for name, end in (("told", recipe.trials), ("untold", 2 * recipe.trials)):
            measures[f"{name}.cost"] = sum(learned.costs[end - half : end]) / half
        return measures | {"both.cued": max(both.right[0]), "both.uncued": max(both.left[0])}

    def networks(self, run: Run[CueingRecipe]) -> dict[str, nn.Module]:
        """The precisions of beliefs that are numbers, which lesions reach."""
        return {"precision": Precisions(beliefs(run.recipe, torch.zeros(1, dtype=torch.float64))).eval()}

    def lesion_measures(self, run: Run[CueingRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """What each cue does to the answer, with these precisions (the senses' are added to what attention gives)."""
        precisions, recipe = networks["precision"], run.recipe
        assert isinstance(precisions, Precisions)
        made = trials(recipe, list(CUES.values()), [SHOWN] * len(CUES), recipe.seed, precisions=precisions)
        times = {f"{cue}.time": made.time(number, SHOWN) for number, cue in enumerate(CUES)}
        return times | {f"{cue}.believed": max(made.right[number]) for number, cue in enumerate(CUES)}

    def figures(self, run: Run[CueingRecipe]) -> dict[str, Figure]:
        """A trial with each cue, costs and benefits by delay, and a session of learning."""
        seed, measures = run.recipe.seed, run.measures()
        cued = run.result(f"seed{seed}/cued", Trials)
        shown = [number for number, delay in enumerate(grid()[1]) if delay == SHOWN]
        traces = {
            cue: {name: getattr(cued, name)[number] for name in ("attention", "right", "hand")}
            for cue, number in zip(CUES, shown, strict=True)
        }
        sessions = [run.result(f"seed{other}/session", Session) for other in run.seeds]
        times = {(cue, delay): measures[f"delay{delay}.{cue}.time"] for delay in DELAYS for cue in CUES}
        return {
            "trial": pictures.trial(traces, CUE, CUE + SHOWN),
            "delays": pictures.delays(times),
            "learning": pictures.learning(
                [each.trust for each in sessions], [each.costs for each in sessions], run.recipe.trials
            ),
        }

    def equations(self, run: Run[CueingRecipe]) -> dict[str, list[str]]:
        """What is believed of a trial, for the report."""
        model = beliefs(run.recipe, torch.full((1,), TRUST, dtype=torch.float64))
        return {str(Text("what is believed", "信念")): model.mathml(), str(Text("the world", "世界")): world().mathml()}


def grid() -> tuple[list[float], list[int]]:
    """The cue and the delay of each trial: all cues at every delay."""
    return [cue for _ in DELAYS for cue in CUES.values()], [delay for delay in DELAYS for _ in CUES]
