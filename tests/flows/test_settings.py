import shutil
from pathlib import Path

import pytest

from flows import settings
from flows.asked import change_settings
from fm.errors import UserError
from pipelines import params
from pipelines.project import ROOT

START = {"methods.flow_matching.network": None}


def nested(depth: int) -> list[object]:
    made: list[object] = []
    for _ in range(depth):
        made = [made]
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / params.FILE, tmp_path))


def test_an_override_changes_its_line_and_no_other(file: Path) -> None:
    before = file.read_text()
    settings.override(file, {"train.images_seen": 1000})
    assert params.load(file).train.images_seen == 1000
    changed = [line for line in file.read_text().splitlines() if line not in before.splitlines()]
    assert changed == ["  images_seen: 1000"]


def test_what_was_null_takes_an_option(file: Path) -> None:
    settings.override(file, {"dataset.name": "turbulence", "dataset.options.side": 16, "dataset.options.train": 20})
    assert params.load(file).dataset.options == {"side": 16, "train": 20}


def test_a_row_of_methods_is_added_by_its_file(file: Path) -> None:
    before = file.read_text()
    settings.override(file, settings.from_arguments(["methods.edm=@methods/edm.yaml", "train.seed=7"]))
    changed = params.load(file)
    assert changed.methods["edm"].objective.path == "edm"
    assert changed.train.seed == 7
    assert all(line in file.read_text().splitlines() for line in before.splitlines() if "seed" not in line)


def test_a_row_of_methods_that_is_null_is_taken_out(file: Path) -> None:
    before = file.read_text()
    settings.override(file, settings.from_arguments(["methods.edm=@methods/edm.yaml"]))
    for _ in range(2):
        settings.override(file, settings.from_arguments(["methods.edm=null"]))
        assert params.load(file) == params.parse(params.read(ROOT / params.FILE))
        assert sorted(file.read_text().split()) == sorted(before.split())
    settings.override(file, {"methods.flow_matching": None})
    assert list(params.load(file).methods) == ["diffusion"]
    with pytest.raises(params.ParamsError, match=r"methods\.diffusion: the only row cannot be taken out"):
        settings.override(file, {"methods.diffusion": None})


def test_a_row_that_another_starts_from_is_not_taken_out(file: Path) -> None:
    settings.override(file, {"methods.diffusion.network": None, "methods.diffusion.start": "flow_matching"})
    with pytest.raises(params.ParamsError, match=r"diffusion\.start = 'flow_matching': must be another row"):
        settings.override(file, {"methods.flow_matching": None})


def test_arguments_are_keys_and_yaml(file: Path) -> None:
    given = ["train.images_seen=1000", "methods.diffusion.objective.path={name: polynomial, n: 3}", "network.kind=null"]
    assert settings.from_arguments(given) == {
        "train.images_seen": 1000,
        "methods.diffusion.objective.path": {"name": "polynomial", "n": 3},
        "network.kind": None,
    }
    with pytest.raises(params.ParamsError, match=r"'train\.seed': must be key=value"):
        settings.from_arguments(["train.seed"])
    with pytest.raises(params.ParamsError, match=r"methods\.x: can't read 'methods/none\.yaml'"):
        settings.override(file, {"methods.x": "@methods/none.yaml"})


def test_a_recipe_is_merged_and_overrides_stand_above_it(file: Path) -> None:
    before = params.load(file)
    settings.override(file, {"train.images_seen": 1280}, recipe="cifar10-cpu")
    changed = params.load(file)
    assert changed.dataset.name == "cifar10"
    assert changed.train.images_seen == 1280
    assert changed.train.seed == before.train.seed
    assert "# pixels, square" in file.read_text()


@pytest.mark.parametrize("recipe", [path.stem for path in (settings.ROOT / "recipes").glob("*.yaml")])
def test_every_recipe_can_be_used(file: Path, recipe: str) -> None:
    settings.override(file, {}, recipe)
    assert params.load(file).dataset.name


def test_recipes_and_methods_are_those_of_the_run_s_own_checkout(file: Path, tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "new.yaml").write_text("train: {seed: 11}\n")
    (tmp_path / "rate.yaml").write_text("0.5\n")
    settings.override(file, {"train.learning_rate": "@rate.yaml"}, "new", root=tmp_path)
    assert (params.load(file).train.seed, params.load(file).train.learning_rate) == (11, 0.5)


@pytest.mark.parametrize("before", ["labels", "observed", {"kind": "low_resolution", "factor": 2}])
def test_the_options_of_another_kind_go_with_it(file: Path, before: object) -> None:
    settings.override(file, {"dataset.condition": before})
    settings.override(file, {"dataset.condition.kind": "first_frames", "dataset.condition.count": 4})
    settings.override(file, {"dataset.condition.kind": "first_frames"})
    assert params.load(file).dataset.condition == params.Part(kind="first_frames", count=4)


def test_so_do_those_of_another_autoencoder(file: Path) -> None:
    pca = {"codec.autoencoder.kind": "autoencoder_pca", "codec.autoencoder.patch": 4}
    settings.override(file, {"codec.kind": "latents", "dataset.image_size": 32, **pca})
    settings.override(file, {"codec.autoencoder.kind": "autoencoder_tiny"})
    assert "patch" not in params.load(file).codec.untrained


