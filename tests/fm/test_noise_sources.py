"""Noise that is not white. On Gaussian data everything along a path is known in closed form: both covariances are
diagonal in the same coordinates, and each coordinate is a path of one number."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path as Folder

import numpy as np
import pytest
import torch
from torch import Tensor

from fm.batches import Batches, Budget, Examples
from fm.codecs import Standardised
from fm.conditions import Unconditional
from fm.config import Config, SamplerConfig
from fm.data.rows import Arrays
from fm.generator import Generator
from fm.likelihood import log_likelihood
from fm.noise import Draws, Purpose
from fm.noise_sources import LEAST, WHITE, NoiseSource, Shared, Spectral, amplitude, wave_numbers
from fm.objectives import Regression
from fm.paths import DDPM, CondOT, Cosine, Ends, Path, like
from fm.solvers import Solver, solve
from fm.solvers.gaussian import DDIM
from fm.solvers.stochastic import EulerMaruyama
from fm.starting import Original, gone_on
from fm.training.loop import fit, untrained

SHAPE = 2, 4, 6
RED = Spectral(power=((3.0, 2.0, 1.0, 0.5, 0.25), (1.0, 0.5, 0.25, 0.1, 2.0)))
SOURCES = {"white": WHITE, "shared": Shared(rho=0.6), "spectral": RED, "bluer": Spectral(-0.5, RED.power)}
EACH = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
DATA = Spectral(power=((1.0, 0.8, 0.3, 0.2, 0.1), (2.0, 0.4, 0.3, 0.2, 0.1)))
"""Whose noise the data are, of half the size."""


def matrix_of(function: Callable[[Tensor], Tensor], shape: tuple[int, ...] = SHAPE) -> Tensor:
    """Of a linear map of data."""
    size = math.prod(shape)
    return function(torch.eye(size, dtype=torch.float64).reshape(size, *shape)).reshape(size, size)


@EACH
def test_it_is_a_symmetric_map_that_can_be_undone(source: NoiseSource) -> None:
    a = matrix_of(source.shaped)
    torch.testing.assert_close(a, a.T)
    assert float(torch.linalg.eigvalsh(a).min()) > 0
    torch.testing.assert_close(matrix_of(source.whitened) @ a, torch.eye(len(a), dtype=torch.float64))
    assert source.log_volume(SHAPE) == pytest.approx(float(torch.linalg.slogdet(a).logabsdet))
    assert float((a @ a).diagonal().mean()) == pytest.approx(1)


@EACH
def test_the_score_is_that_of_its_density(source: NoiseSource) -> None:
    a, sigma = matrix_of(source.shaped), 0.7
    x0 = torch.randn(3, *SHAPE, dtype=torch.float64)
    x_t = (2.0 + sigma * x0).flatten(1).requires_grad_()
    density = torch.distributions.MultivariateNormal(torch.full((len(a),), 2.0).double(), sigma**2 * a @ a)
    (expected,) = torch.autograd.grad(density.log_prob(x_t).sum(), x_t)
    torch.testing.assert_close(source.score(x0, torch.tensor(sigma)).flatten(1), expected)


def test_frames_share_what_they_are_to_share() -> None:
    a = matrix_of(Shared(rho=0.6).shaped, (1, 3, 2))
    frames = torch.full((3, 3), 0.6, dtype=torch.float64).fill_diagonal_(1)
    torch.testing.assert_close(a @ a, torch.kron(frames, torch.eye(2, dtype=torch.float64)))
    assert torch.equal(matrix_of(Shared(rho=0.0).shaped), torch.eye(48, dtype=torch.float64).double())


def test_power_is_by_the_wave_numbers_length() -> None:
    a = matrix_of(partial(Spectral(power=((4.0, 1.0, 0.25),)).shaped), (1, 4))
    frequencies = torch.fft.fft(torch.eye(4, dtype=torch.float64), norm="ortho")
    found = torch.linalg.diagonal(frequencies.conj().T @ (a @ a).to(frequencies) @ frequencies).real
    mean = (4 + 1 + 0.25 + 1) / 4
    torch.testing.assert_close(found, torch.tensor([4, 1, 0.25, 1], dtype=torch.float64) / mean)
    torch.testing.assert_close(matrix_of(Spectral(0.0, RED.power).shaped), torch.eye(48, dtype=torch.float64))


@EACH
def test_the_noise_of_a_sample_is_the_same_bits_in_whatever_company(source: NoiseSource) -> None:
    for shape in (SHAPE, (2, 4, 32, 32)):
        if shape != SHAPE and source.name == "spectral":
            source = Spectral(
                source.exponent, (tuple(1 / (1 + k) for k in range(int(wave_numbers(shape[1:]).max()) + 1)),) * 2
            )
        together = source.shaped(Draws(0, range(9)).normal(shape, Purpose.SAMPLE))
        for index in range(9):
            assert torch.equal(source.shaped(Draws(0, [index]).normal(shape, Purpose.SAMPLE))[0], together[index])


def examples_of(data: Tensor) -> Examples:
    return Examples(Arrays({"data": data.float().numpy()}), Standardised(stored=tuple(data.shape[1:])), Unconditional())


def test_the_spectrum_is_the_datas_own() -> None:
    torch.manual_seed(0)
    data = 3 + RED.shaped(torch.randn(2000, *SHAPE))
    data[:, 1, 0] += 50  # a mean of its own, which is none of the spectrum
    found = Spectral().measured(examples_of(data))
    torch.testing.assert_close(amplitude(found, SHAPE), amplitude(RED, SHAPE), rtol=0.05, atol=0)
    assert found.measured(examples_of(torch.randn(5, 1, 3))) == found
    assert NoiseSource.of(found.choice) == found
    still = Spectral().measured(examples_of(torch.zeros(5, 1, 4)))
    assert still.power == ((1.0, 1.0, 1.0),)
    smooth = torch.sin(torch.arange(8) * math.tau / 8 + torch.rand(50, 1, 1) * math.tau)
    assert Spectral().measured(examples_of(smooth)).power == ((LEAST, 4.0, LEAST, LEAST, LEAST),)


# Of x1 with the covariance D and x0 with C, coordinate by coordinate.


def ends_of(path: Path, source: Spectral) -> Callable[[Tensor, Tensor], Ends]:
    """E[x0 | x_t] and E[x1 | x_t]."""
    of_data, of_noise = amplitude(DATA, SHAPE) / 2, amplitude(source, SHAPE)

    def ends(x: Tensor, t: Tensor) -> Ends:
        alpha, sigma = float(path.alpha(t.flatten()[0])), float(path.sigma(t.flatten()[0]))
        spread = (alpha * of_data).square() + (sigma * of_noise).square()
        return Ends(filtered(x, sigma * of_noise.square() / spread), filtered(x, alpha * of_data.square() / spread))

    return ends


def filtered(x: Tensor, factors: Tensor) -> Tensor:
    return torch.fft.ifft2(torch.fft.fft2(x) * factors).real


def velocity_of(path: Path, source: Spectral) -> Callable[[Tensor, Tensor], Tensor]:
    def velocity(x: Tensor, t: Tensor) -> Tensor:
        x0, x1 = ends_of(path, source)(x, t)
        return path.d_alpha(like(t, x)) * x1 + path.d_sigma(like(t, x)) * x0

    return velocity


@pytest.mark.parametrize("path", [CondOT(), Cosine()])
@pytest.mark.parametrize("source", [RED, SOURCES["bluer"]])
def test_the_flow_takes_each_coordinate_of_the_noise_to_the_datas(path: Path, source: Spectral) -> None:
    white = torch.randn(3, *SHAPE, dtype=torch.float64)
    found = solve(velocity_of(path, source), source.shaped(white), "rk4", steps=200).x1
    torch.testing.assert_close(found, filtered(white, amplitude(DATA, SHAPE) / 2), rtol=0, atol=1e-4)


def test_velocity_data_and_noise_say_the_same_of_each_other() -> None:
    x, t, path = torch.randn(3, *SHAPE, dtype=torch.float64), torch.full((3,), 0.3, dtype=torch.float64), CondOT()
    x0, x1 = ends_of(path, RED)(x, t)
    torch.testing.assert_close(path.convert(velocity_of(path, RED)(x, t), x, t, "velocity", "data"), x1)
    torch.testing.assert_close(path.convert(x0, x, t, "noise", "data"), x1)
    spread = (0.3 * amplitude(DATA, SHAPE) / 2).square() + (0.7 * amplitude(RED, SHAPE)).square()
    torch.testing.assert_close(RED.score(x0, path.sigma(t[0])), filtered(x, -1 / spread))


@pytest.mark.parametrize("solver", ["ddim", "dpmpp_2m", "unipc", {"name": "edm"}])
def test_deterministic_solvers_end_there_too(solver: str) -> None:
    white, path = torch.randn(3, *SHAPE, dtype=torch.float64), DDPM()
    times = torch.linspace(0, 1, 1001, dtype=torch.float64)
    walk = Solver.of(solver)
    found = walk(ends_of(path, RED), path, RED.shaped(white) * float(path.sigma(times[0])), times)
    torch.testing.assert_close(found, filtered(white, amplitude(DATA, SHAPE) / 2), rtol=0, atol=0.02)


STEEP = Spectral(power=((30.0, 10.0, 1.0, 0.1, 0.03),) * 2)
"""Whose noise other data are: coarse ones."""


def variances_of(exponent: float) -> tuple[Tensor, Tensor]:
    """Of steep data and of the noise, by wave number."""
    return amplitude(STEEP, SHAPE).square(), amplitude(Spectral(exponent, STEEP.power), SHAPE).square()


@pytest.mark.parametrize("exponent", [1.0, 0.5, 0.0, -0.5])
def test_the_pace_differs_by_frequency_unless_the_noise_has_the_datas_spectrum(exponent: float) -> None:
    """When half of a variance is known: the coarser the sooner, and the more so the lower the exponent."""
    p, c = variances_of(exponent)
    times = 1 / (1 + (p / c).sqrt())  # t² P = (1 - t)² C
    by_length = [times[0][wave_numbers(SHAPE[1:]) == length].mean() for length in range(5)]
    assert all(sooner <= later + 1e-12 for sooner, later in pairwise(by_length))
    odds = [float(time / (1 - time)) for time in (by_length[0], by_length[-1])]
    assert odds[1] / odds[0] == pytest.approx((30 / 0.03) ** ((1 - exponent) / 2))


def test_few_steps_are_enough_where_all_wave_numbers_come_at_one_pace() -> None:
    """The exact velocity, in ten steps of Euler's: how many decades the spectrum is off, from what is known exactly."""

    def off(exponent: float) -> float:
        p, c = variances_of(exponent)

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            t = t[0]
            return filtered(x, (t * p - (1 - t) * c) / (t**2 * p + (1 - t) ** 2 * c))

        impulse = torch.zeros(1, *SHAPE, dtype=torch.float64)
        impulse[:, :, 0, 0] = 1
        made = torch.fft.fft2(solve(velocity, filtered(impulse, c.sqrt()), "euler", steps=10).x1).abs().square()
        return float((made[0] / p).log10().abs().mean())

    own, between, white, bluer = (off(exponent) for exponent in (1.0, 0.5, 0.0, -0.5))
    exact = math.prod((1 + 0.1 * (2 * t - 1) / (t**2 + (1 - t) ** 2)) ** 2 for t in torch.arange(10).double() / 10)
    assert own == pytest.approx(abs(math.log10(exact)))
    assert own < between < white < bluer
    assert 1.5 * own < white


