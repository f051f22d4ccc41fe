"""What the bot said in Slack, each message in all its versions, with the times."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.sandbox.workspace.model import Call

_SHOWN = ("chat.postMessage", "chat.update")


@dataclass(frozen=True, kw_only=True)
class Said:
    """``at`` is when it could be seen at the latest. ``grant`` is the one its buttons are about."""

    channel: str
    ts: str
    at: float
    text: str
    grant: str | None
    first: bool


class History(deque[Call]):
    """Takes the place of the workspace's log of calls, and forgets nothing that was shown."""

    def __init__(self) -> None:
        super().__init__(maxlen=1000)
        self.said: list[Said] = []
        self._grants: dict[tuple[str, str], str] = {}
        self._about: dict[str, list[Said]] = {}
        self._news = threading.Lock()

    def append(self, call: Call) -> None:
        super().append(call)
        if call.method not in _SHOWN or not call.answer.get("ok"):
            return
        channel, ts = str(call.answer["channel"]), str(call.answer["ts"])
        with self._news:
            blocks = call.args.get("blocks") or []
            grant = _grant_in(blocks) or self._grants.get((channel, ts))
            if grant:
                self._grants[(channel, ts)] = grant
            first = call.method == "chat.postMessage"
            text = str(call.args.get("text") or "")
            said = Said(channel=channel, ts=ts, at=call.at, text=text, grant=grant, first=first)
            self.said.append(said)
            self._about.setdefault(_quoted(blocks), []).append(said)

    def about(self, reason: str) -> list[Said]:
        """What was said that quotes the reason, in order."""
        with self._news:
            return list(self._about.get(reason, ()))

    def versions(self) -> dict[tuple[str, str], list[Said]]:
        found: dict[tuple[str, str], list[Said]] = {}
        for each in list(self.said):
            found.setdefault((each.channel, each.ts), []).append(each)
        return found


def _grant_in(blocks: list[dict[str, Any]]) -> str | None:
    """Its buttons' block is named for it."""
    return next(_named(blocks), None)


def _named(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        if found := re.fullmatch(r"(?:decide|less|hold):(.+)", str(block.get("block_id", ""))):
            yield found[1]


def _quoted(blocks: list[dict[str, Any]]) -> str:
    """What the person gave as the reason."""
    texts = [str(block["text"].get("text", "")) for block in blocks if isinstance(block.get("text"), dict)]
    return next((text[2:] for text in texts if text.startswith("> ")), "")
