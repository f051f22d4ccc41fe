"""The bot's messages in Slack, in all their versions, with the times."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from bot.doubles.slack.model import Call
from bot.slack.wording.spoken import for_length
from tests.chaos import scenario

_SHOWN = ("chat.postMessage", "chat.update")
_GIVES = re.compile(r"Gives ([^.]+)\.")
_LASTS = re.compile(r"requests \*[^*]+\* (for [^.]+)\.")
_UNTIL = re.compile(r"requests more time for \*[^*]+\*: until <!date\^(\d+)\^")
_SECONDS = {for_length(each): each for each in range(1, scenario.LONGEST + 1)}


@dataclass(frozen=True, kw_only=True)
class ShownTerms:
    """The terms that an approver was shown: the ``value`` of the button, the roles that it would give, and
    the seconds or the end."""

    value: str
    roles: frozenset[str]
    seconds: int = 0
    until: int = 0


@dataclass(frozen=True, kw_only=True)
class MessageVersion:
    """A message as it was posted or updated. By ``at`` it could be seen. ``grant`` is the grant or extension
    that its buttons are about; ``shown`` is what an approval would give, if there is a button for it."""

    channel: str
    ts: str
    at: float
    text: str
    grant: str | None
    first: bool
    shown: ShownTerms | None = None


class History(deque[Call]):
    """A log of calls for the workspace that forgets no message."""

    def __init__(self) -> None:
        super().__init__(maxlen=1000)
        self.versions: list[MessageVersion] = []
        self._grants: dict[tuple[str, str], str] = {}
        self._about: dict[str, list[MessageVersion]] = {}
        self._newest: dict[tuple[str, str], MessageVersion] = {}
        self._extensions: list[MessageVersion] = []
        self._verbs: dict[tuple[str, str], tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def append(self, call: Call) -> None:
        super().append(call)
        if call.method not in _SHOWN or not call.answer.get("ok"):
            return
        channel, ts = str(call.answer["channel"]), str(call.answer["ts"])
        with self._lock:
            blocks = call.args.get("blocks") or []
            grant = _grant_in(blocks) or self._grants.get((channel, ts))
            if grant:
                self._grants[(channel, ts)] = grant
            first = call.method == "chat.postMessage"
            text = str(call.args.get("text") or "")
            version = MessageVersion(
                channel=channel,
                ts=ts,
                at=call.at,
                text=text,
                grant=grant,
                first=first,
                shown=shown_in(blocks),
            )
            self.versions.append(version)
            self._newest[(channel, ts)] = version
            elements = [each for block in blocks for each in block.get("elements", ())]
            verbs = tuple(str(each["action_id"]) for each in elements if "action_id" in each)
            self._verbs[(channel, ts)] = verbs
            if grant and "-" in grant and first:
                self._extensions.append(version)
            self._about.setdefault(_reason_in(blocks), []).append(version)

    def about(self, reason: str) -> list[MessageVersion]:
        """Return the messages that quote the reason, in order."""
        with self._lock:
            return list(self._about.get(reason, ()))

    def newest(self, place: tuple[str, str]) -> MessageVersion | None:
        """Return the message at this place as it is now."""
        with self._lock:
            return self._newest.get(place)

    def with_buttons(self, verbs: tuple[str, ...]) -> list[tuple[tuple[str, str], tuple[str, ...]]]:
        """Return the messages that have any of these buttons now, and which."""
        with self._lock:
            found = {
                place: tuple(each for each in shown if each in verbs) for place, shown in self._verbs.items()
            }
        return [(place, shown) for place, shown in found.items() if shown]

    def extensions(self, person: str, resource: str) -> list[MessageVersion]:
        """Return the messages, as first posted, that ask for more time for this person, in order."""
        with self._lock:
            found = list(self._extensions)
        return [
            each for each in found if f"<@{person}> requests" in each.text and f"*{resource}*" in each.text
        ]

    def shown_of(self, grant: str, channel: str = "") -> list[ShownTerms]:
        """Return the terms that approvers were shown in this channel, or anywhere, in order."""
        return [
            each.shown
            for each in list(self.versions)
            if each.grant == grant and each.shown and channel in ("", each.channel)
        ]

    def messages(self) -> dict[tuple[str, str], list[MessageVersion]]:
        """Return the versions of each message, by channel and ts."""
        found: dict[tuple[str, str], list[MessageVersion]] = {}
        for each in list(self.versions):
            found.setdefault((each.channel, each.ts), []).append(each)
        return found


def shown_in(blocks: list[dict[str, Any]]) -> ShownTerms | None:
    """Return what the button that approves would give, as people read it; None if there is no such button."""
    elements = [each for block in blocks for each in block.get("elements", ())]
    values = [
        str(each["value"]) for each in elements if each.get("action_id") == "approve" and "value" in each
    ]
    if not values:
        return None
    texts = [block["text"].get("text", "") for block in blocks if isinstance(block.get("text"), dict)]
    texts += [each["text"] for each in elements if isinstance(each.get("text"), str)]
    text = "\n".join(map(str, texts))
    gives, lasts, until = _GIVES.search(text), _LASTS.search(text), _UNTIL.search(text)
    return ShownTerms(
        value=values[0],
        roles=frozenset(each.partition(" on ")[0] for each in gives[1].split(", ")) if gives else frozenset(),
        seconds=_SECONDS.get(lasts[1], 0) if lasts else 0,
        until=int(until[1]) if until else 0,
    )


def _grant_in(blocks: list[dict[str, Any]]) -> str | None:
    """Return the grant that the block of buttons is named after."""
    for block in blocks:
        if found := re.fullmatch(r"(?:decide|less|hold):(.+)", str(block.get("block_id", ""))):
            return found[1]
    return None


def _reason_in(blocks: list[dict[str, Any]]) -> str:
    """Return the reason that the message quotes."""
    texts = [str(block["text"].get("text", "")) for block in blocks if isinstance(block.get("text"), dict)]
    return next((text[2:] for text in texts if text.startswith("> ")), "")
