"""A box of particles by Newton's laws: soft disks between soft walls, one of which is a piston.

E = K + U; U is ε (1 - r² / d²)⁴ for each pair that is closer than the diameter d, and ε (1 - h / d)⁴ for each wall
that a disk is closer to than d. Time goes in steps of Störmer's rule, x(t + τ) = 2 x(t) - x(t - τ) + τ² F / m, on a
lattice of positions that is far finer than any distance here: every push is a whole number of lattice steps, the same
on both of a pair (Levesque & Verlet 1993). So nothing is lost to rounding, and turned round, the gas goes back to the
bit. Mass, Boltzmann's k and the height of the box are 1.
"""

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from scipy.spatial.distance import pdist

from phantastic.ground.errors import Refused

LATTICE = 2.0**-44  # of the height of the box
STIFFNESS = 10.0  # ε, in units of the mean energy of a particle at the start
ATTEMPTS = 1000  # at a place for a disk


def scattered(particles: int, diameter: float, width: float, generator: np.random.Generator) -> Float64[ndarray, "n 2"]:
    """Places of disks at random in a box of this width, none of which touches another or a wall.

    Raises `Refused` where a disk finds no place.
    """
    places = np.empty((particles, 2))
    for disk in range(particles):
        for place in generator.uniform(diameter, (width - diameter, 1 - diameter), (ATTEMPTS, 2)):
            if (((places[:disk] - place) ** 2).sum(-1) > diameter**2).all():
                places[disk] = place
                break
        else:
            raise Refused(
                f"there is no room for {particles} disks of diameter {diameter:g} in a box of {width:g} by 1: disk "
                f"{disk + 1} found no place in {ATTEMPTS} attempts; take fewer or smaller ones"
            )
    return places


class Gas:
    """Disks at ``now``, which a step ago were ``before``; both count lattice steps. ``collide``: they feel each other.

    Raises `Refused` where the step is too long for disks that small.
    """

    def __init__(
        self,
        places: Float64[ndarray, "n 2"],
        velocities: Float64[ndarray, "n 2"],
        diameter: float,
        step: float,
        *,
        collide: bool = True,
    ):
        if step > diameter / 20:
            raise Refused(
                f"a step of {step:g} is too long for disks of diameter {diameter:g}; allowed: at most diameter / 20, "
                f"{diameter / 20:g}"
            )
        self.diameter, self.step, self.collide = diameter, step, collide
        self.length = 1.0
        self.pairs = np.triu_indices(len(places), 1)
        self.looked = np.full_like(places, np.inf)  # where the disks were when it was last looked who is close to whom
        self.now: Int64[ndarray, "n 2"] = np.rint(places / LATTICE).astype(np.int64)
        self.feel()
        self.before = self.now
        self.move(velocities)

    def places(self) -> Float64[ndarray, "n 2"]:
        """Where the disks are."""
        return self.now * LATTICE

    def velocities(self) -> Float64[ndarray, "n 2"]:
        """How fast they are now: (x(t + τ) - x(t - τ)) / 2τ."""
        return (self.now - self.before + self.push / 2) * (LATTICE / self.step)

    def move(self, velocities: Float64[ndarray, "n 2"]) -> None:
        """Give the disks these velocities."""
        self.before = self.now - np.rint(velocities * (self.step / LATTICE) - self.push / 2).astype(np.int64)

    def turn(self) -> None:
        """Reverse all velocities, exactly: where they were about to be is where they come from."""
        self.before = 2 * self.now - self.before + self.push

    def kinetic(self) -> Float64[ndarray, " n"]:
        """K of each."""
        return 0.5 * (self.velocities() ** 2).sum(-1)

    def potential(self) -> float:
        """U of all."""
        pair = self.touching()[-1] if self.collide else np.empty(0)
        wall = np.concatenate(self.walls())
        return STIFFNESS * float((pair**4).sum() + (wall**4).sum())

    def energy(self) -> float:
        """E = K + U."""
        return float(self.kinetic().sum()) + self.potential()

    def touching(self) -> tuple[ndarray, ndarray, Float64[ndarray, "k 2"], Float64[ndarray, " k"]]:
        """Pairs closer than a diameter: one, the other, the way between them, and 1 - r² / d²."""
        places = self.places()
        if (
            np.abs(places - self.looked).max() > self.diameter / 3
        ):  # else none further than 2d then is nearer than d now
            self.looked = places
            close = pdist(places, "sqeuclidean") < (2 * self.diameter) ** 2
            self.close = tuple(side[close] for side in self.pairs)
        one, other = self.close
        way = places[one] - places[other]
        near = 1 - (way * way).sum(-1) / self.diameter**2
        touch = np.flatnonzero(near > 0)
        return one[touch], other[touch], way[touch], near[touch]

    def walls(self) -> tuple[Float64[ndarray, "n 2"], Float64[ndarray, "n 2"]]:
        """1 - h / d for the walls at 0, and for those at the length and the height; 0 further away than d."""
        places = self.places() / self.diameter
        ends = np.array([self.length, 1.0]) / self.diameter
        return np.maximum(1 - places, 0), np.maximum(1 - ends + places, 0)

    def feel(self) -> None:
        """Work out τ² F in lattice steps for where the disks are, and the force with which they hold the piston."""
        scale = self.step**2 / LATTICE
        low, high = self.walls()
        steep = 4 * STIFFNESS / self.diameter
        high = steep * (high * high * high)
        self.held = float(high[:, 0].sum())
        self.push = np.rint(scale * (steep * (low * low * low) - high)).astype(np.int64)
        if self.collide:
            one, other, way, near = self.touching()
            force = 8 * STIFFNESS / self.diameter**2 * (near * near * near)[:, None] * way
            shove = np.rint(scale * force).astype(np.int64)
            np.add.at(self.push, one, shove)
            np.subtract.at(self.push, other, shove)

    def go(self, length: float | None = None) -> float:
        """One step, in which the piston goes to ``length``; the work δW = -F dL that it does on the gas."""
        self.before, self.now = self.now, 2 * self.now - self.before + self.push
        held, moved = self.held, 0.0
        if length is not None:
            moved, self.length = length - self.length, length
        self.feel()
        return -0.5 * (held + self.held) * moved

    def heat(self, which: Int64[ndarray, " k"], velocities: Float64[ndarray, "k 2"]) -> float:
        """A bath gives some disks these velocities; the heat δQ that the gas takes up."""
        new = self.velocities()
        cold = 0.5 * float((new[which] ** 2).sum())
        new[which] = velocities
        self.move(new)
        return 0.5 * float((velocities**2).sum()) - cold
