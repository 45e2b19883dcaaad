"""Laws of the filtering schemes: derivatives, linearisation, limits that are known, bounds and invariances."""

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg
import sympy
import torch
from torch.func import jacrev

from phantastic.ground.randomness import numpy_generator
from phantastic.inference import Level, Model, Prior, filter, generate, invert, published, symbolic
from phantastic.inference.divergence import astray, deviations, first
from phantastic.inference.generalised import embed, temporal_precision
from phantastic.inference.generation import innovations
from phantastic.inference.linearise import ascend, expm1, log_determinant, polynomial, step
from phantastic.inference.prediction_errors import Geometry
from phantastic.inference.published import eye, force
from phantastic.inference.published.simulation import bump


def smooth_model(seed: int) -> tuple[Model, Model]:
    """A random nonlinear model, once as expressions and once as functions of tensors."""
    A, B, C, D = (numpy_generator(seed, name).normal(size=shape) for name, shape in
                  (("A", (3, 3)), ("B", (3, 2)), ("C", (2, 3)), ("D", (2, 2))))  # fmt: skip
    x, v, p = sympy.symbols("x1:4"), sympy.symbols("v1:3"), sympy.symbols("p1:3")
    inner, outer = sympy.Matrix(A) * sympy.Matrix(x), sympy.Matrix(C) * sympy.Matrix(x)
    flow = [sympy.tanh(p[0] * inner[i]) - x[i] + sum(B[i, j] * v[j] for j in range(2)) for i in range(3)]
    response = [
        sympy.sin(outer[i]) + p[1] * x[0] ** 2 + sum(D[i, j] * sympy.exp(v[j] / 4) for j in range(2)) for i in range(2)
    ]
    A_, B_, C_, D_ = (torch.from_numpy(M) for M in (A, B, C, D))
    parameters = {p[0]: Prior(0.7, 1.0), p[1]: Prior(0.3, 1.0)}
    states = dict(zip(x, (0.1, -0.2, 0.3), strict=True))
    symbolic = Level(states=states, causes=v, flow=flow, response=response, parameters=parameters)
    plain = Level(
        states={str(s): value for s, value in states.items()},
        causes=[str(s) for s in v],
        flow=lambda x, v, p: torch.tanh(p[0] * (A_ @ x)) - x + B_ @ v,
        response=lambda x, v, p: torch.sin(C_ @ x) + p[1] * x[0] ** 2 + D_ @ torch.exp(v / 4),
        parameters={str(s): value for s, value in parameters.items()},
    )
    return Model([symbolic, Level()]), Model([plain, Level()])


