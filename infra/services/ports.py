"""Ports on loopback: whether a number can be one, and whether it is free."""

import socket
from collections.abc import Mapping

from fm.errors import UserError

HOST = "127.0.0.1"


class PortError(UserError):
    """A port cannot be used; the message names the setting."""


def require_port(name: str, value: str) -> int:
    if not value.isdigit() or not 1024 <= int(value) <= 65500:
        raise PortError(f".env: {name}: is {value!r}, must be a port, 1024 to 65500")
    return int(value)


def require_free(wanted: Mapping[str, list[int]]) -> None:
    """Raise PortError, with all that are taken, unless every port is free.

    Args:
        wanted: the setting in .env -> its ports.
    """
    taken = [f"{name}: port {port} is in use" for name, ports in wanted.items() for port in ports if not is_free(port)]
    if taken:
        raise PortError(
            "\n".join([*(f".env: {line}" for line in taken), "Choose others there, or stop what has them."])
        )


def is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True
