"""CPU time of the filtering schemes, and how it grows with states, orders and subjects.

    python benchmarks/filtering.py              the published runs and a cohort of 64
    python benchmarks/filtering.py --cohort     1,000 subjects as well: time and memory
    python benchmarks/filtering.py --growth     growth with states, orders and subjects, as a table

One thread; the best of several turns after one to warm up. Beside each run stands what SPM12 takes for it under
Octave 7.3 on a machine of the same kind, and the time that was aimed at.
"""

import argparse
import platform
import resource
import time
from collections.abc import Callable

import sympy
import torch

from phantastic.systems.filtering import Level, Model, invert, published
from phantastic.systems.filtering.published import eye

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


def growth() -> None:
    y = torch.sin(torch.arange(16, dtype=torch.float64) / 3)[:, None]
    print("\nmilliseconds per bin: states (rows) by embedding orders (columns)")
    orders = (2, 4, 6)
    print("states  " + "".join(f"{n:>9}" for n in orders))
    for states in (1, 2, 4, 8):
        model = chain(states)
        times = [cpu(lambda n=n, model=model: invert(model, y, orders=(n, 2)), 2) for n in orders]
        print(f"{states:>6}  " + "".join(f"{1000 * t / len(y):>9.2f}" for t in times))
    print("\noccluded pursuit: subjects, seconds, milliseconds per subject")
    for subjects in (1, 4, 16, 64):
        t = cpu(cohort(subjects), 1)
        print(f"{subjects:>8}  {t:8.3f}  {1000 * t / subjects:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohort", action="store_true", help="1,000 subjects")
    parser.add_argument("--growth", action="store_true", help="states, orders, subjects")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{platform.machine()}, PyTorch {torch.__version__}, one thread, CPU seconds")
    print(f"{'run':<40}{'ours':>8}{'aim':>8}{'SPM12':>8}")
    for (name, run), (aim, spm) in RUNS.items():
        print(f"{name + ' ' + run:<40}{cpu(inference(name, run)):>8.3f}{aim:>8.2f}{spm:>8.1f}")
    one, many = cpu(cohort(1)), cpu(cohort(64), 1)
    print(f"occlusion, 64 subjects in one batch: {many:.2f} s, {many / one:.1f} times one subject")
    if arguments.cohort:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        cohort(1000)()
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"occlusion, 1,000 subjects: {time.process_time() - start:.1f} s, {used / 1024:.0f} MiB more memory")
    if arguments.growth:
        growth()


if __name__ == "__main__":
    main()
