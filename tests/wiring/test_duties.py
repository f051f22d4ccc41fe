"""A worker does all its work by the policy in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bot import config
from bot.core.catalog import Entitlement, version_of
from bot.core.errors import TemporaryFailure
from bot.core.holds import Hold
from bot.core.reasons import Why, because
from bot.ports.changes import Change, Claim, Done, Due, Entry
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, PolicyDoubt, PolicyInForce
from bot.targets.postgres.settings import PostgresSettings
from bot.testing.valkey import valkey_url
from bot.usecases.access import owing
from bot.usecases.duties import KINDS
from bot.usecases.enact import ALWAYS_OWED, enact
from bot.usecases.job import Job
from bot.wiring import adapters, components, duties, processes
from bot.worker.watchdog import Watchdog
from tests.bench.calls import CallLog
from tests.bench.load_worker import NoopTarget
from tests.bench.population import LiveGrant, account_of, write_grants

POLICY = """
people: {email_domains: [example.com]}
targets: {db: {kind: postgres, url: '${DB_URL}'}}
resources:
  prod-db: {title: Orders, gives: [{target: db, role: rw}], approvers: [U02BOB], duration: {max: 12h}}
"""
URLS = {"DB_URL": "postgresql://here", "MOVED_URL": "postgresql://elsewhere"}
HOUR = timedelta(hours=1)
ADAS = Hold(
    target="db", account="ada@example.com", entitlement=Entitlement(target="db", what=(("role", "rw"),))
)
DOUBTED = PolicyDoubt(
    reason=because(Why.POLICY_LOST, version="v1"), noticed_at=datetime(2026, 1, 1, tzinfo=UTC)
)
Work = Callable[[components.Components, Job], object]


@pytest.fixture
def made() -> Iterator[components.Components]:
    """Yield a worker that follows the policy it started with."""
    with valkey_url() as url:
        environ = {"SLACK_BOT_TOKEN": "xoxb-none", "REDIS_URL": url, **URLS}
        policy = config.load(POLICY, environ=environ)
        made = components.components(config.Environment.read(environ), policy, environ)
        made.adapters.enact(made.ledger)
        made.context.catalog()
        yield made
        for client in (made.redis, made.ledger._patient):
            client.connection_pool.disconnect()


@pytest.mark.parametrize(
    "work",
    [
        lambda made, job: duties.together(made)["hold"].do([job], hurry=False),
        lambda made, job: duties.together(made)["hold"].do([job], hurry=True),
        lambda made, job: duties.duties(made)["hold"](job),
    ],
    ids=["in one go", "in a hurry", "alone"],
)
def test_what_is_over_is_revoked_where_the_policy_in_force_says_that_the_target_is(
    made: components.Components, work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls, asked = CallLog(tmp_path / "calls"), list[str]()

    def found(name: str, settings: PostgresSettings) -> NoopTarget:
        asked.append(settings.url.get_secret_value())
        return NoopTarget(name, calls)

    monkeypatch.setattr(adapters, "build_target", found)
    moved = config.load(POLICY.replace("DB_URL", "MOVED_URL"), environ=URLS)
    enact(made.ledger, moved.catalog, moved.text)
    now = made.ledger.read(()).now
    adas = LiveGrant(name="ADA", given_at=now - HOUR, seen_at=now - HOUR / 2, until=now - HOUR / 3)
    write_grants(made.ledger, calls, moved.catalog, [adas])
    (claim,) = made.ledger.claim(1, 1, {}, ("hold",)).claims
    assert not work(made, Job(claim, Deadline.after(0)))
    assert asked == ["postgresql://elsewhere"]
    assert account_of("ADA") in calls.revocations()


KEEPS = "keep: 90d\naudit: {anchor: {file: /nowhere/anchor}}\n" + POLICY


class Keeper:
    """A stand-in for Retention that records how long it was told to keep what is over."""

    def __init__(self) -> None:
        self.asked: list[timedelta | None] = []

    def run(self, _: Claim, keep: timedelta | None, __: object) -> None:
        self.asked.append(keep)


def test_each_kind_of_due_thing_has_a_duty_and_a_row(made: components.Components) -> None:
    assert duties.duties(made).keys() == KINDS.keys()


def kept_for(made: components.Components) -> timedelta | None:
    """Return for how long one look at old entries keeps them. Raises what it raises."""
    keeper = Keeper()
    made.ledger.commit(Change(due=(Due(member="keep:audit", at=made.ledger.read(()).now),)))
    (claim,) = made.ledger.claim(1, 1, {}, ("keep",)).claims
    try:
        duties.duties(replace(made, retention=keeper))["keep"](Job(claim, Deadline.after(0)))  # type: ignore[arg-type]
    finally:
        made.ledger.commit(Change(done=Done(claim=claim)))
    [asked] = keeper.asked
    return asked


def test_nothing_is_dropped_by_a_policy_that_is_not_in_force(made: components.Components) -> None:
    keeps = config.load(KEEPS, environ=URLS)
    enact(made.ledger, keeps.catalog, keeps.text)
    assert kept_for(made) == timedelta(days=90)
    elsewhere = KEEPS.replace("90d", "400d").replace("DB_URL", "ONLY_OTHERS_HAVE_IT")
    longer = config.load(elsewhere, environ={"ONLY_OTHERS_HAVE_IT": "postgresql://there"})
    enact(made.ledger, longer.catalog, longer.text)
    assert kept_for(made) is None
    closed = made.context.catalog().closed
    assert closed
    assert closed.why is Why.POLICY_UNREADABLE
    made.ledger.commit(Change(put={Key.of(PolicyInForce): PolicyInForce(version="lost")}))
    assert made.context.catalog().closed
    assert kept_for(made) is None
    enact(made.ledger, keeps.catalog, keeps.text)
    assert kept_for(made) == timedelta(days=90)


# ------------------------------------------------------------------------------------------ full Redis

MOVED = POLICY.replace("DB_URL", "MOVED_URL")


class Restarted:
    """A worker that starts with ``text`` on another one's Redis, with the variables of ``urls``."""

    def __init__(self, before: components.Components, text: str, urls: Mapping[str, str]) -> None:
        environ = {
            "SLACK_BOT_TOKEN": "xoxb-none",
            "REDIS_URL": before.env.redis_url.get_secret_value(),
            **urls,
        }
        self.made = components.components(
            config.Environment.read(environ), config.load(text, environ=environ), environ
        )
        keep_owed = partial(owing.keep_owed, self.made.context, self.made.ledger)
        self.watchdog = Watchdog(self.made.guard, self.made.ledger, self.made.adapters, keep_owed)

    def begin(self) -> None:
        """Start as the worker does. It must not wait."""

        def wait(_: float) -> None:
            raise AssertionError("it waits")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("time.sleep", wait)
            processes.begin(self.made, processes.Stop(), lambda: processes._first(self.made, self.watchdog))


