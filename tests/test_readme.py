"""What the README says is so: its policy loads, its commands exist, its SQL is enough."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import click
import psycopg
import pytest
from prometheus_client import REGISTRY
from redis.exceptions import NoPermissionError

from bot import config
from bot.cli import rotakey
from bot.core.catalog import Entitlement
from bot.core.grants import Grant
from bot.core.holds import Hold, Presence
from bot.ledger import checks
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Done, Due, Entry
from bot.ports.deadline import Deadline
from bot.ports.documents import Key
from bot.sandbox.stack.servers import Postgres as Server
from bot.slack.grammar import verbs
from bot.targets.postgres.target import Postgres
from bot.testing.valkeys import alone
from tests.paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")
FENCED = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")
SPANS = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", FENCED.sub("", README))]
VARIABLES = {
    "ORDERS_DB_URL": "postgresql://rotakey:secret@db.example.com/orders",
    "PAGERDUTY_TOKEN": "u+secret",
}
SAID_WITH = {"revokeall": "revoke", "waiting": "approve"}
"""Commands that begin with the verb of another one."""
THREATS = (ROOT / "docs" / "threats.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return [text for name, text in FENCED.findall(README) if name == language]


def typed_in_slack() -> Iterator[str]:
    """What stands behind /access: anywhere, and in the table, where it is written only once a line."""
    for row in re.findall(r"(?m)^\| (`/access [^|]*)\|", README):
        yield from (span.removeprefix("/access ") for span in re.findall(r"`([^`]+)`", row))
    yield from (span.removeprefix("/access ") for span in SPANS if span.startswith("/access "))


def typed_in_a_shell() -> list[str]:
    lines = "\n".join([*blocks("sh"), *blocks("crontab")]).splitlines()
    commands = [part.strip() for line in lines for part in re.split(" &&? ", line.partition(" #")[0])]
    return [each for each in (*commands, *SPANS) if re.match(r"(make|rotakey|pip|export) ", each)]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_policy_loads(text: str) -> None:
    policy = config.load(text, environ=VARIABLES)
    assert set(policy.catalog.resources) == {"prod-db", "orders-on-call", "schema-migration"}
    assert policy.catalog.source("pagerduty/PDBPRIM").stale_after == 600, "ten minutes, says the README"


def command_in(text: str) -> str:
    return type(verbs.parse(text.replace("@ada", "<@U02ADA|ada>"))).__name__.casefold()


@pytest.mark.parametrize("text", sorted(set(typed_in_slack())))
def test_what_is_to_be_typed_in_slack_is_understood(text: str) -> None:
    command = command_in(text)
    assert SAID_WITH.get(command, command) == text.partition(" ")[0]


def test_the_table_has_every_command() -> None:
    told = {command_in(each) for each in typed_in_slack()}
    known = {each.__name__.casefold() for each in verbs.Command.__args__}
    assert told >= known - {"help", "unknown", "waiting", "later"}


def test_every_length_in_the_table_is_one() -> None:
    [row] = re.findall(r"(?m)^\| `/access request [^|]*\|([^|]*)\|", README)
    named = [each for each in re.findall(r"`([^`]+)`", row) if each != "request"]
    assert len(named) == 5
    for each in named:
        command = verbs.parse(f"request prod-db {each} because orders are stuck")
        assert isinstance(command, verbs.Request)
        assert command.length, each


@pytest.mark.parametrize("line", typed_in_a_shell())
def test_what_is_to_be_typed_in_a_shell_exists(line: str) -> None:
    program, *words = line.split()
    match program:
        case "make":
            assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        case "rotakey":
            group: click.Command = rotakey
            while isinstance(group, click.Group):
                assert words[0] in group.list_commands(click.Context(group))
                group = group.commands[words.pop(0)]
            named = {name for each in group.params for name in each.opts}
            assert {each for each in words if each.startswith("-")} <= named
        case "pip":
            assert set(re.findall(r"\[(\w+)\]", line)) <= set(project()["optional-dependencies"])
        case _:
            named = {each.partition("=")[0] for each in words}
            read = {each.name.upper() for each in fields(config.Environment)}
            assert named <= read | set(VARIABLES)


def test_the_metrics_are_told() -> None:
    named = {name for each in SPANS for name in re.findall(r"\brotakey_\w+", each)}
    told = {metric.name for metric in REGISTRY.collect()}
    assert named
    assert named <= told


def test_every_test_that_the_threats_name_exists() -> None:
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", THREATS)
    assert len(named) > 40
    assert len(named) == len(re.findall(r"tests/\w", THREATS)), "a test is named in no other way"
    texts = {path: (ROOT / path).read_text("utf-8") for path, _ in named if (ROOT / path).exists()}
    assert [each for each in named if f"def {each[1]}(" not in texts.get(each[0], "")] == []


def project() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def test_all_that_it_points_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    paths = [each for each in SPANS if re.fullmatch(r"(bot|tests|docs)/[\w./]+", each)]
    assert len(links) >= 4
    assert [each for each in (*links, *paths) if not (ROOT / each).exists()] == []


@pytest.mark.parametrize("url", [each for each in SPANS if re.match(r"(rediss?(\+\w+)?|unix)://.", each)])
def test_the_ways_to_redis_are_understood(url: str, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    assert config.Environment.read({"REDIS_URL": url}).redis_url
    connect(url.replace("/etc/ssl/ca.pem", str(ca))).close()


def test_every_form_of_a_way_to_redis_is_told() -> None:
    told = {each.partition("://")[0] for each in SPANS if "://" in each}
    assert told >= {"redis", "rediss", "unix", "redis+sentinel", "redis+cluster", "rediss+sentinel"}


def test_the_bots_user_of_redis_is_allowed_just_what_it_needs() -> None:
    [rule] = blocks("redis")
    with alone() as server:
        server.ask(*rule.split())
        with connect(server.url.replace("//", "//rotakey:password@")) as client:
            ledger = RedisLedger(client)
            entry, due = Entry(what="asked"), Due(member="card:g1", at=datetime(2001, 1, 1, tzinfo=UTC))
            ledger.commit(Change(put={Key.of(Grant, "g1"): None}, due=(due,), audit=(entry,), copied=True))
            (claim,) = ledger.claim(1, 1, {}).claims
            assert ledger.renew([claim]) == {"card:g1"}
            ledger.commit(Change(done=Done(claim=claim), frees=True))
            ledger.wait(0.001)
            assert client.wait(0, 1) == 0
            assert [entry for _, _, entry in ledger.entries()] == [entry]
            assert (ledger.condition().owed, [*ledger.holds()], [*ledger.grants("open")]) == (0, [], [])
            assert (checks.objections(client), checks.warnings(client)) == ([], [])
            for forbidden in ("FLUSHALL", "SHUTDOWN", "KEYS *", "GET others", "CONFIG SET maxmemory 1"):
                with pytest.raises(NoPermissionError):
                    client.execute_command(*forbidden.split())


def test_the_bots_role_is_allowed_just_what_it_needs(tmp_path: Path) -> None:
    [statements] = blocks("sql")
    server = Server(tmp_path / "postgres", fsync=False)
    try:
        with server, psycopg.connect(server.url, autocommit=True) as admin:
            for role in ("orders_rw", "orders_ro", "migrator"):
                admin.execute(f"CREATE ROLE {role}")
            admin.execute("CREATE ROLE ada LOGIN PASSWORD 'hers'")
            admin.execute(statements.replace("…", "its"))
            target = Postgres("orders-db", server.url_for("rotakey", "its"))
            gives = Entitlement(target="orders-db", what=(("role", "orders_rw"),))
            hold = Hold(target="orders-db", account="ada", entitlement=gives)
            receipt = target.prepare(hold, Deadline.after(5))
            target.grant(hold, [receipt], None, Deadline.after(5))
            assert target.has(hold, [receipt], Deadline.after(5)).presence is Presence.OURS
            with psycopg.connect(server.url_for("ada", "hers"), autocommit=True) as session:
                session.execute("SET ROLE orders_rw")
                target.revoke(hold, [receipt], Deadline.after(5))
                with pytest.raises(psycopg.OperationalError):
                    session.execute("SELECT 1")
            assert target.has(hold, [receipt], Deadline.after(5)).presence is Presence.NONE
            target.close()
            with (
                psycopg.connect(server.url_for("rotakey", "its"), autocommit=True) as bot,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                bot.execute("SET ROLE orders_rw")
    finally:
        server.remove()
