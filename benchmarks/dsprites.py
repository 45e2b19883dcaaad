"""How fast dSprites images are made: the whole set, rows of factors as they come, a batch of a set in memory."""

from time import process_time

import numpy as np
import torch

from phantastic.ground.randomness import numpy_generator
from phantastic.world import dsprites


def main() -> None:
    torch.set_num_threads(1)
    start = process_time()
    everything = dsprites.whole()
    seconds = process_time() - start
    print(f"whole set    {len(everything) / seconds:12,.0f} images per CPU-second ({seconds:.2f} s in all)")

    places = numpy_generator(0, "benchmark").integers(0, len(everything), (1000, 64))
    for name, make in (
        ("render", lambda rows: dsprites.render(everything.factors[rows])),
        ("batch of 64", everything.batch),
    ):
        start = process_time()
        for rows in places:
            make(rows)
        seconds = process_time() - start
        print(f"{name:12s} {np.size(places) / seconds:12,.0f} images per CPU-second ({seconds:.3f} ms per 64)")


if __name__ == "__main__":
    main()
