"""Calls to the HTTP API of Vault or OpenBao: by a deadline, with its refusals turned into ours.

Plain HTTP and not hvac: hvac has no deadline for a whole call, and follows redirects with the token.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import System
from bot.http import HttpAnswer, HttpRequest, send
from bot.ports.deadline import Deadline
from bot.upstream import from_status, wait_asked_for

MOST_WORDS = 300
LOOKS_AT_TOKEN = 600.0
"""The longest time in seconds between two looks at how long the token still lives."""
HEALTH = "sys/health?standbyok=true&perfstandbyok=true"
SEALED = HTTPStatus.SERVICE_UNAVAILABLE
NOT_INITIALIZED = HTTPStatus.NOT_IMPLEMENTED
PASSING = {HTTPStatus.PRECONDITION_FAILED, 472, 473, 530}
"""It has not caught up yet (412), stands by for a disaster (472) or for reads (473), or was removed from its
cluster (530). Another node, or the same one later, answers."""

Texts = Annotated[tuple[str, ...], BeforeValidator(lambda value: tuple(value or ()))]
Json = Mapping[str, Any]


class Answer(BaseModel):
    """A part of an answer. Other keys are ignored."""

    model_config = ConfigDict(frozen=True)


class Entity(Answer):
    id: Annotated[str, Field(min_length=1)]
    name: str
    disabled: bool
    policies: Texts
    direct_group_ids: Texts
    inherited_group_ids: Texts


class Group(Answer):
    id: Annotated[str, Field(min_length=1)]
    name: str
    policies: Texts
    member_entity_ids: Texts
    metadata: Annotated[dict[str, str], BeforeValidator(lambda value: value or {})]

    @property
    def gives_something(self) -> bool:
        return bool(self.policies and self.member_entity_ids)


class TokenState(Answer):
    """The state of our own token. ``ttl`` is 0 if it never ends, and ``period`` the seconds for which it can
    be renewed for ever."""

    ttl: int
    creation_ttl: int
    renewable: bool
    policies: Texts
    period: int = 0
    explicit_max_ttl: int = 0

    @property
    def seconds_left(self) -> int | None:
        """Return the seconds until it ends; None if it never does."""
        return self.ttl or None

    @property
    def is_due(self) -> bool:
        """Return whether a third of its time is over, so that it should be renewed."""
        return self.renewable and self.ttl * 3 < (self.period or self.creation_ttl) * 2


class _Health(Answer):
    cluster_id: Annotated[str, Field(min_length=1)]


class _Names(Answer):
    keys: Texts


A = TypeVar("A", bound=Answer)


class Api:
    """One Vault or OpenBao, asked with one token in one namespace. ``name`` is the target's."""

    def __init__(self, name: str, url: str, token: str, namespace: str = "") -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._token = token
        self._namespace = namespace.strip("/")
        self._upkeep = threading.Lock()
        self._look_at_token = 0.0

    def system(self, deadline: Deadline) -> System:
        """Return which cluster and namespace answers. It is asked without the token."""
        what = f"{self.name} (health)"
        answer = send(HttpRequest(method="GET", url=self._address(HEALTH), headers={}), what, deadline)
        if answer.status == SEALED:
            raise TemporaryFailure(f"{self.name} is sealed, or has no active node: unseal it")
        if answer.status == NOT_INITIALIZED:
            raise PermanentFailure(f"{self.name} is not initialized: initialize it, or correct the url")
        if answer.status != HTTPStatus.OK:
            raise self._failure(answer, what)
        try:
            cluster = _Health.model_validate_json(answer.body).cluster_id
        except ValidationError:
            raise PermanentFailure(
                f"{self.name} does not say which cluster it is, as Vault does at /v1/sys/health: correct the"
                " url"
            ) from None
        return System(id=f"{cluster} {self._namespace}".rstrip())

    # ------------------------------------------------------------------------------- people and groups

    def entity(self, deadline: Deadline, **by: str) -> Entity | None:
        """Return the entity with this ``id``, ``name``, or ``alias_name`` and ``alias_mount_accessor``."""
        return self._find("identity/lookup/entity", by, Entity, deadline)

    def group(self, deadline: Deadline, **by: str) -> Group | None:
        """Return the group with this ``id`` or ``name``."""
        return self._find("identity/lookup/group", by, Group, deadline)

    def write_group(self, name: str, body: Json, not_after: Deadline) -> None:
        """Make the group, or replace its policies, members and metadata."""
        self._call("POST", f"identity/group/name/{quote(name, safe='')}", not_after, body)

    def delete_group(self, name: str, deadline: Deadline) -> None:
        """Delete the group. If there is none, that is success."""
        self._call("DELETE", f"identity/group/name/{quote(name, safe='')}", deadline)

    def group_names(self, deadline: Deadline) -> tuple[str, ...]:
        return self._names("identity/group/name", deadline)

    def policy_names(self, deadline: Deadline) -> tuple[str, ...]:
        return self._names("sys/policies/acl", deadline)

    # --------------------------------------------------------------------------------------- the token

    def token(self, deadline: Deadline) -> TokenState:
        path = "auth/token/lookup-self"
        return self._read(self._call("GET", path, deadline).get("data"), TokenState, path)

    def capabilities(self, paths: Collection[str], deadline: Deadline) -> Mapping[str, frozenset[str]]:
        """Return what the token may do at each path."""
        path = "sys/capabilities-self"
        found = self._call("POST", path, deadline, {"paths": list(paths)}).get("data")
        if not isinstance(found, dict) or not all(isinstance(found.get(each), list) for each in paths):
            raise self._not_vault(path)
        return {each: frozenset(map(str, found[each])) for each in paths}

    def renew_token(self, deadline: Deadline) -> None:
        self._call("POST", "auth/token/renew-self", deadline, {})

    def keep_token(self, deadline: Deadline) -> None:
        """Renew the token if a third of its time is over. This is looked at once in a while, and a failure is
        left to ``token`` and to the calls that need it."""
        if time.monotonic() < self._look_at_token or not self._upkeep.acquire(blocking=False):
            return
        try:
            self._look_at_token = time.monotonic() + LOOKS_AT_TOKEN
            with suppress(TemporaryFailure, PermanentFailure):
                state = self.token(deadline)
                if state.is_due:
                    self.renew_token(deadline)
                    state = self.token(deadline)
                if state.seconds_left is not None:
                    soon = min(LOOKS_AT_TOKEN, state.seconds_left / 4)
                    self._look_at_token = time.monotonic() + soon
        finally:
            self._upkeep.release()

    # --------------------------------------------------------------------------------------- the calls

    def _find(self, path: str, by: Json, shape: type[A], deadline: Deadline) -> A | None:
        """Return what a lookup finds; None if Vault says 204, which means that there is nothing."""
        answer = self._call("POST", path, deadline, by)
        return self._read(answer.get("data"), shape, path) if answer else None

    def _names(self, path: str, deadline: Deadline) -> tuple[str, ...]:
        answer = self._call("GET", f"{path}?list=true", deadline, empty_is_404=True)
        return self._read(answer.get("data"), _Names, path).keys if answer else ()

    def _call(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        body: Json | None = None,
        *,
        empty_is_404: bool = False,
    ) -> Json:
        """Return the body of an answer; empty if it has none."""
        what = f"{self.name} ({method} {path.partition('?')[0]})"
        answer = self._send(method, path, body, what, deadline)
        if answer.status == HTTPStatus.NO_CONTENT:
            return {}
        if empty_is_404 and answer.status == HTTPStatus.NOT_FOUND and _errors(answer.body) == []:
            return {}
        if answer.status == HTTPStatus.FORBIDDEN:
            raise self._refusal(what, deadline)
        if answer.status != HTTPStatus.OK:
            raise self._failure(answer, what)
        found = _parse(answer.body)
        if not isinstance(found, dict) or not found:
            raise self._not_vault(path)
        return found

    def _send(self, method: str, path: str, body: Json | None, what: str, deadline: Deadline) -> HttpAnswer:
        headers = {"X-Vault-Token": self._token, "X-Vault-Request": "true", "Accept": "application/json"}
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        content = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        return send(
            HttpRequest(method=method, url=self._address(path), headers=headers, body=content), what, deadline
        )

    def _address(self, path: str) -> str:
        return f"{self._url}/v1/{path}"

    def _read(self, found: object, shape: type[A], path: str) -> A:
        try:
            return shape.model_validate(found)
        except (TypeError, ValidationError):
            raise self._not_vault(path) from None

    # ---------------------------------------------------------------------------------------- failures

    def _not_vault(self, path: str) -> TemporaryFailure:
        return TemporaryFailure(
            f"{self.name} did not answer as Vault does (at {path.partition('?')[0]}): check what its url"
            " leads to"
        )

    def _refusal(self, what: str, deadline: Deadline) -> PermanentFailure | TemporaryFailure:
        """Return which it is: the token is not valid, or its policy does not allow the call. Vault answers
        403 to both."""
        asked = f"{self.name} (token)"
        answer = self._send("GET", "auth/token/lookup-self", None, asked, deadline)
        if answer.status == HTTPStatus.OK:
            return PermanentFailure(
                f"{what} is not allowed: give the bot's token the policy of docs/vault.md, with all policies"
                " in it that access.yaml names"
            )
        if answer.status == HTTPStatus.FORBIDDEN:
            return PermanentFailure(
                f"{self.name} refuses the bot's token: it has expired, was revoked, belongs to another Vault"
                " or namespace, or may not look itself up; make a new one as docs/vault.md says, and set it"
                " where the workers run"
            )
        return self._failure(answer, asked)

    def _failure(self, answer: HttpAnswer, what: str) -> TemporaryFailure | PermanentFailure:
        asked = wait_asked_for(answer.headers, "retry-after")
        if answer.status in PASSING:
            return TemporaryFailure(f"{what} answered {answer.status}: it is not active", retry_after=asked)
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            return TemporaryFailure(
                f"{what} answered {answer.status}, as a node that stands by does; the token is not sent to"
                " another address: let the url lead to the active node"
            )
        failure = from_status(answer.status, what, retry_after=asked)
        said = self._words(answer.body)
        if not said:
            return failure
        if isinstance(failure, TemporaryFailure):
            return TemporaryFailure(f"{failure}: {said}", retry_after=asked)
        return PermanentFailure(f"{failure}: {said}")

    def _words(self, body: bytes) -> str:
        """Return what Vault says about a failure, on one line, without our token."""
        said = "; ".join(" ".join(each.split()) for each in _errors(body) or () if isinstance(each, str))
        return (said.replace(self._token, "…") if self._token else said)[:MOST_WORDS]


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _errors(body: bytes) -> list[object] | None:
    found = _parse(body)
    errors = found.get("errors") if isinstance(found, dict) else None
    return errors if isinstance(errors, list) else None
