"""Origins: the scheme, host and port of a URL."""

from __future__ import annotations

from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port. Raise ValueError if there is no valid one."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{parts.scheme or 'nothing'} is not http or https")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def is_here(url: str) -> bool:
    """Return whether the host is this machine."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
