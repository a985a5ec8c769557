from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from fm.batches import Examples
from fm.config import Native, SamplerConfig
from fm.data.prepared import Prepared
from fm.data.rows import Arrays
from fm.data.splits import Splits
from fm.data.writing import write
from fm.errors import UserError
from fm.generator_files import read_config
from fm.starting import weights_in
from pipelines import methods, params
from pipelines.project import MODELS, ROOT
from tests.fm.conftest import tiny_generator
from tests.pipelines.params.written import changed


def test_what_params_yaml_says_of_training_is_the_budget_of_every_method() -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["train"] |= {"images_seen": 6400, "batch_size": 64, "horizontal_flips": 0.5, "seed": 3}
    budget = methods.budget(params.parse(content))
    assert (budget.steps, budget.horizontal_flips, budget.seed) == (100, 0.5, 3)
    del content["train"]["horizontal_flips"]  # as in settings of before there were any
    assert methods.budget(params.parse(content)).horizontal_flips == 0


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """Of eight by eight pixels with ten labels, where a checkout is."""
    monkeypatch.chdir(tmp_path)
    images, labels = np.zeros((4, 8, 8, 1), dtype=np.uint8), np.zeros(4, dtype=np.int64)
    write(tmp_path / "data", Splits(images, labels, images, labels, tuple("0123456789"), "nowhere"), "digits")
    return Prepared.open(tmp_path / "data")


def test_guidance_of_data_without_labels_is_told(tmp_path: Path) -> None:
    images, labels = np.zeros((4, 8, 8, 1), dtype=np.uint8), np.zeros(4, dtype=np.int64)
    write(tmp_path / "data", Splits(images, labels, images, labels, (), "nowhere"), "digits")
    unlabelled = Prepared.open(tmp_path / "data")
    learnt = {"name": "mean_flow", "path": "cond_ot", "coupling": "independent", "timesteps": "uniform", "guidance": 2}
    for key, value, told in (
        (
            "samplers",
            [{"solver": "euler", "steps": [5], "guidance": 2}],
            r"\.samplers: euler-guidance2 .* asked for no",
        ),
        ("objective", learnt, ": objective: guidance leads away from what is said under no condition, and these"),
    ):
        with pytest.raises(UserError, match=rf"methods\.flow_matching{told}"):
            settings = params.parse(changed(f"methods.flow_matching.{key}", value))
            methods.try_all(methods.build(settings, Examples.of(unlabelled)).values())


def test_a_model_that_was_never_trained_without_a_label_says_so(dataset: Prepared) -> None:
    settings = params.parse(changed("train.label_dropout", 0))
    method = methods.build(settings, Examples.of(dataset))["flow_matching"]
    generator = method.untrained()
    generator.sample(1, 0, steps=1)
    with pytest.raises(ValueError, match=r"guidance2: guidance leads away from .* this one was never trained so"):
        generator.sample(1, 0, steps=1, guidance=2)
    assert generator.away_from("1").sample(1, 0, steps=1, guidance=2).shape == (1, 8, 8, 1)
    generator.save("model")
    assert not read_config(Path("model")).unconditional
    generator.save("starts/ours")  # whoever goes on from it, and trains no better, knows no more
    sampler = {"samplers": [{"solver": "euler", "steps": [5], "guidance": 2}]}
    content = changed("train.label_dropout", 0)
    content["methods"]["flow_matching"] |= {"start_from": "starts/ours", **sampler}
    with pytest.raises(UserError, match=r"methods\.flow_matching\.samplers: euler-guidance2 .* was never trained so"):
        methods.try_all(methods.build(params.parse(content), Examples.of(dataset)).values())
    usual = methods.build(params.parse(changed("train.label_dropout", 0.1)), Examples.of(dataset))
    assert usual["diffusion"].config.unconditional


def going_on(folder: str = "starts/ours") -> dict[str, Any]:
    """params.yaml whose flow matching goes on from a network."""
    return changed("methods.flow_matching.start_from", folder)


def test_a_method_that_goes_on_begins_with_what_the_network_makes(dataset: Prepared) -> None:
    original = tiny_generator("ddpm", "noise")
    original.save("starts/ours")
    method = methods.build(params.parse(going_on()), Examples.of(dataset))["flow_matching"]
    methods.try_all([method])
    assert method.config.native == Native(path="ddpm", target="noise")
    assert method.untrained(weights=False).device == torch.device("meta")
    generator = method.begun()
    assert generator.path.name == "cond_ot"
    sampler = SamplerConfig(solver="ddim", steps=4, path="ddpm")
    made, expected = (one.with_sampler(sampler).sample(20, seed=0) for one in (generator, original))
    apart = np.abs(made.astype(int) - expected.astype(int))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.01


