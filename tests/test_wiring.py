"""Putting the parts together: what a worker does, it does by the policy in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.deeds import Deeds
from bench.load_worker import NoopTarget
from bench.population import Life, account_of, settle
from bot import config, wiring
from bot.core.errors import TemporaryFailure
from bot.kinds import PostgresSettings
from bot.ports import Change, Claim, Deadline, Done, Due, Key, PolicyInForce
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


KEEPS = "keep: 90d\naudit: {anchor: {file: /nowhere/anchor}}\n" + POLICY


class Keeper:
    """In the place of Retention: how long it was asked to keep what is over."""

    def __init__(self) -> None:
        self.asked: list[timedelta | None] = []

    def run(self, _: Claim, keep: timedelta | None, __: object) -> None:
        self.asked.append(keep)


def kept_for(made: wiring.Parts) -> timedelta | None:
    """Return what one look at what is old asks for. Raises what it raises."""
    keeper = Keeper()
    made.ledger.commit(Change(due=(Due(member="keep:audit", at=made.ledger.read(()).now),)))
    (claim,) = made.ledger.claim(1, 1, {}, ("keep",)).claims
    try:
        wiring.duties(replace(made, retention=keeper))["keep"](Turn(claim, Deadline.after(0)))  # type: ignore[arg-type]
    finally:
        made.ledger.commit(Change(done=Done(claim=claim)))
    [asked] = keeper.asked
    return asked


def test_nothing_is_dropped_by_a_policy_that_is_not_in_force(made: wiring.Parts) -> None:
    keeps = config.load(KEEPS, environ=URLS)
    enact(made.ledger, keeps.catalog, keeps.text)
    assert kept_for(made) == timedelta(days=90)
    elsewhere = KEEPS.replace("90d", "400d").replace("DB_URL", "ONLY_OTHERS_HAVE_IT")
    longer = config.load(elsewhere, environ={"ONLY_OTHERS_HAVE_IT": "postgresql://there"})
    enact(made.ledger, longer.catalog, longer.text)
    with pytest.raises(TemporaryFailure, match="cannot read the policy in force"):
        kept_for(made)
    made.ledger.commit(Change(put={Key.of(PolicyInForce): PolicyInForce(version="lost")}))
    assert made.office.catalog().closed
    assert kept_for(made) is None
    enact(made.ledger, keeps.catalog, keeps.text)
    assert kept_for(made) == timedelta(days=90)
