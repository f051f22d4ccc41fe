"""An HTTP client for other systems: by a deadline, without redirects, with a limit on the size of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, SSLError, Timeout
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports.deadline import Deadline
from bot.upstream import time_left, too_late, within

MOST_BYTES = 1 << 20
"""The longest answer that is read. A longer one is refused."""

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """An answer of any status. The names of its headers may be written in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(request: HttpRequest, what: str, deadline: Deadline) -> HttpAnswer:
    """Send the request once, and return the answer, whatever its status. A redirect is returned, not
    followed.

    The deadline is looked at again when the connection is open, right before anything is sent: what took
    longer to look up or to connect is not sent late. Raise TemporaryFailure, in which ``what`` names the
    call, if no answer came, or if it is longer than ``MOST_BYTES``. Raise PermanentFailure if the address
    is not valid.
    """
    return within(deadline, what, lambda: _send(request, what, deadline))


def _send(request: HttpRequest, what: str, deadline: Deadline) -> HttpAnswer:
    with requests.Session() as session:
        session.auth = _as_it_is  # otherwise a .netrc file would replace the Authorization header
        for scheme in ("http://", "https://"):
            session.mount(scheme, _InTime(lambda: time_left(deadline, what)))
        try:
            response = session.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body,
                timeout=time_left(deadline, what),
                allow_redirects=False,
                stream=True,
            )
            with closing(response):
                body = response.raw.read(MOST_BYTES + 1, decode_content=True)
        except Timeout as error:
            raise too_late(what) from error
        except (InvalidSchema, InvalidURL, MissingSchema) as error:
            raise PermanentFailure(f"{what}: the address is not a valid URL: correct it") from error
        except SSLError as error:
            raise TemporaryFailure(f"{what}: its TLS certificate is not accepted: check it") from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise TemporaryFailure(f"{what}: no answer: {type(error).__name__}") from error
    if len(body) > MOST_BYTES:
        raise TemporaryFailure(f"{what}: the answer is longer than {MOST_BYTES} bytes")
    return HttpAnswer(status=response.status_code, headers=CaseInsensitiveDict(response.headers), body=body)


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port. Raise ValueError if the URL has no valid ones."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{parts.scheme or 'nothing'} is not http or https")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _InTime(HTTPAdapter):
    """An adapter that calls ``check`` when a connection is open, before anything is sent."""

    def __init__(self, check: Callable[[], object]) -> None:
        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                check()

        class Encrypted(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                check()

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self._pools = {"http": PlainPool, "https": EncryptedPool}
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager
