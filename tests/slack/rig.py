"""All of the Slack side in one place: a workspace, a context on a ledger in memory, and the bot."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask
from slack_sdk import WebClient
from werkzeug.serving import make_server

from bot.core.catalog import Catalog, Entitlement, InGroup, Lengths, OnCall, Resource
from bot.core.errors import TemporaryFailure, Unconfirmed
from bot.core.grants import Grant
from bot.core.people import Group
from bot.core.shifts import Roster, Shift
from bot.doubles.slack import Server, Workspace
from bot.doubles.slack.model import CommandReply, Message
from bot.ports.changes import Change, Committed
from bot.ports.deadline import Deadline
from bot.ports.documents import Card, Home, Homepage, Key, Note, Place, PolicyInForce, PolicyText
from bot.slack.api.directory import SlackDirectory
from bot.slack.api.messenger import SlackMessenger
from bot.slack.incoming.afterwards import Afterwards
from bot.slack.incoming.listeners import SlackSettings, build
from bot.slack.wording.reasons import refusal
from bot.testing.memory_ledger import MemoryLedger
from bot.usecases.context import Context, grant_keys
from bot.usecases.notifications.cards import card_view
from bot.web import create
from tests.slack.conftest import BOT_TOKEN, CHANNEL, SIGNING_SECRET
from tests.slack.scenes import ADA, BOB, CAROL, HOUR, NOW, TEN

GIVES = (Entitlement(target="orders-db", what=(("role", "orders_rw"),)),)
PROD = Resource(
    name="prod-db",
    title="Orders database",
    gives=GIVES,
    lengths=Lengths(default=4 * HOUR, max=12 * HOUR, offer=(HOUR, 4 * HOUR)),
    approve_automatically=(OnCall(schedule="pagerduty/PDB"),),
    approvers=(InGroup(group="slack/dba"),),
    channel="#db-access",
)
CATALOG = Catalog(
    version="abc",
    resources={"prod-db": PROD, "vault": replace(PROD, name="vault", title="Vault")},
)


@dataclass
class Rig:
    workspace: Workspace
    ledger: FragileLedger
    context: Context
    messenger: SlackMessenger
    site: Flask
    afterwards: Afterwards

    def types(self, who: str, text: str, channel: str = CHANNEL) -> str:
        return self.answers(who, text, channel).text

    def approves(self, who: str, text: str) -> str:
        """Type an approval twice: the first answer shows what it is about."""
        self.types(who, text)
        return self.types(who, text)

    def answers(self, who: str, text: str, channel: str = CHANNEL) -> CommandReply:
        reply = self.workspace.type_command(who, channel, "/access", text)
        assert reply.status == 200
        return reply

    def grants(self) -> tuple[Grant, ...]:
        found = self.ledger.read((), ("open",)).all(Grant)
        return tuple(sorted(found, key=lambda grant: grant.asked_at))

    def grant(self) -> Grant:
        (found,) = self.grants()
        return found

    def posts(self, grant: Grant, channel: str = CHANNEL, audience: str = "approver") -> Message:
        """Post the card as the worker does, and return it."""
        catalog, snap = self.context.read_basis(lambda known: grant_keys(known, grant, grant.person))
        current = snap.find(Grant, grant.id)
        assert current is not None
        view = card_view(self.context, current, catalog, snap)
        wanted = Place(channel=channel, audience=audience)
        place = self.messenger.show(view, wanted, Deadline.after(10))
        places = (*self.context.card_places(grant.id), place)
        self.puts({Key.of(Card, grant.id): Card(places=places)})
        assert place.ts is not None
        message = self.workspace.memory.message(place.channel, place.ts)
        assert message is not None
        return message

    def puts(self, documents: dict[Key, Any]) -> None:
        self.ledger.commit(Change(put=documents))

    def enacts(self, policy: Catalog) -> None:
        """Put another policy in force."""
        self.context._load = lambda *_: policy
        version = policy.version
        self.puts(
            {
                Key.of(PolicyInForce): PolicyInForce(version=version),
                Key.of(PolicyText, version): PolicyText(text=""),
            }
        )

    def whispers(self) -> list[tuple[str, str, str | None]]:
        """Return the private messages that are owed: where, why, and to whom."""
        owed = [key for key in self.ledger._documents if key.kind == "note"]
        notes = self.ledger.read(owed).all(Note)
        return [(note.channel, note.reason.why.value, note.whisper_to) for note in notes]

    def heard_afterwards(self) -> list[str]:
        """Return what was found out once Redis answered, and is owed to people."""
        assert self.afterwards.find_out() == 0
        owed = [key for key in self.ledger._documents if key.kind == "note"]
        return [refusal(note.reason) for note in self.ledger.read(owed).all(Note)]

    def homes_owed(self) -> list[str]:
        keys = [key for key in self.ledger._documents if key.kind == "homepage"]
        return [page.person for page in self.ledger.read(keys).all(Homepage)]


class FragileLedger(MemoryLedger):
    """A ledger that can be out of reach. ``lost`` is how the next commit fails although it was sent:
    ``written`` (its answer is lost) or ``unwritten`` (it never arrived)."""

    down = False
    lost = ""

    def commit(self, change: Change) -> Committed:
        lost = self.lost if change.op else ""
        self.lost = "" if lost else self.lost
        written = super().commit(change) if lost != "unwritten" else None
        if written is None or lost:
            raise Unconfirmed("Redis does not answer as it should")
        return written

    def read(self, keys: Any = (), follow: Any = ()) -> Any:
        if self.down:
            raise TemporaryFailure("Redis does not answer")
        return super().read(keys, follow)


@contextmanager
def rig(workspace: Workspace, server: Server, on_call: Sequence[str] = (CAROL,)) -> Iterator[Rig]:
    """Yield a rig in which Carol is on call, Bob and Carol approve, and the bot listens over HTTP."""
    ledger = FragileLedger(NOW)
    client = WebClient(token=BOT_TOKEN, base_url=server.api_url)
    directory = SlackDirectory(client)
    context = Context(ledger, directory, lambda *_: CATALOG, lambda: "g" + secrets.token_hex(6))
    settings = SlackSettings(token=BOT_TOKEN, signing_secret=SIGNING_SECRET, api_url=server.api_url)
    afterwards = Afterwards(ledger, every=3600)
    site = create(build(context, settings, afterwards), lambda: None)
    made = Rig(
        workspace=workspace,
        ledger=ledger,
        context=context,
        messenger=SlackMessenger(client),
        site=site,
        afterwards=afterwards,
    )
    made.puts(documents(workspace, on_call))
    with listening(site) as url:
        workspace.connect(f"{url}/slack/events")
        yield made


def documents(workspace: Workspace, on_call: Sequence[str]) -> dict[Key, Any]:
    shifts = tuple(
        Shift(
            schedule="pagerduty/PDB",
            email=f"{workspace.memory.people[person].name}@example.com",
            level=1,
            start=NOW,
            end=TEN,
            person=person,
        )
        for person in on_call
    )
    home = Home(team=workspace.app.team.id, enterprise=None, bot_user=workspace.app.user_id)
    return {
        Key.of(PolicyInForce): PolicyInForce(version="abc"),
        Key.of(PolicyText, "abc"): PolicyText(text=""),
        Key.of(Home): home,
        Key.of(Group, "slack/dba"): Group(name="slack/dba", members=(BOB, CAROL), read_at=NOW),
        Key.of(Roster, "pagerduty/PDB"): Roster(schedule="pagerduty/PDB", shifts=shifts, read_at=NOW),
    }


@contextmanager
def listening(site: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, site, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


__all__ = ["ADA", "BOB", "CAROL", "CHANNEL", "Rig", "rig"]
