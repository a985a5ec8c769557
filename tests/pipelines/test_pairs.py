"""Pairs that a row is trained on: drawn by the stage's own code, and gone on with after it was cut short."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fm import pairs as drawing
from fm.batches import Batches, Examples
from fm.config import SamplerConfig
from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from fm.errors import UserError
from fm.generator import Generator
from fm.pairs import INDEX, PairsError
from pipelines import methods, pairs, params
from pipelines.project import MODELS, PAIRS, PREPARED, SLOTS_VARIABLE
from pipelines.stage import Stage
from tests.fm.conftest import tiny_generator
from tests.pipelines.params.written import changed

COUNT = drawing.IN_A_SHARD + 30


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a dataset of eight by eight pixels and ten labels, and the pairs of its row rectified_flow."""
    place = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        images, labels = np.zeros((20, 8, 8, 1), dtype=np.uint8), np.arange(20) % 10
        write(PREPARED, Splits(images, labels, images, labels, tuple("0123456789"), "nowhere"), "digits")
        (PAIRS / "rectified_flow").mkdir(parents=True)
        pairs.write_shards(PAIRS / "rectified_flow", generator(), examples(), COUNT, seed=0)
    return place


def examples() -> Examples:
    return Examples.of(Prepared.open(PREPARED))


def generator() -> Generator:
    return tiny_generator().with_sampler(SamplerConfig(solver="euler", steps=2))


def contents(folder: Path) -> dict[str, bytes]:
    """Of all that the stage puts out; how long each shard took is hidden."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.startswith(".")}


def test_cut_short_and_gone_on_with_they_are_the_same_bytes(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn)
    folder = PAIRS / "rectified_flow"
    before = contents(folder)
    assert sorted(before) == ["00000-data.npy", "00000-label.npy", "00001-data.npy", "00001-label.npy", INDEX]
    kept = (folder / "00000-data.npy").stat().st_mtime_ns
    for name in ("00001-data.npy", INDEX):
        (folder / name).unlink()
    (folder / ".00001-data.npy").write_bytes(b"half")
    with pytest.raises(PairsError, match="there are no whole pairs here"):
        drawing.Pairs.open(folder)
    first = float((folder / ".0.seconds").read_text())
    seconds = pairs.write_shards(folder, generator(), examples(), COUNT, seed=0)
    assert contents(folder) == before
    assert seconds > first > 0
    assert (folder / "00000-data.npy").stat().st_mtime_ns == kept


def test_a_sampler_that_draws_noise_of_its_own_is_told_in_a_line_after_what_they_come_to(
    drawn: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(drawn)
    monkeypatch.setenv(SLOTS_VARIABLE, str(drawn / "slots"))
    monkeypatch.setattr(pairs, "cache_dir", lambda: drawn / "cache")
    tiny_generator().save(MODELS / "flow_matching")
    content = changed("methods.diffusion.start", "flow_matching")
    content["methods"]["diffusion"]["pairs"] = {"solver": "ddpm", "steps": 5, "count": 3000}
    with pytest.raises(UserError, match=r"params\.yaml: methods\.diffusion\.pairs: ddpm draws noise of its own"):
        pairs.draw(Stage("pairs@diffusion", {}, {}), params.parse(content), "diffusion")
    said = "pairs@diffusion: 3,000 pairs of 1 MB in all, by 15,000 evaluations of the network\n"
    assert capsys.readouterr().out == said


def test_the_row_is_trained_on_them(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn)
    content = changed("methods.diffusion", {
        "start": "flow_matching",
        "pairs": {"solver": "euler", "steps": 2, "count": COUNT},
        "objective": {**FLOW, "timesteps": "beginning"},
        "network": None,
        "samplers": [{"solver": "euler", "steps": [1]}],
    })  # fmt: skip
    content["methods"]["rectified_flow"] = content["methods"].pop("diffusion")
    settings = params.parse(content)
    dataset = Prepared.open(PREPARED)
    method = methods.build(settings, Examples.of(dataset))["rectified_flow"]
    examples = method.examples(Examples.of(dataset))
    assert len(examples.rows) == COUNT
    batch = Batches(examples, methods.budget(settings))[0]
    ends = tiny_generator().with_sampler(SamplerConfig(solver="euler", steps=2)).ends_of(batch.noise(), batch.condition)
    torch.testing.assert_close(batch.data, ends, atol=1e-5, rtol=0)
    for kind in ("unet", "transformer"):
        network = tiny_generator(network={"name": kind, "width": 8, "patch_size": 2}).network
        loss = method.objective.loss(network, batch, network)
        asked = network(batch.noise(), torch.zeros(len(batch.data)), batch.given)
        torch.testing.assert_close(loss, (asked - (batch.data - batch.noise())).square().mean())


FLOW = {"path": "cond_ot", "coupling": "independent", "target": "velocity", "weight": "flat"}


def test_pairs_are_made_by_the_network_that_a_row_starts_from() -> None:
    content = changed("methods.flow_matching.pairs", {"solver": "euler", "steps": 2, "count": 5})
    with pytest.raises(params.ParamsError, match="pairs are made by another row's network: name it by start"):
        params.parse(content)
    content["methods"]["flow_matching"] |= {"start": "diffusion", "network": None}
    assert params.parse(content).methods["flow_matching"].pairs is not None
    made = content["methods"]["flow_matching"]["pairs"]
    for count in (0, 10_000_001):
        content["methods"]["flow_matching"]["pairs"] = made | {"count": count}
        with pytest.raises(params.ParamsError, match=r"flow_matching\.pairs\.count"):
            params.parse(content)
    content["methods"]["flow_matching"]["pairs"] = made | {"guidance": {"by": "snapshot", "scale": 2}}
    with pytest.raises(params.ParamsError, match=r"flow_matching\.pairs: pairs cannot be guided away from a snapshot"):
        params.parse(content)
