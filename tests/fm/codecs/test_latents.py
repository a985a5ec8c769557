"""Pictures as latents: what is encoded, drawn, decoded and carried along."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import fm
from fm import autoencoder_folders, generator_files
from fm.codecs import BESIDE, Codec, Encoded, Latents, Pixels, measured
from fm.codecs.tiles import in_tiles
from fm.components import Choice
from fm.conditions import Unconditional
from fm.config import Config, SamplerConfig
from fm.data.prepared import Prepared
from fm.data.rows import Arrays
from fm.data.writing import write_fields
from fm.errors import UserError
from fm.generator import Generator, GeneratorError
from fm.images import to_float, to_uint8
from fm.likelihood import bits_per_dimension
from fm.networks import AutoencoderKL
from fm.noise import Draws, Purpose
from fm.starting import Original, gone_on
from fm.training import trainer

SMALL = AutoencoderKL(
    in_channels=1,
    block_out_channels=(8, 16),
    norm_num_groups=4,
    latent_channels=2,
    scaling_factor=0.5,
    shift_factor=0.1,
)
PICTURES = np.random.default_rng(0).integers(0, 256, (40, 16, 24, 1), dtype=np.uint8)
ROWS = Arrays({"data": PICTURES})


def latents(seed: int = 0, **options: object) -> Latents:
    """Of random weights, none of them zero."""
    torch.manual_seed(seed)
    network = SMALL.build()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return Latents.around(SMALL, network, (16, 24, 1), **options)


@pytest.fixture(scope="module")
def codec() -> Latents:
    return latents().fitted(ROWS)


def test_it_says_what_it_is(codec: Latents) -> None:
    assert (codec.stored, codec.shape, codec.bound, codec.scale) == ((16, 24, 1), (2, 8, 12), None, 1.0)
    again = Codec.of(json.loads(json.dumps(codec.choice)))
    assert again == codec
    assert again.shape == codec.shape  # without its weights


def test_the_mean_is_taken_without_draws(codec: Latents) -> None:
    with torch.no_grad():
        mean, _ = codec.network.encode(to_float(PICTURES))
    expected = (mean - 0.1) * 0.5
    center, width = (torch.tensor(values).reshape(-1, 1, 1) for values in (codec.mean, codec.deviation))
    encoded = codec.encode(PICTURES)
    assert encoded.dtype == torch.float32
    torch.testing.assert_close(encoded, (expected - center) / width, rtol=1e-4, atol=1e-5)
    assert torch.equal(codec.changed(sampled=False).encode(PICTURES, Draws(0, range(40))), encoded)


def test_all_channels_by_one_deviation_keep_their_proportions(codec: Latents) -> None:
    plain = codec.changed(mean=(0.0,), deviation=(1.0,))
    together = plain.fitted(ROWS, together=True)
    assert together.mean == codec.mean
    (width,) = together.deviation
    assert width == pytest.approx(np.sqrt(np.mean(np.square(codec.deviation))), rel=1e-4)
    one, whole = (each.encode(PICTURES).std(dim=(0, 2, 3), correction=0) for each in (plain, together))
    torch.testing.assert_close(whole * width, one, rtol=1e-4, atol=1e-6)


def test_latents_are_drawn_with_draws(codec: Latents) -> None:
    """From their distribution, by each datum's own numbers."""
    draws = Draws(3, range(40))
    _, log_variance = codec.distribution(PICTURES)
    width = torch.tensor(codec.deviation).reshape(-1, 1, 1)
    noise = (codec.encode(PICTURES, draws) - codec.encode(PICTURES)) * width / 0.5 / (log_variance / 2).exp()
    torch.testing.assert_close(noise, draws.normal(codec.shape, Purpose.ENCODING), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(codec.encode(PICTURES[5:7], Draws(3, [5, 6])), codec.encode(PICTURES, draws)[5:7])


def test_each_channel_is_standardised_as_it_is_drawn(codec: Latents) -> None:
    drawn = codec.encode(PICTURES, Draws(0, range(40)))
    torch.testing.assert_close(drawn.mean(dim=(0, 2, 3)), torch.zeros(2), rtol=0, atol=1e-4)
    torch.testing.assert_close(drawn.std(dim=(0, 2, 3)), torch.ones(2), rtol=0, atol=1e-3)
    assert measured(codec, ROWS).scale == pytest.approx(1, abs=1e-4)
    wide = codec.changed(deviation=tuple(value / 3 for value in codec.deviation))
    assert measured(wide, ROWS).scale == pytest.approx(3, rel=1e-3)


def test_decoding_undoes_all_but_the_network(codec: Latents) -> None:
    mean, _ = codec.distribution(PICTURES)
    with torch.no_grad():
        expected = to_uint8(codec.network.decode(mean))
    made = codec.decode(codec.encode(PICTURES))
    assert made.shape == PICTURES.shape
    assert made.flags.c_contiguous
    assert np.abs(made.astype(int) - expected).max() <= 1  # where a grey level's rounding falls to the other side
    torch.testing.assert_close(codec.raw(codec.encode(PICTURES)), mean, rtol=1e-4, atol=1e-5)
    off = codec.changed(deviation=tuple(1.01 * value for value in codec.deviation))
    assert float((off.raw(codec.encode(PICTURES)) - mean).abs().max()) > 1e-3


def test_parts_and_tiles_are_the_whole_where_one_suffices(codec: Latents) -> None:
    """A tile of 8 x 8 points is less than one picture of 8 x 12; one of 12 x 12 is one and a half of them."""
    x = codec.encode(PICTURES[:5])
    whole = codec.changed(tile=64).decode(x)
    one_by_one = codec.changed(tile=12).decode(x)
    assert np.abs(one_by_one.astype(int) - whole).max() <= 1
    tiled = codec.changed(tile=8).decode(x)
    with torch.no_grad():
        expected = to_uint8(in_tiles(codec.network.decode, codec.raw(x), 8, 2))
    assert np.abs(tiled.astype(int) - expected).max() <= 1
    assert (np.abs(tiled.astype(int) - whole) > 1).any()  # norms and attention are each tile's own


@pytest.mark.parametrize(
    ("stored", "options", "told"),
    [
        ((16, 24, 3), {}, r"must be pictures \[height, width, 1\] with sides that are multiples of 2"),
        ((15, 24, 1), {}, r"stored = \[15, 24, 1\]: must be pictures"),
        ((16, 24), {}, "must be pictures"),
        ((16, 24, 1), {"mean": (0.0, 1.0, 2.0)}, "mean has 3 numbers for 2 channels of latents"),
        ((16, 24, 1), {"tile": 4}, "tile = 4: must be a whole number from 8"),
    ],
)
def test_what_cannot_be_is_told(stored: tuple[int, ...], options: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Latents(stored=stored, autoencoder=SMALL, **options)  # type: ignore[arg-type]


def test_other_data_and_weights_that_are_not_there_are_told(codec: Latents) -> None:
    with pytest.raises(ValueError, match="each datum must be"):
        codec.encode(PICTURES[:, :8])
    with pytest.raises(ValueError, match="pixels are uint8, not float32"):
        codec.encode(PICTURES.astype(np.float32))
    for ask in (lambda one: one.encode(PICTURES), lambda one: one.decode(torch.zeros(1, 2, 8, 12))):
        with pytest.raises(UserError, match="the autoencoder's weights are not there"):
            ask(Codec.of(codec.choice))


def test_what_is_encoded_already_is_encoded_alike(codec: Latents) -> None:
    """To the rounding of half precision, drawn by the same numbers; and its samples are decoded by the latents' own."""
    encoded = Encoded.of_latents(codec)
    stored = encoded.stores(PICTURES)
    assert (stored.dtype, stored.shape) == (np.float16, (40, 4, 8, 12))
    for draws in (None, Draws(1, range(40))):
        torch.testing.assert_close(encoded.encode(stored, draws), codec.encode(PICTURES, draws), rtol=5e-3, atol=5e-3)
    mean = encoded.encode(stored)
    torch.testing.assert_close(encoded.encode(encoded.decode(mean), Draws(0, range(40))), mean, rtol=5e-3, atol=5e-3)
    assert encoded.of_samples == codec
    assert measured(encoded, Arrays({"data": stored})).of_samples.scale == pytest.approx(1, abs=1e-3)
    certain = Encoded.of_latents(codec.changed(sampled=False))
    assert certain.stores(PICTURES).shape == (40, 2, 8, 12)
    torch.testing.assert_close(certain.encode(certain.stores(PICTURES)), codec.encode(PICTURES), rtol=5e-3, atol=5e-3)


def test_encoded_latents_are_those_of_a_codec_of_latents(codec: Latents) -> None:
    with pytest.raises(ValueError, match="latents = pixels: must be a codec latents"):
        Encoded(stored=(4, 8, 12), latents=Pixels((8, 12, 1)))
    with pytest.raises(ValueError, match=r"stored = \[2, 8, 12\]: must be \[4, 8, 12\]"):
        Encoded(stored=(2, 8, 12), latents=codec)


def config_of(codec: Codec, **changes: Choice) -> Config:
    return Config.model_validate(
        {
            "path": "cond_ot",
            "target": "velocity",
            "network": {"name": "unet", "width": 8, "multipliers": [1], "blocks": 1, "patch_size": 1},
            "codec": codec.choice,
            "conditioner": "none",
            "sampler": SamplerConfig(solver="euler", steps=2),
        }
        | changes
    )


def generator_of(codec: Codec) -> Generator:
    torch.manual_seed(1)
    return Generator.untrained(config_of(codec), codec=codec)


def test_a_generator_carries_its_autoencoder(codec: Latents, tmp_path: Path) -> None:
    generator = generator_of(codec)
    made = generator.sample(3, seed=0)
    assert (made.shape, made.dtype) == ((3, 16, 24, 1), np.uint8)
    generator.save(tmp_path / "one")
    assert sorted(file.name for file in (tmp_path / "one" / BESIDE).iterdir()) == [
        "config.json", "diffusion_pytorch_model.safetensors",
    ]  # fmt: skip
    again = Generator.load(tmp_path / "one")
    np.testing.assert_array_equal(again.sample(3, seed=0), made)
    other = again.with_sampler(SamplerConfig(solver="midpoint", steps=3))
    other.save(tmp_path / "saved")
    generator_files.copy(tmp_path / "one", tmp_path / "copied", other.config.sampler)
    files = sorted(file.relative_to(tmp_path / "saved") for file in (tmp_path / "saved").rglob("*.*"))
    assert len(files) == 4
    for file in files:
        assert (tmp_path / "copied" / file).read_bytes() == (tmp_path / "saved" / file).read_bytes()
    np.testing.assert_array_equal(again.around(generator.network).sample(3, seed=0), made)


def test_what_a_training_keeps_along_the_way_shares_it(codec: Latents, tmp_path: Path) -> None:
    encoded = Encoded.of_latents(codec)
    generator = generator_of(codec)
    trainer.train(
        generator,
        fm.Regression.named("cond_ot", "independent", "uniform", "velocity", "flat"),
        fm.Examples(Arrays({"data": encoded.stores(PICTURES)}), encoded, Unconditional()),
        fm.Budget(images_seen=24, batch_size=8, learning_rate=1e-3),
        trainer.Keeping(tmp_path / "last.ckpt", key="this training", every=4, snapshots=2, lengths=(0.05, 0.1)),
        trainer.Hardware("cpu"),
        trainer.Watching("train", lambda point, speed: None, lambda step, averaged: None),
    )
    places = [tmp_path / "snapshots", *(tmp_path / "averages" / length for length in ("0.05", "0.1"))]
    assert sorted(tmp_path.rglob(BESIDE)) == sorted(place / BESIDE for place in places)
    young = tmp_path / "snapshots" / "16"
    made = Generator.load(young).sample(2, seed=0)
    generator_files.copy(young, tmp_path / "alone", generator.config.sampler)
    np.testing.assert_array_equal(Generator.load(tmp_path / "alone").sample(2, seed=0), made)


def test_an_autoencoder_that_is_missing_damaged_or_another_is_told(codec: Latents, tmp_path: Path) -> None:
    generator_of(codec).save(tmp_path)
    autoencoder_folders.write(tmp_path / BESIDE, SMALL, latents(seed=1).network)
    with pytest.raises(GeneratorError, match="codec has other weights than those of the autoencoder"):
        Generator.load(tmp_path)
    (tmp_path / BESIDE / autoencoder_folders.WEIGHTS).write_bytes(b"none")
    with pytest.raises(GeneratorError, match=r"codec/diffusion_pytorch_model\.safetensors is damaged"):
        Generator.load(tmp_path)
    shutil.rmtree(tmp_path / BESIDE)
    with pytest.raises(GeneratorError, match=r"diffusion_pytorch_model\.safetensors is missing"):
        Generator.load(tmp_path)
    with pytest.raises(UserError, match="the autoencoder's weights are not there"):
        Generator.untrained(config_of(codec)).save(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_prepared_dataset_carries_it_too(codec: Latents, tmp_path: Path) -> None:
    """Of pictures, and of those that are encoded already."""
    encoded = Encoded.of_latents(codec)
    stored = Arrays({"data": encoded.stores(PICTURES)})
    modelled = codec.encode(PICTURES)
    decoded = codec.decode(modelled)
    for name, rows, one in (("pictures", ROWS, codec), ("encoded", stored, encoded)):
        write_fields(tmp_path / name, name, rows, rows, one, Unconditional())
        dataset = Prepared.open(tmp_path / name)
        dataset.verify()
        np.testing.assert_array_equal(dataset.codec.of_samples.decode(modelled), decoded)
        assert torch.equal(dataset.codec.encode(rows.data), one.encode(rows.data))
        assert dataset.codec.scale == pytest.approx(1, abs=1e-3)


def test_a_network_goes_on_in_the_same_latents_alone(codec: Latents) -> None:
    same, other = config_of(codec), config_of(latents(seed=1))
    assert gone_on(same, Original.of(same)).network == same.network
    with pytest.raises(ValueError, match="is for latents of other weights: they must be the same"):
        gone_on(same, Original.of(other))


def test_latents_have_no_grey_levels(codec: Latents) -> None:
    with pytest.raises(ValueError, match="latents have no grey levels"):
        bits_per_dimension(generator_of(codec), PICTURES)


@pytest.mark.parametrize("solver", [{"name": "ddim", "clip": "codec"}, "euler"], ids=["clip", "plain"])
def test_nothing_bounds_what_is_predicted(codec: Latents, solver: Choice) -> None:
    """Weights so large that predictions leave what pixels are kept to."""
    generator = generator_of(codec)
    for weight in generator.network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    x, _ = generator.with_sampler(SamplerConfig(solver=solver, steps=3)).sample_float(4, seed=0)
    assert float(x.abs().max()) > 1.5


def test_a_first_program_trains_in_latents(codec: Latents) -> None:
    """The existing objective, from latents that are encoded already; the first step's loss is that of pictures."""
    encoded = Encoded.of_latents(codec)
    rows = Arrays({"data": encoded.stores(PICTURES)})
    objective = fm.Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    budget = fm.Budget(images_seen=64, batch_size=16, learning_rate=1e-3)
    losses: list[list[float]] = []
    for examples in (fm.Examples(rows, encoded, Unconditional()), fm.Examples(ROWS, codec, Unconditional())):
        torch.manual_seed(0)
        small = {"name": "unet", "width": 8, "multipliers": [1], "blocks": 1, "patch_size": 1}
        generator = fm.untrained(objective, examples, small)
        assert generator.codec == codec
        losses.append([])
        fm.fit(generator, objective, examples, budget, lambda step, loss: losses[-1].append(loss))
        assert generator.sample(2, seed=0).shape == (2, 16, 24, 1)
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def test_options_that_change_keep_its_weights(codec: Latents) -> None:
    assert codec.changed(tile=32).network is codec.network
    assert replace(codec, tile=32).network is None
