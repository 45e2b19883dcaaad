"""Models: what they refuse, what they keep on disk, and what they say of themselves."""

import json
import math
import re
from xml.etree import ElementTree

import pytest
import sympy
import torch

from phantastic.ground.errors import Refused
from phantastic.inference import Level, LogPrecision, Model, Prior, act, generate, invert, published, symbolic
from phantastic.inference.action import Agent

x, v, k, a = sympy.symbols("x v k a")
GOOD = {"states": {x: 0.0}, "causes": [v], "flow": [v - k * x], "response": [x], "parameters": {k: 0.25}}


def model(**changes: object) -> Model:
    return Model([Level(**{**GOOD, **changes}), Level(V=1.0)])  # type: ignore[arg-type]


REFUSED = {
    "unknown symbol 'z' in row 1 of its flow": {"flow": [v - sympy.Symbol("z")]},
    "unknown symbol 'q' in row 1 of its response": {"response": [sympy.Symbol("q")]},
    "2 expressions in its flow f for 1 states": {"flow": [v, x]},
    "it has no response g": {"response": []},
    "unknown function 'gamma'": {"response": [sympy.gamma(x)]},
    "the precision V is -1; a precision must be positive": {"V": -1.0},
    "the precision W is 0; a precision must be positive": {"W": 0.0},
    "the precision V has 3 channels where 1 are needed": {"V": torch.ones(3)},
    "log_V has 2 expressions where 1 are needed": {"log_V": [x, x]},
    "'x' already stands for something": {"causes": [x]},
    "the smoothness is -1": {"smoothness": -1.0},
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals_name_the_level(message: str):
    with pytest.raises(Refused, match=r"level 1.*" + re.escape(message)):
        model(**REFUSED[message])


def test_a_level_must_fit_the_one_below():
    s = sympy.Symbol("s")
    with pytest.raises(Refused, match="level 2: 2 expressions in its response g, but the 1 causes of level 1 need 1"):
        Model([Level(**GOOD), Level(states={s: 0.0}, flow=[-s], response=[s, s]), Level()])  # type: ignore[arg-type]
    with pytest.raises(Refused, match="at least two levels"):
        Model([Level(**GOOD)])  # type: ignore[arg-type]
    with pytest.raises(Refused, match="level 2 is the last"):
        Model([Level(**GOOD), Level(response=[x])])  # type: ignore[arg-type]


def test_data_that_are_not_numbers_are_refused_by_bin_and_channel():
    y = torch.zeros(8, 1)
    y[4, 0] = math.nan
    with pytest.raises(Refused, match="nan at bin 5, channel 1"):
        invert(model(), y)
    with pytest.raises(Refused, match=r"shape \[8, 2\]; it must be \[..., bins, 1\]"):
        invert(model(), torch.zeros(8, 2))
    with pytest.raises(Refused, match="prior_u has shape"):
        invert(model(), torch.zeros(8, 1), prior_u=torch.zeros(7, 1))


def test_divergence_names_the_bin_and_the_level():
    # Beliefs grow by e in every bin, far from the data; they are refused long before they overflow.
    growing = model(states={x: 1.0}, flow=[x + v], parameters={}, V=1e-3, W=1e3)
    with pytest.raises(Refused, match=r"diverges at bin 2\d: .* error of 'x' of level 1 is \de\+0\d standard"):
        invert(growing, torch.zeros(60, 1))
    with pytest.raises(Refused, match=r"diverges at bin \d: the prediction error of .* of level 1 is no longer finite"):
        invert(model(flow=[sympy.exp(x) + v]), torch.full((60, 1), 1e200, dtype=torch.float64))
    with pytest.raises(Refused, match=r"the process diverges at bin \d+: states of level 1"):
        generate(model(states={x: 3.0}, flow=[x**3 + v]), torch.zeros(60, 1))


def test_noise_of_the_wrong_name_or_shape_is_refused():
    with pytest.raises(Refused, match="no noise called 'noise_w7'"):
        generate(model(), torch.zeros(4, 1), noise={"noise_w7": torch.zeros(4, 1)})
    with pytest.raises(Refused, match="noise_z1 is"):
        generate(model(), torch.zeros(4, 1), noise={"noise_z1": torch.zeros(5, 1)})


def test_model_and_process_must_fit():
    still, moving = model(), model(actions={a: 0.0}, flow=[v + a - k * x])
    with pytest.raises(Refused, match="no level of the process has an action"):
        act(still, still, torch.zeros(4, 1))
    with pytest.raises(Refused, match="the model predicts 1 channels at level 1, the process sends 2"):
        act(still, Model([Level(**{**GOOD, "actions": {a: 0.0}, "response": [x, x]}), Level()]), torch.zeros(4, 1))  # type: ignore[arg-type]
    with pytest.raises(Refused, match="nothing is learned while acting"):
        act(model(parameters={k: Prior(0.2, 1.0)}), moving, torch.zeros(4, 1))


def test_names_of_runs_are_checked():
    with pytest.raises(Refused, match="did you mean 'self_hE-4'"):
        published.attenuation("self_hE-44")
    with pytest.raises(Refused, match="did you mean 'occlusion'"):
        published.setup("oclusion", "x")
    with pytest.raises(Refused, match="no parameter 'hh'"):
        published.setup("attenuation", "self_hE+0").model.with_parameters(hh=1.0)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(symbolic, "_programs", {})
    return tmp_path


def infer(strength: float = 0.25) -> torch.Tensor:
    return invert(model(parameters={k: strength}), torch.ones(4, 1)).x[1]


def test_compiled_models_are_kept_and_read_again(cache, monkeypatch):
    first = infer()
    files = list(cache.rglob("*.json"))
    assert len(files) == 1
    monkeypatch.setattr(symbolic, "_programs", {})
    monkeypatch.setattr(symbolic, "_compile", lambda *_: pytest.fail("compiled again"))
    assert torch.equal(infer(), first)
    assert not torch.equal(infer(0.5), first)  # another value of a parameter compiles nothing


@pytest.mark.parametrize("damage", ["truncated", "foreign", "call", "empty", "a digit"])
def test_a_damaged_cache_is_compiled_anew(cache, monkeypatch, damage: str):
    first = infer()
    (file,) = cache.rglob("*.json")
    text = file.read_text()
    if damage == "a digit":  # of a constant of the flow: other numbers, and no error
        head, _, rest = text.partition("\n")
        where = max(rest.rfind(digit) for digit in "123456789")
        file.write_text(f"{head}\n{rest[:where]}{(int(rest[where]) + 1) % 10}{rest[where + 1 :]}")
    elif damage == "call":
        content = json.loads(text.partition("\n")[2])
        content["source"] = "def constant(p):\n    return []\ndef varying(w, p):\n    return [open('/tmp/x')]"
        file.write_text(json.dumps(content))
    else:
        file.write_text({"truncated": text[:40], "foreign": "[1, 2]", "empty": ""}[damage])
    monkeypatch.setattr(symbolic, "_programs", {})
    assert torch.equal(infer(), first)


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    monkeypatch.setattr(symbolic, "_programs", {})
    assert infer().isfinite().all()


def test_equations_as_latex():
    (block,) = model().latex()
    assert r"\dot{x} &= - k x + v" in block
    assert block.startswith(r"\begin{aligned}")
    s = sympy.Symbol("s")
    first = {**GOOD, "response": [x, k * x**2], "log_V": [8 - x, 0.123456 * x], "flow": [v - k * x]}
    lower, upper = Model([Level(**first), Level(states={s: 0.0}, flow=[-s], response=[s]), Level()]).latex()  # type: ignore[arg-type]
    assert lower.split("\n")[1:-1] == [
        r"g^{(1)}_{1} &= x \\",
        r"g^{(1)}_{2} &= k x^{2} \\",
        r"\ln\Pi^{(1)}_{1} &= 8 - x \\",
        r"\ln\Pi^{(1)}_{2} &= 0.1235 x \\",
        r"\dot{x} &= - k x + v",
    ]
    assert upper.split("\n")[1:-1] == [r"g^{(2)}_{1} &= s \\", r"\dot{s} &= - s"]


def test_equations_as_mathml_name_function_level_and_row():
    g, f = model().mathml()
    assert "<msubsup><mi>g</mi><mn>1</mn><mrow><mo>(</mo><mn>1</mn><mo>)</mo></mrow></msubsup><mo>=</mo><mi>x</mi>" in g
    assert "<mfrac><mrow><mi>d</mi><mi>x</mi></mrow><mrow><mi>d</mi><mi>t</mi></mrow></mfrac><mo>=</mo>" in f
    assert "<mo>−</mo>" in f
    assert "<mo>-</mo>" not in f


def test_a_level_or_a_learned_precision_that_cannot_be_is_refused():
    for number in (0, 3):
        with pytest.raises(Refused, match=f"no level {number}: the model has levels 1 to 2"):
            model().with_level(number, V=2.0)
    assert (model().with_level(1, V=2.0).levels[0].V, model().with_level(2, V=3.0).levels[1].V) == (2, 3)
    for bad in (LogPrecision(1.0, -1.0), LogPrecision(1.0, 1.0, floor=-0.5)):
        with pytest.raises(Refused, match="both are 0 or more"):
            model(V=bad)
    assert model(V=LogPrecision(1.0, 0.0, floor=0.0), smoothness=0.0).ny == 1
    with pytest.raises(Refused, match="both be expressions or both be functions"):
        model(flow=lambda x, v, p: -x)
    with pytest.raises(Refused, match="log_W has 2 expressions where 1 are needed"):
        model(log_W=[x, x])


def test_equations_as_mathml():
    """Every equation is a well-formed element (named entities aside), with conditions in brackets and short numbers."""
    for name, run, count in (("occlusion", "fig1_occluded_highprec", 25), ("attenuation", "self_hE+4", 6)):
        experiment = published.setup(name, run)
        lines = experiment.model.mathml()
        assert len(lines) == count
        for line in lines:
            assert ElementTree.fromstring(re.sub(r"&(?!lt;|gt;|amp;)\w+;", "", line)).tag == "math"
    assert any("[x &lt; 1/2]" in line for line in published.setup("occlusion", "fig1_occluded_highprec").model.mathml())
    assert "ln Π" in "".join(lines)
    plaid = "".join(published.setup("visual", "tight_priors").model.mathml())
    assert max(map(len, re.findall(r"<mn>([\d.]+)</mn>", plaid))) < 8


def test_an_agent_keeps_nothing_between_its_steps():
    """Bins taken one by one, one of them twice, are the run; a state is left as it was."""
    e = published.setup("attenuation", "self_hE+4")
    agent = Agent(e.model, e.process, e.causes, e.prior_u, e.orders, e.noise, None, shrinkage=0.0)
    state, actions = agent.init(), []
    for _ in range(6):
        once, again = agent.step(state), agent.step(state)
        assert all(torch.equal(one, other) for one, other in zip(once[1], again[1], strict=True))
        state, info = again
        actions.append(info.a)
    assert state.bin == 6
    assert torch.equal(torch.stack(actions), e.run().a[2][:6])
