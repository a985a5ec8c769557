"""Files out of npm packages: their archives, whole and unchanged, with npm or without. Nothing in them is run.

Source: https://docs.npmjs.com/cli/commands/npm-pack, https://docs.npmjs.com/cli/using-npm/config
"""

import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fm.data.fetching import Files, Origin, download, folder, output

PUBLIC = "https://registry.npmjs.org/"
SETTINGS = ("npm_config_registry", "NPM_CONFIG_REGISTRY")
"""How npm lets the environment name another registry."""


@dataclass(frozen=True)
class Package:
    """One version of a package.

    Attributes:
        sha256: of its archive, which every registry has in the same bytes.

    >>> icons = Package("@iconify-json/noto", "1.2.9", sha256="3e91...")
    >>> icons.file, icons.path
    ('iconify-json-noto-1.2.9.tgz', '@iconify-json/noto/-/noto-1.2.9.tgz')
    """

    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """What `npm pack` calls its archive."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    @property
    def path(self) -> str:
        """Where a registry has it."""
        return f"{self.name}/-/{self.name.rpartition('/')[2]}-{self.version}.tgz"

    @property
    def spec(self) -> str:
        """What npm is asked for."""
        return f"{self.name}@{self.version}"


def registry() -> str:
    """The address that npm would ask, as far as the environment says, with a slash at its end."""
    chosen = next((value for name in SETTINGS if (value := os.environ.get(name))), PUBLIC)
    return f"{chosen.rstrip('/')}/"


def origins(packages: Sequence[Package]) -> list[Origin]:
    """The registry's address; then npm, which knows of settings, keys and proxies besides."""
    return [
        download("npm registry", registry(), {package.file: package.path for package in packages}),
        packed(packages),
    ]


def packed(packages: Sequence[Package]) -> Origin:
    """Archives that npm fetches into a temporary folder. It installs nothing."""
    specs = {package.file: package.spec for package in packages}

    def read(names: Iterable[str]) -> Files:
        with tempfile.TemporaryDirectory(prefix="npm-") as scratch:
            for name in names:
                output(
                    "npm", "pack", "--ignore-scripts", "--fetch-retries=0", "--logs-max=0", specs[name],
                    cwd=Path(scratch),
                )  # fmt: skip
                yield from folder("npm", Path(scratch)).read([name])

    return Origin("npm pack", read)


def members(archive: bytes, *names: str) -> list[Any]:
    """JSON files of an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = [tar.extractfile(f"package/{name}") for name in names]
        return [json.load(file) for file in files if file is not None]
