"""Archives of npm packages come from the registry that npm would ask, with npm or without it."""

import base64
import hashlib
import json
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest

from fm.data import npm
from fm.data.fetching import Collected, DatasetUnavailable, collect
from fm.data.npm import Package
from tests.fm.data.packages import archive, package

if TYPE_CHECKING:
    from tests.fm.data.conftest import Site

CONTENT = archive({"letters.json": ["a", "b"], "deep/numbers.json": {"one": 1}})
LETTERS = package("@test/letters", CONTENT)


def get(cache: Path) -> Collected:
    return collect("letters", {LETTERS.file: LETTERS.sha256}, bytes, cache, npm.origins([LETTERS]), "Do something.")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in npm.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", npm.SETTINGS)
def test_from_the_registry_that_the_environment_names(
    tmp_path: Path, site: "Site", settings: pytest.MonkeyPatch, name: str
) -> None:
    settings.setenv(name, site.url.rstrip("/"))
    site.files["@test/letters/-/letters-1.0.0.tgz"] = CONTENT
    found = get(tmp_path)
    assert found == Collected({"test-letters-1.0.0.tgz": CONTENT}, f"npm registry ({site.url})")
    assert (tmp_path / "test-letters-1.0.0.tgz").read_bytes() == CONTENT


def test_the_public_registry_is_asked_where_the_environment_names_none(settings: pytest.MonkeyPatch) -> None:
    assert npm.registry() == "https://registry.npmjs.org/"


def test_npm_fetches_what_lies_elsewhere(tmp_path: Path, site: "Site", settings: pytest.MonkeyPatch) -> None:
    """A registry may keep archives where it likes, and says where: npm asks it first."""
    if not which("npm"):
        pytest.skip("npm is not on this machine")
    settings.setenv("npm_config_registry", site.url)
    settings.setenv("npm_config_cache", str(tmp_path / "npm"))
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(CONTENT).digest()).decode()}"
    version = {"name": LETTERS.name, "version": "1.0.0", "dist": {"tarball": f"{site.url}kept", "integrity": integrity}}
    said = {"name": LETTERS.name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    site.files |= {"@test%2fletters": json.dumps(said).encode(), "kept": CONTENT}
    assert get(tmp_path / "cache") == Collected({LETTERS.file: CONTENT}, "npm pack")


def test_an_address_that_is_none_and_a_machine_without_npm(tmp_path: Path, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("npm_config_registry", "registry")
    settings.setenv("PATH", str(tmp_path))
    with pytest.raises(DatasetUnavailable) as failure:
        get(tmp_path / "cache")
    _, cached, registry, pack, advice = str(failure.value).splitlines()
    assert cached.startswith("  local cache (")
    assert registry.startswith("  npm registry (registry/): test-letters-1.0.0.tgz: unknown url type: ")
    assert pack == "  npm pack: there is no npm on this machine"
    assert advice == "Do something."


@pytest.mark.parametrize(
    ("name", "file", "path"),
    [
        ("letters", "letters-2.1.0.tgz", "letters/-/letters-2.1.0.tgz"),
        ("@test/letters", "test-letters-2.1.0.tgz", "@test/letters/-/letters-2.1.0.tgz"),
    ],
)
def test_what_archives_are_called(name: str, file: str, path: str) -> None:
    one = Package(name, "2.1.0", "")
    assert (one.file, one.path, one.spec) == (file, path, f"{name}@2.1.0")


def test_members_are_read_from_the_archive() -> None:
    assert npm.members(CONTENT, "deep/numbers.json", "letters.json") == [{"one": 1}, ["a", "b"]]
