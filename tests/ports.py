"""Ports that nobody has now, below those that the system gives to whoever connects."""

import os
import socket

TAKEN: set[int] = set()


def free_run(length: int) -> int:
    """The first of so many free ports in a row."""
    for first in range(20000 + os.getpid() % 10000, 60000, 97):
        if first not in TAKEN and all(is_free(first + offset) for offset in range(length)):
            TAKEN.add(first)
            return first
    raise AssertionError("no ports")


def is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
