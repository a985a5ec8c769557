"""Buckets and keys, on a real SeaweedFS."""

import subprocess
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.services import buckets, env_file, health, seaweedfs
from infra.services.buckets import Key
from tests.infra.services.test_ports import free

PREFIX = "team-a"
DENIED = "AccessDenied"


class Store:
    """A running store and how to talk to it."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.endpoint = f"http://127.0.0.1:{settings['S3_PORT']}"
        self.admin = Key(settings["S3_ADMIN_ACCESS_KEY_ID"], settings["S3_ADMIN_SECRET_ACCESS_KEY"])

    def set_up(self, known: dict[str, Key]) -> dict[str, Key]:
        session = boto3.Session(self.admin.id, self.admin.secret, region_name=buckets.REGION)
        return buckets.set_up(session, PREFIX, known, self.endpoint)

    def client(self, key: Key) -> Any:
        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name=buckets.REGION,
            aws_access_key_id=key.id, aws_secret_access_key=key.secret,
        )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    root = tmp_path_factory.mktemp("store")
    internal = next(first for first in iter(free, None) if first < 65000)
    (root / ".env").write_text(f"S3_PORT={free()}\nS3_INTERNAL_PORTS={internal}\n")
    settings = env_file.settings(root)
    seaweedfs.make_folder(root / "s3", settings)
    with (root / "log").open("w") as log:
        process = subprocess.Popen(seaweedfs.command(root / "s3", settings), stdout=log, stderr=log)
    try:
        found = Store(settings)
        assert health.wait_until(lambda: health.status(found.endpoint) in (200, 403), 60), (root / "log").read_text()
        yield found
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def keys(store: Store) -> dict[str, Key]:
    return store.set_up({})


def test_training_may_write_and_delete_and_the_reader_may_read(store: Store, keys: dict[str, Key]) -> None:
    training, reader = store.client(keys["training"]), store.client(keys["reader"])
    training.put_object(Bucket=f"{PREFIX}-data", Key="a", Body=b"1")
    assert reader.get_object(Bucket=f"{PREFIX}-data", Key="a")["Body"].read() == b"1"
    assert [found["Key"] for found in reader.list_objects_v2(Bucket=f"{PREFIX}-data")["Contents"]] == ["a"]
    for forbidden in (
        lambda: reader.put_object(Bucket=f"{PREFIX}-data", Key="a", Body=b"2"),
        lambda: reader.delete_object(Bucket=f"{PREFIX}-data", Key="a"),
        lambda: training.put_bucket_versioning(
            Bucket=f"{PREFIX}-data", VersioningConfiguration={"Status": "Suspended"}
        ),
        lambda: training.create_bucket(Bucket="another"),
    ):
        with pytest.raises(ClientError, match=DENIED):
            forbidden()
    training.delete_object(Bucket=f"{PREFIX}-data", Key="a")


def test_what_is_overwritten_can_be_had_again(store: Store, keys: dict[str, Key]) -> None:
    training = store.client(keys["training"])
    first = training.put_object(Bucket=f"{PREFIX}-models", Key="m", Body=b"old")["VersionId"]
    training.put_object(Bucket=f"{PREFIX}-models", Key="m", Body=b"new")
    assert training.get_object(Bucket=f"{PREFIX}-models", Key="m")["Body"].read() == b"new"
    assert training.get_object(Bucket=f"{PREFIX}-models", Key="m", VersionId=first)["Body"].read() == b"old"


def test_other_buckets_are_closed_to_both(store: Store, keys: dict[str, Key]) -> None:
    store.client(store.admin).create_bucket(Bucket="somebody-elses")
    for key in keys.values():
        with pytest.raises(ClientError, match=DENIED):
            store.client(key).list_objects_v2(Bucket="somebody-elses")


def test_setting_up_again_changes_nothing(store: Store, keys: dict[str, Key]) -> None:
    store.client(keys["training"]).put_object(Bucket=f"{PREFIX}-samples", Key="kept", Body=b"1")
    assert store.set_up(keys) == keys
    assert store.client(keys["reader"]).get_object(Bucket=f"{PREFIX}-samples", Key="kept")["Body"].read() == b"1"


def test_a_lost_key_is_replaced_and_the_old_one_refused(store: Store) -> None:
    before = store.set_up({})
    after = store.set_up({"training": before["training"]})
    assert after["training"] == before["training"]
    assert after["reader"] != before["reader"]
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        store.client(before["reader"]).list_objects_v2(Bucket=f"{PREFIX}-data")
    store.client(after["reader"]).list_objects_v2(Bucket=f"{PREFIX}-data")
