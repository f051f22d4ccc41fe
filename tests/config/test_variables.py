"""``${NAME}`` is filled in from the environment, only in settings of targets and sources, and never shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.config import check, load
from bot.core.errors import Misconfigured
from bot.targets.postgres.settings import PostgresSettings
from tests.config.files import read, resource_text, said

BOB = "approvers: [U02BOB]"
PAGER = "{kind: pagerduty}"
ELSEWHERE = (
    "contains ${, but variables are filled in only in the settings of targets and oncall; write the value"
    " itself, or $${ for a literal ${"
)


def paged(every: str) -> str:
    """Return a file whose source is read at this interval."""
    return resource_text(BOB).replace(PAGER, f"{{kind: pagerduty, every: {every}}}")


def seconds(every: str, environ: dict[str, str]) -> int:
    return read(paged(every), environ).oncall["pagerduty"].every


def test_a_variable_stands_for_a_text_or_a_part_of_it() -> None:
    assert seconds('"${EVERY}"', {"EVERY": "30s"}) == 30
    assert seconds('"${TIMES}${UNIT}"', {"TIMES": "2", "UNIT": "m"}) == 120


def test_a_secret_is_a_variable_alone() -> None:
    settings = read(resource_text(BOB), {"ORDERS_DB_URL": "postgres://db/$$x"}).targets["orders-db"]
    assert isinstance(settings, PostgresSettings)
    assert settings.url.get_secret_value() == "postgres://db/$$x"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://rotakey:s3cret@db/orders",
        "postgresql://rotakey:${PASSWORD}@db/orders",
        "postgresql://db/orders",
        "${ORDERS_DB_URL}?sslmode=require",
        "$${ORDERS_DB_URL}",
    ],
)
def test_a_secret_in_the_file_is_a_mistake_that_does_not_repeat_it(url: str) -> None:
    text = resource_text(BOB).replace('"${ORDERS_DB_URL}"', f'"{url}"')
    assert said(text, {"PASSWORD": "s3cret"}) == [
        "access.yaml:2: targets.orders-db.url: is a secret, and this file must not contain secrets; write"
        " only a variable, such as ${ORDERS_DB_URL}, and set that variable in the environment"
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN", "SLACK_ANYTHING", "REDIS_URL"),
        *("AUDIT_KEY", "AUDIT_KEY_FILE", "SECRET_KEY", "SECRET_KEY_FILE", "SLACK_BOT_TOKEN_FILE"),
    ],
)
@pytest.mark.parametrize("url", ["${{{0}}}", "https://evil.example.com/${{{0}}}"])
def test_a_policy_cannot_name_what_the_bot_itself_needs(name: str, url: str) -> None:
    text = resource_text(BOB).replace('"${ORDERS_DB_URL}"', f'"{url.format(name)}"')
    told = f"{name} is one of the bot's own variables; use a separate variable for this setting"
    assert said(text, {name: "postgresql://t0ken"}) == [f"access.yaml:2: targets.orders-db.url: {told}"]
    assert said(paged(f'"{url.format(name)}"'), {name: "30s"}) == [
        f"access.yaml:1: oncall.pagerduty.every: {told}"
    ]


def test_a_name_that_only_resembles_one_of_the_bots_own_is_free() -> None:
    for name in ("MY_SLACK_URL", "AUDIT_KEYS", "MY_SECRET_KEY", "REDISTRIBUTION_URL"):
        text = resource_text(BOB).replace("${ORDERS_DB_URL}", f"${{{name}}}")
        assert said(text, {name: "postgresql://db/orders"}) == []


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("channel: ${CHANNEL}", "8: resources.prod-db.channel"),
        ("duration: {max: '${CHANNEL}'}", "8: resources.prod-db.duration.max"),
        (
            "approve_automatically: [{in_group: 'slack/${CHANNEL}'}]",
            "8: resources.prod-db.approve_automatically",
        ),
    ],
)
def test_elsewhere_in_the_file_no_variable_is_read(line: str, path: str) -> None:
    (only,) = said(resource_text(BOB, line), {"CHANNEL": "hunter2"})
    assert only.startswith(f"access.yaml:{path}")
    assert only.endswith(ELSEWHERE)


def test_nor_in_the_workspace_a_title_or_a_target_that_is_named() -> None:
    text = (
        resource_text(BOB).replace("Orders database", "${T}").replace("target: orders-db", 'target: "${T}"')
    )
    told = said("workspace: ${T}\n" + text, {"T": "orders-db"})
    assert told == [
        f"access.yaml:1: workspace: {ELSEWHERE}",
        f"access.yaml:6: resources.prod-db.title: {ELSEWHERE}",
        f"access.yaml:7: resources.prod-db.gives[0].target: {ELSEWHERE}",
    ]


def test_two_dollars_are_one_and_one_is_itself() -> None:
    text = resource_text(BOB).replace("Orders database", "5 $ or $${STAGE} or $$$$")
    assert read(text).catalog.resources["prod-db"].title == "5 $ or ${STAGE} or $$"


def test_what_is_filled_in_is_not_filled_in_again_and_is_no_yaml() -> None:
    environ = {"EVERY": "${OTHER}, [a, b]: #x", "OTHER": "30s"}
    (only,) = said(paged('"${EVERY}"'), environ)
    assert only.startswith('access.yaml:1: oncall.pagerduty.every: "${EVERY}" is not a valid length;')


def test_a_variable_that_is_not_set_is_one_mistake_where_it_is_used() -> None:
    told = "the variable EVERY is not set; set it in the environment"
    assert said(paged('"${EVERY}"')) == [f"access.yaml:1: oncall.pagerduty.every: {told}"]
    assert said(paged('"${EVERY}"'), {"EVERY": ""}) == [
        f"access.yaml:1: oncall.pagerduty.every: {told.replace('not set', 'empty')}"
    ]


def test_a_variable_without_a_good_name_is_a_mistake() -> None:
    for use in ("'${}'", "'${A B}'", "'${A'", "'${A:-x}'"):
        (only,) = said(paged(use), {"A": "30s"})
        assert only.endswith("has a ${ without a valid variable name; write ${NAME}, or $${ for a literal ${")


def test_what_a_variable_holds_is_not_told_when_it_does_not_fit() -> None:
    text = resource_text(BOB).replace(PAGER, "{kind: '${KIND}', every: '${EVERY}', stale_after: '${STALE}'}")
    told = said(text, {"KIND": "pagerduty", "EVERY": "hunter two", "STALE": "hunter two"})
    assert told == [
        f'access.yaml:1: oncall.pagerduty.{key}: "${{{name}}}" is not a valid length;'
        " write one such as 12h, 45m, 1h30m or 2d, with the larger unit first"
        for key, name in (("every", "EVERY"), ("stale_after", "STALE"))
    ]


def test_a_variable_may_be_kept_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("30s\n")
    assert seconds('"${EVERY}"', {"EVERY_FILE": str(secret)}) == 30
    (missing,) = said(paged('"${EVERY}"'), {"EVERY_FILE": str(tmp_path / "none")})
    assert missing.endswith(
        "the variable EVERY cannot be read from the file that EVERY_FILE names:"
        " No such file or directory; check the path"
    )


RULES = """\
people: {email_domains: ["${WHO}"], accounts: {U02ADA: {orders-db: "${WHO}"}}}
targets:
  orders-db: {kind: postgres, url: "${ORDERS_DB_URL}"}
