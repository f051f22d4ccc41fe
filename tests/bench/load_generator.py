"""A load generator: signed commands of many people at the same moment, as Slack sends them.

``python -m tests.bench.load_generator URL AT_ONCE EACH PAUSE`` with the signing secret in
SLACK_SIGNING_SECRET prints the seconds of each acknowledgement, one per line. AT_ONCE people send a command,
and the next one PAUSE seconds after the last answer, EACH times. Requests are prepared beforehand and sent
over open connections, to take little from the machine that is being measured.
"""

import asyncio
import hashlib
import hmac
import os
import sys
import time
from urllib.parse import urlencode, urlsplit

PEOPLE = ("U02ADA", "U02DAN", "U02BOB", "U02CAR")
COMMANDS = ("mine", "request prod-db 1h because orders are stuck", "list", "done prod-db")
WARM_UP = 5


async def main(url: str, at_once: int, each: int, pause: float) -> None:
    secret = os.environ["SLACK_SIGNING_SECRET"].encode()
    parts = urlsplit(url)
    prepared = [[_request(parts.path, secret, n, i) for i in range(WARM_UP + each)] for n in range(at_once)]
    lines = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(at_once)]
    seconds: list[float] = []
    for together in zip(*prepared, strict=True):
        requests = zip(lines, together, strict=True)
        seconds += await asyncio.gather(*(_send(*line, request) for line, request in requests))
        await asyncio.sleep(pause)
    print(*seconds[WARM_UP * at_once :], sep="\n")


async def _send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> float:
    began = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    await reader.readexactly(int(lengths[0].partition(b":")[2]))
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(head.decode())
    return time.perf_counter() - began


def _request(path: str, secret: bytes, number: int, count: int) -> bytes:
    form = {
        "command": "/access",
        "text": COMMANDS[(number + count) % len(COMMANDS)],
        "user_id": PEOPLE[number % len(PEOPLE)],
        "team_id": "T0ROTAKEY",
        "channel_id": "C0DBACCESS",
        "trigger_id": f"{number}.{count}.{time.time_ns()}",
    }
    body, now = urlencode(form), str(int(time.time()))
    digest = hmac.new(secret, f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: rotakey\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"X-Slack-Request-Timestamp: {now}\r\nX-Slack-Signature: v0={digest}\r\n\r\n"
    )
    return (head + body).encode()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
