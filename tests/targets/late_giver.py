"""A bot that is stopped just before it sends what gives Ada the role, or just before it connects.

``late_giver.py URL ACCOUNT ROLE WHERE``: prints the moment after which nothing may be given, then stops.
"""

import os
import signal
import sys

from bot.core.catalog import Entitlement
from bot.core.errors import TemporaryFailure
from bot.core.holds import Hold
from bot.ports import Deadline
from bot.targets.postgres import Postgres, statements
from bot.targets.postgres.connections import Connections

STOPS_AT = {"before sending": (statements, "grant"), "before connecting": (Connections, "borrowed")}


def main(url: str, account: str, role: str, where: str) -> None:
    entitlement = Entitlement(target="orders-db", what=(("role", role),))
    not_after = Deadline.after(0.4)
    owner, name = STOPS_AT[where]
    go_on = getattr(owner, name)

    def stopped(*arguments: object) -> object:
        print(not_after.at, flush=True)  # noqa: T201
        os.kill(os.getpid(), signal.SIGSTOP)
        return go_on(*arguments)

    setattr(owner, name, stopped)
    try:
        Postgres("orders-db", url).give(
            Hold(target="orders-db", account=account, entitlement=entitlement), None, not_after
        )
    except TemporaryFailure as failure:
        sys.exit(f"not given: {failure}")


if __name__ == "__main__":
    main(*sys.argv[1:])
