"""UniPC: a multistep method that corrects each of its steps by the prediction which the next one makes anyway."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from fm.components import option
from fm.lazy import torch
from fm.paths import Path
from fm.solvers.gaussian import Clipping, Predict, clipped
from fm.solvers.ode import at_least_float32, on_host
from fm.solvers.solver import Fresh

if TYPE_CHECKING:
    from torch import Tensor


class Said(NamedTuple):
    """What the network said of the data at a level lambda = log(alpha / sigma).

    >>> Said(level=0.0, data=torch.zeros(1)).level
    0.0
    """

    level: float
    data: Tensor


class Step(NamedTuple):
    """One step in lambda, and where the network has said something before it.

    Attributes:
        kept, added: without a change of the data on the way, x becomes kept * x + added * data.
        width: in lambda.
        start: what is said where it starts.
        past: what was said before that, as far as the step's order reaches, the latest first.

    >>> still = Said(0.0, torch.zeros(1))
    >>> step = Step(kept=0.5, added=0.5, width=1.0, start=still, past=[])
    >>> step.end(torch.ones(1)), step.end(torch.ones(1), Said(1.0, torch.ones(1)))
    (tensor([0.5000]), tensor([0.7500]))
    """

    kept: float
    added: float
    width: float
    start: Said
    past: list[Said]

    def end(self, x: Tensor, ended: Said | None = None) -> Tensor:
        """x at the end: predicted (UniP), or corrected by what is said there (UniC); paper, eq. 3 and 9, with
        B(h) = exp(h) - 1."""
        others = self.past if ended is None else [*self.past, ended]
        places = [(one.level - self.start.level) / self.width for one in self.past] + [1.0] * (ended is not None)
        data = self.start.data
        for share, place, one in zip(shares(places, self.width), places, others, strict=True):
            data = data + share / place * (one.data - self.start.data)
        return self.kept * x + self.added * data


class UniPC(
    Clipping,
    name="unipc",
    title="UniPC",
    says="multistep, and each step is corrected by the next one's prediction, which costs no call",
    source="Zhao et al. 2023, arXiv 2302.04867, algorithms 5 to 8",
    convergence="its option + 1",
    calls=1,
):
    """Predictor and corrector in lambda = log(alpha / sigma), of data, with B(h) = exp(h) - 1 (their bh2).

    The predictor of order 2 is DPM-Solver++(2M). Steps near both ends are of lower order: as much of the past as there
    is, and no more than there are steps to come. What is said at alpha = 0, where lambda is infinite, is no past that
    could be extrapolated from.

    >>> def halfway(x, t):
    ...     return Ends(x, torch.full_like(x, 0.5))
    >>> from fm.paths import Ends
    >>> UniPC()(halfway, Path.of("cosine"), torch.ones(1, 1), torch.linspace(0, 1, 5))
    tensor([[0.5000]])
    """

    order: int = option(2, least=1, most=3, says="of the predictor; the corrector's is one higher")

    def __call__(self, ends: Predict, path: Path, x: Tensor, times: Tensor, fresh: Fresh | None = None) -> Tensor:
        ends = clipped(ends, path, self.bound)
        x, times = at_least_float32(x), on_host(times)
        alpha, sigma = path.alpha(times), path.sigma(times)
        levels = (alpha.log() - sigma.log()).tolist()
        keep = sigma[1:] / sigma[:-1]
        add = alpha[1:] - alpha[:-1] * keep
        begun, step, past = x, None, list[Said]()
        for k, (t, kept, added) in enumerate(zip(times[:-1], keep.tolist(), add.tolist(), strict=True)):
            start = Said(levels[k], ends(x, t).x1)
            if step is not None:
                x = step.end(begun, start)
            reach = min(self.order, len(times) - 1 - k) - 1
            step = Step(kept, added, levels[k + 1] - levels[k], start, past[:reach])
            past = [start, *past][: self.order - 1] if math.isfinite(start.level) else []
            begun, x = x, step.end(x)
        return x


def shares(places: list[float], width: float) -> list[float]:
    """With which share the difference quotient to each of some places in a step (1 is its end) counts.

    The data are then integrated as the polynomial through them all, under the weight that grows with exp(lambda);
    with one place, where any share that tends to a half is of the same order, by that half, as the authors do.

    >>> shares([1.0], width=0.3), [round(share, 3) for share in shares([-1.0, 1.0], width=0.3)]
    ([0.5], [0.083, 0.442])
    """
    if len(places) < 2:
        return [0.5] * len(places)
    powers = [[place**i for place in places] for i in range(len(places))]
    moments = [1.0]
    for i in range(1, len(places) + 1):
        moments.append(-1 / math.expm1(-width) - i / width * moments[-1])
    system = torch.tensor(powers, dtype=torch.float64)
    found: list[float] = torch.linalg.solve(system, torch.tensor(moments[1:], dtype=torch.float64)).tolist()
    return found
