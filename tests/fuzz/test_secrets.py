"""No message, repr, traceback or log line contains a secret, however wrong it is."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import structlog
from hypothesis import strategies as st
from slack_sdk import WebClient

from bot.config import WEB, Environment, check, load
from bot.core.catalog import Entitlement
from bot.core.errors import RotakeyError
from bot.core.holds import Hold
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.oncall.pagerduty.source import PagerDuty
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, PolicyInForce
from bot.slack.api.directory import SlackDirectory
from bot.slack.incoming.listeners import SlackSettings
from bot.testing.cast import NINE
from tests.config.files import FULL
from tests.fuzz.rounds import thrown

FIRST, LAST = "5eCr3t", "7oK3n"
NOBODY = "127.0.0.1:1"
"""Where nothing listens."""

odd = st.one_of(
    st.sampled_from(
        [
            "",
            "#",
            "/",
            "?",
            "@",
            ":",
            "%",
            "%41",
            "%zz",
            "//",
            "@@",
            "#@",
            "/@",
            "]",
            "[",
            "\\",
            " ",
            "&=",
            "+",
        ]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5),
)
secrets = odd.map(lambda between: f"{FIRST}{between}{LAST}")


def unseen(text: str) -> None:
    assert FIRST.casefold() not in text.casefold(), text
    assert LAST.casefold() not in text.casefold(), text


@contextmanager
def nothing_told() -> Iterator[None]:
    """Check that nothing logged within the block, by us or by a library, contains a secret."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger()
    level, before = root.level, structlog.get_config()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(heard))
    try:
        yield
    finally:
        structlog.configure(**before)
        root.setLevel(level)
        root.removeHandler(handler)
    unseen(heard.getvalue())


def fails_unseen(attempt: Callable[[], object]) -> None:
    """Check that neither the error that is raised nor its traceback contains a secret."""
    with nothing_told():
        try:
            made = attempt()
        except RotakeyError as error:
            unseen(f"{error} {error!r}")
            unseen("".join(traceback.format_exception(error)))
        else:
            unseen(repr(made))


@thrown(
    few=150,
    share=0.02,
    values=st.dictionaries(
        st.sampled_from(
            [
                *(
                    "SLACK_BOT_TOKEN",
                    "SLACK_SIGNING_SECRET",
                    "SLACK_APP_TOKEN",
                    "REDIS_URL",
                    "PAGERDUTY_TOKEN",
                ),
                *("AUDIT_KEY", "SLACK_BOT_TOKEN_FILE", "REDIS_URL_FILE"),
            ]
        ),
        st.one_of(secrets, secrets.map("xoxb-{}".format), secrets.map("redis://:{}@h:6379/0".format), odd),
    ),
)
def test_the_environment(values: dict[str, str]) -> None:
    named = {name: value for name, value in values.items() if not name.endswith("_FILE")}
    files = {name: "/nowhere/at/all" for name in values if name.endswith("_FILE")}
    fails_unseen(lambda: Environment.read({**named, **files}, needs=WEB))


urls = st.one_of(
    *(
        secrets.map(form.format)
        for form in (
            f"redis://:{{}}@{NOBODY}/0",
            f"redis://user:{{}}@{NOBODY}",
            f"redis://{{}}@{NOBODY}",
            f"rediss://:{{}}@{NOBODY}?ssl_cert_reqs=none",
            f"redis://{NOBODY}?password={{}}",
            f"redis://{NOBODY}/{{}}",
            f"redis://:1/{{}}@{NOBODY}",
            f"redis+sentinel://:{{}}@{NOBODY}/primary",
            f"redis+cluster://:{{}}@{NOBODY}",
            "unix:///nowhere/at/all?password={}",
        )
    )
)


@thrown(few=15, share=0.002, url=urls)
def test_an_address_of_redis(url: str) -> None:
    def read() -> object:
        with connect(url) as client:
            unseen(repr(client))
            return RedisLedger(client).read({Key.of(PolicyInForce)})

    fails_unseen(read)


@thrown(
    few=12,
    share=0.004,
    secret=secrets,
    form=st.sampled_from(
        [
            "postgresql://rotakey:{}@127.0.0.1:1/orders",
            "postgresql://{}@127.0.0.1:1",
            "postgres://u:p@127.0.0.1:1/o?password={}",
            "postgresql://u@127.0.0.1:{}/o",
            "postgresql://u:x/{}@127.0.0.1:1/o",
        ]
    ),
)
def test_an_address_of_a_target(secret: str, form: str) -> None:
    postgres = pytest.importorskip("bot.targets.postgres.target")
    url = form.format(secret)
    text = FULL.replace('"${ORDERS_DB_URL}"', '"${SECRET_URL}"')
    with nothing_told():
        unseen(" ".join(map(str, check(text, environ={"SECRET_URL": url}))))
    fails_unseen(lambda: load(text, environ={"SECRET_URL": url}))
    target = postgres.Postgres("orders-db", url)
    unseen(repr(target))
    hold = Hold(
        target="orders-db", account="ada", entitlement=Entitlement(target="orders-db", what=(("role", "r"),))
    )
    fails_unseen(lambda: target.has(hold, [], Deadline.after(5)))


@thrown(few=8, share=0.002, secret=secrets.filter(str.isascii).filter(str.isprintable))
def test_tokens_where_nobody_answers(secret: str) -> None:
    client = WebClient(token=f"xoxb-{secret}", base_url=f"http://{NOBODY}/api/")
    fails_unseen(lambda: SlackDirectory(client).person("U01ADA", Deadline.after(5)))
    pager = PagerDuty("pagerduty", secret, f"http://{NOBODY}")
    unseen(f"{pager!r} {SlackSettings(token=secret, signing_secret=secret)!r}")
    fails_unseen(lambda: pager.shifts(["P1"], NINE, NINE, Deadline.after(5)))
