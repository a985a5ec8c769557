"""What a text has to be that a model is asked for, whatever the model. Importable without PyTorch."""

from typing import Any

from fm.errors import shown

MOST_CHARACTERS = 10_000
"""What is longer is a mistake."""


def prompt(asked: Any) -> str:
    """What is asked for, "" where that is nothing.

    >>> prompt("a red heart"), prompt(None)
    ('a red heart', '')

    Raises:
        ValueError: it is no text, or longer than MOST_CHARACTERS.
    """
    text = "" if asked is None else asked
    if not isinstance(text, str):
        raise ValueError(f"{shown(asked)} is asked for: must be a text")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a text of {len(text):,} characters is asked for: {MOST_CHARACTERS:,} at most")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{shown(text)} is asked for, which is no text: {error.reason}") from None
    return text
