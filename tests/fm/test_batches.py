import numpy as np
import numpy.typing as npt
import pytest
import torch

from fm import noise
from fm.batches import Batches, Budget, Examples
from fm.codecs import Pixels, Standardised
from fm.conditions import Labels, Unconditional
from fm.couplings import OptimalTransport
from fm.data.rows import Arrays, Fields
from fm.images import to_float
from fm.noise import Draws, Purpose

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), dtype=np.uint8)
LABELS = np.arange(50) % 10
DIGITS = tuple("0123456789")
EXAMPLES = Examples(Arrays({"data": IMAGES, "label": LABELS}), Pixels((8, 8, 1)), Labels(DIGITS))


def budget(**changes: float) -> Budget:
    plan = {"images_seen": 400, "batch_size": 16, "learning_rate": 1e-3, "warmup_steps": 5, "ema_decay": 0.9}
    return Budget(**(plan | {"label_dropout": 0.5, "gradient_clip": 1.0, "seed": 3} | changes))  # type: ignore[arg-type]


def numbered(count: int) -> Examples:
    """Data that can be told apart by their labels."""
    names = tuple(map(str, range(count)))
    return Examples(Arrays({"data": IMAGES[:count], "label": np.arange(count)}), Pixels((8, 8, 1)), Labels(names))


def test_a_batch_is_a_function_of_its_step() -> None:
    batches, again = Batches(EXAMPLES, budget()), Batches(EXAMPLES, budget())
    assert len(batches) == 25
    in_order = [batches[step] for step in range(25)]
    for step in (20, 3, 11):
        one, other = in_order[step], again[step]
        assert torch.equal(one.data, other.data)
        assert torch.equal(one.noise(), other.noise())
        assert torch.equal(one.condition["label"], other.condition["label"])
        assert torch.equal(one.given["label"], other.given["label"])
    assert not torch.equal(in_order[0].noise(), in_order[1].noise())
    assert not torch.equal(in_order[0].noise(), Batches(EXAMPLES, budget(seed=4))[0].noise())


def test_a_batch_is_made_of_the_numbers_of_its_positions() -> None:
    batch = Batches(EXAMPLES, budget())[7]  # positions 112 to 127, in the third epoch
    order = noise.stream(3, 2, Purpose.ORDER).permutation(50)
    rows = order[112 - 100 : 128 - 100]
    assert torch.equal(batch.data, to_float(IMAGES[rows]))
    assert batch.condition["label"].tolist() == LABELS[rows].tolist()
    draws = Draws(3, range(112, 128))
    assert torch.equal(batch.noise(), draws.normal((1, 8, 8), Purpose.NOISE))
    u = draws.uniform(1, Purpose.TIME).squeeze(1)
    assert torch.equal(batch.draws.uniform(1, Purpose.TIME)[:, 0], u)
    strata = ((torch.arange(16, dtype=torch.float64) + u) / 16).float().clamp(max=1 - 2**-24)
    assert torch.equal(batch.draws.stratified(Purpose.TIME), strata)
    drop = draws.uniform(1, Purpose.DROPOUT).squeeze(1)
    assert torch.equal(batch.given["label"], torch.where(drop < 0.5, 10, batch.condition["label"]))
    assert batch.null is not None
    assert batch.null["label"].tolist() == [10] * len(batch.data)
    some = batch.part(slice(1, 3))
    assert some.null is not None
    assert [len(one) for one in (some.data, some.condition["label"], some.null["label"])] == [2, 2, 2]


def test_no_sample_of_the_same_seed_starts_from_noise_seen_in_training() -> None:
    batches = Batches(EXAMPLES, budget())
    seen = torch.cat([batches[step].noise() for step in range(25)]).flatten(1)
    starts = Draws(3, range(400)).normal((64,), Purpose.SAMPLE)
    shared = np.corrcoef(seen.numpy(), starts.numpy())[:400, 400:]
    assert np.abs(shared).max() < 0.8  # of 64 numbers, in 160,000 pairs: by chance about 0.6


