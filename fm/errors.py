"""Errors that somebody can mend."""

import reprlib


class UserError(Exception):
    """Something outside the code is wrong; the message says what, where and what would be right."""


class TryLater(UserError):
    """A service does not answer; the same later can succeed with nothing mended."""


def shown(value: object) -> str:
    """What was given, as an error tells it: its repr, with the middle left out where that is long."""
    return SHORT.repr(value)


SHORT = reprlib.Repr()
SHORT.maxlevel, SHORT.maxdict, SHORT.maxlist = 3, 8, 8
SHORT.maxstring = SHORT.maxlong = SHORT.maxother = 80
