"""Results that could not be confirmed are found out automatically, on a thread that ends afterwards."""

from __future__ import annotations

import threading

from bot.core.errors import TemporaryFailure
from bot.core.reasons import Why, because
from bot.ports.changes import Change, Committed
from bot.ports.documents import Key, Note
from bot.slack.incoming.afterwards import Afterwards
from bot.testing.memory_ledger import MemoryLedger
from bot.usecases.retry import refusal_answer
from tests.slack.scenes import ADA, NOW


class Silent(MemoryLedger):
    """A ledger that does not answer the first time."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.asked = 0
        self.answered = threading.Event()

    def commit(self, change: Change) -> Committed:
        self.asked += 1
        if self.asked == 1:
            raise TemporaryFailure("Redis does not answer")
        written = super().commit(change)
        self.answered.set()
        return written


def test_it_asks_until_redis_answers() -> None:
    ledger = Silent()
    Afterwards(ledger, every=0.001).remember("cmd:1", ADA)
    assert ledger.answered.wait(10)
    [key] = [key for key in ledger._documents if key.kind == "note"]
    note = ledger.read({key}).find(Note, key.id)
    assert note
    assert (note.channel, note.reason.why) == (ADA, Why.NOT_DONE)
    assert key == Key.of(Note, note.id)


def test_it_begins_again_after_it_had_nothing_left() -> None:
    ledger = Silent()
    afterwards = Afterwards(ledger, every=0.001)
    for op in ("cmd:1", "cmd:2"):
        ledger.answered.clear()
        afterwards.remember(op, ADA)
        assert ledger.answered.wait(10)


def test_what_cannot_be_found_out_keeps_nobody_else_waiting() -> None:
    ledger = MemoryLedger(NOW)
    unknown = refusal_answer(because(Why.NOT_DONE)).replace(Why.NOT_DONE.value, "of a newer version")
    ledger.commit(Change(op="cmd:1", answer=unknown))
    afterwards = Afterwards(ledger, every=3600)
    for op in ("cmd:1", "cmd:2"):
        afterwards.remember(op, ADA)
    assert afterwards.find_out() == 0
    assert [key.kind for key in ledger._documents].count("note") == 1
