"""After any amount of use, web and worker keep nothing of it in memory."""

from __future__ import annotations

import gc
import hashlib
import hmac
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, pairwise
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from bot import config, web
from bot.core.grants import Grant
from bot.ports.documents import Home, Key
from bot.slack.incoming.listeners import SlackSettings, build
from bot.testing.polling import until
from bot.testing.valkey import valkey_url
from bot.usecases.enact import enact
from bot.wiring import adapters, components, duties
from bot.worker.loop import Worker
from tests.bench.always_ok import TEAM, AlwaysOk, always_ok
from tests.bench.calls import CallLog
from tests.bench.deployment import count_due
from tests.bench.load_worker import NoopTarget
from tests.bench.memory import POLICY

SECRET = "0123456789abcdef"
BOB = "U02BOB"
ROUNDS = 25
"""Each is four requests, and more turns of the worker."""
CONNECTIONS = 24
"""More than web and worker use at once, so that none is opened late."""
BOUNDED = ("bot.core.audit.anchor", "in collections.Counter")
"""What lately ended is remembered on purpose, and only so much of it; the rest is what is counted here."""
HOLDS_OTHERS = (dict, list, set, deque)


class Deployment:
    """Web and worker in one process, with everything real except databases and Slack."""

    def __init__(self, made: components.Components, slack: AlwaysOk) -> None:
        self.made, self.slack = made, slack
        settings = SlackSettings(token="xoxb-none", signing_secret=SECRET)
        self.site: FlaskClient = web.create(build(made.context, settings), lambda: None).test_client()
        self.numbers = count(1)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work until nothing is left to do or to report."""
        worker = Worker(
            self.made.ledger, self.made.ledger, duties.duties(self.made), duties.together(self.made)
        )
        running = threading.Thread(target=worker.run)
        running.start()
        try:
            yield
            until(self.idle)
        finally:
            worker.stop()
            running.join()

    def rounds(self) -> Counter[str]:
        """Play that many rounds, and return what is in memory afterwards."""
        with self.working():
            for _ in range(ROUNDS):
                self.round()
        self.slack.posted_at.clear()
        return things()

    def round(self) -> None:
        """Play one round: somebody new asks, Bob approves, they look, and give back."""
        number = next(self.numbers)
        who = f"U{number:08}"
        self.types(who, f"request prod-db 1h because order {number} is stuck")
        [grant] = self.made.ledger.read((), (f"person:{who}",)).all(Grant)
        for _ in range(2):  # the first answer shows what it is about
            self.types(BOB, f"approve {grant.id}")
        assert self.made.ledger.read((), (f"person:{who}",)).leases
        self.types(who, "mine")
        self.types(who, "done")

    def types(self, who: str, text: str) -> None:
        form = {"command": "/access", "text": text, "user_id": who, "team_id": TEAM}
        body = urlencode(form | {"channel_id": "C0DBACCESS", "trigger_id": f"{who}.{text}.{time.time_ns()}"})
        now = str(int(time.time()))
        digest = hmac.new(SECRET.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={digest}"}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        assert self.site.post("/slack/events", data=body, headers=headers).status_code == 200

    def idle(self) -> bool:
        return count_due(self.made.redis, ("hold", "card"), ahead=60) == 0


def things() -> Counter[str]:
    """Return how many objects of each type there are, and how much is in containers. Python's garbage
    collector does not list a dict that contains only text."""
    for _ in range(3):
        gc.collect()
    listed = gc.get_objects()
    found = Counter(map(_kind, listed))
    holding = {id(each): each for each in gc.get_referents(*listed) if isinstance(each, HOLDS_OTHERS)}
    for each in holding.values():
        found[f"in {_kind(each)}"] += len(each)
    return Counter({name: n for name, n in found.items() if not name.startswith(BOUNDED)})


def _kind(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Deployment]:
    calls = CallLog(tmp_path / "calls")
    monkeypatch.setattr(adapters, "build_target", lambda name, _: NoopTarget(name, calls, remembered=9))
    with valkey_url() as url, always_ok() as slack:
        environ = {"SLACK_BOT_TOKEN": "xoxb-none", "SLACK_API_URL": slack.url, "REDIS_URL": url}
        environ["DB_URL"] = "postgresql://nowhere"
        policy = config.load(POLICY, environ=environ)
        made = components.components(config.Environment.read(environ), policy, environ)
        enact(made.ledger, policy.catalog, policy.text)
        opened = [made.redis.connection_pool.get_connection() for _ in range(CONNECTIONS)]
        for each in opened:
            made.redis.connection_pool.release(each)
        deployment = Deployment(made, slack)
        with deployment.working():
            until(lambda: made.ledger.read({Key.of(Home)}).find(Home))
        yield deployment
        for client in (made.redis, made.ledger._patient):
            client.connection_pool.disconnect()


def test_nothing_stays_in_memory_of_what_people_did(deployment: Deployment) -> None:
    """A leak grows each time. Something else may grow once: pytest-xdist is sent more tests meanwhile."""
    deployment.rounds()
    found = [deployment.rounds() for _ in range(3)]
    grown = min((after - before for before, after in pairwise(found)), key=lambda each: each.total())
    assert grown.total() < ROUNDS / 2, grown.most_common(10)
