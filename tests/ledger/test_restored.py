"""A real Valkey's data folder is restored to an older state: the bot notices, and Carol accepts it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.core.audit.anchor import Anchored
from bot.core.audit.chain import Acceptance, acceptance_seal, text_of
from bot.core.audit.proof import Findings
from bot.evidence.anchor_file import AnchorFile
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Due
from bot.ports.documents import Key, Restore
from bot.slack.wording.reasons import refusal
from bot.testing.cast import ADA, BOB, CAROL, DAN, SECURITY
from bot.testing.story import Story
from bot.testing.valkey import Valkey
from bot.usecases.audit import evidence, rollback, seal
from bot.usecases.audit.restore import accept_restore
from bot.usecases.audit.seal import HEAD, SEAL, newest
from bot.usecases.audit.sentences import sentence


class Bot(Story):
    """A story on its own Valkey, whose clock nobody can set. Only the seals do not wait for seconds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(begin=False, sealed=True)
        self.data, self.copy = folder / "data", folder / "copy"
        self.data.mkdir()
        self.server = Valkey(self.data)
        self.server.start()
        self.redis = connect(self.server.url)
        self.ledger = self.trail = RedisLedger(self.redis)
        self.memory.now = self.ledger.read().now  # by which facts are said to be fresh
        self.anchor = AnchorFile(folder / "anchor")
        self.restarted()

    def restarted(self) -> None:
        """Start the bot's processes again, with nothing but the anchor."""
        self.sealing, self.guard, self.context = (
            self.another_sealing(),
            self.another_guard(),
            self.another_context(),
        )
        self.guard.look(SECURITY)
        self.enact(self.policy)
        self.run_due("workspace", "groups")
        self.run_due()

    def seal(self) -> None:
        """Run another job of the sealer at once. It anchors what it saw in the job before."""
        for _ in range(2):
            self.ledger.commit(Change(due=(Due(member=SEAL, at=self.ledger.read().now),)))
            self.run_due("seal")

    def back_up(self) -> None:
        """Copy the folder, as a snapshot of the disk would."""
        shutil.copytree(self.data, self.copy, ignore=shutil.ignore_patterns("socket"))

    def put_back(self) -> None:
        """Start the server with the copy, or empty if there is none."""
        self.server.kill()
        shutil.rmtree(self.data)
        if self.copy.exists():
            shutil.copytree(self.copy, self.data)
        else:
            self.data.mkdir()
        self.server.start()

    def kept(self) -> Anchored | None:
        return self.anchor.read() if self.anchor else None

    def examined(self, anchored: Anchored | None = None) -> Findings:
        """Export and verify the audit, as ``rotakey audit`` does."""
        texts = list(evidence.export_lines(evidence.lines(self.trail), "main", self.ledger.read().now))
        return evidence.examine(evidence.read_export(texts), anchored=anchored)

    def given(self, who: str) -> str:
        grant = self.ask(who, "schema-migration", "1h").standing.grant.id
        self.approve(BOB, grant)
        self.run_due()
        return grant

    def has(self, who: str, role: str = "migrator", target: str = "orders-db") -> bool:
        return super().has(who, role, target)

    def heard(self) -> list[str]:
        """Return what the security channel was told, without the times in it."""
        return [
            re.sub(r"<!date[^>]*>|2\d\d\d-[-0-9: ]* UTC", "TIME", refusal(it.reason))
            for it in self.messenger.notes_in(SECURITY)
        ]


@pytest.fixture
def bot(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bot]:
    for module, name in ((seal, "SETTLES"), (seal, "QUIET"), (seal, "LASTS"), (rollback, "LASTS")):
        monkeypatch.setattr(module, name, timedelta())
    with tempfile.TemporaryDirectory(prefix="rotakey-") as folder:  # short: a socket's path must be
        running = Bot(Path(folder))
        try:
            yield running
        finally:
            running.redis.close()
            running.server.kill()


def test_an_older_copy_is_noticed_at_work_and_at_a_start(bot: Bot) -> None:
    dans = bot.given(DAN)
    bot.seal()
    bot.back_up()
    bot.give_back(DAN)
    bot.run_due()
    assert not bot.has(DAN)
    bot.seal()
    newest = bot.kept()
    assert newest
    assert bot.examined(newest).wrong == ()
    bot.put_back()

    bot.seal()
    told = [
        f"🚨 Redis came back with older data: its audit once had seal {newest.number}, and now has seal"
        f" {newest.number - 1}, of TIME. I grant nothing new and keep revoking. Grants that are live in it:"
        " 1; don't trust them. Compare it with who has access at each target, and then run"
        " `rotakey doctor --accept-restore`.",
        f"🚨 <@{DAN}>'s *schema-migration* ended TIME, but is live again in the Redis that came back"
        f" ({dans}). Revoke it with `/access revoke`.",
    ]
    bot.run_due()
    assert bot.heard() == told
    [lost] = map(sentence, bot.examined(newest).wrong)
    assert lost == f"the anchored seal {newest.number} is missing: another one is in its place"

    bot.put_back()
    bot.restarted()
    assert bot.heard() == [*told, *told]


