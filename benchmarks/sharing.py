"""How much several processes lose by sharing the work of an evaluation (fm.work_queue).

    .venv/bin/python -m benchmarks.sharing

Each piece of work is a pause, as the host sees a device that computes, with features as large as an evaluation's. So
what is measured is the queue and the collecting alone, and there may be more processes than cores.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.bars import Bar
from fm.work_queue import START, Arrays, Group, Workers, started

COUNTS = (1, 2, 4, 8)
JOBS, PIECES = 4, 32  # samplers, and chunks of each
PAUSE = 0.2  # seconds of a piece
FEATURES = (200, 2048)  # of a chunk, by Inception
READY = "ready"


def bars() -> Iterator[Bar]:
    for count, share in main().items():
        yield Bar(f"work shared by {count} processes beside {count} times one", share, 0.9)


def main(counts: tuple[int, ...] = COUNTS, jobs: int = JOBS) -> dict[int, float]:
    """Print and return, by how many processes, their rate beside one process's times their number."""
    print(f"{jobs} x {PIECES} pieces of {PAUSE:g} s, {4 * FEATURES[0] * FEATURES[1] / 1e6:.1f} MB of features each")
    found = {}
    for count in counts:
        seconds, each = shared(count, jobs)
        found[count] = jobs * PIECES * PAUSE / seconds / count
        pieces = ", ".join(str(sum(one == place for one in each)) for place in range(count))
        print(f"{count} processes: {found[count]:.3f} of {count} times one; pieces of each: {pieces}", flush=True)
    return found


def shared(count: int, jobs: int) -> tuple[float, list[int]]:
    """Seconds from when all are there until the first has everything, and who did each piece."""
    with started(count, help_out, count, jobs) as workers:
        meet(workers, count)
        began = time.perf_counter()
        made = [one for _ in range(jobs) for one in workers.map(piece_of(workers), range(PIECES))]
        return time.perf_counter() - began, [int(one["place"]) for one in made]


def help_out(workers: Workers, count: int, jobs: int) -> None:
    meet(workers, count)
    for _ in range(jobs):
        workers.map(piece_of(workers), range(PIECES))


def meet(workers: Workers, count: int) -> None:
    """Wait until all processes are there: starting them is no part of the work."""
    if isinstance(workers, Group):
        if workers.store.add(READY, 1) == count:
            workers.store.set(f"{READY}/all", "")
        workers.store.wait([f"{READY}/all"], START)


def piece_of(workers: Workers) -> Callable[[int], Arrays]:
    features = np.ones(FEATURES, np.float32)

    def piece(number: int) -> Arrays:
        time.sleep(PAUSE)
        return {"features": features, "place": np.array(workers.place)}

    return piece


def arguments() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog="python -m benchmarks.sharing", description=(__doc__ or "").split("\n")[0])


if __name__ == "__main__":
    arguments().parse_args()
    main()
