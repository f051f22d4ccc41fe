"""The people and the policy of the stories: Ada is on call, Dan is not, Bob and Carol approve."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.core.catalog import (
    Catalog,
    Entitlement,
    InGroup,
    Lengths,
    OnCall,
    PeopleRules,
    ReasonRule,
    Resource,
    SecurityRules,
    SourceRules,
)
from bot.core.people import Group, Person
from bot.core.shifts import Roster, Shift

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""The beginning of every story: a Monday."""

MINUTE, HOUR, DAY = 60, 3_600, 86_400
TEAM = "T1"
ADA, DAN, BOB, CAROL, EVE = "U01ADA", "U02DAN", "U03BOB", "U04CAROL", "U05EVE"
NAMES = {ADA: "ada", DAN: "dan", BOB: "bob", CAROL: "carol", EVE: "eve"}
EMAILS = {person: f"{name}@example.com" for person, name in NAMES.items()}
GROUP = "slack/dba"
SCHEDULE, ORDERS_SCHEDULE = "pagerduty/PDBPRIM", "pagerduty/PORDERS"
SECURITY = "#security"
SHIFT_ENDS = NINE + timedelta(hours=8)

UNHURRIED = {"pagerduty": SourceRules(every=600)}
"""The rules for stories that take days."""

FIRST_LINE = OnCall(schedule=SCHEDULE, levels=(1, 2))
ON_SHIFT = OnCall(schedule=ORDERS_SCHEDULE, levels=(1,), grace=15 * MINUTE)
PROD_DB = Resource(
    name="prod-db",
    title="Orders database, read and write",
    gives=(Entitlement(target="orders-db", what=(("role", "orders_rw"),)),),
    lengths=Lengths(default=4 * HOUR, max=12 * HOUR, offer=(HOUR, 4 * HOUR, 12 * HOUR)),
    approve_automatically=(FIRST_LINE,),
    approvers=(InGroup(group=GROUP),),
    channel="#db-access",
)
ORDERS_ON_CALL = Resource(
    name="orders-on-call",
    title="What the orders rotation needs",
    gives=(Entitlement(target="orders-db", what=(("role", "orders_ops"),)),),
    lengths=Lengths(default=4 * HOUR, max=12 * HOUR),
    approvers=(InGroup(group=GROUP),),
    on_shift=ON_SHIFT,
)
SCHEMA_MIGRATION = Resource(
    name="schema-migration",
    title="The one who may migrate the schema",
    gives=(Entitlement(target="orders-db", what=(("role", "migrator"),)),),
    lengths=Lengths(default=HOUR, max=8 * HOUR),
    reason=ReasonRule(required=False),
    approvers=(InGroup(group=GROUP),),
    one_holder=True,
)


def catalog(*resources: Resource, version: str = "v1") -> Catalog:
    """Return the policy of the stories; ``resources`` replace those of the same name, or are added."""
    named = {each.name: each for each in (PROD_DB, ORDERS_ON_CALL, SCHEMA_MIGRATION, *resources)}
    return Catalog(
        version=version,
        resources=named,
        people=PeopleRules(email_domains=("example.com",)),
        security=SecurityRules(channel=SECURITY),
        session_notes={"orders-db": "ended"},
    )


def person(who: str, read_at: datetime = NINE) -> Person:
    name = NAMES.get(who, who.casefold())
    return Person(
        id=who,
        team=TEAM,
        name=name,
        email=EMAILS.get(who, f"{name}@example.com"),
        email_confirmed=True,
        read_at=read_at,
    )


def people(*others: Person) -> dict[str, Person]:
    return {each.id: each for each in (*map(person, NAMES), *others)}


def dba(*members: str, read_at: datetime = NINE) -> Group:
    return Group(name=GROUP, members=members or (BOB, CAROL), read_at=read_at)


def shift(
    who: str = ADA,
    start: datetime | None = NINE - timedelta(hours=1),
    end: datetime | None = SHIFT_ENDS,
    level: int = 1,
    schedule: str = SCHEDULE,
) -> Shift:
    return Shift(
        schedule=schedule,
        email=EMAILS.get(who, f"{who.casefold()}@example.com"),
        level=level,
        start=start,
        end=end,
        person=who,
    )


def roster(*shifts: Shift, read_at: datetime = NINE, schedule: str = SCHEDULE) -> Roster:
    return Roster(schedule=schedule, shifts=shifts or (shift(),), read_at=read_at)


def nobodys(each: Shift) -> Shift:
    """Return a shift as a source gives it: with an email address, and no Slack user yet."""
    return replace(each, person=None)
