"""A bot that is stopped just before it connects, before it looks, or before it sends what grants the role.

``late_giver.py URL ACCOUNT ROLE WHERE``: prints the moment after which nothing may be granted, then stops.
"""

import os
import signal
import sys
from itertools import count

from bot.core.catalog import Entitlement
from bot.core.errors import TemporaryFailure
from bot.core.holds import Hold
from bot.ports.deadline import Deadline
from bot.targets.postgres.connections import Connection, Connections
from bot.targets.postgres.target import Postgres

STOPS_AT = {"connecting": (Connections, "borrow", 1), "looking": (Connection, "wait", 1)}
STOPS_AT["granting"] = (Connection, "wait", 2)


def main(url: str, account: str, role: str, where: str) -> None:
    entitlement = Entitlement(target="orders-db", what=(("role", role),))
    hold = Hold(target="orders-db", account=account, entitlement=entitlement)
    target = Postgres("orders-db", url)
    receipt = target.prepare(hold, Deadline.after(10))
    target.close()
    not_after = Deadline.after(0.4)
    owner, name, time = STOPS_AT[where]
    go_on, times = getattr(owner, name), count(1)

    def stopped(*arguments: object) -> object:
        if next(times) == time:
            print(not_after.at, flush=True)  # noqa: T201 -- for the one who goes on with it
            os.kill(os.getpid(), signal.SIGSTOP)
        return go_on(*arguments)

    setattr(owner, name, stopped)
    try:
        target.grant(hold, [receipt], None, not_after)
    except TemporaryFailure as failure:
        sys.exit(f"not granted: {failure}")


if __name__ == "__main__":
    main(*sys.argv[1:])