@pytest.mark.parametrize("seed", range(5))
def test_derivatives_of_expressions_are_those_of_autodiff(seed: int):
    expressions, functions = smooth_model(seed)
    point = torch.from_numpy(numpy_generator(seed, "point").normal(size=(4, 5)))
    for program in ("dynamics", "learning"):
        arguments = {"residual": True} if program == "dynamics" else {}
        ours = getattr(expressions, program)(**arguments).bind(expressions.parameters)
        autodiff = getattr(functions, program)(**arguments).bind(functions.parameters)(point)
        for name, array in ours(point).items():
            torch.testing.assert_close(array, autodiff[name], rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(
                ours(point[0])[name], array[0], rtol=1e-12, atol=1e-12
            )  # floats and tensors agree


def test_errors_derivative_is_that_of_autodiff():
    model, _ = smooth_model(3)
    geometry = Geometry(model, (4, 2))
    functions = model.dynamics(residual=True).bind(model.parameters)
    u = torch.from_numpy(numpy_generator(0, "u").normal(size=geometry.nu)) / 5
    data = torch.from_numpy(numpy_generator(0, "data").normal(size=(geometry.n, geometry.rows)))
    data[:, geometry.ne :] = 0
    slope = functions(geometry.full(u)[0])["slope"]

    def errors(u: torch.Tensor) -> torch.Tensor:  # at a slope that is held, as generalised coordinates are defined
        w = geometry.full(u)
        return geometry.errors(data, w, w[0] @ slope.T, slope)

    exact = -jacrev(errors)(u)
    kept = geometry.dense(slope).reshape(exact.shape)
    torch.testing.assert_close(exact[:-1], kept[:-1])  # the last order has no error of its own, yet keeps its slope
    precision = torch.rand(geometry.rows, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
    dense = geometry.dense(slope)
    weights = geometry.dense_precision(precision)
    torch.testing.assert_close(geometry.curvature(slope, precision), dense.T @ weights @ dense)
    e = errors(u)
    torch.testing.assert_close(geometry.back(geometry.weigh(e, precision), slope), dense.T @ weights @ e.flatten())


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0, 1e4])
def test_local_linearisation_is_exact_for_linear_systems(scale: float):
    generator = numpy_generator(1, "linear")
    A = torch.from_numpy(generator.normal(size=(6, 6))) - 3 * torch.eye(6)
    A[:3] *= scale
    forcing = torch.from_numpy(generator.normal(size=(4, 6)))
    joint = np.zeros((10, 10))
    joint[:6, :6], joint[:6, 6:], joint[6:, 6:] = A, forcing.T, polynomial(4)
    assert A.shape == (6, 6)
    if torch.linalg.eigvals(A).real.max() > 5:
        A = A - 2 * torch.linalg.eigvals(A).real.max() * torch.eye(6)
        joint[:6, :6] = A
    exact = scipy.linalg.expm(joint)[:6, 6]
    ours = step(A, forcing, polynomial(4)).numpy()
    assert np.abs(ours - exact).max() <= 1e-12 * max(1.0, np.abs(exact).max())
    assert np.allclose(expm1(A).numpy() + np.eye(6), scipy.linalg.expm(A.numpy()), atol=1e-12)


def test_white_noise_and_a_linear_model_give_the_kalman_bucy_filter():
    # Without smoothness only the first order of the errors counts. If beliefs ascend at the rate of the stationary
    # variance, they are the Kalman-Bucy filter, up to the square of the flow's own slope.
    decay, V, W, bins = 0.003, 1.0, 1e4, 600
    variance = (-decay + math.sqrt(decay**2 + V / W)) / V
    assert -2 * decay * variance + 1 / W - V * variance**2 == pytest.approx(0, abs=1e-15)  # Riccati's equation
    y = np.cumsum(numpy_generator(0, "kalman").normal(size=bins)) / 10
    gain = variance * V
    kalman, rate = [0.0], decay + gain
    for t in range(bins - 1):  # exact within a bin; data go on as they last moved, as two orders of motion have it
        slope = y[1] - y[0] if t == 0 else y[t] - y[t - 1]
        fade = math.exp(-rate)
        level = (1 - fade) / rate
        kalman.append(fade * kalman[-1] + gain * (y[t] * level + slope * (1 - level) / rate))
    x, k = sympy.symbols("x k")
    first = Level(states={x: 0.0}, flow=[-k * x], response=[x], parameters={k: decay}, V=V, W=W)
    model = Model([first, Level()], smoothness=1e-3)
    result = invert(model, torch.from_numpy(y)[:, None], orders=(1, 0), rate=variance)
    assert np.abs(result.x[1][:, 0].numpy() - kalman).max() <= 1e-4 * np.abs(kalman).max()


def test_free_energy_of_a_static_linear_model_is_its_log_evidence():
    # One bin's worth of data, no dynamics: with all precisions known the bound is tight when the mean has converged.
    x = sympy.symbols("v")
    model = Model([Level(causes=[x], response=[2 * x], V=4.0), Level(V=0.5)])
    y = torch.full((40, 1), 1.3, dtype=torch.float64)
    evidence = -0.5 * (1.3**2 / (1 / 4 + 4 / 0.5) + math.log(2 * math.pi * (1 / 4 + 4 / 0.5)))
    assert float(invert(model, y, orders=(0, 0)).free_energy[-1]) == pytest.approx(40 * evidence, abs=1e-9)
    for guess in (-2.0, -0.5, 0.4, 3.0):
        one = invert(model.with_level(2, initial=guess), y[:1], orders=(0, 0))
        assert float(one.free_energy[-1]) == pytest.approx(evidence, abs=1e-9)


