"""Every published simulation as ``name(run, y=None, noise=None)``; ``setup(name, run)`` is its `Simulation`, to change.

y: data [bins, channels] to be perceived; noise: a dict of ``noise_z1``, ``noise_w1``, ... [bins, channels]. By default
the published simulation is made, with the noise of the published run where that is kept here (`noise.toml`) and else
with noise from a fixed seed. Where somebody acts, their action makes the data.
"""

from phantastic.declare.i18n import Text
from phantastic.ground.errors import Refused, nearest
from phantastic.inference.generation import Noise
from phantastic.inference.published import deconvolution, eye, force, handwriting, nonlinear, plant, song
from phantastic.inference.published.simulation import Simulation, pick
from phantastic.inference.result import Result

RUNS = {
    name: runs
    for module in (deconvolution, nonlinear, song, eye, plant, handwriting, force)
    for name, runs in module.RUNS.items()
}


def setup(name: str, run: str) -> Simulation:
    """The experiment behind a published run. Raises `Refused` with the nearest name."""
    if name not in RUNS:
        raise Refused(f"there is no published simulation '{name}'{nearest(name, RUNS)}")
    return pick(RUNS[name], run)


def printed(*chosen: tuple[str, str]) -> dict[str, list[str]]:
    """The equations of published runs (name, run) as MathML: what is believed and, where somebody acts, the world."""
    beliefs, world = Text("what is believed", "信念"), Text("the world", "世界")
    equations = {}
    for name, run in chosen:
        experiment = setup(name, run)
        equations[f"{name}: {beliefs}"] = experiment.model.mathml()
        if experiment.scheme != "invert":
            equations[f"{name}: {world}"] = experiment.process.mathml()
    return equations


def _published(name: str):
    def simulation(run: str, y=None, noise: Noise | None = None) -> Result:
        return setup(name, run).run(y, noise)

    simulation.__name__ = simulation.__qualname__ = name
    simulation.__doc__ = f"The published simulation '{name}'; run: {', '.join(RUNS[name])}."
    return simulation


convolution = _published("convolution")
triple = _published("triple")
lorenz = _published("lorenz")
double_well = _published("double_well")
birdsong = _published("birdsong")
hierarchical_song = _published("hierarchical_song")
song_omission = _published("song_omission")
visual = _published("visual")
motor = _published("motor")
attractor_motor = _published("attractor_motor")
pursuit = _published("pursuit")
occlusion = _published("occlusion")
observe = _published("observe")
attenuation = _published("attenuation")
