"""Extractors by name. Importable without PyTorch, to check settings at once."""

import re

from fm.errors import shown

EXTRACTORS = ("classifier", "inception", "efficientnet_lite0")
DIMENSIONS = {"classifier": 64, "inception": 2048, "efficientnet_lite0": 64}
"""Features of an image, extractor by extractor."""
OWN_EXTRACTOR = re.compile(r"extractors/([A-Za-z0-9_]+)\.(?:pt|py:[A-Za-z_][A-Za-z0-9_]*)")


def extractor_name(setting: str) -> str:
    """What an extractor's distances are called after: its own name, or that of your file, `extractors/faces.pt`.

    Raises:
        ValueError: it is neither, or your file has the name of one of EXTRACTORS.
    """
    if setting in EXTRACTORS:
        return setting
    own = OWN_EXTRACTOR.fullmatch(setting)
    if own is None or own[1] in EXTRACTORS:
        known = ", ".join(EXTRACTORS)
        raise ValueError(
            f"must be {known}, extractors/<name>.pt or extractors/<name>.py:<function>, not {shown(setting)}"
        )
    return own[1]
