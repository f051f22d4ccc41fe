"""An endpoint that misbehaves in every way is never believed, and never hears anything twice for once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.core.errors import PermanentFailure, TemporaryFailure, Unsupported
from bot.core.holds import Hold, Presence, Receipt
from bot.doubles.webhook import Members, Served
from bot.ports.deadline import Deadline
from bot.targets.webhook.target import Webhook
from tests.targets.webhook.stage import ANOTHER, SECRET, WebhookStage, peopled

Json = dict[str, Any]
SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)


@pytest.fixture
def members() -> Members:
    return peopled()


@pytest.fixture
def url(members: Members) -> Iterator[str]:
    with Served(members) as served:
        yield served.url


@pytest.fixture
def stage(members: Members, url: str) -> WebhookStage:
    return WebhookStage(members, url)


@pytest.fixture
def hold(stage: WebhookStage) -> Hold:
    return Hold(target="orders-db", account="ada", entitlement=stage.entitlement())


def soon(seconds: float = 5) -> Deadline:
    return Deadline.after(seconds)


def granted(stage: WebhookStage, hold: Hold, until: datetime | None = SOON) -> Receipt:
    prepared = stage.target.prepare(hold, soon())
    return stage.target.grant(hold, [prepared], until, soon())


# ------------------------------------------------------------------------------------------ the request


def test_a_request_says_what_is_wanted_of_whom_and_until_when(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    receipt = granted(stage, hold)

    message = members.calls[-1]
    sent, late = (datetime.fromisoformat(message.pop(name)) for name in ("sent_at", "not_after"))
    assert abs(sent - datetime.now(UTC)) < timedelta(seconds=60)
    assert timedelta(0) < late - sent <= timedelta(seconds=5)
    assert len(message.pop("id")) == len(message.pop("idempotency_key")) == 32
    assert message == {
        "version": 1,
        "verb": "grant",
        "hold": {
            "key": hold.key,
            "account": "ada",
            "gives": {"target": "orders-db", "role": "orders_rw"},
        },
        "until": SOON.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "receipts": [receipt.facts["id"]],
    }


def test_ids_are_new_and_idempotency_keys_stay_the_same_over_tries(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    receipt = granted(stage, hold)
    for until in (SOON, SOON, SOON + timedelta(hours=1), None):
        stage.target.grant(hold, [receipt], until, soon())
    stage.target.revoke(hold, [receipt], soon())
    again = granted(stage, hold)

    grants = [call for call in members.calls if call["verb"] == "grant"]
    keys = [call["idempotency_key"] for call in grants]
    assert len({call["id"] for call in members.calls}) == len(members.calls)
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 4, "another end, and another grant, are other calls"
    assert members.calls[-3]["verb"] == "revoke"
    assert members.calls[-3]["idempotency_key"] not in keys
    assert again.facts["key"] != receipt.facts["key"]


def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    prepared = stage.target.prepare(hold, soon())
    members.faults = replace(members.faults, loses=frozenset(["grant"]))
    with pytest.raises(TemporaryFailure):
        stage.target.grant(hold, [prepared], SOON, soon(2))

    tries = [call for call in members.calls if call["verb"] == "grant"]
    assert len(tries) > 1
    assert len({call["idempotency_key"] for call in tries}) == 1
    assert len({call["id"] for call in tries}) == len(tries)


def test_a_receipt_is_the_idempotency_key_until_the_endpoint_returns_one(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    members.faults = replace(members.faults, unsupported=frozenset(["prepare"]))
    prepared = stage.target.prepare(hold, soon())
    assert "id" not in prepared.facts

    completed = stage.target.grant(hold, [prepared], SOON, soon())

    assert members.calls[-1]["receipts"] == [prepared.facts["key"]]
    assert completed.facts["id"]
    members.faults = replace(members.faults, answer=lambda answer: {**answer, "receipt": None})
    assert stage.target.grant(hold, [completed], SOON, soon()) == completed


# ------------------------------------------------------------------------------------------- the answer


def old_answer(stage: WebhookStage, members: Members, hold: Hold) -> Callable[..., Any]:
    """Record an honest answer to `has`, and return what sends it again."""
    kept: list[tuple[bytes, Mapping[str, str]]] = []

    def record(body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, Mapping[str, str]]:
        kept.append((body, headers))
        return 200, body, headers

    members.faults = replace(members.faults, raw=record)
    assert stage.target.has(hold, [], soon()).presence is Presence.NONE
    return lambda *_: (200, *kept[0])


def test_an_old_answer_that_is_replayed_does_not_count(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    replay = old_answer(stage, members, hold)
    receipt = granted(stage, hold)
    members.faults = replace(members.faults, raw=replay)

    with pytest.raises(PermanentFailure, match="its webhook-id is not the request's"):
        stage.target.has(hold, [receipt], soon())


def test_an_old_body_that_is_signed_anew_does_not_count(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    """An endpoint that caches answers and signs what it sends."""
    receipt = granted(stage, hold)
    kept: list[Json] = []
    members.faults = replace(members.faults, answer=lambda answer: kept.append(answer) or answer)  # type: ignore[func-returns-value]
    stage.target.has(hold, [receipt], soon())
    members.faults = replace(
        members.faults,
        answer=lambda answer: {**kept[0], "id": answer["id"], "answered_at": "2026-01-01T00:00:00Z"},
    )

    with pytest.raises(TemporaryFailure, match="answered_at is more than 5 minutes off"):
        stage.target.has(hold, [receipt], soon(3))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"id": "another"}, "another id than the request"),
        ({"verb": "revoke"}, "another verb than the request"),
        ({"hold": "orders-db/another"}, "another hold than the request"),
        ({"version": 2}, "version: "),
        ({"presence": "gone"}, "presence: "),
        ({"presence": None}, "presence: "),
        ({"receipt": 7}, "receipt: "),
        ({"receipt": ""}, "receipt: "),
        ({"sessions": "open"}, "sessions: "),
        ({"answered_at": "2026-11-28T18:00:00"}, "answered_at: "),
        ({"answered_at": "yesterday"}, "answered_at: "),
    ],
)
def test_an_answer_to_something_else_does_not_count(
    stage: WebhookStage, members: Members, hold: Hold, changed: Json, says: str
) -> None:
    def signed_as_asked(body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, Mapping[str, str]]:
        answer = json.loads(body) | changed
        message_id = headers["webhook-id"]
        from bot.signatures import SigningKey  # noqa: PLC0415

        sent = json.dumps(answer).encode()
        return 200, sent, SigningKey(SECRET).headers(message_id, datetime.now(UTC), sent)

    members.faults = replace(members.faults, raw=signed_as_asked)
    with pytest.raises(TemporaryFailure, match=rf"orders-db \(has\): .*{says}"):
        stage.target.has(hold, [], soon(3))


@pytest.mark.parametrize("left_out", ["presence", "answered_at", "id", "verb", "hold", "version"])
def test_an_answer_that_leaves_something_out_does_not_count(
    stage: WebhookStage, members: Members, hold: Hold, left_out: str
) -> None:
    def without(body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, Mapping[str, str]]:
        from bot.signatures import SigningKey  # noqa: PLC0415

        answer = {name: value for name, value in json.loads(body).items() if name != left_out}
        sent = json.dumps(answer).encode()
        return 200, sent, SigningKey(SECRET).headers(headers["webhook-id"], datetime.now(UTC), sent)

    members.faults = replace(members.faults, raw=without)
    with pytest.raises(TemporaryFailure, match=rf"orders-db \(has\): {left_out}: "):
        stage.target.has(hold, [], soon(3))


@pytest.mark.parametrize(
    ("raw", "failure", "says"),
    [
        (lambda body, _: (200, body, {}), PermanentFailure, "it has no webhook-signature"),
        (lambda body, headers: (200, body + b" ", headers), PermanentFailure, "signed with another secret"),
        (lambda *_: (200, b"<!doctype html>Please sign in", {}), PermanentFailure, "no webhook-signature"),
        (lambda *_: (302, b"", {"Location": "http://example.com/"}), PermanentFailure, "redirects are not"),
        (
            lambda *_: (422, b'{"error": "no such team:\\n core"}', {}),
            PermanentFailure,
            "422: no such team: core$",
        ),
        (lambda *_: (404, b"[]", {}), PermanentFailure, "answered 404$"),
        (lambda *_: (400, b'{"error": 7}', {}), PermanentFailure, "answered 400$"),
        (lambda *_: (500, b"", {}), TemporaryFailure, "answered 500"),
        (lambda *_: (204, b"", {}), PermanentFailure, "answered 204"),
        (lambda *_: (202, b"", {}), PermanentFailure, "202 without a status_url"),
        (lambda *_: (202, b'{"status_url": 1}', {}), PermanentFailure, "202 without a status_url"),
        (lambda *_: (501, b"", {}), PermanentFailure, "does not support has: it must; see docs/webhook.md"),
    ],
)
def test_any_other_answer_is_a_failure(
    stage: WebhookStage,
    members: Members,
    hold: Hold,
    raw: Callable[..., Any],
    failure: type[Exception],
    says: str,
) -> None:
    members.faults = replace(members.faults, raw=raw)
    with pytest.raises(failure, match=says):
        stage.target.has(hold, [], soon(3))


def test_what_the_endpoint_says_never_shows_the_secret(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    said = json.dumps({"error": f"I was told {SECRET}, " + "x" * 10_000}).encode()
    members.faults = replace(members.faults, raw=lambda *_: (422, said, {}))

    with pytest.raises(PermanentFailure) as raised:
        stage.target.has(hold, [], soon())

    assert SECRET not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_a_retry_waits_as_long_as_the_endpoint_asks(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    members.faults = replace(members.faults, limited=1, limit_seconds=30)
    with pytest.raises(TemporaryFailure) as raised:
        stage.target.has(hold, [], soon())
    assert raised.value.retry_after == 30

    members.faults = replace(members.faults, limited=1, limit_seconds=0.1)
    assert stage.target.has(hold, [], soon()).presence is Presence.NONE


def test_an_answer_that_drips_holds_nobody_up(stage: WebhookStage, members: Members, hold: Hold) -> None:
    members.faults = replace(members.faults, drip=0.05)
    with pytest.raises(TemporaryFailure, match="in time"):
        stage.target.has(hold, [], soon(0.4))


# ------------------------------------------------------------------------------------------- slow work


def test_slow_work_is_followed_to_its_end(stage: WebhookStage, members: Members, hold: Hold) -> None:
    members.faults = replace(members.faults, later=2)
    receipt = granted(stage, hold)

    assert members.holders("orders_rw") == {"ada"}
    assert stage.target.has(hold, [receipt], soon()).presence is Presence.OURS


def test_slow_work_that_is_not_done_in_time_is_asked_for_again(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    prepared = stage.target.prepare(hold, soon())
    members.faults = replace(members.faults, later=10_000)
    with pytest.raises(TemporaryFailure, match="still working on it"):
        stage.target.grant(hold, [prepared], SOON, soon(3))

    members.faults = replace(members.faults, later=0)
    stage.target.grant(hold, [prepared], SOON, soon())
    keys = {call["idempotency_key"] for call in members.calls if call["verb"] == "grant"}
    assert len(keys) == 1


@pytest.mark.parametrize(
    "elsewhere", ["http://example.com/status", "//example.com/x", "https://127.0.0.1/x", "file:///etc/passwd"]
)
def test_only_the_endpoints_own_host_is_asked_for_the_status(
    stage: WebhookStage, members: Members, hold: Hold, elsewhere: str
) -> None:
    members.faults = replace(members.faults, later=1, status_url=elsewhere)
    with pytest.raises(PermanentFailure, match="its status_url is on another host"):
        stage.target.has(hold, [], soon())


def test_an_unsigned_status_does_not_count(stage: WebhookStage, members: Members, hold: Hold) -> None:
    members.faults = replace(members.faults, later=1, raw=lambda body, _: (200, body, {}))
    with pytest.raises(PermanentFailure, match="no webhook-signature"):
        stage.target.has(hold, [], soon())


# ------------------------------------------------------------------------------------- what it supports


def test_what_is_not_supported_is_done_without(stage: WebhookStage, members: Members, hold: Hold) -> None:
    members.faults = replace(members.faults, unsupported=frozenset(["prepare", "holders", "ready"]))

    receipt = granted(stage, hold)
    stage.target.ready(hold, soon())
    with pytest.raises(Unsupported, match="orders-db does not support holders"):
        stage.target.holders(hold.entitlement, soon())
    stage.target.revoke(hold, [receipt], soon())

    assert stage.target.has(hold, [receipt], soon()).gone
    assert "has" in [call["verb"] for call in members.calls]


@pytest.mark.parametrize("verb", ["grant", "revoke", "has"])
def test_three_verbs_are_mandatory(stage: WebhookStage, members: Members, hold: Hold, verb: str) -> None:
    receipt = granted(stage, hold)
    members.faults = replace(members.faults, unsupported=frozenset([verb]))
    calls: dict[str, Callable[[], object]] = {
        "grant": lambda: stage.target.grant(hold, [receipt], SOON, soon()),
        "revoke": lambda: stage.target.revoke(hold, [receipt], soon()),
        "has": lambda: stage.target.has(hold, [receipt], soon()),
    }
    with pytest.raises(PermanentFailure, match=f"does not support {verb}: it must"):
        calls[verb]()


def test_a_list_of_holders_that_is_left_out_is_not_an_empty_one(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    members.faults = replace(
        members.faults, answer=lambda answer: {k: v for k, v in answer.items() if k != "holders"}
    )
    with pytest.raises(TemporaryFailure, match=r"orders-db \(holders\): holders: Field required"):
        stage.target.holders(hold.entitlement, soon(3))


def test_a_presence_that_the_endpoint_does_not_know_proves_nothing(
    stage: WebhookStage, members: Members, hold: Hold
) -> None:
    receipt = granted(stage, hold)
    members.faults = replace(members.faults, answer=lambda answer: {**answer, "presence": "unknown"})

    seen = stage.target.has(hold, [receipt], soon())

    assert seen.presence is Presence.UNKNOWN
    assert seen.receipts == (receipt,)
    assert "does not know whether the access is there" in (seen.why or "")


def test_ours_without_a_receipt_is_somebody_elses(stage: WebhookStage, members: Members, hold: Hold) -> None:
    """Two bots may use one endpoint."""
    granted(stage, hold)
    assert stage.target.has(hold, [], soon()).presence is Presence.THEIRS


def test_without_a_receipt_nothing_is_revoked(stage: WebhookStage, members: Members, hold: Hold) -> None:
    granted(stage, hold)
    stage.target.revoke(hold, [], soon())
    assert members.holders("orders_rw") == {"ada"}


# --------------------------------------------------------------------------------------- another address


def test_another_address_is_another_system_until_a_person_accepts_it(members: Members, hold: Hold) -> None:
    with Served(members) as first, Served(members) as second:
        target, moved = (Webhook("orders-db", each.url, SECRET) for each in (first, second))
        receipt = target.grant(hold, [target.prepare(hold, soon())], SOON, soon())

        seen = moved.has(hold, [receipt], soon())
        moved.revoke(hold, [receipt], soon())
        assert members.holders("orders_rw") == {"ada"}
        assert seen.presence is Presence.ELSEWHERE
        assert seen.system
        assert seen.system.id != receipt.system
        assert "rotakey target accept orders-db" in (seen.why or "")

        accepted = replace(receipt, system=seen.system.id, moved_from=receipt.system)
        assert moved.has(hold, [accepted], soon()).presence is Presence.OURS
        moved.revoke(hold, [accepted], soon())
        assert moved.has(hold, [accepted], soon()).gone


def test_the_system_is_named_without_the_path_which_may_be_secret(url: str, hold: Hold) -> None:
    target = Webhook("orders-db", f"{url}?token=sesame", SECRET)
    system = target.prepare(hold, soon()).system
    assert "sesame" not in system
    assert system.startswith(url.removesuffix("/rotakey"))
    assert system != Webhook("orders-db", url, SECRET).prepare(hold, soon()).system


def test_another_secret_is_refused_in_both_directions(url: str, members: Members, hold: Hold) -> None:
    target = Webhook("orders-db", url, ANOTHER)
    with pytest.raises(PermanentFailure, match="answered 401: check that it has the same secret") as raised:
        target.has(hold, [], soon())
    assert ANOTHER not in f"{raised.value!r} {target!r}"
    assert members.calls == []
