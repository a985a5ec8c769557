"""How much of sampling is calls of the network: the rate beside that of the bare calls, at several batches.

    .venv/bin/python -m benchmarks.sampling [--device cuda]

Both are timed in turn within one run, by the default network, so that the ratio holds on a noisy machine; medians over
rounds. A ratio of 1 means that solver, path, noise and checks take nothing.
"""

import argparse
from collections.abc import Callable, Iterator

import torch

from benchmarks.bars import Bar
from benchmarks.gpu.timing import alternate
from fm.config import Config, SamplerConfig
from fm.generator import Generator

BATCHES = (1, 8, 64, 200, 1024)
STEPS = 10
SECONDS = 6.0  # for each batch of each sampler
CASES = (
    ("cond_ot", "velocity", SamplerConfig(solver="euler", steps=STEPS)),
    ("cond_ot", "velocity", SamplerConfig(solver="midpoint", steps=STEPS // 2)),
    ("ddpm", "noise", SamplerConfig(solver={"name": "ddim", "clip": "codec"}, steps=STEPS)),
    ("ddpm", "noise", SamplerConfig(solver={"name": "ddpm", "clip": "codec"}, steps=STEPS)),
    ("ddpm", "noise", SamplerConfig(solver={"name": "dpmpp_2m", "clip": "codec"}, steps=STEPS)),
)


def bars() -> Iterator[Bar]:
    for (sampler, batch), ratio in main("cpu").items():
        yield Bar(f"sampling beside bare calls, {sampler}, batch {batch}", ratio, 0.97)


def main(device: str, batches: tuple[int, ...] = BATCHES, seconds: float = SECONDS) -> dict[tuple[str, int], float]:
    """Print and return the ratio of each sampler at each batch."""
    found = {}
    print(f"sampling in {STEPS} calls beside the bare calls, {device}, {torch.get_num_threads()} threads")
    for path, target, sampler in CASES:
        generator = default_generator(path, target).with_sampler(sampler).to(device)
        for batch in batches:
            jobs = {"bare": bare_calls(generator, batch), "ours": sampling(generator, batch)}
            taken = alternate(jobs, generator.device, seconds)
            found[sampler.label, batch] = ratio = taken["bare"] / taken["ours"]
            print(f"{sampler.label}, batch {batch}: {ratio:.3f} ({batch / taken['ours']:.4g} images/s)", flush=True)
    print(f"lowest {min(found.values()):.3f}")
    return found


def default_generator(path: str, target: str) -> Generator:
    """The default network of Fashion-MNIST, of random weights."""
    config = Config(
        path=path,
        target=target,
        network={"name": "unet", "width": 32, "multipliers": [1, 2], "blocks": 1, "patch_size": 2},
        codec={"name": "pixels", "stored": [28, 28, 1]},
        conditioner={"name": "labels", "names": list("0123456789")},
        sampler=SamplerConfig(solver="euler", steps=1),
    )
    generator = Generator.untrained(config)
    generator.network.eval()
    return generator


def bare_calls(generator: Generator, batch: int) -> Callable[[], None]:
    x = torch.randn(batch, *generator.shape, device=generator.device)
    t = torch.full((batch,), 0.5, device=generator.device)
    condition = generator.condition([0] * batch)

    @torch.no_grad()
    def call() -> None:
        for _ in range(STEPS):
            generator.network(x, t, condition)

    return call


def sampling(generator: Generator, batch: int) -> Callable[[], None]:
    asked = [0] * batch

    def draw() -> None:
        generator.sample_float(batch, 0, asked, batch_size=batch)

    return draw


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cpu", help="as torch calls it (%(default)s)")
    return parser


if __name__ == "__main__":
    main(arguments().parse_args().device)
