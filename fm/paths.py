"""Gaussian probability paths x_t = alpha(t) x1 + sigma(t) x0 from noise (t = 0) to data (t = 1).

Flow matching and diffusion differ here in nothing but the two functions alpha and sigma (Lipman et al. 2022,
arXiv 2210.02747, eq. 10; Song et al. 2020, arXiv 2011.13456, section 3.4). A path of your own needs
just those two: docs/extend.md shows one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from fm.components import Component, option
from fm.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Mixed(Protocol):
    """A quantity that is no path's own word: it says itself what it is on a path.

    >>> class Mean:
    ...     def mixture(self, path, t):
    ...         return torch.full_like(t, 0.5), torch.full_like(t, 0.5)
    >>> CondOT().mixture(Mean(), torch.tensor([0.25]))
    (tensor([0.5000]), tensor([0.5000]))
    """

    def mixture(self, path: Path, t: Tensor) -> tuple[Tensor, Tensor]:
        """The a and b of a x1 + b x0, each like t."""


QUANTITIES = ("velocity", "data", "noise", "score", "v", "edm")
Quantity = Literal["velocity", "data", "noise", "score", "v", "edm"] | Mixed

SIGMA_DATA = 0.5
"""The data's standard deviation that the quantity `edm` assumes (Karras et al. 2022, table 1); fm.targets has any."""


class PathSample(NamedTuple):
    """A point of the path and the velocity there; x_t, velocity, x0 and x1 of one shape, t (B,).

    >>> CondOT().sample(torch.zeros(1, 2), torch.ones(1, 2), torch.tensor([0.25])).x_t
    tensor([[0.2500, 0.2500]])
    """

    x_t: Tensor
    velocity: Tensor
    x0: Tensor
    x1: Tensor
    t: Tensor


class Ends(NamedTuple):
    """The noise x0 and the data x1 that a point lies between.

    >>> CondOT().ends(torch.tensor([[1.0]]), torch.tensor([[0.25]]), torch.tensor([0.25]), "velocity").x1
    tensor([[1.]])
    """

    x0: Tensor
    x1: Tensor


def like(t: Tensor, x: Tensor) -> Tensor:
    """t (B,) with as many trailing axes as x (B, ...) has, to multiply with it.

    One time for all, (), stays as it is. Solvers keep it on the CPU: whatever device x is on, it multiplies like a
    number, and can be looked at without waiting for that device.
    """
    return t.reshape(t.shape + (1,) * (x.ndim - t.ndim)) if t.ndim else t


def factor(value: Tensor, x: Tensor) -> Tensor:
    """A value (B,) or () of any dtype, on any device, to multiply x (B, ...) with."""
    return like(value.to(x), x) if value.ndim else value


def for_each(t: Tensor, x: Tensor) -> Tensor:
    """t (B,) or () as (B,), of x's dtype and on its device."""
    return t.to(x) if t.ndim else x.new_full((len(x),), float(t))


