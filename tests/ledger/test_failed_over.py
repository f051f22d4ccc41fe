"""The primary dies before its replica knows that access ended: what ended stays ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from bot.core.errors import FAILED_OVER, FailedOver, PermanentFailure
from bot.core.grants import State
from bot.core.holds import HoldRecord
from bot.evidence.anchor_file import AnchorFile
from bot.ledger import copies
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Due, Entry
from bot.ports.documents import Key, Restore
from bot.ports.ledger import CLAIM_SECONDS
from bot.slack.wording import answers as words
from bot.slack.wording import cards as card_words
from bot.slack.wording.reasons import NOT_COPIED, refusal
from bot.testing.cast import ADA, BOB, CAROL, SECURITY
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.testing.valkeys import Node, replica_set
from bot.usecases.audit import evidence, rollback, seal
from bot.usecases.audit.restore import accept_restore
from bot.usecases.audit.rollback import RollbackGuard
from bot.usecases.audit.seal import SEAL
from bot.usecases.doctor.access import RESTORE, look_at_restore
from bot.usecases.doctor.findings import Grade
from bot.usecases.notifications.posting import COPIED_BY_THEN
from bot.wiring.doctor import Examination
from tests.chaos.relay import Relay
from tests.usecases.audit.test_sealing import Pen

COMPARE = (
    "🚨 Another Redis server has taken over, and no anchor file says what had ended. I grant nothing now, and"
    " keep revoking. Grants that are live on it: 1. Some of them may have ended before. Compare them with my"
    " messages and with who has access at each target, then run `rotakey doctor --accept-restore`. If you"
    " name a file under `audit: anchor:` in access.yaml, I can compare them myself next time."
)

POLICY = """
people: {email_domains: [example.com]}
targets: {db: {kind: postgres, url: '${DB_URL}'}}
resources:
  prod-db: {title: Orders, gives: [{target: db, role: rw}], approvers: [U02BOB]}
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "COPIED_WITHIN", timedelta(milliseconds=150))
    for module, name in ((seal, "SETTLES"), (rollback, "LASTS"), (rollback, "OTHERS_COMPARE_WITHIN")):
        monkeypatch.setattr(module, name, timedelta())


class Bot(Story):
    """A story on a primary, ``there``, with a replica. Nobody can set their clocks."""

    def __init__(self, primary: Node, replica: Node, file: Path | None) -> None:
        super().__init__(begin=False, sealed=True)
        self.there, self.spare = primary, replica
        self.anchor = AnchorFile(file) if file else None
        self._clients: list[Redis] = []
        self.reconnect()
        self.memory.now = self.ledger.read().now  # by which facts are said to be fresh
        self.enact(self.policy)
        self.guard.look(SECURITY)
        self.run_due("workspace", "groups")
        self.run_due()

    def reconnect(self) -> None:
        """Start the bot's processes again, with nothing but the anchor."""
        client = connect(self.there.url)
        self._clients.append(client)
        self.redis = RedisLedger(client, copies=1)
        self.ledger = self.trail = self.primary = self.redis
        self.sealing, self.guard = self.another_sealing(), self.another_guard()
        self.context = self.another_context()

    def close(self) -> None:
        for each in self._clients:
            each.close()

    def given(self, who: str) -> str:
        grant = self.ask(who).standing.grant.id
        if self.grant(grant).state is State.ASKED:
            self.approve(BOB if who != BOB else CAROL, grant)
        self.run_due()
        return grant

    def sealed_once(self) -> None:
        for _ in range(2):
            self.ledger.commit(Change(due=(Due(member=SEAL, at=self.ledger.read().now),)))
            self.run_due("seal")

    def fail_over(self) -> None:
        """Kill the primary, promote its replica, and start the dead one again as the replica."""
        self.there.server.kill()
        self.spare.restart()  # with what it had, and nothing that was on its way
        self.there.restart()
        self.there.follow(self.spare)
        self.there, self.spare = self.spare, self.there
        self.reconnect()

    def look_at_holds(self, grant: str) -> None:
        """Look now at the holds that are otherwise looked at every few minutes."""
        for hold in self.grant(grant).gives:
            key = Key.of(HoldRecord, hold.key)
            snap = self.ledger.read({key})
            record = snap.find(HoldRecord, hold.key)
            put = {key: replace(record, seen_at=None)} if record else {}
            self.ledger.commit(Change(put=put, due=(Due.hold(hold.key, at=snap.now),)))
        self.run_due()

    def live(self, grant: str) -> bool:
        return grant in self.ledger.read({Key("grant", grant)}).leases

    def heard(self) -> list[str]:
        return [refusal(each.reason) for each in self.messenger.notes_in(SECURITY)]

    def restore(self) -> Restore | None:
        return self.ledger.read({Key.of(Restore)}).find(Restore)


