"""What the README says is so: its policy loads, its commands exist, its SQL is enough."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import psycopg
import pytest
from prometheus_client import REGISTRY

from bot import config, wiring
from bot.cli import rotakey
from bot.core.catalog import Entitlement
from bot.core.holds import Hold, Presence
from bot.ports import Deadline
from bot.sandbox.servers import Postgres as Server
from bot.slack import grammar
from bot.targets.postgres import Postgres

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
FENCED = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")
SPANS = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", FENCED.sub("", README))]
VARIABLES = {"ORDERS_DB_URL": "postgresql://rotakey:secret@db.example.com/orders"}
YOURS = "bot/targets/yours.py"


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


@pytest.mark.parametrize("text", sorted(set(typed_in_slack())))
def test_what_is_to_be_typed_in_slack_is_understood(text: str) -> None:
    command = grammar.parse(text.replace("@ada", "<@U02ADA|ada>"))
    verb = text.partition(" ")[0]
    assert type(command).__name__.casefold() == verb


def test_the_table_has_every_verb() -> None:
    told = {each.partition(" ")[0] for each in typed_in_slack()}
    known = {each.__name__.casefold() for each in grammar.Command.__args__}
    assert told >= known - {"help", "unknown"}


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


def project() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def test_all_that_it_points_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    paths = [each for each in SPANS if re.fullmatch(r"(bot|tests|docs|bench)/[\w./]+", each)]
    assert len(links) >= 4
    assert YOURS in paths
    assert [each for each in (*links, *paths) if each != YOURS and not (ROOT / each).exists()] == []
    assert wiring.TARGETS


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
            target.give(hold, None, Deadline.after(5))
            assert target.has(hold, Deadline.after(5)) is Presence.OURS
            with psycopg.connect(server.url_for("ada", "hers"), autocommit=True) as session:
                session.execute("SET ROLE orders_rw")
                target.take(hold, Deadline.after(5))
                with pytest.raises(psycopg.OperationalError):
                    session.execute("SELECT 1")
            assert target.has(hold, Deadline.after(5)) is Presence.NONE
            target.close()
            with (
                psycopg.connect(server.url_for("rotakey", "its"), autocommit=True) as bot,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                bot.execute("SET ROLE orders_rw")
    finally:
        server.remove()
