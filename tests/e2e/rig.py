"""The view and the hands of a story: people in Slack, on-call schedules, and PostgreSQL as it really is."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from bot.cli.sandbox import to_try
from bot.core.grants import Grant, Origin, State
from bot.core.shifts import Roster
from bot.doubles.slack.model import Json, Message, Reply
from bot.ports.changes import Entry
from bot.ports.documents import Alert, Card, Key
from bot.sandbox.run import Policy, Sandbox, forget
from bot.sandbox.stack.bot_process import BotProcess
from bot.sandbox.stack.endpoint import Endpoint
from bot.sandbox.stack.orders import Orders
from bot.sandbox.stack.server_process import ServerProcess
from bot.slack.views.cards import BETWEEN
from bot.testing.polling import until

ADA, BOB, CAROL, DAN = "U02ADA", "U02BOB", "U02CAR", "U02DAN"
DB_ACCESS, SECURITY = "C0DBACCESS", "C0SECURITY"
POLICY = Path(__file__).with_name("access.yaml")
PATIENCE = 20.0
MEMBERS = """
SELECT u.rolname FROM pg_auth_members m
JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
WHERE r.rolname = %s AND u.rolname <> 'rotakey'
"""

Session = psycopg.Connection[Any]
T = TypeVar("T")


@contextmanager
def rig_in(folder: Path, policy: Policy | None = None) -> Iterator[Rig]:
    """Yield a running sandbox, and leave nothing of it behind."""
    try:
        with Sandbox(policy or to_try(POLICY), folder) as sandbox, closing(Rig(sandbox)) as rig:
            yield rig
    finally:
        forget(folder)


class Rig:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.slack = sandbox.workspace
        self.pager = sandbox.pager
        self.ledger = sandbox.ledger
        self._eye: Session | None = None

    def close(self) -> None:
        if self._eye:
            self._eye.close()

    @property
    def orders(self) -> Orders:
        return self.sandbox.system(Orders)

    @property
    def endpoint(self) -> Endpoint:
        return self.sandbox.system(Endpoint)

    # ------------------------------------------------------------------------------------ in Slack

    def types(self, who: str, text: str, channel: str = DB_ACCESS) -> str:
        """Type a command, and return the answer that only ``who`` can read."""
        return self.read(self.slack.type_command(who, channel, "/access", text).text)

    def listed(self, who: str, text: str) -> list[str]:
        """Return the lines of an answer that is a list."""
        return self.lines(self.slack.type_command(who, DB_ACCESS, "/access", text).blocks)

    def clicks(self, who: str, card: Message, verb: str) -> Reply:
        """Click no faster than a person can: by then the bot has noted which message is the card."""
        [grant] = {
            each["value"].partition(BETWEEN)[0]
            for block in card.blocks
            for each in block.get("elements", ())
            if each.get("action_id") == verb and "value" in each
        }
        until(lambda: (card.channel, card.ts) in self._places(grant))
        return self.slack.click(who, card.channel, card.ts, verb)

    def _places(self, name: str) -> set[tuple[str, str | None]]:
        """Return where the messages of a grant, or of an alert, are."""
        snap = self.ledger.read({Key.of(Card, name), Key.of(Alert, name)})
        cards = [each.places for each in snap.all(Card)]
        alerts = [each.places for each in snap.all(Alert)]
        return {(each.channel, each.ts) for places in (*cards, *alerts) for each in places}

    def cards(self, where: str, reason: str) -> list[Message]:
        """Return the bot's messages that quote the reason, in a channel or, by a person's id, in their DM."""
        messages = self.slack.dm(where) if where.startswith("U") else self.slack.messages(where)
        return [each for each in messages if f"> {reason}" in self.lines(each.blocks)]

    def card(self, where: str, reason: str) -> Message:
        """Return the one message about it, as soon as it is there."""
        until(lambda: self.cards(where, reason))
        [card] = self.cards(where, reason)
        return card

    def headlines(self, where: str, reason: str) -> list[str]:
        return [self.read(each.text) for each in self.cards(where, reason)]

    def sees(self, where: str, reason: str, headline: str, *, within: float = PATIENCE) -> None:
        """Wait until there is one message about it, with this headline."""
        until(lambda: self.headlines(where, reason), within, expected=[headline])

    def hears(self, who: str, whisper: str, times: int = 1) -> None:
        """Wait until the newest ``times`` messages that only ``who`` can see say this."""
        until(lambda: self.whispers(who)[-times:], expected=[whisper] * times)

    def dm(self, who: str) -> list[str]:
        """Return what the bot told ``who`` in direct messages."""
        return [self.read(each.text) for each in self.slack.dm(who)]

    def whispers(self, who: str) -> list[str]:
        """Return what the bot said that only ``who`` can see."""
        return [self.read(each.text) for each in self.slack.ephemerals(who)]

    def lines(self, blocks: list[Json]) -> list[str]:
        """Return all text on a card, in order."""
        texts = [
            part["text"]
            for block in blocks
            for part in (block.get("text"), *block.get("elements", ()))
            if isinstance(part, dict) and isinstance(part.get("text"), str | dict)
        ]
        plain = [text if isinstance(text, str) else str(text["text"]) for text in texts]
        return [line for text in plain for line in self.read(text).splitlines()]

    def read(self, text: str) -> str:
        """Return text as people read it: names for ids, TIME for any moment, N for how long ago something
        was."""
        text = re.sub(r"<!date\^[^>]*>", "TIME", text)
        text = re.sub(r"<@(\w+)>", lambda found: "@" + self.slack.memory.people[found[1]].real_name, text)
        text = re.sub(r"<#(\w+)>", lambda found: "#" + self.slack.memory.channels[found[1]].name, text)
        return html.unescape(re.sub(r"\d+ seconds? (ago|old)", r"N seconds \1", text))

    # --------------------------------------------------------------------------------- in PostgreSQL

    def has(self, role: str, *accounts: str, within: float = PATIENCE) -> None:
        """Wait until these, and nobody else, are in the role."""
        until(lambda: self.members(role), within, expected=set(accounts))

    def members(self, role: str) -> set[str]:
        """Return who has the role now, according to PostgreSQL."""
        try:
            self._eye = self._eye or self.administrator()
            found = self._eye.execute(MEMBERS, (role,)).fetchall()
        except psycopg.OperationalError:  # PostgreSQL was away meanwhile
            self._eye = self.administrator()
            found = self._eye.execute(MEMBERS, (role,)).fetchall()
        return {name for (name,) in found}

    def login(self, account: str) -> Session:
        return psycopg.connect(self.orders.database.logins[account], autocommit=True)

    def administrator(self) -> Session:
        return psycopg.connect(self.orders.database.url, autocommit=True)

    def the_bot(self) -> Session:
        """Connect with the bot's own role, without the bot's knowledge."""
        return psycopg.connect(self.orders.database.bot_url, autocommit=True)

    # ---------------------------------------------------------------------------------- in the ledger

    def open_grants(self) -> list[Grant]:
        return list(self.ledger.read((), ("open",)).all(Grant))

    def open_asks(self) -> list[Grant]:
        """Return the open requests that people made themselves."""
        return [each for each in self.open_grants() if each.origin is Origin.ASKED]

    def grant(self, reason: str) -> Grant:
        """Return the open grant that was requested with this reason."""
        [found] = [each for each in self.open_grants() if each.reason == reason]
        return found

    def roster(self, schedule: str) -> Roster:
        found = self.ledger.read({Key.of(Roster, schedule)}).find(Roster, schedule)
        assert found
        return found

    def live(self, grant: str) -> bool:
        return any(each["grant"] == grant for each in self.sandbox.observer.leases())

    def audit(self, grant: str) -> list[str]:
        """Return what happened to it, in order."""
        return [each.what for each in self.entries() if each.grant == grant]

    def entries(self) -> list[Entry]:
        found, after = [], ""
        while page := self.ledger.entries(after, 1000):
            after = page[-1][0]
            found += [entry for _, _, entry in page]
        return found

    def quiet(self) -> bool:
        """Return whether no message is owed to anybody."""
        return not self.owed("card:", "note:", "home:")

    def owed(self, *kinds: str, within: float = float("inf")) -> list[str]:
        """Return what the worker still has to do, now or ``within`` that many seconds."""
        latest = self.sandbox.observer.clock() + within
        redis: Any = self.sandbox.redis
        lanes = (f"rotakey:{{main}}:due:{lane}" for lane in redis.smembers("rotakey:{main}:lanes"))
        due = (each for lane in lanes for each in redis.zrange(lane, 0, latest * 1000, byscore=True))
        return [each for each in due if each.startswith(kinds)]

    # ----------------------------------------------------------------------------------- and around

    def also(self, command: str, environ: Mapping[str, str] | None = None, **more: str) -> BotProcess:
        """Start one more process of the bot, with the environment of the others or another one."""
        whole = {**(self.sandbox.environ if environ is None else environ), **more}
        return BotProcess(command, environ=whole, log=self.sandbox.data / f"another-{command}.log")

    @contextmanager
    def crashed(self, server: ServerProcess) -> Iterator[None]:
        """Kill it without warning, and start it again on what it had written."""
        server.kill()
        try:
            yield
        finally:
            server.start()

    @contextmanager
    def slack_is(self, **faults: Any) -> Iterator[None]:
        for name, value in faults.items():
            setattr(self.slack.faults, name, value)
        try:
            yield
        finally:
            for name, value in faults.items():
                setattr(self.slack.faults, name, type(value)())

    @contextmanager
    def pager_is(self, **faults: Any) -> Iterator[None]:
        for name, value in faults.items():
            setattr(self.pager.faults, name, value)
        try:
            yield
        finally:
            for name, value in faults.items():
                setattr(self.pager.faults, name, type(value)())

    def second(self, ahead: int = 0) -> datetime:
        """Return the current second, or one that many ahead: on-call services know nothing smaller."""
        return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=ahead)

    def settle(self) -> None:
        """End what a story left open, and wait until everybody was told."""
        for grant in self.open_grants():
            if grant.origin is Origin.ASKED and grant.state is not State.ENDING:
                self.types(grant.person, f"done {grant.id}")
        until(lambda: not self.open_asks())
        until(self.quiet)
