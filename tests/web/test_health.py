"""Readiness and metrics: whether a process can work, and the condition of the ledger."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping

import pytest

from bot.core.catalog import Catalog
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import OLDEST_FIRST, Change, Claims, Order, Snapshot
from bot.ports.documents import Key, PolicyInForce, PolicyText
from bot.ports.ledger import Condition, Ledger
from bot.testing.cast import ADA, DAN, EMAILS, HOUR, NINE, PROD_DB, catalog
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.polling import until
from bot.testing.slack import FakeDirectory
from bot.testing.story import Story
from bot.testing.valkey import valkey
from bot.usecases.context import Context
from bot.usecases.enact import enact
from bot.usecases.notifications.posting import count_given_up
from bot.usecases.schedules.groups import record_loss
from bot.web import health
from bot.web.health import Gauges, WatchedLedger, stuck, trouble
from bot.worker import loop
from bot.worker.loop import Worker
from tests.worker.test_loop import LONG_ENOUGH, Bell, running

DOWN = TemporaryFailure("orders-db does not answer")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SLEEP_AT_MOST", 0.01)
    monkeypatch.setattr(loop, "REDIS_AWAY_PAUSE", 0.01)


class Hanging(Bell):
    """A ledger that, when told to, never answers a request for work."""

    def __init__(self) -> None:
        super().__init__()
        self.hang = threading.Event()
        self.hanging = threading.Event()
        self.let_go = threading.Event()

    def claim(
        self,
        limit: int,
        share: int,
        busy: Mapping[str, int],
        kinds: Collection[str] = (),
        besides: Collection[str] = (),
        order: Order = OLDEST_FIRST,
    ) -> Claims:
        if self.hang.is_set():
            self.hanging.set()
            self.let_go.wait(LONG_ENOUGH)
        return super().claim(limit, share, busy, kinds, besides, order)


# ------------------------------------------------------------------------------------- /readyz


def test_a_loop_that_hangs_is_noticed_and_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Hanging()
    it = Worker(ledger, ledger, {})
    began = it.last_round
    with running(it):
        until(lambda: it.last_round > began)
        ledger.hang.set()
        assert ledger.hanging.wait(LONG_ENOUGH)
        last = it.last_round
        assert stuck(last) is None
        monkeypatch.setattr(health, "STUCK_AFTER", 0.0)
        until(lambda: stuck(it.last_round))
        assert it.last_round == last
        ledger.let_go.set()
        until(lambda: it.last_round > last)


def test_what_is_said_of_a_loop_that_hangs() -> None:
    said = "the worker's loop has not run for 11 s: restart this process"
    assert stuck(time.monotonic() - 11) == said


def test_redis_being_away_is_not_the_loops_fault() -> None:
    ledger = Bell()
    ledger.away = True
    it = Worker(ledger, ledger, {})
    began = it.last_round
    with running(it):
        until(lambda: it.last_round > began)


def test_a_loop_that_nobody_keeps_claims_for_counts_as_stuck() -> None:
    class Forgetful(Worker):
        def _renew(self) -> None:
            """Renew nothing: the thread is dead."""

    ledger = Bell()
    it = Forgetful(ledger, ledger, {})
    began = it.last_round
    with running(it):
        ledger.away = True
        until(lambda: ledger.refused > 5)
        assert it.last_round == began


Load = Callable[[PolicyInForce, PolicyText | None], Catalog]


def context(ledger: Ledger, load: Load = lambda *_: catalog()) -> Context:
    return Context(ledger, FakeDirectory(lambda: NINE), load, lambda: "G1")


def test_a_process_that_cannot_work_says_why() -> None:
    ledger = Bell()
    assert trouble(context(ledger)) == "no policy is in force: run rotakey policy apply FILE"
    enact(ledger, catalog(), "its text")
    assert trouble(context(ledger)) is None
    assert trouble(context(ledger, cannot_be_followed)) == "this process cannot read the policy in force"
    with connect("unix:///nowhere/socket") as client:
        assert str(trouble(context(RedisLedger(client)))).startswith("the call to Redis failed: ")


def cannot_be_followed(_force: PolicyInForce, _text: PolicyText | None) -> Catalog:
    raise TemporaryFailure("this process cannot read the policy in force")


# ------------------------------------------------------------------------------------ /metrics


def told(ledger: WatchedLedger) -> dict[str, float]:
    samples = [sample for metric in Gauges(ledger).collect() for sample in metric.samples]
    return {sample.name.removeprefix("rotakey_"): sample.value for sample in samples}


def test_all_is_well() -> None:
    story = Story()
    story.ledger.claim(1, 1, {})
    found = told(story.memory)
    owed = found.pop("owed")
    assert owed > 0
    assert found == {
        "ledger_up": 1,
        "overdue": 0,
        "worker_heartbeat_age_seconds": 0,
        "oldest_due_seconds": 0,
        "failing": 0,
        "set_aside": 0,
        "audit_unwritten": 0,
        "open_grants": 0,
        "audit_unsealed_seconds": 0,
        "slack_lost": 0,
        "messages_given_up": 0,
        "strays": 0,
        "policy_doubted": 0,
    }


def test_a_policy_that_is_not_followed_is_counted_and_the_process_stays_ready() -> None:
    story = Story()
    story.memory.commit(Change(put={Key.of(PolicyInForce): PolicyInForce(version="lost")}))
    assert trouble(story.context) is None
    assert told(story.memory)["policy_doubted"] == 1
    enact(story.ledger, story.policy, story.policy.version)
    assert told(story.memory)["policy_doubted"] == 0


def test_what_fails_and_who_has_died_is_seen() -> None:
    story = Story()
    story.ask(ADA, length="1h")
    story.run_due()
    story.target.failing["revoke"] = DOWN
    story.pass_time(HOUR + 60)
    story.memory.advance(3600)
    found = told(story.memory)
    assert found["overdue"] == found["failing"] == found["open_grants"] == 1
    assert found["worker_heartbeat_age_seconds"] == 3600
    assert 3500 < found["oldest_due_seconds"] <= 3600
    assert found["audit_unsealed_seconds"] == 2 * 3600 + 60, "nobody sealed anything"


def test_strays_are_counted_for_each_target() -> None:
    story = Story()
    for who in (ADA, DAN):
        story.target.stray(EMAILS[who], PROD_DB.gives[0])
    assert strays(story) == {"orders-db": 0}
    story.pass_time(11 * 60)
    assert strays(story) == {"orders-db": 2}
    story.memory.read = away  # type: ignore[method-assign,assignment]
    assert strays(story) == {}


def test_that_slack_shut_the_bot_out_is_seen_until_it_answers_again() -> None:
    story = Story()
    assert told(story.memory)["slack_lost"] == 0
    record_loss(story.memory, "tokens_revoked")
    assert told(story.memory)["slack_lost"] == 1
    assert trouble(story.context) is None, "the worker goes on"
    story.directory.away = True
    story.pass_time(60)
    assert told(story.memory)["slack_lost"] == 1
    story.directory.away = False
    story.pass_time(60)
    assert told(story.memory)["slack_lost"] == 0


def test_messages_that_were_given_up_are_counted() -> None:
    story = Story()
    assert told(story.memory)["messages_given_up"] == 0
    for _ in range(2):
        count_given_up(story.memory, "C1", PermanentFailure("is_archived"))
    assert told(story.memory)["messages_given_up"] == 2


def away(*_: object) -> Snapshot:
    raise TemporaryFailure("Redis does not answer")


def strays(story: Story) -> dict[str, float]:
    samples = [sample for metric in Gauges(story.memory).collect() for sample in metric.samples]
    return {each.labels["target"]: each.value for each in samples if each.name == "rotakey_strays"}


def test_where_no_worker_ever_ran_its_sign_of_life_is_endlessly_old() -> None:
    assert told(MemoryLedger(NINE))["worker_heartbeat_age_seconds"] == math.inf


def test_a_redis_that_is_away_hides_numbers_and_raises_nothing() -> None:
    with valkey() as server, connect(server.url) as client:
        ledger = RedisLedger(client)
        assert told(ledger)["owed"] == 0
        server.kill()
        found = told(ledger)
    assert found.pop("ledger_up") == 0
    assert all(math.isnan(value) for value in found.values())


def test_a_redis_that_is_away_is_waited_for_once_a_scrape() -> None:
    asked: list[str] = []

    class Away(MemoryLedger):
        def condition(self) -> Condition:
            asked.append("condition")
            raise TemporaryFailure("Redis does not answer")

        def read(self, keys: Iterable[Key] = (), follow: Iterable[str] = ()) -> Snapshot:
            asked.append("read")
            raise TemporaryFailure("Redis does not answer")

    told(Away(NINE))
    assert asked == ["condition"]