STOCHASTIC = [
    EulerMaruyama(scale=2.0),
    EulerMaruyama(diffusion="sine", scale=4.0),
    DDIM(eta=1.0),
    Solver.of({"name": "edm", "churn": 80}),
]


@pytest.mark.parametrize("solver", STOCHASTIC, ids=str)
def test_fresh_noise_of_the_same_source_keeps_the_distribution(solver: Solver) -> None:
    """Every step is a filter, so that the spectrum of a sample is known without drawing: each row has a single impulse,
    in x or in what is drawn at one of the steps."""
    path, times = DDPM(), torch.linspace(0, 1, 401, dtype=torch.float64)
    alpha, sigma = (float(value) for value in path.both(times[0]))
    spread = torch.hypot(alpha * amplitude(DATA, SHAPE) / 2, sigma * amplitude(RED, SHAPE))

    def spectrum(source: NoiseSource) -> Tensor:
        rows = iter(range(len(times) + 1))

        def impulse() -> Tensor:
            noise = torch.zeros(len(times) + 1, *SHAPE, dtype=torch.float64)
            noise[next(rows), :, 0, 0] = 1
            return noise

        start = filtered(impulse(), spread)
        ended = solver(ends_of(path, RED), path, start, times, lambda: source.shaped(impulse()))
        return torch.fft.fft2(ended).abs().square().sum(dim=0)

    expected = (amplitude(DATA, SHAPE) / 2).square()
    torch.testing.assert_close(spectrum(RED), expected, rtol=0.15, atol=0)
    assert not torch.allclose(spectrum(WHITE), expected, rtol=0.5, atol=0)