Restart = Callable[..., Restarted]


@pytest.fixture
def restart(made: components.Components) -> Iterator[Restart]:
    begun: list[Restarted] = []

    def restart(text: str, **urls: str) -> Restarted:
        begun.append(Restarted(made, text, urls or URLS))
        return begun[-1]

    yield restart
    for each in begun:
        for client in (each.made.redis, each.made.ledger._patient):
            client.connection_pool.disconnect()


def in_force(made: components.Components) -> str:
    force = made.ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce)
    return force.version if force else ""


def fill(made: components.Components) -> None:
    made.redis.config_set("maxmemory", "1kb")
    with pytest.raises(TemporaryFailure, match="Redis is full"):
        made.ledger.commit(Change(audit=(Entry(what="something"),)))


def make_room(made: components.Components) -> None:
    made.redis.config_set("maxmemory", 0)


def is_revoked(worker: Restarted, calls: CallLog, who: str) -> bool:
    """Look at what was over long ago, and return whether it is revoked."""
    made, now = worker.made, worker.made.ledger.read(()).now
    grant = LiveGrant(name=who, given_at=now - HOUR, seen_at=now - HOUR / 2, until=now - HOUR / 3)
    make_room(made)
    write_grants(made.ledger, calls, config.load(POLICY, environ=URLS).catalog, [grant])
    fill(made)
    (claim,) = made.ledger.claim(1, 1, {}, ("hold",)).claims
    duties.duties(made)["hold"](Job(claim, Deadline.after(0)))
    return account_of(who) in calls.revocations()


def test_a_full_redis_keeps_no_worker_from_revoking_that_starts_with_the_same_policy(
    made: components.Components, restart: Restart
) -> None:
    made.ledger.commit(Change(put={Key.of(PolicyDoubt): DOUBTED}))
    fill(made)
    for each in made.ledger.claim(100, 100, {}).claims:
        made.ledger.commit(Change(done=Done(claim=each), frees=True))
    worker = restart(POLICY, **URLS, SECRET_KEY="k" * 32)
    worker.begin()
    assert worker.watchdog._late is None
    assert not made.ledger.not_due(ALWAYS_OWED)
    assert not made.ledger.read({Key.of(PolicyDoubt)}).documents
    assert worker.made.context.catalog().closed is None


@pytest.mark.parametrize("here", [URLS, {"MOVED_URL": URLS["MOVED_URL"]}], ids=["followed", "not followed"])
def test_with_another_policy_it_revokes_and_grants_nothing_by_that_until_it_is_in_force(
    made: components.Components,
    restart: Restart,
    here: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    calls, before = CallLog(tmp_path / "calls"), in_force(made)
    monkeypatch.setattr(adapters, "build_target", lambda name, _: NoopTarget(name, calls))
    fill(made)
    worker = restart(MOVED, **here)
    worker.begin()
    assert in_force(made) == before
    with pytest.raises(TemporaryFailure, match="not in force yet"):
        worker.made.adapters.target("db").ready(ADAS, Deadline.after(1))
    assert is_revoked(worker, calls, "ADA")
    worker.watchdog.go_round()
    assert in_force(made) == before
    make_room(made)
    worker.watchdog.go_round()
    assert in_force(made) == version_of(MOVED)
    assert worker.made.context.catalog().version == version_of(MOVED)
    worker.made.adapters.target("db").ready(ADAS, Deadline.after(1))


def test_a_policy_that_could_not_be_written_gives_way_to_one_that_came_later(
    made: components.Components, restart: Restart
) -> None:
    fill(made)
    worker = restart(MOVED)
    worker.begin()
    make_room(made)
    later = config.load(KEEPS, environ=URLS)
    enact(made.ledger, later.catalog, later.text)
    for _ in range(2):
        worker.watchdog.go_round()
    assert in_force(made) == version_of(KEEPS)
    assert worker.made.context.catalog().version == version_of(KEEPS)


def test_what_is_owed_is_owed_again_while_a_full_redis_has_lost_its_policy(
    made: components.Components, restart: Restart
) -> None:
    for each in made.ledger.claim(100, 100, {}).claims:
        made.ledger.commit(Change(done=Done(claim=each)))
    made.ledger.commit(Change(put={Key.of(PolicyInForce): None}))
    fill(made)
    worker = restart(POLICY)
    worker.begin()
    worker.watchdog.go_round()
    assert in_force(made) == ""
    assert not made.ledger.not_due(ALWAYS_OWED)
    with pytest.raises(TemporaryFailure, match="not in force yet"):
        worker.made.adapters.target("db").ready(ADAS, Deadline.after(1))
