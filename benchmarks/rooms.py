"""How fast rooms are rendered on one core, in images per CPU-second: at once and in batches of 64, best of three."""

from time import process_time

import numpy as np

from phantastic.ground.randomness import numpy_generator
from phantastic.world import rooms

IMAGES = 4096


def main() -> None:
    generator = numpy_generator(0, "benchmark")
    factors = np.stack([generator.integers(0, size, IMAGES) for size in rooms.SIZES], axis=1)
    nuisance = rooms.draw_nuisance(IMAGES, generator)
    for size in (32, 64, 80):
        for batch in (IMAGES, 64):
            seconds = min(_seconds(factors, nuisance, size, batch) for _ in range(3))
            print(f"{size} x {size}, batches of {batch:4d}: {IMAGES / seconds:8,.0f} images per CPU-second")


def _seconds(factors: np.ndarray, nuisance: np.ndarray, size: int, batch: int) -> float:
    start = process_time()
    for first in range(0, IMAGES, batch):
        rooms.render(factors[first : first + batch], nuisance[first : first + batch], size)
    return process_time() - start


if __name__ == "__main__":
    main()
