"""A person on call gets access by asking, and approvers are not bothered."""

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from bot.testing.polling import until
from tests.e2e.rig import ADA, BOB, CAROL, DB_ACCESS, Rig

PAY = "UPDATE orders SET state = 'paid' WHERE id = 1003"


def test_ada_is_on_call_and_has_it_at_once_and_then_it_is_gone(rig: Rig) -> None:
    approvers_read = [rig.slack.messages(DB_ACCESS), rig.slack.dm(BOB), rig.slack.dm(CAROL)]
    answer = rig.types(ADA, "request prod-db 3s because orders are stuck")
    assert answer == (
        "You get *prod-db* until TIME (3 seconds): you are on call for pagerduty/PDBPRIM until TIME."
        " I'm granting it now and will message you when it works."
    )
    rig.has("orders_rw", "ada", within=3)
    with rig.login("ada") as session:
        assert session.execute(PAY).rowcount == 1
        card = rig.card(ADA, "orders are stuck")
        assert rig.lines(card.blocks) == [
            "You have *prod-db* until TIME.",
            "> orders are stuck",
            "Orders database, read and write. Gives orders_rw on orders-db."
            " Open sessions are closed when it ends, except any on replicas.",
            "Why this was approved: You are on call for pagerduty/PDBPRIM until TIME.",
            "Extend",
            "Done",
        ]
        rig.has("orders_rw", within=6)
        with pytest.raises(psycopg.OperationalError):
            session.execute(PAY)
    with rig.login("ada") as session, pytest.raises(InsufficientPrivilege):
        session.execute(PAY)
    rig.sees(ADA, "orders are stuck", "Your *prod-db* ended TIME: time is up.")
    until(rig.quiet)
    assert [
        rig.slack.messages(DB_ACCESS),
        rig.slack.dm(BOB),
        rig.slack.dm(CAROL),
    ] == approvers_read