def test_a_network_that_cannot_be_gone_on_from_is_told(dataset: Prepared) -> None:
    with pytest.raises(
        UserError, match=r"methods\.flow_matching\.start_from = starts/ours: must be a folder with a trained network"
    ):
        methods.build(params.parse(going_on()), Examples.of(dataset))
    tiny_generator("ddpm", "noise", label_names=("cat", "dog")).save("starts/ours")
    with pytest.raises(UserError, match=r"methods\.flow_matching: .* is told 2 labels, and the data have 10 labels"):
        methods.build(params.parse(going_on()), Examples.of(dataset))


def test_weights_of_another_network_are_told_before_any_training(dataset: Prepared) -> None:
    """By their headers, and with the row."""
    tiny_generator("ddpm", "noise").save("starts/ours")
    weights = Path("starts/ours/model.safetensors")
    whole = weights.read_bytes()
    built = methods.build(params.parse(going_on()), Examples.of(dataset)).values()
    told = r"^params\.yaml: methods\.flow_matching\.start_from = starts/ours: "
    save_file({"alone": torch.zeros(2)}, weights)
    with pytest.raises(
        UserError, match=told + r"it cannot be gone on from: its weights are another network's: \S+ is mi"
    ):
        methods.try_all(built)
    weights.write_bytes(whole[:-4])
    with pytest.raises(UserError, match=told + r".*model\.safetensors is damaged"):
        methods.try_all(built)
    weights.unlink()
    with pytest.raises(UserError, match=told + r".* is no generator: .*model\.safetensors is missing"):
        methods.try_all(built)
    weights.mkdir()
    with pytest.raises(UserError, match=told + r".*model\.safetensors must be a file with weights"):
        methods.try_all(built)


@pytest.mark.parametrize(
    "folder", ["/somewhere", "artifacts/models/diffusion", "starts/../elsewhere", "starts", "starts/"]
)
def test_it_lies_where_dvc_looks(folder: str) -> None:
    with pytest.raises(
        params.ParamsError, match=r"methods\.flow_matching\.start_from: .*must be a folder below starts/"
    ):
        params.parse(going_on(folder))


def test_a_method_that_goes_on_has_no_network_of_its_own() -> None:
    content = going_on()
    content["methods"]["flow_matching"]["network"] = {"kind": "transformer"}
    with pytest.raises(params.ParamsError, match=r"flow_matching\.network: must be null, since .* that of start_from"):
        params.parse(content)


def test_a_method_that_starts_from_another_begins_with_what_it_has_learnt(dataset: Prepared) -> None:
    content = changed("methods.diffusion.start", "flow_matching")
    content["methods"]["two_times"] = content["methods"]["flow_matching"] | {
        "start": "flow_matching",
        "objective": {"name": "mean_flow", "path": "cond_ot", "coupling": "independent", "timesteps": "uniform"},
    }
    built = methods.build(params.parse(content), Examples.of(dataset))
    methods.try_all(built.values())
    assert {name: method.config.sampler.label for name, method in built.items()} == {
        "flow_matching": "ddim",
        "diffusion": "ddim-clip",
        "two_times": "jump",  # as a few-step method is drawn from, where nothing else is asked
    }
    with pytest.raises(UserError, match="artifacts/models/flow_matching is missing: `dvc repro train@flow_matching`"):
        built["diffusion"].begun()
    trained = built["flow_matching"].untrained()
    for weight in trained.network.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    trained.save("artifacts/models/flow_matching")

    assert built["diffusion"].config.native == Native(path="cond_ot", target="velocity")
    sampler = SamplerConfig(solver="euler", steps=3)
    expected = trained.with_sampler(sampler).sample(20, seed=0)
    assert np.array_equal(built["two_times"].begun().with_sampler(sampler).sample(20, seed=0), expected)
    assert built["two_times"].begun(weights=False).device == torch.device("meta")

    weights = weights_in(MODELS / "flow_matching")
    first = next(iter(weights))
    save_file(weights | {first: torch.full_like(weights[first], torch.nan)}, MODELS / "flow_matching/model.safetensors")
    with pytest.raises(UserError, match=rf"methods\.diffusion\.start = flow_matching: .* weight {first} is not finite"):
        built["diffusion"].begun()

    content["methods"]["flow_matching"] = content["methods"]["flow_matching"] | {"network": {"kind": "transformer"}}
    other = methods.build(params.parse(content), Examples.of(dataset))
    with pytest.raises(UserError, match="artifacts/models/flow_matching was trained by other settings: `dvc repro"):
        other["diffusion"].begun()


def test_what_noise_takes_of_the_data_is_measured_on_them(dataset: Prepared) -> None:
    rows = replace(
        Examples.of(dataset), rows=Arrays({"data": np.tile(np.arange(8, dtype=np.uint8), (9, 8, 1))[..., None]})
    )
    content = changed("methods.flow_matching.objective.source", "spectral")
    method = methods.build(params.parse(content), rows)["flow_matching"]
    assert method.config.source == method.objective.source.choice != "spectral"
    generator = method.untrained()
    assert generator.source == method.objective.source
    assert generator.sample(2, seed=0).shape == (2, 8, 8, 1)
    plain = methods.build(params.parse(changed("methods.flow_matching.network", None)), rows)["flow_matching"]
    assert plain.config.source == "white"
