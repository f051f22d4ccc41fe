"""Parts of a file that contradict each other are a mistake, if the text alone proves it."""

from __future__ import annotations

import pytest

from bot.config import check, targets_of
from bot.targets.postgres.settings import postgres_login
from tests.config.files import said

TEXT = """\
people:
  email_domains: [example.com]
  accounts:
    U02ADA: {orders-db: ada}
    U02BOB: {orders-db: bob}
targets:
  orders-db:
    kind: postgres
    url: "${ORDERS_DB_URL}"
    shared_accounts: [breakglass]
resources:
  prod-db:
    title: Orders
    gives: [{target: orders-db, role: ro}, {target: orders-db, role: rw}]
    approvers: [slack/dba]
  migration:
    title: Migrate
    gives: [{target: orders-db, role: migrator}]
    approvers: [slack/dba]
    one_holder: true
"""
UNSET: dict[str, str] = {}


def told(good: str, bad: str, text: str = TEXT) -> list[str]:
    """Return the mistakes of the changed file. They must be the same while its variable is not set."""
    assert good in text
    return said(text.replace(good, bad, 1))


def told_unset(good: str, bad: str) -> list[str]:
    return [str(each) for each in check(TEXT.replace(good, bad, 1), environ=UNSET) if not each.unset]


def test_the_file_that_the_others_are_made_of_has_no_mistakes() -> None:
    assert said(TEXT) == []


def test_one_entitlement_is_given_to_one_person_at_a_time_everywhere_or_nowhere() -> None:
    expected = [
        "access.yaml:14: resources.prod-db.gives[1]: is also given by migration on line 16, which has"
        " one_holder; write one_holder: true here too, or remove it there"
    ]
    assert told("role: rw", "role: migrator") == expected
    assert told_unset("role: rw", "role: migrator") == expected
    assert told("    one_holder: true\n", "", TEXT.replace("role: rw", "role: migrator")) == []
    seat = TEXT.replace("role: rw", "role: migrator").replace(
        "  migration:", "    one_holder: true\n  migration:"
    )
    assert said(seat) == []


@pytest.mark.parametrize(
    ("who_may_ask", "approvers", "approvals", "never"),
    [
        ("[U02ADA]", "[U02ADA]", 1, True),
        ("[U02ADA, U02BOB]", "[U02ADA, U02BOB]", 2, True),
        ("[U02ADA, U02BOB]", "[U02ADA, U02BOB]", 1, False),
        ("[U02ADA, U02BOB]", "[U02ADA]", 1, False),
        ("[U02ADA, U02BOB]", "[U02ADA, U02CAR]", 2, False),
        ("[U02ADA]", "[U02ADA, slack/dba]", 1, False),
        ("[U02ADA, slack/dba]", "[U02ADA]", 1, False),
        ("[everyone]", "[U02ADA]", 1, False),
    ],
)
def test_approvals_that_can_never_be_reached(
    who_may_ask: str, approvers: str, approvals: int, never: bool
) -> None:
    text = f"approvers: {approvers}\n    approvals: {approvals}\n    who_may_ask: {who_may_ask}"
    mistakes = told("approvers: [slack/dba]", text)
    assert mistakes == never * [
        "access.yaml:15: resources.prod-db.approvers: can never give enough approvals, because nobody"
        " approves their own request; name more people"
    ]


def test_an_account_is_one_person_s_unless_it_is_declared_shared() -> None:
    expected = [
        "access.yaml:5: people.accounts.U02BOB.orders-db: is also the account of U02ADA on line 4; give each"
        " person their own, or list it under targets.orders-db.shared_accounts"
    ]
    assert told("orders-db: bob", "orders-db: ada") == expected
    assert told_unset("orders-db: bob", "orders-db: ada") == expected
    both = TEXT.replace("orders-db: ada", "orders-db: breakglass").replace(
        "orders-db: bob", "orders-db: breakglass"
    )
    assert said(both) == []


@pytest.mark.parametrize("place", ["orders-db: bob", "[breakglass]"])
def test_no_account_is_the_bot_s_own_or_an_administrator_s(place: str) -> None:
    account = place.removeprefix("orders-db: ").strip("[]")
    where = {
        "orders-db: bob": "access.yaml:5: people.accounts.U02BOB.orders-db",
        "[breakglass]": "access.yaml:10: targets.orders-db.shared_accounts[0]",
    }[place]
    for login in ("postgres", "rdsadmin", "cloudsqlsuperuser"):
        expected = [
            f"{where}: is an administrator login, whose sessions Rotakey would end; name an account that"
            " people use"
        ]
        assert told(place, place.replace(account, login)) == expected
        assert told_unset(place, place.replace(account, login)) == expected
    assert told(place, place.replace(account, "rotakey")) == [
        f"{where}: is Rotakey's own login there; name an account that people use"
    ]
    assert told_unset(place, place.replace(account, "rotakey")) == []
    assert told(place, place.replace(account, "Rotakey")) == []


def test_the_bot_s_own_login_is_not_given_to_people_as_a_role() -> None:
    assert told("role: rw", "role: rotakey") == [
        "access.yaml:14: resources.prod-db.gives[1]: gives Rotakey's own login there, and with it every role"
        " that Rotakey can grant; name another role"
    ]


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("postgresql://rotakey:secret@db/x", "rotakey"),
        ("postgresql://rota%40key@db/x", "rota@key"),
        ("postgres://db/x?user=rotakey", "rotakey"),
        ("postgresql://one@db/x?user=two", "two"),
        ("postgresql://db/x", None),
        ("postgresql://:pw@db", None),
        ("postgresql:///x?host=/run/pg", None),
        ("postgresql://u:p/w?x@db", None),
    ],
)
def test_the_login_in_an_address(url: str, login: str | None) -> None:
    assert postgres_login(url) == login


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("é" * 32, "has 64 bytes, but PostgreSQL keeps only 63; shorten it"),
        ("public", "is reserved by PostgreSQL and cannot be a role; write the name of a role"),
        ("none", "is reserved by PostgreSQL and cannot be a role; write the name of a role"),
    ],
)
def test_names_that_postgresql_would_change(name: str, text: str) -> None:
    assert told("role: rw", f"role: {name}") == [
        f'access.yaml:14: resources.prod-db.gives[1].role: "{name}" {text}'
    ]
    assert told("orders-db: bob", f"orders-db: {name}") == [
        f"access.yaml:5: people.accounts.U02BOB.orders-db: {text}"
    ]
    assert told("role: rw", f"role: {'é' * 31}") == []


def test_two_that_are_wrong_are_both_told_also_beside_other_mistakes() -> None:
    text = TEXT.replace("orders-db: bob", "orders-db: ada").replace("role: rw", "role: migrator")
    assert len(said(text.replace("title: Orders", "title: ''"))) == 2
    assert len(said(text)) == 2


def test_for_revoking_no_conflict_stands_in_the_way() -> None:
    text = TEXT.replace("breakglass", "postgres").replace("orders-db: bob", "orders-db: ada")
    found = targets_of(text, name="access.yaml", environ={"ORDERS_DB_URL": "postgresql://postgres@db/x"})
    assert found.skipped == {}
    assert list(found.settings) == ["orders-db"]
