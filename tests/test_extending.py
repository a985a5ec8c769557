"""One component of each kind comes from a folder outside the repository; docs/extend.md shows its files."""

import re
import runpy
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from fm import components
from fm.autoencoding import Autoencoding, Reconstruction
from fm.batches import Batches, Budget, Examples
from fm.codecs import Codec, Pixels
from fm.components import ANY, HOMES, build, find
from fm.conditions import Conditioner, Labels, Text, Unconditional
from fm.config import Config, SamplerConfig
from fm.data.prepared import Prepared
from fm.data.rows import Arrays
from fm.data.sources import Request
from fm.data.writing import write
from fm.generator import Generator, GeneratorError
from fm.metrics import extractors, frechet_distance
from fm.metrics.extractors import Asked
from fm.networks import Autoencoder, Network
from fm.objectives import Objective, Regression
from fm.training.loop import fit, untrained
from pipelines.claims.judge import judge
from pipelines.claims.table import CLAIMS
from pipelines.params import parse
from tests.conftest import ROOT
from tests.pipelines.claims.test_measurements import results

FILES = Path(__file__).parent / "extending"
TEXT = (ROOT / "docs/extend.md").read_text(encoding="utf-8")

ADDED = {
    "path": "my_package.paths:Squared",
    "source": "my_package.sources:Fading",
    "coupling": "my_package.couplings:ByMean",
    "timesteps": "my_package.timesteps:Power",
    "target": "my_package.targets:Difference",
    "weight": "my_package.weights:Late",
    "grid": "my_package.grids:Power",
    "solver": "my_package.solvers:Ralston",
    "network": "my_package.networks:Pointwise",
    "objective": "my_package.objectives:Huber",
    "codec": "my_package.codecs:Logarithms",
    "autoencoder": "my_package.autoencoders:Blocks",
    "conditioner": "my_package.conditioners:Angle",
    "encoder": "my_package.encoders:Letters",
    "dataset": "my_package.datasets:Lines",
    "extractor": "my_package.extractors:RowMeans",
    "measures": "my_package.measures:Wetness",
}
BUDGET = Budget(images_seen=64, batch_size=16, learning_rate=1e-3)
PARTS = {"path": "cond_ot", "coupling": "independent", "timesteps": "uniform", "target": "velocity", "weight": "flat"}
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
LINES = Examples(Arrays({"data": IMAGES, "label": np.arange(40) % 2}), Pixels((8, 8, 1)), Labels(("even", "odd")))


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package lies where Python finds it, and nobody has imported it yet."""
    shutil.copytree(FILES, tmp_path, dirs_exist_ok=True)
    monkeypatch.syspath_prepend(tmp_path)
    forget()
    yield
    forget()


def forget() -> None:
    """As a process is that has not imported the package."""
    for there in (sys.modules, *components.OWN.values()):
        for name in [name for name in there if re.match(r"my_package\b", name)]:
            del there[name]


def generator(**changes: Any) -> Generator:
    torch.manual_seed(0)
    config = Config.model_validate(
        {
            "path": "cond_ot",
            "target": "velocity",
            "network": {"name": "unet", "width": 8, "multipliers": [1, 1], "blocks": 1},
            "sampler": SamplerConfig(solver="midpoint", steps=2),
            "codec": {"name": "pixels", "stored": [8, 8, 1]},
            "conditioner": {"name": "labels", "names": ["even", "odd"]},
        }
        | changes,
        context={"own": ANY},
    )
    return Generator.untrained(config)


def test_there_is_one_of_every_kind() -> None:
    assert ADDED.keys() == HOMES.keys()


@pytest.mark.parametrize(("kind", "name"), ADDED.items())
def test_it_takes_no_more_than_two_files(kind: str, name: str) -> None:
    """A class of one's own takes its module alone; `__init__.py` is there for the package's other modules too."""
    find(kind, name, own=ANY)
    files = {module.__file__ for module in list(sys.modules.values()) if module.__name__.startswith("my_package")}
    assert len(files) <= 2


@pytest.mark.parametrize(("kind", "name"), ADDED.items())
def test_it_is_imported_for_who_names_it_only(kind: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"import my_package\.\w+ first, or name it"):
        build(kind, name)
    assert not [each for each in sys.modules if each.startswith("my_package")]


@pytest.mark.parametrize("kind", [*PARTS, "source"])
def test_part_of_a_regression(kind: str) -> None:
    objective = build("objective", {"name": "regression", **PARTS, kind: ADDED[kind]}, own=ANY)
    trained = generator(**{kind: ADDED[kind]} if kind in ("path", "target", "source") else {})
    fit(trained, objective, LINES, BUDGET)
    assert trained.sample(2, seed=0).shape == (2, 8, 8, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": {"name": ADDED["path"], "n": 3}},
        {"source": {"name": ADDED["source"], "ratio": 0.25}},
        {"sampler": {"solver": ADDED["solver"], "grid": {"name": ADDED["grid"], "n": 3}, "steps": 3}},
        {"network": {"name": ADDED["network"], "width": 8}},
        {"codec": {"name": ADDED["codec"], "stored": [1, 8, 8]}, "conditioner": ADDED["conditioner"]},
        {"conditioner": {"name": "text", "encoder": ADDED["encoder"], "width": 26, "empty": ""}},
    ],
    ids=["path", "source", "sampler", "network", "data", "texts"],
)
def test_what_a_generator_needs_is_named_when_it_is_loaded(changes: dict[str, Any], tmp_path: Path) -> None:
    trained = generator(**changes)
    made = trained.sample(3, seed=0)
    trained.save(tmp_path / "model")

    forget()
    with pytest.raises(GeneratorError, match="my_package"):
        Generator.load(tmp_path / "model")
    again = Generator.load(tmp_path / "model", own=["my_package"])
    np.testing.assert_array_equal(again.sample(3, seed=0), made)


def test_an_objective_a_codec_a_conditioner_and_a_network_together() -> None:
    codec: Codec = build("codec", {"name": ADDED["codec"], "stored": [2, 5]}, own=ANY)
    conditioner: Conditioner = build("conditioner", ADDED["conditioner"], own=ANY)
    objective: Objective = build("objective", {"name": ADDED["objective"], "path": "cond_ot"}, own=ANY)
    network: Network = build("network", {"name": ADDED["network"], "width": 8}, own=ANY)
    amounts = np.random.default_rng(0).lognormal(size=(40, 2, 5)).astype(np.float32)
    asked = [None, *range(39)]
    rows = Arrays({"data": amounts, "angle": conditioner.read(asked)["angle"].numpy()})
    batch = Batches(Examples(rows, codec, conditioner), BUDGET)[0]
    layers = network.build(codec.shape, conditioner.fields)

    assert torch.isfinite(objective.loss(layers, batch, layers))
    np.testing.assert_allclose(codec.decode(codec.encode(amounts)), amounts, rtol=1e-5)
    assert layers(batch.data, torch.rand(16), conditioner.null(batch.condition)).shape == (16, 2, 5)
    alone = network.build(codec.shape, Unconditional().fields)
    assert alone(batch.data, torch.rand(16), {}).shape == (16, 2, 5)


def test_an_autoencoder_is_trained_and_carried_by_a_generator(tmp_path: Path) -> None:
    autoencoder: Autoencoder = build("autoencoder", {"name": ADDED["autoencoder"], "in_channels": 1}, own=ANY)
    torch.manual_seed(0)
    autoencoding, losses = Autoencoding.untrained(autoencoder), list[float]()
    examples, budget = replace(LINES, conditioner=Unconditional()), replace(BUDGET, images_seen=640, learning_rate=1e-2)
    fit(autoencoding, Reconstruction(), examples, budget, lambda step, loss: losses.append(loss))
    assert losses[-1] < 0.9 * losses[0]
    codec = autoencoding.codec((8, 8, 1)).fitted(examples.rows)
    trained = untrained(Regression.named(**PARTS), Examples(examples.rows, codec, Unconditional()))
    made = trained.sample(2, seed=0)
    trained.save(tmp_path)

    forget()
    with pytest.raises(GeneratorError, match=r"import my_package\.autoencoders first, or name it"):
        Generator.load(tmp_path)
    np.testing.assert_array_equal(Generator.load(tmp_path, own=["my_package"]).sample(2, seed=0), made)


def test_an_encoder_reads_prompts() -> None:
    text = Text.by(build("encoder", {"name": ADDED["encoder"], "length": 4}, own=ANY))
    condition = text.read(["Bad", None, "abcde"])
    assert condition["text_mask"].sum(dim=1).tolist() == [3, 0, 4]
    assert condition["text"][0].argmax(dim=1).tolist() == [1, 0, 3, 0]
    assert generator(conditioner=text.choice).sample(2, seed=0, labels=["a", "b"], guidance=2.0).shape == (2, 8, 8, 1)


def test_a_dataset_measured_by_an_extractor(tmp_path: Path) -> None:
    lines = build("dataset", ADDED["dataset"], own=ANY).load(Request(tmp_path, tmp_path, 8, 1, 0.1, False))
    write(tmp_path / "prepared", lines, "lines")
    dataset = Prepared.open(tmp_path / "prepared")
    asked = Asked(ADDED["extractor"], dataset, torch.device("cpu"), None, tmp_path, print)
    extractors.prepare(asked, own=ANY).save(tmp_path)

    forget()
    with pytest.raises(extractors.ExtractorError, match="my_package"):
        extractors.load(tmp_path, asked.device)
    found = extractors.load(tmp_path, asked.device, own=["my_package"])
    near = frechet_distance(found.features(dataset.train.data), found.features(dataset.test.data))
    far = frechet_distance(found.features(dataset.train.data), found.features(255 - dataset.test.data))
    assert near < 0.1 < far
    assert found.name == "RowMeans"


def test_measures_describe_data_and_tell_of_sets() -> None:
    measures = build("measures", {"name": ADDED["measures"], "dry": 1}, own=ANY)
    described = measures.describe(np.array([[[0.0, 4.0]], [[0.5, 2.0]]]))
    assert measures.values(described, described) == {"rainy": 0.5, "rain": 3.0}


def test_a_claim_is_judged_like_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    added = runpy.run_path(str(FILES / "claims/kernel.py"))["CLAIM"]
    monkeypatch.setattr("pipelines.claims.judge.CLAIMS", (*CLAIMS, added))
    *others, claim = judge(results())
    assert len(others) == len(CLAIMS)
    assert claim.claim == "At its best, flow matching's images have a lower kernel distance."
    assert claim.measured == pytest.approx(1.25)
    assert claim.verdict == "reproduced"


def test_a_method_is_a_row_of_the_settings() -> None:
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["methods"]["squared"] = yaml.safe_load((FILES / "methods/squared.yaml").read_text(encoding="utf-8"))
    row = parse(settings).methods["squared"]
    assert row.objective.path == {"name": ADDED["path"], "n": 3}
    assert [sampler.label for sampler in row.each_sampler()] == ["midpoint", "midpoint", "Ralston-grid_Power"]


def test_settings_name_a_dataset_an_extractor_and_a_network() -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["dataset"]["name"] = ADDED["dataset"]
    content["evaluate"]["extractor"] = ADDED["extractor"]
    content["network"] = {"kind": ADDED["network"], "width": 64}
    settings = parse(content)
    assert settings.dataset.name == ADDED["dataset"]
    assert settings.register_.metric == "fid_RowMeans"
    assert settings.methods["flow_matching"].network.choice == {"name": ADDED["network"], "width": 64}


def test_the_page_shows_these_files() -> None:
    shown = dict(re.findall(r"^`(\w+/\w+\.\w+)`\n\n```\w+\n(.*?)```$", TEXT, re.DOTALL | re.MULTILINE))
    files = [file for file in FILES.rglob("*.*") if file.suffix in (".py", ".yaml") and file.stem != "__init__"]
    assert shown == {str(file.relative_to(FILES)): file.read_text(encoding="utf-8") for file in files}


@pytest.mark.parametrize("name", ADDED.values())
def test_the_page_names_each(name: str) -> None:
    module, _, added = name.partition(":")
    assert f"class {added}(" in TEXT
    assert f"{module.replace('.', '/')}.py" in TEXT
