"""MeanFlow: a network that says the mean velocity between two times, so that one call of it spans them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from fm.arithmetic import in_full
from fm.components import option
from fm.lazy import torch
from fm.noise import Purpose
from fm.noise_sources import NoiseSource
from fm.objectives.coupled import SOURCE, Coupled
from fm.objectives.parting import part_of, rows_of
from fm.paths import like
from fm.timesteps import Timesteps

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fm.batches import Batch
    from fm.conditions import Condition
    from fm.paths import PathSample

SMALL = 1e-3
"""What keeps the adaptive weight finite (Geng et al. 2025, section 4.3)."""


class MeanFlow(
    Coupled,
    name="mean_flow",
    title="MeanFlow",
    says="the mean velocity from one time until another, by what it owes to its own rate of change",
    source="Geng et al. 2025, arXiv 2505.13447; improved: Geng et al. 2025, arXiv 2512.02012",
    formula=r"$u = v + (r - t)\, \mathrm{d}u / \mathrm{d}t$",
):
    """The mean velocity u(x_t, t, r) = 1 / (r - t) times the integral of v from t until r obeys

        u = v + (r - t) du/dt,    du/dt = (v · ∂x) u + ∂t u,

    r held fixed (Geng et al. 2025, eq. 6, with time turned round). So a network is trained for the right-hand side, in
    which its own derivative is taken as given. Where r = t this is flow matching.

    `tangent` is the v of the derivative: a pair's own velocity in MeanFlow; in its improved form the network's, u(x_t,
    t, t), which is less noisy (Geng et al. 2025, arXiv 2512.02012, algorithm 1). The two losses are otherwise the same.

    Guidance can be learnt, so that one call of the network is guided: where the network says u with a condition and
    u' without, the velocity of a pair is replaced by

        v + (1 - 1 / w) (u(x_t, t, t) - u'(x_t, t, t)),

    whose mean is u where u is the velocity guided by w, u' + w (v - u') (Geng et al. 2025, arXiv 2512.02012, as in its
    authors' code; the scale w is a number here, and no condition of the network).

    >>> parts = {"path": "cond_ot", "coupling": "independent", "timesteps": "uniform"}
    >>> MeanFlow.of({"name": "mean_flow", **parts}).spanning
    0.5
    """

    until: ClassVar[bool] = True

    timesteps: Timesteps
    spanning: float = option(0.5, above=0, most=1, says="share of the data that a mean velocity is learnt from")
    tangent: Literal["network", "pair"] = option("network", says="whose velocity u is differentiated along")
    derivative: Literal["difference", "forward"] = option(
        "difference",
        says="by a finite difference, all of float32 whatever the training's precision, or by forward-mode "
        "differentiation, which costs more",
    )
    step: float = option(0.005, above=0, most=0.1, says="of the finite difference")
    exponent: float = option(
        1.0, least=0, most=2, says="of the adaptive weight 1 / error, in which the network has no part; 0 means none"
    )
    guidance: float = option(
        1.0,
        least=1,
        most=100,
        says="scale of classifier-free guidance that the network learns, so that sampling needs none; 1 means none",
    )
    source: NoiseSource = SOURCE

    @property
    def guided(self) -> bool:
        return self.guidance != 1

    @property
    def differences(self) -> bool:
        return self.derivative == "difference"

    def loss(self, network: nn.Module, batch: Batch, averaged: nn.Module) -> Tensor:
        batch = self.paired(batch)
        rows = rows_of(batch, self.spanning)
        t, until = self.times(batch, rows)
        point = self.path.sample(batch.noise(), batch.data, t)
        u = network(point.x_t, t, batch.given, until=until)
        with torch.no_grad():
            velocity, v = self.velocities(network, batch, point, rows)
            x, start, end, given = point.x_t[rows], t[rows], until[rows], part_of(batch.given, rows)
            rate = self.rate(network, x, start, end, given, v.to(x), u[rows])
            target = velocity.index_add(0, rows, like(end - start, x) * rate)
        error = (u - target).square().flatten(1).mean(dim=1)
        weight = (error.detach() + SMALL).pow(-self.exponent)
        loss: Tensor = (weight * error).mean()
        return loss

    def times(self, batch: Batch, rows: Tensor) -> tuple[Tensor, Tensor]:
        """From when until when, both (B,): the same but for `rows`."""
        low, high = self.path.interval
        drawn = batch.draws.uniform(2, Purpose.TIME).to(batch.data)
        one, other = (self.timesteps(u, self.path).clamp(low, high) for u in drawn.unbind(1))
        spans = torch.zeros_like(one, dtype=torch.bool).index_fill(0, rows, True)
        return torch.where(spans, torch.minimum(one, other), one), torch.where(spans, torch.maximum(one, other), one)

    def velocities(self, network: nn.Module, batch: Batch, point: PathSample, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What is learnt where a step has no length, like x_t (B, ...), and along which u of `rows` is differentiated.

        Raises:
            ValueError: guidance is to be learnt, and the batch has no "no condition".
        """
        x, t, learnt = point.x_t, point.t, point.velocity
        if self.guidance == 1:
            if self.tangent == "pair":
                return learnt, learnt[rows]
            return learnt, network(x[rows], t[rows], part_of(batch.given, rows), until=t[rows])
        if batch.null is None:
            raise ValueError("guidance is learnt from batches that have a null condition, and this one has none")
        strong, weak = (network(x, t, told, until=t) for told in (batch.given, batch.null))
        learnt = learnt + (1 - 1 / self.guidance) * (strong - weak)
        return learnt, (strong if self.tangent == "network" else learnt)[rows]

    def rate(
        self, network: nn.Module, x: Tensor, t: Tensor, until: Tensor, given: Condition, v: Tensor, u: Tensor
    ) -> Tensor:
        """du/dt where x moves with velocity v, like x (B, ...).

        Args:
            u: what the network says at (x, t, until).
        """
        if self.derivative == "forward":
            return forward_mode(network, x, t, until, given, v)
        from fm.networks.layers import without_dropout

        # What u is rounded by is divided by the step: in bfloat16 that would be as much as du/dt, and dropout more.
        with in_full(x.device) as rounded, without_dropout(network) as random:
            now = network(x, t, given, until=until) if rounded or random else u
            later: Tensor = network(x + self.step * v, t + self.step, given, until=until)
        return (later - now) / self.step


def forward_mode(network: nn.Module, x: Tensor, t: Tensor, until: Tensor, given: Condition, v: Tensor) -> Tensor:
    """The same to rounding; attention by the only kernel that can be differentiated so."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def u(x: Tensor, t: Tensor) -> Tensor:
        said: Tensor = network(x, t, given, until=until)
        return said

    with sdpa_kernel(SDPBackend.MATH):
        rate: Tensor = torch.func.jvp(u, (x, t), (v, torch.ones_like(t)))[1]
    return rate
