"""Processes that share a ledger, each with its own file and environment, and servers by their URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from bot import config
from bot.core.catalog import Entitlement
from bot.core.grants import GIVE_WITHIN
from bot.core.holds import Hold, HoldRecord, Phase, Presence, Receipt, Seen, System
from bot.core.people import Group
from bot.ports.changes import Change, Due
from bot.ports.deadline import Deadline
from bot.ports.documents import Home, Key, Note, PolicyInForce, PolicyText
from bot.ports.target import Abilities, Holders, Target
from bot.targets.postgres.settings import PostgresSettings
from bot.testing.cast import ADA, NINE, SECURITY, TEAM, dba
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.slack import FakeDirectory
from bot.testing.story import shown_terms
from bot.usecases import enact
from bot.usecases.access import former
from bot.usecases.context import Context
from bot.usecases.job import Job
from bot.usecases.requests import ask, finish, votes
from bot.usecases.results import Asked, Standing
from bot.wiring import adapters

KEY, NEXT_KEY = "k" * 32, "n" * 32
OLD, NEW, NEWEST = "postgresql://old/orders", "postgresql://new/orders", "postgresql://newest/orders"
URLS = {"OLD_URL": OLD, "NEW_URL": NEW, "NEWEST_URL": NEWEST, "BILLS_URL": "postgresql://bills/bills"}
ROLE = Entitlement(target="orders-db", what=(("role", "orders_rw"),))
ADAS = Hold(target="orders-db", account="ada@example.com", entitlement=ROLE)
BILLS = Hold(target="bills-db", account="ada@example.com", entitlement=ROLE)

TEXT = """\
people: {email_domains: [example.com]}
targets:
  orders-db: {kind: postgres, url: "${OLD_URL}"}
  bills-db: {kind: postgres, url: "${BILLS_URL}"}
resources:
  prod-db: {title: Orders, gives: [{target: orders-db, role: orders_rw}], approvers: [U03BOB]}
  bills: {title: Bills, gives: [{target: bills-db, role: bills_rw}], approvers: [U03BOB]}
security: {channel: "#security"}
"""
MOVED = TEXT.replace("OLD_URL", "NEW_URL")
GONE = "".join(line for line in TEXT.splitlines(keepends=True) if "orders" not in line)


class Server:
    """Implements Target: the server at a URL, which is its own identity."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.revoked: list[str] = []
        self.closed = False

    @property
    def abilities(self) -> Abilities:
        return Abilities(marks=True, keeps_end=False, ends_sessions=True)

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        return Receipt(system=self.url)

    def grant(
        self,
        hold: Hold,
        receipts: Sequence[Receipt],
        until: datetime | None,
        not_after: Deadline,
    ) -> Receipt:
        return receipts[-1]

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        self.revoked.append(hold.account)

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        ours = all(each.system == self.url for each in receipts)
        presence = Presence.OURS if ours else Presence.ELSEWHERE
        return Seen(presence=presence, system=System(id=self.url), receipts=tuple(receipts))

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        return Holders(holders=(), system=System(id=self.url))

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        """Do nothing: it is always ready."""

    def close(self) -> None:
        self.closed = True


