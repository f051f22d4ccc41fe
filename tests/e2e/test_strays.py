"""Somebody logs in as the bot and hands out a role: people are asked, and what they decide is done."""

from bot.doubles.slack.model import Message
from bot.ports.changes import Change, Due
from tests.e2e.deployment import BOB, DAN, DB_ACCESS, Town, until

NOT_YOU = "Only approvers of *prod-db* can do this, and you are not one of them. Ask one of them."
FOUND = "I gave that once, and no grant explains it now."
CAROLS = f"⚠️ carol, the account of @Carol, has orders_rw on orders-db. {FOUND}"
DANS = f"⚠️ dan, the account of @Dan, has orders_rw on orders-db. {FOUND}"


def test_what_nothing_explains_is_asked_about_and_what_an_administrator_gave_is_not(town: Town) -> None:
    with town.administrator() as administrator, town.the_bot() as bot:
        administrator.execute("GRANT orders_rw TO ada")
        for name in ("carol", "dan"):
            bot.execute(f"GRANT orders_rw TO {name}")
        sweep_now(town)
        until(lambda: {town.read(each.text) for each in asked(town)}, expected={CAROLS, DANS})
        alerts = {town.read(each.text): each for each in asked(town)}
        carols, dans = alerts[CAROLS], alerts[DANS]

        assert town.clicks(DAN, carols, "remove").ok
        town.hears(DAN, NOT_YOU)
        assert town.clicks(BOB, carols, "remove").ok
        assert town.clicks(BOB, dans, "adopt").ok

        town.has("orders_rw", "ada", "dan")
        until(lambda: now(town, carols), expected="✅ Taken back, as @Bob wanted: seen gone TIME.")
        until(lambda: now(town, dans), expected="✅ @Bob made it a grant: @Dan has *prod-db* until TIME.")
        [grant] = [each for each in town.open_grants() if each.person == DAN]
        until(lambda: town.audit(grant.id)[-1] == "active")
        town.types(DAN, "done prod-db")
        town.has("orders_rw", "ada")
        administrator.execute("REVOKE orders_rw FROM ada")


def sweep_now(town: Town) -> None:
    """Not in ten minutes."""
    now = town.ledger.read(()).now
    town.ledger.commit(Change(due=(Due(member="sweep:orders-db", at=now),)))


def asked(town: Town) -> list[Message]:
    return [each for each in town.slack.messages(DB_ACCESS) if town.read(each.text).endswith(FOUND)]


def now(town: Town, alert: Message) -> str:
    message = town.slack.memory.message(alert.channel, alert.ts)
    return town.read(message.text) if message else ""
