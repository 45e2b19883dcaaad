"""Local linearisation of a flow (Ozaki 1992): du/dt = f + J (u - u0) is solved exactly over one bin."""

import math

import torch
from jaxtyping import Float64
from torch import Tensor

_DEGREE, _NORM = 12, 0.25  # the remainder of the Taylor series, 0.25^13 / 13!, lies far below rounding


def expm1(matrix: Float64[Tensor, "... n n"]) -> Float64[Tensor, "... n n"]:
    """exp(matrix) - 1, by a Taylor series and repeated doubling.

    Without the 1, slow modes keep their digits beside fast ones through twenty doublings.
    """
    shape, double = matrix.shape, torch.addmm if matrix.ndim == 2 else torch.baddbmm
    matrix = matrix if matrix.ndim == 2 else matrix.flatten(0, -3)
    norm = float(matrix.abs().sum(-2).max())
    doublings = max(0, math.ceil(math.log2(max(norm, 1e-300) / _NORM))) if norm < math.inf else 0
    scaled = matrix * 0.5**doublings
    square = scaled @ scaled
    cube = square @ scaled
    blocks = [1 / math.factorial(k) for k in range(1, _DEGREE + 1)]
    parts = [scaled * blocks[k] + square * blocks[k + 1] + cube * blocks[k + 2] for k in range(0, _DEGREE, 3)]
    total = parts.pop()
    for part in reversed(parts):  # Paterson-Stockmeyer, three powers at a time
        total = part + cube @ total
    for _ in range(doublings):
        total = double(total, total, total, beta=2)  # (1 + E)^2 - 1 = 2 E + E^2
    return total.reshape(shape)


def step(
    jacobian: Float64[Tensor, "... n n"],
    forcing: Float64[Tensor, "... k n"],
    recurrence: Float64[Tensor, "... k k"],
) -> Float64[Tensor, "... n"]:
    """The change over one bin of u, where du/dt = jacobian (u - u0) + sum_k forcing_k tau_k(t).

    tau starts at (1, 0, ...) and obeys d tau/dt = recurrence tau: inputs that only shift, or run by themselves, are
    carried along as these few numbers and not as the many coordinates they have.
    """
    top = torch.cat([jacobian, forcing.mT], -1)
    below = recurrence.expand(*top.shape[:-2], *recurrence.shape[-2:])
    bottom = torch.cat([below.new_zeros(*below.shape[:-1], jacobian.shape[-1]), below], -1)
    size = jacobian.shape[-1]
    return expm1(torch.cat([top, bottom], -2))[..., :size, size]


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
