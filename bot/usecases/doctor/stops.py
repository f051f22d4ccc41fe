"""The stops that security people have set, reported so that nobody forgets to end them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from bot.core.blocks import Ban, Freeze
from bot.core.people import Person
from bot.ports.documents import Key
from bot.usecases.access.sweep import HeldLedger
from bot.usecases.doctor.access import who
from bot.usecases.doctor.findings import MOST_ALIKE, Finding, ago, few, look_at

STOPPED = "stopped"


def look_at_stops(ledger: HeldLedger) -> Iterator[Finding]:
    banned = list(islice(chain.from_iterable(ledger.documents(Ban)), 10 * MOST_ALIKE))
    snap = ledger.read({Key.of(Freeze), *(Key.of(Ban, each) for each in banned)})
    bans = {each: ban for each in banned if (ban := snap.find(Ban, each))}
    freeze = snap.find(Freeze)
    setters = {stop.by for stop in (freeze, *bans.values()) if stop and stop.by}
    people = ledger.read({Key.of(Person, each) for each in (*bans, *setters)})
    if freeze:
        what = f"all automatic access has been frozen for {ago(freeze.at, snap.now)}"
        by = f" by {who(freeze.by, people)}" if freeze.by else ""
        yield look_at(STOPPED, what + by, "a security person can end this with /access unfreeze")
    yield from few(
        [
            look_at(
                STOPPED,
                f"nothing has been granted to {who(person, people)} for {ago(ban.at, snap.now)}",
                f"a security person can end this with /access allow <@{person}>",
            )
            for person, ban in bans.items()
        ]
    )
