"""A doubt about a file becomes a warning with its line, and stops nothing."""

from __future__ import annotations

import pytest

from bot.config import cautions, check, load
from tests.config.files import ENVIRON, FULL, HEAD

STANDBYS = (
    "warning: when access ends, sessions on standby servers stay open; if there are any, name them under"
    " replicas"
)
TEXT = """\
people: {email_domains: [example.com]}
oncall: {pagerduty: {kind: pagerduty}}
targets: {orders-db: {kind: postgres, url: "${ORDERS_DB_URL}", sessions: keep}}
resources:
  prod-db:
    title: Orders
    gives: [{target: orders-db, role: rw}]
    reason: {pattern: "INC-\\\\d+"}
    approvers: [slack/dba]
  on-duty:
    title: Orders, on call
    gives: [{target: orders-db, role: ro}]
    on_shift: pagerduty/PX
security: {channel: "#security"}
"""


def warned(
    text: str, copies: int = 0, environ: dict[str, str] | None = None, tries: float = 5.0
) -> list[str]:
    environ = ENVIRON if environ is None else environ
    assert [each for each in check(text, environ=environ) if not each.unset] == []
    return [str(each) for each in cautions(text, environ=environ, copies=copies, tries=tries)]


def test_a_file_of_which_nothing_is_doubted() -> None:
    assert warned(TEXT) == []
    assert warned(TEXT, environ={}) == []


def test_each_place_of_a_short_file() -> None:
    text = HEAD + "    approvers: [U02BOB]\n"
    assert warned(text) == [
        "access.yaml:1: people: warning: has no email_domains, so full members with an address at any domain"
        " may request; list your domains",
        "access.yaml:1: security: warning: has no channel, so nobody is told if access cannot be revoked in"
        " time; name one",
        f"access.yaml:2: targets.orders-db: {STANDBYS}",
    ]


def test_what_has_approvers_here_and_none_there() -> None:
    assert warned(TEXT.replace("role: ro", "role: rw")) == [
        "access.yaml:12: resources.on-duty.gives[0]: warning: is given here without approvers, but by"
        " prod-db only with them; check that this is intended"
    ]


def test_a_pattern_that_matches_anything() -> None:
    assert warned(TEXT.replace("INC-\\\\d+", ".*")) == [
        "access.yaml:8: resources.prod-db.reason.pattern: warning: matches any reason; write reason:"
        " required, or a stricter pattern"
    ]


def test_a_slow_pattern_is_named_and_not_looked_for_without_time() -> None:
    slow = TEXT.replace("INC-\\\\d+", "(a|aa)+$")
    assert warned(slow) == [
        "access.yaml:8: resources.prod-db.reason.pattern: warning: takes longer than 0.5 s to match some"
        " reasons, so requests wait for a worker or are refused; do not nest repetitions in it"
    ]
    assert warned(slow, tries=0) == []


@pytest.mark.parametrize(
    ("url", "doubted"),
    [
        ("postgresql://db.example.com/x?sslmode=disable", True),
        ("postgresql://localhost,db.example.com/x?sslmode=disable", True),
        ("postgresql://db.example.com/x?sslmode=require", False),
        ("postgresql://db.example.com/x", False),
        ("postgresql://localhost/x?sslmode=disable", False),
        ("postgresql://[::1]/x?sslmode=disable", False),
        ("postgresql:///x?host=/run/pg&sslmode=disable", False),
    ],
)
def test_passwords_in_clear(url: str, doubted: bool) -> None:
    assert warned(TEXT, environ={"ORDERS_DB_URL": url}) == doubted * [
        "access.yaml:3: targets.orders-db.url: warning: has sslmode=disable, which sends passwords"
        " unencrypted; write sslmode=require"
    ]


def test_a_role_that_is_spelled_as_postgresql_seldom_does() -> None:
    assert warned(TEXT.replace("role: ro", "role: Orders_RO")) == [
        "access.yaml:12: resources.on-duty.gives[0]: warning: has capital letters, and CREATE ROLE makes"
        " them lower case unless the name is in quotes; check that the role is really spelled this way"
    ]


def test_copies_without_an_anchor_in_a_file() -> None:
    (only,) = warned(TEXT, copies=1)
    assert only.startswith(
        "access.yaml:1: audit: warning: REDIS_COPIES is set, but audit: {anchor: {file: …}} is not"
    )
    assert warned(TEXT + "audit: {anchor: {file: /var/lib/anchor}}\n", copies=1) == []


def test_the_whole_file_of_the_tests() -> None:
    assert [each.partition(": ")[0] for each in warned(FULL)] == ["access.yaml:11"]


def test_the_earlier_name_of_strays_is_read_with_a_warning() -> None:
    earlier = FULL.replace("\nstrays:", "\nsweep:")
    assert load(earlier, environ=ENVIRON).catalog.strays == load(FULL, environ=ENVIRON).catalog.strays
    [line] = [number for number, each in enumerate(earlier.splitlines(), 1) if each.startswith("sweep:")]
    assert (
        f"access.yaml:{line}: sweep: warning: is called strays now; rename it, because the old name will go"
        " away" in warned(earlier)
    )
    both = f"{FULL}sweep: {{every: 1h}}\n"
    [mistake] = [str(each) for each in check(both, environ=ENVIRON)]
    assert mistake.endswith(": this is the earlier name of strays, which is here, too; remove one of them")