@EACH
def test_the_likelihood_knows_the_covariance(source: NoiseSource) -> None:
    """Of data that are the noise itself, of twice the size."""
    a = 2 * matrix_of(source.shaped)
    x1 = 2 * source.shaped(torch.randn(3, *SHAPE, dtype=torch.float64))
    found = log_likelihood(lambda x, t: math.log(2) * x, x1, solver="rk4", steps=20, source=source)
    exact = torch.distributions.MultivariateNormal(torch.zeros(48, dtype=torch.float64), a @ a)
    torch.testing.assert_close(found.log_density, exact.log_prob(x1.flatten(1)), rtol=0, atol=1e-4)


# In training, and in what is made.

BUDGET = Budget(images_seen=64, batch_size=8, learning_rate=1e-3)
PARTS = "cond_ot", "optimal_transport", "uniform", "velocity", "flat"
NETWORK = {"name": "unet", "width": 8, "multipliers": [1], "blocks": 1}


def learnt() -> Examples:
    torch.manual_seed(1)
    return examples_of(DATA.shaped(torch.randn(40, *SHAPE)) / 2)


def test_batches_have_its_noise_and_are_paired_by_it() -> None:
    objective = Regression.named(*PARTS, source=RED.choice)
    batch = Batches(learnt(), BUDGET, pairing=objective.pairing, source=objective.source)[3]
    white = batch.draws.normal(SHAPE, Purpose.NOISE)
    assert batch.pairs is not None
    assert torch.equal(batch.noise(), RED.shaped(white)[batch.pairs])
    assert torch.equal(batch.pairs, objective.coupling.rows(RED.shaped(white), batch.data))
    parts = objective.paired(batch).in_parts(3)
    assert torch.equal(torch.cat([part.noise() for part in parts]), batch.noise())
    plain = Batches(learnt(), BUDGET)[3]
    assert torch.equal(torch.cat([part.noise() for part in plain.in_parts(3)]), plain.noise())
    shaped = Batches(learnt(), BUDGET, source=RED)[3]
    assert torch.equal(torch.cat([part.noise() for part in shaped.to("cpu").in_parts(3)]), shaped.noise())


