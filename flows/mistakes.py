"""A user's mistake is one line in a run's log: as a flow's process ends, Prefect would put the traceback of its own
insides under it."""

import logging

from fm.errors import UserError

AT_THE_END = ("Engine execution exited with", "Execution exited with", "Execution of flow run")
LOGGERS = ("prefect.flow_runs", "prefect.engine")


class Explained(Exception):
    """A failure whose message is for people; whatever is to be known of it is in the log already."""


def is_news(record: logging.LogRecord) -> bool:
    """Whether a record says more than the one before it, which has the run's final state and its message."""
    from prefect.exceptions import CancelledRun, CrashedRun, FailedRun  # raised for a state that has words alone

    error = record.exc_info[1] if record.exc_info else None
    explained = isinstance(error, (UserError, Explained, FailedRun, CrashedRun, CancelledRun))
    return not (explained and record.getMessage().startswith(AT_THE_END))


def log_in_one_line() -> None:
    for name in LOGGERS:
        logging.getLogger(name).addFilter(is_news)