class Path(Component, ABC, kind="path"):
    """alpha, sigma and their derivatives by t, each elementwise on a tensor of times in [0, 1].

    A subclass gives alpha and sigma; its annotated fields are its options (fm.components). The derivatives are those of
    automatic differentiation unless it gives them too.

    Attributes:
        interval: the times between which a velocity exists, where an integration starts and ends by default.
        proven: whether alpha / sigma rises whatever the options are, by arithmetic; else that is tried when it is made.

    Raises:
        ValueError: when made, if an option cannot be, alpha or sigma is negative or infinite, or alpha / sigma does not
            rise strictly.

    >>> Path.of({"name": "polynomial", "n": 3}).sample(torch.zeros(1), torch.ones(1), torch.tensor([0.5])).velocity
    tensor([0.7500])
    """

    interval: ClassVar[tuple[float, float]] = (0.0, 1.0)
    proven: ClassVar[bool]

    def __init_subclass__(cls, *, proven: bool = False, **others: Any) -> None:
        super().__init_subclass__(**others)
        cls.proven = proven

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor: ...

    def both(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma at t, for a path that makes them of one thing."""
        return self.alpha(t), self.sigma(t)

    def d_alpha(self, t: Tensor) -> Tensor:
        return derivative(self.alpha, t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return derivative(self.sigma, t)

    @property
    def prior_scale(self) -> float:
        """Standard deviation of the noise at the start of the interval."""
        return float(self.sigma(torch.tensor(self.interval[0], dtype=torch.float64)))

    def ratio(self, t: Tensor) -> Tensor:
        """sigma / alpha: EDM's noise level, the inverse root of the signal-to-noise ratio; infinite where alpha = 0."""
        return self.sigma(t) / self.alpha(t)

    def time_of(self, ratio: Tensor) -> Tensor:
        """The t in [0, 1] where sigma / alpha is `ratio`, or the nearest there is; float64, like `ratio`.

        Found by bisection to the last bit, since sigma / alpha falls strictly; a path that can solve for t does.
        """
        ratio = ratio.double()
        low, high = torch.zeros_like(ratio), torch.ones_like(ratio)
        for _ in range(60):
            middle = (low + high) / 2
            noisier = self.sigma(middle) > ratio * self.alpha(middle)
            low, high = torch.where(noisier, middle, low), torch.where(noisier, high, middle)
        return torch.where(low == 0, low, high)

    def sample(self, x0: Tensor, x1: Tensor, t: Tensor) -> PathSample:
        """The point x_t between noise x0 and data x1 (both (B, ...)) at t (B,), and its velocity d x_t / dt."""
        if x0.shape != x1.shape or t.shape != x1.shape[:1]:
            raise ValueError(f"x0 {tuple(x0.shape)}, x1 {tuple(x1.shape)} and t {tuple(t.shape)} do not fit together")
        s = like(t, x1)
        x_t = self.alpha(s) * x1 + self.sigma(s) * x0
        velocity = self.d_alpha(s) * x1 + self.d_sigma(s) * x0
        return PathSample(x_t, velocity, x0, x1, t)

    def mixture(self, quantity: Quantity, t: Tensor) -> tuple[Tensor, Tensor]:
        """The a and b by which a quantity is a x1 + b x0, each like t.

        All are linear in the two ends (Lipman et al. 2024, arXiv 2412.06264, section 4.8):

            velocity    alpha' x1 + sigma' x0
            data        x1
            noise       x0
            score       -x0 / sigma
            v           alpha x0 - sigma x1                      (Salimans & Ho 2022, arXiv 2202.00512, appendix D)
            edm         (sigma x1 / s - alpha s x0) / |alpha s, sigma|     with s = SIGMA_DATA

        The last is `preconditioned`; what is no word of these says itself what it is (Mixed). The score is that of
        white noise; of any other it is NoiseSource.score.

        Raises:
            ValueError: the quantity is infinite at such a t.
        """
        if not isinstance(quantity, str):
            return quantity.mixture(self, t)
        one, zero = torch.ones_like(t), torch.zeros_like(t)
        match quantity:
            case "velocity":
                return finite(self.d_alpha(t), quantity), finite(self.d_sigma(t), quantity)
            case "data":
                return one, zero
            case "noise":
                return zero, one
            case "score":
                return zero, finite(-1 / self.sigma(t), quantity)
            case "v":
                return -self.sigma(t), self.alpha(t)
            case "edm":
                return self.preconditioned(t, SIGMA_DATA)
        raise ValueError(f"quantity {quantity!r}: must be velocity, data, noise, score, v or edm")

    def preconditioned(self, t: Tensor, sigma_data: float) -> tuple[Tensor, Tensor]:
        """The a and b of what EDM's preconditioned network is trained to say, each like t.

        F in Karras et al. 2022 (arXiv 2206.00364), eq. 8: solve x1 = c_skip x_t / alpha + c_out F with c_skip and c_out
        of their table 1 for the noise level sigma / alpha. With sigma_data = 1 it is -v on a variance-preserving path.
        """
        a, b = self.sigma(t) / sigma_data, -self.alpha(t) * sigma_data
        spread = self.spread(t, sigma_data)
        return a / spread, b / spread

    def spread(self, t: Tensor, sigma_data: float) -> Tensor:
        """Standard deviation of x_t for data of standard deviation `sigma_data`."""
        return torch.hypot(self.alpha(t) * sigma_data, self.sigma(t))

    def ends(self, value: Tensor, x_t: Tensor, t: Tensor, source: Quantity) -> Ends:
        """The noise and the data that x_t (B, ...) lies between at t (B,) or (), given another quantity there.

        Raises:
            ValueError: one of them cannot be recovered at such a t, for example data from noise where alpha = 0.
        """
        s = like(t, x_t)
        return Ends(self._noise(value, x_t, s, source), self._data(value, x_t, s, source))

    def convert(self, value: Tensor, x_t: Tensor, t: Tensor, source: Quantity, target: Quantity) -> Tensor:
        """What `value` at (x_t, t) says about another quantity; value and x_t (B, ...), t (B,) or ().

        Raises:
            ValueError: the quantity does not exist at such a t, for example data from noise where alpha = 0.
        """
        if source == target and (source in QUANTITIES or not isinstance(source, str)):
            return value
        s = like(t, x_t)
        if target == "data":
            return self._data(value, x_t, s, source)
        if target == "noise":
            return self._noise(value, x_t, s, source)
        a, b = self.mixture(target, s)
        if target == "score":
            return b * self._noise(value, x_t, s, source)
        return a * self._data(value, x_t, s, source) + b * self._noise(value, x_t, s, source)

    def gain(self, quantity: Quantity, t: Tensor) -> Tensor:
        """How far the data implied at a fixed x_t moves for a unit change of `quantity`, like t."""
        a, b = self.mixture(quantity, t)
        return self.sigma(t) / (a * self.sigma(t) - b * self.alpha(t))

    # With q = a x1 + b x0 and x_t = alpha x1 + sigma x0, both ends follow by Cramer's rule.

    def _data(self, value: Tensor, x_t: Tensor, s: Tensor, source: Quantity) -> Tensor:
        if source == "data":
            return value
        alpha, sigma = self.both(s)
        if source == "score":
            value, source = -sigma * value, "noise"
        a, b = self.mixture(source, s)
        return (sigma * value - b * x_t) / nonzero(a * sigma - b * alpha, source, "data")

    def _noise(self, value: Tensor, x_t: Tensor, s: Tensor, source: Quantity) -> Tensor:
        if source == "noise":
            return value
        if source == "score":
            return -self.sigma(s) * value
        alpha, sigma = self.both(s)
        a, b = self.mixture(source, s)
        return (a * x_t - alpha * value) / nonzero(a * sigma - b * alpha, source, "noise")

    def check(self) -> None:
        if not self.proven:
            self.require_rising()

    def require_rising(self) -> None:
        """Raises ValueError where alpha or sigma is negative or infinite, or alpha / sigma does not rise strictly."""
        with torch.device("cpu"):  # also where networks of sizes alone are made
            t = torch.linspace(*self.interval, 1001, dtype=torch.float64)
            alpha, sigma = self.alpha(t), self.sigma(t)
        for name, values in (("alpha", alpha), ("sigma", sigma)):
            wrong = ~torch.isfinite(values) | (values < 0)
            if bool(wrong.any()):
                raise ValueError(
                    f"{self}: {name} is {values[wrong][0]:.4g} at t = {t[wrong][0]:.4g}: must be 0 or more"
                )
        level = alpha.log() - sigma.log()
        falls = ~(level[1:] > level[:-1])
        if bool(falls.any()):
            raise ValueError(f"{self}: alpha / sigma must rise strictly, and does not at t = {t[1:][falls][0]:.4g}")


def derivative(function: Any, t: Tensor) -> Tensor:
    """The derivative of an elementwise function, like t, by forward-mode differentiation."""
    t = t.contiguous()  # not one number for all rows, as solvers have it: that cannot be differentiated
    slope: Tensor = torch.func.jvp(function, (t,), (torch.ones_like(t),))[1]
    return slope


# Looked at on the CPU alone: any other device would have to be waited for, and what is not finite shows in the end.


def nonzero(determinant: Tensor, source: Quantity, target: str) -> Tensor:
    if determinant.is_cpu and not bool((determinant != 0).all()):
        where = {"noise": "alpha = 0", "data": "sigma = 0"}.get(str(source), "the path stands still")
        raise ValueError(f"{target} cannot be recovered from {source} at a t where {where}")
    return determinant


def finite(coefficient: Tensor, quantity: str) -> Tensor:
    if coefficient.is_cpu and not bool(torch.isfinite(coefficient).all()):
        where = "sigma = 0" if quantity == "score" else "the path's slope is infinite"
        raise ValueError(f"the {quantity} does not exist at a t where {where}")
    return coefficient


class CondOT(
    Path,
    name="cond_ot",
    says="the straight path from noise to data",
    source="Lipman et al. 2022, arXiv 2210.02747, eq. 20",
    formula=r"$\alpha = t$, $\sigma = 1 - t$",
    proven=True,
):
    """The straight path of flow matching: alpha = t, sigma = 1 - t (Lipman et al. 2022, eq. 20 with sigma_min = 0).

    >>> CondOT().alpha(torch.tensor(0.25)), CondOT().sigma(torch.tensor(0.25))
    (tensor(0.2500), tensor(0.7500))
    """

    def alpha(self, t: Tensor) -> Tensor:
        return t

    def sigma(self, t: Tensor) -> Tensor:
        return 1 - t

    def d_alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return -torch.ones_like(t)

    def time_of(self, ratio: Tensor) -> Tensor:
        return 1 / (1 + ratio.double())


class Polynomial(
    Path,
    name="polynomial",
    says="a polynomial path from noise to data",
    source="Lipman et al. 2024, arXiv 2412.06264, section 4.7",
    formula=r"$\alpha = t^n$, $\sigma = 1 - t^n$",
    proven=True,
):
    """alpha = t^n, sigma = 1 - t^n: the straight path at another pace (Lipman et al. 2024, section 4.7).

    >>> Polynomial(n=3.0).alpha(torch.tensor(0.5))
    tensor(0.1250)
    """

    n: float = option(2.0, above=0, most=100, says="exponent of t")

    def alpha(self, t: Tensor) -> Tensor:
        return t**self.n

    def sigma(self, t: Tensor) -> Tensor:
        return 1 - t**self.n

    def d_alpha(self, t: Tensor) -> Tensor:
        return self.n * t ** (self.n - 1)

    def d_sigma(self, t: Tensor) -> Tensor:
        return -self.n * t ** (self.n - 1)

    def time_of(self, ratio: Tensor) -> Tensor:
        return (1 + ratio.double()) ** (-1 / self.n)


class Cosine(
    Path,
    name="cosine",
    says="the cosine path",
    source="Nichol & Dhariwal 2021, arXiv 2102.09672",
    formula=r"$\alpha = \sin(\pi t / 2)$, $\sigma = \cos(\pi t / 2)$",
    proven=True,
):
    """alpha = sin(pi t / 2), sigma = cos(pi t / 2) (Nichol & Dhariwal 2021, arXiv 2102.09672, without its offset).

    >>> Cosine().alpha(torch.tensor(0.5))
    tensor(0.7071)
    """

    def alpha(self, t: Tensor) -> Tensor:
        return torch.sin(t * (math.pi / 2))

    def sigma(self, t: Tensor) -> Tensor:
        return torch.sin((1 - t) * (math.pi / 2))  # exactly 0 at the data, which the cosine of t is not

    def d_alpha(self, t: Tensor) -> Tensor:
        return (math.pi / 2) * self.sigma(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return -(math.pi / 2) * self.alpha(t)

    def time_of(self, ratio: Tensor) -> Tensor:
        return 1 - torch.atan(ratio.double()) / (math.pi / 2)


class EDM(
    Path,
    name="edm",
    says="EDM's variance-exploding path",
    source="Karras et al. 2022, arXiv 2206.00364, table 1",
    formula=r"$\alpha = 1$, $\sigma = \sigma_{\max} (1 - t)$",
    proven=True,
):
    """Variance exploding: alpha = 1, sigma = sigma_max (1 - t) (Karras et al. 2022, arXiv 2206.00364, table 1).

    Their time is sigma itself, so that their ODE, dx / dsigma = (x - D) / sigma, is this path's velocity.

    >>> EDM(sigma_max=80.0).prior_scale
    80.0
    """

    sigma_max: float = option(80.0, above=0, most=1e6, says="the noise's standard deviation at t = 0")

    def alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        return self.sigma_max * (1 - t)

    def d_alpha(self, t: Tensor) -> Tensor:
        return torch.zeros_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return torch.full_like(t, -self.sigma_max)

    def time_of(self, ratio: Tensor) -> Tensor:
        return (1 - ratio.double() / self.sigma_max).clamp(min=0)


class LogVariancePreserving(Path):
    """alpha^2 + sigma^2 = 1, given by log alpha-bar(t) = 2 log alpha(t), which rises to 0 at t = 1.

    The slope of sigma is infinite at t = 1, so the interval ends a thousandth before it.

    >>> path = VariancePreserving()
    >>> bool((path.alpha(torch.tensor(0.5)) ** 2 + path.sigma(torch.tensor(0.5)) ** 2 - 1).abs() < 1e-6)
    True
    """

    interval: ClassVar[tuple[float, float]] = (0.0, 0.999)

    @abstractmethod
    def log_alpha_bar(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def d_log_alpha_bar(self, t: Tensor) -> Tensor: ...

    def alpha(self, t: Tensor) -> Tensor:
        return self.both(t)[0]

    def sigma(self, t: Tensor) -> Tensor:
        return self.both(t)[1]

    def both(self, t: Tensor) -> tuple[Tensor, Tensor]:
        log_alpha_bar = self.log_alpha_bar(t)
        return torch.exp(0.5 * log_alpha_bar), torch.sqrt(-torch.expm1(log_alpha_bar))

    def d_alpha(self, t: Tensor) -> Tensor:
        return 0.5 * self.d_log_alpha_bar(t) * self.alpha(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        """From alpha^2 + sigma^2 = 1; minus infinity at t = 1."""
        return -self.alpha(t) * self.d_alpha(t) / self.sigma(t)

    def time_of(self, ratio: Tensor) -> Tensor:
        """From 1 / alpha-bar = 1 + (sigma / alpha)^2."""
        return self.time_of_log_alpha_bar(-torch.log1p(ratio.double().square()))

    @abstractmethod
    def time_of_log_alpha_bar(self, value: Tensor) -> Tensor:
        """The t in [0, 1] where log alpha-bar is `value`, or the nearest there is, like `value`."""


class VariancePreserving(
    LogVariancePreserving,
    name="variance_preserving",
    says="the variance-preserving diffusion in continuous time",
    source="Song et al. 2020, arXiv 2011.13456, eq. 33",
    formula=r"$\alpha = \exp(-\frac14 s^2 (\beta_1 - \beta_0) - \frac12 s \beta_0)$ with $s = 1 - t$, "
    r"$\sigma = \sqrt{1 - \alpha^2}$",
    proven=True,
):
    """The variance-preserving diffusion in continuous time (Song et al. 2020, arXiv 2011.13456, eq. 33).

    alpha does not quite reach 0 at t = 0: exp(-(beta_min + beta_max) / 4) is left, 0.0066 by default.

    >>> VariancePreserving(beta_max=10.0).ratio(torch.tensor(0.9))
    tensor(0.2476)
    """

    beta_min: float = option(0.1, least=0, most=1000, says="rate of noising at the data, per unit of time")
    beta_max: float = option(20.0, above=0, most=1000, says="and at the noise")

    def log_alpha_bar(self, t: Tensor) -> Tensor:
        s = 1 - t
        return -s * (self.beta_min + 0.5 * (self.beta_max - self.beta_min) * s)

    def d_log_alpha_bar(self, t: Tensor) -> Tensor:
        return self.beta_min + (self.beta_max - self.beta_min) * (1 - t)

    def time_of_log_alpha_bar(self, value: Tensor) -> Tensor:
        """By the quadratic formula, in the form that loses no digits near the data."""
        growth = self.beta_max - self.beta_min
        most = self.beta_min + 0.5 * growth
        fallen = -value.clamp(min=-most)
        root = (self.beta_min**2 + 2 * growth * fallen).sqrt()
        t = 1 - 2 * fallen / (self.beta_min + root).clamp(min=torch.finfo(value.dtype).tiny)
        return torch.where(fallen < most, t, 0.0)


class DDPM(
    LogVariancePreserving,
    name="ddpm",
    title="DDPM",
    says="DDPM's variance-preserving diffusion",
    source="Ho et al. 2020, arXiv 2006.11239, section 4",
    formula=r"$\alpha = \sqrt{\bar\alpha_k}$ at $t = 1 - k/1000$, $\sigma = \sqrt{1 - \alpha^2}$",
    proven=True,
):
    """DDPM's chain of 1000 steps with linear betas (Ho et al. 2020, arXiv 2006.11239, section 4).

    t = 1 - k/1000 is the state after k noising steps; between them log alpha-bar is linear.

    >>> DDPM().interval
    (0.0, 0.999)
    """

    steps: ClassVar[int] = 1000

    @staticmethod
    @cache
    def table(device: torch.device) -> Tensor:
        """log alpha-bar after 0 to 1000 noising steps, float64."""
        betas = torch.linspace(1e-4, 0.02, DDPM.steps, dtype=torch.float64)
        return torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-betas).cumsum(0)]).to(device)

    def _segment(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Position in the chain, and the two table entries around it."""
        k = (1 - t) * self.steps
        below = k.floor().clamp(0, self.steps - 1).long()
        table = self.table(t.device)
        return k - below, table[below].to(t.dtype), table[below + 1].to(t.dtype)

    def log_alpha_bar(self, t: Tensor) -> Tensor:
        offset, left, right = self._segment(t)
        return left + offset * (right - left)

    def d_log_alpha_bar(self, t: Tensor) -> Tensor:
        _, left, right = self._segment(t)
        return self.steps * (left - right)

    def time_of_log_alpha_bar(self, value: Tensor) -> Tensor:
        fallen, table = -value, -self.table(value.device)
        fallen = fallen.clamp(max=table[-1])
        after = torch.searchsorted(table, fallen).clamp(min=1)
        left, right = table[after - 1], table[after]
        return 1 - (after - 1 + (fallen - left) / (right - left)) / self.steps


class Chain(
    DDPM,
    name="chain",
    says="a noising chain of other steps than DDPM's, as diffusers' schedulers name them",
    source="Ho et al. 2020, arXiv 2006.11239; Nichol & Dhariwal 2021, arXiv 2102.09672; Rombach et al. 2021, "
    "arXiv 2112.10752",
    formula=r"$\alpha = \sqrt{\bar\alpha_k}$ at $t = 1 - k/$`steps`, $\sigma = \sqrt{1 - \alpha^2}$",
):
    """A chain of so many steps with betas by the name of their schedule; between its states log alpha-bar is linear.

        linear              evenly spaced                                           (Ho et al. 2020)
        scaled_linear       the squares of evenly spaced roots                      (Rombach et al. 2021)
        squaredcos_cap_v2   alpha-bar is cos^2((s + 0.008) / 1.008 * pi / 2)   (Nichol & Dhariwal 2021)
        sigmoid             a sigmoid from -6 to 6                                  (Xu et al. 2022, arXiv 2203.02923)

    >>> t = torch.linspace(0, 1, 7, dtype=torch.float64)
    >>> torch.equal(Chain().alpha(t), DDPM().alpha(t))
    True
    """

    schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"] = option("linear", says="of the betas")
    steps: int = option(1000, least=2, most=100_000, says="of the chain")  # type: ignore[misc]
    beta_start: float = option(1e-4, above=0, most=0.999, says="of the step next to the data")
    beta_end: float = option(0.02, above=0, most=0.999, says="of the step next to the noise")

    def table(self, device: torch.device) -> Tensor:  # type: ignore[override]
        return chain_table(self, device)

    def betas(self) -> Tensor:
        """Of every step, the one next to the data first; float64 (steps,)."""
        start, end, steps = self.beta_start, self.beta_end, self.steps
        match self.schedule:
            case "linear":
                return torch.linspace(start, end, steps, dtype=torch.float64)
            case "scaled_linear":
                return torch.linspace(math.sqrt(start), math.sqrt(end), steps, dtype=torch.float64).square()
            case "sigmoid":
                return torch.linspace(-6, 6, steps, dtype=torch.float64).sigmoid() * (end - start) + start
        s = torch.arange(steps + 1, dtype=torch.float64) / steps
        alpha_bar = torch.cos((s + 0.008) / 1.008 * (math.pi / 2)).square()
        return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999)


@cache
def chain_table(chain: Chain, device: torch.device) -> Tensor:
    """log alpha-bar after 0 to all of its steps, float64."""
    return torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-chain.betas()).cumsum(0)]).to(device)
