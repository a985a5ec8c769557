"""A mistake in the settings is one line."""

import copy
from typing import Any

import pytest

from pipelines import params
from tests.pipelines.params.written import CONTENT, changed


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("train.lerning_rate", 1, "params.yaml: train.lerning_rate: there is no such setting"),
        ("train.learning_rate", -1, "params.yaml: train.learning_rate = -1: input should be greater than 0"),
        (
            "train.average_lengths",
            [0.1],
            "params.yaml: train.average_lengths: [0.1]: must be none, or two or more, each at least 1.5 times the one "
            "before, as [0.05, 0.1]",
        ),
        (
            "train.average_lengths",
            [0.1, 0.10001],
            "params.yaml: train.average_lengths: [0.1, 0.10001]: must be none, or two or more, each at least 1.5 times",
        ),
        (
            "train.average_lengths",
            [0.1, 1e-200],
            "params.yaml: train.average_lengths.1 = 1e-200: input should be greater than or equal to 0.01",
        ),
        ("evaluate.sets", "many", "params.yaml: evaluate.sets = 'many': input should be a valid integer"),
        (
            "dataset.name",
            "cifar",
            "params.yaml: dataset.name: no dataset 'cifar': must be one of cifar10, digits, fashion-mnist, "
            "field-files, furniture-voxels, icons, image-folder, moving-emoji, moving-garments, parquet, relief, "
            "turbulence, video-folder, volume-folder, webdataset; did you mean cifar10?",
        ),
        (
            "dataset.options",
            {"side": 16},
            "params.yaml: dataset.options: dataset 'fashion-mnist' has no option 'side': it has none",
        ),
        (
            "dataset.image_size",
            1024,
            "params.yaml: dataset.image_size = 1024: input should be less than or equal to 512",
        ),
        (
            "dataset.condition",
            {"kind": "low_resolution", "factor": 3},
            "params.yaml: dataset.condition: factor = 3: must divide 28 and 28",
        ),
        (
            "dataset.condition",
            {"kind": "first_frames", "count": 28},
            "params.yaml: dataset.condition: count = 28: of 28 slices there must be one left to predict",
        ),
        (
            "evaluate.extractor",
            "vgg",
            "params.yaml: evaluate.extractor: must be classifier, efficientnet_lite0, "
            "inception, space_time, two_towers, extractors/<name>.pt, extractors/<name>.py:<function> or "
            "<module>:<Class>, not 'vgg'",
        ),
        (
            "methods.diffusion.objective.path",
            "vp",
            "params.yaml: methods.diffusion.objective.path: no path 'vp': must be one of cond_ot, polynomial, cosine,",
        ),
        (
            "methods.diffusion.objective.path",
            {"name": "polynomial", "m": 2},
            "params.yaml: methods.diffusion.objective.path: path 'polynomial' has no option 'm': it has n",
        ),
        (
            "methods.diffusion.samplers",
            [{"solver": "ddim", "steps": [5]}, {"solver": "ddim", "steps": [10, 5]}],
            "params.yaml: methods.diffusion.samplers: ddim with 5 steps is there twice",
        ),
        (
            "methods.diffusion.samplers",
            [{"solver": "ddim", "steps": [5], "guidance": {"by": "snapshot", "scale": 2}}],
            "params.yaml: methods.diffusion.samplers: guidance away from snapshot 1: train.snapshots must be at least",
        ),
        (
            "methods.diffusion.samplers",
            [{"solver": "ddim", "steps": [5], "guidance": {"by": "snapshot", "scale": -2}}],
            "params.yaml: methods.diffusion.samplers.0.guidance.scale = -2: input should be greater than 0",
        ),
        (
            "methods.diffusion.network",
            {"kind": "transformer", "multipliers": [1]},
            "params.yaml: methods.diffusion.network: network 'transformer' has no option 'multipliers': it has ",
        ),
        ("network", 64, "params.yaml: network: must be like {kind: unet, width: 64}, not 64"),
        ("methods", {}, "params.yaml: methods = {}: dictionary should have at least 1 item"),
        ("train.images_seen", 5, "params.yaml: train.images_seen (5) must be at least train.batch_size"),
        ("methods.a-b", CONTENT["methods"]["diffusion"], "params.yaml: methods: a method's name has letters, digits"),
        (
            "methods.null",
            CONTENT["methods"]["diffusion"],
            "params.yaml: methods: a method cannot be called null, which",
        ),
        ("methods.1e5", CONTENT["methods"]["diffusion"], "params.yaml: methods: a method cannot be called 1e5, which"),
        (
            "methods",
            {True: {}},
            "params.yaml: methods: a row has a name that YAML reads as True and not as text, as it",
        ),
        ("methods", {11: {}}, "params.yaml: methods: a row is called 11, which is a number to YAML: write '11'"),
    ],
)
def test_a_mistake_is_one_line_with_key_value_and_what_is_allowed(key: str, value: Any, line: str) -> None:
    with pytest.raises(params.ParamsError) as raised:
        params.parse(changed(key, value))
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


