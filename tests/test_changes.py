"""What a change runs again, by DVC's own account: in a checkout whose stages DVC has recorded, and none has run."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import yaml

from tests.conftest import Project, checkout

pytestmark = pytest.mark.runs


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Something lies where each stage's outputs do, and DVC is told that the stage has made it."""
    project = checkout(tmp_path_factory.mktemp("changes") / "project")
    project.run("dvc", "repro", "resolve")
    stages = yaml.safe_load((project.folder / "dvc.yaml").read_text())["stages"]
    methods = yaml.safe_load((project.folder / "params.yaml").read_text())["methods"]
    for name, stage in stages.items():
        for method in methods if "foreach" in stage else [""]:
            if name != "resolve":
                make_outputs(project, stage.get("do", stage), method)
    project.run("dvc", "commit", "--force")
    assert changed_stages(project) == set()
    return project


def make_outputs(project: Project, stage: dict, method: str) -> None:
    for one in (*stage["outs"], *stage["metrics"], *stage.get("plots", [])):
        name = str(one if isinstance(one, str) else next(iter(one))).replace("${key}", method)
        place = project.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.suffix:
            place.write_text(json.dumps({"made_up": name}))
        else:
            place.mkdir()
            (place / "file").write_text(name)


def changed_stages(project: Project) -> set[str]:
    return set(json.loads(project.run("dvc", "status", "--json").stdout.splitlines()[-1]))


@contextmanager
def edited(project: Project, changes: Sequence[tuple[str, str, str]]) -> Iterator[None]:
    """Some text in files is another for a while."""
    before = {}
    try:
        for name, old, new in changes:
            file = project.folder / name
            before.setdefault(file, file.read_text() if file.exists() else None)
            content = "" if before[file] is None else file.read_text()
            assert old in content, f"{name} has no {old!r}"
            file.write_text(content.replace(old, new, 1) if old else content + new)
        yield
    finally:
        for file, content in before.items():
            file.unlink() if content is None else file.write_text(content)


def accepted(project: Project) -> tuple[int, list[str]]:
    """Exit code and lines of `make accept`."""
    done = project.run("python", "-m", "pipelines.accept", check=False)
    return done.returncode, done.stdout.splitlines()


WORDS = [
    ("fm/objectives/regression.py", '"""', '"""In other words: '),  # a docstring
    ("pipelines/train.py", "def main(", "# a comment\ndef main("),
    ("pipelines/sample_sets.py", 'print(f"', 'print(f"measured '),
    ("pipelines/records/provenance.py", '"git.commit"', '"commit"'),
    ("pipelines/forecast.py", "MANY_EPOCHS = 100", "MANY_EPOCHS = 50"),
    ("pipelines/defaults/cifar10.yaml", "images_seen: ", "images_seen: 1"),
    ("fm/networks/transformer_network.py", "(1 + scale)", "(2 + scale)"),
    ("fm/couplings.py", "x.cpu() * ", "2 * x.cpu() * "),
    ("own/paths.py", "", "from fm.paths import Path\nclass Squared(Path): ...\n"),
]


def test_what_no_result_depends_on_is_accepted(made: Project) -> None:
    with edited(made, WORDS):
        assert changed_stages(made) == {"resolve"}
        assert accepted(made) == (
            0,
            ["nothing has to run: what is different is words, or nothing a stage depends on"],
        )
    assert accepted(made)[0] == 0


def test_what_a_result_depends_on_is_not(made: Project) -> None:
    field = ("pipelines/schemas/comparison.py", "class Claim(Schema):", "class Claim(Schema):\n    more: int = 0\n")
    with edited(made, [field, *WORDS]):
        assert accepted(made) == (1, ["compare has to run: pipelines/schemas/comparison.py"])
    with edited(made, [("fm/objectives/regression.py", ".square()", ".abs()")]):
        code, lines = accepted(made)
        assert code == 1
        assert lines[:2] == [
            f"train@{method} has to run: fm/objectives/regression.py" for method in ("flow_matching", "diffusion")
        ]
        assert changed_stages(made) == {"train@flow_matching", "train@diffusion", "compare"}
    assert accepted(made)[0] == 0
