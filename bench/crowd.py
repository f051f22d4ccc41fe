"""Many people typing at once: signed commands from a process of its own, as Slack sends them.

``python -m bench.crowd URL AT_ONCE EACH`` with the signing secret in SLACK_SIGNING_SECRET; prints the
seconds of every acknowledgement, one on a line.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

PEOPLE = ("U02ADA", "U02DAN", "U02BOB", "U02CAR")
COMMANDS = ("mine", "request prod-db 1h because orders are stuck", "list", "done prod-db")
WARM_UP = 5


def main(url: str, at_once: int, each: int) -> None:
    secret = os.environ["SLACK_SIGNING_SECRET"].encode()
    with ThreadPoolExecutor(at_once) as crowd:
        for seconds in crowd.map(lambda number: _one(url, secret, number, each), range(at_once)):
            print(*seconds, sep="\n")


def _one(url: str, secret: bytes, number: int, each: int) -> list[float]:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port)
    person, found = PEOPLE[number % len(PEOPLE)], []
    for count in range(WARM_UP + each):
        text = COMMANDS[(number + count) % len(COMMANDS)]
        trigger = f"{number}.{count}.{time.time_ns()}"
        form = {"command": "/access", "text": text, "user_id": person, "team_id": "T0ROTAKEY"}
        body = urlencode({**form, "channel_id": "C0DBACCESS", "trigger_id": trigger})
        began = time.perf_counter()
        connection.request("POST", parts.path, body, _signed(secret, body))
        answer = connection.getresponse()
        answer.read()
        took = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{text}: {answer.status}")
        if count >= WARM_UP:
            found.append(took)
    return found


def _signed(secret: bytes, body: str) -> dict[str, str]:
    now = str(int(time.time()))
    digest = hmac.new(secret, f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": now,
        "X-Slack-Signature": f"v0={digest}",
    }


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
