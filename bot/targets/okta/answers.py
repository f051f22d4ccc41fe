"""Okta's answers: what they contain, and which failures they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Annotated, TypeVar

from pydantic import AliasPath, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.http import HttpAnswer
from bot.upstream import from_status, wait_asked_for

NOT_FOUND = "E0000007"
LONGEST_WAIT = 300.0
"""The most seconds that a limit is believed to last. Okta's windows last a minute."""
MOST_WORDS = 300

Id = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,100}$")]
T = TypeVar("T")


class Said(BaseModel):
    """A part of an answer. Other keys are ignored, so that Okta may be newer than this."""

    model_config = ConfigDict(strict=True, frozen=True)


class OrgSaid(Said):
    id: Id


class User(Said):
    id: Id
    status: str
    login: str = Field(validation_alias=AliasPath("profile", "login"))


class Group(Said):
    id: Id
    type: str
    name: str = Field(validation_alias=AliasPath("profile", "name"))


class Rule(Said):
    name: str
    status: str
    groups: list[str] = Field(validation_alias=AliasPath("actions", "assignUserToGroups", "groupIds"))
    excluded: list[str] | None = Field(
        default=None, validation_alias=AliasPath("conditions", "people", "users", "exclude")
    )


class AccessTokenSaid(Said):
    access_token: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$")]
    token_type: str
    expires_in: Annotated[int, Field(gt=0)]


@dataclass(frozen=True, kw_only=True)
class Right:
    """A thing that our credential has to be allowed to do, and what to change if it is not."""

    do: str
    remedy: str


def read(kind: TypeAdapter[T], answer: HttpAnswer, what: str) -> T:
    """Return what the answer contains. Raise TemporaryFailure if it is not such an answer, as that of a proxy
    or of a page to sign in: then nobody knows what is there."""
    try:
        return kind.validate_json(answer.body)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(each) for each in wrong["loc"]) or "its answer"
        raise TemporaryFailure(f"{what} did not answer as Okta does: {where}: {wrong['msg']}") from None


def code_of(answer: HttpAnswer) -> str:
    """Return Okta's code of an error, such as E0000007, or that of OAuth; empty if Okta says none."""
    said = _error_in(answer)
    return _text(said.get("errorCode")) or _text(said.get("error"))


def failure_from(
    answer: HttpAnswer, what: str, hide: Callable[[str], str], now: Callable[[], datetime]
) -> TemporaryFailure | PermanentFailure:
    """Return the failure that an answer is, in Okta's words, on one line. ``hide`` takes secrets out."""
    failure = from_status(answer.status, what, retry_after=wait_of(answer, now))
    said = _error_in(answer)
    causes = said.get("errorCauses")
    every = (
        [said, *(each for each in causes if isinstance(each, Mapping))]
        if isinstance(causes, list)
        else [said]
    )
    words = [_text(each.get("errorSummary")) or _text(each.get("error_description")) for each in every]
    text = "; ".join(" ".join(each.split()) for each in words if each)
    if isinstance(failure, TemporaryFailure) or not text:
        return failure
    return PermanentFailure(f"{failure}: {hide(text)[:MOST_WORDS]}")


def wait_of(answer: HttpAnswer, now: Callable[[], datetime]) -> float | None:
    """Return the seconds after which it may be tried again. A limit names the second of its reset, by Okta's
    clock, which the answer's Date shows."""
    reset = wait_asked_for(answer.headers, "x-rate-limit-reset")
    if answer.status != HTTPStatus.TOO_MANY_REQUESTS or reset is None:
        return wait_asked_for(answer.headers, "retry-after")
    at = now()
    with suppress(ValueError, TypeError):
        at = parsedate_to_datetime(answer.headers.get("date", ""))
    return min(max(reset - at.timestamp(), 0.0) + 1.0, LONGEST_WAIT)


def _error_in(answer: HttpAnswer) -> Mapping[str, object]:
    with suppress(ValueError):
        said = json.loads(answer.body)
        if isinstance(said, Mapping):
            return said
    return {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