def test_nothing_is_given_until_it_is_accepted(bot: Bot) -> None:
    adas = bot.ask(ADA, "prod-db", "1h").standing.grant.id
    bot.approve(BOB, adas)
    bot.run_due()
    bot.seal()
    bot.back_up()
    bot.give_back(ADA)
    bot.run_due()
    bot.seal()
    newest = bot.kept()
    bot.put_back()
    bot.restarted()
    carols = bot.given(CAROL)
    assert not bot.has(CAROL)
    assert "rotakey doctor" in (bot.grant(carols).trouble or "")
    assert not bot.has(ADA, "orders_rw")
    accept_restore(bot.ledger, bot.trail, None, by="carol", why="disk lost")
    bot.run_due()
    assert bot.has(CAROL)
    assert not bot.has(ADA, "orders_rw"), "it is live in what was accepted, and had most likely ended"
    bot.seal()
    found = bot.examined(newest)
    assert found.wrong == ()
    assert "by carol (disk lost)" in sentence(found.notes[0])
    assert bot.guard.look(SECURITY) is None


def test_an_empty_folder_is_an_older_one_too(bot: Bot) -> None:
    bot.given(DAN)
    bot.seal()
    bot.put_back()
    bot.restarted()
    [told] = bot.heard()
    assert "and now has no seal at all" in told
    bot.given(CAROL)
    assert not bot.has(CAROL)
    assert bot.has(DAN), "a stray, which is for the sweep to tell"
    accept_restore(bot.ledger, bot.trail, None, by="carol", why="")
    bot.run_due()
    bot.seal()
    assert bot.has(CAROL)
    assert bot.examined(bot.kept()).wrong == ()


def test_a_crash_is_no_restore(bot: Bot) -> None:
    for _ in range(3):
        bot.given(DAN)
        bot.seal()
        bot.server.kill()
        bot.server.start()
        bot.restarted()
        bot.give_back(DAN)
        bot.run_due()
    assert bot.heard() == []
    assert bot.ledger.read({Key.of(Restore)}).find(Restore) is None


# ------------------------------------------------------------------ by somebody who may write in Redis


def test_what_is_no_grant_in_the_audit_hides_no_older_copy(bot: Bot) -> None:
    entry = r'{"what":"ending","grant":"\ud800","by":null,"facts":{}}'
    bot.redis.xadd("rotakey:{main}:audit", {"e": entry})
    bot.seal()
    bot.back_up()
    grant = bot.given(DAN)
    bot.give_back(DAN)
    bot.redis.xadd("rotakey:{main}:audit", {"e": entry})
    bot.seal()
    kept = bot.kept()
    assert kept
    assert [each.grant for each in kept.ended] == [grant]
    bot.put_back()
    assert bot.another_guard().look(SECURITY)
    assert restore_in(bot)


def restore_in(bot: Bot) -> Restore | None:
    return bot.ledger.read({Key.of(Restore)}).find(Restore)


def an_older_copy(bot: Bot) -> None:
    bot.seal()
    bot.back_up()
    bot.give_back(CAROL) if bot.has(CAROL) else bot.given(CAROL)
    bot.seal()
    bot.put_back()


def test_a_seal_that_cannot_be_read_hides_no_older_copy(bot: Bot) -> None:
    an_older_copy(bot)
    bot.redis.xadd("rotakey:{main}:seals", {"s": "nonsense"}, id="900-0")
    found = bot.another_guard().look(SECURITY)
    assert found
    assert found == restore_in(bot)
    assert found.found == "a seal that cannot be read (see rotakey audit verify)"


def test_a_list_of_grants_that_is_none_hides_no_older_copy(bot: Bot) -> None:
    an_older_copy(bot)
    bot.redis.set("rotakey:{main}:index:open", "nonsense")
    assert bot.another_guard().look(SECURITY)
    assert restore_in(bot)
    bot.run_due("note")
    assert bot.heard() == [
        "🚨 Redis came back with older data. I grant nothing new and keep revoking. Compare it with"
        " who has access at each target, and then run `rotakey doctor --accept-restore`."
    ]


@pytest.mark.parametrize(("key", "given_up"), [("\ud800", 1), (None, 10**4_300 - 1)], ids=["key", "number"])
def test_a_seal_that_nobody_could_have_made_is_noticed(bot: Bot, key: str | None, given_up: int) -> None:
    bot.seal()
    snap = bot.ledger.read({HEAD})
    head = newest(snap, bot.trail)
    forged = acceptance_seal(
        Acceptance(by="carol", why="", seal=given_up, head="0" * 64),
        number=head.number + 1,
        last=head.last,
        previous=head.head,
        at=snap.now,
        key=key,
    )
    bot.redis.xadd("rotakey:{main}:seals", {"s": text_of(forged)}, id=f"{forged.number}-0")
    assert bot.another_guard().look(SECURITY)
    assert restore_in(bot)
