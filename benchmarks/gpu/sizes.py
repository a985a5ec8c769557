"""How large everything is: large on a GPU, small on a CPU."""

from dataclasses import dataclass
from typing import Any

from fm.precision import Precision


@dataclass(frozen=True)
class Case:
    """A network and the batch that it is trained by.

    Attributes:
        shape: (C, *spatial) of a datum.
        options: as fm.networks.Network takes them.
    """

    what: str
    shape: tuple[int, ...]
    options: dict[str, Any]
    batch: int


@dataclass(frozen=True)
class Sizes:
    """
    Attributes:
        cases: networks whose training step is timed; the first is sampled too.
        compiled: which of the cases are compiled, by number.
        sampled: precision and number of images at once, that are sampled by.
        sampled_compiled: numbers of images at once, by a compiled network in bf16.
        square: side of the matrices whose product is the limit.
        steps: of a sampling.
        produced: shapes of the data whose noise and batches are timed, each with a batch size.
        workers: processes that make batches.
        trained: images per second are taken from a whole training of so many steps.
        transported: the network and batch of one that has pairs by optimal transport.
        derived: which of the cases are trained by objectives for few steps, by number.
        seconds: for which each thing is timed.
    """

    cases: tuple[Case, ...]
    compiled: tuple[int, ...]
    sampled: tuple[tuple[Precision, int], ...]
    sampled_compiled: tuple[int, ...]
    square: int
    steps: int
    produced: tuple[tuple[tuple[int, ...], int], ...]
    workers: tuple[int, ...]
    trained: int
    transported: Case
    derived: tuple[int, ...]
    seconds: float


UNET = {"name": "unet", "width": 128, "multipliers": [1, 2, 2, 2], "blocks": 2, "patch_size": 1, "attention": [16]}
DIT_S = {"name": "transformer", "width": 384, "blocks": 12, "heads": 6, "patch_size": 2}
DIT_B = {"name": "transformer", "width": 768, "blocks": 12, "heads": 12, "patch_size": 2}
"""Of the sizes in the papers: Ho et al. 2020 for CIFAR-10, Peebles & Xie 2022, table 1."""

LARGE = Sizes(
    cases=(
        Case("UNet of DDPM, 3×32×32", (3, 32, 32), UNET, 128),
        Case("UNet of DDPM, 3×64×64", (3, 64, 64), UNET, 64),
        Case("DiT-S/2, 3×32×32", (3, 32, 32), DIT_S, 256),
        Case("DiT-S/4, 3×64×64", (3, 64, 64), DIT_S | {"patch_size": 4}, 256),
        Case("DiT-B/2, 4×32×32", (4, 32, 32), DIT_B, 256),
    ),
    compiled=(4, 2, 0),
    sampled=(("bf16", 1), ("bf16", 8), ("bf16", 64), ("bf16", 512), ("tf32", 64), ("float32", 64)),
    sampled_compiled=(1, 64),
    square=8192,
    steps=10,
    produced=(((3, 32, 32), 512), ((3, 256, 256), 64), ((4, 32, 32), 512)),
    workers=(0, 4, 12),
    trained=200,
    transported=Case("DiT-S/2, 3×32×32", (3, 32, 32), DIT_S, 512),
    derived=(0, 2),
    seconds=1.5,
)

SMALL = Sizes(
    cases=(
        Case("small UNet, 1×28×28", (1, 28, 28), {"name": "unet", "width": 32, "blocks": 1}, 64),
        Case("small transformer, 1×28×28", (1, 28, 28), {"name": "transformer"}, 64),
    ),
    compiled=(),
    sampled=(("float32", 1), ("float32", 32)),
    sampled_compiled=(),
    square=1024,
    steps=5,
    produced=(((3, 32, 32), 256),),
    workers=(0, 1),
    trained=20,
    transported=Case("small UNet, 1×28×28", (1, 28, 28), {"name": "unet", "width": 32, "blocks": 1}, 128),
    derived=(0, 1),
    seconds=0.5,
)