def test_the_options_of_another_dataset_go_with_it(file: Path) -> None:
    settings.override(file, {"dataset.name": "turbulence", "dataset.options.side": 16})
    settings.override(file, {"dataset.name": "turbulence", "dataset.options.time": 1.0})
    assert params.load(file).dataset.options == {"side": 16, "time": 1.0}
    settings.override(file, {"dataset.name": "relief"})
    assert not params.load(file).dataset.options
    for recipe in ("fields-cpu", "video-cpu", "volumes-cpu", "fields-cpu"):
        settings.override(file, {}, recipe)
    given = {"dataset.name": "moving-garments", "dataset.options.most": 1}
    settings.override(file, given, "fields-cpu")
    assert params.load(file).dataset.options == {"most": 1}


def test_an_unknown_recipe(file: Path) -> None:
    before = file.read_text()
    with pytest.raises(params.ParamsError, match=r"no recipe 'imagenet': there are .*cifar10-cpu"):
        settings.override(file, {}, "imagenet")
    assert file.read_text() == before


def test_no_overrides_leave_the_file_alone(file: Path) -> None:
    before = file.read_text()
    settings.override(file, {})
    assert file.read_text() == before
    file.write_bytes(before.encode("utf-8-sig").replace(b"\n", b"\r\n"))  # as some editors save it
    settings.override(file, {})
    assert file.read_bytes() == before.encode("utf-8-sig").replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"train.batchsize": 3}, "train.batchsize: there is no such setting"),
        ({"nothing.here": 3}, "nothing: there is no such setting"),
        ({"train.batch_size": "many"}, "train.batch_size = 'many'"),
        ({"train.seed.more": 3}, "train.seed.more: seed has no settings of its own"),
        ({"train.images_sen": 5}, "train.images_sen: there is no such setting; did you mean train.images_seen?"),
        ({"methods.diffusion.samplers": "x" * 90_000}, "methods.diffusion.samplers = 'xxx"),
        ({"register.model_name": "x" * 200_000}, "characters are too many: settings have 100,000 at most"),
        ({"dataset.licence": nested(2000)}, "nested too deep"),
        ({"dataset.licence": nested(60)}, "nested more than 40 deep"),
    ],
)
def test_an_impossible_override_is_one_line_and_changes_nothing(file: Path, overrides: dict, says: str) -> None:
    before = file.read_text()
    with pytest.raises(params.ParamsError) as caught:
        settings.override(file, overrides)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert file.read_text() == before


@pytest.mark.parametrize("value", ["[", "{a: 1, a: 2}", "2020-13-45", nested(100)])
def test_a_value_that_is_no_yaml_is_one_line(value: object) -> None:
    with pytest.raises(params.ParamsError, match=r"^'train\.seed': ") as caught:
        settings.from_arguments([f"train.seed={value}"])
    assert "\n" not in str(caught.value)


def test_only_yaml_files_of_the_checkout_are_read(file: Path, tmp_path: Path) -> None:
    """Wherever .. and links lead; and what such a file holds stands in no message."""
    root = tmp_path / "checkout"
    (root / "recipes").mkdir(parents=True)
    secret = "password: hunter2\n  : ["
    for outside in (tmp_path / "secret.yaml", root / ".env", root / "wrong.yaml"):
        outside.write_text(secret)
    (root / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (root / "folder").symlink_to(tmp_path)
    (root / "recipes" / "leaves.yaml").symlink_to(tmp_path / "secret.yaml")
    before = file.read_text()
    for value in ("@/etc/passwd", "@../secret.yaml", "@link.yaml", "@folder/secret.yaml", "@.env", "@recipes"):
        with pytest.raises(params.ParamsError, match=r"must be a \.yaml file of this checkout") as caught:
            settings.override(file, {"register.model_name": value}, root=root)
        assert "hunter2" not in str(caught.value)
    with pytest.raises(params.ParamsError, match=r"recipe leaves: .* must be a \.yaml file of this checkout"):
        settings.override(file, {}, "leaves", root=root)
    with pytest.raises(params.ParamsError, match=r"'wrong\.yaml': not YAML: .* in line 2") as caught:
        settings.override(file, {"register.model_name": "@wrong.yaml"}, root=root)
    assert "hunter2" not in str(caught.value)
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"dataset.name": "image-folder"}, "dataset.path = .*: must be the folder with your images"),
        ({"dataset.path": "nowhere"}, "dataset.path = .*nowhere'"),
        ({"register.nfe": 7}, "register.nfe = 7: flow_matching has no row with that many evaluations"),
        ({"evaluate.images": 50}, "evaluate.images = 50: must be more than the 64 features"),
        ({"train.images_seen": 6400, "train.warmup_steps": 200}, "train.warmup_steps = 200: must be at most half"),
        (
            START | {"methods.flow_matching.start_from": "starts/nosuch"},
            r"flow_matching\.start_from = starts/nosuch: must",
        ),
        (START | {"methods.flow_matching.start_from": "starts/README.md"}, "must be a folder with a trained network"),
        (
            START | {"methods.flow_matching.start_from": "starts/empty"},
            r"starts/empty: .* is no generator: .*json is miss",
        ),
    ],
)
def test_what_is_known_to_fail_is_refused_before_anything_is_written(
    file: Path, overrides: dict[str, object], says: str
) -> None:
    before = file.read_text()
    (file.parent / "starts/empty").mkdir(parents=True)
    (file.parent / "starts/README.md").touch()
    with pytest.raises(UserError, match=says):
        change_settings(file.parent, overrides, None)
    assert file.read_text() == before
    change_settings(file.parent, {"train.seed": 3}, None)
    assert params.load(file).train.seed == 3
