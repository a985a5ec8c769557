"""Flow matching, with optimal transport too, and diffusion on two moons: one network, one loss, three settings.

`python -m examples.two_dimensions [--out docs/images/two_dimensions.png]`, about a minute on one core.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.datasets import make_moons
from torch import Tensor, nn

from fm.batches import Batch
from fm.conditions import Condition
from fm.config import SamplerConfig
from fm.couplings import assignment
from fm.field import Field
from fm.noise import Draws, Purpose
from fm.objectives import Regression
from fm.sampling import times_of
from fm.solvers import Solver

SEED = 0
TRAINING_STEPS = 4000
BATCH = 256
MANY_STEPS = 100
FEW_STEPS = 4
MEASURED = 1000
LINES = 64
LIMIT = 3.0
DRAWN = 2  # the seed of what is drawn: all of its lines stay inside the panels

NOISE, DATA, GENERATED = "#0072B2", "#777777", "#D55E00"
FAINT, LINE, FRAME, INK = "#C4C4C4", "#9A9A9A", "#DDDDDD", "#333333"


@dataclass(frozen=True)
class Method:
    title: str
    objective: Regression
    solver: str


METHODS = {
    "flow_matching": Method(
        "Flow matching", Regression.named("cond_ot", "independent", "uniform", "velocity", "flat"), "euler"
    ),
    "optimal_transport": Method(
        "Flow matching with OT",
        Regression.named("cond_ot", "optimal_transport", "uniform", "velocity", "flat"),
        "euler",
    ),
    "diffusion": Method("Diffusion", Regression.named("ddpm", "independent", "discrete", "noise", "flat"), "ddim"),
}


class Network(nn.Module):
    """A small MLP (x, t) -> R^2. There is no condition; it takes one since every network here is called so."""

    frequencies: Tensor

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.pi * 2.0 ** torch.arange(4))
        self.layers = nn.Sequential(
            nn.Linear(2 + 1 + 2 * len(self.frequencies), width),
            *(layer for _ in range(3) for layer in (nn.SiLU(), nn.Linear(width, width))),
            nn.SiLU(),
            nn.Linear(width, 2),
        )

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        waves = t[:, None] * self.frequencies
        out: Tensor = self.layers(torch.cat([x, t[:, None], waves.sin(), waves.cos()], dim=1))
        return out


class OneAfterAnother(Draws):
    """Numbers from one of torch's generators: drawn faster, but functions of all that was drawn before."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__(seed=0, positions=range(BATCH))
        self.generator = generator

    def uniform(self, count: int, purpose: Purpose) -> Tensor:
        return torch.rand(BATCH, count, generator=self.generator)


def moons(count: int, seed: int) -> Tensor:
    """Two moons of about zero mean and unit standard deviation, float32 (count, 2)."""
    points, _ = make_moons(count, noise=0.06, random_state=seed)
    return (torch.from_numpy(points).float() - torch.tensor([0.5, 0.25])) / 0.71


def noise(count: int, seed: int) -> Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))


