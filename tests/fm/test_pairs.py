"""Rectified flow on Gaussian data in the plane, where the flow and what is regressed on are known in closed form."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fm import pairs
from fm.batches import Batches, Budget, Examples
from fm.conditions import Condition
from fm.config import Config, SamplerConfig
from fm.data.rows import Arrays
from fm.generator import Generator
from fm.noise import Draws, Purpose
from fm.pairs import Pairs, PairsError
from tests.fm.conftest import tiny_generator

MEAN, DEVIATION = torch.tensor([1.0, -2.0]), torch.tensor([0.3, 1.5])
COUNT = 3 * pairs.IN_A_SHARD + 10


class Exact(nn.Module):
    """The velocity of the straight path from N(0, I) to N(MEAN, DEVIATION^2), each axis by itself: with the variance
    V = t^2 s^2 + (1 - t)^2 it is mean + (t s^2 - (1 - t)) / V (x - t mean)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        t, squared = t[:, None], DEVIATION.square()
        return MEAN + (t * squared - (1 - t)) / (t.square() * squared + (1 - t).square()) * (x - t * MEAN)


def exact() -> Generator:
    config = Config(
        path="cond_ot",
        target="velocity",
        network="unet",
        codec={"name": "standardised", "stored": [2]},
        conditioner="none",
        sampler=SamplerConfig(solver="midpoint", steps=50),
    )
    return Generator(config, Exact())


def drawn(folder: Path, generator: Generator, seed: int = 3) -> Pairs:
    rows = Arrays({"data": np.zeros((7, 2), np.float32)})
    examples = Examples(rows, generator.codec, generator.conditioner)
    for first in pairs.starts(COUNT):
        under = pairs.under(examples, first, min(pairs.IN_A_SHARD, COUNT - first), seed)
        pairs.write_shard(folder, first, pairs.draw_shard(generator, seed, first, under))
    pairs.write_index(folder, COUNT, seed, generator.shape)
    return Pairs.open(folder)


@pytest.fixture(scope="module")
def of_the_plane(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    return drawn(tmp_path_factory.mktemp("pairs"), exact())


def everything(rows: Pairs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    fields = rows[np.arange(len(rows))]
    return fields["x0"], fields["data"]


def test_a_pair_is_noise_and_where_the_flow_takes_it(of_the_plane: Pairs) -> None:
    """The flow of one Gaussian to another stretches each axis: x1 = mean + s x0."""
    noise, data = everything(of_the_plane)
    assert noise.shape == data.shape == (COUNT, 2)
    np.testing.assert_allclose(data, MEAN.numpy() + DEVIATION.numpy() * noise, atol=2e-3)
    np.testing.assert_array_equal(noise[4100:4103], Draws(3, [4100, 4101, 4102]).normal((2,), Purpose.PAIR).numpy())


def test_the_marginals_are_the_noises_and_the_datas(of_the_plane: Pairs) -> None:
    """Within 4 standard errors of mean and deviation."""
    for values, mean, deviation in (
        (everything(of_the_plane)[0], np.zeros(2), np.ones(2)),
        (everything(of_the_plane)[1], MEAN.numpy(), DEVIATION.numpy()),
    ):
        error = 4 * deviation / np.sqrt(COUNT)
        assert (np.abs(values.mean(axis=0) - mean) < error).all()
        assert (np.abs(values.std(axis=0) - deviation) < error).all()


def bend(noise: NDArray[np.float32], data: NDArray[np.float32]) -> float:
    """E |x1 - x0 - v(x_t, t)|^2 at t = 0.5, with the best v, which for Gaussians is linear: 0 is a straight flow
    (Liu et al. 2022, eq. 6, one of its times)."""
    x = np.column_stack([np.ones(len(noise)), (noise + data) / 2])
    velocity = data - noise
    fitted = x @ np.linalg.lstsq(x, velocity, rcond=None)[0]
    return float(np.square(velocity - fitted).sum(axis=1).mean())


def test_reflow_straightens(of_the_plane: Pairs) -> None:
    """Data at random bend as Var(x1 - x0 | x_t) says, s^2 / (t^2 s^2 + (1 - t)^2) each axis; pairs do not."""
    noise, data = everything(of_the_plane)
    at_random = bend(noise, np.random.default_rng(0).permutation(data))
    squared = DEVIATION.square().numpy()
    assert at_random == pytest.approx((squared / (squared + 1) * 4).sum(), rel=0.05)
    assert bend(noise, data) < 1e-4 * at_random


def test_a_batch_has_the_pairs_and_mixes_no_other_noise(of_the_plane: Pairs) -> None:
    generator = exact()
    examples = Examples(of_the_plane, generator.codec, generator.conditioner)
    batch = Batches(examples, Budget(images_seen=640, batch_size=64, learning_rate=1e-3))[2]
    assert batch.source is not None
    torch.testing.assert_close(batch.data, MEAN + DEVIATION * batch.noise(), atol=2e-3, rtol=0)
    halves = batch.in_parts(2)
    torch.testing.assert_close(torch.cat([half.noise() for half in halves]), batch.noise(), atol=0, rtol=0)


def test_images_and_their_noise_are_flipped_together(tmp_path: Path) -> None:
    generator = tiny_generator()
    rows = Arrays({"data": np.zeros((5, 8, 8, 1), np.uint8), "label": np.arange(5)})
    under = pairs.under(Examples(rows, generator.codec, generator.conditioner), 3, 8, seed=0)
    assert under["label"].tolist() == [3, 4, 0, 1, 2, 3, 4, 0]
    pairs.write_shard(tmp_path, 0, pairs.draw_shard(generator, 0, 0, under))
    pairs.write_index(tmp_path, 8, 0, generator.shape)
    examples = Examples(Pairs.open(tmp_path), generator.codec, generator.conditioner)
    budget = Budget(images_seen=64, batch_size=8, learning_rate=1e-3, horizontal_flips=1.0)
    batch = Batches(examples, budget)[0]
    assert batch.source is not None
    again = generator.ends_of(batch.source.flip(-1), batch.condition)
    torch.testing.assert_close(batch.data, again.flip(-1), atol=1e-5, rtol=0)


def test_pairs_start_from_the_generators_own_source(tmp_path: Path) -> None:
    plain = tiny_generator()
    config = plain.config.model_copy(update={"source": {"name": "shared", "rho": 0.9}})
    generator = Generator(config, plain.network)
    pairs.write_shard(tmp_path, 0, pairs.draw_shard(generator, 0, 0, {"label": np.arange(3)}))
    pairs.write_index(tmp_path, 3, 0, generator.shape, generator.source.choice)
    fields = Pairs.open(tmp_path)[np.arange(3)]
    white = Draws(0, range(3)).normal(generator.shape, Purpose.PAIR)
    noise = torch.from_numpy(fields["x0"])
    assert torch.equal(noise, generator.source.shaped(white))
    expected = generator.ends_of(noise, {"label": torch.arange(3)})
    torch.testing.assert_close(torch.from_numpy(fields["data"]), expected, atol=1e-5, rtol=0)
    assert "source" not in pairs.write_index(tmp_path, 3, 0, generator.shape).model_dump_json()


def test_a_sampler_with_noise_of_its_own_makes_no_pairs() -> None:
    generator = tiny_generator().with_sampler(SamplerConfig(solver="ddpm", steps=3))
    with pytest.raises(ValueError, match="draws noise of its own"):
        pairs.draw_shard(generator, 0, 0, {"label": np.arange(3)})


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PairsError, match="there are no whole pairs here"):
        Pairs.open(tmp_path)
