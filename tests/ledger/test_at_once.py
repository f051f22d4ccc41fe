"""Bob and Carol click, and Dan withdraws, at the same moment, each through a separate process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.core.catalog import Catalog, Entitlement, Resource
from bot.core.errors import Refused, TemporaryFailure
from bot.core.grants import LIVE, Grant, State
from bot.core.people import Group
from bot.core.reasons import Why
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change
from bot.ports.documents import Home, Key
from bot.testing.cast import BOB, CAROL, DAN, EVE, GROUP, HOUR, PROD_DB, SCHEMA_MIGRATION, TEAM, catalog, dba
from bot.testing.slack import FakeDirectory
from bot.testing.story import shown_terms
from bot.usecases.context import Context
from bot.usecases.enact import enact
from bot.usecases.requests import ask, finish, votes
from bot.usecases.requests.admit import gives_index

ROUNDS = 12
MINE = replace(PROD_DB, approve_automatically=())
Move = Callable[[Context, str, str], object]


def approves(who: str) -> Move:
    def approve(context: Context, grant: str, op: str) -> object:
        terms = shown_terms(context, grant)
        return votes.approve(context, person=who, grant=grant, length=None, op=op, terms=terms)

    return approve


def denies(who: str) -> Move:
    return lambda context, grant, op: votes.deny(context, person=who, grant=grant, why="", op=op)


def withdraws(context: Context, grant: str, op: str) -> object:
    return finish.give_back(context, person=DAN, which=grant, op=op)


class Clicks:
    def __init__(self, ledger: RedisLedger, policy: Catalog) -> None:
        self.ledger = ledger
        self.policy = policy
        self.ops = itertools.count()
        self.ids = map("g{}".format, itertools.count())
        enact(ledger, policy, "text")
        home = Home(team=TEAM, enterprise=None, bot_user="U00BOT")
        group = dba(read_at=datetime.now(UTC))
        ledger.commit(Change(put={Key.of(Home): home, Key.of(Group, GROUP): group}))

    def context(self) -> Context:
        directory = FakeDirectory(lambda: datetime.now(UTC))
        return Context(self.ledger, directory, lambda *_: self.policy, self.ids.__next__)

    def asked(self) -> str:
        op = f"ask-{next(self.ops)}"
        made = ask.ask(self.context(), person=DAN, resource="prod-db", length=HOUR, reason=op, op=op)
        return made.standing.grant.id

    def at_once(self, grant: str, *moves: Move, same_op: bool = False) -> list[Why | None]:
        """Run all of these at once, and return the outcome of each: done, or the reason why not."""
        start, op = threading.Barrier(len(moves)), f"op-{next(self.ops)}"

        def move(number: int) -> Why | None:
            context = self.context()
            start.wait()
            try:
                moves[number](context, grant, op if same_op else f"{op}-{number}")
            except Refused as refused:
                return refused.reason.why
            return None

        with ThreadPoolExecutor(len(moves)) as pool:
            return list(pool.map(move, range(len(moves))))

    def look(self, grant: str) -> tuple[Grant, list[str]]:
        snap = self.ledger.read({Key.of(Grant, grant)})
        found = snap.find(Grant, grant)
        assert found is not None
        happened = [entry.what for _, _, entry in self.ledger.entries(count=10_000) if entry.grant == grant]
        assert snap.live(found) is (found.state in LIVE)
        for index in ("open", f"person:{DAN}"):
            assert (found in self.ledger.read((), (index,)).all(Grant)) is found.open
        return found, happened


@pytest.fixture
def clicks(redis_ledger: RedisLedger) -> Clicks:
    return Clicks(redis_ledger, catalog(MINE))


@pytest.fixture
def two_needed(redis_ledger: RedisLedger) -> Clicks:
    return Clicks(redis_ledger, catalog(replace(MINE, approvals=2)))


def rounds(clicks: Clicks) -> Iterator[str]:
    for _ in range(ROUNDS):
        grant = clicks.asked()
        yield grant
        context = clicks.context()
        if context.grant(grant).state in LIVE:
            finish.give_back(context, person=DAN, which=grant, op=f"end-{grant}")


def test_two_approve(clicks: Clicks) -> None:
    for grant in rounds(clicks):
        came_to = clicks.at_once(grant, approves(BOB), approves(CAROL))
        assert sorted(came_to, key=str) == [None, Why.DECIDED_ALREADY] or came_to == [
            Why.DECIDED_ALREADY,
            None,
        ]
        found, happened = clicks.look(grant)
        assert (found.state, len(found.votes), happened.count("approved")) == (State.APPROVED, 1, 1)


def test_both_of_two_that_are_needed(two_needed: Clicks) -> None:
    for grant in rounds(two_needed):
        assert two_needed.at_once(grant, approves(BOB), approves(CAROL)) == [None, None]
        found, happened = two_needed.look(grant)
        assert found.state is State.APPROVED
        assert {vote.person for vote in found.votes} == {BOB, CAROL}
        assert (happened.count("voted"), happened.count("approved")) == (1, 1)


def test_one_clicks_twice_where_two_are_needed(two_needed: Clicks) -> None:
    for grant in rounds(two_needed):
        came_to = two_needed.at_once(grant, approves(BOB), approves(BOB))
        assert set(came_to) == {None, Why.VOTED_ALREADY}
        assert len(two_needed.look(grant)[0].votes) == 1
        assert two_needed.look(grant)[0].state is State.ASKED


def test_one_click_is_delivered_four_times(two_needed: Clicks) -> None:
    for grant in rounds(two_needed):
        assert two_needed.at_once(grant, *(approves(BOB),) * 4, same_op=True) == [None] * 4
        found, happened = two_needed.look(grant)
        assert (found.state, len(found.votes), happened.count("voted")) == (State.ASKED, 1, 1)


@pytest.mark.parametrize(
    ("other", "state", "entry"),
    [(denies(CAROL), State.DENIED, "denied"), (withdraws, State.WITHDRAWN, "withdrawn")],
)
def test_one_approves_and_another_ends_it(clicks: Clicks, other: Move, state: State, entry: str) -> None:
    for grant in rounds(clicks):
        first, second = clicks.at_once(grant, approves(BOB), other)
        found, happened = clicks.look(grant)
        if first is not None:
            assert (first, second, found.state) == (Why.DECIDED_ALREADY, None, state)
            assert "approved" not in happened
        elif state is State.WITHDRAWN:  # Dan gives back what Bob has just approved
            assert (second, found.state) == (None, State.ENDING)
        else:
            assert (second, found.state) == (Why.DECIDED_ALREADY, State.APPROVED)
            assert entry not in happened


def test_a_crowd_of_clicks_and_everything_settles(clicks: Clicks) -> None:
    for grant in rounds(clicks):
        moves = (approves(BOB), approves(CAROL), denies(BOB), denies(CAROL), withdraws)
        try:
            came_to = clicks.at_once(grant, *moves)
        except TemporaryFailure as failure:
            pytest.fail(f"nobody settled: {failure}")
        found, happened = clicks.look(grant)
        assert None in came_to
        assert found.state is not State.ASKED
        assert sum(happened.count(each) for each in ("approved", "denied", "withdrawn")) == 1


def given_by_two(number: int) -> tuple[Resource, Resource]:
    """Return two resources that give the same role, which only one person may hold."""
    role = Entitlement(target="orders-db", what=(("role", f"migrator-{number}"),))
    first = replace(SCHEMA_MIGRATION, name=f"migration-{number}", gives=(role,))
    return first, replace(first, name=f"hotfix-{number}")


@pytest.fixture
def seats(redis_ledger: RedisLedger) -> Clicks:
    return Clicks(redis_ledger, catalog(*(each for n in range(ROUNDS) for each in given_by_two(n))))


def test_two_claim_what_only_one_may_hold_by_two_resources(seats: Clicks) -> None:
    """Neither person has anything when the decisions begin; the one who loses sees the other."""
    for first, second in map(given_by_two, range(ROUNDS)):
        asked = [
            ask.ask(
                seats.context(),
                person=who,
                resource=each.name,
                length=HOUR,
                reason="now",
                op=f"{who}-{each.name}",
            ).standing.grant.id
            for who, each in ((DAN, first), (EVE, second))
        ]
        start = threading.Barrier(2)

        def approve(grant: str, by: str, start: threading.Barrier = start) -> Why | None:
            context = seats.context()
            start.wait()
            try:
                approves(by)(context, grant, f"vote-{grant}")
            except Refused as refused:
                return refused.reason.why
            return None

        with ThreadPoolExecutor(2) as pool:
            came_to = list(pool.map(approve, asked, (BOB, CAROL)))
        assert set(came_to) == {None, Why.HELD_BY_OTHER}
        held = seats.ledger.read((), (gives_index(first.gives[0]),)).all(Grant)
        assert [each.id for each in held] == [asked[came_to.index(None)]]
