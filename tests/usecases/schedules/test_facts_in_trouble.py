"""While Redis accepts nothing new, facts that shorten access still count, and facts that give access do
not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest
from redis import Redis

from bot.core.catalog import InGroup
from bot.core.errors import TemporaryFailure
from bot.core.grants import State
from bot.core.shifts import Roster, Shift
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Due
from bot.ports.documents import Key
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    EVE,
    FIRST_LINE,
    GROUP,
    MINUTE,
    ON_SHIFT,
    ORDERS_SCHEDULE,
    PROD_DB,
    SCHEDULE,
    SCHEMA_MIGRATION,
    catalog,
    dba,
    nobodys,
    shift,
)
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.story import Story
from bot.testing.valkey import valkey
from bot.usecases.people import take_hint

OPS = "orders_ops"
PLENTY = "1gb"
BY_GROUP = replace(PROD_DB, approve_automatically=(FIRST_LINE, InGroup(group=GROUP)))
ONE_ON_SHIFT = replace(SCHEMA_MIGRATION, on_shift=ON_SHIFT)


class OnRedis(Story):
    """A story in a real Redis, whose clock nobody moves."""

    def __init__(self, client: Redis) -> None:
        super().__init__(begin=False)
        self.ledger = RedisLedger(client)
        self.memory = cast("MemoryLedger", self.ledger)
        self.context = self.another_context()
        self.enact(self.policy)
        self.run_due("workspace", "groups")
        self.run_due()

    @property
    def now(self) -> datetime:
        return self.ledger.read().now


@dataclass(frozen=True)
class Trouble:
    story: Story
    begin: Callable[[], object]
    end: Callable[[], object]

    def on(self, who: str = ADA, start: float = -1, hours: float = 8, level: int = 1) -> Shift:
        """Return a shift, in hours from now."""
        first, last = (self.story.now + timedelta(hours=each) for each in (start, hours))
        return shift(who, first, last, level, ORDERS_SCHEDULE)

    def rota(self, schedule: str, *shifts: Shift) -> None:
        """Let the pager show these shifts, and read them."""
        found = tuple(nobodys(replace(each, schedule=schedule)) for each in shifts)
        self.story.source.rota[schedule.partition("/")[2]] = found
        self.look_again("roster:pagerduty")

    def look_again(self, *members: str) -> None:
        now = self.story.now
        self.story.ledger.commit(Change(due=tuple(Due(member=each, at=now) for each in members), frees=True))
        self.story.run_due()


@pytest.fixture(scope="module")
def client() -> Iterator[Redis]:
    with valkey() as server, connect(server.url) as client:
        yield client


def full_memory() -> Trouble:
    story = Story()
    return Trouble(
        story, lambda: setattr(story.memory, "full", True), lambda: setattr(story.memory, "full", False)
    )


def unwritable_memory() -> Trouble:
    story = Story()

    def say(trouble: str) -> None:
        story.memory.audit_trouble = trouble

    return Trouble(story, partial(say, "its key is a string"), partial(say, ""))


def full_redis(client: Any) -> Trouble:
    allow = partial(client.config_set, "maxmemory")
    allow(PLENTY)
    return Trouble(OnRedis(client), partial(allow, "1kb"), partial(allow, PLENTY))


def unwritable_redis(client: Any) -> Trouble:
    client.config_set("maxmemory", PLENTY)
    audit = "rotakey:{main}:audit"

    def begin() -> None:
        client.rename(audit, f"{audit}:ours")
        client.set(audit, "not ours")

    return Trouble(OnRedis(client), begin, partial(client.rename, f"{audit}:ours", audit))


@pytest.fixture(params=[full_memory, unwritable_memory])
def in_memory(request: pytest.FixtureRequest) -> Trouble:
    found: Trouble = request.param()
    return found


@pytest.fixture(params=[full_memory, unwritable_memory, full_redis, unwritable_redis])
def trouble(request: pytest.FixtureRequest) -> Trouble:
    on_redis = request.param in (full_redis, unwritable_redis)
    if on_redis:
        request.getfixturevalue("client").flushall()
    found: Trouble = request.param(*([request.getfixturevalue("client")] if on_redis else []))
    return found


def by_shift(it: Trouble) -> str:
    """Let Ada request the database while she is on call for it, until eight hours from now."""
    it.rota(SCHEDULE, it.on())
    grant = it.story.ask(ADA).standing.grant.id
    it.story.run_due()
    assert it.story.has(ADA)
    return grant


def nothing_is_given(it: Trouble) -> None:
    with pytest.raises(TemporaryFailure):
        it.story.ask(CAROL)


def test_a_shift_that_is_called_off_ends_what_was_given_by_it(trouble: Trouble) -> None:
    grant = by_shift(trouble)
    trouble.begin()
    nothing_is_given(trouble)
    trouble.rota(SCHEDULE, trouble.on(DAN))
    assert not trouble.story.has(ADA)
    assert trouble.story.grant(grant).state is State.ENDED
    trouble.end()
    trouble.story.ask(DAN)
    happened = [each.what for each in trouble.story.audit()]
    assert happened.index("roster changed", happened.index("active")) < happened.index("ending")


def test_a_shift_that_becomes_shorter_ends_it_earlier(trouble: Trouble) -> None:
    grant = by_shift(trouble)
    before = trouble.story.lease(grant)
    trouble.begin()
    trouble.rota(SCHEDULE, trouble.on(hours=2))
    after = trouble.story.lease(grant)
    assert before is not None
    assert after is not None
    assert after < before - timedelta(hours=1)


def test_who_leaves_a_group_loses_what_it_let_them_have(trouble: Trouble) -> None:
    story = trouble.story
    story.enact(catalog(BY_GROUP))
    story.run_due()
    grant = story.ask(CAROL).standing.grant.id
    story.run_due()
    assert story.has(CAROL)
    trouble.begin()
    story.directory.members[GROUP] = dba(BOB)
    trouble.look_again("groups:all")
    assert not story.has(CAROL)
    assert story.grant(grant).state is State.ENDED


def given_to_dan(story: Story) -> str:
    grant = story.ask(DAN).standing.grant.id
    story.run_due()
    story.approve(BOB, grant)
    story.run_due()
    assert story.has(DAN)
    return grant


def test_who_leaves_the_company_loses_it(trouble: Trouble) -> None:
    grant = given_to_dan(trouble.story)
    trouble.begin()
    trouble.story.directory.change(DAN, deactivated=True)
    trouble.look_again(f"people:{DAN}")
    assert not trouble.story.has(DAN)
    assert trouble.story.grant(grant).state is State.ENDED


@pytest.mark.parametrize("other", [EVE, "U08DAN"])
def test_whose_address_somebody_else_takes_loses_it(trouble: Trouble, other: str) -> None:
    story = trouble.story
    story.context.look_up_people(EVE)
    given_to_dan(story)
    trouble.begin()
    story.directory.people[other] = replace(story.directory.people[EVE], id=other, email="dan@example.com")
    take_hint(story.ledger, story.directory.people[other])
    story.run_due()
    assert not story.has(DAN)


def test_a_bot_that_was_moved_to_another_workspace_lets_nobody_keep_it(trouble: Trouble) -> None:
    given_to_dan(trouble.story)
    trouble.begin()
    home = trouble.story.directory.home
    moved = lambda deadline: replace(home(deadline), team="T9")  # noqa: E731
    trouble.story.directory.home = moved  # type: ignore[method-assign]
    trouble.look_again("workspace:self")
    trouble.look_again(f"people:{DAN}")
    assert not trouble.story.has(DAN)


def test_somebody_new_on_call_does_not_keep_a_roster_from_being_believed(trouble: Trouble) -> None:
    by_shift(trouble)
    trouble.story.directory.people["U09ZOE"] = replace(
        trouble.story.directory.people[EVE], id="U09ZOE", email="zoe@example.com"
    )
    trouble.begin()
    new, nobody = (replace(trouble.on(), email=f"{each}@example.com") for each in ("zoe", "nobody"))
    trouble.rota(SCHEDULE, new, nobody)
    assert not trouble.story.has(ADA)


def test_of_one_look_the_ends_are_written_and_the_starts_are_not(trouble: Trouble) -> None:
    story = trouble.story
    story.context.look_up_people(DAN)
    trouble.rota(ORDERS_SCHEDULE, trouble.on())
    assert story.has(ADA, OPS)
    trouble.begin()
    trouble.rota(ORDERS_SCHEDULE, trouble.on(DAN))
    assert not story.has(ADA, OPS)
    assert story.shift_grant(DAN) is None
    assert not story.has(DAN, OPS)
    trouble.end()
    trouble.look_again("shift:orders-on-call")
    assert story.has(DAN, OPS)


def test_a_shift_that_grows_and_one_that_shrinks_in_one_look(trouble: Trouble) -> None:
    story = trouble.story
    trouble.rota(ORDERS_SCHEDULE, trouble.on(), trouble.on(DAN))
    adas, dans = story.shift_grant(ADA), story.shift_grant(DAN)
    assert adas
    assert dans
    before = story.lease(adas.id)
    trouble.begin()
    trouble.rota(ORDERS_SCHEDULE, trouble.on(hours=20), trouble.on(DAN, hours=2))
    assert story.lease(adas.id) == before
    shorter = story.lease(dans.id)
    assert shorter is not None
    assert shorter < story.now + timedelta(hours=3)
    trouble.end()
    trouble.look_again("shift:orders-on-call")
    assert before is not None
    later = story.lease(adas.id)
    assert later is not None
    assert later > before + timedelta(hours=11)


def test_what_could_not_start_starts_soon_after(in_memory: Trouble) -> None:
    story = in_memory.story
    in_memory.begin()
    in_memory.rota(ORDERS_SCHEDULE, in_memory.on())
    story.pass_time(10 * MINUTE)
    assert not story.has(ADA, OPS)
    in_memory.end()
    story.pass_time(5 * MINUTE)
    assert story.has(ADA, OPS)


def test_the_seat_goes_to_the_next_shift_as_soon_as_it_is_free() -> None:
    story = Story(catalog(ONE_ON_SHIFT))
    it = Trouble(story, lambda: None, lambda: None)
    it.rota(ORDERS_SCHEDULE, it.on())
    assert story.has(ADA, "migrator")
    it.rota(ORDERS_SCHEDULE, it.on(DAN))
    story.pass_time(6)
    assert story.target.accounts("migrator") == {"dan@example.com"}


def test_a_roster_is_written_although_nothing_else_can_be(trouble: Trouble) -> None:
    trouble.rota(SCHEDULE, trouble.on())
    trouble.begin()
    trouble.rota(SCHEDULE, trouble.on(DAN))
    known = trouble.story.ledger.read({Key.of(Roster, SCHEDULE)}).find(Roster, SCHEDULE)
    assert known is not None
    assert [each.email for each in known.shifts] == ["dan@example.com"]
