"""What `null` stands for, dataset by dataset."""

from typing import Any

import pytest
import yaml

from fm import components
from fm.extractor_names import is_of_pictures
from pipelines import params
from pipelines.params.defaults import FOLDER
from pipelines.params.network import Network
from pipelines.params.params import Params
from pipelines.params.section import NULL
from tests.pipelines.params.written import CONTENT, changed

FILES = sorted(FOLDER.glob("*.yaml"))
DATASETS = [file.stem for file in FILES]
FOLLOWS = {("register", "metric"), ("codec", "autoencoder")}  # from evaluate.extractor, dataset.image_size


def values(content: dict[str, Any]) -> set[tuple[str, str]]:
    return {(section, key) for section, of in content.items() if isinstance(of, dict) for key in of}


@pytest.mark.parametrize("file", FILES, ids=DATASETS)
def test_a_dataset_has_a_value_for_all_that_may_be_null(file: Any) -> None:
    may_be_null = {
        (section.alias or name, field.alias or key)
        for name, section in Params.model_fields.items()
        for key, field in getattr(section.annotation, "model_fields", {}).items()
        if NULL in field.metadata
    }
    defaults = yaml.safe_load(file.read_text(encoding="utf-8"))
    networks = defaults.pop("networks")
    assert values(defaults) | FOLLOWS == may_be_null | {("network", "kind")}
    for kind, sizes in networks.items():
        assert sizes.keys() <= components.options_of(components.known("network")[kind]).keys()


@pytest.mark.parametrize("name", DATASETS)
def test_the_datasets_name_alone_is_a_working_change(name: str) -> None:
    settings = params.parse(changed("dataset.name", name))
    left = [key for key, value in params.flat(settings).items() if value is None]
    # All its own; the folder; the cache; not everybody has one.
    open_ones = {"dataset.options", "dataset.store", "evaluate.extractor_weights", "evaluate.clip"}
    assert set(left) - {"dataset.image_size", "dataset.channels"} <= open_ones
    assert ("dataset.image_size" in left) == ("dataset.channels" in left) == settings.dataset.is_coded
    assert settings.register_.metric == f"fid_{settings.evaluate.extractor}"
    assert not (settings.dataset.is_coded and is_of_pictures(settings.evaluate.extractor))
    assert {method.network for method in settings.methods.values()} == {settings.network}


def test_what_is_given_stands() -> None:
    assert params.parse(changed("train.images_seen", 1280)).train.images_seen == 1280


@pytest.mark.parametrize("name", ["image-folder", "video-folder", "volume-folder", "field-files"])
def test_an_own_folder_is_measured_with_as_many_images_as_its_test_split_has(name: str) -> None:
    chosen = params.parse(changed("dataset.name", name)).evaluate
    assert [chosen.count(num_test) for num_test in (120, 500, 7000)] == [120, 500, 500]


def test_the_metric_follows_the_extractor() -> None:
    for extractor, metric in (("inception", "fid"), ("extractors/faces.py:embed", "fid_faces")):
        content = changed("evaluate.extractor", extractor)
        content["evaluate"]["images"] = 5000
        assert params.parse(content).register_.metric == metric


@pytest.mark.parametrize(("seen", "warm_up"), [(200_000, 200), (25_600, 100), (12_800, 50), (128, 0)])
def test_a_short_trainings_warm_up_is_shortened(seen: int, warm_up: int) -> None:
    assert params.parse(changed("train.images_seen", seen)).train.warmup_steps == warm_up


def test_a_network_s_sizes_are_those_of_its_kind() -> None:
    settings = params.parse(changed("methods.diffusion.network", {"kind": "transformer", "width": 32}))
    own, common = settings.methods["diffusion"].network, settings.methods["flow_matching"].network
    assert own.choice == {"name": "transformer", "width": 32, "blocks": 4, "heads": 4, "patch_size": 2}
    assert common == settings.network
    assert common.choice == {"name": "unet", "width": 32, "blocks": 1, "multipliers": [1, 2], "patch_size": 2}


def test_a_size_that_the_other_kind_alone_has_may_stay_null() -> None:
    for kind in ("unet", "transformer"):
        assert params.parse(changed("network.kind", kind)).network.kind == kind
    assert CONTENT["network"].keys() == {"kind", *Network.options()}, "params.yaml has every setting"


def test_a_mistake_in_what_others_follow_is_told_once() -> None:
    for key, value in (
        ("dataset.name", "cifar"),
        ("train.images_seen", "many"),
        ("train.batch_size", 0),
        ("evaluate.extractor", "vgg"),
        ("network.kind", "unett"),
        ("network", "unet"),
    ):
        with pytest.raises(params.ParamsError) as raised:
            params.parse(changed(key, value))
        assert str(raised.value).startswith(f"params.yaml: {key.partition('.')[0]}")
        assert "\n" not in str(raised.value)


def test_what_a_dataset_is_given_stands_beside_its_defaults() -> None:
    content = changed("dataset.name", "turbulence")
    content["dataset"]["options"] = {"side": 16, "seed": 3}
    settings = params.parse(content).dataset
    assert settings.choice == {"name": "turbulence", "side": 16, "seed": 3}
    assert params.parse(changed("dataset.name", "digits")).dataset.choice == "digits"
