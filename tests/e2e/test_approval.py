"""Whoever is not on call asks people, and only the right people's word counts."""

import psycopg
import pytest
from psycopg.errors import AdminShutdown

from bot.core.grants import State
from bot.doubles.slack.model import Message, Person
from tests.e2e.deployment import ADA, BOB, CAROL, DAN, DB_ACCESS, Town, until

GONE = "U0GONE"


def card_of_dan(town: Town, reason: str) -> Message:
    town.types(DAN, f"request prod-db 1h because {reason}")
    return town.card(DB_ACCESS, reason)


def test_dan_asks_bob_approves_carol_comes_late_and_dan_gives_it_back(town: Town) -> None:
    for approver in (BOB, CAROL):
        town.types(approver, "who prod-db")
    answer = town.types(DAN, "request prod-db 1h because a customer waits")
    assert answer == (
        "Asked for *prod-db* for 1 hour. I'm asking its approvers in #db-access."
        " Without an answer it expires TIME."
    )
    card = town.card(DB_ACCESS, "a customer waits")
    assert town.lines(card.blocks)[:6] == [
        "@Dan asks for *prod-db* for 1 hour.",
        "> a customer waits",
        "Orders database, read and write. Gives orders_rw on orders-db."
        " Open sessions are closed when it ends, except any on replicas.",
        "Why this needs approval:",
        "· Not on call for pagerduty/PDBPRIM; the roster was read N seconds ago.",
        "Expires TIME if nobody decides.",
    ]
    with town.slack_is(down=True):  # so that Carol's Slack still shows the buttons
        assert town.clicks(BOB, card, "approve").ok
        town.has("orders_rw", "dan", within=3)
        until(lambda: town.grant("a customer waits").state, expected=State.ACTIVE)
        assert town.clicks(CAROL, card, "approve").ok
    town.sees(DB_ACCESS, "a customer waits", "@Dan has *prod-db* until TIME.")
    assert "Approved by @Bob." in town.lines(town.card(DB_ACCESS, "a customer waits").blocks)
    town.hears(CAROL, "@Bob already decided this: it is active. Nothing has changed by this.")
    with town.login("dan") as session:
        session.execute("SET ROLE orders_rw")
        session.execute("UPDATE orders SET state = 'paid' WHERE id = 6")
        assert town.types(DAN, "done prod-db") == "Done: *prod-db* is being taken back now."
        town.has("orders_rw")
        with pytest.raises(AdminShutdown):
            session.execute("SELECT * FROM orders")
    town.sees(DB_ACCESS, "a customer waits", "*prod-db* of @Dan ended TIME. Given back.")
    town.sees(DAN, "a customer waits", "Your *prod-db* ended TIME. Given back.")


def test_one_person_at_a_time_migrates_the_schema(town: Town) -> None:
    town.types(DAN, "request schema-migration 1h because of the new column")
    for approver in (BOB, CAROL):
        assert town.read(town.card(approver, "of the new column").text) == (
            "@Dan asks for *schema-migration* for 1 hour."
        )
    assert town.cards(DB_ACCESS, "of the new column") == []
    town.clicks(BOB, town.card(BOB, "of the new column"), "approve")
    town.has("migrator", "dan")
    for approver in (BOB, CAROL):
        town.sees(approver, "of the new column", "@Dan has *schema-migration* until TIME.")
    assert town.types(ADA, "request schema-migration 1h because of an index") == (
        "Only one person may have *schema-migration*, and @Dan has it until TIME."
        " Ask @Dan to give it back with `/access done`, then request it again."
    )
    town.types(DAN, "done schema-migration")
    town.has("migrator")
    until(lambda: not [each for each in town.open_grants() if each.resource == "schema-migration"])
    assert town.types(ADA, "request schema-migration 1h because of an index").startswith(
        "Asked for *schema-migration* for 1 hour. I asked @Bob and @Carol."
    )
    assert town.types(ADA, "done schema-migration") == "Withdrawn: your request for *schema-migration*."


def test_nobody_decides_about_their_own_ask(town: Town) -> None:
    town.types(BOB, "request prod-db 1h because of a bold idea")
    card = town.card(DB_ACCESS, "of a bold idea")
    town.clicks(BOB, card, "approve")
    own = "You can't decide about your own request. Another approver can; `/access done` withdraws it."
    town.hears(BOB, own)
    town.clicks(ADA, card, "approve")
    no_approver = "Only approvers of *prod-db* can do this, and you are not one of them. Ask one of them."
    town.hears(ADA, no_approver)
    assert town.types(DAN, f"approve {town.grant('of a bold idea').id}") == no_approver
    assert town.types(ADA, "revoke @bob prod-db because I say so") == no_approver
    assert town.members("orders_rw") == set()
    assert town.headlines(DB_ACCESS, "of a bold idea") == ["@Bob asks for *prod-db* for 1 hour."]


def test_strangers_and_guests_neither_ask_nor_approve(town: Town) -> None:
    stranger = Person(id="U0ELSE", name="eve", real_name="Eve", team_id="T0ELSE", is_stranger=True)
    guest = Person(id="U0GUEST", name="gus", real_name="Gus", email="gus@example.com", is_restricted=True)
    card = card_of_dan(town, "the shop is down")
    for person in (stranger, guest):
        town.slack.add_person(person)
        town.slack.invite(DB_ACCESS, person.id)
    foreign = (
        "@Eve belongs to another workspace, and access is only for members of this one."
        " Ask a member of this workspace."
    )
    guests = (
        "@Gus is a guest here, and guests can neither ask nor approve. Ask a full member of the workspace."
    )
    for person, refusal in ((stranger, foreign), (guest, guests)):
        assert town.types(person.id, "request prod-db 1h because I can") == refusal
        town.clicks(person.id, card, "approve")
        town.hears(person.id, refusal, times=2)
    assert town.members("orders_rw") == set()
    assert town.grant("the shop is down").votes == ()


def test_who_left_meanwhile_gets_nothing(town: Town) -> None:
    gone = Person(id=GONE, name="gina", real_name="Gina", email="gina@example.com")
    town.slack.add_person(gone)
    town.slack.invite(DB_ACCESS, GONE)
    with town.slack_is(down=True):
        assert town.types(GONE, "request prod-db 1h because of my last day") == (
            "Asked for *prod-db* for 1 hour. I'm still waiting for some information and will message you."
        )
        town.slack.deactivate(GONE)
    grant = town.grant("of my last day").id
    until(lambda: "refused" in town.audit(grant))
    assert town.cards(DB_ACCESS, "of my last day") == []
    assert town.members("orders_rw") == set()


def test_the_database_itself_refuses_whoever_was_given_nothing(town: Town) -> None:
    with town.login("dan") as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SET ROLE orders_rw")
