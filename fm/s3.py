"""A place in an S3 bucket: the objects whose keys begin alike.

Endpoint, region and keys are boto3's to find: AWS_ENDPOINT_URL and its like in the environment, or the user's files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fm.errors import TryLater, UserError

SCHEME = "s3://"
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 10, 60, 3
THERE_ALREADY = 412
NO_KEYS = "no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as .env does"
# Besides 500 and more: time-out, another writer at the same moment, too many requests.
PASSING = (408, 409, 429)
PASSING_CODES = ("RequestTimeout", "SlowDown")  # Amazon's time-out has status 400


@dataclass(frozen=True)
class Place:
    """Where objects lie.

    Attributes:
        prefix: how the keys begin, with a slash at its end.

    >>> str(Place("bucket", "pictures/"))
    's3://bucket/pictures/'
    """

    bucket: str
    prefix: str

    def __getstate__(self) -> dict[str, str]:
        """Without its connection, which no other process can use."""
        return {"bucket": self.bucket, "prefix": self.prefix}

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}"

    @cached_property
    def store(self) -> Any:
        import boto3
        from botocore.config import Config

        retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
        config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=retries)
        return boto3.Session().client("s3", config=config)  # boto3.client keeps the keys of its first call

    def require_keys(self) -> None:
        """Raise UserError where boto3 finds none. The store is not asked."""
        import boto3

        if boto3.Session().get_credentials() is None:
            raise UserError(f"{self}: {NO_KEYS}")

    def names(self) -> set[str]:
        """The objects' keys without the prefix. Raises UserError, TryLater."""
        with translated(str(self)):
            pages = self.store.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
            return {found["Key"].removeprefix(self.prefix) for page in pages for found in page.get("Contents", [])}

    def read(self, name: str) -> bytes | None:
        """An object's content, None where there is none. Raises UserError, TryLater."""
        from botocore.exceptions import ClientError

        with translated(f"{self}{name}"):
            try:
                return bytes(self.store.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"].read())
            except ClientError as error:
                if code(error) == "NoSuchKey":
                    return None
                raise

    def chunks(self, name: str, size: int) -> Iterator[bytes]:
        """An object's content, piece by piece. Raises UserError if there is none; TryLater."""
        with translated(f"{self}{name}"):
            yield from self.store.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"].iter_chunks(size)

    def write_new(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one of this name, which stays; of several writers one alone does.

        Returns:
            Whether it was written.

        Raises:
            UserError: the store refuses.
            TryLater: it does not answer.
        """
        from botocore.exceptions import ClientError

        with translated(f"{self}{name}"):
            try:
                self.store.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=content, IfNoneMatch="*")
            except ClientError as error:
                if status(error) == THERE_ALREADY:
                    return False
                raise
        return True


def parse(address: str) -> Place:
    """s3://bucket/prefix/, the last slash may be missing. Raises UserError if it is something else."""
    bucket, _, prefix = address.removeprefix(SCHEME).partition("/")
    prefix = prefix.strip("/")
    if not address.startswith(SCHEME) or not bucket or not prefix:
        raise UserError(f"{address}: must be {SCHEME}bucket/prefix/")
    return Place(bucket, f"{prefix}/")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """What goes wrong with a store as UserError or, where it can pass by itself, TryLater."""
    from botocore import exceptions

    try:
        yield
    except (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError) as error:
        raise TryLater(f"{where}: the store does not answer: {error}") from None
    except exceptions.ClientError as error:
        if status(error) >= 500 or status(error) in PASSING or code(error) in PASSING_CODES:
            raise TryLater(f"{where}: the store cannot now: {error}") from None
        raise UserError(f"{where}: {refusal(error)}") from None
    except exceptions.NoCredentialsError:
        raise UserError(f"{where}: {NO_KEYS}") from None
    except exceptions.BotoCoreError as error:
        raise UserError(f"{where}: {error}") from None


def refusal(error: Any) -> str:
    if code(error) == "NoSuchBucket":
        return "there is no such bucket; name one that is there"
    if code(error) == "NoSuchKey":
        return "there is no such object"
    if status(error) == 403:
        return f"these keys may not do that ({code(error)}); take those of a user who may"
    return str(error)


def code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code"))


def status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
