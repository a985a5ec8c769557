"""A small convolutional classifier whose penultimate layer measures images of a labelled dataset."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.data.rows import Order, Ordered, Rows
from fm.images import Images, to_float
from fm.pictures import Shown

LARGEST = 64
"""Pixels a side of the pictures that are looked at; larger ones are made so small."""


class Classifier(nn.Module):
    """Three convolutions at falling resolution and one hidden layer of `dimensions` features.

    >>> Classifier(channels=1, image_size=8, num_classes=10)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(self, channels: int, image_size: int, num_classes: int, dimensions: int = 64) -> None:
        super().__init__()
        self.size = image_size
        looked_at = min(image_size, LARGEST)
        stride = 2 if looked_at >= 16 else 1
        side = -(-looked_at // stride) // 2
        self.body = nn.Sequential(
            *block(channels, 32, stride),
            *block(32, 64),
            nn.MaxPool2d(2),
            *block(64, 64),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(64 * side**2, dimensions),
            nn.ReLU(),
        )
        self.head = nn.Linear(dimensions, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) in [-1, 1] -> logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) in [-1, 1] -> (B, dimensions)."""
        seen: Tensor = self.body(F.adaptive_avg_pool2d(x, LARGEST) if self.size > LARGEST else x)
        return seen


def block(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


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


def own_order(rows: Rows) -> Callable[[int, int], Order] | None:
    """The rows' own order, if they have one."""
    return rows.order if isinstance(rows, Ordered) else None


def train_classifier(
    network: Classifier,
    images: Images | Shown,
    labels: npt.NDArray[np.int64],
    schedule: Schedule,
    device: torch.device,
    report: Callable[[str], None],
    order: Callable[[int, int], Order] | None = None,
) -> None:
    """Train in place on uint8 images (N, H, W, C) and int64 labels (N,), a function of the seed.

    Args:
        order: of the images in an epoch, by (seed, epoch), where not all orders cost the same.
    """
    network.to(device).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    steps_per_epoch = len(images) // schedule.batch_size
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.peak_learning_rate, total_steps=steps_per_epoch * schedule.epochs
    )
    shuffle = np.random.default_rng(schedule.seed)
    started = time.perf_counter()
    for epoch in range(schedule.epochs):
        places = np.arange(len(images))
        permuted = shuffle.permutation(len(images)) if order is None else order(schedule.seed, epoch)
        for step in range(steps_per_epoch):
            rows = permuted[places[step * schedule.batch_size : (step + 1) * schedule.batch_size]]
            loss = F.cross_entropy(
                network(to_float(images[rows]).to(device)), torch.from_numpy(labels[rows]).to(device)
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            cycle.step()
        report(f"epoch {epoch + 1}/{schedule.epochs}, loss {loss.item():.3f}, {time.perf_counter() - started:.0f} s")
    network.eval()
