"""Two people claim one account: security people are asked, and their answer is carried out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.catalog import Named, SecurityRules
from bot.core.people import Person
from bot.core.reasons import Why
from bot.doubles.slack import Server, Workspace
from bot.ports.deadline import Deadline
from bot.ports.documents import AccountOwner, Alert, Key, Place
from bot.slack.views.alerts import alert as blocks_of
from bot.usecases.notifications.alerts import alert_view
from bot.usecases.schedules.ownership import owner_key
from tests.slack.conftest import CHANNEL
from tests.slack.rig import CATALOG, Rig, rig
from tests.slack.scenes import ADA, BOB, CAROL, NOW, pressable, slack_takes, texts

DAN = "U07DAN"
OWNER = owner_key("orders-db", "ada@example.com")
TEN_DAYS_AGO = NOW - timedelta(days=10)


@pytest.fixture
def it(workspace: Workspace, server: Server) -> Iterator[Rig]:
    with rig(workspace, server) as made:
        security = SecurityRules(channel="#security", people=(Named(person=CAROL), Named(person=DAN)))
        made.enacts(replace(CATALOG, version="sec", security=security))
        dan = Person(
            id=DAN, team="T1", name="dan", email="dan@example.com", email_confirmed=True, read_at=NOW
        )
        made.puts({OWNER: AccountOwner(person=DAN, since=TEN_DAYS_AGO), Key.of(Person, DAN): dan})
        yield made


def posted(it: Rig) -> str:
    """Post the question about Ada's request as a worker does, and return the ts of the message."""
    key = next(key for key in it.ledger._documents if key.kind == "alert")
    found = it.context.alert(key.id)
    assert found is not None
    view = alert_view(found)
    place = it.messenger.show_alert(view, Place(channel=CHANNEL, audience="approver"), Deadline.after(10))
    it.puts({key: replace(found, places=(place,))})
    assert slack_takes(blocks_of(view)[1])
    return str(place.ts)


def test_ada_is_refused_and_carol_is_asked(it: Rig) -> None:
    assert it.types(ADA, "request prod-db 2h because orders are stuck").startswith(
        f"<@{ADA}> would use the account ada@example.com at orders-db, but <@{DAN}> has used it since"
    )
    posted(it)
    (message,) = it.workspace.messages(CHANNEL)
    assert pressable(message.blocks) == [
        ("same_person", "Same person: move account"),
        ("somebody_else", "Somebody else"),
    ]
    assert texts(message.blocks)[0].startswith(
        f"⚠️ <@{ADA}> has the email address ada@example.com and wants to use the account of that name at"
        f" orders-db. <@{DAN}> has used it since"
    )


@pytest.mark.parametrize(("verb", "after"), [("same_person", ADA), ("somebody_else", DAN)])
def test_carol_answers(it: Rig, verb: str, after: str) -> None:
    it.types(ADA, "request prod-db 2h because orders are stuck")
    ts = posted(it)
    for who, why in ((BOB, Why.NOT_FOR_ACCOUNTS), (ADA, Why.ACCOUNT_CLAIMED)):
        assert it.workspace.click(who, CHANNEL, ts, verb).ok
        assert it.whispers()[-1] == (CHANNEL, why, who)
    assert it.workspace.click(CAROL, CHANNEL, ts, verb).ok
    found = it.ledger.read({OWNER}).find(AccountOwner, OWNER.id)
    assert found is not None
    assert found.person == after
    assert it.workspace.click(CAROL, CHANNEL, ts, "same_person").ok
    assert it.whispers()[-1] == (CHANNEL, Why.ALERT_SETTLED, CAROL)


def test_a_copied_question_does_nothing(it: Rig) -> None:
    it.types(ADA, "request prod-db 2h because orders are stuck")
    ts = posted(it)
    key = next(key for key in it.ledger._documents if key.kind == "alert")
    found = it.ledger.read({key}).find(Alert, key.id)
    assert found is not None
    it.puts({key: replace(found, places=())})
    it.workspace.click(CAROL, CHANNEL, ts, "same_person")
    assert it.ledger.read({OWNER}).find(AccountOwner, OWNER.id) == AccountOwner(
        person=DAN, since=TEN_DAYS_AGO
    )
