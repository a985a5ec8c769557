"""Whether the same noise gives the same image, byte for byte: within a process and from one process to the next."""

import multiprocessing
from collections.abc import Container, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fm.components import ANY
from fm.config import SamplerConfig
from fm.generator import Generator
from pipelines.schemas.probes import Repetition

COUNT = 16


def repetitions(
    folders: Mapping[str, Path],
    samplers: Mapping[str, Sequence[SamplerConfig]],
    device: str,
    seed: int,
    weaker: Mapping[str, Mapping[int, Path]] = MappingProxyType({}),
) -> dict[str, list[Repetition]]:
    """Every solver of every method with its fewest steps, drawn three times with as many threads.

    Args:
        weaker: of a method, the folders of the networks that its samplers lead away from.
    """
    chosen = {method: shortest(given) for method, given in samplers.items()}
    asked = [(folders[m], dict(weaker.get(m, {})), sampler) for m, given in chosen.items() for sampler in given]
    threads = torch.get_num_threads()
    here = [drawings(asked, device, threads, seed) for _ in range(2)]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as another:
        # What is one's own is imported here, by its leave; the other process takes the same.
        elsewhere = another.submit(drawings, asked, device, threads, seed, ANY).result()
    counted = iter([compared(first, [second, third]) for first, second, third in zip(*here, elsewhere, strict=True)])
    return {method: [repetition(sampler, *next(counted)) for sampler in given] for method, given in chosen.items()}


def shortest(samplers: Sequence[SamplerConfig]) -> list[SamplerConfig]:
    """The sampler of fewest steps for each way of drawing."""
    by_label: dict[str, SamplerConfig] = {}
    for sampler in sorted(samplers, key=lambda one: one.steps):
        by_label.setdefault(sampler.label, sampler)
    return list(by_label.values())


def drawings(
    asked: Sequence[tuple[Path, dict[int, Path], SamplerConfig]],
    device: str,
    threads: int,
    seed: int,
    own: Container[str] = (),
) -> list[NDArray[Any]]:
    """COUNT data of each generator folder by its sampler, loaded anew; `own` may be imported for them."""
    torch.set_num_threads(threads)
    made = []
    for folder, weaker, sampler in asked:
        read = SamplerConfig.model_validate(sampler.model_dump(), context={"own": own})
        made.append(Generator.load(folder, own, weaker).to(device).with_sampler(read).sample(COUNT, seed))
    return made


def compared(first: NDArray[Any], others: Sequence[NDArray[Any]]) -> tuple[int, int]:
    """How many bytes there are, and in how many the others differ."""
    return first.nbytes, sum(int(np.count_nonzero(first != other)) for other in others)


def repetition(sampler: SamplerConfig, total: int, differing: int) -> Repetition:
    return Repetition(solver=sampler.label, steps=sampler.steps, bytes=total, differing=differing)
