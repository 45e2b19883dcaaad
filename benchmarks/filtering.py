"""CPU time of the filtering schemes, and how it grows with states, orders and subjects.

    python benchmarks/filtering.py              the published runs and a cohort of 64
    python benchmarks/filtering.py --cohort     1,000 subjects as well: time and memory
    python benchmarks/filtering.py --growth     growth with states, orders and subjects, as a table
    python benchmarks/filtering.py --figure growth      and as a figure: growth.svg, growth.png

One thread; the best of several turns after one to warm up. Beside each run stands what SPM12 takes for it under
Octave 7.3 on a machine of the same kind, and the time that was aimed at.
"""

import argparse
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path

import altair as alt
import sympy
import torch

from phantastic.inference import Level, Model, invert, published
from phantastic.inference.published import eye
from phantastic.show.figure import Figure, write

RUNS = {  # simulation, run: seconds aimed at, seconds of SPM12 under Octave
    ("convolution", "state_estimation"): (0.02, 0.62),
    ("triple", "states_params_precisions"): (0.6, 17.7),
    ("occlusion", "fig1_occluded_highprec"): (0.15, 8.4),
    ("pursuit", "expected_reversal"): (0.4, 26.6),
    ("attenuation", "fig6_normal_F1"): (0.05, 1.4),
}


def cpu(run: Callable[[], object], turns: int = 5) -> float:
    """Seconds of the process's CPU time, the least of ``turns``."""
    run()
    best = float("inf")
    for _ in range(turns):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def inference(name: str, run: str) -> Callable[[], object]:
    """The run itself: where beliefs only perceive, data are made once, beforehand."""
    experiment = published.setup(name, run)
    if experiment.scheme != "invert":
        return experiment.run
    made = experiment.run().process
    assert made is not None
    return lambda: experiment.run(made.v[1])


def cohort(subjects: int) -> Callable[[], object]:
    """Occluded pursuit by people who differ in the precision of what they expect."""
    precision = torch.exp(torch.linspace(0, 4, subjects, dtype=torch.float64))[:, None]
    model, process = eye.occlusion_models(W2=precision)
    return published.setup("occlusion", "fig1_occluded_highprec").changed(model=model, process=process).run


def chain(states: int) -> Model:
    """A cascade of ``states`` saturating units behind one cause."""
    x, v = sympy.symbols(f"x1:{states + 1}"), sympy.Symbol("v")
    flow = [sympy.tanh(before) - own for own, before in zip(x, [v, *x[:-1]], strict=True)]
    return Model(
        [Level(states=dict.fromkeys(x, 0.0), causes=[v], flow=flow, response=[x[-1]], V=50.0, W=50.0), Level()]
    )


def growth() -> list[dict]:
    """Milliseconds per bin by states and embedding order, and per bin and subject by subjects."""
    y = torch.sin(torch.arange(16, dtype=torch.float64) / 3)[:, None]
    rows, orders = [], (2, 4, 6)
    print("\nmilliseconds per bin: states (rows) by embedding orders (columns)")
    print("states  " + "".join(f"{n:>9}" for n in orders))
    for states in (1, 2, 4, 8, 16):
        model = chain(states)
        times = [1000 * cpu(lambda n=n, model=model: invert(model, y, orders=(n, 2)), 2) / len(y) for n in orders]
        rows += [{"x": states, "of": f"order {n}", "ms": t} for n, t in zip(orders, times, strict=True)]
        print(f"{states:>6}  " + "".join(f"{t:>9.2f}" for t in times))
    print("\noccluded pursuit: subjects, seconds, milliseconds per bin and subject")
    for subjects in (1, 4, 16, 64, 256):
        t = cpu(cohort(subjects) if subjects > 1 else inference("occlusion", "fig1_occluded_highprec"), 1)
        rows.append({"x": subjects, "of": "subjects", "ms": 1000 * t / 64 / subjects})
        print(f"{subjects:>8}  {t:8.3f}  {1000 * t / 64 / subjects:8.3f}")
    return rows


def drawn(rows: list[dict]) -> Figure:
    """Both tables as curves, on logarithmic axes."""

    def curves(part: list[dict], x: str, y: str, legend: alt.Legend | None) -> alt.Chart:
        axes = [
            alt.X("x:Q", title=x, scale=alt.Scale(type="log", base=2), axis=alt.Axis(values=[r["x"] for r in part])),
            alt.Y("ms:Q", title=y, scale=alt.Scale(type="log")),
        ]
        colour = alt.Color("of:N", title=None, legend=legend)
        return alt.Chart(alt.Data(values=part)).mark_line(point=True).encode(*axes, colour).properties(width=280)

    states = curves([r for r in rows if r["of"] != "subjects"], "hidden states", "ms per bin", alt.Legend())
    people = curves([r for r in rows if r["of"] == "subjects"], "subjects in one batch", "ms per bin and subject", None)
    caption = (
        "CPU time of perception by hidden states and embedding order (a cascade of saturating units), and of occluded "
        "pursuit by subjects in one batch. One thread."
    )
    return Figure(caption, alt.hconcat(states, people).resolve_scale(color="independent"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohort", action="store_true", help="1,000 subjects")
    parser.add_argument("--growth", action="store_true", help="states, orders, subjects")
    parser.add_argument("--figure", type=Path, metavar="STEM", help="draw the growth as STEM.svg and STEM.png")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{platform.machine()}, PyTorch {torch.__version__}, one thread, CPU seconds")
    print(f"{'run':<40}{'ours':>8}{'aim':>8}{'SPM12':>8}")
    runs = {key: inference(*key) for key in RUNS}
    for (name, run), (aim, spm) in RUNS.items():
        print(f"{name + ' ' + run:<40}{cpu(runs[name, run]):>8.3f}{aim:>8.2f}{spm:>8.1f}")
    one, many, times = runs["occlusion", "fig1_occluded_highprec"], cohort(64), []
    for _ in range(3):  # in turn, so that whatever else the machine does meets both
        times.append((cpu(one, 3), cpu(many, 1)))
    alone, together = (min(column) for column in zip(*times, strict=True))
    print(f"occlusion, 64 subjects in one batch: {together:.2f} s, {together / alone:.1f} times one subject")
    if arguments.cohort:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        cohort(1000)()
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"occlusion, 1,000 subjects: {time.process_time() - start:.1f} s, {used / 1024:.0f} MiB more memory")
    if arguments.growth or arguments.figure:
        rows = growth()
        if arguments.figure:
            print(*write(drawn(rows), arguments.figure))


if __name__ == "__main__":
    main()
