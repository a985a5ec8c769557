from pathlib import Path

import numpy as np
import pytest

from fm.batches import Budget
from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from tests.fm.conftest import tiny_generator


@pytest.fixture
def generators() -> dict:
    """Two untrained methods with equal networks: on the straight path and on DDPM's."""
    return {
        "flow_matching": tiny_generator(),
        "diffusion": tiny_generator(path="ddpm", target="noise"),
    }


@pytest.fixture
def dataset(tmp_path: Path) -> Prepared:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(60, dtype=np.int64) % 10
    names = tuple(str(number) for number in range(10))
    write(tmp_path / "prepared", Splits(images[:40], labels[:40], images[40:], labels[40:], names), "digits")
    return Prepared.open(tmp_path / "prepared")


@pytest.fixture
def budget() -> Budget:
    return Budget(
        images_seen=1000,
        batch_size=16,
        learning_rate=1e-3,
        warmup_steps=0,
        ema_decay=0.99,
        label_dropout=0.1,
        gradient_clip=1.0,
        seed=0,
    )
