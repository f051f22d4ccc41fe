"""No worker runs, or the due set is lost: ``rotakey sweep`` revokes what is past its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner
from redis import Redis

from bot.cli import rotakey
from bot.core.catalog import Entitlement
from bot.core.errors import TemporaryFailure
from bot.core.grants import Grant, State
from bot.core.holds import Hold, HoldRecord, Phase, Presence
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Lease, LeaseMove
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, Swept
from bot.testing.cast import ADA, BOB, CAROL, HOUR, NINE, PROD_DB, SECURITY, catalog
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.testing.valkey import valkey_url
from bot.usecases.access.outcomes import hold_name
from bot.usecases.access.reconcile import Reconciliation
from bot.usecases.job import Job
from bot.worker import loop
from bot.worker.loop import Worker
from bot.worker.sweep import Sweep

DOWN = TemporaryFailure("orders-db does not answer")
ROLE = PROD_DB.gives[0]
ADAS = "orders_rw on orders-db for ada@example.com"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SLEEP_AT_MOST", 0.05)


@pytest.fixture
def story() -> Story:
    return Story()


def begun(story: Story, length: str = "1h") -> str:
    """Return a ledger and a target where Ada has access."""
    grant = story.ask(ADA, length=length).standing.grant.id
    story.run_due()
    assert story.has(ADA)
    return grant


def swept(story: Story) -> list[tuple[str, str]]:
    """Run a sweep, and return what became of each hold."""
    found = Sweep(story.memory, story.find_target, Deadline.after(30)).run()
    return [(hold_name(each.hold), each.how or each.trouble) for each in found]


def due_set_lost(story: Story) -> None:
    story.memory._due.clear()


# ---------------------------------------------------------------------------- where nobody works


def test_what_ended_while_all_workers_were_dead_is_taken_back(story: Story) -> None:
    grant = begun(story)
    story.memory.advance(3 * 24 * HOUR)
    assert story.has(ADA)
    assert swept(story) == [(ADAS, "revoked")]
    assert not story.has(ADA)
    assert story.grant(grant).state is State.ENDED
    assert story.history(grant)[-3:] == ["ending", "taken", "ended"]


def test_also_where_the_due_set_was_lost(story: Story) -> None:
    grant = begun(story)
    story.memory.advance(HOUR)
    due_set_lost(story)
    assert swept(story) == [(ADAS, "revoked")]
    assert (story.has(ADA), story.grant(grant).state) == (False, State.ENDED)


def test_also_where_the_grants_were_lost(story: Story) -> None:
    grant = begun(story)
    lost = story.grant(grant)
    index = {(name, grant): False for name in ("open", f"person:{ADA}", f"hold:{lost.gives[0].key}")}
    drop = (Lease(grant=grant, how=LeaseMove.DROP),)
    story.memory.commit(Change(put={Key.of(Grant, grant): None}, index=index, leases=drop))
    due_set_lost(story)
    assert swept(story) == [(ADAS, "revoked")]
    assert not story.has(ADA)


def test_what_was_given_back_and_never_taken(story: Story) -> None:
    grant = begun(story)
    story.give_back(ADA)
    due_set_lost(story)
    assert swept(story) == [(ADAS, "revoked")]
    assert story.grant(grant).state is State.ENDED


def test_a_worker_died_while_it_gave_what_has_ended_since(story: Story) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    hold = story.grant(grant).gives[0]
    receipt = story.target.prepare(hold, Deadline.after(5))
    record = HoldRecord(hold=hold, phase=Phase.GIVING, baseline=Presence.NONE, receipts=(receipt,))
    story.target.grant(hold, (receipt,), None, Deadline.after(5))
    story.memory.commit(Change(put={Key.of(HoldRecord, hold.key): record}))
    story.memory.advance(HOUR)
    assert swept(story) == [(ADAS, "revoked")]
    assert not story.has(ADA)


def test_what_was_never_given_is_only_closed(story: Story) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.memory.advance(HOUR)
    assert swept(story) == [(ADAS, "never granted")]
    assert (story.target.count("revoke"), story.grant(grant).state) == (0, State.ENDED)


def test_what_somebody_had_before_is_left_to_them(story: Story) -> None:
    story.target.give_by_hand("ada@example.com", ROLE)
    begun(story)
    story.memory.advance(HOUR)
    assert swept(story) == [(ADAS, "left, because the person had it before")]
    assert story.has(ADA)


def test_what_somebody_gave_meanwhile_is_named(story: Story) -> None:
    begun(story)
    story.target.give_by_hand("ada@example.com", ROLE)
    story.memory.advance(HOUR)
    assert swept(story) == [(ADAS, "revoked, but they still have it from administrator")]


def test_many_end_the_oldest_is_told_first(story: Story) -> None:
    begun(story, "4h")
    story.ask(BOB, length="1h")
    story.approve(CAROL, story.grants_of(BOB)[0].id)
    story.run_due()
    story.memory.advance(4 * HOUR)
    assert [hold for hold, _ in swept(story)] == [ADAS.replace("ada", "bob"), ADAS]
    assert story.target.accounts("orders_rw") == set()


def test_what_a_worker_died_at_and_was_then_lost_is_taken_back(story: Story) -> None:
    begun(story)
    story.memory.advance(HOUR)
    assert story.claim("hold")
    due_set_lost(story)
    story.memory.claim_seconds = 0  # nobody waits for it to lapse: this clock stands still
    assert swept(story) == [(ADAS, "revoked")]
    assert not story.has(ADA)


# -------------------------------------------------------------------------------- nothing is given


def test_what_is_live_is_left_alone(story: Story) -> None:
    grant = begun(story)
    due_before = dict(story.memory._due)
    assert swept(story) == []
    assert (story.live(grant), story.has(ADA), story.memory._due) == (True, True, due_before)


def test_what_is_approved_is_not_given_and_still_owed_to_a_worker(story: Story) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    calls = len(story.target.calls)
    assert swept(story) == []
    assert len(story.target.calls) == calls
    story.run_due()
    assert story.grant(grant).state is State.ACTIVE


def test_who_is_approved_anew_just_then_keeps_it(story: Story) -> None:
    """The approval comes between the survey and the claim."""
    begun(story)
    story.memory.advance(HOUR)

    def ask_again(members: object, *rest: object) -> object:
        story.memory.claim_these = original  # type: ignore[method-assign]
        story.approve(BOB, story.ask(ADA, length="1h").standing.grant.id)
        return original(members, *rest)  # type: ignore[arg-type]

    original = story.memory.claim_these
    story.memory.claim_these = ask_again  # type: ignore[assignment]
    gives = story.target.count("grant")
    assert swept(story) == [(ADAS, "in use by a live grant again")]
    assert story.target.count("grant") == gives
    assert story.has(ADA)
    story.run_due()
    assert [grant.state for grant in story.grants_of(ADA)] == [State.ACTIVE]


def test_a_hold_kept_by_another_grant_is_not_touched(story: Story) -> None:
    story.enact(catalog(replace(PROD_DB, name="prod-db-too")))
    begun(story, "1h")
    story.ask(ADA, "prod-db-too", "4h")
    story.run_due()
    story.memory.advance(HOUR)
    due_set_lost(story)
    assert swept(story) == []
    assert story.has(ADA)


# --------------------------------------------------------------------------------- what is left


def test_what_cannot_be_taken_is_left_with_the_reason_and_tried_at_once_next_time(story: Story) -> None:
    grant = begun(story)
    story.memory.advance(HOUR)
    story.target.failing["revoke"] = DOWN
    for _ in range(3):
        assert stopped_at(story, "revoke") == [(ADAS, "orders-db does not answer")]
    assert story.grant(grant).overdue_since
    assert story.memory.condition().overdue == 1
    story.run_due("alarm", "alert")
    assert len(story.messenger.alerts_in(SECURITY)) == 1, "a worker that comes back tells it"
    del story.target.failing["revoke"]
    assert swept(story) == [(ADAS, "revoked")]


def stopped_at(story: Story, verb: str) -> list[tuple[str, str]]:
    """Run a sweep that is told to stop at this step, and return what became of each hold."""
    it = Sweep(story.memory, story.find_target, Deadline.after(30))
    story.target.before = lambda now: it.stop() if now == verb else None
    found = it.run()
    story.target.before = lambda _: None
    return [(hold_name(each.hold), each.how or each.trouble) for each in found]


def test_a_target_that_cannot_be_used_here_stops_no_other_and_is_not_blamed() -> None:
    stock = FakeTarget(lambda: NINE)
    other = Entitlement(target="stock-db", what=(("role", "stock_rw"),))
    story = Story(catalog(replace(PROD_DB, gives=(ROLE, other))), targets={"stock-db": stock})
    grant = begun(story)
    story.memory.advance(HOUR)
    barred = story.targets.pop("orders-db")
    due_set_lost(story)
    assert dict(swept(story)) == {
        ADAS: "there is no target orders-db",
        "stock_rw on stock-db for ada@example.com": "revoked",
    }
    assert (stock.accounts("stock_rw"), story.grant(grant).trouble) == (set(), None)
    story.targets["orders-db"] = barred
    story.run_due("hold")
    assert not story.has(ADA), "it is left to a worker that can"


def test_what_would_be_tried_again_too_late_is_not_waited_for(story: Story) -> None:
    begun(story)
    story.target.failing["revoke"] = DOWN
    story.pass_time(HOUR + 60)
    tries = story.target.count("revoke")
    assert swept(story) == [(ADAS, str(DOWN))]
    assert story.target.count("revoke") == tries + 1


def test_a_redis_that_goes_away_meanwhile_is_not_waited_for_beyond_the_time(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REDIS_AWAY_PAUSE", 0.01)
    begun(story)
    story.memory.advance(HOUR)
    asked: list[int] = []

    def away(*_: object) -> None:
        asked.append(1)
        raise TemporaryFailure("Redis does not answer")

    monkeypatch.setattr(story.memory, "claim_these", away)
    monkeypatch.setattr(story.memory, "commit_all", away)
    found = Sweep(story.memory, story.find_target, Deadline.after(0.1)).run()
    assert [each.still_there for each in found] == [True]
    assert asked


def test_where_there_is_no_time_nothing_is_begun(story: Story) -> None:
    begun(story)
    story.memory.advance(HOUR)
    (left,) = Sweep(story.memory, story.find_target, Deadline.after(0)).run()
    assert (left.still_there, left.trouble) == (True, "not attempted yet")
    assert (story.target.count("revoke"), story.has(ADA)) == (0, True)


def test_what_cannot_be_read_is_told_and_stops_nothing(story: Story) -> None:
    grant = begun(story)
    story.ask(BOB, length="1h")
    story.approve(CAROL, story.grants_of(BOB)[0].id)
    story.run_due()
    key = Key.of(Grant, grant)
    version, _ = story.memory._documents[key]
    story.memory._documents[key] = (version, "{")
    story.memory.advance(HOUR)
    sweep = Sweep(story.memory, story.find_target, Deadline.after(30))
    assert {each.how for each in sweep.run()} == {"revoked"}
    assert sweep.unreadable == (key,)
    assert story.target.accounts("orders_rw") == set()


# ------------------------------------------------------------------------------- what it writes down


def test_a_sweep_writes_down_that_it_was_here_and_what_it_did(story: Story) -> None:
    begun(story)
    assert swept(story) == []
    assert sweeps(story) == []
    assert last(story) == Swept(at=story.now, left=0)
    story.memory.advance(HOUR)
    swept(story)
    assert sweeps(story) == [("rotakey sweep", {"done": [f"{ADAS}: revoked"], "left": [], "counts": [1, 0]})]
    assert last(story) == Swept(at=story.now, left=0)


def test_it_is_no_sign_of_life_of_a_worker(story: Story) -> None:
    begun(story)
    beat = story.memory.condition().beat
    story.memory.advance(HOUR)
    swept(story)
    assert story.memory.condition().beat == beat


def sweeps(story: Story) -> list[tuple[str | None, object]]:
    return [(each.by, each.facts) for each in story.audit() if each.what == "swept"]


def last(story: Story) -> Swept | None:
    return story.memory.read({Key.of(Swept)}).find(Swept)


@pytest.mark.parametrize("options", [[], ["--once", "--within", "soon"], ["--twice"]])
def test_misuse(options: list[str]) -> None:
    assert CliRunner().invoke(rotakey, ["sweep", *options]).exit_code == 2


# ------------------------------------------------------------------------------ beside a live worker

MANY = 300


@pytest.fixture(scope="module")
def client() -> Iterator[Redis]:
    with valkey_url() as url, connect(url) as client:
        yield client


def test_beside_a_live_worker_each_is_taken_once(client: Redis) -> None:
    ledger, target = RedisLedger(client, "beside"), FakeTarget(lambda: NINE)
    for n in range(MANY):
        given(ledger, target, f"ada{n}")

    def reconcile(job: Job) -> None:
        Reconciliation(ledger, lambda _: target, job).run()

    other = Worker(ledger, ledger, {"hold": reconcile})
    thread = threading.Thread(target=other.run)
    thread.start()
    try:
        found = Sweep(ledger, lambda _: target, Deadline.after(60)).run()
    finally:
        other.stop()
        thread.join()
    assert len(found) == MANY
    assert {each.how for each in found} <= {"revoked", "handled by a worker"}
    assert target.access == {}
    assert (
        len({call.account for call in target.calls if call.verb == "revoke"})
        == target.count("revoke")
        == MANY
    )
    assert [each for page in ledger.holds() for each in page] == []
    assert ledger.condition().owed == 0


def given(ledger: RedisLedger, target: FakeTarget, account: str) -> None:
    """Leave access at the target for a grant that is lost."""
    hold = Hold(target="orders-db", account=account, entitlement=ROLE)
    receipt = target.prepare(hold, Deadline.after(5))
    target.grant(hold, (receipt,), None, Deadline.after(5))
    record = HoldRecord(hold=hold, phase=Phase.GIVEN, baseline=Presence.NONE, receipts=(receipt,))
    ledger.commit(Change(put={Key.of(HoldRecord, hold.key): record}))