def test_every_mistake_is_told() -> None:
    content = changed("train.seed", -1)
    content["evaluate"]["sets"] = 1
    with pytest.raises(params.ParamsError, match=r"train\.seed = -1.*\n.*evaluate\.sets = 1"):
        params.parse(content)


def test_not_more_mistakes_are_told_than_one_can_read() -> None:
    content = copy.deepcopy(CONTENT) | {f"wrong{number}": number for number in range(1000)}
    with pytest.raises(params.ParamsError) as raised:
        params.parse(content)
    told = str(raised.value).splitlines()
    assert len(told) == 21
    assert told[-1] == "params.yaml: and 980 mistakes more"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("train.images_sen", "train.images_seen"),
        ("images_seen", "train.images_seen"),
        ("trian", "train"),
        ("methods.diffusion.objective.wieght", "methods.diffusion.objective.weight"),
        ("methods.diffusion.sampler", "methods.diffusion.samplers"),
        ("register.model", "register.model_name"),
    ],
)
def test_a_key_that_is_almost_right_is_told_the_right_one(key: str, meant: str) -> None:
    with pytest.raises(params.ParamsError, match=rf"{key}: there is no such setting; did you mean {meant}\?"):
        params.parse(changed(key, 1))


def test_a_key_that_is_nothing_like_any_gets_no_suggestion() -> None:
    with pytest.raises(params.ParamsError, match=r"train\.zzz: there is no such setting$"):
        params.parse(changed("train.zzz", 1))


def test_no_error_repeats_more_than_a_line_of_what_was_given() -> None:
    for key in ("train.learning_rate", "methods.diffusion.objective.path", "evaluate.extractor", "train.devices"):
        for value in ("x\n" * 50_000, ["x" * 100] * 1000, {"name": "y" * 50_000}):
            with pytest.raises(params.ParamsError) as raised:
                params.parse(changed(key, value))
            assert "\n" not in str(raised.value)
            assert len(str(raised.value)) < 700


@pytest.mark.parametrize("content", [None, [], "text"])
def test_settings_are_by_name(content: object) -> None:
    with pytest.raises(params.ParamsError, match=r"the file = .*: must have settings by name"):
        params.parse(content)


def test_a_setting_that_yaml_reads_as_no_text() -> None:
    with pytest.raises(
        params.ParamsError, match=r"^params\.yaml: True: there is no such setting; YAML reads that name"
    ):
        params.parse({**CONTENT, True: 1})


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            "dataset.options",
            {"sides": 16},
            "params.yaml: dataset.options: dataset 'turbulence' has no option 'sides': it has train, test, side, seed, "
            "time, viscosity, drag, projected, force; did you mean side?",
        ),
        (
            "dataset.options",
            {"side": 4},
            "params.yaml: dataset.options: dataset 'turbulence': side = 4: must be a whole number from 8 to 1024",
        ),
        (
            "dataset.options",
            {"name": "relief"},
            "params.yaml: dataset.options: there is no such option as name; did you mean dataset.name?",
        ),
        (
            "dataset.image_size",
            64,
            "params.yaml: dataset.image_size: 64: must be null: the data of turbulence have a shape of their own",
        ),
        (
            "codec.kind",
            "latents",
            "params.yaml: codec.kind = latents: autoencoders are of pictures, and the data of turbulence are none: "
            "must be pixels",
        ),
    ],
)
def test_of_data_that_are_no_pictures(key: str, value: Any, line: str) -> None:
    content = changed("dataset.name", "turbulence")
    section, _, name = key.partition(".")
    content[section][name] = value
    with pytest.raises(params.ParamsError) as raised:
        params.parse(content)
    assert str(raised.value) == line
