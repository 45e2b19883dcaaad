"""Lesions of recurrent modules, embeddings and modules that return more than one tensor: every unit is damaged wherever
it is read, and everything else that holds of lesions holds there too."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.lesion import KINDS, damage, sites
from phantastic.nn.units import units_of, weights_of

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")  # are slower, says PyTorch
WIDTH, UNITS, BATCH, STEPS = 3, 4, 5, 6
LENGTHS = torch.tensor([2, 6, 1, 6, 3])


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class Fields:
    first: Tensor
    second: Tensor


class Returning(nn.Module):
    """Declares its units and returns them as the first part of something."""

    units, unit_axis = UNITS, -2

    def __init__(self, made: Callable[[Tensor, Tensor], Any]):
        super().__init__()
        self.made = made

    def forward(self, x: Tensor) -> Any:
        return self.made(x[..., None, :] * torch.arange(1.0, UNITS + 1)[:, None], x)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(0, "inputs"))


def packed(ordered: bool) -> PackedSequence:
    lengths = LENGTHS.sort(descending=True).values if ordered else LENGTHS
    return pack_padded_sequence(drawn(STEPS, BATCH, WIDTH), lengths, enforce_sorted=ordered)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: nn.LSTM(WIDTH, UNITS),
    "lstm both ways, two layers": lambda: nn.LSTM(WIDTH, UNITS, 2, batch_first=True, bidirectional=True),
    "lstm projected": lambda: nn.LSTM(WIDTH, UNITS, 2, proj_size=2, bidirectional=True),
    "lstm without biases": lambda: nn.LSTM(WIDTH, UNITS, bias=False),
    "gru": lambda: nn.GRU(WIDTH, UNITS, 2, batch_first=True, bidirectional=True),
    "rnn": lambda: nn.RNN(WIDTH, UNITS, nonlinearity="relu"),
    "lstm cell": lambda: nn.LSTMCell(WIDTH, UNITS),
    "gru cell": lambda: nn.GRUCell(WIDTH, UNITS),
    "rnn cell": lambda: nn.RNNCell(WIDTH, UNITS),
    "embedding": lambda: nn.Embedding(7, UNITS, padding_idx=0),
    "tuple": lambda: Returning(lambda x, y: (x, y)),
    "named tuple": lambda: Returning(Pair),
    "dataclass": lambda: Returning(Fields),
}
RECURRENT = [name for name in MODULES if name.split()[0] in ("lstm", "gru", "rnn")]
LAYERS = [name for name in RECURRENT if "cell" not in name]
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
EVERY_MODULE = pytest.mark.parametrize("name", MODULES)


def built(name: str) -> nn.Module:
    with initialised(0, name):
        return MODULES[name]().eval()


def inputs_of(name: str) -> list[Any]:
    """What the module takes: a batch and, for a recurrent layer, a single sequence and packed ones."""
    if name == "embedding":
        return [torch.arange(6).view(2, 3)]
    if name in LAYERS:
        return [drawn(STEPS, BATCH, WIDTH), drawn(STEPS, WIDTH), packed(ordered=False), packed(ordered=True)]
    return [drawn(BATCH, WIDTH)]


def tensors(returned: Any) -> list[Tensor]:
    match returned:
        case Tensor():
            return [returned]
        case PackedSequence():
            return [returned.data]
        case tuple():
            return [tensor for part in returned for tensor in tensors(part)]
    return [returned.first, returned.second]


@torch.no_grad()
def answers(name: str, module: nn.Module) -> list[Tensor]:
    return [tensor for inputs in inputs_of(name) for tensor in tensors(module(inputs))]


def bits(parts: list[Tensor]) -> list[bytes]:
    return [part.detach().contiguous().numpy().tobytes() for part in parts]


def state(module: nn.Module) -> list[bytes]:
    return bits(list(module.state_dict().values()))


def kinds(module: nn.Module) -> tuple[str, ...]:
    return sites({"it": module})[0].kinds


# --- sites


@EVERY_MODULE
def test_they_are_sites(name: str) -> None:
    module = built(name)
    [place] = sites({"it": module})
    units = {"lstm both ways, two layers": 8, "gru": 8, "lstm projected": 4}.get(name, UNITS)
    assert (place.name, place.units, place.axis) == ("it", units, -2 if hasattr(module, "made") else -1)
    weights = sum(weight.numel() for key, weight in module.named_parameters() if "weight" in key)
    assert place.connections == weights
    assert place.kinds == (KINDS if weights else KINDS[1:])


def test_the_weights_are_those_of_every_source_layer_and_direction() -> None:
    assert list(weights_of(built("lstm"))) == ["weight_ih_l0", "weight_hh_l0"]
    assert len(weights_of(built("gru"))) == 2 * 2 * 2
    assert set(weights_of(built("lstm projected"))) >= {"weight_hr_l0", "weight_hr_l1_reverse", "weight_ih_l1"}
    assert list(weights_of(built("gru cell"))) == ["weight_ih", "weight_hh"]


def test_a_weight_that_is_computed_can_not_be_severed() -> None:
    lstm = nn.utils.parametrizations.weight_norm(built("lstm"), "weight_hh_l0")
    assert sites({"it": lstm})[0].kinds == KINDS[1:]


def test_what_has_no_units_is_no_site() -> None:
    assert units_of(nn.LayerNorm(3)) is None
    assert not sites({"it": nn.Sequential(nn.ReLU(), nn.Dropout())})


# --- what holds of all lesions


@EVERY_MODULE
@EVERY_KIND
def test_dose_0_and_sham_are_intact_and_lifting_restores_the_bits(name: str, kind: str) -> None:
    module = built(name)
    if kind not in kinds(module):
        return
    weights, own, intact = state(module), dict(module.named_parameters()), bits(answers(name, module))
    values = bits(list(own.values()))
    for dose, sham in ((0, False), (1, True), (0.5, True)):
        with damage({"it": module}, "it", kind, dose, 3, sham):
            assert bits(answers(name, module)) == intact
            assert state(module) == weights
    for dose in (0.5, 1):
        with damage({"it": module}, "it", kind, dose, 3):
            assert bits(answers(name, module)) != intact
            assert bits(list(own.values())) == values, "an original was written"
    assert state(module) == weights
    assert bits(answers(name, module)) == intact
    assert all(parameter is own[key] for key, parameter in module.named_parameters())
    assert not module._forward_hooks
    assert all(flat is own[key] for flat, key in zip(*flattened(module), strict=True))


def flattened(module: nn.Module) -> tuple[list[Tensor], list[str]]:
    """What a recurrent layer hands to its kernel, and under which names; nothing of other modules."""
    return getattr(module, "_flat_weights", []), getattr(module, "_flat_weights_names", [])


@EVERY_MODULE
@EVERY_KIND
def test_the_seed_decides(name: str, kind: str) -> None:
    module = built(name)
    if kind not in kinds(module):
        return
    found: dict[int, set[bytes]] = {0: set(), 1: set(), 2: set()}
    for seed in (*found, *found):
        with damage({"it": module}, "it", kind, 0.5, seed):
            found[seed].add(b"".join(bits(answers(name, module))))
    assert all(len(same) == 1 for same in found.values())
    assert (len(set.union(*found.values())) > 1) == (kind != "scale")


@EVERY_MODULE
@pytest.mark.parametrize("outer", KINDS)
def test_lesions_nest_and_the_last_made_is_the_first_lifted(name: str, outer: str) -> None:
    module = built(name)
    possible = kinds(module)
    if outer not in possible:
        return
    intact = bits(answers(name, module))
    with damage({"it": module}, "it", outer, 0.5, 3):
        one = bits(answers(name, module))
    for inner in possible:
        with damage({"it": module}, "it", outer, 0.5, 3), damage({"it": module}, "it", inner, 1, 4):
            assert bits(answers(name, module)) != one
        with damage({"it": module}, "it", outer, 0.5, 3):
            with damage({"it": module}, "it", inner, 1, 4):
                pass
            assert bits(answers(name, module)) == one
        assert bits(answers(name, module)) == intact


@EVERY_KIND
@pytest.mark.parametrize("name", ["lstm", "gru cell", "embedding", "named tuple"])
@settings(max_examples=20)
@given(doses=st.tuples(st.floats(0, 1), st.floats(0, 1)), seed=st.integers(0, 10))
def test_a_higher_dose_damages_all_that_a_lower_one_does(
    name: str, kind: str, doses: tuple[float, float], seed: int
) -> None:
    module = built(name)
    if kind not in kinds(module):
        return
    found = []
    for dose in sorted(doses):
        with damage({"it": module}, "it", kind, dose, seed):
            if kind == "sever":
                found.append(torch.cat([weight.detach().flatten() for weight in weights_of(module).values()]) == 0)
            elif kind == "silence":
                found.append(torch.cat([part.flatten() for part in answers(name, module)]) == 0)
            else:
                found.append(torch.cat([part.flatten() for part in answers(name, module)]))
    if found[0].dtype == torch.bool:
        assert bool((found[0] <= found[1]).all())
    else:
        intact = torch.cat([part.flatten() for part in answers(name, module)])
        assert bool(((found[0] - intact).abs() <= (found[1] - intact).abs() + 1e-6).all())


def test_an_exception_inside_lifts_the_lesion_of_a_recurrent_layer() -> None:
    module = built("gru")
    own = dict(module.named_parameters())

    def failing() -> None:
        with damage({"it": module}, "it", "sever", 1, seed=3):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert all(parameter is own[key] for key, parameter in module.named_parameters())


# --- severing


@pytest.mark.parametrize("name", [*RECURRENT, "embedding"])
def test_a_share_of_all_connections_is_cut_and_no_bias(name: str) -> None:
    module = built(name)
    before = {key: value.detach().clone() for key, value in module.named_parameters()}
    with damage({"it": module}, "it", "sever", 0.3, seed=3) as place:
        after = {key: value.detach() for key, value in module.named_parameters()}
        cut = sum(int(((after[key] == 0) & (before[key] != 0)).sum()) for key in before)
        zeros = sum(int((before[key] == 0).sum()) for key in weights_of(module))  # the padding row of an embedding
        assert cut <= round(0.3 * place.connections) <= cut + zeros
        for key, value in after.items():
            assert bool(((value == before[key]) | (value == 0)).all())
            if "bias" in key:
                assert torch.equal(value, before[key])


def test_severed_at_dose_1_is_the_weights_zeroed_by_hand() -> None:
    for name in (*RECURRENT, "embedding"):
        module = built(name)
        with damage({"it": module}, "it", "sever", 1, seed=3):
            severed = bits(answers(name, module))
        with torch.no_grad():
            for weight in weights_of(module).values():
                weight.zero_()
        assert severed == bits(answers(name, module)), name


@pytest.mark.parametrize("shared", ["weight_hh_l0", "bias_hh_l0"])
def test_a_recurrent_layer_that_shares_a_parameter_is_spared(shared: str) -> None:
    first, second = nn.LSTM(UNITS, UNITS), nn.LSTM(UNITS, UNITS)
    setattr(second, shared, first.get_parameter(shared))
    inputs = drawn(STEPS, BATCH, UNITS)
    before = second(inputs)[0]
    with damage({"first": first, "second": second}, "first", "sever", 1, seed=0):
        first(inputs)
        assert torch.equal(second(inputs)[0], before)
        assert second.get_parameter(shared).any()
    assert second.get_parameter(shared) is first.get_parameter(shared)


def test_scores_that_share_the_table_of_an_embedding_are_spared() -> None:
    words, scores = nn.Embedding(7, UNITS), nn.Linear(UNITS, 7, bias=False)
    scores.weight = words.weight
    intact = scores(torch.ones(1, UNITS))
    with damage({"words": words, "scores": scores}, "words", "sever", 1, seed=0):
        assert not words(torch.arange(7)).any()
        assert torch.equal(scores(torch.ones(1, UNITS)), intact)


def test_training_inside_does_not_reach_the_weights_of_a_recurrent_layer() -> None:
    module = built("lstm")
    before = {name: weight.detach().clone() for name, weight in weights_of(module).items()}
    with damage({"it": module}, "it", "sever", 0.5, seed=0), torch.no_grad():
        for weight in weights_of(module).values():
            weight += 1
    assert all(torch.equal(weight, before[name]) for name, weight in weights_of(module).items())


# --- wherever a unit is read


def by_unit(tensor: Tensor) -> Tensor:
    """[units, everything else]."""
    return tensor.movedim(-1, 0).flatten(1)


@pytest.mark.parametrize("name", LAYERS)
def test_the_final_states_are_those_of_the_damaged_steps(name: str) -> None:
    module: Any = built(name)
    ways = 2 if module.bidirectional else 1
    for kind in ("noise", "silence", "scale"):
        for inputs in inputs_of(name):
            intact = finals(module, inputs)
            with damage({"it": module}, "it", kind, 0.5, seed=3):
                damaged = finals(module, inputs)
            steps, lengths, hidden = damaged[:3]
            for item, length in enumerate(lengths):
                for way in range(ways):
                    end = steps[0 if way else length - 1, item].chunk(ways, -1)[way]
                    assert torch.equal(hidden[way - ways, item], end), (kind, item, way)
            assert torch.equal(hidden[:-ways], intact[2][:-ways]), "lower layers are read by the module alone"
            assert not torch.equal(hidden[-ways:], intact[2][-ways:])


@torch.no_grad()
def finals(module: Any, inputs: Any) -> tuple[Tensor, list[int], Tensor, Tensor | None]:
    """Steps [steps, items, units], the items' lengths, final states [layers * ways, items, units] and cells."""
    states, last = module(inputs)
    hidden, cells = last if isinstance(last, tuple) else (last, None)
    if isinstance(states, PackedSequence):
        steps, lengths = pad_packed_sequence(states)
        return steps, lengths.tolist(), hidden, cells
    if states.dim() == 2:
        return states[:, None], [len(states)], hidden[:, None], None if cells is None else cells[:, None]
    steps = states.transpose(0, 1) if module.batch_first else states
    return steps, [len(steps)] * steps.shape[1], hidden, cells


