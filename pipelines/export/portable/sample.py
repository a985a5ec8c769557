"""Images from the program in this folder, with PyTorch and NumPy alone:

python exported/sample.py images.npy --labels Bag Coat --seed 0
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

try:
    from .walk import walk
except ImportError:  # as a program, and not as a module of a package
    from walk import walk  # type: ignore[import-not-found, no-redef]

FOLDER = Path(__file__).parent


@torch.no_grad()
def sample(labels: Sequence[str | None], noise: Iterable[torch.Tensor], steps: int | None = None) -> NDArray[np.uint8]:
    """uint8 (B, *spatial, C), one image for each label; None for no label.

    Args:
        noise: standard normal (B, C, *spatial), as often as the sampler draws.
        steps: one of the numbers that were exported.

    Raises:
        ValueError: no such label, or noise of another shape or not often enough.
    """
    said = json.loads((FOLDER / "sampler.json").read_text(encoding="utf-8"))
    table = said["samplers"][str(steps or next(iter(said["samplers"])))]
    names, count = said["labels"], len(labels)
    program = torch.export.load(FOLDER / "network.pt2").module()
    if unknown := [label for label in labels if label is not None and label not in names]:
        raise ValueError(f"no label {unknown[0]!r}: there are {', '.join(names) or 'none'}")
    told = torch.tensor([len(names) if label is None else names.index(label) for label in labels])
    none = torch.full_like(told, len(names))
    given, shape = iter(noise), (count, *said["shape"])

    def draw() -> torch.Tensor:
        drawn = next(given, None)
        if drawn is None or drawn.shape != shape:
            found = "no more" if drawn is None else tuple(drawn.shape)
            raise ValueError(f"noise: {found}: must be {shape} at each draw, an image a label")
        return drawn

    def network(x: torch.Tensor, t: float, until: float | None, null: bool) -> Any:
        condition = {"label": none if null else told} if said["labelled"] else {}
        second = () if not said["until"] else (torch.full((count,), t if until is None else until),)
        return program(x, torch.full((count,), t), condition, *second)

    x: torch.Tensor = walk(table, draw, network)
    pixels = ((x + 1) * 127.5).round().clip(0, 255).to(torch.uint8)
    return np.ascontiguousarray(pixels.movedim(1, -1).numpy())


def main() -> None:
    said = json.loads((FOLDER / "sampler.json").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description="Images from the program in this folder.")
    parser.add_argument("out", type=Path, help="a .npy file of the images, uint8 (B, *spatial, C)")
    parser.add_argument(
        "--labels", nargs="+", default=said["labels"] or [None], help="one for each image (all there are)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise (%(default)s)")
    parser.add_argument("--noise", type=Path, help="a .npy file of noise (draws, B, C, *spatial) instead")
    parser.add_argument("--steps", type=int, choices=[int(one) for one in said["samplers"]], help="(the first)")
    chosen = parser.parse_args()
    shape, generator = (len(chosen.labels), *said["shape"]), torch.Generator().manual_seed(chosen.seed)
    noise: Iterable[torch.Tensor] = iter(lambda: torch.randn(shape, generator=generator), None)
    try:
        if chosen.noise is not None:
            noise = torch.from_numpy(np.load(chosen.noise))
        np.save(chosen.out, sample(chosen.labels, noise, chosen.steps))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
