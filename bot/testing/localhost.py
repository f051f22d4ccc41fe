"""Ports of this machine, and whether somebody answers there."""

from __future__ import annotations

import socket
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import urlopen

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])


def is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def answers(url: str, within: float = 1.0) -> bool:
    """Return whether the URL answers 200 within some seconds."""
    try:
        with urlopen(url, timeout=within) as answer:  # noqa: S310 -- our own server on this machine
            return bool(answer.status == 200)
    except HTTPError as error:
        error.close()
        return False
    except (OSError, HTTPException):
        return False
