"""The memory of web and worker while they work, and what Redis keeps afterwards.

People request, Bob approves by id, they look, and give back. Each person comes once, so that anything kept
for a person, a grant or a request shows.
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
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from bot.core.grants import Grant
from bot.testing.localhost import free_port
from tests.bench.always_ok import TEAM
from tests.bench.deployment import SIGNING_SECRET, BenchDeployment, bench_deployment, count_due, resident
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
MOST_DUE = 100
OF_PEOPLE = ("hold", "card", "note", "home")
SAMPLED = 2_000
"""Keys of a kind whose size is read, at most."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """MB of memory after some operations."""

    operations: int
    web: float
    worker: float


def memory(operations: int) -> Iterator[Row]:
    """Measure in ten parts. The first one is for warming up."""
    with bench_deployment(POLICY, webs=1, WORKER_PORT=str(free_port())) as deployment:
        users = Users(deployment)
        samples = [users.sample()]
        for part in range(1, 11):
            users.work(until=operations * part // 10)
            samples.append(users.sample())
        yield from _growth(samples)
        users.give_everything_back()
        yield from _kept_in_redis(deployment, users.people)


def _growth(samples: list[Sample]) -> Iterator[Row]:
    first, warm, half, last = samples[0], samples[1], samples[5], samples[-1]
    for name in ("web", "worker"):
        sizes = [getattr(each, name) for each in (first, warm, half, last)]
        course = "start {:.1f}, warmed up {:.1f}, half-way {:.1f}, end {:.1f} MB".format(*sizes)
        grown = (sizes[3] - sizes[2]) / (last.operations - half.operations) * 10_000
        yield Row(
            f"{name}: memory over {last.operations} operations",
            "flat",
            f"{course}; at last {grown:+.2f} MB per 10,000 operations",
        )


class Users:
    """People who use the bot; ``people`` have come so far. Operations are Slack's requests and the worker's
    jobs."""

    def __init__(self, deployment: BenchDeployment) -> None:
        self.deployment = deployment
        self.people = self.requests = 0
        self._holding: deque[str] = deque()
        self._web, self._worker = deployment.processes
        self._line = http.client.HTTPConnection(urlsplit(str(self._web.url)).netloc, timeout=10)

    def sample(self) -> Sample:
        done = self.requests + self._jobs()
        return Sample(operations=done, web=resident(self._web.pid), worker=resident(self._worker.pid))

    def work(self, until: int) -> None:
        """Go on until there were that many operations in all."""
        while self.requests + self._jobs() < until:
            for _ in range(HELD_AT_ONCE):
                self._serve_next()
            while self._due() > MOST_DUE:
                time.sleep(0.05)

    def give_everything_back(self) -> None:
        while self._holding:
            self._type(self._holding.popleft(), "done")
        while self._due():
            time.sleep(0.05)

    def _serve_next(self) -> None:
        who = f"U{self.people:08}"
        self.people += 1
        resource = ("prod-db", "reports")[self.people % 2]
        self._type(who, f"request {resource} 1h because order {self.people} is stuck")
        [grant] = self.deployment.ledger.read((), (f"person:{who}",)).all(Grant)
        self._type(BOB, f"approve {grant.id}")
        if not self.deployment.ledger.read((), (f"person:{who}",)).leases:
            raise RuntimeError("Bob could not approve")
        self._type(BOB, f"who {resource}")
        self._type(who, "mine")
        self._holding.append(who)
        if len(self._holding) > HELD_AT_ONCE:
            self._type(self._holding.popleft(), "done")

    def _type(self, who: str, text: str) -> None:
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
        body = answer.read().decode()
        if answer.status != 200 or "Nothing was recorded" in body:
            raise RuntimeError(f"{text}: {answer.status} {body}")

    def _jobs(self) -> int:
        with urlopen(f"{self._worker.url}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        return round(sum(map(float, re.findall(r"(?m)^rotakey_turns_total\{.*\} (.*)$", metrics))))

    def _due(self) -> int:
        return count_due(self.deployment.redis, OF_PEOPLE)


# ------------------------------------------------------------------------------------------ what Redis keeps


def _kept_in_redis(deployment: BenchDeployment, people: int) -> Iterator[Row]:
    """Return the bytes by kind of key, for each person who came, had one grant and left."""
    counts, sizes = Counter[str](), dict[str, list[int]]()
    for key in deployment.redis.scan_iter("rotakey:{main}:*", count=1_000):
        kind = _kind(str(key))
        counts[kind] += 1
        if len(sizes.setdefault(kind, [])) < SAMPLED:
            sizes[kind].append(int(deployment.redis.memory_usage(str(key), samples=0) or 0))
    whole = 0.0
    for kind, found in sorted(sizes.items()):
        each = sum(found) / len(found) * counts[kind] / people
        whole += 0 if kind == "op" else each
        measured = f"{each:.0f} bytes for each of {people} people ({counts[kind]} keys)"
        yield Row(f"  {kind}", "for 15 minutes" if kind == "op" else "", measured)
    yield Row("all that Redis keeps, except op", "", f"{whole:.0f} bytes for each grant that is over")


def _kind(key: str) -> str:
    rest = key.removeprefix("rotakey:{main}:")
    return ":".join(rest.split(":")[:2]) if rest.startswith("doc:") else rest.split(":", 1)[0]