@pytest.mark.parametrize("source", ["spectral", {"name": "spectral", "exponent": -0.5}, {"name": "shared", "rho": 0.3}])
def test_a_generator_starts_from_it_and_says_so_in_its_folder(source: str, tmp_path: Folder) -> None:
    objective = Regression.named(*PARTS, source=source).measured(learnt())
    generator = untrained(objective, learnt(), NETWORK)
    assert generator.source == objective.source
    fit(generator, objective, learnt(), BUDGET)
    made = generator.sample(3, seed=4)
    generator.save(tmp_path)
    again = Generator.load(tmp_path)
    assert again.source == objective.source
    assert np.array_equal(again.sample(3, seed=4), made)
    white = Draws(4, range(3)).normal(SHAPE, Purpose.SAMPLE)
    assert np.array_equal(generator.sample_from(objective.source.shaped(white), [None] * 3), made)
    plain = generator.config.model_copy(update={"source": "white"})
    assert not np.array_equal(Generator(plain, generator.network).sample(3, seed=4), made)
    stochastic = generator.with_sampler(SamplerConfig(solver="ddpm", steps=3))
    alone, among_others = stochastic.sample(2, seed=4, first_index=1), stochastic.sample(4, seed=4)[1:3]
    np.testing.assert_allclose(alone, among_others, atol=1e-5)


def config(**changes: object) -> Config:
    return Config.model_validate(
        {
            "path": "cond_ot",
            "target": "velocity",
            "network": NETWORK,
            "codec": {"name": "standardised", "stored": list(SHAPE)},
            "conditioner": "none",
            "sampler": {"solver": "midpoint", "steps": 2},
            **changes,
        }
    )


def test_of_white_noise_nobody_says_anything() -> None:
    assert "source" not in config().model_dump_json()
    assert "source" not in config(source="white").model_dump_json()
    assert config(source={"name": "shared", "rho": 0.25}).model_dump()["source"] == {"name": "shared", "rho": 0.25}
    named = Regression.named(*PARTS)
    assert (named.source, "source" in str(named.choice)) == (WHITE, False)


def test_a_network_is_gone_on_with_under_the_noise_it_knows() -> None:
    shared = config(source={"name": "shared", "rho": 0.25}, path="cosine")
    assert gone_on(shared, Original.of(config(source={"name": "shared", "rho": 0.25}))).native is not None
    with pytest.raises(ValueError, match="with noise of the source white, and this is shared: they must be the same"):
        gone_on(shared, Original.of(config()))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: NoiseSource.of("pink"), "no source 'pink': must be one of white, shared, spectral, datum"),
        (lambda: Shared(rho=1.0), "rho = 1.0: must be a number from 0 up and below 1"),
        (
            lambda: Shared().shaped(torch.randn(3, 5)),
            r"'shared' is for data along an axis or more, not of shape \(5,\)",
        ),
        (lambda: Spectral().shaped(torch.randn(3, *SHAPE)), "the data's spectrum is not known: measure it"),
        (lambda: RED.shaped(torch.randn(3, 2, 8, 6)), r"power is that of other data than those of shape \(2, 8, 6\)"),
        (lambda: Spectral(power=((1.0, 2.0), (1.0,))), "power: all channels have as many wave numbers"),
        (lambda: Spectral(power=((0.0,),)), "power = "),
        (lambda: Spectral().measured(examples_of(torch.randn(5, 3))), "'spectral' is for data along an axis or more"),
        (
            lambda: Regression.named("cond_ot", "independent", "uniform", "score", "flat", source="shared"),
            "target 'score': of noise that is not white .* with source 'shared' take velocity, data or noise",
        ),
    ],
)
def test_what_cannot_be(made: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made()
