"""Two Slack users count as one person if they share an account or an address."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.catalog import Catalog, PeopleRules
from bot.core.people import same_human
from bot.testing.cast import BOB, DAN, EMAILS, catalog, person


def policy(accounts: dict[str, dict[str, str]], *shared: str) -> Catalog:
    return replace(
        catalog(),
        people=PeopleRules(accounts=accounts),
        shared_accounts={"orders-db": shared} if shared else {},
    )


@pytest.mark.parametrize(
    "accounts",
    [
        {DAN: {"orders-db": "dan"}, BOB: {"orders-db": "dan"}},
        {BOB: {"orders-db": EMAILS[DAN]}},
        {DAN: {"orders-db": EMAILS[BOB]}},
        {DAN: {"orders-db": "dan", "vault": "d"}, BOB: {"orders-db": "bob", "vault": "d"}},
    ],
)
def test_one_account_is_one_person(accounts: dict[str, dict[str, str]]) -> None:
    assert same_human(person(DAN), person(BOB), policy(accounts))
    assert same_human(person(BOB), person(DAN), policy(accounts))


@pytest.mark.parametrize(
    "accounts",
    [
        {},
        {DAN: {"orders-db": "dan"}, BOB: {"orders-db": "bob"}},
        {DAN: {"orders-db": "dan"}, BOB: {"vault": "dan"}},
        {DAN: {"orders-db": "shared"}, BOB: {"orders-db": "shared"}},
    ],
)
def test_another_account_or_a_shared_one_is_another_person(accounts: dict[str, dict[str, str]]) -> None:
    assert not same_human(person(DAN), person(BOB), policy(accounts, "shared"))
    assert same_human(person(DAN), person(DAN), policy(accounts, "shared"))


def test_an_address_counts_only_if_both_have_confirmed_it() -> None:
    dan, twin = person(DAN), replace(person(BOB), email=EMAILS[DAN])
    assert same_human(dan, twin, catalog())
    assert not same_human(dan, replace(twin, email_confirmed=False), catalog())
    assert not same_human(replace(dan, email=None), replace(twin, email=None), catalog())
    assert not same_human(replace(dan, email=""), replace(twin, email=""), catalog())
