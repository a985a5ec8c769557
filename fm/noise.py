"""Random numbers that depend on a seed and a position only.

Sample i of seed s has a stream of its own (Philox, a counter-based generator: Salmon et al. 2011), so its noise
is the same bits whatever the batch size, the number of processes, or how many samples are asked for.
"""

import math

import numpy as np
import torch
from torch import Tensor

Stream = np.random.Generator


def stream(seed: int, index: int) -> Stream:
    """The random stream of sample `index` of `seed`; both in [0, 2**63)."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, index], dtype=np.uint64)))


def streams(seed: int, first_index: int, count: int) -> list[Stream]:
    return [stream(seed, first_index + i) for i in range(count)]


def normal(streams: list[Stream], shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32 (len(streams), *shape), the next numbers of each stream."""
    values = np.empty((len(streams), math.prod(shape)), dtype=np.float32)
    for row, one in zip(values, streams, strict=True):
        one.standard_normal(out=row, dtype=np.float32)
    return torch.from_numpy(values.reshape(len(streams), *shape))


def uniform(streams: list[Stream], count: int) -> Tensor:
    """Uniform float32 (len(streams), count) in [0, 1), the next numbers of each stream."""
    return torch.from_numpy(np.stack([one.random(count, dtype=np.float32) for one in streams]))
