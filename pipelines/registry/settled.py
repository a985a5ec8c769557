"""Whether a registration has anything left to do, by what is registered."""

from collections.abc import Mapping

from pipelines.registry import glance
from pipelines.registry.gate import PROTOCOL, Winner, again, by_set, obstacle
from pipelines.registry.model_version import CODE_FINGERPRINT, FINGERPRINT
from pipelines.registry.promotion import CHAMPION

DECISION = "gate.decision"
"""The tag that is written last."""


def settled(name: str, winner: Winner, tags: Mapping[str, str]) -> str | None:
    """The version, by its number, that leaves nothing to do. None where there is none, or where MLflow must be asked.

    Args:
        tags: the winner's, and the fingerprint of its generator.
    """
    model = glance.registered(name)
    if model is None:
        return None
    champion = model.aliases.get(CHAMPION)
    for version, ours in model.versions.items():
        if not is_same(ours, tags) or by_set(ours) != winner.sets or DECISION not in ours:
            continue
        if champion is None or not must_be_measured(champion, model.versions.get(champion, {}), version, ours):
            return version
    return None


def is_same(version: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    """Whether these are the tags of a version of the same generator, measured by the same protocol. One without a
    fingerprint of its code, of before there were any, cannot be served."""
    same = {key: value for key, value in tags.items() if key == FINGERPRINT or key.startswith(PROTOCOL)}
    return same.items() <= version.items() and CODE_FINGERPRINT in version


def must_be_measured(champion: str, theirs: Mapping[str, str], version: str, ours: Mapping[str, str]) -> bool:
    """Whether the champion, by its number and tags, was measured otherwise than a version, and not anew since."""
    if champion == version or len(by_set(ours)) < 2 or obstacle(ours, theirs) is None:
        return False
    known = again(ours, champion)
    return known is None or not known.sets
