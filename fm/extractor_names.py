"""Extractors by what settings call them: by name, by a file of yours or by a class. Importable without PyTorch."""

import re
from collections.abc import Container

from fm.components import PLACE, entry_points, find, known, label
from fm.errors import shown

OWN_FILE = re.compile(r"extractors/([A-Za-z0-9_]+)\.(?:pt|py:[A-Za-z_][A-Za-z0-9_]*)")


def extractor_name(setting: str, own: Container[str] = ()) -> str:
    """What an extractor's distances are called after: its own name, its class's, or your file's, `extractors/faces.pt`.

    Args:
        own: what may be imported for it (components.build).

    Raises:
        ValueError: there is no such extractor, or your file has the name of one of the library's.
    """
    of_file = OWN_FILE.fullmatch(setting)
    if of_file is not None and of_file[1] not in known("extractor"):
        return of_file[1]
    if setting in known("extractor") or setting in entry_points("extractor") or PLACE.fullmatch(setting):
        find("extractor", setting, own)
        return label(setting)
    raise ValueError(
        f"must be {', '.join(known('extractor'))}, extractors/<name>.pt, extractors/<name>.py:<function> or "
        f"<module>:<Class>, not {shown(setting)}"
    )


def dimensions_of(setting: str) -> int:
    """Features of an image, where that is known before the extractor is made, else 0."""
    if OWN_FILE.fullmatch(setting):
        return 0
    return getattr(find("extractor", setting), "dimensions", 0)


def compares_pictures(setting: str) -> bool:
    """Whether it has layers by which pictures are compared (fm.autoencoding.Perceptual).

    >>> compares_pictures("classifier"), compares_pictures("inception")
    (True, False)
    """
    return not OWN_FILE.fullmatch(setting) and bool(getattr(find("extractor", setting), "layers", ()))


def is_of_pictures(setting: str) -> bool:
    """Whether it looks at pictures alone.

    >>> is_of_pictures("inception"), is_of_pictures("space_time")
    (True, False)
    """
    return not OWN_FILE.fullmatch(setting) and bool(getattr(find("extractor", setting), "of_pictures", False))
