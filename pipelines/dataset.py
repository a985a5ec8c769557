"""The prepared dataset, as all stages open it."""

import os

from fm.data.prepared import CacheFolder, Prepared
from fm.errors import UserError
from pipelines.project import PREPARED, cache_dir

LIMIT_VARIABLE = "PIPELINE_SHARD_CACHE_MB"
LIMIT_MB = 8192


def opened() -> Prepared:
    """data/prepared. Shards of a store are kept in `.cache/shards`, at most LIMIT_MB megabytes of them.

    The environment variable PIPELINE_SHARD_CACHE_MB says otherwise: what a machine has room for is no setting of the
    pipeline's, and its results do not depend on it.

    Raises:
        PreparedError: it is missing or damaged, or the cache is too small.
        UserError: the variable is no number.
    """
    return Prepared.open(PREPARED, CacheFolder(cache_dir() / "shards", limit(), LIMIT_VARIABLE))


def limit() -> int:
    """Bytes that shards may take on this machine. Raises UserError."""
    said = os.environ.get(LIMIT_VARIABLE, str(LIMIT_MB))
    try:
        return int(float(said) * 1_000_000)
    except (ValueError, OverflowError):  # the latter of infinity
        raise UserError(f"{LIMIT_VARIABLE} = {said}: must be a number of megabytes") from None
