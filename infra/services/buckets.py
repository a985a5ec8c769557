"""The buckets and who may do what in them, the same calls for SeaweedFS as for Amazon's S3 and IAM.

What SeaweedFS does not enforce, and how to do the same on Amazon's: docs/operate.md.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boto3 import Session

PURPOSES = ("data", "models", "samples")
"""DVC's cache, MLflow's artifacts, generated sets: a bucket each, which keeps every version."""
PASSING = "checkpoints"
"""What trainings go on from: its bucket keeps no version, and no backup has it."""
READ = ("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:GetBucketLocation")
WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
USERS: dict[str, tuple[str, ...]] = {"training": READ + WRITE, "reader": READ}
POLICY = "buckets"
REGION = "us-east-1"


@dataclass(frozen=True)
class Key:
    id: str
    secret: str


def names(prefix: str) -> list[str]:
    """Of the buckets with what shall last."""
    return [name(prefix, purpose) for purpose in PURPOSES]


def name(prefix: str, purpose: str) -> str:
    return f"{prefix}-{purpose}"


def set_up(session: "Session", prefix: str, known: Mapping[str, Key], endpoint: str | None = None) -> dict[str, Key]:
    """The buckets, a user `<prefix>-training` that may write and one `<prefix>-reader` that may read.

    Args:
        session: of somebody who may make buckets and users.
        known: the users' keys as they are kept. A user whose key is not known, or not by the store, gets a new one, and
            those that it had are deleted.
        endpoint: None is Amazon.

    Returns:
        The users' keys.
    """
    s3, iam = session.client("s3", endpoint_url=endpoint), session.client("iam", endpoint_url=endpoint)
    for purpose in (*PURPOSES, PASSING):
        make_bucket(s3, name(prefix, purpose), session.region_name, versions=purpose != PASSING)
    return {user: make_user(iam, f"{prefix}-{user}", policy(prefix, user), known.get(user)) for user in USERS}


def make_bucket(s3: Any, bucket: str, region: str | None, versions: bool) -> None:
    if bucket not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        # The first region is the one that must not be named.
        place = {} if region in (None, REGION) else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)
    if versions:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def policy(prefix: str, user: str) -> str:
    buckets = [*names(prefix), name(prefix, PASSING)]
    resources = [f"arn:aws:s3:::{bucket}{part}" for bucket in buckets for part in ("", "/*")]
    statement = {"Effect": "Allow", "Action": list(USERS[user]), "Resource": resources}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_user(iam: Any, user: str, allowed: str, known: Key | None) -> Key:
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName=POLICY, PolicyDocument=allowed)
    existing = [one["AccessKeyId"] for one in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]
    if known is not None and known.id in existing:
        return known
    for old in existing:  # Amazon allows two
        iam.delete_access_key(UserName=user, AccessKeyId=old)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return Key(made["AccessKeyId"], made["SecretAccessKey"])
