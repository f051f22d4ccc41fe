"""Invariants of the ledger that hold after any input to the bot."""

from __future__ import annotations

from bot.core.grants import LIVE, OPEN, Grant, State
from bot.core.people import Group
from bot.ledger.codec import decode
from bot.ports.documents import Key
from bot.testing.memory_ledger import MemoryLedger
from bot.usecases.requests.admit import indexes

_GRANT = Grant.kind


def hold(ledger: MemoryLedger) -> None:
    documents = {key: decode(key, text) for key, (_, text) in ledger._documents.items()}
    grants = {key.id: each for key, each in documents.items() if isinstance(each, Grant)}
    for key, each in documents.items():
        assert isinstance(each, Group) or getattr(each, "id", key.id) == key.id  # that id is Slack's
    for lease in ledger._leases:
        assert grants[lease].state in LIVE, f"a lease without a live grant: {lease}"
    for name, members in ledger._indexes.items():
        assert members <= set(grants), f"{name} has a grant that is not there"
    for grant in grants.values():
        listed = {name for name, members in ledger._indexes.items() if grant.id in members}
        assert listed == (set(indexes(grant)) if grant.state in OPEN else set()), grant
        if grant.state in LIVE:
            assert grant.gives
            assert all(f"hold:{each.key}" in ledger._due for each in grant.gives), f"nobody takes {grant.id}"
            assert grant.until is None or ledger._leases.get(grant.id), f"no lease: {grant.id}"
        if grant.state is State.ASKED:
            assert f"ask:{grant.id}" in ledger._due, f"never lapses: {grant.id}"
            assert grant.person not in {vote.person for vote in grant.votes}
    for number, _, entry in ledger.entries(count=1_000_000):
        assert entry.what, number
        assert entry.grant is None or Key(_GRANT, entry.grant) in documents
