"""Each process works with the variables that it needs, and with no others."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.request import urlopen

from bot.sandbox.stack.server_process import free_port
from tests.e2e.deployment import CAROL, DAN, DB_ACCESS, Town, until

OF_SLACK = ("SLACK_BOT_TOKEN", "SLACK_API_URL")
FOR_ALL = ("REDIS_URL", "ACCESS_FILE")
KEY = {"SECRET_KEY": "k" * 32}


def only(town: Town, *names: str) -> Mapping[str, str]:
    return {name: town.sandbox.environ[name] for name in names} | KEY


def answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def asks_and_gets(town: Town, why: str) -> None:
    town.types(DAN, f"request prod-db 1h because {why}")
    town.clicks(CAROL, town.card(DB_ACCESS, why), "approve")
    town.has("orders_rw", "dan")
    town.types(DAN, "done prod-db")
    town.has("orders_rw")


def test_web_knows_slack_and_redis_alone(town: Town) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = only(town, *OF_SLACK, "SLACK_SIGNING_SECRET", *FOR_ALL)
    with town.also("web", environ, PORT=str(port)):
        until(lambda: answers(url), 60)
        town.slack.connect(f"{url}/slack/events")
        try:
            asks_and_gets(town, "the web process knows no database")
        finally:
            town.slack.connect(f"{town.sandbox.bot_url}/slack/events")


def test_a_worker_knows_no_signing_secret(town: Town) -> None:
    environ = only(town, *OF_SLACK, *FOR_ALL, *town.sandbox.policy.variables)
    pager = only(town, "PAGERDUTY_TOKEN", "PAGERDUTY_API_URL")
    town.sandbox.worker.stop()
    try:
        with town.also("worker", {**environ, **pager}):
            asks_and_gets(town, "the worker cannot be taken for Slack")
    finally:
        town.sandbox.worker.start()
