"""The prepared dataset, as all stages open it, and what networks learn from of it."""

import os
from dataclasses import replace

from fm.batches import Examples
from fm.codecs import Codec
from fm.conditions import Given, Unconditional
from fm.data.prepared import CacheFolder, Prepared
from fm.encoded_data import examples_in
from fm.errors import UserError
from pipelines.params import Params, Part
from pipelines.project import ENCODED, PREPARED, cache_dir

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


def for_training(settings: Params, dataset: Prepared) -> Examples:
    """What networks learn from, under the condition that settings ask for.

    Raises:
        PreparedError: it has to be encoded, and data/encoded is missing, damaged or of other data.
        UserError: the data have no such part as is to be given.
    """
    if settings.is_encoded:
        return examples_in(ENCODED, dataset)
    examples, condition = Examples.of(dataset), settings.dataset.condition
    if isinstance(condition, Part):
        return replace(examples, conditioner=part_of(condition, examples.codec))
    return replace(examples, conditioner=Unconditional()) if condition == "none" else examples


def part_of(condition: Part, codec: Codec) -> Given:
    """Raises UserError: the data have no such part."""
    try:
        return condition.conditioner(codec.shape).for_codec(codec)
    except ValueError as error:
        raise UserError(f"params.yaml: dataset.condition: {error}") from None


def limit() -> int:
    """Bytes that shards may take on this machine. Raises UserError."""
    said = os.environ.get(LIMIT_VARIABLE, str(LIMIT_MB))
    try:
        return int(float(said) * 1_000_000)
    except (ValueError, OverflowError):  # the latter of infinity
        raise UserError(f"{LIMIT_VARIABLE} = {said}: must be a number of megabytes") from None
