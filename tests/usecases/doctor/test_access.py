"""``rotakey doctor`` reports access that should be gone, and whether the audit can be trusted."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from bot.core.audit.anchor import Anchored
from bot.core.catalog import AuditRules
from bot.core.errors import TemporaryFailure
from bot.core.holds import Hold
from bot.core.strays import Stray, StrayState
from bot.ports.changes import Change, Entry
from bot.ports.documents import Key, Restore, SealHead, Strays, StrayTargets
from bot.testing.cast import ADA, HOUR, NINE, PROD_DB
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.story import Story
from bot.usecases.doctor import access, evidence
from bot.usecases.doctor.findings import Finding, Grade, look_at, ok, wrong

DOWN = TemporaryFailure("orders-db does not answer")
ADAS = "orders_rw on orders-db for ada@example.com"
FILE = AuditRules(file="/var/lib/rotakey/anchor")


@pytest.fixture
def story() -> Story:
    return Story(sealed=True)


def told(findings: Iterable[Finding]) -> list[tuple[Grade, str]]:
    return [(each.grade, each.what) for each in findings]


# -------------------------------------------------------------------------------------------- access


def test_nothing_is_past_its_end(story: Story) -> None:
    story.ask(ADA)
    story.run_due()
    assert list(access.look_at_access(story.memory)) == [ok("access", "1 open grant, none past its end")]


def test_access_that_could_not_be_taken_back(story: Story) -> None:
    story.ask(ADA, length="1h")
    story.run_due()
    story.target.failing["revoke"] = DOWN
    story.pass_time(3 * HOUR)
    assert list(access.look_at_access(story.memory)) == [
        wrong(
            "access",
            f"prod-db of ada ({ADA}) is overdue for 2h and cannot be revoked: {DOWN}",
            "fix that, and it is revoked at the next attempt; or revoke it by hand at orders-db",
        )
    ]


def test_access_that_nobody_even_tried_to_take_back(story: Story) -> None:
    story.ask(ADA, length="1h")
    story.run_due()
    story.memory.advance(2 * HOUR)
    story.memory._due.clear()
    assert list(access.look_at_access(story.memory)) == [
        wrong(
            "access",
            f"1 hold is past its end, and no worker has tried to revoke it; the oldest, for 1h: {ADAS}",
            "run rotakey sweep --once, and check the workers",
        )
    ]


def test_what_ends_just_now_is_nothing_to_be_told(story: Story) -> None:
    story.ask(ADA, length="1h")
    story.run_due()
    story.memory.advance(HOUR + 30)
    assert told(access.look_at_access(story.memory)) == [(Grade.OK, "1 open grant, none past its end")]


def test_strays(story: Story) -> None:
    assert list(access.look_at_strays(MemoryLedger(NINE))) == []
    hold = Hold(target="orders-db", account="eve", entitlement=PROD_DB.gives[0])
    swept = {Key.of(StrayTargets): StrayTargets(targets=("orders-db",))}
    story.memory.commit(Change(put={**swept, Key.of(Strays, "orders-db"): Strays(at=story.now)}))
    assert told(access.look_at_strays(story.memory)) == [(Grade.OK, "none at 1 target, last swept 0s ago")]
    stray = Stray(hold=hold, since=story.now, state=StrayState.OPEN)
    put = {Key.of(Strays, "orders-db"): Strays(at=story.now, found={hold.key: stray})}
    story.memory.commit(Change(put=put))
    story.memory.advance(60)
    assert list(access.look_at_strays(story.memory)) == [
        wrong(
            "strays",
            "orders_rw on orders-db for eve was granted by Rotakey, and no grant has accounted for it for 1m",
            "decide in the security channel whether to revoke it",
        )
    ]


def test_a_redis_that_came_back_older(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    story.run_due()
    assert list(access.look_at_restore(story.memory)) == []
    lost = Restore(noticed_at=story.now, anchored="seal 12", found="seal 7", again=(grant,))
    story.memory.commit(Change(put={Key.of(Restore): lost}))
    story.memory.advance(60)
    assert list(access.look_at_restore(story.memory)) == [
        wrong(
            "restore",
            "Redis came back with older data 1m ago: it once had seal 12, and now has seal 7. Nothing has"
            " been granted since, and its 1 open grant may be wrong",
            "check who has access at each target; run rotakey audit verify; then run rotakey doctor"
            " --accept-restore",
        ),
        wrong(
            "restore",
            f"prod-db of ada ({ADA}) had ended, but is live again in this Redis",
            f"end it: /access revoke <@{ADA}> prod-db",
        ),
    ]


# --------------------------------------------------------------------------------------------- audit


class FakeAnchor:
    """Implements Anchor."""

    def __init__(self, kept: Anchored | None) -> None:
        self.kept = kept

    def read(self) -> Anchored | None:
        return self.kept

    def write(self, anchored: Anchored) -> None:
        self.kept = anchored


def audit(story: Story, rules: AuditRules = FILE, kept: Anchored | None = None) -> list[Finding]:
    place = FakeAnchor(kept) if rules.file else None
    return list(evidence.look_at_audit(story.memory, rules, lambda: place))


def head(story: Story) -> SealHead:
    found = story.memory.read({Key.of(SealHead)}).find(SealHead)
    assert found
    return found


def kept(story: Story) -> Anchored:
    return Anchored(number=head(story).number, head=head(story).head)


def test_the_audit_is_sealed_and_remembered(story: Story) -> None:
    story.pass_time(90)
    number = head(story).number
    assert [each.grade for each in audit(story, kept=kept(story))] == [Grade.OK, Grade.OK]
    assert audit(story, kept=kept(story))[1] == ok("audit", f"the anchor has seal {number}")


def test_nobody_seals(story: Story) -> None:
    story.memory.commit(Change(audit=(Entry(what="asked"),)))
    story.memory.advance(180)
    assert audit(story, kept=kept(story))[0] == wrong(
        "audit",
        "an audit entry has been unsealed for 3m",
        "start a worker; if one is running, look for seal:audit in its log",
    )


def test_the_audit_cannot_be_written(story: Story) -> None:
    story.pass_time(90)
    story.memory.audit_trouble = "it is a string"
    story.memory.commit(Change(audit=(Entry(what="taking"), Entry(what="taken")), frees=True))
    assert audit(story, kept=kept(story))[1] == wrong(
        "audit",
        "2 steps of revoking are not in the audit yet, because it could not be written",
        "find the reason in the workers' logs; until it is fixed, nothing is granted",
    )


def test_there_is_no_seal_yet() -> None:
    assert audit(Story(begin=False))[0] == look_at(
        "audit", "no audit entry is sealed yet", "run rotakey doctor again once a worker has run for a minute"
    )


def test_nothing_is_remembered_outside_redis(story: Story) -> None:
    story.pass_time(90)
    [_, none] = audit(story, AuditRules())
    assert none == look_at(
        "audit",
        "there is no anchor, so only a worker that keeps running notices a Redis with older data",
        "name a file for it in access.yaml: audit: {anchor: {file: /var/lib/rotakey/anchor}}",
    )
    [_, elsewhere] = audit(story)
    assert (elsewhere.grade, elsewhere.what) == (Grade.LOOK_AT, "the anchor file is not on this machine")


def test_the_anchor_is_behind_or_ahead(story: Story) -> None:
    story.pass_time(90)
    before = kept(story)
    story.memory.commit(Change(audit=(Entry(what="asked"),)))
    story.pass_time(240)
    [_, behind] = audit(story, kept=before)
    assert behind.grade is Grade.LOOK_AT
    assert behind.what.startswith("the anchor on this machine has not been written for 3m")
    [_, ahead] = audit(story, kept=Anchored(number=99, head="0" * 64))
    assert (ahead.grade, ahead.what) == (
        Grade.WRONG,
        f"the anchor has seal 99, but this Redis only {head(story).number}: it came back with older data",
    )