def test_beliefs_of_a_static_linear_model_are_the_conjugate_posteriors_of_each_datum():
    # y = C v + z, v ~ N(u, 1 / p): precision p + C' V C, mean (p u + C' V y) / it, each bin of its own datum.
    v = sympy.symbols("v1:3")
    C = torch.tensor([[2.0, 0.5], [-1.0, 1.0], [0.3, 0.0]], dtype=torch.float64)
    V, p = torch.tensor([4.0, 1.0, 9.0], dtype=torch.float64), torch.tensor([0.5, 2.0], dtype=torch.float64)
    response = [sum(float(C[i, j]) * v[j] for j in range(2)) for i in range(3)]
    model = Model([Level(causes=v, response=response, V=V), Level(V=p)])
    generator = numpy_generator(0, "static")
    y, u = (torch.from_numpy(generator.normal(size=(30, k))) for k in (3, 2))
    exact = torch.linalg.inv(torch.diag(p) + C.T @ torch.diag(V) @ C)
    mean = (u * p + y * V @ C) @ exact
    result = invert(model, y, prior_u=u, orders=(0, 0))
    torch.testing.assert_close(result.v[2], mean, rtol=0, atol=1e-10)
    torch.testing.assert_close(result.covariance.v, exact.expand(30, 2, 2), rtol=0, atol=1e-10)


def test_beliefs_of_a_static_curved_model_are_the_modes_of_each_datum():
    # y = v^3 + z from a start at which a whole step goes far too far: the ascent ends where the gradient is 0.
    v = sympy.Symbol("v")
    model = Model([Level(causes=[v], response=[v**3], V=10.0), Level(V=0.1, initial=0.05)])
    y = torch.linspace(0.5, 8.0, 12, dtype=torch.float64)[:, None]
    found = invert(model, y, orders=(0, 0)).v[2]
    gradient = 10 * (y - found**3) * 3 * found**2 - 0.1 * found
    assert float(gradient.abs().max()) <= 1e-6
    assert bool((found > 0.5).all())


def test_perception_of_a_still_world_never_loses_free_energy():
    # Data that do not move: the flow is a pure ascent, so that the energy of the errors falls from bin to bin.
    x, v = sympy.symbols("x v")
    level = Level(states={x: 1.0}, causes=[v], flow=[(v - x) / 4], response=[sympy.tanh(x)], V=8.0, W=4.0)
    model = Model([level, Level(V=1.0)])
    y = torch.full((30, 1), 0.4, dtype=torch.float64)
    result = invert(model, y, orders=(0, 0))
    energy = 8 * result.z[1] ** 2 + result.z[2] ** 2
    assert bool((energy.diff(dim=0)[:, 0] <= 1e-12).all())
    assert float(energy[-1]) < float(energy[0])


def test_embedding_converges_with_its_order():
    t = torch.arange(21, dtype=torch.float64)
    signal = torch.sin(0.4 * t)[:, None]
    errors = []
    for orders in (3, 5, 7, 9):
        derivative = embed(signal, orders)[10, 1, 0]
        errors.append(abs(float(derivative) - 0.4 * math.cos(0.4 * 10)))
    assert all(after < before / 5 for before, after in pairwise(errors))
    polynomial_ = (t**3 - 2 * t)[:, None]
    torch.testing.assert_close(
        embed(polynomial_, 5)[10, :, 0], torch.tensor([980.0, 298.0, 60.0, 6.0, 0.0]).double(), atol=1e-8, rtol=0
    )


