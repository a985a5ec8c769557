"""The ratios that have a bar, and which of them hold on this machine.

    make bench        # or, some of them: .venv/bin/python -m benchmarks.ratios network

On a machine that does nothing else; on a busy one a bar that fails means little. The exit code is 0 if all hold.
"""

import argparse
import sys
from collections.abc import Callable, Iterator

from benchmarks import bars, memory, network, peers, resizing, sampling, sharing, waiting
from benchmarks.bars import Bar

RATIOS: dict[str, Callable[[], Iterator[Bar]]] = {
    "network": network.bars,
    "waiting": waiting.bars,
    "peers": peers.bars,
    "sampling": sampling.bars,
    "sharing": sharing.bars,
    "resizing": resizing.bars,
    "memory": memory.bars,
}


def main(names: list[str]) -> bool:
    """Whether all hold."""
    found: list[Bar] = []
    for name in names:
        print(f"{name} ...", flush=True)
        found += RATIOS[name]()
    print(bars.as_table(found))
    return all(bar.holds for bar in found)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratios", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"by default all: {', '.join(RATIOS)}")
    return parser


if __name__ == "__main__":
    asked = arguments().parse_args()
    if wrong := set(asked.names) - RATIOS.keys():
        arguments().error(f"no {', '.join(sorted(wrong))}: there are {', '.join(RATIOS)}")
    sys.exit(0 if main(asked.names or list(RATIOS)) else 1)
