"""infra/compose, which cannot be run without container images: by the specification's schema, and against ours."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.services import control, env_file, programs, seaweedfs
from pipelines.project import ROOT

FILE = ROOT / "infra" / "compose" / "compose.yaml"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_it_is_what_the_specification_says() -> None:
    checker = Path(sys.executable).parent / "check-jsonschema"
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", FILE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_it_has_the_services_of_make_services_and_a_gpu_worker(services: dict[str, Any]) -> None:
    assert {one.name for one in control.supervised()} <= services.keys()
    assert services["gpu-worker"]["profiles"] == ["gpu"]
    ours = {name: one["command"] for name, one in services.items() if "infra.services" in one.get("command", [])}
    assert ours.keys() == {"mlflow", "prefect", "worker", "gpu-worker", "stores", "deployments"}
    for name in ours.keys() & programs.PROGRAMS.keys():
        assert ours[name][1:] == ["-m", "infra.services", "run", name]


def test_seaweedfs_is_started_as_without_containers(services: dict[str, Any], tmp_path: Path) -> None:
    ours = seaweedfs.command(Path("/data"), env_file.settings(tmp_path))[1:]
    same = {option for option in ours if not option.startswith(("-s3.port=", "-s3.config=")) and ".port" not in option}
    assert same <= set(services["s3"]["command"])
    assert {"-s3.port.iceberg=0", "-s3.port.lance=0"} <= set(services["s3"]["command"])


def test_images_have_exact_tags_and_who_stays_is_watched(services: dict[str, Any]) -> None:
    for name, one in services.items():
        _, _, tag = one["image"].rpartition(":")
        assert re.match(r"\d+\.\d+", tag), f"{name}: {one['image']}"
        if one.get("restart") == "unless-stopped" and not name.endswith("worker"):
            assert "healthcheck" in one, name


def test_no_secret_is_in_the_file(tmp_path: Path) -> None:
    text = FILE.read_text()
    secret = [name for name in env_file.SETTINGS if "PASSWORD" in name or "SECRET" in name]
    named = [name for name in secret if name in text]
    assert named, "credentials come from .env"
    assert all(f"${{{name}:?" in text for name in named), "and are missed where it has none"


def test_the_image_has_what_the_lock_file_names() -> None:
    text = (FILE.parent / "Dockerfile").read_text()
    assert "--require-hashes -r requirements.lock" in text
    assert "FROM python:3.11." in text
