"""Transient faults: a store or a server that does not answer now, a worker that was lost. What fails by such a one
is tried again, later each time; what fails otherwise would fail again."""

import re
from collections.abc import Iterable

DELAYS = [10.0, 30.0, 90.0]
"""Seconds before the second, third and fourth try."""

SIGNS = re.compile(
    r"exited with 75$"  # DVC's word on a stage that called its fault transient: pipelines.program
    r"|Could not connect to the endpoint URL|Connection was closed before we received a valid response"  # botocore
    r"|Connect(ion)?(Error| refused| reset)|Server disconnected|Temporary failure in name resolution"
    r"|Could not resolve host|Failed to connect to|returned error: 5\d\d|early EOF"  # git
    r"|[Tt]imed? ?out|SlowDown|ServiceUnavailable|InternalError|Bad Gateway|Gateway Time-?out",
    re.MULTILINE,
)


def is_transient(last_lines: Iterable[str]) -> bool:
    """Whether the end of a command's output speaks of such a fault: DVC's own exit code does not tell."""
    return bool(SIGNS.search("\n".join(last_lines)))
