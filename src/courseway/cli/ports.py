"""Is a port free? Asked before anything starts, so that the answer is a sentence."""

from __future__ import annotations

import socket

from courseway.cli.answers import RefusedError


def refuse_busy_port(host: str, port: int, *, flag: str) -> None:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise RefusedError(f"{host}:{port} cannot be used: {reason}. Choose another port with {flag}.") from None
