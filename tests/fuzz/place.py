"""A bot behind its real web server in a small Slack, with something in every state to click on."""

from __future__ import annotations

import copy
import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from structlog.testing import capture_logs
from werkzeug.test import Client, TestResponse

from bot.core.grants import Grant, State
from bot.doubles.slack import serve
from bot.ports.documents import Key
from tests.fuzz.shapes import Cards
from tests.slack.conftest import CHANNEL, SIGNING_SECRET, peopled
from tests.slack.rig import Rig, rig
from tests.slack.scenes import ADA, BOB, CAROL

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


class FuzzedPlace:
    def __init__(self, it: Rig, cards: Cards) -> None:
        self.it = it
        self.cards = cards
        self.client = Client(it.site)
        self._before = {
            name: copy.deepcopy(value) for name, value in vars(it.ledger).items() if name != "_lock"
        }

    def as_it_was(self) -> None:
        """Forget everything that was written since the beginning."""
        vars(self.it.ledger).update(copy.deepcopy(self._before))
        self.it.workspace.memory.modals.clear()
        self.it.workspace.api.calls.clear()

    def written(self) -> tuple[int, int]:
        """Return the counts that grow with anything that is written."""
        return self.it.ledger._counter, len(self.it.ledger._audit)

    def trigger(self, who: str) -> str:
        return self.it.workspace.tokens.trigger(who)

    def sends(self, body: bytes, headers: Mapping[str, str] | None = None, **forged: Any) -> TestResponse:
        """Send a request signed as Slack signs it, now, unless it is to be forged."""
        given = {"Content-Type": FORM, **signed(body, **forged), **(headers or {})}
        return self.client.post("/slack/events", data=body, headers=given)


def signed(body: bytes, *, late: float = 0, secret: str = SIGNING_SECRET) -> dict[str, str]:
    at = str(int(time.time() - late))
    digest = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}


@contextmanager
def fuzzed_place() -> Iterator[FuzzedPlace]:
    workspace = peopled()
    server = serve(workspace)
    try:
        with rig(workspace, server) as it:
            yield FuzzedPlace(it, _cards(it))
    finally:
        server.close()
        workspace.close()


def _cards(it: Rig) -> Cards:
    """Make cards: Carol has access; Ada's request was denied once, and waits once more."""
    with capture_logs():
        it.types(CAROL, "request prod-db 1h because x")
        active = it.grant()
        it.puts({Key.of(Grant, active.id): replace(active, state=State.ACTIVE)})
        it.types(ADA, "request vault 1h because x")
        ended = next(each for each in it.grants() if each.state is State.ASKED)
        it.types(BOB, f"deny {ended.id}")
        it.types(ADA, "request prod-db 2h because orders are stuck")
        asked = next(each for each in it.grants() if each.state is State.ASKED)
        posted = {
            active.id: it.posts(active, CAROL, "holder"),
            ended.id: it.posts(ended, ADA, "holder"),
            asked.id: it.posts(asked, CHANNEL, "approver"),
        }
        it.types(BOB, "list")
    places = {grant: (message.channel, message.ts) for grant, message in posted.items()}
    return Cards(asked=asked.id, active=active.id, ended=ended.id, places=places)
