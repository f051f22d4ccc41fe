"""The wire: what an endpoint or a program is asked, and what it may answer. Version 1; docs/webhook.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from bot.core.catalog import Entitlement
from bot.core.errors import TemporaryFailure
from bot.core.holds import Presence
from bot.signatures import TOLERANCE

VERSION = 1


class Verb(StrEnum):
    PREPARE = "prepare"
    GRANT = "grant"
    REVOKE = "revoke"
    HAS = "has"
    HOLDERS = "holders"
    READY = "ready"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One request. ``id`` is new for each try; ``idempotency_key`` is the same for all tries of one call."""

    id: str
    verb: Verb
    key: str
    account: str | None
    entitlement: Entitlement
    sent_at: datetime
    not_after: datetime
    idempotency_key: str
    until: datetime | None = None
    receipts: tuple[str, ...] = ()

    def body(self) -> bytes:
        gives = {"target": self.entitlement.target, **dict(self.entitlement.what)}
        message = {
            "version": VERSION,
            "id": self.id,
            "verb": self.verb.value,
            "hold": {"key": self.key, "account": self.account, "gives": gives},
            "until": stamp(self.until) if self.until else None,
            "receipts": list(self.receipts),
            "sent_at": stamp(self.sent_at),
            "not_after": stamp(self.not_after),
            "idempotency_key": self.idempotency_key,
        }
        return json.dumps(message, ensure_ascii=False).encode()


class HolderAnswer(BaseModel):
    model_config = ConfigDict(strict=True)
    account: Annotated[str, StringConstraints(min_length=1, max_length=250)]
    presence: Literal["none", "ours", "theirs", "unknown"]


class Answer(BaseModel):
    """An answer. Other keys are ignored, so that an endpoint may be newer than this."""

    model_config = ConfigDict(strict=True)
    version: Literal[1]
    id: str
    verb: str
    hold: str
    answered_at: AwareDatetime
    presence: Literal["none", "ours", "theirs", "unknown"] = "unknown"
    receipt: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    sessions: Literal["ended", "kept", "unknown"] = "unknown"
    holders: tuple[HolderAnswer, ...] | None = None


PRESENCES: Mapping[str, Presence] = {
    "none": Presence.NONE,
    "ours": Presence.OURS,
    "theirs": Presence.THEIRS,
    "unknown": Presence.UNKNOWN,
}


def read_answer(question: Question, body: bytes, now: datetime, what: str) -> Answer:
    """Return the answer to this very question. Raise TemporaryFailure, in which ``what`` names the call, if
    it is not one: then nobody knows what was done."""
    try:
        answer = Answer.model_validate_json(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(each) for each in wrong["loc"]) or "its answer"
        raise TemporaryFailure(f"{what}: {where}: {wrong['msg']}") from None
    expected = {"id": question.id, "verb": question.verb.value, "hold": question.key}
    for name, value in expected.items():
        if getattr(answer, name) != value:
            raise TemporaryFailure(f"{what}: the answer has another {name} than the request")
    if abs(answer.answered_at - now) > TOLERANCE:
        raise TemporaryFailure(f"{what}: answered_at is more than 5 minutes off: check both clocks")
    if question.verb is Verb.HOLDERS and answer.holders is None:
        raise TemporaryFailure(f"{what}: holders: Field required")
    if question.verb in (Verb.GRANT, Verb.REVOKE, Verb.HAS) and "presence" not in answer.model_fields_set:
        raise TemporaryFailure(f"{what}: presence: Field required")
    return answer


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
