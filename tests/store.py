"""A real S3 store, SeaweedFS, for tests that need no other service."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from infra.services import buckets, env_file, health, seaweedfs
from infra.services.buckets import Key
from tests.ports import free_run


class Store:
    """A running store and how to talk to it."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.endpoint = f"http://127.0.0.1:{settings['S3_PORT']}"
        self.admin = Key(settings["S3_ADMIN_ACCESS_KEY_ID"], settings["S3_ADMIN_SECRET_ACCESS_KEY"])

    def set_up(self, prefix: str, known: dict[str, Key]) -> dict[str, Key]:
        session = boto3.Session(self.admin.id, self.admin.secret, region_name=buckets.REGION)
        return buckets.set_up(session, prefix, known, self.endpoint)

    def client(self, key: Key) -> Any:
        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name=buckets.REGION,
            aws_access_key_id=key.id, aws_secret_access_key=key.secret,
        )  # fmt: skip

    def everything(self, bucket: str) -> list[str]:
        """The keys of all that a bucket keeps, of former versions and of what is removed too."""
        found = self.client(self.admin).list_object_versions(Bucket=bucket)
        return [one["Key"] for kind in ("Versions", "DeleteMarkers") for one in found.get(kind, [])]

    def variables(self, key: Key) -> dict[str, str]:
        """What a shell has that uses the store with this key."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": buckets.REGION,
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
        }


@contextmanager
def running(root: Path) -> Iterator[Store]:
    (root / ".env").write_text(f"S3_PORT={free_run(1)}\nS3_INTERNAL_PORTS={free_run(7)}\n")
    settings = env_file.settings(root)
    seaweedfs.make_folder(root / "s3", settings)
    with (root / "log").open("w") as log:
        surroundings = {**os.environ, **seaweedfs.environment(root / "s3")}
        process = subprocess.Popen(seaweedfs.command(root / "s3", settings), env=surroundings, stdout=log, stderr=log)
    try:
        store = Store(settings)
        assert health.wait_until(lambda: health.status(store.endpoint) in (200, 403), 60), (root / "log").read_text()
        yield store
    finally:
        process.kill()
        process.wait()
        for port in (settings["S3_PORT"], *seaweedfs.internal_ports(settings)):
            for socket in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
                socket.unlink()
