"""Buckets and keys, on a real SeaweedFS."""

import pytest
from botocore.exceptions import ClientError

from infra.services.buckets import Key
from tests.store import Store

PREFIX = "team-a"
DENIED = "AccessDenied"


@pytest.fixture(scope="module")
def keys(store: Store) -> dict[str, Key]:
    return store.set_up(PREFIX, {})


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


def test_of_checkpoints_that_are_removed_nothing_is_kept(store: Store, keys: dict[str, Key]) -> None:
    training, bucket = store.client(keys["training"]), f"{PREFIX}-checkpoints"
    for content in (b"old", b"new"):
        training.put_object(Bucket=bucket, Key="c", Body=content)
    training.delete_object(Bucket=bucket, Key="c")
    assert store.everything(bucket) == []


def test_other_buckets_are_closed_to_both(store: Store, keys: dict[str, Key]) -> None:
    store.client(store.admin).create_bucket(Bucket="somebody-elses")
    for key in keys.values():
        with pytest.raises(ClientError, match=DENIED):
            store.client(key).list_objects_v2(Bucket="somebody-elses")


def test_setting_up_again_changes_nothing(store: Store, keys: dict[str, Key]) -> None:
    store.client(keys["training"]).put_object(Bucket=f"{PREFIX}-samples", Key="kept", Body=b"1")
    assert store.set_up(PREFIX, keys) == keys
    assert store.client(keys["reader"]).get_object(Bucket=f"{PREFIX}-samples", Key="kept")["Body"].read() == b"1"


def test_a_lost_key_is_replaced_and_the_old_one_refused(store: Store) -> None:
    before = store.set_up(PREFIX, {})
    after = store.set_up(PREFIX, {"training": before["training"]})
    assert after["training"] == before["training"]
    assert after["reader"] != before["reader"]
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        store.client(before["reader"]).list_objects_v2(Bucket=f"{PREFIX}-data")
    store.client(after["reader"]).list_objects_v2(Bucket=f"{PREFIX}-data")


def test_every_bucket_takes_something_however_full_the_disk(store: Store) -> None:
    administrator = store.client(store.admin)
    names = [f"one-of-many-{number}" for number in range(40)]
    for name in names:
        administrator.create_bucket(Bucket=name)
        administrator.put_object(Bucket=name, Key="key", Body=b"value")
    for name in names:
        administrator.delete_object(Bucket=name, Key="key")
        administrator.delete_bucket(Bucket=name)
