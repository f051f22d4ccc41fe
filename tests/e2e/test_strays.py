"""Somebody logs in as the bot and grants a role: people are asked, and their decision is carried out."""

from bot.doubles.slack.model import Message
from bot.ports.changes import Change, Due
from bot.testing.polling import until
from tests.e2e.rig import BOB, DAN, DB_ACCESS, Rig

NOT_YOU = "Only approvers of *prod-db* can do this. Ask one of them."
FOUND = "I granted that once, and no grant accounts for it now."
CAROLS = f"⚠️ @Carol's account carol has orders_rw on orders-db. {FOUND}"
DANS = f"⚠️ @Dan's account dan has orders_rw on orders-db. {FOUND}"


def test_what_nothing_explains_is_asked_about_and_what_an_administrator_gave_is_not(rig: Rig) -> None:
    with rig.administrator() as administrator, rig.the_bot() as bot:
        administrator.execute("GRANT orders_rw TO ada")
        for name in ("carol", "dan"):
            bot.execute(f"GRANT orders_rw TO {name}")
        sweep_now(rig)
        until(lambda: {rig.read(each.text) for each in asked(rig)}, expected={CAROLS, DANS})
        alerts = {rig.read(each.text): each for each in asked(rig)}
        carols, dans = alerts[CAROLS], alerts[DANS]

        assert rig.clicks(DAN, carols, "remove").ok
        rig.hears(DAN, NOT_YOU)
        assert rig.clicks(BOB, carols, "remove").ok
        assert rig.clicks(BOB, dans, "adopt").ok

        rig.has("orders_rw", "ada", "dan")
        until(lambda: now(rig, carols), expected="✅ Revoked TIME, as @Bob decided.")
        until(lambda: now(rig, dans), expected="✅ @Bob made it a grant: @Dan has *prod-db* until TIME.")
        [grant] = [each for each in rig.open_grants() if each.person == DAN]
        until(lambda: rig.audit(grant.id)[-1] == "active")
        rig.types(DAN, "done prod-db")
        rig.has("orders_rw", "ada")
        administrator.execute("REVOKE orders_rw FROM ada")


def sweep_now(rig: Rig) -> None:
    """Sweep now instead of in ten minutes."""
    now = rig.ledger.read(()).now
    rig.ledger.commit(Change(due=(Due(member="sweep:orders-db", at=now),)))


def asked(rig: Rig) -> list[Message]:
    return [each for each in rig.slack.messages(DB_ACCESS) if rig.read(each.text).endswith(FOUND)]


def now(rig: Rig, alert: Message) -> str:
    message = rig.slack.memory.message(alert.channel, alert.ts)
    return rig.read(message.text) if message else ""
