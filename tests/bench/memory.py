"""Whether web and worker grow with what they have done, and what Redis keeps of it.

People ask, Bob approves by id, they look, and give back; each person comes once, so that whatever is kept for
a person, a grant or a request would show.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import re
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode
from urllib.request import urlopen

from redis import Redis

from bot.core.grants import Grant
from bot.ports.documents import Home, Key
from bot.sandbox.stack.server_process import free_port
from tests.bench.always_ok import TEAM
from tests.bench.deployment import SIGNING_SECRET, Deployment, deployed, owed_now, resident
from tests.bench.table import Row

POLICY = """
people: {email_domains: [example.com]}
targets: {db: {kind: postgres, url: '${DB_URL}'}}
resources:
  prod-db: {title: Orders, gives: [{target: db, role: rw}], approvers: [U02BOB], duration: {max: 12h}}
  reports: {title: Reports, gives: [{target: db, role: ro}], approvers: [U02BOB], duration: {max: 12h}}
"""
BOB = "U02BOB"
HELD_AT_ONCE = 50
"""People who have something while others come and go."""
OWED_AT_MOST = 100
READY_WITHIN = 60.0
OF_PEOPLE = ("hold", "card", "note", "home")
SAMPLED = 2_000
"""Keys of a kind whose size is looked at."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    operations: int
    web: float
    worker: float


def memory(operations: int) -> Iterator[Row]:
    """Warmed up means a tenth of it is done."""
    with deployed(POLICY) as deployment:
        crowd = Crowd(deployment)
        seen = [crowd.look()]
        for part in range(1, 11):
            crowd.go_on(until=operations * part // 10)
            seen.append(crowd.look())
        yield from _growth(seen)
        crowd.all_leave()
        yield from _kept(deployment, crowd.people)


def _growth(seen: list[Seen]) -> Iterator[Row]:
    first, warm, half, last = seen[0], seen[1], seen[5], seen[-1]
    for name in ("web", "worker"):
        sizes = [getattr(each, name) for each in (first, warm, half, last)]
        told = "start {:.1f}, warmed up {:.1f}, half-way {:.1f}, end {:.1f} MB".format(*sizes)
        grown = (sizes[3] - sizes[2]) / (last.operations - half.operations) * 10_000
        yield Row(
            f"{name}: memory over {last.operations} operations",
            "flat",
            f"{told}; at last {grown:+.2f} MB per 10,000 operations",
        )


class Crowd:
    """``people`` have come so far. Operations are requests of Slack's and turns of the worker."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.people = self.requests = 0
        self._holding: deque[str] = deque()
        port, self._metrics = free_port(), free_port()
        self._web, self._worker = deployment.web(port), deployment.worker(WORKER_PORT=str(self._metrics))
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._await(port)

    def look(self) -> Seen:
        done = self.requests + self._jobs()
        return Seen(operations=done, web=resident(self._web), worker=resident(self._worker))

    def go_on(self, until: int) -> None:
        while self.requests + self._jobs() < until:
            for _ in range(HELD_AT_ONCE):
                self._one()
            while self._owed() > OWED_AT_MOST:
                time.sleep(0.05)

    def all_leave(self) -> None:
        while self._holding:
            self._types(self._holding.popleft(), "done")
        while self._owed():
            time.sleep(0.05)

    def _one(self) -> None:
        who = f"U{self.people:08}"
        self.people += 1
        resource = ("prod-db", "reports")[self.people % 2]
        self._types(who, f"request {resource} 1h because order {self.people} is stuck")
        [grant] = self.deployment.ledger.read((), (f"person:{who}",)).all(Grant)
        self._types(BOB, f"approve {grant.id}")
        if not self.deployment.ledger.read((), (f"person:{who}",)).leases:
            raise RuntimeError("Bob could not approve")
        self._types(BOB, f"who {resource}")
        self._types(who, "mine")
        self._holding.append(who)
        if len(self._holding) > HELD_AT_ONCE:
            self._types(self._holding.popleft(), "done")

    def _types(self, who: str, text: str) -> None:
        self.requests += 1
        form = {"command": "/access", "text": text, "user_id": who, "team_id": TEAM}
        place = {"channel_id": "C0DBACCESS", "trigger_id": f"{self.requests}.{time.time_ns()}"}
        body, now = urlencode(form | place), str(int(time.time()))
        digest = hmac.new(SIGNING_SECRET.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": now,
            "X-Slack-Signature": f"v0={digest}",
        }
        self._line.request("POST", "/slack/events", body, headers)
        answer = self._line.getresponse()
        said = answer.read().decode()
        if answer.status != 200 or "Nothing was recorded" in said:
            raise RuntimeError(f"{text}: {answer.status} {said}")

    def _jobs(self) -> int:
        with urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=10) as answer:
            told = answer.read().decode()
        return round(sum(map(float, re.findall(r"(?m)^rotakey_turns_total\{.*\} (.*)$", told))))

    def _owed(self) -> int:
        return owed_now(self.deployment.redis, OF_PEOPLE)

    def _await(self, port: int) -> None:
        """Both answer, and know which workspace they belong to."""
        deadline = time.monotonic() + READY_WITHIN
        while not all(_answers(f"http://127.0.0.1:{each}/readyz") for each in (port, self._metrics)) or (
            not self.deployment.ledger.read({Key.of(Home)}).documents
        ):
            if time.monotonic() > deadline:
                raise TimeoutError("the bot is not ready")
            time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


# ------------------------------------------------------------------------------------------ what Redis keeps


def _kept(deployment: Deployment, people: int) -> Iterator[Row]:
    """By kind of key, for each person who came, had one grant and left."""
    counts, sizes = Counter[str](), dict[str, list[int]]()
    for key in deployment.redis.scan_iter("rotakey:{main}:*", count=1_000):
        kind = _kind(str(key))
        counts[kind] += 1
        if len(sizes.setdefault(kind, [])) < SAMPLED:
            sizes[kind].append(_size(deployment.redis, str(key)))
    whole = 0.0
    for kind, found in sorted(sizes.items()):
        each = sum(found) / len(found) * counts[kind] / people
        whole += 0 if kind == "op" else each
        told = f"{each:.0f} bytes for each of {people} people ({counts[kind]} of them)"
        yield Row(f"  {kind}", "for 15 minutes" if kind == "op" else "", told)
    yield Row("what Redis keeps, but for op", "", f"{whole:.0f} bytes for each grant that is over")


def _kind(key: str) -> str:
    rest = key.removeprefix("rotakey:{main}:")
    return ":".join(rest.split(":")[:2]) if rest.startswith("doc:") else rest.split(":", 1)[0]


def _size(redis: Redis, key: str) -> int:
    return int(redis.memory_usage(key, samples=0) or 0)