@contextmanager
def bot_on(file: Path | None) -> Iterator[Bot]:
    with replica_set() as (primary, replica):
        bot = Bot(primary, replica, file)
        try:
            yield bot
        finally:
            bot.close()


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with bot_on(tmp_path / "anchor") as made:
        yield made


@pytest.fixture
def unanchored() -> Iterator[Bot]:
    with bot_on(None) as made:
        yield made


def ended_behind_the_replicas_back(bot: Bot) -> str:
    """Let Ada get access, the replica fall behind, and Ada give it back."""
    grant = bot.given(ADA)
    assert bot.has(ADA)
    bot.sealed_once()
    bot.spare.server.pause()
    bot.give_back(ADA)
    bot.run_due()
    assert not bot.has(ADA)
    assert bot.grant(grant).state is State.ENDED
    bot.guard.look(SECURITY)
    return grant


def test_what_was_given_back_is_not_granted_again_by_a_server_that_took_over(bot: Bot) -> None:
    grant = ended_behind_the_replicas_back(bot)
    bot.fail_over()
    assert bot.live(grant), "the server that took over does not know that it ended"
    bot.look_at_holds(grant)
    assert not bot.has(ADA), "nothing is granted before the two are compared"
    bot.guard.look(SECURITY)
    assert not bot.live(grant)
    bot.run_due()
    bot.look_at_holds(grant)
    assert not bot.has(ADA)
    assert bot.grant(grant).state is State.ENDED
    [told] = bot.heard()
    assert told.startswith(f"<@{ADA}>'s *prod-db* had ended ")
    assert bot.restore() is None
    carols = bot.given(CAROL)
    assert bot.has(CAROL), "after the comparison access is granted again"
    assert bot.grant(carols).trouble is None


def test_a_commit_that_leads_to_access_is_refused_by_any_process_until_then(bot: Bot) -> None:
    ended_behind_the_replicas_back(bot)
    bot.fail_over()
    assert not bot.ledger.read().compared
    with pytest.raises(FailedOver) as raised:
        bot.ledger.commit(Change(copied=True))
    assert str(raised.value) == FAILED_OVER
    bot.ledger.commit(Change(frees=True))
    bot.guard.look(SECURITY)
    assert bot.ledger.read().compared
    bot.ledger.commit(Change(copied=True))


def test_without_an_anchor_a_person_accepts_what_the_new_server_has(unanchored: Bot) -> None:
    bot = unanchored
    grant = ended_behind_the_replicas_back(bot)
    bot.fail_over()
    for _ in range(2):
        bot.guard.look(SECURITY)
    bot.look_at_holds(grant)
    assert not bot.has(ADA)
    assert bot.heard() == [COMPARE]
    accept_restore(bot.ledger, bot.trail, None, by="carol", why="compared by hand")
    bot.run_due()
    assert bot.live(grant)
    assert not bot.has(ADA), "it is live in what was accepted, and had most likely ended"
    bot.sealed_once()
    texts = list(evidence.export_lines(evidence.lines(bot.redis), "main", bot.redis.read().now))
    assert evidence.examine(evidence.read_export(texts)).wrong == ()


def test_a_failover_that_lost_nothing_asks_nobody_anything(bot: Bot) -> None:
    grant = bot.given(ADA)
    bot.sealed_once()
    bot.fail_over()
    bot.guard.look(SECURITY)
    assert bot.heard() == []
    assert bot.restore() is None
    bot.look_at_holds(grant)
    assert bot.has(ADA)
    assert bot.heard() == []


