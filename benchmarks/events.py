"""How fast clips of events are rendered on one core, in clips per CPU-second, best of three."""

from dataclasses import replace
from time import process_time

from phantastic.world import events

CLIPS = 100


def main() -> None:
    for size, frames, ears in ((32, 8, 1), (64, 8, 1), (64, 16, 2)):
        world = replace(events.World(), size=size, frames=frames, ears=ears)
        seconds = min(_seconds(world) for _ in range(3))
        print(f"{frames:2d} frames of {size} x {size}, ears: {ears}: {CLIPS / seconds:6,.0f} clips per CPU-second")


def _seconds(world: events.World) -> float:
    start = process_time()
    events.render(world, 0, "benchmark", range(CLIPS))
    return process_time() - start


if __name__ == "__main__":
    main()
