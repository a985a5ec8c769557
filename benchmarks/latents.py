"""What latents save at 512 x 512: a picture in ten calls of the network of recipes/icons-512-cpu.yaml and its decoding,
beside ten calls of networks on the pixels themselves.

    .venv/bin/python -m benchmarks.latents [--device cuda] [--side 512]

All are timed in turn within one run, one picture at a time, by networks of random weights, which take as long; medians
over rounds.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.gpu.timing import alternate
from fm.codecs import Latents
from fm.conditions import Condition, Sequence
from fm.networks import Autoencoder, Network

RECIPE = Path(__file__).parent.parent / "recipes" / "icons-512-cpu.yaml"
SIDE = 512
CALLS = 10
SECONDS = 60.0
CAPTION = Sequence(width=384, length=24)
"""MiniLM's embeddings, as the recipe has them."""
IN_PIXELS: Mapping[str, Mapping[str, Any]] = {
    "UNet of 64 channels, on pixels": {"name": "unet", "width": 64, "multipliers": [1, 2, 2, 4]},
    "the transformer, on patches of 16 pixels": {"patch_size": 16},
    "the transformer, on patches of 8 pixels": {"patch_size": 8},
}
"""The options in which a network of pixels differs from the recipe's."""


def main(device: torch.device, side: int, seconds: float) -> dict[str, float]:
    """Print and return the seconds that a picture takes, the latents' first."""
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    network = dict(recipe["network"])
    chosen = {"name": network.pop("kind"), **network}
    codec = untrained(recipe["codec"]["autoencoder"], side)
    codec.to(device)
    latents = calls(chosen, codec.shape, device)
    jobs: dict[str, Callable[[], object]] = {"in latents": lambda: codec.decode(latents())}
    for name, options in IN_PIXELS.items():
        jobs[name] = calls(dict(options) if "name" in options else chosen | options, (3, side, side), device)
    jobs["decoding alone"] = lambda: codec.decode(torch.zeros(1, *codec.shape))
    taken = alternate(jobs, device, seconds)
    print(f"a picture of {side} x {side} in {CALLS} calls, {device}, {torch.get_num_threads()} threads")
    for name, value in taken.items():
        print(f"{name}: {value:.3f} s, {value / taken['in latents']:.2f} times the latents'")
    return taken


def untrained(autoencoder: Mapping[str, Any], side: int) -> Latents:
    options = Autoencoder.of({"name": autoencoder["kind"], **{k: v for k, v in autoencoder.items() if k != "kind"}})
    return Latents.around(options, options.build(), (side, side, 3))


def calls(options: dict[str, Any], shape: tuple[int, ...], device: torch.device) -> Callable[[], torch.Tensor]:
    """Ten of a network, on data of a shape and a caption."""
    network = Network.of(options).build(shape, {"text": CAPTION}).eval().to(device)
    x, t = torch.randn(1, *shape, device=device), torch.full((1,), 0.5, device=device)
    caption: Condition = {
        "text": torch.randn(1, CAPTION.length, CAPTION.width, device=device),
        "text_mask": torch.ones(1, CAPTION.length, dtype=torch.bool, device=device),
    }

    @torch.no_grad()
    def job() -> torch.Tensor:
        for _ in range(CALLS):
            made: torch.Tensor = network(x, t, caption)
        return made

    return job


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latents", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--device", default="cpu", help="as torch calls it (%(default)s)")
    parser.add_argument("--side", type=int, default=SIDE, help="of a picture, in pixels (%(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that it takes, more or less (%(default)s)")
    return parser


if __name__ == "__main__":
    asked = arguments().parse_args()
    main(torch.device(asked.device), asked.side, asked.seconds)
