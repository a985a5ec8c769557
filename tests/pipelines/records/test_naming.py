import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import params
from pipelines.project import ROOT
from pipelines.records import naming


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "start"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def called(root: Path, **changes: Any) -> str:
    """The name of a run whose settings are changed; two underscores stand for a dot."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in changes.items():
        section, _, name = key.partition("__")
        content[section][name] = value
    (root / params.FILE).write_text(yaml.safe_dump(content))
    return naming.of_run(root)


def test_a_run_is_called_by_its_data_set_and_what_differs(checkout: Path) -> None:
    assert called(checkout) == "fashion-mnist"
    assert called(checkout, train__learning_rate=0.01) == "fashion-mnist, learning_rate 0.01"
    assert called(checkout, train__seed=3, network__width=16) == "fashion-mnist, width 16, train.seed 3"


def test_of_another_data_set_its_own_defaults_are_no_difference(checkout: Path) -> None:
    assert called(checkout, dataset__name="digits") == "digits"
    assert called(checkout, dataset__name="digits", train__images_seen=6400) == "digits, images_seen 6400"
    assert called(checkout, train__learning_rate=0.001) == "fashion-mnist"  # what null stands for


def test_methods_are_told_by_name(checkout: Path) -> None:
    samplers = [{"solver": "ddpm", "steps": [10]}]
    row = yaml.safe_load((ROOT / "params.yaml").read_text())["methods"]["diffusion"]
    assert called(checkout, methods__edm=row) == "fashion-mnist, with edm"
    assert called(checkout, methods__diffusion=row | {"samplers": samplers}) == "fashion-mnist, diffusion.samplers"


def test_ten_runs_have_ten_names(checkout: Path) -> None:
    assert len({called(checkout, train__learning_rate=rate / 1000) for rate in range(1, 11)}) == 10


def test_a_name_stays_one_that_a_table_can_show(checkout: Path) -> None:
    many = {f"train__{name}": 70 for name in ("seed", "warmup_steps", "checkpoint_every", "snapshots", "batch_size")}
    name = called(checkout, dataset__licence="x" * 500, train__images_seen=70000, train__ema_decay=0.5, **many)
    assert name.endswith(", 3 more")
    assert len(name) < 200


def test_without_git_or_settings_there_is_what_there_is(tmp_path: Path) -> None:
    assert naming.of_run(tmp_path) == ""
    assert called(tmp_path, train__seed=3) == "fashion-mnist"