def train(objective: Regression, data: Tensor, steps: int = TRAINING_STEPS, seed: int = SEED) -> Network:
    """A network trained by `objective` on data (N, 2); the same initial weights and random numbers for every method."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network()
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        x1 = data[torch.randint(len(data), (BATCH,), generator=generator)]
        x0 = objective.coupling(torch.randn(x1.shape, generator=generator), x1)
        told = {"label": no_labels(BATCH)}
        loss = objective.loss(network, Batch(x1, told, told, OneAfterAnother(generator), source=x0), network)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return network.eval()


def no_labels(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.int64)


def conditional_paths(objective: Regression, x0: Tensor, x1: Tensor, points: int = 65) -> Tensor:
    """x_t between noise and data (B, 2) as the method pairs them, (points, B, 2)."""
    x0 = objective.coupling(x0, x1)
    times = torch.linspace(0, 1, points)
    return torch.stack([objective.path.sample(x0, x1, t.expand(len(x1))).x_t for t in times])


@torch.no_grad()
def trajectories(method: Method, network: Network, start: Tensor, steps: int) -> Tensor:
    """Where standard normal noise (B, 2) goes, (steps + 1, B, 2): the solver of the method, one step after another."""
    objective = method.objective
    field = Field(network, objective.path, objective.target)
    times = times_of(SamplerConfig(solver=method.solver, steps=steps), field.along)
    points = [float(field.along.sigma(times[0])) * start]
    for interval in pairwise(times):
        step = torch.stack(interval)
        points.append(Solver.of(method.solver).draw(field, points[-1], step, lambda: torch.randn_like(start)))
    return torch.stack(points)


def wasserstein(a: Tensor, b: Tensor) -> float:
    """The 2-Wasserstein distance of two sets of equally many points (N, 2), by optimal assignment."""
    return float((a[assignment(a, b)] - b).double().square().sum(1).mean().sqrt())


def draw_lines(axes: Axes, lines: Tensor, end: str) -> None:
    """Lines (points, B, 2) from dots of noise to dots of the colour `end`."""
    axes.add_collection(LineCollection(list(lines.transpose(0, 1).numpy()), colors=LINE, linewidths=0.8))
    axes.scatter(lines[0, :, 0], lines[0, :, 1], s=14, color=NOISE, linewidths=0, zorder=3)
    axes.scatter(lines[-1, :, 0], lines[-1, :, 1], s=14, color=end, linewidths=0, zorder=4)


def draw_cloud(axes: Axes, points: Tensor, colour: str) -> None:
    axes.scatter(points[:, 0], points[:, 1], s=5, color=colour, linewidths=0)


def draw_column(column: Sequence[Axes], method: Method, network: Network, seed: int) -> None:
    """What the method is trained on, where its model leads, and what it makes in few steps."""
    pairs, trajectory, few = column
    pairs.set_title(method.title, pad=8, fontsize=15)
    x0, x1 = noise(BATCH, seed), moons(BATCH, seed + 1)
    draw_lines(pairs, conditional_paths(method.objective, x0, x1)[:, :LINES], DATA)

    start, real = noise(MEASURED, seed + 2), moons(MEASURED, seed + 3)
    many = trajectories(method, network, start, MANY_STEPS)
    draw_cloud(trajectory, real, FAINT)
    draw_lines(trajectory, many[:, :LINES], GENERATED)
    trajectory.set_title(distance(many[-1], real))

    samples = trajectories(method, network, start, FEW_STEPS)[-1]
    draw_cloud(few, real, FAINT)
    draw_cloud(few, samples, GENERATED)
    few.set_title(distance(samples, real))


def distance(samples: Tensor, real: Tensor) -> str:
    return f"$W_2$ = {wasserstein(samples, real):.2f}, n = {len(samples)}"


def draw(networks: dict[str, Network], seed: int = DRAWN) -> Figure:
    """Three columns, one a method, of three rows."""
    with rc_context({"font.size": 13, "text.color": INK, "axes.labelcolor": INK, "axes.titlesize": 13}):
        figure = Figure(figsize=(9, 9.6), dpi=160, layout="constrained")
        grid = figure.subplots(3, len(METHODS), sharex=True, sharey=True)
        for (name, method), column in zip(METHODS.items(), grid.T, strict=True):
            draw_column(column, method, networks[name], seed)
        rows = ("Training pairs", f"Trajectories, {MANY_STEPS} steps", f"Samples, {FEW_STEPS} steps")
        for axes, label in zip(grid[:, 0], rows, strict=True):
            axes.set_ylabel(label, fontsize=15, labelpad=8)
        for axes in grid.flat:
            axes.set(xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT), aspect="equal", xticks=[], yticks=[])
            axes.spines[:].set_color(FRAME)
        dots = [
            Line2D([], [], marker="o", markersize=7, linestyle="", color=colour, label=label)
            for colour, label in ((NOISE, "noise"), (DATA, "data"), (GENERATED, "generated"))
        ]
        figure.legend(handles=dots, loc="outside lower center", ncols=3, frameon=False, handletextpad=0.1)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images/two_dimensions.png"))
    out: Path = parser.parse_args().out
    torch.set_num_threads(1)
    data = moons(4000, SEED)
    networks = {name: train(method.objective, data) for name, method in METHODS.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    draw(networks).savefig(out)


if __name__ == "__main__":
    main()
