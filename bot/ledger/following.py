"""Connections that follow the primary, as sentinels or the nodes of a cluster know it.

A workspace lies in one slot, so even in a cluster every call goes to one node at a time: an ordinary client
with ordinary connections, which look up where to go whenever they connect, and leave a node that no longer
wants them (MOVED, READONLY, silence).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from redis import Connection, ConnectionPool, Redis, SSLConnection
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 -- it is what the client retries
    MovedError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 -- likewise
)
from redis.retry import Retry

from bot.ledger.forms import Address, Form

ANSWER_WITHIN = 0.5
ASKED_AGAIN_AFTER = 5.0
"""Seconds. A primary that was replaced but does not know it is left within this time."""


Told = tuple[Address, Iterable[Address]]
"""The address of the primary, and of others who may know it."""
Ask = Callable[[Redis, Address], Told]
"""A function that asks a node, which is at this address. It raises RedisError if the node does not know."""


class Locator:
    """The way to the primary, in a cluster that of one slot: the first of several nodes that knows it is
    believed. Threads may share it."""

    def __init__(self, form: Form, slot: int) -> None:
        self.form = form
        self.slot = slot
        self._ask = by_sentinel(form.primary) if form.how == "sentinel" else by_slot(slot)
        self._nodes = form.nodes
        self._settings = dict(form.asking) | {
            "decode_responses": True,
            "protocol": 2,
            "socket_timeout": ANSWER_WITHIN,
            "socket_connect_timeout": ANSWER_WITHIN,
            "retry": Retry(NoBackoff(), retries=0),
        }
        self._there: tuple[Address, float] | None = None

    def find(self) -> Address:
        """Return the primary's address. Raise ConnectionError if no node knows it."""
        there = self._there
        if there is None:
            there = self._there = (self._ask_all(), time.monotonic())
        return there[0]

    def last_known(self) -> Address | None:
        """Return the primary's address as it was found no more than ASKED_AGAIN_AFTER ago, or the previous
        one if no node answers now; None if it was never found or was forgotten."""
        there = self._there
        if there and time.monotonic() - there[1] > ASKED_AGAIN_AFTER:
            self._there = (there[0], time.monotonic())
            try:
                self._there = (self._ask_all(), time.monotonic())
            except ConnectionError:
                return there[0]
        return self._there[0] if self._there else None

    def forget(self) -> None:
        self._there = None

    def note_move(self, to: Address) -> None:
        """Note an address that a node has redirected us to."""
        self._there = (to, time.monotonic())

    def _ask_all(self) -> Address:
        troubles = []
        for node in self._nodes:
            try:
                with self._client(node) as client:
                    found, others = self._ask(client, node)
            except RedisError as error:
                troubles.append(f"{node[0]}:{node[1]}: {error}")
                continue
            self._nodes = tuple(dict.fromkeys((node, *others, *self._nodes)))
            return found
        raise ConnectionError(f"no node knows where the primary is ({'; '.join(troubles)})")

    def _client(self, node: Address) -> Redis:
        host, port = node
        return Redis.from_pool(ConnectionPool(host=host, port=port, **self._settings))


def by_sentinel(primary: str) -> Ask:
    def ask(client: Redis, _: Address) -> Told:
        found: Any = client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", primary)
        if found is None:
            raise ResponseError(f"it does not know a primary named {primary}")
        return (str(found[0]), int(found[1])), ()

    return ask


def by_slot(slot: int) -> Ask:
    def ask(client: Redis, node: Address) -> Told:
        rows: Any = client.execute_command("CLUSTER", "SLOTS")
        owner = next((row[2] for row in rows if row[0] <= slot <= row[1]), None)
        if owner is None:
            raise ResponseError(f"no node has slot {slot}")
        every = [_address(each, node) for row in rows for each in row[2:]]
        return _address(owner, node), every

    return ask


def _address(told: Sequence[Any], asked: Address) -> Address:
    """Return the address a node gave. If it does not know its own name, it is where we found it."""
    host, port, *_ = told
    return (asked[0] if host in (None, "", "?") else str(host)), int(port)


class Following(Connection):
    """A connection to the address that the locator gives. Trouble that another node may not have is raised as
    ConnectionError, so that the client connects again and sends again: nothing was done."""

    def __init__(self, *, locator: Locator, **settings: Any) -> None:
        self._locator = locator
        self._sent_on: Address | None = None
        self._asking = False
        super().__init__(**settings)

    def connect(self) -> None:
        """Connect, to another node if the primary has moved. Called whenever the connection is taken from the
        pool."""
        there = self._locator.last_known()
        if self._sent_on or (there and there != (self.host, self.port)):
            self._sent_on, self._asking = None, False
            self.disconnect()
        super().connect()

    def _connect(self) -> Any:
        self.host, self.port = self._sent_on or self._locator.find()
        try:
            return super()._connect()
        except OSError:
            self._locator.forget()
            raise

    def on_connect_check_health(self, check_health: bool = True) -> None:
        super().on_connect_check_health(check_health)
        if self._locator.form.how != "sentinel":
            return
        self.send_command("ROLE", check_health=False)
        try:
            role = str(super().read_response()[0])
        except NoPermissionError:
            return
        if role != "master":
            self._locator.forget()
            raise self._gone_error("it is not a primary, although the sentinels say so")

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._asking:
            super().send_packed_command(self.pack_command("ASKING"), check_health=False)
            super().read_response()
        super().send_packed_command(command, check_health)

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().read_response(*arguments, **options)
        except AskError as error:
            # for good, or (ASK, or a slot that is not ours) for this one command
            there = (error.host or self.host, error.port)
            self._asking = not isinstance(error, MovedError)
            if self._asking or error.slot_id != self._locator.slot:
                self._sent_on = there
            else:
                self._locator.note_move(there)
            raise self._gone_error("the slot is at another node") from error
        except ReadOnlyError as error:
            self._locator.forget()
            raise self._gone_error("it was the primary, and no longer takes writes") from error
        except (ConnectionError, TimeoutError, ClusterDownError):
            self._locator.forget()
            raise

    def _gone_error(self, why: str) -> ConnectionError:
        where = f"{self.host}:{self.port}"
        self.disconnect()
        return ConnectionError(f"{where}: {why}")


class FollowingSecurely(Following, SSLConnection):
    """A ``Following`` with TLS."""


def following_settings(settings: Mapping[str, Any], there: Locator) -> dict[str, Any]:
    """Return the settings of connections that follow the primary."""
    secure = settings.get("connection_class") is SSLConnection
    return {**settings, "connection_class": FollowingSecurely if secure else Following, "locator": there}