def test_yet_another_server_that_takes_over_meanwhile_is_not_taken_for_the_compared_one(bot: Bot) -> None:
    bot.fail_over()
    first = bot.primary.serving()
    assert first
    bot.fail_over()
    bot.primary.mark_compared(first.now)
    second = bot.primary.serving()
    assert second
    assert second.last == first.last
    assert len({first.last, first.now, second.now}) == 3
    assert not second.is_compared


def test_ends_are_not_forgotten_while_a_copy_is_missing(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    grant = ended_behind_the_replicas_back(bot)
    monkeypatch.setattr("bot.core.audit.anchor.ENDED_KEPT", timedelta())
    bot.guard.look(SECURITY)
    kept = bot.anchor.read() if bot.anchor else None
    assert kept
    assert [each.grant for each in kept.ended] == [grant]
    bot.spare.server.go_on()
    until_copied(bot)
    bot.guard.look(SECURITY)
    kept = bot.anchor.read() if bot.anchor else None
    assert kept
    assert kept.ended == ()


def until_copied(bot: Bot) -> None:
    for _ in range(1_000):
        if bot.ledger.wait_for_copies():
            return
    raise AssertionError("the replica never confirmed it")


def test_what_is_said_of_an_end_says_that_no_replica_has_it_yet(bot: Bot) -> None:
    grant = bot.given(ADA)
    bot.spare.server.pause()
    began = time.monotonic()
    done = bot.give_back(ADA)
    assert words.gave_back(done) == f"Done: I'm revoking your *prod-db* now. {NOT_COPIED}"
    bot.run_due()
    assert not bot.has(ADA), "ending waits for nobody"
    card = bot.messenger.cards_of(grant, "holder")[dm(ADA)].view
    assert card.grant.state is State.ENDED
    assert card_words.trouble(card).splitlines()[-1] == NOT_COPIED
    assert time.monotonic() - began < 5, "the replica is waited for once, not for each thing that is said"
    bot.spare.server.go_on()
    until_copied(bot)
    bot.ledger.commit(Change(due=(Due.card(grant, at=bot.ledger.read().now),)))
    bot.run_due()
    card = bot.messenger.cards_of(grant, "holder")[dm(ADA)].view
    assert NOT_COPIED not in card_words.trouble(card)
    carols = bot.given(CAROL)
    done = bot.revoke(BOB, CAROL, "prod-db")
    assert words.revoke_answer(done) == f"I'm revoking *prod-db* from <@{CAROL}> now."
    assert bot.grant(carols).state is State.ENDING


def test_a_card_that_no_replica_had_is_looked_at_again_by_itself() -> None:
    story = Story()
    grant = story.ask(ADA).standing.grant.id
    story.run_due()
    story.memory.copying = False
    story.give_back(ADA)
    story.run_due()
    card = story.messenger.cards_of(grant, "holder")[dm(ADA)].view
    assert card_words.trouble(card) == NOT_COPIED
    story.memory.copying = True
    story.pass_time(COPIED_BY_THEN.total_seconds())
    card = story.messenger.cards_of(grant, "holder")[dm(ADA)].view
    assert card_words.trouble(card) == ""


def test_a_grant_that_was_under_way_when_the_primary_died_is_revoked(bot: Bot) -> None:
    """The replica has what its worker had announced, but not what it did afterwards."""
    grant = bot.ask(ADA).standing.grant.id
    dying = bot.ledger

    def primary_dies(verb: str) -> None:
        if verb == "grant" and bot.ledger is dying:
            bot.spare.server.pause()
            bot.give_back(ADA)
            bot.sealed_once()
            bot.guard.look(SECURITY)
            bot.fail_over()

    bot.sealed_once()
    bot.approve(BOB, grant)
    bot.target.after = primary_dies
    bot.run_due("hold")
    assert bot.has(ADA), "the target had done it"
    assert bot.live(grant)
    bot.guard.look(SECURITY)
    assert not bot.live(grant)
    lapsed(bot)
    assert not bot.has(ADA)
    assert bot.grant(grant).state is State.ENDED


def lapsed(bot: Bot) -> None:
    """Let the claims of the dead processes expire, and do all that is due."""
    end = time.monotonic() + 3 * CLAIM_SECONDS
    while (next_at := bot.ledger.claim(0, 0, {}).next_at) is not None and time.monotonic() < end:
        now = bot.ledger.read().now
        if next_at > now + timedelta(seconds=2 * CLAIM_SECONDS):
            return
        time.sleep(max((next_at - now).total_seconds(), 0))
        bot.run_due("hold")


def test_a_redis_that_does_not_say_which_server_it_is_grants_nothing(bot: Bot) -> None:
    bot.there.ask("ACL", "SETUSER", "bob", "on", ">secret", "~*", "+@all", "-info")
    with connect(bot.there.url.replace("//", "//bob:secret@")) as client:
        ledger = RedisLedger(client, copies=1)
        with pytest.raises(FailedOver, match="does not say which server it is: nothing is granted until its"):
            ledger.commit(Change(copied=True))
        ledger.commit(Change(frees=True))
        RedisLedger(client).commit(Change(copied=True))


def test_the_doctor_that_people_run_says_that_nothing_is_granted_until_they_are_compared(
    bot: Bot, tmp_path: Path
) -> None:
    ended_behind_the_replicas_back(bot)
    bot.fail_over()
    (tmp_path / "access.yaml").write_text(POLICY)
    environ = {
        "REDIS_URL": bot.there.url,
        "REDIS_COPIES": "1",
        "ACCESS_FILE": str(tmp_path / "access.yaml"),
        "DB_URL": "postgresql://127.0.0.1:1/orders",
        "SLACK_API_URL": "http://127.0.0.1:1/api/",
    }
    with Examination(environ) as examination:
        told = [each for each in examination.findings() if each.about == RESTORE]
    assert [each.grade for each in told] == [Grade.WRONG]
    assert told[0].what.startswith("another Redis server has taken over, and no worker has compared it")
    bot.guard.look(SECURITY)
    with Examination(environ) as examination:
        assert [each for each in examination.findings() if each.about == RESTORE] == []


def test_what_stands_without_an_anchor_is_what_the_doctor_says(unanchored: Bot) -> None:
    bot = unanchored
    bot.given(ADA)
    bot.fail_over()
    [gate] = look_at_restore(bot.redis)
    assert gate.what.startswith("another Redis server has taken over, and no worker has compared it")
    bot.guard.look(SECURITY)
    [found] = look_at_restore(bot.redis)
    assert found.what.startswith("another Redis server took over ")
    assert "there was no anchor to compare it with" in found.what


def test_a_worker_without_an_anchor_leaves_it_to_those_that_have_one(
    bot: Bot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rollback, "OTHERS_COMPARE_WITHIN", timedelta(hours=1))
    bot.given(ADA)
    bot.sealed_once()
    bot.fail_over()
    new = RollbackGuard(
        bot.ledger, bot.trail, lambda: AnchorFile(tmp_path / "none"), bot.new_id, None, bot.primary
    )
    assert new.look(SECURITY) is None
    assert not bot.ledger.read().compared, "it has nothing to compare with"
    bot.guard.look(SECURITY)
    assert bot.ledger.read().compared
    assert bot.restore() is None


def test_each_worker_compares_with_what_it_knows_also_if_another_was_faster(bot: Bot, tmp_path: Path) -> None:
    """The other worker lost the old server before Ada gave it back."""
    other = RollbackGuard(
        bot.ledger, bot.trail, lambda: AnchorFile(tmp_path / "other"), bot.new_id, None, bot.primary
    )
    bot.sealed_once()
    for _ in range(2):
        other.look(SECURITY)
    grant = ended_behind_the_replicas_back(bot)
    ours = bot.anchor
    bot.fail_over()
    bot.anchor = AnchorFile(tmp_path / "other")
    bot.another_guard().look(SECURITY)
    assert bot.ledger.read().compared
    assert bot.live(grant), "that worker has not heard of it"
    bot.anchor = ours
    bot.guard.look(SECURITY)
    assert not bot.live(grant)


def test_what_a_person_has_accepted_is_not_ended_again(bot: Bot) -> None:
    grant = ended_behind_the_replicas_back(bot)
    kept = bot.anchor
    bot.anchor = None
    bot.fail_over()
    bot.guard.look(SECURITY)
    accept_restore(bot.ledger, bot.trail, None, by="carol", why="she needs it")
    bot.run_due()
    bot.anchor = kept
    bot.another_guard().look(SECURITY)
    assert bot.live(grant)
    assert not bot.has(ADA), "it had most likely been revoked, and ends as that after a second look"


def test_a_server_that_took_over_is_accepted_only_with_the_key_of_the_seals(unanchored: Bot) -> None:
    bot = unanchored
    bot.sign_with(Pen())
    bot.given(ADA)
    bot.sealed_once()
    bot.fail_over()
    bot.guard.look(SECURITY)
    found = bot.restore()
    assert found
    assert found.key == "pen"
    with pytest.raises(PermanentFailure, match="set AUDIT_KEY as on the workers"):
        accept_restore(bot.ledger, bot.trail, None, by="carol", why="compared by hand")
    assert bot.restore()


def test_an_anchor_that_is_made_after_the_failover_proves_nothing(
    bot: Bot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rollback, "OTHERS_COMPARE_WITHIN", timedelta(hours=1))
    grant = ended_behind_the_replicas_back(bot)
    bot.fail_over()
    bot.anchor = AnchorFile(tmp_path / "fresh")
    new = bot.another_guard()
    for _ in range(3):
        assert new.look(SECURITY) is None
        assert bot.anchor.read() is None
    assert not bot.ledger.read().compared
    bot.look_at_holds(grant)
    assert not bot.has(ADA)
    monkeypatch.setattr(rollback, "OTHERS_COMPARE_WITHIN", timedelta())
    found = new.look(SECURITY)
    assert found
    assert found.anchored == "no anchor to compare with"
    assert bot.anchor.read() is None, "yet another server may take over that has not heard of it"
    accept_restore(bot.ledger, bot.trail, None, by="carol", why="compared by hand")
    new.look(SECURITY)
    assert bot.anchor.read()


def test_an_anchor_that_was_not_written_lately_is_as_good_as_none(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker was gone for long, while others with their own anchors went on."""
    monkeypatch.setattr(rollback, "KEPT_UP_WITHIN", timedelta())
    ours = bot.anchor
    assert ours
    bot.sealed_once()
    bot.guard.look(SECURITY)
    old = ours.read()
    assert old
    bot.anchor = None
    bot.guard = bot.another_guard()
    for each in ("G1", "G2"):
        bot.ledger.commit(Change(audit=(Entry(what="ending", grant=each),)))
        bot.sealed_once()
    grant = ended_behind_the_replicas_back(bot)
    bot.fail_over()
    bot.anchor = ours
    new = bot.another_guard()
    found = new.look(SECURITY)
    assert found
    assert found.failover
    assert found.anchored == f"only seal {old.number}, in an anchor that was not up to date"
    new.look(SECURITY)
    bot.look_at_holds(grant)
    assert not bot.has(ADA)
    assert ours.read() == old


def test_another_primary_says_nothing_of_what_was_written_before_it() -> None:
    """Its own replica has everything it ever had, but it never received the last end that was committed."""
    with replica_set() as (primary, replica), Redis.from_url(replica.url) as promoted:
        relay = Relay(lambda: primary.port)
        with connect(primary.url.replace(str(primary.port), str(relay.port))) as client:
            ledger = RedisLedger(client, copies=1)
            ledger.commit(Change(audit=(Entry(what="before"),)))
            assert ledger.wait_for_copies()
            promoted.execute_command("REPLICAOF", "NO", "ONE")
            ledger.commit(Change(audit=(Entry(what="ending"),)))
            primary.server.kill()
            relay.lead_to(lambda: replica.port)
            primary.restart()
            primary.follow(replica)
            assert not ledger.wait_for_copies()
            assert [entry.what for _, _, entry in ledger.entries()] == ["before"]
            ledger.commit(Change(audit=(Entry(what="after"),)))
            assert ledger.wait_for_copies()
        relay.close()
