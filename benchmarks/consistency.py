"""Continuous-time consistency models beside MeanFlow and shortcut models: onto eight spots in the plane.

    .venv/bin/python -m benchmarks.consistency          # three seeds, a few minutes on one core

A consistency model says where a trajectory ends, f(x, t) = x + (1 - t) u(x, t), and is trained for df/dt = 0 along it
(Song et al. 2023, arXiv 2303.01469; stable in continuous time: sCM, Lu & Song 2024, arXiv 2410.11081). Written out,
that is u = v + (1 - t) du/dt: MeanFlow's identity with the step's end held at the data. So sCM is run here as its
objective with `until` = 1 for all data, on sCM's trigonometric path and with its normalised tangent, which is the
adaptive weight with exponent 1/2: by consistency training (the velocity is a pair's own) and by distillation of the
exact velocity, the best teacher there is. It jumps to the data only, so that two or more evaluations take fresh noise
in between. The 2-Wasserstein distance is that of 1,000 samples to as many data.
"""

import argparse
import math
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from benchmarks.gpu.report import number, table
from fm.batches import Batch
from fm.components import option
from fm.conditions import Condition
from fm.couplings import Coupling
from fm.field import Field
from fm.metrics.intervals import mean_interval
from fm.networks.layers import TimeEmbedding
from fm.noise import Draws, Purpose
from fm.objectives import MeanFlow, Objective
from fm.paths import Path, PathSample, like
from fm.solvers import Solver
from fm.targets import Velocity
from fm.timesteps import Timesteps
from fm.training.ema import Average

SPOTS = 2 * torch.tensor([[math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)] for k in range(8)])
SPREAD, WIDTH, BATCH, MEASURED = 0.3, 128, 256, 1000
EVALUATIONS = (1, 2, 4, 10)


class Net(nn.Module):
    """A small perceptron that is told two times, of which one is how long is left."""

    def __init__(self) -> None:
        super().__init__()
        self.t, self.left = TimeEmbedding(WIDTH, 10.0), TimeEmbedding(WIDTH, 10.0)
        self.first = nn.Linear(2, WIDTH)
        self.others = nn.Sequential(
            *(layer for _ in range(3) for layer in (nn.SiLU(), nn.Linear(WIDTH, WIDTH))), nn.SiLU(), nn.Linear(WIDTH, 2)
        )

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        left = torch.zeros_like(t) if until is None else until - t
        out: Tensor = self.others(self.first(x) + self.t(t) + self.left(left))
        return out


class ToTheEnd(MeanFlow, says="where a trajectory ends, by its derivative along itself"):
    """Every step ends at the data."""

    exactly: bool = option(False, says="whether it is learnt from the exact velocity, and not from a pair's own")

    def times(self, batch: Batch, rows: Tensor) -> tuple[Tensor, Tensor]:
        t, _ = super().times(batch, rows)
        return t, torch.ones_like(t)

    def velocities(self, network: nn.Module, batch: Batch, point: PathSample, rows: Tensor) -> tuple[Tensor, Tensor]:
        v = exact(self.path, point.x_t, point.t) if self.exactly else point.velocity
        return v, v[rows]


def exact(path: Path, x: Tensor, t: Tensor) -> Tensor:
    """The velocity of the spots' flow at x (B, 2) and t (B,)."""
    alpha, sigma = path.alpha(t)[:, None], path.sigma(t)[:, None]
    variance = alpha**2 * SPREAD**2 + sigma**2
    beyond = x[:, None] - alpha[:, None] * SPOTS
    likely = torch.softmax(-beyond.square().sum(dim=2) / (2 * variance), dim=1)[:, :, None]
    x1 = (likely * (SPOTS + alpha[:, None] * SPREAD**2 * beyond / variance[:, None])).sum(dim=1)
    x0 = (likely * sigma[:, None] * beyond / variance[:, None]).sum(dim=1)
    return path.d_alpha(t)[:, None] * x1 + path.d_sigma(t)[:, None] * x0


def of_path(name: str, path: str = "cond_ot", **options: object) -> Objective:
    parts = {"path": path, "coupling": "independent", "timesteps": "uniform"}
    return Objective.of({"name": name, **parts, **options})


