"""How the small networks that measure data are trained: a function of the data and a seed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fm.data.rows import Data, Order, Ordered, Rows
from fm.images import to_float
from fm.networks.layers import in_channels_last


@dataclass(frozen=True)
class Schedule:
    """AdamW with one cycle of the learning rate (Smith & Topin 2017, arXiv 1708.07120).

    >>> Schedule(epochs=3, batch_size=64, peak_learning_rate=3e-3).seed
    0
    """

    epochs: int
    batch_size: int
    peak_learning_rate: float
    seed: int = 0


def epochs_of(count: int, batch_size: int, epochs: int, least_steps: int, most_seen: int) -> int:
    """So many epochs of `count` data, but at least so many steps, and no epoch after `most_seen` data.

    >>> [epochs_of(count, 100, epochs=30, least_steps=600, most_seen=400_000) for count in (1_000, 10_000, 100_000)]
    [60, 30, 4]
    """
    return max(min(epochs, most_seen // count), -(-least_steps * batch_size // count), 1)


def own_order(rows: Rows) -> Callable[[int, int], Order] | None:
    """The rows' own order, if they have one."""
    return rows.order if isinstance(rows, Ordered) else None


def fit(
    network: nn.Module,
    data: Data,
    loss: Callable[[Any, NDArray[np.int64]], Tensor],
    schedule: Schedule,
    device: torch.device,
    report: Callable[[str], None],
    order: Callable[[int, int], Order] | None = None,
    encode: Callable[[NDArray[Any]], Tensor] = to_float,
) -> None:
    """Train in place on data as they are stored, a function of the seed.

    Args:
        network: of data as `encode` makes them.
        loss: of what the network says of the data of these rows, int64 (B,).
        order: of the data in an epoch, by (seed, epoch), where not all orders cost the same.
        encode: what is stored -> float (B, C, *spatial); of pictures, in [-1, 1].
    """
    in_channels_last(network.to(device)).train()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    steps_per_epoch = len(data) // schedule.batch_size
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.peak_learning_rate, total_steps=steps_per_epoch * schedule.epochs
    )
    shuffle = np.random.default_rng(schedule.seed)
    started = time.perf_counter()
    for epoch in range(schedule.epochs):
        places = np.arange(len(data))
        permuted = shuffle.permutation(len(data)) if order is None else order(schedule.seed, epoch)
        for step in range(steps_per_epoch):
            rows = permuted[places[step * schedule.batch_size : (step + 1) * schedule.batch_size]]
            found = loss(network(encode(data[rows]).to(device)), rows)
            optimizer.zero_grad()
            found.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            cycle.step()
        report(f"epoch {epoch + 1}/{schedule.epochs}, loss {found.item():.3f}, {time.perf_counter() - started:.0f} s")
    network.eval()
