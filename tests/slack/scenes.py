"""Grants in every state, for tests of what is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.core.catalog import Entitlement, Lengths, Resource
from bot.core.grants import Extension, Grant, HoldState, Origin, State, Traced, Vote
from bot.core.reasons import Why, because
from bot.doubles.slack.blocks import message_errors, too_long, view_errors, view_too_large
from bot.ports.slack import CardView
from bot.usecases.results import Offer, Standing

ADA, BOB, CAROL = "U01ADA", "U02BOB", "U03CAROL"
NOW = datetime(2025, 11, 21, 6, tzinfo=UTC)
TEN = NOW + timedelta(hours=4)
AT_SIX = "<!date^1763704800^{date_short_pretty} at {time}|2025-11-21 06:00 UTC>"
AT_TEN = "<!date^1763719200^{date_short_pretty} at {time}|2025-11-21 10:00 UTC>"
HOUR = 3_600
EVIL = '<!channel> & "<@U1>"\\' * 200

STALE = Traced(
    rule="on_call pagerduty/PDB level 1",
    outcome="cannot tell",
    reason=because(Why.ROSTER_STALE, schedule="pagerduty/PDB", age_s=1_200),
)
ON_CALL = Traced(
    rule="on_call pagerduty/PDB level 1",
    outcome="yes",
    reason=because(Why.ON_CALL, schedule="pagerduty/PDB", until_at=int(TEN.timestamp()), age_s=12),
)


def grant(state: State = State.ASKED, **changes: Any) -> Grant:
    """Return Ada's four hours of prod-db in that state."""
    asked = Grant(
        id="G7QX",
        person=ADA,
        resource="prod-db",
        origin=Origin.ASKED,
        state=state,
        asked_at=NOW,
        length=4 * HOUR,
        reason="orders are stuck",
        policy="abc",
        rule="approvers",
        asked_people=(BOB, CAROL),
    )
    if state not in (State.ASKED, State.DENIED, State.WITHDRAWN, State.LAPSED):
        asked = replace(asked, until=TEN, approved_at=NOW, votes=(Vote(person=BOB, at=NOW),))
    if state is State.ENDED:
        asked = replace(asked, ended_at=NOW, ended=because(Why.EXPIRED), holds={"h": HoldState.GONE})
    return replace(asked, **changes)


def view(state: State = State.ASKED, **changes: Any) -> CardView:
    """Return the card of that grant; ``changes`` are the grant's, except those that are the card's own."""
    own = {name: changes.pop(name) for name in tuple(changes) if name in CardView.__dataclass_fields__}
    card = CardView(
        grant=grant(state, **changes),
        title="Orders database, read and write",
        gives=("orders_rw on orders-db",),
        sessions="ended",
        needed=1,
        offer=(HOUR, 4 * HOUR, 12 * HOUR),
        max_length=12 * HOUR,
        kept_until=None,
    )
    return replace(card, **own)


def standing(state: State = State.ACTIVE, **changes: Any) -> Standing:
    it = grant(state, **changes)
    live = state in (State.APPROVED, State.ACTIVE)
    return Standing(grant=it, title="Orders database, read and write", live=live, until=it.until)


def more(**changes: Any) -> Extension:
    """Return Ada's request to have it until ten."""
    asked = Extension(id="G7QX-1", asked_at=NOW, until=TEN, policy="abc", asked_people=(BOB,))
    return replace(asked, **changes)


def offer(name: str = "prod-db", **changes: Any) -> Offer:
    gives = (Entitlement(target="orders-db", what=(("role", "orders_rw"),)),)
    title = changes.pop("title", "Orders database")
    resource = Resource(name=name, title=title, gives=gives, lengths=Lengths(default=HOUR, max=12 * HOUR))
    return Offer(resource=resource, outcome="ask", reason=because(Why.APPROVERS_ASKED))


def slack_takes(blocks: list[dict[str, Any]]) -> bool:
    """Check that Slack accepts these blocks in a message; if not, the failure shows its complaint."""
    assert message_errors(blocks) == []
    assert not too_long(blocks)
    return True


def slack_takes_view(shown: dict[str, Any]) -> bool:
    assert view_errors(shown, shown["type"]) == []
    assert not view_too_large(shown)
    return True


def texts(blocks: list[dict[str, Any]]) -> list[str]:
    """Return all text in sections and contexts, in order."""
    found: list[str] = []
    for block in blocks:
        found += [block["text"]["text"]] if block["type"] in ("section", "header") else []
        found += [each["text"] for each in block["elements"]] if block["type"] == "context" else []
    return found


def pressable(blocks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return each button's verb and label."""
    elements = [each for block in blocks if block["type"] == "actions" for each in block["elements"]]
    return [(each["action_id"], each.get("text", each.get("placeholder"))["text"]) for each in elements]
