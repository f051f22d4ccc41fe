"""Every sentence that a code becomes, and every next step, word for word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bot.core.reasons import Reason, Why, because
from bot.slack.wording.reasons import NEXT, SENTENCES, facts_in, refusal, say
from tests.slack.wording.test_wording import AT_SIX, SIX

SAMPLES: Mapping[str, str | int] = {
    "access": "orders_rw on orders-db",
    "account": "ada@example.com",
    "anchor": "12:9f",
    "anchored": "seal 12",
    "command": "/access request prod-db 4h because …",
    "count": 3,
    "domains": "example.com",
    "doubt": "PagerDuty does not answer",
    "end": "17:00",
    "file": "1f",
    "first": "prod-db",
    "found": "seal 11",
    "grant": "G7QX",
    "grantor": "postgres",
    "group": "slack/dba",
    "groups": "slack/dba",
    "held": 9,
    "levels": "1",
    "live": 5,
    "mistake": "access.yaml:3: resources is missing",
    "more": 1,
    "most": 10,
    "name": "prod-bd",
    "names": "prod-db, vault",
    "needed": 4,
    "other": "stock-db",
    "resource": "prod-db",
    "said": "laptop stolen",
    "schedule": "pagerduty/PDB",
    "schedules": "pagerduty/PDB",
    "seal": 12,
    "second": "vault",
    "source": "pagerduty",
    "start": "22:00",
    "state": "denied",
    "target": "orders-db",
    "text": "30",
    "trouble": "orders-db: connection refused",
    "variables": "ORDERS_DB_URL",
    "verb": "why",
    "version": "2e",
    "wanted": "an incident number",
    "was": "ada",
    "what": "orders_rw on orders-db",
    "which": "prod-db",
    "person": "U01ADA",
    "by_person": "U02BOB",
    "owner_person": "U03CAROL",
    "other_person": "U03CAROL",
}
DERIVED: Mapping[str, dict[str, str | int]] = {
    "near": {"known": "prod-db"},
    "did": {"state": "denied"},
}
"""Facts that the words make of other facts."""


def spoken(why: Why, sentence: str, said: Callable[[Reason], str]) -> str:
    """Return the sentence for a code, with exactly the facts that it needs."""
    facts: dict[str, str | int] = {}
    for name in facts_in(sentence):
        facts |= DERIVED[name] if name in DERIVED else {name: sample(name)}
    return said(because(why, **facts)).replace(AT_SIX, "TIME")


def sample(name: str) -> str | int:
    if name.endswith("_at"):
        return SIX
    return 3_600 if name.endswith("_s") else SAMPLES[name]


def sentences() -> Iterator[str]:
    for why in Why:
        yield from (f"{why}: {spoken(why, each, say)}" for each in SENTENCES[why])
        for step in NEXT.get(why, ()):
            whole, fact = spoken(why, step, refusal), spoken(why, step, say)
            yield f"{why}, then: {whole.removeprefix(fact).strip()}"


def test_every_sentence_in_full() -> None:
    """``sentences.txt`` has them in the order of the codes."""
    assert list(sentences()) == Path(__file__).with_name("sentences.txt").read_text("utf-8").splitlines()
