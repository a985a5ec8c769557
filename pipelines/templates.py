"""Pages from Jinja's templates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2


def environment(folder: Path, **filters: Callable[..., Any]) -> jinja2.Environment:
    """What renders a folder's templates: texts of others mark up nothing in them, and a name that is not there is an
    error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= filters
    return made
