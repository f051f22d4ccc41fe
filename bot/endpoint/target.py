"""A target whose verbs are done by somebody else's endpoint or program."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, Unsupported
from bot.core.holds import Hold, Presence, Receipt, Seen, System
from bot.endpoint.wire import PRESENCES, Answer, Question, Verb, read_answer
from bot.ports.deadline import Deadline
from bot.ports.target import Abilities, Holder, Holders
from bot.upstream import host_now, short_retries, time_left

KEY, ID = "key", "id"
"""The facts of a receipt: the first part of the idempotency keys, and the endpoint's own receipt."""


class Transport(Protocol):
    def ask(self, question: Question, deadline: Deadline) -> bytes | None:
        """Ask once, and return the body of an answer that is certainly the other side's, or None if it does
        not support the verb. Raise TemporaryFailure or PermanentFailure by the deadline."""
        ...


class Endpoint:
    """A target behind a transport. Implements Target.

    An endpoint cannot mark what it made: only what a receipt names is ours. A receipt is first the beginning
    of the idempotency keys, and then what the endpoint itself returns. ``system`` identifies where the
    transport leads to.
    """

    abilities = Abilities(marks=False, keeps_end=False, hears_end=True, ends_sessions=False)

    def __init__(
        self, name: str, transport: Transport, system: str, now: Callable[[], datetime] = host_now
    ) -> None:
        self._name = name
        self._transport = transport
        self._system = System(id=system)
        self._now = now

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        key = _digest(hold.key, secrets.token_hex(16))
        receipt = Receipt(system=self._system.id, facts={KEY: key})
        answer = self._ask(Verb.PREPARE, hold, (receipt,), not_after)
        return _with_id(receipt, answer)

    def grant(
        self, hold: Hold, receipts: Sequence[Receipt], until: datetime | None, not_after: Deadline
    ) -> Receipt:
        if receipts[-1].system != self._system.id:
            raise PermanentFailure(self._another_system())
        answer = self._must(Verb.GRANT, hold, receipts, not_after, until)
        return _with_id(receipts[-1], answer)

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        ours = self._ours(receipts)
        if ours:
            self._must(Verb.REVOKE, hold, ours, deadline)
        else:  # without a receipt of this endpoint, nothing here is certainly ours
            time_left(deadline, self._name)

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        answer = self._must(Verb.HAS, hold, self._ours(receipts), deadline)
        presence, kept = PRESENCES[answer.presence], tuple(receipts)
        if any(each.system != self._system.id for each in receipts):
            why = self._another_system()
            return Seen(presence=Presence.ELSEWHERE, system=self._system, receipts=kept, why=why)
        if presence is Presence.OURS and not receipts:
            presence = Presence.THEIRS
        if presence is Presence.UNKNOWN:
            why = f"{self._name} says that it does not know whether the access is there"
            return Seen(presence=presence, system=self._system, receipts=kept, why=why)
        named = [replace(each, moved_from=None) for each in receipts if presence is Presence.OURS]
        kept_open = presence is not Presence.OURS and answer.sessions == "kept"
        return Seen(presence=presence, system=self._system, receipts=tuple(named), sessions_kept=kept_open)

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        """See Target. Raise Unsupported if the endpoint cannot list who has something."""
        nobodys = Hold(target=self._name, account="", entitlement=entitlement)
        answer = self._ask(Verb.HOLDERS, nobodys, (), deadline)
        if answer is None:
            raise Unsupported(f"{self._name} does not support {Verb.HOLDERS}")
        found = tuple(
            Holder(
                account=each.account,
                presence=Presence.THEIRS if each.presence == "theirs" else Presence.UNKNOWN,
            )
            for each in answer.holders or ()
            if each.presence != "none"
        )
        return Holders(holders=found, system=self._system)

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        """See Target. If the endpoint has no dry run, only whether it answers is known afterwards."""
        if self._ask(Verb.READY, hold, (), deadline) is None:
            self._must(Verb.HAS, hold, (), deadline)

    def _must(
        self,
        verb: Verb,
        hold: Hold,
        receipts: Sequence[Receipt],
        deadline: Deadline,
        until: datetime | None = None,
    ) -> Answer:
        answer = self._ask(verb, hold, receipts, deadline, until)
        if answer is None:
            raise PermanentFailure(f"{self._name} does not support {verb}: it must; see docs/webhook.md")
        return answer

    def _ask(
        self,
        verb: Verb,
        hold: Hold,
        receipts: Sequence[Receipt],
        deadline: Deadline,
        until: datetime | None = None,
    ) -> Answer | None:
        """Ask, with short retries; None if the verb is not supported. The idempotency key of all tries is the
        same; a grant whose end moved is another call."""
        generation = receipts[-1].facts.get(KEY, "") if receipts else ""
        key = hold.key if hold.account else hold.entitlement.key

        def once() -> Answer | None:
            now = self._now()
            question = Question(
                id=uuid4().hex,
                verb=verb,
                key=key,
                account=hold.account or None,
                entitlement=hold.entitlement,
                sent_at=now,
                not_after=now + timedelta(seconds=deadline.seconds_left()),
                idempotency_key=_digest(key, generation, verb.value, str(until)),
                until=until,
                receipts=tuple(each.facts.get(ID) or each.facts.get(KEY, "") for each in receipts),
            )
            body = self._transport.ask(question, deadline)
            what = f"{self._name} ({verb})"
            return None if body is None else read_answer(question, body, self._now(), what)

        return short_retries(once, deadline)

    def _ours(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        return [each for each in receipts if each.system == self._system.id]

    def _another_system(self) -> str:
        return (
            f"{self._name} has another address now: if the same system answers there, run rotakey target"
            f" accept {self._name}"
        )


def _with_id(receipt: Receipt, answer: Answer | None) -> Receipt:
    if answer is None or answer.receipt is None:
        return receipt
    return replace(receipt, facts={**receipt.facts, ID: answer.receipt})


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
