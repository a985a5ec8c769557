import json

import pytest
import yaml

from pipelines.stage import (
    Stage,
    StageChanged,
    are_as_recorded,
    changes,
    declared,
    differences,
    recorded,
    renew_inputs,
    require_unchanged,
)
from tests.conftest import Project


def stage(**changes: object) -> Stage:
    content = {"name": "train@a", "params": {"x": 1}, "dependencies": {"data/prepared": "abc.dir", "code.py": "def"}}
    return Stage(**(content | changes))  # type: ignore[arg-type]


def test_the_key_holds_name_parameters_data_and_code() -> None:
    assert stage().key == stage(dependencies={"code.py": "def", "data/prepared": "abc.dir"}).key
    keys = {
        stage().key,
        stage(name="train@b").key,
        stage(params={"x": 2}).key,
        stage(dependencies={"data/prepared": "abc.dir", "code.py": "xyz"}).key,
    }
    assert len(keys) == 4
    assert stage().data_md5 == "abc.dir"


@pytest.mark.runs
def test_declared_is_what_dvc_sees(by_dvc: Project) -> None:
    code = (
        "import json; from pipelines.stage import declared; s = declared('evaluate@diffusion');"
        "print(json.dumps([s.params, s.dependencies]))"
    )
    params, dependencies = json.loads(by_dvc.run("python", "-c", code).stdout.splitlines()[-1])
    lock = yaml.safe_load((by_dvc.folder / "dvc.lock").read_text())["stages"]["evaluate@diffusion"]
    assert dependencies == {entry["path"]: entry["md5"] for entry in lock["deps"]}
    assert params == lock["params"]["params.yaml"]
    assert recorded("evaluate@diffusion", by_dvc.folder) == Stage("evaluate@diffusion", params, dependencies)
    assert recorded("evaluate@another", by_dvc.folder) is None
    assert are_as_recorded(["prepare", "evaluate@diffusion"], by_dvc.folder)
    assert not are_as_recorded(["evaluate@another"], by_dvc.folder)


def test_what_was_edited_while_a_stage_ran_is_named(project: Project) -> None:
    before = declared("prepare", project.folder)
    renew_inputs(before, project.folder)
    require_unchanged(before, project.folder)
    project.set(train__learning_rate=0.5)  # nothing to do with it
    resize = project.folder / "fm/data/resize.py"
    resize.write_text(f"# another line\n{resize.read_text()}")
    require_unchanged(before, project.folder)

    project.set(dataset__test_fraction=0.3)
    resize.write_text(resize.read_text().replace("return", "return 1 *"))
    (project.folder / "data/README.md").write_text("other data\n")

    with pytest.raises(StageChanged) as raised:
        require_unchanged(before, project.folder)
    assert str(raised.value) == (
        "prepare: changed while it ran, so it has to run again: "
        "params.yaml: dataset.test_fraction = 0.3, was 0.2; data/README.md; fm/data/resize.py"
    )


@pytest.mark.parametrize("half_edited", ["train: [", "", None])
def test_settings_that_cannot_be_read_at_the_end_are_a_change_too(project: Project, half_edited: str | None) -> None:
    before = declared("prepare", project.folder)
    settings = project.folder / "params.yaml"
    if half_edited is None:
        settings.unlink()
    else:
        settings.write_text(half_edited)
    [said] = changes(before, project.folder)
    assert said
    assert "\n" not in said


def test_differences_are_named_by_dotted_keys() -> None:
    before = {"train": {"seed": 0, "rate": 1}, "methods.a.network": None, "same": [1]}
    after = {"train": {"seed": 1}, "methods.a.network": {"width": 8}, "same": [1]}
    assert list(differences(before, after)) == [
        ("train.seed", 0, 1),
        ("train.rate", 1, None),
        ("methods.a.network", None, {"width": 8}),
    ]
