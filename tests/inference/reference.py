"""The filtering schemes against SPM12 (r7771).

The arrays ``spm_*.npz`` are numbers that SPM12 printed under Octave 7.3, with its finite-difference step at 1e-6, from
published demonstrations whose equations are those of `systems/filtering/published`; every ``step``-th bin is kept.
Names are SPM's: qU beliefs, pU the world, x states, v causes, z and w errors, a action, F free energy, qP parameters,
qH log-precisions, S and C covariances of states and causes. ``spm_triple_steps`` holds what it used in the first
E-steps of the triple estimation. No program code is included.
"""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from phantastic.inference import invert, published
from phantastic.inference.generalised import embed, noise_kernel, temporal_precision
from phantastic.inference.published.eye import lotka_volterra
from phantastic.inference.published.force import matched
from phantastic.inference.published.handwriting import observed
from phantastic.inference.published.plant import plaid
from phantastic.inference.published.simulation import Simulation
from phantastic.inference.published.song import hierarchical_model

HERE = Path(__file__).parent / "spm"
RUNS = sorted(path.stem for path in HERE.glob("*-*.npz"))


def load(name: str) -> dict[str, torch.Tensor]:
    with np.load(HERE / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


def agrees(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float, what: str) -> None:
    """Within ``tolerance`` of the array's own scale; an array of zeros is a scale of 1."""
    assert ours.shape == theirs.shape, what
    scale = float(theirs.abs().max()) or 1.0
    assert float((ours - theirs).abs().max()) <= tolerance * scale, what


@pytest.mark.parametrize("run", RUNS)
def test_a_published_run_agrees_with_spm(run: str):
    name, variant = run.split("-", 1)
    reference = load(run)
    step = int(reference["step"])
    noise = {key: value for key, value in reference.items() if key.startswith("noise_")}
    result = getattr(published, name)(variant, y=reference.get("Y"), noise=noise)
    for letter in "xvzwa":
        for level, array in getattr(result, letter).items():
            agrees(array[::step], reference[f"qU_{letter}{level}"], 1e-5, f"{letter}[{level}]")
    if result.process is not None:
        for letter in "xv":
            for level, array in getattr(result.process, letter).items():
                agrees(array[::step], reference[f"pU_{letter}{level}"], 1e-5, f"process {letter}[{level}]")
    agrees(result.covariance.x[:: 8 * step].flatten(-2), reference["qU_S"], 1e-5, "covariance of states")
    agrees(result.covariance.v[:: 8 * step].flatten(-2), reference["qU_C"], 1e-5, "covariance of causes")
    theirs = reference["F"].flatten()
    assert len(result.free_energy) == len(theirs)
    assert float(((result.free_energy - theirs) / theirs).abs().max()) <= 1e-6
    if name == "triple":
        agrees(result.parameters, reference["qP_P"].flatten(), 1e-5, "parameters")
        logs = torch.cat([reference["qH_h"].flatten(), reference["qH_g"].flatten()])
        agrees(result.log_precisions, logs, 1e-5, "log-precisions")


def test_a_world_makes_the_reference_programs_data():
    reference = load("convolution-state_estimation")
    noise = {key: value for key, value in reference.items() if key.startswith("noise_")}
    result = published.convolution("state_estimation", noise=noise)
    assert result.process is not None
    agrees(result.process.v[1], reference["Y"], 1e-10, "data")
    agrees(result.process.x[1], reference["pU_x1"], 1e-10, "states")


def test_generalised_coordinates_agree_with_spm():
    unit = load("unit")
    for n in (1, 2, 3, 5, 7):
        for s in ("0.125", "0.5", "1", "2"):
            agrees(temporal_precision(n, float(s)), unit[f"DEM_R_n{n}_s{s}_precision"], 1e-12, f"n {n}, s {s}")
    signal = unit["embed_Y"].T
    for n in (3, 5, 7):
        rows = unit[f"embed_n{n}"]
        for row in rows[rows[:, 0] == rows[:, 0].round()]:
            ours = embed(signal, n)[int(row[0]) - 1].flatten()
            agrees(ours, row[1:], 1e-10, f"embedding of {n} orders at {row[0]}")
    agrees(noise_kernel(16, 0.5), unit["noise_kernel_s0.5_N16"], 1e-12, "noise kernel")


def test_the_competition_of_attractors_agrees_with_spm():
    import sympy

    a = sympy.symbols("a1:9")
    place = dict(zip(a, [-2.0] + [-6.0] * 7, strict=True))
    for column, speed in enumerate((1, -1)):
        ours = torch.tensor(
            [float(f.subs(place)) for f in lotka_volterra(a, sympy.Integer(speed))], dtype=torch.float64
        )
        agrees(ours, load("unit")["lotka_volterra_f"][:, column], 1e-12, f"speed {speed}")


def eye_error(run: str) -> tuple[float, float]:
    result = published.occlusion(run)
    assert result.process is not None
    error = result.process.x[1][:, 0] - result.process.x[1][:, 2]
    return float(error.pow(2).mean().sqrt()), float(error.abs().max())


def test_pursuit_in_control_and_with_reduced_precision():
    # Numbers of the reference program; the published figure's axes agree (Adams et al. 2012, figures 3 to 6).
    assert eye_error("fig1_occluded_highprec") == pytest.approx((0.217, 0.43), abs=5e-3)
    assert eye_error("fig3_occluded_lowprec") == pytest.approx((0.455, 1.21), abs=5e-3)
    assert eye_error("fig4_reversal_highprec")[0] == pytest.approx(0.261, abs=5e-4)
    assert eye_error("fig4_reversal_lowprec")[0] == pytest.approx(0.230, abs=5e-4)
    learned = [
        float(published.occlusion(run).v[3][-1, 0]) for run in ("fig5_learnfreq_highprec", "fig6_learnfreq_lowprec")
    ]
    assert learned == pytest.approx([1.535, 0.030], abs=5e-4)


def test_an_unexpected_reversal_evokes_larger_errors():
    result = published.pursuit("unexpected_delay16")
    assert float(result.z[1].abs().max()) == pytest.approx(0.59, abs=5e-3)
    assert int(result.z[1].abs().amax(-1).argmax()) + 1 == 77


FORCES = {
    "self_hE-4": (0.107, 0.138),
    "self_hE+0": (0.269, 0.306),
    "self_hE+6": (1.860, 1.816),
}


@pytest.mark.parametrize("run", FORCES)
def test_true_and_perceived_force(run: str):
    result = published.attenuation(run)
    assert result.process is not None
    found = float(result.process.x[1].max()), float(result.x[1][:, 0].max())
    assert found == pytest.approx(FORCES[run], abs=6e-4)


MATCHED = {
    "fig6_normal_F0.5": (0.65, 0.42),
    "fig6_normal_F1": (1.86, 1.41),
    "fig6_normal_F1.5": (2.51, 2.07),
    "fig6_normal_F2": (2.85, 2.43),
    "fig6_delusion_F0.5": (1.02, 0.92),
    "fig6_delusion_F1": (2.00, 1.91),
    "fig6_delusion_F1.5": (2.62, 2.50),
    "fig6_delusion_F2": (2.95, 2.82),
}


@pytest.mark.parametrize("run", MATCHED)
def test_the_force_matching_illusion(run: str):
    result = published.attenuation(run)
    assert result.process is not None
    pressed = result.process.x[1][:, 0]
    found = float(pressed.max()), float(matched(result)[pressed.argmax()])
    assert found == pytest.approx(MATCHED[run], abs=6e-3)


def test_lorenz_finds_the_orbit_again():
    result = published.lorenz("state_estimation_linear0")
    assert result.process is not None
    error = (result.x[1] - result.process.x[1]).abs().amax(-1)
    assert float(error[0]) == pytest.approx(14.0)
    assert float(error[32:].mean()) < 2.5


def test_learning_with_fixed_precisions_stops_where_spm_stops():
    # SPM12 on the same data: 26 E-steps, A21 -0.313; nothing to be corrected in that.
    reference = load("triple-states_params_precisions")
    result = published.triple("states_params_fixedprec", y=reference["Y"])
    assert len(result.free_energy) == 26
    assert float(result.parameters[1]) == pytest.approx(-0.313, abs=1e-3)


def test_parameters_and_log_precisions_of_the_first_e_steps_agree_with_spm():
    # What SPM12 used in E-steps 1 to 3: deviations from the prior means (0) of A21 and C11, and h of V and W (solved
    # from the precision of the errors, R (1 + exp(h))).
    reference = load("triple-states_params_precisions")
    steps = load("triple_steps")
    result = published.triple("states_params_precisions", y=reference["Y"])
    assert result.parameter_history is not None
    assert result.log_precision_history is not None
    agrees(result.parameter_history[:2], steps["parameters"][1:], 1e-8, "parameters")
    agrees(result.log_precision_history[:2], steps["log_precisions"][1:], 1e-8, "log-precisions")


def test_corrected_scheme_agrees_with_later_versions_of_spm():
    # SPM's main branch on the same data: -0.5081, 0.1199, F -580.37, and h of V held at its prior mean of 8.
    reference = load("triple-states_params_precisions")
    model = published.setup("triple", "states_params_precisions").model
    result = invert(model, reference["Y"], iterations=32, scheme="corrected")
    assert result.parameters[[1, 4]].tolist() == pytest.approx([-0.5081, 0.1199], abs=5e-5)
    assert float(result.log_precisions[0]) == pytest.approx(8.0, abs=1e-4)
    assert float(result.free_energy[-1]) == pytest.approx(-580.37, abs=5e-3)
    assert len(result.free_energy) == 32
    flat = published.triple("states_params_precisions", y=reference["Y"])
    assert float(flat.log_precisions[0]) == pytest.approx(8.73, abs=5e-3)


# --- published runs of which no numbers are kept: what their papers and demonstrations say of them


def logs(simulation: Simulation) -> list[list[float]]:
    """Log-precisions V1, W1, V2 of beliefs and of the world."""
    return [
        [
            float(torch.as_tensor(each).log().flatten()[0])
            for each in (model.levels[0].V, model.levels[0].W, model.levels[1].V)
        ]
        for model in (simulation.model, simulation.process)
    ]


def test_what_birdsongs_are_made_of_and_taken_for():
    """Data are twice as precise as they are taken to be; the causes come up at bin 8 and then are the song's."""
    for name, (rayleigh, prandtl) in {"songA": (32, 2), "songB": (26, 8 / 3), "songC": (16, 8 / 3)}.items():
        song = published.setup("birdsong", name)
        assert logs(song) == [pytest.approx([4, 4, -2]), pytest.approx([4 + math.log(2), 4 + math.log(2), 16])]
        assert song.causes[7].tolist() == pytest.approx([rayleigh / 2, prandtl / 2])
        assert song.causes[-1].tolist() == pytest.approx([rayleigh, prandtl])
        assert (len(song.causes), song.model.smoothness) == (64, 1.0)


def test_the_centre_of_song_moves_eight_times_as_slowly_as_the_syrinx():
    """Where it sends 36, both are Lorenz's attractor of a Rayleigh number of 32, and at rest in the same places."""
    model = hierarchical_model()
    functions = model.dynamics(residual=False).bind([])
    for place in ([1.0, 2.0, 3.0], [-4.0, 5.0, 6.0]):
        flow = functions(torch.tensor([*place, *place, 36.0], dtype=torch.float64))["value"][3:]
        assert torch.allclose(flow[:3], 8 * flow[3:])
    rest = math.sqrt(8 / 3 * 31)
    flow = functions(torch.tensor([rest, rest, 31.0] * 2 + [36.0], dtype=torch.float64))["value"][3:]
    assert flow.abs().max() < 1e-12
    assert functions(torch.tensor([1.0, 2, 3, 4, 5, 6, 7]).double())["value"][:3].tolist() == [2, 3, 6]


def test_the_double_well_is_pushed_round_twice_and_has_its_wells_where_the_flow_ends():
    """8 sin(π t / 16) with bins counted from 1; without a push the flow ends at x² = 31 and, unstably, at 0."""
    wells = published.setup("double_well", "state_estimation")
    course = wells.causes[:, 0]
    assert [float(course[bin - 1]) for bin in (8, 16, 24, 40)] == pytest.approx([8, 0, -8, 8], abs=1e-12)
    assert len(course) == 64
    assert logs(wells) == [pytest.approx([2, 16, -math.log(8)]), pytest.approx([2, 16, 16])]
    functions = wells.model.dynamics(residual=False).bind([])
    at = functions(torch.tensor([[math.sqrt(31), 0.0], [0.0, 0.0], [4.0, 3.0]], dtype=torch.float64))
    assert at["value"][:, 2].tolist() == pytest.approx([0, 0, (64 / 17 - 2 + 2 * 3) / 8], abs=1e-12)
    assert at["value"][2, 0] == 1  # x² / 16
    assert at["slope"][0, 2, 0] < 0 < at["slope"][1, 2, 0]


def test_lorenz_is_at_rest_where_his_equations_are():
    """With σ = 18, b = 4 and r = 46.92: where x = y, z = (r - 1) / 2 and 2 x² = b z, in SPM's units, in which products
    count twice; the sum of all three is seen."""
    lorenz = published.setup("lorenz", "state_estimation")
    functions = lorenz.model.dynamics(residual=False).bind(lorenz.model.parameters)
    rest = math.sqrt(2 * 22.96)
    value = functions(torch.tensor([rest, rest, 22.96, 0.0], dtype=torch.float64))["value"]
    assert float(value[0]) == pytest.approx(2 * rest + 22.96)
    assert value[2:].abs().max() < 1e-12
    assert logs(lorenz) == [pytest.approx([0, 16, 16])] * 2
    assert functions(torch.tensor([1.0, 2.0, 0.0, 0.0]).double())["value"][2] == pytest.approx(18 / 32)


def test_who_watches_another_s_arm_does_not_act():
    watched = observed(torch.ones(6, 2).double())
    result = watched.run()
    assert not result.a[2].any()
    assert logs(watched)[0] == pytest.approx([-8, 8, 8])
    assert torch.as_tensor(watched.model.levels[0].V).log().tolist() == pytest.approx([-8] * 4 + [8] * 4)
    assert list(watched.model.levels[0].states.values())[-6:] == [0] * 6
    assert result.process is not None
    assert float(result.process.x[1][-1, 2:].abs().max()) > 0.1  # it is moved


def test_a_plaid_is_brightest_in_the_middle_and_moves_by_an_eighth_of_its_field():
    """Two gratings of two cycles; moved by an eighth of the field a place has the phase of its neighbour's half."""
    places = plaid(8)
    still = [float(each.subs({"x1": 0, "x2": 0})) for each in places]
    assert max(still) == still[3 * 8 + 3] == pytest.approx(1)
    along = [float(each.subs({"x1": 1, "x2": 0})) for each in places]
    across = [float(each.subs({"x1": 0, "x2": 1})) for each in places]
    assert along[3 * 8 + 4] == pytest.approx(1)
    assert across[4 * 8 + 3] == pytest.approx(1)
    assert still[3 * 8 + 1] == pytest.approx(-math.exp(-18 / 16))  # a quarter of the field: half a cycle
    assert logs(published.setup("visual", "flat_priors"))[0] == pytest.approx([4, 8, -8])
    assert logs(published.setup("visual", "tight_priors")) == [pytest.approx([4, 8, 16]), pytest.approx([16, 16, 16])]
