"""A service app of OAuth 2.0: it signs assertions with its private key, and gets access tokens for them."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlencode
from uuid import uuid4

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import TypeAdapter

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.http import HttpAnswer, HttpRequest, send
from bot.ports.deadline import Deadline
from bot.targets.okta.answers import AccessTokenSaid, code_of, failure_from, read
from bot.upstream import host_now, time_left, too_late

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE = 300
EARLIER = 30
"""The seconds by which an assertion is dated back, because Okta refuses one from its future."""
USED_UP = 5 / 6
"""The part of a token's life after which a new one is fetched: 50 minutes of an hour."""
_TOKEN = TypeAdapter(AccessTokenSaid)


@dataclass(frozen=True, kw_only=True)
class App:
    """A service app as Okta knows it. ``key_id`` None: it has only one key."""

    client_id: str
    private_key: str = field(repr=False)
    key_id: str | None
    scopes: tuple[str, ...]


class ServiceApp:
    """A service app. Implements Credential. Its access token is kept until shortly before it ends.
    ``clock`` measures that, in seconds."""

    advice = "check that the service app is active"

    def __init__(
        self,
        name: str,
        url: str,
        app: App,
        *,
        now: Callable[[], datetime] = host_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raise PermanentFailure, which does not show the key, if it is not one."""
        self._name = name
        self._url = f"{url}/oauth2/v1/token"
        self._app = app
        self._key = _load_key(name, app.private_key)
        self._now = now
        self._clock = clock
        self._fetching = threading.Lock()
        self._token: str | None = None
        self._fresh_until = 0.0

    def authorization(self, deadline: Deadline) -> str:
        with self._alone(deadline):
            if self._token is None or self._clock() >= self._fresh_until:
                self._fetch(deadline)
            return f"Bearer {self._token}"

    def forget(self, authorization: str) -> bool:
        if authorization == f"Bearer {self._token}":
            self._fresh_until = 0.0
        return True

    def hide(self, text: str) -> str:
        return text.replace(self._token, "…") if self._token else text

    @contextmanager
    def _alone(self, deadline: Deadline) -> Iterator[None]:
        if not self._fetching.acquire(timeout=time_left(deadline, self._name)):
            raise too_late(self._name)
        try:
            yield
        finally:
            self._fetching.release()

    def _fetch(self, deadline: Deadline) -> None:
        asked_at, assertion = self._clock(), self._assertion()
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(self._app.scopes),
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion,
        }
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "rotakey",
        }
        request = HttpRequest(
            method="POST", url=self._url, headers=headers, body=urlencode(form).encode("ascii")
        )
        answer = send(request, self._name, deadline)
        if answer.status != HTTPStatus.OK:
            raise self._failure(answer, assertion)
        found = read(_TOKEN, answer, self._name)
        if found.token_type.lower() != "bearer":
            raise self._wants_proof()
        self._token = found.access_token
        self._fresh_until = asked_at + found.expires_in * USED_UP

    def _assertion(self) -> str:
        at = int(self._now().timestamp())
        head = {"alg": "RS256", "typ": "JWT", **({"kid": self._app.key_id} if self._app.key_id else {})}
        claims = {
            "iss": self._app.client_id,
            "sub": self._app.client_id,
            "aud": self._url,
            "iat": at - EARLIER,
            "exp": at + ASSERTION_LIFE,
            "jti": uuid4().hex,
        }
        signed = f"{_base64url(json.dumps(head).encode())}.{_base64url(json.dumps(claims).encode())}"
        return f"{signed}.{_base64url(self._key.sign(signed.encode(), PKCS1v15(), SHA256()))}"

    def _failure(self, answer: HttpAnswer, assertion: str) -> TemporaryFailure | PermanentFailure:
        code = code_of(answer)
        if code in ("use_dpop_nonce", "invalid_dpop_proof"):
            return self._wants_proof()
        failure = failure_from(answer, self._name, lambda text: text.replace(assertion, "…"), self._now)
        advice = {
            "invalid_client": "check client_id, private_key and key_id, and this machine's clock",
            "invalid_scope": f"grant the service app the scopes {', '.join(self._app.scopes)}",
        }.get(code)
        if isinstance(failure, PermanentFailure) and advice:
            return PermanentFailure(f"{failure}: {advice}")
        return failure

    def _wants_proof(self) -> PermanentFailure:
        return PermanentFailure(
            f"{self._name} wants proof of possession (DPoP) from the service app: switch off Require"
            " Demonstrating Proof of Possession in its settings"
        )


def _load_key(name: str, private_key: str) -> RSAPrivateKey:
    refusal = PermanentFailure(
        f"{name}: private_key is not an unencrypted RSA key in PEM form: set the one of the service app"
    )
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise refusal from None
    if not isinstance(key, RSAPrivateKey):
        raise refusal
    return key


def _base64url(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode("ascii")