def test_every_epoch_has_every_datum_once_in_another_order() -> None:
    batches = Batches(numbered(50), budget(batch_size=50))
    first, second = batches[0].condition["label"], batches[1].condition["label"]
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(50))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_share_one_global_batch(world_size: int) -> None:
    plan = budget(horizontal_flips=0.5)
    whole = Batches(EXAMPLES, plan)[7]
    parts = [Batches(EXAMPLES, plan, rank, world_size)[7] for rank in range(world_size)]

    def joined(of_part: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack(of_part, dim=1).flatten(0, 1)

    assert torch.equal(joined([part.data for part in parts]), whole.data)
    assert torch.equal(joined([part.noise() for part in parts]), whole.noise())
    for of in ("condition", "given"):
        assert torch.equal(joined([getattr(part, of)["label"] for part in parts]), getattr(whole, of)["label"]), of
    for purpose in (Purpose.TIME, Purpose.OBJECTIVE):
        assert torch.equal(joined([p.draws.uniform(2, purpose) for p in parts]), whole.draws.uniform(2, purpose))
    strata = whole.draws.stratified(Purpose.TIME)
    assert torch.equal(joined([part.draws.stratified(Purpose.TIME) for part in parts]), strata)
    assert torch.equal((strata * 16).floor(), torch.arange(16.0))


def test_conditions_are_withheld_as_often_as_said() -> None:
    batches = Batches(EXAMPLES, budget(images_seen=16_000))
    dropped = torch.cat([batches[step].given["label"] == 10 for step in range(200)]).float().mean()
    assert float(dropped) == pytest.approx(0.5, abs=0.04)


class Shards:
    """Rows that are fetched from several places, as a store of files gives them."""

    def __len__(self) -> int:
        return 50

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> Fields:
        shards = [(IMAGES[start : start + 25], LABELS[start : start + 25]) for start in (0, 25)]
        found = [(shards[row // 25][0][row % 25], shards[row // 25][1][row % 25]) for row in rows]
        return {"data": np.stack([data for data, _ in found]), "label": np.stack([label for _, label in found])}


def test_rows_may_come_from_anywhere() -> None:
    elsewhere = Examples(Shards(), EXAMPLES.codec, EXAMPLES.conditioner)
    here, there = Batches(EXAMPLES, budget()), Batches(elsewhere, budget())
    for step in (0, 7):
        assert torch.equal(here[step].data, there[step].data)
        assert torch.equal(here[step].given["label"], there[step].given["label"])


def test_data_without_conditions_are_told_nothing() -> None:
    batch = Batches(Examples(EXAMPLES.rows, EXAMPLES.codec, Unconditional()), budget())[0]
    assert (batch.condition, batch.given) == ({}, {})


def test_flips_are_as_often_as_said_and_change_nothing_else() -> None:
    plain, flipped = (Batches(EXAMPLES, budget(horizontal_flips=share)) for share in (0.0, 0.25))
    turned = []
    for step in range(25):
        one, other = plain[step], flipped[step]
        assert torch.equal(one.noise(), other.noise())
        assert torch.equal(one.given["label"], other.given["label"])
        for as_it_is, seen in zip(one.data, other.data, strict=True):
            turned.append(not torch.equal(seen, as_it_is))
            assert torch.equal(seen, as_it_is.flip(-1) if turned[-1] else as_it_is)
    assert np.mean(turned) == pytest.approx(0.25, abs=0.06)


def test_vectors_have_no_mirror() -> None:
    vectors = Examples(Arrays({"data": np.zeros((4, 3), np.float32)}), Standardised((3,)), Unconditional())
    with pytest.raises(ValueError, match=r"data of shape \(3,\) have no axis to flip"):
        Batches(vectors, budget(horizontal_flips=0.5))


class Stochastic(Pixels):
    """Adds noise of its own, as a codec of latents does."""

    def encode(self, stored: np.ndarray, draws: Draws | None = None) -> torch.Tensor:
        encoded = super().encode(stored)
        return encoded if draws is None else encoded + draws.normal(self.shape, Purpose.ENCODING)


def test_a_codec_that_draws_draws_anew_at_every_position() -> None:
    codec = Stochastic((8, 8, 1))
    rows = Arrays({"data": IMAGES[:16], "label": np.arange(16)})
    batches = Batches(Examples(rows, codec, Labels(tuple(map(str, range(16))))), budget())
    first, second = batches[0], batches[1]  # an epoch each
    noises = []
    for batch in (first, second, batches[0]):
        in_order = batch.condition["label"].argsort()
        noises.append((batch.data - codec.encode(IMAGES[batch.condition["label"].numpy()]))[in_order])
    assert torch.equal(noises[0], noises[2])
    assert not torch.allclose(noises[0], noises[1])
    assert float(noises[0].std()) == pytest.approx(1, abs=0.1)


def test_a_batch_moves_to_a_device_with_all_it_has() -> None:
    batch = Batches(EXAMPLES, budget())[0].to("meta")
    assert batch.data.is_meta
    assert batch.noise().is_meta
    assert batch.condition["label"].is_meta
    assert batch.given["label"].is_meta
    assert batch.null is not None
    assert batch.null["label"].is_meta
    assert batch.draws.uniform(1, Purpose.TIME).is_meta
    assert batch._replace(source=torch.zeros(16, 1, 8, 8)).to("meta").noise().is_meta


def test_a_source_that_is_given_is_not_drawn() -> None:
    batch = Batches(EXAMPLES, budget())[0]
    source = torch.ones_like(batch.data)
    assert torch.equal(batch._replace(source=source).noise(), source)


def test_what_is_fetched_is_as_small_as_it_is_stored() -> None:
    batches = Batches(EXAMPLES, budget(horizontal_flips=0.5))
    there = batches.fetch(0).to("meta")
    assert there.data.dtype == torch.uint8
    batch = batches.finish(there)
    assert (batch.data.shape, batch.data.dtype) == ((16, 1, 8, 8), torch.float32)
    assert batch.data.is_meta
    assert batch.noise().is_meta
    assert batch.given["label"].is_meta


class AsLogarithms(Pixels):
    """A codec that knows arrays only."""

    on_device = False

    def encode(self, stored: np.ndarray, draws: Draws | None = None) -> torch.Tensor:
        return torch.from_numpy(np.log1p(stored.astype(np.float32))).movedim(-1, 1)


def test_a_codec_that_knows_arrays_only_encodes_what_is_fetched() -> None:
    batches = Batches(Examples(EXAMPLES.rows, AsLogarithms((8, 8, 1)), EXAMPLES.conditioner), budget())
    assert batches.fetch(3).data.dtype == torch.float32
    torch.testing.assert_close(batches[3].data, ((Batches(EXAMPLES, budget())[3].data + 1) * 127.5).log1p())


def test_a_coupling_may_be_asked_while_a_batch_is_fetched() -> None:
    """The noise is the same, and each datum gets the same of it."""
    plan = budget(horizontal_flips=0.5)
    plain, prepared = Batches(EXAMPLES, plan), Batches(EXAMPLES, plan, pairing=OptimalTransport())
    for step in (0, 7):
        late, early = plain[step], prepared[step]
        assert torch.equal(early.noise(), OptimalTransport()(late.noise(), late.data))
        assert not torch.equal(early.noise(), late.noise())
        assert prepared.fetch(step).to("meta").pairs.is_meta
