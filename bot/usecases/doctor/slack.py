"""Checks whether Slack knows the app, has given it what it needs, and lets it into the channels in which
people are notified."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from bot.core.catalog import Catalog
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports.deadline import Deadline
from bot.ports.documents import GivenUp, Home, Key
from bot.ports.ledger import Ledger
from bot.ports.slack import App, AppFacts
from bot.usecases.doctor.findings import Finding, ago, count_of, look_at, ok, wrong
from bot.usecases.schedules.groups import LOSSES, REINSTALL

SLACK = "slack"
GIVEN_UP_SHOWN = timedelta(days=7)
SHUT_OUT = (
    "people cannot request access, and their messages wait until Slack is back; access still ends on time"
)


def look_at_app(app: App, wanted: Collection[str], ledger: Ledger, deadline: Deadline) -> Iterator[Finding]:
    """Look at Slack first, because Redis may be away. ``wanted`` are the scopes that the manifest asks
    for."""
    facts = None
    try:
        facts = app.facts(deadline)
        yield from scopes(facts, wanted)
    except TemporaryFailure as failure:
        yield wrong(SLACK, str(failure), SHUT_OUT)
    except PermanentFailure as failure:
        yield wrong(SLACK, str(failure))
    snap = ledger.read({Key.of(Home), Key.of(GivenUp)})
    home = snap.find(Home)
    if home and home.lost:
        said = f"Slack said {ago(home.lost_at or snap.now, snap.now)} ago"
        yield wrong(SLACK, f"{said} that {LOSSES.get(home.lost, home.lost)}: {SHUT_OUT}", REINSTALL)
    if home and facts and home.team != facts.team:
        what = (
            f"SLACK_BOT_TOKEN is for {facts.workspace} ({facts.team}), but this Redis belongs to {home.team}"
        )
        yield wrong(SLACK, what, "use a token of that workspace, or set another workspace: in access.yaml")
    yield from given_up(snap.find(GivenUp), snap.now)


def given_up(found: GivenUp | None, now: datetime) -> Iterator[Finding]:
    """Report that people did not get messages lately, although Slack answered."""
    if found and now - found.at <= GIVEN_UP_SHOWN:
        total = f"{count_of(found.count, 'message')} given up so far"
        what = f"Slack refused a message to {found.to} until {ago(found.at, now)} ago: {found.error}"
        yield look_at(
            SLACK,
            f"{what}; {total}",
            "find out why Slack refuses it; a message is given up after an hour",
        )


def scopes(facts: AppFacts, wanted: Collection[str]) -> Iterator[Finding]:
    if facts.scopes is None:
        yield look_at(
            SLACK, "Slack does not say which scopes the app has", "compare the app's scopes with manifest.yml"
        )
        return
    missing = sorted(set(wanted) - facts.scopes)
    if missing:
        what = f"the app lacks {', '.join(missing)}"
        yield wrong(SLACK, what, "add them as in manifest.yml, and reinstall the app")
    else:
        yield ok(SLACK, f"{facts.name} in {facts.workspace}, with all scopes it needs")


def look_at_socket(app: App, deadline: Deadline) -> Iterator[Finding]:
    try:
        app.socket(deadline)
    except (TemporaryFailure, PermanentFailure) as failure:
        yield wrong(
            SLACK,
            f"Socket Mode: {failure}",
            "check SLACK_APP_TOKEN: it starts with xapp-, and needs connections:write",
        )
    else:
        yield ok(SLACK, "Socket Mode: the app-level token is valid")


def look_at_channels(app: App, catalog: Catalog, deadline: Deadline) -> Iterator[Finding]:
    wanted = channels_of(catalog)
    if wanted:
        yield from channels(wanted, app.channels(deadline))


def channels_of(catalog: Catalog) -> tuple[str, ...]:
    resources = (resource.channel for resource in catalog.resources.values())
    every = (*resources, catalog.security_channel, catalog.audit.channel)
    return tuple(dict.fromkeys(each for each in every if each))


def channels(wanted: Collection[str], found: Collection[str] | None) -> Iterator[Finding]:
    if found is None:
        named = ", ".join(wanted)
        yield ok(
            SLACK,
            f"the bot may not see whether it is in {named}; add the scopes channels:read and groups:read",
        )
        return
    missing = [each for each in wanted if each not in found]
    if missing:
        what = f"the bot is not in {', '.join(missing)}, where access.yaml says to post"
        yield wrong(SLACK, what, "invite it there: /invite @rotakey")
    else:
        yield ok(SLACK, f"the bot is in {', '.join(wanted)}")