def to_the_end(exactly: bool) -> Objective:
    options = {"spanning": 1.0, "tangent": "pair", "derivative": "forward", "exponent": 0.5, "exactly": exactly}
    parts = {"path": Path.of("cosine"), "coupling": Coupling.of("independent"), "timesteps": Timesteps.of("uniform")}
    return ToTheEnd(**parts, **options)


def jumps(network: nn.Module, path: Path, x: Tensor, steps: int, solver: str) -> Tensor:
    times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    return Solver.of(solver).draw(Field(network, path, Velocity()), x, times, lambda: x)


def ends(network: nn.Module, path: Path, x: Tensor, steps: int) -> Tensor:
    """To the data in each step, and back to the next time with fresh noise (Song et al. 2023, algorithm 1)."""
    found = x
    for t in torch.linspace(0, 1, steps + 1)[:-1].tolist():
        now = torch.full((len(x),), t)
        if t:
            x = path.alpha(like(now, x)) * found + path.sigma(like(now, x)) * torch.randn_like(x)
        found = x + like(1 - now, x) * network(x, now, {}, until=torch.ones_like(now))
    return found


Sampled = Callable[[nn.Module, Path, Tensor, int], Tensor]
METHODS: dict[str, tuple[Callable[[], Objective], Sampled]] = {
    "flow matching, Euler": (
        lambda: of_path("regression", target="velocity", weight="flat"),
        partial(jumps, solver="euler"),
    ),
    "MeanFlow": (lambda: of_path("mean_flow"), partial(jumps, solver="jump")),
    "MeanFlow, exponent 0": (lambda: of_path("mean_flow", exponent=0.0), partial(jumps, solver="jump")),
    "shortcut": (lambda: of_path("shortcut"), partial(jumps, solver="jump")),
    "sCM, training": (lambda: to_the_end(exactly=False), ends),
    "sCM, distillation": (lambda: to_the_end(exactly=True), ends),
}


def spots(draws: Draws) -> Tensor:
    which = (8 * draws.uniform(1, Purpose.ENCODING)[:, 0]).long()
    return SPOTS[which] + SPREAD * draws.normal((2,), Purpose.SAMPLE)


def trained(objective: Objective, steps: int, seed: int) -> nn.Module:
    """The averaged network."""
    torch.manual_seed(seed)
    network = Net()
    average = Average(network, 0.99)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        draws = Draws(seed, range(step * BATCH, (step + 1) * BATCH))
        loss = objective.loss(network, Batch(spots(draws), {}, {}, draws), average.network)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update(network)
    return average.network


def distance(made: Tensor, data: Tensor) -> float:
    """2-Wasserstein, of as many samples each."""
    costs = torch.cdist(made.double(), data.double()).square().numpy()
    return math.sqrt(costs[linear_sum_assignment(costs)].mean())


@torch.no_grad()
def measured(network: nn.Module, path: Path, sampled: Sampled) -> list[float]:
    draws = Draws(12345, range(MEASURED))
    data = spots(draws)
    return [
        distance(sampled(network, path, draws.normal((2,), Purpose.NOISE), count).float(), data)
        for count in EVALUATIONS
    ]


def main(steps: int, seeds: Sequence[int]) -> None:
    """Print a table: mean distance and half of its interval over the seeds, and the time of a training."""
    torch.set_num_threads(1)
    rows = []
    for name, (make, sampled) in METHODS.items():
        began, found, objective = time.process_time(), [], make()
        networks = [trained(objective, steps, seed) for seed in seeds]
        took = (time.process_time() - began) / len(seeds)
        found = [measured(network, objective.path, sampled) for network in networks]
        rows.append((name, *(summary(values) for values in zip(*found, strict=True)), number(took)))
        print(rows[-1], flush=True)
    floor = distance(spots(Draws(7, range(MEASURED))), spots(Draws(12345, range(MEASURED))))
    print(f"\n2-Wasserstein distance, {steps} steps of {BATCH}; two draws of the spots are {floor:.2f} apart\n")
    print(table(("evaluations", *map(str, EVALUATIONS), "processor seconds"), rows))


def summary(values: Sequence[float]) -> str:
    if len(values) == 1:
        return number(values[0])
    middle, _, high = mean_interval(values)
    return f"{middle:.2f} ± {high - middle:.2f}"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.consistency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=2000, help="of training (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser


if __name__ == "__main__":
    given = arguments().parse_args()
    main(given.steps, given.seeds)
