"""infra/compose, which cannot be run without container images: by the specification's schema, and against ours."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.services import control, env_file, health, programs
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
    assert ours.keys() == {"s3", "mlflow", "prefect", "worker", "gpu-worker", "stores", "deployments"}
    for name in ours.keys() & {*programs.SERVERS, *programs.WORKERS}:
        assert ours[name][1:] == ["-m", "infra.services", "run", name]


def test_what_writes_in_the_checkout_does_so_as_its_owner(services: dict[str, Any]) -> None:
    for name, one in services.items():
        if "../..:/checkout" in one["volumes"]:
            assert one["user"].startswith("${CONTAINER_USER:?"), name
            assert one["environment"]["HOME"] == "/tmp", name


def test_health_is_asked_as_without_containers(services: dict[str, Any]) -> None:
    for name in health.CHECKS.keys() - {"postgres"}:
        assert services[name]["healthcheck"]["test"][1:] == [".venv/bin/python", "-m", "infra.services", "check", name]


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