def test_the_process_continues_its_own_course_exactly():
    # dx/dt = v - x / 4 with v = t / 10: a ramp is embedded without error, and so is the step.
    x, v = sympy.symbols("x v")
    model = Model([Level(states={x: 0.5}, causes=[v], flow=[v - x / 4], response=[x]), Level()])
    t = torch.arange(32, dtype=torch.float64)
    ramp = generate(model, 0.1 * t[:, None], orders=(4, 2)).x[1][:, 0]
    fade = math.exp(-0.25)
    exact = fade * ramp[2:29] + 0.1 * t[2:29] * 4 * (1 - fade) + 0.1 * (4 - 16 * (1 - fade))
    torch.testing.assert_close(ramp[3:30], exact, atol=1e-12, rtol=0)


def test_of_an_affine_model_one_exponential_for_all_bins_and_one_for_each_say_the_same(monkeypatch):
    experiment = published.setup("triple", "states_params_precisions")
    y = generate(experiment.process, experiment.causes[:8], seed=0).v[1]
    one = invert(experiment.model, y, orders=(3, 1), iterations=2)
    monkeypatch.setattr(filter, "_follow_affine", filter._follow)
    other = invert(experiment.model, y, orders=(3, 1), iterations=2)
    assert float(one.parameter_history.diff(dim=0).abs().max()) > 0.01, "parameters are uncertain, and learned"
    for name in ("parameters", "log_precisions", "free_energy"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(one.x[1], other.x[1], rtol=0, atol=1e-6)


def test_each_level_has_noise_of_its_own_smoothness_in_the_world_and_in_beliefs():
    """A Gaussian kernel of width s gives the autocorrelation exp(-t² / 4 s²)."""
    v, x = sympy.symbols("v1:25"), sympy.symbols("x1:25")
    first = Level(states=dict.fromkeys(x, 0.0), causes=v, flow=[-s for s in x], response=v, smoothness=1.5)
    model = Model([first, Level(smoothness=0.6)], smoothness=5.0)
    z, w = (each[:, 0] for each in innovations(model, torch.zeros(100, 24, dtype=torch.float64), 1, None, seed=0))
    for noise, width in ((z[:, :24], 1.5), (w, 1.5), (z[:, 24:], 0.6)):
        for lag in (1, 2):
            correlation = (noise[lag:] * noise[:-lag]).mean() / noise.square().mean()
            assert float(correlation) == pytest.approx(math.exp(-(lag**2) / (4 * width**2)), abs=0.12)
    g = Geometry(model, (3, 1))
    whole = g.dense_precision(torch.arange(1.0, g.rows + 1).double()).unflatten(0, (g.n, -1)).unflatten(2, (g.n, -1))
    for row, width in ((0, 1.5), (23, 1.5), (24, 0.6), (47, 0.6), (48, 1.5)):  # outputs, causes, states
        torch.testing.assert_close(whole[:, row, :, row], (row + 1) * temporal_precision(g.n, width))


def test_a_batch_is_its_subjects():
    W2 = torch.tensor([[1.0], [7.0], [54.6]], dtype=torch.float64)
    model, process = eye.occlusion_models(W2=W2)
    experiment = published.setup("occlusion", "fig1_occluded_highprec")
    few = {"causes": experiment.causes[:24], "prior_u": experiment.prior_u[:24]}  # type: ignore[index]
    together = experiment.changed(model=model, process=process, **few).run()
    for i in range(3):
        alone, _ = eye.occlusion_models(W2=float(W2[i, 0]))
        one = experiment.changed(model=alone, **few).run()
        torch.testing.assert_close(together.x[1][i], one.x[1], rtol=0, atol=1e-12)
        torch.testing.assert_close(together.a[2][i], one.a[2], rtol=0, atol=1e-12)
        torch.testing.assert_close(together.free_energy[i], one.free_energy, rtol=1e-12, atol=0)


def test_a_batch_of_forces_and_of_learners_is_its_subjects():
    together = force.pressing(torch.tensor([-2.0, 3.0], dtype=torch.float64)).run()
    for i, h in enumerate((-2.0, 3.0)):
        torch.testing.assert_close(together.x[1][i], force.pressing(h).run().x[1], rtol=0, atol=1e-12)
    experiment = published.setup("triple", "states_params_precisions")
    y = experiment.run().process.v[1]  # type: ignore[union-attr]
    both = invert(experiment.model, torch.stack([y, 1.2 * y]), iterations=3)
    for i, data in enumerate((y, 1.2 * y)):
        one = invert(experiment.model, data, iterations=3)
        torch.testing.assert_close(both.parameters[i], one.parameters, rtol=0, atol=1e-9)
        torch.testing.assert_close(both.free_energy[i], one.free_energy, rtol=1e-9, atol=0)


def test_functions_of_tensors_and_expressions_give_one_inference():
    expressions, functions = smooth_model(1)
    y = torch.from_numpy(numpy_generator(0, "y").normal(size=(6, 2))) / 4
    ours, plain = (invert(model, y, orders=(3, 2), iterations=2) for model in (expressions, functions))
    torch.testing.assert_close(ours.x[1], plain.x[1], rtol=0, atol=1e-9)
    torch.testing.assert_close(ours.parameters, plain.parameters, rtol=0, atol=1e-9)


def test_parts_of_free_energy_add_up():
    for result in (published.convolution("state_estimation"), published.attenuation("self_hE+4")):
        parts = result.parts
        torch.testing.assert_close(parts.accuracy - parts.complexity, result.free_energy[-1])


def test_errors_are_weighted_by_standard_deviations_not_by_variances():
    """Precisions of 4, 9 and 16 are deviations of a half, a third and a quarter."""
    x, v = sympy.symbols("x v")
    V = torch.tensor([4.0, 9.0], dtype=torch.float64)
    first = Level(states={x: 0.0}, causes=[v], flow=[v - x], response=[x, 2 * x], V=V, W=16.0)
    result = invert(Model([first, Level(V=25.0)]), torch.ones(6, 2, dtype=torch.float64), orders=(2, 1))
    weighted = result.weighted_errors()
    for name, level, factor in (("z", 1, [2.0, 3.0]), ("z", 2, [5.0]), ("w", 1, [4.0])):
        plain = getattr(result, name)[level]
        torch.testing.assert_close(weighted[name][level], plain * torch.tensor(factor, dtype=torch.float64))
        assert bool((plain != 0).any())


def test_parts_of_the_free_energy_of_a_static_linear_model():
    """y = 2 v + z at one bin: log p(y | m) of the data, log p(m) of the belief, and half the log of its variance."""
    v = sympy.Symbol("v")
    model = Model([Level(causes=[v], response=[2 * v], V=4.0), Level(V=0.5, initial=0.3)])
    result = invert(model, torch.full((1, 1), 1.3, dtype=torch.float64), orders=(0, 0))
    mean = 4 * 2 * 1.3 / (4 * 4 + 0.5)
    accuracy = 0.5 * (math.log(4 / (2 * math.pi)) - 4 * (1.3 - 2 * mean) ** 2)
    entropy = -0.5 * math.log(4 * 4 + 0.5)
    prior = 0.5 * (math.log(0.5) - 0.5 * mean**2)
    assert float(result.parts.accuracy) == pytest.approx(accuracy)
    assert float(result.parts.entropy) == pytest.approx(entropy)
    assert float(result.parts.complexity) == pytest.approx(-prior - entropy)
    assert float(result.covariance.v) == pytest.approx(1 / 16.5)
    assert result.z[1].item() == pytest.approx(1.3 - 2 * mean)
    assert result.v[1].item() == pytest.approx(2 * mean)


def test_drawn_noise_has_its_precision_and_none_where_that_is_beyond_16():
    """Variances 1/4 and 1/100, also of states; exp(16) counts as none, as in SPM; every array has its own."""
    x, v = sympy.symbols("x1:401"), sympy.symbols("v1:401")
    V = torch.tensor([4.0] * 200 + [math.exp(16)] * 200, dtype=torch.float64)
    first = Level(states=dict.fromkeys(x, 0.0), causes=v, flow=[-s for s in x], response=v, V=V, W=100.0)
    model = Model([first, Level(V=math.exp(15.9))])
    z, w = (each[:, 0] for each in innovations(model, torch.zeros(30, 400).double(), 1, None, seed=3))
    assert float(z[:, :200].var()) == pytest.approx(1 / 4, rel=0.08)
    assert not z[:, 200:400].any()
    assert float(z[:, 400:].std()) == pytest.approx(math.exp(-7.95), rel=0.08)
    assert float(w.var()) == pytest.approx(1 / 100, rel=0.08)
    assert not torch.allclose(w[:, :200] * 5, z[:, :200])
    again, other = (innovations(model, torch.zeros(30, 400).double(), 1, None, seed=seed)[1][:, 0] for seed in (3, 4))
    assert torch.equal(w, again)
    assert not torch.equal(w, other)
    given = torch.ones(30, 400).double()
    kept, still = innovations(model, given, 1, {"noise_z1": 7 * given}, seed=None)
    assert kept[:, 0].tolist() == [[7.0] * 400 + [1.0] * 400] * 30  # what drives the last level comes on top
    assert not still.any()


def test_a_run_draws_its_noise_from_the_seed_or_takes_the_published_one():
    """Without either it is the published noise; edits are made to the data and not to what happened."""
    experiment = published.setup("convolution", "state_estimation")
    assert experiment.noise is not None
    plain, drawn, other = experiment.run(), experiment.run(seed=5), experiment.run(seed=6)
    same = experiment.run(noise=experiment.noise)
    for result, kept in ((plain, True), (drawn, False), (other, False)):
        assert result.process is not None
        assert torch.allclose(result.process.z[1], experiment.noise["noise_z1"]) == kept
    assert torch.equal(plain.x[1], same.x[1])
    assert not torch.equal(drawn.x[1], other.x[1])
    unkept = experiment.changed(noise=None)
    assert torch.equal(unkept.run().x[1], unkept.run(seed=0).x[1])
    doubled = experiment.changed(edit=lambda y: 2 * y).run()
    assert torch.allclose(doubled.v[1] + doubled.z[1], 2 * (plain.v[1] + plain.z[1]))
    assert doubled.process is not None
    assert torch.equal(doubled.process.v[1], plain.process.v[1])  # type: ignore[union-attr]


@pytest.mark.parametrize("name", [*symbolic._NAMES, "Abs", "sign", "Piecewise"])
def test_every_function_and_its_slope_is_the_same_of_floats_and_of_tensors(name: str):
    """And that of SymPy itself, also where a case of a function depends on the state."""
    x = sympy.Symbol("x")
    inner = x / 3 - sympy.Rational(1, 5) if name not in ("log", "sqrt") else x / 3 + 1
    function = getattr(sympy, name)
    expression = sympy.Piecewise((x**2, x < 0.4), (3 * x, True)) if name == "Piecewise" else function(inner)
    model = Model([Level(states={x: 0.0}, flow=[-x], response=[expression]), Level()])
    functions = model.dynamics(residual=False).bind([])
    points = torch.tensor([[-0.9], [0.3], [0.5], [1.7]], dtype=torch.float64)
    together = functions(points)
    for row, point in enumerate(points):
        alone = functions(point)
        value = float(expression.subs(x, float(point)))
        slope = (float(expression.subs(x, float(point) + 1e-6)) - float(expression.subs(x, float(point) - 1e-6))) / 2e-6
        for arrays in (alone, {key: array[row] for key, array in together.items()}):
            assert float(arrays["value"][0]) == pytest.approx(value, rel=1e-12)
            assert float(arrays["slope"][0, 0]) == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_a_bump_is_centred_and_as_wide_as_told():
    """exp(-(t - centre)² / width) with bins counted from 1."""
    course = bump(20, 12, 4)[:, 0]
    assert course.argmax() == 11
    assert [float(course[bin - 1]) for bin in (12, 10, 14, 1)] == pytest.approx(
        [1, math.exp(-1), math.exp(-1), math.exp(-121 / 4)]
    )


def test_determinants_count_singular_values_and_of_diagonals_what_is_positive():
    """As SPM does; what is beyond 1e16 either way is left out."""
    matrix = torch.tensor([[1.0, 2.0], [3.0, -4.0]], dtype=torch.float64)
    assert float(log_determinant(matrix)) == pytest.approx(math.log(10))
    diagonal = torch.diag(torch.tensor([4.0, -5.0, 0.5, 1e17, 1e-17], dtype=torch.float64))
    both = torch.stack([diagonal, diagonal + 0.0])
    assert log_determinant(both).tolist() == pytest.approx([math.log(2)] * 2)


def test_ascent_is_newtons_step_in_the_long_run_and_a_flow_in_the_short():
    """du/dt = g + C u for a time of exp(log_time) / det(-C)^(1/n); to an uncoupled C its own time is not given."""
    gradient, curvature = torch.tensor([3.0, -1.0]).double(), torch.tensor([[-2.0, 1.0], [1.0, -2.0]]).double()
    for log_time in (-2.0, 0.0, 1.0, 20.0):
        time = math.exp(log_time) / math.sqrt(3)
        moved = torch.linalg.matrix_exp(curvature * min(time, 99)) - torch.eye(2)
        expected = moved @ torch.linalg.solve(curvature, gradient)
        torch.testing.assert_close(ascend(gradient, curvature, torch.tensor(log_time).double()), expected)
    alone = ascend(gradient[:1], curvature[:1, :1], torch.tensor(-1.0).double())
    assert float(alone) == pytest.approx(1.5 * (1 - math.exp(-2 * math.exp(-1))))


def test_divergence_is_a_hundred_thousand_times_the_start_or_one_deviation():
    start = torch.tensor([3.0, 0.1], dtype=torch.float64)
    size = torch.tensor([[2.9e5, 3e5], [3.1e5, 1.0], [math.nan, 0.0]], dtype=torch.float64)
    assert astray(size, start).tolist() == [[False, False], [True, False], [True, False]]
    assert astray(torch.tensor([[9e4, 1.1e5]]).double(), start / 100).tolist() == [[False, True]]
    errors = torch.tensor([[3.0, -2.0], [0.0, math.inf]], dtype=torch.float64)  # orders, rows
    found = deviations(errors, torch.tensor([4.0, 9.0]).double())
    assert float(found[0]) == 6
    assert bool(found[1].isnan())
    bad = torch.zeros(3, 5, 2, dtype=torch.bool)
    bad[2, 3, 0] = bad[1, 4, 1] = True
    assert first(bad) == (3, 2, "bin 4 of subject 3")
    assert first(bad[1]) == (4, 0, "bin 5")


def test_a_level_that_is_driven_by_another_level_keeps_its_course_exactly():
    """ds/dt = -s / 4 drives dx/dt = s - x / 2: from s = 1 and x = 0, x = 4 (exp(-t / 4) - exp(-t / 2))."""
    x, s, v = sympy.symbols("x s v")
    first = Level(states={x: 0.0}, causes=[v], flow=[v - x / 2], response=[x])
    model = Model([first, Level(states={s: 1.0}, flow=[-s / 4], response=[s]), Level()])
    for orders in ((2, 1), (6, 2)):
        found = generate(model, torch.zeros(20, 0).double(), orders=orders)
        t = torch.arange(20, dtype=torch.float64)
        torch.testing.assert_close(found.x[2][:, 0], torch.exp(-t / 4), rtol=0, atol=1e-10)
        torch.testing.assert_close(found.x[1][:, 0], 4 * (torch.exp(-t / 4) - torch.exp(-t / 2)), rtol=0, atol=1e-10)
        assert torch.equal(found.v[2], found.x[2])
