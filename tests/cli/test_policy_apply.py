"""``rotakey policy apply`` puts a file in force, and lists or ends the access that it does not allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import rotakey
from bot.core.catalog import Entitlement, version_of
from bot.core.grants import Grant, Origin, State
from bot.core.holds import Hold
from bot.core.people import Group, Person
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Lease, LeaseMove
from bot.ports.documents import Home, Key, PolicyInForce
from bot.testing.cast import ADA, TEAM, person
from bot.testing.valkey import valkey_url

POLICY = """
people: {email_domains: [example.com]}
targets: {db: {kind: postgres, url: '${DB_URL}'}}
resources:
  prod-db: {title: Orders, gives: [{target: db, role: rw}], approvers: [U02BOB], duration: {max: 12h}}
"""
STRICTER = POLICY.replace("prod-db:", "test-db:")
ROLE = Entitlement(target="db", what=(("role", "rw"),))


class Host:
    """A machine where the command runs: it can reach Redis, and no target."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.redis = connect(url)
        self.ledger = RedisLedger(self.redis)
        self.environ: Mapping[str, str] = {"REDIS_URL": url}

    def file(self, text: str) -> Path:
        path = self.folder / f"{version_of(text)}.yaml"
        path.write_text(text, "utf-8")
        return path

    def applies(self, text: str, *options: str) -> Result:
        words = ["policy", "apply", str(self.file(text)), "--by", "carol", *options]
        return CliRunner().invoke(rotakey, words, env=self.environ)

    def force(self) -> PolicyInForce:
        found = self.ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce)
        assert found
        return found

    def gives(self, who: str) -> str:
        """Put a live grant of prod-db into the ledger: from an hour ago until two hours from now."""
        now = self.ledger.read().now
        until = now + timedelta(hours=2)
        grant = Grant(
            id="G1",
            person=who,
            resource="prod-db",
            origin=Origin.ASKED,
            state=State.ACTIVE,
            asked_at=now,
            length=3_600,
            reason="why",
            policy="v1",
            approved_at=now,
            until=until,
            gives=(Hold(target="db", account="ada@example.com", entitlement=ROLE),),
        )
        home = Home(team=TEAM, enterprise=None, bot_user="U00BOT")
        self.ledger.commit(
            Change(
                put={
                    Key.of(Grant, grant.id): grant,
                    Key.of(Home): home,
                    Key.of(Person, who): person(who, now),
                },
                leases=(Lease(grant=grant.id, how=LeaseMove.START, until=until),),
                index={("open", grant.id): True, (f"person:{who}", grant.id): True},
            )
        )
        return f"prod-db of ada ({who}), until {until:%Y-%m-%d %H:%M} UTC"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with valkey_url() as url:
        host = Host(url, tmp_path)
        yield host
        for client in (host.redis, host.ledger._patient):
            client.connection_pool.disconnect()


def test_it_puts_a_file_in_force_also_one_that_was_before_and_as_often_as_one_likes(host: Host) -> None:
    first, second = version_of(POLICY), version_of(STRICTER)
    one = host.applies(POLICY)
    assert (one.exit_code, one.output) == (
        0,
        f"{host.file(POLICY)}: version {first} is in force\n",
    )
    assert host.applies(STRICTER).output.endswith(f"version {second} is in force instead of {first}\n")
    for _ in range(2):
        assert host.applies(POLICY).exit_code == 0
        assert (host.force().version, host.force().applied) == (first, True)
    said = [entry for _, _, entry in host.ledger.entries() if entry.what == "policy applied"]
    assert [entry.by for entry in said] == ["carol"] * 4


def test_the_file_may_come_from_the_environment(host: Host) -> None:
    environ = {**host.environ, "ACCESS_FILE": str(host.file(POLICY))}
    assert CliRunner().invoke(rotakey, ["policy", "apply"], env=environ).exit_code == 0
    assert host.force().version == version_of(POLICY)


def test_it_knows_where_the_targets_are_if_it_has_their_variables(host: Host) -> None:
    assert host.applies(POLICY).exit_code == 0
    assert host.force().reached == {}
    host.environ = {**host.environ, "DB_URL": "postgresql://bot:t0ken@here/orders"}
    assert host.applies(POLICY).exit_code == 0
    assert set(host.force().reached) == {"db"}
    assert not [each for each in ("t0ken", "here") if each in str(host.force())]


def test_it_names_what_is_live_and_not_allowed_and_ends_it_if_told_to(host: Host) -> None:
    adas = host.gives(ADA)
    assert host.applies(POLICY).output.endswith("is in force\n")
    named = host.applies(STRICTER)
    assert named.exit_code == 0
    assert named.output.splitlines()[1:] == [
        f"not allowed: {adas}: it is no longer in the policy",
        "to end the access that is not allowed, run rotakey policy apply --end",
    ]
    assert host.ledger.read({Key.of(Grant, "G1")}).leases
    ended = host.applies(STRICTER, "--end")
    assert ended.exit_code == 0
    assert ended.output.splitlines()[1:] == [f"ended: {adas}: it is no longer in the policy"]
    after = host.ledger.read({Key.of(Grant, "G1")})
    grant = after.find(Grant, "G1")
    assert grant
    assert (grant.state, after.leases) == (State.ENDING, {})
    assert not host.ledger.not_due([f"hold:{grant.gives[0].key}", "card:G1"])
    assert host.applies(STRICTER, "--end").output.splitlines()[1:] == []


def test_it_says_which_groups_are_others_from_now_on(host: Host) -> None:
    by_group = POLICY.replace("U02BOB", "slack/dba")
    assert host.applies(by_group).output.endswith("is in force\n")
    doubted = Group(name="slack/dba", members=(), read_at=host.ledger.read().now, id="S1", doubted=True)
    host.ledger.commit(Change(put={Key.of(Group, "slack/dba"): doubted}))
    assert host.applies(by_group).output.splitlines()[1:] == [
        "slack/dba: the group with this name in Slack now counts; it is not the same group as before"
    ]


def test_a_file_with_mistakes_changes_nothing(host: Host) -> None:
    host.applies(POLICY)
    wrong = host.applies(POLICY.replace("approvers", "aprovers"))
    assert wrong.exit_code == 1
    assert host.force().version == version_of(POLICY)


def test_misuse_and_a_redis_that_is_away_are_told_apart(host: Host, tmp_path: Path) -> None:
    assert CliRunner().invoke(rotakey, ["policy", "apply", "a", "b"], env=host.environ).exit_code == 2
    assert CliRunner().invoke(rotakey, ["policy"], env=host.environ).exit_code == 2
    host.environ = {"REDIS_URL": f"unix://{tmp_path}/none"}
    assert host.applies(POLICY).exit_code == 1
