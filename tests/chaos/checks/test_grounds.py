"""The violations that the harness finds in grants, grounds and votes, and what it accepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.core.catalog import Entitlement
from bot.core.grants import Answer, Cause, Extension, Grant, Ground, Origin, State, Vote
from bot.core.holds import Hold
from bot.core.reasons import Why, because
from bot.ports.changes import Entry
from tests.chaos import grounds, scenario, violations
from tests.chaos.actions import DONE, REFUSED, Action
from tests.chaos.faults import WRONG, Fault
from tests.chaos.history import ShownTerms, shown_in
from tests.chaos.store import AuditEntry
from tests.chaos.truth import Truth
from tests.chaos.violations import Violation

ADA, BOB, SECURITY = "U0001", "U0002", scenario.SECURITY[0]
ON_CALL_TOO = scenario.SECOND_LEVEL["PNIGHT"]


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def ground(until: float, cause: Cause = Cause.APPROVAL, **more: Any) -> Ground:
    return Ground(cause=cause, since=at(1), until=at(until), **more)


HOLD = Hold(
    target="orders-db",
    account="p001@example.com",
    entitlement=Entitlement(target="orders-db", what=(("role", "asked"),)),
)
GRANT = Grant(
    id="g1",
    person=ADA,
    resource="asked",
    origin=Origin.ASKED,
    state=State.ENDED,
    asked_at=at(1),
    approved_at=at(1),
    until=at(60),
    length=59,
    reason="of plan 1",
    policy="p1",
    grounds=(ground(60),),
    gives=(HOLD,),
    votes=(Vote(person=BOB, at=at(1)),),
)
SEEN = ShownTerms(value="g1 digest", roles=frozenset({"asked"}), seconds=59)


def an_action(
    what: str = "approve", by: str = BOB, shown: tuple[ShownTerms, ...] = (SEEN,), **more: Any
) -> Action:
    about = {"grant": "g1", "person": ADA, "resource": "asked", "sent": 1.0, "answered": 2.0, "outcome": DONE}
    return Action(**{"what": what, "by": by, "shown": shown, **about, **more})


def entry(seconds: float, what: str, by: str | None = None, **facts: object) -> AuditEntry:
    about = {"person": ADA, "resource": "table-1", **facts}
    return AuditEntry(at=seconds, entry=Entry(what=what, grant="g1", by=by, facts=about))


def truth_of(
    *every: Grant, actions: tuple[Action, ...] = (), entries: tuple[AuditEntry, ...] = (), **more: Any
) -> Truth:
    ledger = SimpleNamespace(
        grants={each.id: each for each in every},
        trail={"g1": entries},
        entries=entries,
        leases={},
        live=frozenset(),
    )
    rest: dict[str, Any] = {
        "observed": None,
        "remaining": frozenset(),
        "messages": {},
        "faults": (),
        "overrides": (),
    }
    return Truth(ledger=cast("Any", ledger), actions=actions, homes={}, **{**rest, **more})


def whats(found: Iterator[Violation]) -> list[str]:
    return [each.what for each in found]


# ------------------------------------------------------------------------------- the lease and its grounds


@pytest.mark.parametrize(
    ("grant", "right"),
    [
        pytest.param(GRANT, True, id="its only ground"),
        pytest.param(replace(GRANT, grounds=(ground(60), ground(20))), True, id="the last of two"),
        pytest.param(replace(GRANT, grounds=(ground(60), ground(90))), False, id="not the last of two"),
        pytest.param(
            replace(GRANT, grounds=(ground(60), ground(90, fell=because(Why.SHIFT_OVER)))),
            True,
            id="the last that has not fallen",
        ),
        pytest.param(replace(GRANT, grounds=()), True, id="of an older version"),
    ],
)
def test_a_lease_ends_with_its_last_ground(grant: Grant, right: bool) -> None:
    wrong = [] if right else ["lease does not end with the last ground"]
    assert whats(grounds.wrong_lease_ends(truth_of(grant))) == wrong


def test_there_is_one_live_grant_of_what_is_the_same() -> None:
    later = replace(GRANT, id="g2", approved_at=at(30), until=at(80))
    assert whats(grounds.duplicate_grants(truth_of(GRANT, later))) == ["two live grants of one resource"]
    assert not whats(grounds.duplicate_grants(truth_of(GRANT, replace(later, approved_at=at(60)))))
    other = Entitlement(target="orders-db", what=(("role", "asked_else"),))
    gives_other = replace(later, gives=(replace(HOLD, entitlement=other),))
    assert not whats(grounds.duplicate_grants(truth_of(GRANT, gives_other))), "it gives something else now"
    assert not whats(grounds.duplicate_grants(truth_of(GRANT, replace(later, person=BOB))))


def test_what_takes_the_place_of_another_is_there_since_it_was_written() -> None:
    """Decided at 30 seconds, and written at 60, when the other ended."""
    later = replace(GRANT, id="g1", approved_at=at(30), until=at(80))
    early = replace(GRANT, id="g0", until=at(60))
    assert whats(grounds.duplicate_grants(truth_of(early, later))) == ["two live grants of one resource"]
    assert not whats(grounds.duplicate_grants(truth_of(early, later, entries=(entry(60, "approved"),))))


# ------------------------------------------------------------------------------------ revocations

REVOKED = entry(10, "ending", by=BOB, why=Why.REVOKED)
REVOKES = an_action("revoke", resource="table-1", sent=9.9, answered=10.1, grant=None)
BY_RULE: dict[str, Any] = {"rule": "in_group slack/everybody", "votes": []}
APPROVED: dict[str, Any] = {"rule": "approvers", "votes": [BOB]}
WRONG_GRANT = ["granted by a rule after a revocation"]


def violations_in(*entries: AuditEntry, actions: tuple[Action, ...] = (REVOKES,)) -> list[str]:
    return whats(grounds.grants_after_revocation(truth_of(GRANT, actions=actions, entries=entries)))


def test_no_rule_gives_back_what_was_revoked() -> None:
    assert violations_in(REVOKED, entry(20, "approved", **BY_RULE)) == WRONG_GRANT
    assert violations_in(REVOKED, entry(20, "ground added", cause="shift", **BY_RULE)) == WRONG_GRANT
    assert not violations_in(REVOKED, entry(10 + scenario.REVOKED_FOR, "approved", **BY_RULE))
    assert not violations_in(entry(5, "approved", **BY_RULE), REVOKED)


def test_after_an_approval_rules_give_it_again() -> None:
    again = entry(20, "approved", by=BOB, **APPROVED)
    assert not violations_in(REVOKED, again, entry(30, "approved", **BY_RULE))


def test_what_its_holder_gave_back_may_be_given_again() -> None:
    own = entry(10, "ending", by=ADA, why=Why.REVOKED)
    assert not violations_in(own, entry(20, "approved", **BY_RULE), actions=(replace(REVOKES, by=ADA),))


def test_no_rule_gives_back_what_a_hand_took() -> None:
    taken = entry(10, "ending", why=Why.HAND_REMOVED)
    assert violations_in(taken, entry(20, "approved", **BY_RULE)) == WRONG_GRANT


def test_who_is_banned_gets_nothing_not_even_by_approvers() -> None:
    banned = entry(10, "banned", by=SECURITY)
    assert violations_in(banned, entry(20, "approved", by=BOB, **APPROVED)) == WRONG_GRANT
    assert not violations_in(banned, entry(15, "allowed", by=SECURITY), entry(20, "approved", **BY_RULE))


def test_rules_give_nothing_while_they_are_frozen() -> None:
    frozen = entry(10, "frozen", by=SECURITY)
    assert violations_in(frozen, entry(20, "approved", **BY_RULE)) == WRONG_GRANT
    assert not violations_in(frozen, entry(20, "approved", by=BOB, **APPROVED))
    assert not violations_in(frozen, entry(15, "unfrozen"), entry(20, "approved", **BY_RULE))


# -------------------------------------------------------------------------------------------------- votes


@pytest.mark.parametrize(
    ("actions", "right"),
    [
        pytest.param((an_action(),), True, id="as shown"),
        pytest.param((an_action(shown=(replace(SEEN, seconds=60),)),), True, id="for less"),
        pytest.param((an_action(shown=(replace(SEEN, seconds=58),)),), False, id="for more"),
        pytest.param(
            (an_action(shown=(replace(SEEN, roles=frozenset({"asked_else"})),)),), False, id="for other"
        ),
        pytest.param((an_action(shown=()),), False, id="unseen"),
        pytest.param((an_action(by="U0003"),), False, id="by somebody else"),
        pytest.param((an_action(outcome=REFUSED),), False, id="refused"),
        pytest.param((), False, id="by nobody"),
    ],
)
def test_a_vote_is_for_what_was_shown(actions: tuple[Action, ...], right: bool) -> None:
    wrong = [] if right else ["voted on other terms than shown"]
    assert whats(grounds.votes_on_other_terms(truth_of(GRANT, actions=actions))) == wrong


def test_so_is_a_vote_for_more_time() -> None:
    vote = Vote(person=BOB, at=at(30))
    extension = Extension(
        id="g1-1", asked_at=at(20), until=at(90), policy="p1", votes=(vote,), answer=Answer.APPROVED
    )
    grant = replace(GRANT, votes=(), extensions=(extension,))
    shown = ShownTerms(value="g1-1 digest", roles=frozenset({"asked"}), until=90)
    right, early = (
        an_action(grant="g1-1", shown=(shown,)),
        an_action(grant="g1-1", shown=(replace(shown, until=80),)),
    )
    assert not whats(grounds.votes_on_other_terms(truth_of(grant, actions=(right,))))
    for wrong in (early, an_action()):
        found = whats(grounds.votes_on_other_terms(truth_of(grant, actions=(wrong,))))
        assert found == ["voted on other terms than shown"]


def test_what_is_shown_is_read_as_people_read_it() -> None:
    button = {"type": "button", "action_id": "approve", "value": "g1 digest"}
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"text": "<@U0001> requests *both* for 1 minute."}},
        {
            "type": "context",
            "elements": [{"text": "What both is. Gives both_here on a-db, other on b-db. More."}],
        },
        {"type": "actions", "elements": [button]},
    ]
    wanted = ShownTerms(value="g1 digest", roles=frozenset({"both_here", "other"}), seconds=60)
    assert shown_in(blocks) == wanted
    assert shown_in(blocks[:2]) is None


# ------------------------------------------------------------------------------------------- wrong answers


def cut(*faults: Fault, person: str = ON_CALL_TOO) -> list[str]:
    grant = replace(GRANT, person=person, resource="night", ended=because(Why.SHIFT_OVER))
    ending = entry(50, "ending", why=Why.SHIFT_OVER)
    return whats(violations.unexplained_ends(truth_of(grant, entries=(ending,), faults=faults)))


def test_who_is_on_call_is_cut_by_no_wrong_answer() -> None:
    assert cut() == ["ended without a cause"]
    assert cut(Fault(what=WRONG, part="pager", start=47, end=49)) == ["cut by one wrong answer"]
    assert not cut(person="U0014"), "who is not on call any more"


def test_a_ground_that_fell_for_a_wrong_answer_is_found_too() -> None:
    grant = replace(GRANT, person=ON_CALL_TOO, resource="night")
    moved = entry(50, "end moved with the facts", fallen=["shift_over"])
    wrong = Fault(what=WRONG, part="pager", start=47, end=49)
    found = violations.unexplained_shortenings(truth_of(grant, entries=(moved,), faults=(wrong,)))
    assert whats(found) == ["cut by one wrong answer"]