@pytest.mark.parametrize("name", ["lstm", "lstm both ways, two layers"])
def test_of_a_silent_unit_nothing_can_be_read(name: str) -> None:
    module: Any = built(name)
    ways = 2 if module.bidirectional else 1
    for inputs in inputs_of(name):
        intact = finals(module, inputs)
        with damage({"it": module}, "it", "silence", 0.5, seed=3):
            steps, _, hidden, cells = finals(module, inputs)
        silent = ~by_unit(steps).any(1)
        assert silent.sum() == UNITS * ways / 2
        for damaged, whole in ((hidden, intact[2]), (cells, intact[3])):
            assert torch.equal(damaged[:-ways], whole[:-ways])
            unit = by_unit(torch.cat(list(damaged[-ways:]), -1))
            assert not unit[silent].any()
            assert torch.equal(unit[~silent], by_unit(torch.cat(list(whole[-ways:]), -1))[~silent])


def test_cells_are_memory_which_noise_and_a_loss_of_gain_leave() -> None:
    for name in ("lstm", "lstm both ways, two layers", "lstm projected"):
        module: Any = built(name)
        intact = finals(module, inputs_of(name)[0])
        for kind in ("noise", "scale") if name != "lstm projected" else ("noise", "scale", "silence"):
            with damage({"it": module}, "it", kind, 1, seed=3):
                assert torch.equal(finals(module, inputs_of(name)[0])[3], intact[3])


