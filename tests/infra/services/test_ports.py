"""Ports, by real sockets."""

import socket

import pytest

from infra.services.ports import PortError, is_free, require_free


def test_all_ports_that_are_taken_are_named_with_their_setting() -> None:
    with socket.socket() as one, socket.socket() as other:
        taken = []
        for listener in (one, other):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            taken.append(listener.getsockname()[1])
        assert not is_free(taken[0])
        with pytest.raises(PortError) as raised:
            require_free({"S3_PORT": [taken[0]], "S3_INTERNAL_PORTS": [free(), taken[1]]})
        assert f"S3_PORT: port {taken[0]} is in use" in str(raised.value)
        assert f"S3_INTERNAL_PORTS: port {taken[1]} is in use" in str(raised.value)
    require_free({"S3_PORT": taken})


def free() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
