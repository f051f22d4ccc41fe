"""A Slack that accepts every call at once, and remembers when each channel last got a message."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

TEAM = "T0ROTAKEY"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"


class AlwaysOk:
    """``posted_at`` maps a channel to the time of the last message posted or changed in it."""

    def __init__(self) -> None:
        self.posted_at: dict[str, float] = {}
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        body = await reader.readexactly(int(lengths[0].partition(b":")[2])) if lengths else b""
        method = head.split(b" ", 2)[1].decode().rpartition("/")[2]
        result = json.dumps({"ok": True, **self._result_of(method, body.decode())}).encode()
        writer.write(HEAD % len(result) + result)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _result_of(self, method: str, body: str) -> dict[str, Any]:
        if method.startswith("chat."):
            channel = json.loads(body)["channel"]
            self.posted_at[channel] = time.time()
            return {"channel": channel, "ts": "1.000001"}
        if method == "users.info":
            return {"user": _user(parse_qs(body)["user"][0])}
        return {"team_id": TEAM, "user_id": "U0ROTAKEY", "usergroups": []}


def email_of(person: str) -> str:
    return f"{person[1:].casefold()}@example.com"


def _user(person: str) -> dict[str, Any]:
    """Return a full member of the workspace with this id."""
    marks = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted")
    profile = {"display_name": person, "email": email_of(person)}
    about = {"id": person, "team_id": TEAM, "is_email_confirmed": True, "profile": profile}
    return about | dict.fromkeys(marks, False)


@contextmanager
def always_ok() -> Iterator[AlwaysOk]:
    """Serve one on a free port, from a thread of its own."""
    slack, up, loop, over = AlwaysOk(), threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with await asyncio.start_server(slack.answer, "127.0.0.1", 0, backlog=512) as server:
            slack.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/"
            up.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="slack")
    thread.start()
    up.wait()
    try:
        yield slack
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