def test_a_cell_gets_its_damaged_state_back() -> None:
    """Silent units are silent in the recurrence too: the same as their outgoing weights cut by hand."""
    cell = nn.LSTMCell(WIDTH, UNITS)

    def run() -> Tensor:
        h = c = torch.zeros(BATCH, UNITS)
        for x in drawn(STEPS, BATCH, WIDTH):
            h, c = cell(x, (h, c))
            if silent is not None:
                assert not c[:, silent].any()
        return h

    silent = None
    with torch.no_grad():
        with damage({"cell": cell}, "cell", "silence", 0.5, seed=3):
            silent = ~cell(drawn(BATCH, WIDTH))[0].any(0)
            damaged = run()
        assert silent.sum() == UNITS / 2
        cell.weight_hh[:, silent] = 0
        silent, kept = None, ~silent
        by_hand = run()
    torch.testing.assert_close(damaged[:, kept], by_hand[:, kept])
    assert not damaged[:, ~kept].any()


def test_noise_is_as_strong_as_the_site_varies() -> None:
    module = built("lstm")
    inputs = inputs_of("lstm")[0]
    with torch.no_grad():
        intact = module(inputs)[0]
        with damage({"it": module}, "it", "noise", 0.5, seed=3):
            added = module(inputs)[0] - intact
    noise = torch.randn(intact.shape, generator=torch_generator(3, "lesion/noise/it", 0))
    torch.testing.assert_close(added, noise * 0.5 * intact.std(correction=0), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("name", "kept"), [("tuple", tuple), ("named tuple", Pair), ("dataclass", Fields)])
