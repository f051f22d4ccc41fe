"""Putting the parts together: what a worker does, it does by the policy in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.deeds import Deeds
from bench.load_worker import NoopTarget
from bench.population import Life, account_of, settle
from bot import config, wiring
from bot.kinds import PostgresSettings
from bot.ports import Deadline
from bot.testing.valkey import valkey_url
from bot.usecases.enact import enact
from bot.usecases.turn import Turn

POLICY = """
people: {email_domains: [example.com]}
targets: {db: {kind: postgres, url: '${DB_URL}'}}
resources:
  prod-db: {title: Orders, gives: [{target: db, role: rw}], approvers: [U02BOB], duration: {max: 12h}}
"""
URLS = {"DB_URL": "postgresql://here", "MOVED_URL": "postgresql://elsewhere"}
HOUR = timedelta(hours=1)
Work = Callable[[wiring.Parts, Turn], object]


@pytest.fixture
def made() -> Iterator[wiring.Parts]:
    """A worker that follows the policy it started with."""
    with valkey_url() as url:
        environ = {"SLACK_BOT_TOKEN": "xoxb-none", "REDIS_URL": url, **URLS}
        policy = config.load(POLICY, environ=environ)
        made = wiring.parts(config.Environment.read(environ), policy, environ)
        made.fittings.enact(made.ledger)
        made.office.catalog()
        yield made
        for client in (made.redis, made.ledger._patient):
            client.connection_pool.disconnect()


@pytest.mark.parametrize(
    "work",
    [
        lambda made, turn: wiring.together(made)["hold"].do([turn], hurry=False),
        lambda made, turn: wiring.together(made)["hold"].do([turn], hurry=True),
        lambda made, turn: wiring.duties(made)["hold"](turn),
    ],
    ids=["in one go", "in a hurry", "alone"],
)
def test_what_is_over_is_revoked_where_the_policy_in_force_says_that_the_target_is(
    made: wiring.Parts, work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deeds, asked = Deeds(tmp_path / "deeds"), list[str]()

    def found(name: str, settings: PostgresSettings, *_: Any) -> NoopTarget:
        asked.append(settings.url.get_secret_value())
        return NoopTarget(name, deeds)

    monkeypatch.setattr(wiring, "TARGETS", {PostgresSettings: found})
    moved = config.load(POLICY.replace("DB_URL", "MOVED_URL"), environ=URLS)
    enact(made.ledger, moved.catalog, moved.text)
    now = made.ledger.read(()).now
    adas = Life(name="ADA", given_at=now - HOUR, seen_at=now - HOUR / 2, until=now - HOUR / 3)
    settle(made.ledger, deeds, moved.catalog, [adas])
    (claim,) = made.ledger.claim(1, 1, {}, ("hold",)).claims
    assert not work(made, Turn(claim, Deadline.after(0)))
    assert asked == ["postgresql://elsewhere"]
    assert account_of("ADA") in deeds.taken()