resources:
  prod-db:
    title: Orders
    gives: [{target: orders-db, role: "${WHO}"}]
    who_may_ask: ["${WHO}"]
    approve_automatically: [{in_group: "${WHO}"}]
    approvers: ["${WHO}"]
    duration: {max: "${WHO}"}
security: {channel: "${WHO}", people: ["${WHO}"]}
"""


def test_no_variable_stands_in_people_in_resources_or_in_rules() -> None:
    """Otherwise two processes could have two policies with one version."""
    found = check(RULES, environ={"ORDERS_DB_URL": "postgresql://here", "WHO": "U02ADA"})
    refused = {each.path for each in found if ELSEWHERE in each.text}
    assert refused == {
        "people.email_domains[0]",
        "people.accounts.U02ADA.orders-db",
        "resources.prod-db.gives[0].role",
        "resources.prod-db.who_may_ask[0]",
        "resources.prod-db.approve_automatically[0].in_group",
        "resources.prod-db.approvers[0]",
        "resources.prod-db.duration.max",
        "security.channel",
        "security.people[0]",
    }


# ------------------------------------------------------------------------------------ without secrets


BLIND = """\
people: {email_domains: [example.com]}
oncall: {pagerduty: {kind: pagerduty, every: "${EVERY}"}}
targets:
  orders-db: {kind: postgres, url: "${ORDERS_DB_URL}", replicas: ["${COPY_URL}"]}
  bills-db: {kind: postgres, url: "${BILLS_DB_URL}"}
resources:
  prod-db: {title: Orders, gives: [{target: orders-db, role: rw}], approvers: [U02BOB], duration: {max: 1h}}
"""


def test_who_reaches_no_target_needs_no_address_and_decides_by_the_same_policy() -> None:
    urls = {
        "ORDERS_DB_URL": "postgresql://bot:t0ken@here/orders",
        "COPY_URL": "postgresql://there",
        "BILLS_DB_URL": "postgresql://bills",
        "PAGERDUTY_TOKEN": "u+1",
    }
    blind = load(BLIND, environ={"EVERY": "90s"}, secrets=False)
    whole = load(BLIND, environ={"EVERY": "90s", **urls})
    assert blind.catalog.located.reached == {}
    assert replace(blind.catalog, located=whole.catalog.located) == whole.catalog
    assert set(whole.catalog.located.reached) == {"orders-db", "bills-db"}
    assert blind.catalog.located.variables == {"orders-db": ("ORDERS_DB_URL",), "bills-db": ("BILLS_DB_URL",)}


def test_what_it_decides_by_it_needs() -> None:
    with pytest.raises(Misconfigured) as stopped:
        load(BLIND, environ={}, secrets=False)
    assert "oncall.pagerduty.every: the variable EVERY is not set" in str(stopped.value)
    assert "_URL" not in str(stopped.value)


def test_where_a_target_is_told_apart_by_its_server_and_by_no_secret() -> None:
    def reached(url: str) -> str:
        urls = {"COPY_URL": "postgresql://there", "BILLS_DB_URL": "postgresql://bills"}
        environ = {"EVERY": "90s", "PAGERDUTY_TOKEN": "u+1", **urls}
        return load(BLIND, environ={**environ, "ORDERS_DB_URL": url}).catalog.located.reached["orders-db"]

    here = reached("postgresql://bot:t0ken@here:5432/orders")
    assert reached("postgresql://other:secret@HERE/orders?sslmode=require") == here
    assert reached("postgresql://bot:t0ken@there:5432/orders") != here
    assert reached("postgresql://bot:t0ken@here:5433/orders") != here