def test_the_first_part_is_damaged_and_the_rest_kept(name: str, kept: type) -> None:
    module = built(name)
    inputs = drawn(BATCH, WIDTH)
    with damage({"it": module}, "it", "silence", 0.5, seed=3):
        returned = module(inputs)
    assert type(returned) is kept
    first, second = tensors(returned)
    assert second is inputs
    assert sorted(first.any(-1).any(0).tolist()) == [False, False, True, True]


@pytest.mark.parametrize("made", [lambda x, y: [x, y], lambda x, y: {"x": x}, lambda x, y: (1, x), lambda x, y: ()])
def test_units_that_are_not_found_are_refused(made: Callable[[Tensor, Tensor], Any]) -> None:
    module = Returning(made)
    message = r"a Returning returned a \w+ in which its units are not found; what can be damaged is a tensor"
    with damage({"it": module}, "it", "scale", 0.5, seed=0), pytest.raises(Refused, match=message):
        module(drawn(BATCH, WIDTH))


def test_gradients_pass_through_a_damaged_recurrent_layer() -> None:
    for kind in KINDS:
        module, inputs = built("lstm"), inputs_of("lstm")[0].requires_grad_()
        with damage({"it": module}, "it", kind, 0.5, seed=3):
            states, (hidden, _) = module(inputs)
            (states.sum() + hidden.sum()).backward()
        assert bool(inputs.grad.any())
