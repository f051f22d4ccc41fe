"""Each objection to a value in access.yaml, word for word; the value comes first."""

from __future__ import annotations

import pytest

from tests.config.files import FULL, said

EXAMPLES = {
    '"#audit"': (
        '"audit"',
        "is not a valid channel; write #name in lower case, or its id, such as C02ABCDEF",
    ),
    "/var/lib/rotakey/anchor": (
        "lib/anchor",
        "is not a valid file path; write an absolute path, such as /var/lib/anchor",
    ),
    "/srv/audit": (
        "srv/audit",
        "is not a valid folder path; write an absolute path, such as /var/lib/rotakey/archive",
    ),
    "in_group: slack/sre": (
        "in_group: sre",
        "is not a valid group; write slack/ and the group's handle in lower case, such as slack/dba",
    ),
    "pagerduty/PDBPRIM, levels: [1, 2]": (
        "PDBPRIM, levels: [1, 2]",
        "is not a valid schedule; write the source, a slash and the schedule's id there, such as"
        " pagerduty/PABC123",
    ),
    "approvers: [slack/dba": (
        "approvers: [dba",
        "is not a valid approver; write a group such as slack/dba, a user id such as U02ABCDEF, or"
        " {on_call: …}",
    ),
    "who_may_ask: [slack/engineers": (
        "who_may_ask: [engineers",
        "is not a valid requester; write everyone, a group such as slack/dba, a user id, or {on_call: …}",
    ),
    "share: 10%": ("share: ten", "is not a valid percentage; write a whole one, such as 25%"),
    "role: orders_rw": (
        f"role: {'r' * 64}",
        "is not a valid role name; write 1 to 63 characters on one line",
    ),
    "{orders-db: ada}": (
        '{orders-db: " "}',
        "is not a valid account; write the account's name at the target",
    ),
    '"INC-\\\\d+"': ('"(?x)INC"', "uses the flag x; write it without that flag"),
    "title: Orders database, read and write": (
        'title: " "',
        "is blank or spans several lines; write one line of text",
    ),
}
"""A part of the file, what it is replaced by, and the objection to that."""


@pytest.mark.parametrize("part", EXAMPLES)
def test_an_objection_to_a_value(part: str) -> None:
    other, objection = EXAMPLES[part]
    assert FULL.count(part) == 1
    (only,) = said(FULL.replace(part, other))
    assert only.split('" ')[-1] == objection


@pytest.mark.parametrize(
    ("part", "other", "objection"),
    [
        (
            "security: {channel: C02SECURE}",
            "security: C02SECURE",
            "security: must be a mapping; its keys are channel, people, revoked_for",
        ),
        (
            "accounts:\n    U02ADA: {orders-db: ada}",
            "accounts: [U02ADA]",
            "people.accounts: must be a mapping; write one key: value on each line",
        ),
        (
            "sessions: keep}",
            'sessions: keep, replicas: ["${BILLS_DB_URL}"]}',
            "targets.orders-db.replicas: has no effect with sessions: keep; remove one of them",
        ),
        (
            '"${BILLS_DB_URL}"',
            '"${PAGERDUTY_TOKEN}"',
            "targets.bills-db.url: is not a PostgreSQL URL; write postgresql://user:password@host:5432/database",
        ),
    ],
)
def test_an_objection_without_the_value(part: str, other: str, objection: str) -> None:
    assert [each.split(": ", 1)[1] for each in said(FULL.replace(part, other, 1))] == [objection]
