"""Each process works with only the variables that it needs."""

from __future__ import annotations

from collections.abc import Mapping

from bot.testing.localhost import answers, free_port
from bot.testing.polling import until
from tests.e2e.rig import CAROL, DAN, DB_ACCESS, Rig

OF_SLACK = ("SLACK_BOT_TOKEN", "SLACK_API_URL")
FOR_ALL = ("REDIS_URL", "ACCESS_FILE")
KEY = {"SECRET_KEY": "k" * 32}


def only(rig: Rig, *names: str) -> Mapping[str, str]:
    return {name: rig.sandbox.environ[name] for name in names} | KEY


def asks_and_gets(rig: Rig, why: str) -> None:
    rig.types(DAN, f"request prod-db 1h because {why}")
    rig.clicks(CAROL, rig.card(DB_ACCESS, why), "approve")
    rig.has("orders_rw", "dan")
    rig.types(DAN, "done prod-db")
    rig.has("orders_rw")


def test_web_knows_slack_and_redis_alone(rig: Rig) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = only(rig, *OF_SLACK, "SLACK_SIGNING_SECRET", *FOR_ALL)
    with rig.also("web", environ, PORT=str(port)):
        until(lambda: answers(f"{url}/readyz", 2), 60)
        rig.slack.connect(f"{url}/slack/events")
        try:
            asks_and_gets(rig, "the web process knows no database")
        finally:
            rig.slack.connect(f"{rig.sandbox.bot_url}/slack/events")


def test_a_worker_knows_no_signing_secret(rig: Rig) -> None:
    environ = only(rig, *OF_SLACK, *FOR_ALL, *rig.sandbox.policy.variables)
    pager = only(rig, "PAGERDUTY_TOKEN", "PAGERDUTY_API_URL")
    rig.sandbox.worker.stop()
    try:
        with rig.also("worker", {**environ, **pager}):
            asks_and_gets(rig, "the worker cannot be taken for Slack")
    finally:
        rig.sandbox.worker.start()
