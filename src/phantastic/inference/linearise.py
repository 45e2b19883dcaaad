"""Local linearisation of a flow (Ozaki 1992): du/dt = f + J (u - u0) is solved exactly over one bin."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor

# A Taylor series, three powers in a row; where the norm is 0.3, its remainder, 0.3^13 / 13!, lies below rounding.
_TERMS = torch.tensor([1 / math.factorial(k) for k in range(1, 13)], dtype=torch.float64).reshape(4, 3)
_NORM = 0.3
_PART = 2**17  # numbers worked on at a time, so that they stay in the cache


def expm1(matrix: Float64[Tensor, "... n n"]) -> Float64[Tensor, "... n n"]:
    """exp(matrix) - 1, by a Taylor series and repeated doubling.

    Without the 1, slow modes keep their digits beside fast ones through twenty doublings.
    """
    return _in_parts(lambda part: _doubled(*_series(part)), matrix)


def step(
    jacobian: Float64[Tensor, "... n n"],
    forcing: Float64[Tensor, "... k n"],
    recurrence: Float64[Tensor, "... k k"],
) -> Float64[Tensor, "... n"]:
    """The change over one bin of u, where du/dt = jacobian (u - u0) + sum_k forcing_k tau_k(t).

    tau starts at (1, 0, ...) and obeys d tau/dt = recurrence tau: inputs that only shift, or run by themselves, are
    carried along as these few numbers and not as the many coordinates they have.
    """
    n, k = jacobian.shape[-1], forcing.shape[-2]
    batch = torch.broadcast_shapes(jacobian.shape[:-2], forcing.shape[:-2], recurrence.shape[:-2])
    joint = jacobian.new_zeros(*batch, n + k, n + k)  # transposed: rows times matrices are fast
    joint[..., :n, :n], joint[..., n:, :n], joint[..., n:, n:] = jacobian.mT, forcing, recurrence.mT
    return _in_parts(lambda part: _carried(*_series(part), n), joint)[..., :n]


def _in_parts(function: Callable[[Tensor], Tensor], matrix: Tensor) -> Tensor:
    """``function`` of one matrix, or of a few at a time."""
    if matrix.ndim == 2:
        return function(matrix)
    chunk = max(1, _PART // max(1, matrix.shape[-1] ** 2))
    return torch.cat([function(part) for part in matrix.flatten(0, -3).split(chunk)]).unflatten(0, matrix.shape[:-2])


def _series(matrix: Tensor) -> tuple[Tensor, int]:
    """exp(matrix / 2^k) - 1, and the k that the series needs: its terms are bounded by two powers (Al-Mohy & Higham
    2009, SIAM J Matrix Anal Appl 31:970)."""
    square = matrix @ matrix
    cube = square @ matrix
    norm = max(float(power.abs().sum(-2).max()) ** (1 / k) for power, k in ((square, 2), (cube, 3)))
    doublings = max(0, math.ceil(math.log2(max(norm, 1e-300) / _NORM))) if norm < math.inf else 0
    scaled = torch.tensor([0.5 ** (doublings * k) for k in (1, 2, 3)], dtype=torch.float64)
    powers = torch.stack([matrix, square, cube]).flatten(1)
    *parts, total = ((_TERMS * scaled) @ powers).unflatten(-1, matrix.shape)
    cube = cube * scaled[2]
    for part in reversed(parts):  # Paterson-Stockmeyer, three powers at a time
        total = _plus_product(part, cube, total)
    return total, doublings


def _doubled(total: Tensor, doublings: int) -> Tensor:
    for _ in range(doublings):
        total = _plus_product(total, total, total, beta=2)  # (1 + E)^2 - 1 = 2 E + E^2
    return total


def _carried(total: Tensor, doublings: int, row: int) -> Tensor:
    """One ``row`` of exp: the last doublings cost less as many steps of that row alone."""
    last = min(doublings, 5 if total.numel() > 2**13 else 2)
    total = _doubled(total, doublings - last)
    vector = total.new_zeros(*total.shape[:-2], 1, total.shape[-1])
    vector[..., row] = 1
    for _ in range(2**last):
        vector = _plus_product(vector, vector, total)
    return vector[..., 0, :]


def _plus_product(a: Tensor, b: Tensor, c: Tensor, beta: float = 1) -> Tensor:
    """beta a + b c."""
    return (torch.addmm if a.ndim == 2 else torch.baddbmm)(a, b, c, beta=beta)


def polynomial(orders: int) -> Float64[Tensor, "orders orders"]:
    """The recurrence of tau_k = t^k / k!."""
    return torch.diag(torch.ones(orders - 1, dtype=torch.float64), -1)


def ascend(
    gradient: Float64[Tensor, "... n"], curvature: Float64[Tensor, "... n n"], log_time: Float64[Tensor, "..."]
) -> Float64[Tensor, "... n"]:
    """A step of ascent along a flow that is integrated for exp(log_time) of its own time constants.

    The time is exp(log_time - log det(-curvature) / n); a long one gives Newton's step.
    """
    size = gradient.shape[-1]
    time = torch.exp(log_time - log_determinant(curvature) / size)
    scaled = time.clamp(max=math.exp(16))[..., None]
    matrix = torch.cat([curvature * scaled[..., None], (gradient * scaled)[..., None]], -1)
    matrix = torch.cat([matrix, torch.zeros_like(matrix[..., :1, :])], -2)
    newton = -(torch.linalg.pinv(curvature) @ gradient[..., None])[..., 0]
    return torch.where((time > math.exp(16))[..., None], newton, expm1(matrix)[..., :size, size])


def log_determinant(matrix: Float64[Tensor, "... n n"]) -> Float64[Tensor, "..."]:
    """Sum of the logs of the singular values within (1e-16, 1e16), as SPM counts them, whatever the matrix's sign.

    Of an exactly diagonal matrix SPM counts the entries themselves and leaves out what is not positive, so that a
    negative diagonal curvature counts as 0 and `ascend` takes (nearly) Newton's step; parity needs the same.
    """
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    uncoupled = (matrix == torch.diag_embed(diagonal)).flatten(-2).all(-1, keepdim=True)
    values = torch.where(uncoupled, diagonal, torch.linalg.svdvals(matrix))
    inside = (values > 1e-16) & (values < 1e16)
    return torch.where(inside, values, 1.0).log().sum(-1)


def inverse(matrix: Float64[Tensor, "... n n"]) -> Float64[Tensor, "... n n"]:
    """The inverse with SPM's ridge: the rounding of the largest row sum times the size, at least exp(-32)."""
    largest = matrix.abs().sum(-1).amax(-1)
    ridge = (torch.nextafter(largest, largest.new_tensor(math.inf)) - largest) * matrix.shape[-1]
    return torch.linalg.inv(
        matrix + ridge.clamp(min=math.exp(-32))[..., None, None] * torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    )
