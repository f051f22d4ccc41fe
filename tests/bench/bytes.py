"""The bytes that Redis keeps for a grant, while it is live and afterwards, and for a year of a thousand
grants a day.

A day runs on a clock that stands still between its steps. What the ledger has then is copied into a real
Valkey and measured there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from redis import Redis

from bot.core.catalog import Lengths
from bot.ports.documents import Key
from bot.testing.cast import BOB, DAN, PROD_DB, catalog
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.story import Story
from bot.testing.valkey import valkey
from tests.bench.table import Row

A_DAY = 1_000
"""Grants."""
SECONDS = 86_400
NAME = "rotakey:{main}:"


def bytes_kept() -> Iterator[Row]:
    """Measure while Dan requests, Bob approves, and Dan gives it back, all day and night."""
    story = Story(catalog(replace(PROD_DB, lengths=Lengths(default=60, max=3_600))), sealed=True)
    with valkey() as server, Redis.from_url(server.url) as redis:
        _run_grant(story)
        before = _measure(story.memory, redis)
        grant = _start_grant(story)
        live = _documents_in(_measure(story.memory, redis)) - _documents_in(before)
        story.give_back(DAN)
        story.pass_time(60)
        ended = _documents_in(_measure(story.memory, redis)) - _documents_in(before)
        entries = len(story.history(grant))
        start = _measure(story.memory, redis)
        seals = len(story.memory.seals(count=1_000_000))
        for _ in range(A_DAY):
            _run_grant(story)
        day = _measure(story.memory, redis)
        sealed = (len(story.memory.seals(count=1_000_000)) - seals) / A_DAY
    audit, closed = ((day[name] - start[name]) / A_DAY for name in ("audit", "seals"))
    yield Row("a live grant", "", f"{live} bytes, and what it has in the audit")
    yield Row("an ended grant, without its entries", "", f"{ended} bytes")
    yield Row(
        "an ended grant, with its entries",
        "",
        f"{ended + audit + closed:.0f} bytes: {entries} entries {audit:.0f}, {sealed:.1f} seals {closed:.0f}",
    )
    year = 365 * A_DAY * (ended + audit + closed) / 1e9
    yield Row("a year of 1,000 grants a day", "", f"{year:.2f} GB")
    yield Row("the same with keep: 90d, at any time", "", f"{year / 365 * 91:.2f} GB")


def _start_grant(story: Story) -> str:
    grant = story.ask(DAN, length="10m").standing.grant.id
    story.approve(BOB, grant)
    story.pass_time(30)
    return grant


def _run_grant(story: Story) -> None:
    _start_grant(story)
    story.give_back(DAN)
    story.pass_time(SECONDS / A_DAY - 30)


def _documents_in(measured: Mapping[str, int]) -> int:
    return sum(size for kind, size in measured.items() if kind not in ("audit", "seals"))


def _measure(memory: MemoryLedger, redis: Redis) -> Counter[str]:
    """Return the bytes by kind of key, as the ledger in Redis would have them."""
    kept: Mapping[str, Any] = memory.backup()
    redis.flushall()
    pipe = redis.pipeline(transaction=False)
    documents: Mapping[Key, tuple[int, str]] = kept["_documents"]
    for key, (version, text) in documents.items():
        pipe.hset(f"{NAME}doc:{key.kind}:{key.id}", mapping={"v": version, "d": text})
    for index, ids in kept["_indexes"].items():
        if ids:
            pipe.sadd(f"{NAME}index:{index}", *ids)
    for grant in kept["_leases"]:
        pipe.set(f"{NAME}lease:{grant}", "1", px=10**9)
    for member, at in kept["_due"].items():
        pipe.zadd(f"{NAME}due:{member.partition('/')[0]}", {member: at})
    for member, generation in kept["_generations"].items():
        pipe.hset(f"{NAME}generations", member, generation)
    for ms, number, text in kept["_audit"]:
        pipe.xadd(f"{NAME}audit", {"e": text}, id=f"{ms}-{number}")
    for seal in kept["_seals"]:
        pipe.xadd(f"{NAME}seals", {"s": seal.text}, id=f"{seal.number}-0")
    pipe.execute()
    found = Counter[str]()
    for each in redis.scan_iter(count=1_000):
        name = each.decode()
        found[name.removeprefix(NAME).partition(":")[0]] += int(redis.memory_usage(name, samples=0) or 0)
    return found
