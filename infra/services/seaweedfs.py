"""SeaweedFS's S3 store: one process, one folder."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.services.ports import HOST
from pipelines.project import whole_file

IDENTITIES = "identities.json"
INTERNAL = (
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)
"""Their ports follow one another from S3_INTERNAL_PORTS on."""
VOLUME_MEGABYTES = 1024


def internal_ports(settings: Mapping[str, str]) -> list[int]:
    first = int(settings["S3_INTERNAL_PORTS"])
    return list(range(first, first + len(INTERNAL)))


def command(folder: Path, settings: Mapping[str, str]) -> list[str]:
    ports = zip(INTERNAL, internal_ports(settings), strict=True)
    return [
        str(Path(sys.executable).parent / "weed"), "-logtostderr=true", "server",
        f"-dir={folder}", f"-ip={HOST}", f"-ip.bind={HOST}", "-s3", f"-s3.port={settings['S3_PORT']}",
        f"-s3.config={folder / IDENTITIES}",
        "-s3.iam.readOnly=false",  # or training's and the reader's keys could not be made
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
        # A bucket takes several volumes: small ones, and as many as the disk has room for.
        f"-master.volumeSizeLimitMB={VOLUME_MEGABYTES}", "-volume.max=0",
        *(f"-{option}={port}" for option, port in ports),
    ]  # fmt: skip


def make_folder(folder: Path, settings: Mapping[str, str]) -> None:
    """The store's folder, and in it who its administrator is."""
    folder.mkdir(parents=True, exist_ok=True)
    credentials = {
        "accessKey": settings["S3_ADMIN_ACCESS_KEY_ID"],
        "secretKey": settings["S3_ADMIN_SECRET_ACCESS_KEY"],
    }
    admin = {
        "name": "admin",
        "credentials": [credentials],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    with whole_file(folder / IDENTITIES) as partial:
        partial.touch(mode=0o600)
        partial.write_text(json.dumps({"identities": [admin]}, indent=2), encoding="utf-8")
