"""Valkey or PostgreSQL fails in the middle of work: no promise is broken, and nothing is forgotten."""

import re
from urllib.request import urlopen

from bot.doubles.slack.model import Message
from bot.testing.localhost import answers, free_port
from bot.testing.polling import until
from tests.e2e.rig import ADA, DAN, SECURITY, Rig

NOT_RECORDED = (
    "I can't record anything right now, so please treat this as not done and try again in a moment."
)
BY_HAND = " I keep trying; please remove it by hand if you can."
OVERDUE = (
    "🚨 *Overdue since TIME:* your *prod-db* is over, but I couldn't revoke it. I keep trying; please don't"
    " use it."
)
RECOVERED = re.compile(r"(✅ )?@Ada's \*prod-db\* ended TIME, \d+ (second|minute)s? late\.")
ALARM = "🚨 @Ada's *prod-db* has been overdue since TIME. I couldn't revoke it: orders-db: "


def test_valkey_crashes_and_comes_back_and_owes_what_it_owed(rig: Rig) -> None:
    valkey = rig.sandbox.valkey
    rig.types(ADA, "request prod-db 3s because of a power cut")
    rig.types(ADA, "request workbench 1h because of a power cut, longer")
    for resource, reason in (("prod-db", "of a power cut"), ("workbench", "of a power cut, longer")):
        rig.sees(ADA, reason, f"You have *{resource}* until TIME.")
    until(rig.quiet)
    port = valkey.port
    with rig.crashed(valkey):
        assert rig.types(ADA, "request workbench 1h because nobody can write") == NOT_RECORDED
        assert not answers(f"{rig.sandbox.bot_url}/readyz", 10)
        assert rig.members("orders_rw") == {"ada"}
    assert valkey.port == port
    until(lambda: answers(f"{rig.sandbox.bot_url}/readyz", 10))
    assert [each.reason for each in rig.open_grants()].count("nobody can write") == 0
    rig.has("orders_rw", within=6)
    assert rig.live(rig.grant("of a power cut, longer").id)
    assert rig.members("scratch") == {"ada"}
    rig.sees(ADA, "of a power cut", "Your *prod-db* ended TIME: time is up.")


def test_a_worker_tells_whether_it_can_work(rig: Rig) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}"
    with rig.also("worker", WORKER_PORT=str(port)):
        until(lambda: answers(f"{url}/readyz", 10), 10)
        assert {"rotakey_ledger_up 1.0", "rotakey_overdue 0.0"} <= metrics(url)
        with rig.crashed(rig.sandbox.valkey):
            assert not answers(f"{url}/readyz", 10)
            assert {"rotakey_ledger_up 0.0", "rotakey_overdue NaN"} <= metrics(url)
        until(lambda: answers(f"{url}/readyz", 10))


def metrics(url: str) -> set[str]:
    with urlopen(f"{url}/metrics", timeout=10) as answer:
        return set(answer.read().decode().splitlines())


def test_a_new_web_process_is_ready_though_slack_and_pagerduty_are_down(rig: Rig) -> None:
    port = free_port()
    with rig.slack_is(down=True), rig.pager_is(down=True), rig.also("web", PORT=str(port)):
        until(lambda: answers(f"http://127.0.0.1:{port}/readyz", 10), 10)


def test_what_ended_while_valkey_was_away_is_taken_as_soon_as_it_is_back(rig: Rig) -> None:
    rig.types(ADA, "request prod-db 1s because of another power cut")
    end = rig.sandbox.observer.clock() + 1
    rig.sees(ADA, "of another power cut", "You have *prod-db* until TIME.")
    until(rig.quiet)
    with rig.crashed(rig.sandbox.valkey):
        until(lambda: rig.sandbox.observer.clock() > end)
        assert rig.members("orders_rw") == {"ada"}
    rig.has("orders_rw", within=5)


def test_what_postgresql_will_not_take_back_is_overdue_and_loud_until_it_is_gone(rig: Rig) -> None:
    rig.types(ADA, "request prod-db 1s because the database goes down")
    rig.has("orders_rw", "ada")
    rig.sees(ADA, "the database goes down", "You have *prod-db* until TIME.")
    grant = rig.grant("the database goes down").id
    with rig.crashed(rig.orders.server):
        rig.sees(ADA, "the database goes down", OVERDUE)
        until(lambda: len(alarms(rig)), expected=1)
        [alarm] = alarms(rig)
        assert rig.clicks(DAN, alarm, "try_now").ok
        until(lambda: said_below(rig, alarm).startswith("I retried, as @Dan asked, but it is not gone: "))
        assert rig.orders.state()["error"]
        assert any(each.startswith("*prod-db*, 🚨 overdue since TIME") for each in rig.listed(ADA, "mine"))
    rig.has("orders_rw")
    rig.sees(ADA, "the database goes down", "Your *prod-db* ended TIME: time is up.")
    assert rig.audit(grant)[-2:] == ["taken", "ended"]
    until(lambda: [RECOVERED.fullmatch(each) is not None for each in heard(rig)[-2:]], expected=[True] * 2)
    assert alarms(rig) == []


def alarms(rig: Rig) -> list[Message]:
    every = rig.slack.messages(SECURITY)
    return [each for each in every if rig.read(each.text).startswith(ALARM) and each.text.endswith(BY_HAND)]


def said_below(rig: Rig, alarm: Message) -> str:
    """Return what is below the headline of the alert, as it is now."""
    now = rig.slack.memory.message(alarm.channel, alarm.ts)
    assert now
    return rig.lines(now.blocks)[1]


def heard(rig: Rig) -> list[str]:
    return [rig.read(each.text) for each in rig.slack.messages(SECURITY)]
