import json

import yaml

from pipelines.stage import Stage
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


def test_declared_is_what_dvc_sees(by_dvc: Project) -> None:
    code = (
        "import json; from pipelines.stage import declared; s = declared('evaluate@diffusion');"
        "print(json.dumps([s.params, s.dependencies]))"
    )
    params, dependencies = json.loads(by_dvc.run("python", "-c", code).stdout.splitlines()[-1])
    lock = yaml.safe_load((by_dvc.folder / "dvc.lock").read_text())["stages"]["evaluate@diffusion"]
    assert dependencies == {entry["path"]: entry["md5"] for entry in lock["deps"]}
    assert params == lock["params"]["params.yaml"]
