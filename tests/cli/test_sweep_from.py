"""Redis's data is deleted: what a worker kept beside the anchor is enough to revoke by."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot import config
from bot.cli import rotakey
from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure
from bot.core.grants import Grant, HoldState, Origin, State
from bot.core.holds import Hold, HoldRecord, Phase
from bot.doubles.webhook import Members, Served
from bot.evidence.held_file import HeldFile, beside
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Lease, LeaseMove
from bot.ports.deadline import Deadline
from bot.ports.documents import Key
from bot.ports.target import Target
from bot.testing.valkey import valkey_url
from bot.wiring.adapters import Adapters
from tests.targets.webhook.stage import SECRET, peopled

ROLE = "orders_rw"
NOW = datetime.now(UTC).replace(microsecond=0)
PAST, LATER = NOW - timedelta(minutes=1), NOW + timedelta(hours=1)
TEXT = """\
people: {email_domains: [example.com]}
targets:
  hook: {kind: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}
resources:
  prod-db: {title: Production, gives: [{target: hook, role: orders_rw}], approvers: [U03BOB]}
"""


class World:
    """A worker with an endpoint, and its policy."""

    def __init__(self, folder: Path, url: str, members: Members) -> None:
        self.members = members
        self.folder = folder
        self.file = beside(str(folder / "anchor"))
        text = f"{TEXT}audit: {{anchor: {{file: {folder / 'anchor'}}}}}\n"
        (folder / "access.yaml").write_text(text)
        self.environ = {
            "HOOK_URL": url,
            "HOOK_SECRET": SECRET,
            "ACCESS_FILE": str(folder / "access.yaml"),
        }
        env = config.Environment.read(self.environ)
        self.target: Target = Adapters(env, self.environ, config.load(text, environ=self.environ)).target(
            "hook"
        )

    def grant(self, account: str, until: datetime) -> Hold:
        role = Entitlement(target="hook", what=(("role", ROLE),))
        hold = Hold(target="hook", account=account, entitlement=role)
        prepared = self.target.prepare(hold, Deadline.after(5))
        self.target.grant(hold, [prepared], until, Deadline.after(5))
        return hold

    def sweep(self, *words: str, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
        runner = CliRunner(env={"REDIS_URL": None, **self.environ, **(environ or {})})
        done = runner.invoke(rotakey, ["sweep", "--once", *words])
        return done.exit_code, done.output


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    members = peopled()
    members.keeps_end = False
    with Served(members) as served:
        yield World(tmp_path, served.url, members)


def test_what_is_past_its_end_is_revoked_without_redis_and_what_is_not_is_named(world: World) -> None:
    world.grant("ada", PAST)
    world.grant("bob", LATER)
    world.members.give_by_hand("carol", ROLE)

    assert world.sweep("--from", str(world.file)) == (
        0,
        "revoked: orders_rw on hook for ada\n1 more not past their end; --all revokes them, too\n",
    )
    assert world.members.holders(ROLE) == {"bob", "carol"}

    assert world.sweep("--from", str(world.file), "--all") == (0, "revoked: orders_rw on hook for bob\n")
    assert world.members.holders(ROLE) == {"carol"}
    assert world.sweep("--from", str(world.file), "--all") == (0, "")


def test_the_newest_file_of_several_workers_counts(world: World) -> None:
    hold = world.grant("ada", PAST)
    other = world.folder / "other.holds"
    shutil.copy(world.file, other)
    kept = HeldFile(world.file).read().holds[hold.key]
    HeldFile(other).write(replace(kept, until=LATER, at=kept.at + timedelta(seconds=1)))

    for files in ((world.file, other), (other, world.file)):
        code, said = world.sweep(*(word for file in files for word in ("--from", str(file))))
        assert (code, said) == (0, "1 more not past their end; --all revokes them, too\n")
    assert world.members.holders(ROLE) == {"ada"}


def test_what_cannot_be_revoked_is_named_and_tried_again_the_next_time(world: World) -> None:
    world.grant("ada", PAST)
    world.members.faults = replace(world.members.faults, down=True)
    code, said = world.sweep("--from", str(world.file), "--within", "2s")
    assert code == 1
    assert said.startswith("STILL THERE, because hook (revoke) answered 503: orders_rw on hook for ada")

    world.members.faults = replace(world.members.faults, down=False)
    assert world.sweep("--from", str(world.file)) == (0, "revoked: orders_rw on hook for ada\n")


def test_a_file_that_cannot_be_written_stops_no_sweep(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a copy on a disk that is mounted to be read only."""
    for account in ("ada", "bob"):
        world.grant(account, PAST)

    def refuse(*_: object) -> None:
        raise PermanentFailure("anchor.holds cannot be written: Read-only file system")

    monkeypatch.setattr(HeldFile, "write", refuse)
    code, said = world.sweep("--from", str(world.file))
    assert code == 0
    assert said.count("revoked: orders_rw on hook for ") == 2
    assert said.count("note: anchor.holds cannot be written") == 1
    assert world.members.holders(ROLE) == frozenset()


def test_a_damaged_line_is_named_and_the_rest_is_done(world: World) -> None:
    world.grant("ada", PAST)
    world.file.write_text(f"nonsense\n{world.file.read_text()}")
    assert world.sweep("--from", str(world.file)) == (
        1,
        f"UNREADABLE {world.file}:1: nobody knows what it held; look at that line\n"
        "revoked: orders_rw on hook for ada\n",
    )


def test_a_target_that_cannot_be_used_here_is_named(world: World) -> None:
    world.grant("ada", PAST)
    code, said = world.sweep("--from", str(world.file), environ={"HOOK_SECRET": ""})
    assert code == 1
    assert "STILL THERE, because target hook is skipped: " in said
    assert world.members.holders(ROLE) == {"ada"}


def test_what_a_live_grant_needs_is_left_if_redis_answers(world: World) -> None:
    hold = world.grant("ada", PAST)
    live = Grant(
        id="G1",
        person="U01ADA",
        resource="prod-db",
        origin=Origin.ASKED,
        state=State.ACTIVE,
        asked_at=NOW,
        gives=(hold,),
        holds={hold.key: HoldState.GIVEN},
        until=LATER,
        policy="v1",
        length=3600,
        reason="why",
    )
    record = HoldRecord(hold=hold, phase=Phase.GIVEN)
    with valkey_url() as url:
        ledger = RedisLedger(connect(url, "main"), "main")
        ledger.commit(
            Change(
                put={Key.of(Grant, "G1"): live, Key.of(HoldRecord, hold.key): record},
                leases=(Lease(grant="G1", how=LeaseMove.START, until=LATER),),
                index={(f"hold:{hold.key}", "G1"): True},
            )
        )
        code, said = world.sweep("--from", str(world.file), environ={"REDIS_URL": url})
        assert (code, said) == (0, "left alone, because a live grant needs it: orders_rw on hook for ada\n")
        assert world.members.holders(ROLE) == {"ada"}
    code, said = world.sweep("--from", str(world.file), environ={"REDIS_URL": "redis://127.0.0.1:1"})
    assert code == 0
    assert said.startswith("note: going by the files alone, because Redis cannot be read")
    assert world.members.holders(ROLE) == frozenset()


def test_all_is_only_for_a_file(world: World) -> None:
    code, said = world.sweep("--all")
    assert code == 2
    assert "--all needs --from FILE" in said
