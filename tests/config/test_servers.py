"""A running server may have only one name, however its address is written."""

from __future__ import annotations

import pytest

from bot.config import check, load
from bot.core.errors import Misconfigured
from bot.targets.postgres.settings import postgres_servers

TEXT = """\
targets:
  orders-db: {kind: postgres, url: "${ORDERS_DB_URL}"}
  bills-db:
    kind: postgres
    url: "${BILLS_DB_URL}"
resources:
  prod-db: {title: Orders, gives: [{target: orders-db, role: rw}], approvers: [U02BOB]}
"""
TOLD = (
    "targets.bills-db: is the same system as orders-db on line 2 (same host and port, whatever the database"
    " and the user); give both one name"
)


def said(orders: str, bills: str, text: str = TEXT) -> list[str]:
    environ = {"ORDERS_DB_URL": orders, "BILLS_DB_URL": bills}
    return [str(each) for each in check(text, environ=environ)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://a:b@db.example.com/orders", "postgres://c:d@db.example.com:5432/bills"),
        ("postgresql://db.example.com", "postgresql://DB.Example.com./x?sslmode=require"),
        ("postgresql://u:p?w@db:5433", "postgresql://u@/x?host=db&port=5433"),
        ("postgresql://[::1]/a", "postgresql://u@[0:0::1]:5432/b"),
        ("postgresql://10.0.0.1/a", "postgresql://db/b?hostaddr=10.0.0.1"),
        ("postgresql://one,two:1/a", "postgresql://u:p@two:1/b"),
        ("postgresql://one,two/a?port=7", "postgresql://two:7/b"),
        ("postgresql://%2Frun%2Fpg/a", "postgresql:///b?host=/run/pg/"),
        ("postgresql:///a", "postgresql://u@/b"),
        ("postgresql:///a?service=orders", "postgresql://u@/b?service=orders"),
    ],
)
def test_two_names_for_one_server_are_a_mistake_that_names_both_lines(one: str, other: str) -> None:
    assert said(one, other) == [f"access.yaml:3: {TOLD}"]
    assert said(other, one) == [f"access.yaml:3: {TOLD}"]
    with pytest.raises(Misconfigured, match="is the same system as orders-db on line 2"):
        load(TEXT, environ={"ORDERS_DB_URL": one, "BILLS_DB_URL": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://u:p@db/a", "postgresql://u:p@db:5433/a"),
        ("postgresql://u:p@db1/a", "postgresql://u:p@db2/a"),
        ("postgresql://%2Frun%2Fpg/a", "postgresql://%2Frun%2Fpg2/a"),
        ("postgresql://%2Frun%2Fpg/a", "postgresql://%2Frun%2Fpg:5433/a"),
        ("postgresql:///a?service=orders", "postgresql:///a?service=bills"),
        ("postgresql://one,two:1/a", "postgresql://one:1,two:2/b"),
        ("postgresql://db/a", "postgresql://db@elsewhere/a"),
    ],
)
def test_two_servers_have_two_names(one: str, other: str) -> None:
    assert said(one, other) == []


def test_one_variable_in_two_targets_is_one_server_also_while_it_is_not_set() -> None:
    text = TEXT.replace("BILLS_DB_URL", "ORDERS_DB_URL")
    found = check(text, environ={})
    assert [str(each) for each in found if not each.unset] == [f"access.yaml:3: {TOLD}"]
    assert len([each for each in found if each.unset]) == 2


def test_it_is_told_with_all_else_that_is_wrong() -> None:
    text = TEXT.replace("[U02BOB]", "[bob]")
    first, second = said("postgresql://db/a", "postgresql://db/b", text)
    assert first == f"access.yaml:3: {TOLD}"
    assert second.startswith('access.yaml:7: resources.prod-db.approvers[0]: "bob" is not a valid approver')


def test_a_third_name_is_told_of_the_first() -> None:
    text = TEXT.replace("resources:", '  third-db: {kind: postgres, url: "${ORDERS_DB_URL}"}\nresources:')
    assert [
        each.partition(" on line")[0] for each in said("postgresql://db/a", "postgresql://db/b", text)
    ] == [
        "access.yaml:3: targets.bills-db: is the same system as orders-db",
        "access.yaml:6: targets.third-db: is the same system as orders-db",
    ]


def test_no_name_of_a_server_holds_a_password() -> None:
    for url in (
        "postgresql://u:s3cret@db/x",
        "postgresql://u@db/x?password=s3cret",
        "postgres://u:s3cret@/x",
    ):
        assert "s3cret" not in str(postgres_servers(url))
