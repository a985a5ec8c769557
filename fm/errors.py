"""Errors that somebody can mend."""


class UserError(Exception):
    """Something outside the code is wrong; the message says what, where and what would be right."""


class TryLater(UserError):
    """A service does not answer; the same later can succeed with nothing mended."""