class Scene:
    """Processes on one ledger. ``servers`` has those that were built, by their URL."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger(NINE)
        self.servers: dict[str, Server] = {}
        self._ids = count(1)
        home = Home(team=TEAM, enterprise=None, bot_user="U00BOT")
        self.put({Key.of(Home): home, Key.of(Group, "slack/dba"): dba()})

    def build(self, _: str, settings: PostgresSettings) -> Target:
        url = settings.url.get_secret_value()
        return self.servers.setdefault(url, Server(url))

    def put(self, documents: Mapping[Key, Any]) -> None:
        self.ledger.commit(Change(put=documents))

    def new_id(self) -> str:
        return f"G{next(self._ids)}"

    def follower(self, text: str = TEXT, without: str = "", **environ: str) -> Process:
        """Return a process that has not put its own file in force, ``without`` one of the variables."""
        urls = {name: url for name, url in URLS.items() if name != without}
        return Process(self, text, {**urls, **environ})

    def web(self, text: str = TEXT) -> Process:
        """Return a web process that has started without any variable of a target."""
        process = Process(self, text, {}, secrets=False)
        process.start()
        return process

    def started(self, text: str = TEXT, **environ: str) -> Process:
        process = self.follower(text, **environ)
        process.start()
        return process

    def applied(self, text: str = TEXT, **environ: str) -> Process:
        """Return a process that started after its file was applied with the same environment."""
        process = self.follower(text, **environ)
        process.apply()
        process.start()
        return process

    def force(self) -> PolicyInForce:
        found = self.ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce)
        assert found
        return found

    def text(self, version: str | None = None) -> PolicyText:
        version = version or self.force().version
        found = self.ledger.read({Key.of(PolicyText, version)}).find(PolicyText, version)
        assert found
        return found

    def forge(self, text: str, version: str | None = None) -> None:
        """Write another text under a version, as somebody with access to Redis could."""
        version = version or self.force().version
        self.put({Key.of(PolicyText, version): replace(self.text(version), text=text)})

    def notes_in(self) -> list[Note]:
        """Return the messages that are owed to the security channel."""
        keys = [key for key in self.ledger._documents if key.kind == "note"]
        return [note for note in self.ledger.read(keys).all(Note) if note.channel == SECURITY]

    def history(self) -> list[str]:
        return [entry.what for _, _, entry in self.ledger.entries(count=1_000)]

    def held(self, hold: Hold = ADAS, phase: Phase = Phase.GIVEN) -> None:
        self.put({Key.of(HoldRecord, hold.key): HoldRecord(hold=hold, phase=phase)})

    def tidy(self, may_be_there: bool = True, after: timedelta = GIVE_WITHIN) -> None:
        """Check whether former targets are still needed, that long from now."""
        self.ledger.advance(after.total_seconds())
        self.ledger.commit(Change(due=(Due(member=former.FORMER, at=self.ledger.now),)))
        [claim] = self.ledger.claim(1, 1, {}, ("former",)).claims
        job = Job(claim, Deadline.after(0))
        former.tidy(self.ledger, self.ledger, job, lambda _: may_be_there)


class Process:
    """A web process or a worker."""

    def __init__(self, scene: Scene, text: str, environ: Mapping[str, str], *, secrets: bool = True) -> None:
        self.scene = scene
        self.policy = config.load(text, environ=environ, secrets=secrets)
        env = config.Environment.read(environ)
        self.keys = env.secret_keys
        text_of = partial(adapters.policy_text, scene.ledger)
        self.adapters = adapters.Adapters(env, environ, self.policy, text_of, starts=True, secrets=secrets)
        self.directory = FakeDirectory(lambda: scene.ledger.now)
        self.context = Context(scene.ledger, self.directory, self.adapters.follow, scene.new_id)

    def start(self) -> None:
        self.adapters.enact(self.scene.ledger)

    def apply(self) -> None:
        """Apply this process's file in its environment, as ``rotakey policy apply`` does."""
        enact.enact(self.scene.ledger, self.policy.catalog, self.policy.text, self.keys, by="carol")

    def ask(self, who: str = ADA, resource: str = "prod-db") -> Asked:
        return ask.ask(
            self.context, person=who, resource=resource, length=3_600, reason="why", op=self.scene.new_id()
        )

    def approve(self, who: str, grant: str) -> Standing:
        op = self.scene.new_id()
        terms = shown_terms(self.context, grant)
        return votes.approve(self.context, person=who, grant=grant, length=None, op=op, terms=terms)

    def give_back(self, who: str) -> Standing:
        return finish.give_back(self.context, person=who, which=None, op=self.scene.new_id())

    def revoke(self, by: str, who: str) -> Standing:
        op = self.scene.new_id()
        return finish.revoke(self.context, by=by, person=who, resource="prod-db", why="", op=op)
