"""A person who is not on call asks approvers, and only the right people's decision counts."""

import psycopg
import pytest
from psycopg.errors import AdminShutdown

from bot.core.grants import State
from bot.doubles.slack.model import Message, Person
from bot.testing.polling import until
from tests.e2e.rig import ADA, BOB, CAROL, DAN, DB_ACCESS, Rig

GONE = "U0GONE"


def card_of_dan(rig: Rig, reason: str) -> Message:
    rig.types(DAN, f"request prod-db 1h because {reason}")
    return rig.card(DB_ACCESS, reason)


def test_dan_asks_bob_approves_carol_comes_late_and_dan_gives_it_back(rig: Rig) -> None:
    for approver in (BOB, CAROL):
        rig.types(approver, "who prod-db")
    answer = rig.types(DAN, "request prod-db 1h because a customer waits")
    assert answer == (
        "Requested *prod-db* for 1 hour. I'm asking its approvers in #db-access."
        " Without an answer it expires TIME."
    )
    card = rig.card(DB_ACCESS, "a customer waits")
    assert rig.lines(card.blocks)[:5] == [
        "@Dan requests *prod-db* for 1 hour.",
        "> a customer waits",
        "Orders database, read and write. Gives orders_rw on orders-db."
        " Open sessions are closed when it ends, except any on replicas.",
        "Why this needs approval: @Dan is not on call for pagerduty/PDBPRIM.",
        "Expires TIME if nobody decides.",
    ]
    with rig.slack_is(down=True):  # so that Carol's Slack still shows the buttons
        assert rig.clicks(BOB, card, "approve").ok
        rig.has("orders_rw", "dan", within=3)
        until(lambda: rig.grant("a customer waits").state, expected=State.ACTIVE)
        assert rig.clicks(CAROL, card, "approve").ok
    rig.sees(DB_ACCESS, "a customer waits", "@Dan has *prod-db* until TIME.")
    assert "Approved by @Bob." in rig.lines(rig.card(DB_ACCESS, "a customer waits").blocks)
    rig.hears(CAROL, "@Bob already approved this. Nothing changed.")
    with rig.login("dan") as session:
        session.execute("SET ROLE orders_rw")
        session.execute("UPDATE orders SET state = 'paid' WHERE id = 6")
        assert rig.types(DAN, "done prod-db") == "Done: I'm revoking your *prod-db* now."
        rig.has("orders_rw")
        with pytest.raises(AdminShutdown):
            session.execute("SELECT * FROM orders")
    rig.sees(DB_ACCESS, "a customer waits", "@Dan gave *prod-db* back; it ended TIME.")
    rig.sees(DAN, "a customer waits", "You gave *prod-db* back; it ended TIME.")


def test_one_person_at_a_time_migrates_the_schema(rig: Rig) -> None:
    rig.types(DAN, "request schema-migration 1h because of the new column")
    for approver in (BOB, CAROL):
        assert rig.read(rig.card(approver, "of the new column").text) == (
            "@Dan requests *schema-migration* for 1 hour."
        )
    assert rig.cards(DB_ACCESS, "of the new column") == []
    rig.clicks(BOB, rig.card(BOB, "of the new column"), "approve")
    rig.has("migrator", "dan")
    for approver in (BOB, CAROL):
        rig.sees(approver, "of the new column", "@Dan has *schema-migration* until TIME.")
    assert rig.types(ADA, "request schema-migration 1h because of an index") == (
        "Only one person at a time can have *schema-migration*, and @Dan has it until TIME."
        " Ask @Dan to give it back with `/access done`, then request it again."
    )
    rig.types(DAN, "done schema-migration")
    rig.has("migrator")
    until(lambda: not [each for each in rig.open_grants() if each.resource == "schema-migration"])
    assert rig.types(ADA, "request schema-migration 1h because of an index").startswith(
        "Requested *schema-migration* for 1 hour. I'm asking @Bob and @Carol."
    )
    assert rig.types(ADA, "done schema-migration") == "Withdrawn: your request for *schema-migration*."


def test_nobody_decides_about_their_own_ask(rig: Rig) -> None:
    rig.types(BOB, "request prod-db 1h because of a bold idea")
    card = rig.card(DB_ACCESS, "of a bold idea")
    rig.clicks(BOB, card, "approve")
    own = "You can't approve or deny your own request. Another approver can. `/access done` withdraws it."
    rig.hears(BOB, own)
    rig.clicks(ADA, card, "approve")
    no_approver = "Only approvers of *prod-db* can do this. Ask one of them."
    rig.hears(ADA, no_approver)
    assert rig.types(DAN, f"approve {rig.grant('of a bold idea').id}") == no_approver
    assert rig.types(ADA, "revoke @bob prod-db because I say so") == no_approver
    assert rig.members("orders_rw") == set()
    assert rig.headlines(DB_ACCESS, "of a bold idea") == ["@Bob requests *prod-db* for 1 hour."]


def test_strangers_and_guests_neither_ask_nor_approve(rig: Rig) -> None:
    stranger = Person(id="U0ELSE", name="eve", real_name="Eve", team_id="T0ELSE", is_stranger=True)
    guest = Person(id="U0GUEST", name="gus", real_name="Gus", email="gus@example.com", is_restricted=True)
    card = card_of_dan(rig, "the shop is down")
    for person in (stranger, guest):
        rig.slack.add_person(person)
        rig.slack.invite(DB_ACCESS, person.id)
    foreign = (
        "@Eve belongs to another workspace, and access is only for members of this one."
        " Ask a member of this workspace."
    )
    guests = (
        "@Gus is a guest, and guests can't request or approve access. Ask a full member of the workspace."
    )
    for person, refusal in ((stranger, foreign), (guest, guests)):
        assert rig.types(person.id, "request prod-db 1h because I can") == refusal
        rig.clicks(person.id, card, "approve")
        rig.hears(person.id, refusal, times=2)
    assert rig.members("orders_rw") == set()
    assert rig.grant("the shop is down").votes == ()


def test_who_left_meanwhile_gets_nothing(rig: Rig) -> None:
    gone = Person(id=GONE, name="gina", real_name="Gina", email="gina@example.com")
    rig.slack.add_person(gone)
    rig.slack.invite(DB_ACCESS, GONE)
    with rig.slack_is(down=True):
        assert rig.types(GONE, "request prod-db 1h because of my last day") == (
            "Requested *prod-db* for 1 hour. I'm still waiting for some information and will message you."
        )
        rig.slack.deactivate(GONE)
    grant = rig.grant("of my last day").id
    until(lambda: "refused" in rig.audit(grant))
    assert rig.cards(DB_ACCESS, "of my last day") == []
    assert rig.members("orders_rw") == set()


def test_the_database_itself_refuses_whoever_was_given_nothing(rig: Rig) -> None:
    with rig.login("dan") as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SET ROLE orders_rw")
