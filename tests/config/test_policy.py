"""An access.yaml without mistakes becomes the policy that it describes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.config import check, load
from bot.core.catalog import (
    AuditRules,
    Catalog,
    Entitlement,
    Everyone,
    InGroup,
    Lengths,
    Located,
    Named,
    OnCall,
    PeopleRules,
    ReasonRule,
    Resource,
    SecurityRules,
    SourceRules,
    StrayMode,
    StrayRules,
    version_of,
)
from bot.oncall.pagerduty.settings import PagerDutySettings
from bot.targets.postgres.settings import PostgresSettings
from tests.config.files import ENVIRON, FULL, SANDBOX, read, resource, resource_text

HOUR = 3_600


def test_everything_that_can_be_written_is_read() -> None:
    assert replace(read(FULL).catalog, located=Located()) == Catalog(
        version=version_of(FULL),
        people=PeopleRules(
            email_domains=("example.com", "example.org"), accounts={"U02ADA": {"orders-db": "ada"}}
        ),
        sources={"pagerduty": SourceRules(every=30, stale_after=300, start_stale_after=2 * HOUR)},
        security=SecurityRules(channel="C02SECURE"),
        audit=AuditRules(file="/var/lib/rotakey/anchor", channel="#audit", archive="/srv/audit"),
        keep=400 * 86_400,
        strays=StrayRules(mode=StrayMode.ENFORCE, every=300, share=10),
        session_notes={"orders-db": "kept", "bills-db": "ended_on_primary"},
        resources={
            "prod-db": Resource(
                name="prod-db",
                title="Orders database, read and write",
                gives=(
                    Entitlement(target="orders-db", what=(("role", "orders_rw"),)),
                    Entitlement(target="bills-db", what=(("role", "bills_ro"),)),
                ),
                lengths=Lengths(default=4 * HOUR, max=12 * HOUR, min=300, offer=(HOUR, 4 * HOUR, 12 * HOUR)),
                who_may_ask=(
                    InGroup(group="slack/engineers"),
                    Named(person="U02ADA"),
                    OnCall(schedule="pagerduty/PDBPRIM"),
                ),
                reason=ReasonRule(required=True, pattern=r"INC-\d+", say="an incident number"),
                approve_automatically=(
                    OnCall(schedule="pagerduty/PDBPRIM", levels=(1, 2), grace=900),
                    InGroup(group="slack/sre"),
                ),
                approvers=(
                    InGroup(group="slack/dba"),
                    Named(person="U02BOB"),
                    OnCall(schedule="pagerduty/PSEC", levels=(1,)),
                ),
                approvals=2,
                on_shift=OnCall(schedule="pagerduty/PDBPRIM", levels=(1,), grace=5_400),
                one_holder=True,
                channel="#db-access",
                lapse_after=2 * HOUR,
            )
        },
    )


@pytest.mark.parametrize(
    ("before", "now", "moved"),
    [
        ("${ORDERS_DB_URL}", "${OTHER_URL}", {"orders-db"}),
        ("sessions: keep", "sessions: end", set()),
        ("U02ADA: {orders-db: ada}", "U02ADA: {orders-db: adah}", set()),
    ],
)
def test_a_target_moves_with_what_the_file_says_of_its_address(
    before: str, now: str, moved: set[str]
) -> None:
    environ = {"OTHER_URL": ENVIRON["ORDERS_DB_URL"]}
    changed = FULL.replace(before, now)
    then, later = (each.catalog.located.addresses for each in (read(FULL), read(changed, environ)))
    assert {name for name in then if then[name] != later[name]} == moved
    assert set(then) == set(later) == {"orders-db", "bills-db"}


def test_beside_the_catalog_stands_what_the_adapters_need() -> None:
    policy = read(FULL)
    orders, pager = policy.targets["orders-db"], policy.oncall["pagerduty"]
    assert policy.workspace == "acme-eu"
    assert isinstance(orders, PostgresSettings)
    assert orders.url.get_secret_value() == ENVIRON["ORDERS_DB_URL"]
    assert orders.replicas == ()
    assert isinstance(pager, PagerDutySettings)
    assert pager.token.get_secret_value() == ENVIRON["PAGERDUTY_TOKEN"]
    assert pager.api_url == "https://api.pagerduty.com"


def test_replicas_are_listed_as_secrets() -> None:
    environ = {**ENVIRON, "REPLICA_URL": "postgresql://rotakey:tell-nobody@replica.example.com/orders"}
    listed = 'url: "${ORDERS_DB_URL}", replicas: ["${REPLICA_URL}"]'
    text = FULL.replace('url: "${ORDERS_DB_URL}", sessions: keep', listed)
    orders = load(text, environ=environ).targets["orders-db"]
    assert isinstance(orders, PostgresSettings)
    [replica] = orders.replicas
    assert replica.get_secret_value() == environ["REPLICA_URL"]
    assert "tell-nobody" not in repr(orders)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("replicas: []", "targets.orders-db.replicas: "),
        (
            'replicas: ["${BILLS_URL}"]',
            "orders-db.replicas[0]: is not a PostgreSQL URL",
        ),
        (
            'replicas: ["${REPLICA_URL}"]',
            "orders-db.replicas[0]: the variable REPLICA_URL is not set",
        ),
        ('sessions: keep, replicas: ["${ORDERS_DB_URL}"]', "has no effect with sessions: keep"),
    ],
)
def test_replicas_that_cannot_be_used_are_a_mistake(written: str, said: str) -> None:
    text = FULL.replace('url: "${ORDERS_DB_URL}", sessions: keep', f'url: "${{ORDERS_DB_URL}}", {written}')
    [mistake] = check(text, environ={**ENVIRON, "BILLS_URL": "mysql://root:hunter2@db"})
    assert said in str(mistake)
    assert "hunter2" not in str(mistake)


def test_a_short_resource_gets_careful_defaults() -> None:
    assert resource("approvers: [slack/dba]") == Resource(
        name="prod-db",
        title="Orders database",
        gives=(Entitlement(target="orders-db", what=(("role", "orders_rw"),)),),
        lengths=Lengths(default=HOUR, max=12 * HOUR, min=1, offer=()),
        who_may_ask=(Everyone(),),
        reason=ReasonRule(required=True),
        approvers=(InGroup(group="slack/dba"),),
        approvals=1,
        lapse_after=HOUR,
    )
    policy = read(resource_text("approvers: [slack/dba]"))
    assert policy.workspace == "main"
    assert policy.catalog.sources == {"pagerduty": SourceRules()}
    assert policy.catalog.people == PeopleRules()
    assert policy.catalog.security_channel is None
    assert policy.catalog.audit == AuditRules()
    assert policy.catalog.strays == StrayRules(mode=StrayMode.ASK, every=600, share=25)


def test_without_a_default_length_it_is_an_hour_as_far_as_that_is_allowed() -> None:
    assert resource("approvers: [U02BOB]", "duration: {max: 30m}").lengths.default == 1_800
    assert resource("approvers: [U02BOB]", "duration: {max: 8h, min: 2h}").lengths.default == 2 * HOUR
    assert resource("approvers: [U02BOB]", "duration: {max: 8h}").lengths.default == HOUR


def test_a_reason_may_be_left_out_only_where_the_policy_says_so() -> None:
    assert not resource("approvers: [U02BOB]", "reason: optional").reason.required
    assert resource("approvers: [U02BOB]", "reason: required").reason.required
    assert resource("approvers: [U02BOB]", "reason: {pattern: INC}").reason.required


def test_a_schedule_alone_stands_for_all_its_levels() -> None:
    short = resource("on_shift: pagerduty/PDBPRIM", "approve_automatically: [{on_call: pagerduty/PDBPRIM}]")
    assert short.on_shift == OnCall(schedule="pagerduty/PDBPRIM")
    assert short.approve_automatically == (OnCall(schedule="pagerduty/PDBPRIM"),)


def test_only_one_may_hold_it_and_the_shift_brings_it() -> None:
    seat = resource("one_holder: true", "on_shift: {schedule: pagerduty/PDBPRIM}")
    assert seat.one_holder
    assert seat.on_shift


def test_the_sandbox_policy_is_good() -> None:
    catalog = read(SANDBOX.read_bytes()).catalog
    assert list(catalog.resources) == [
        "prod-db",
        "orders-on-call",
        "schema-migration",
        "deploy-admin",
        "prod-on-call",
        "vault-admin",
    ]
    assert catalog.resources["prod-db"].lengths.offer == (HOUR, 4 * HOUR, 12 * HOUR)
    assert catalog.resources["schema-migration"].one_holder
    assert catalog.resources["schema-migration"].channel is None
    assert catalog.people.accounts["U02CAR"] == {"orders-db": "carol"}


def test_the_version_is_that_of_the_text_and_nobody_sees_the_secret_in_it() -> None:
    ours = read(FULL)
    theirs = read(FULL, {"ORDERS_DB_URL": "postgresql://elsewhere.example.com/orders"})
    assert ours.catalog.version == theirs.catalog.version == version_of(ours.text)
    assert "tell-nobody" not in repr(ours) + ours.text + str(ours.targets)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing_but_the_version() -> None:
    plain = read(FULL)
    windows = read(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode())
    assert windows.catalog.resources == plain.catalog.resources
    assert windows.catalog.version != plain.catalog.version
