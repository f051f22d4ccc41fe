"""People, schedules and resources of a round: many people, so that thousands of grants do not collide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from bot.doubles.pagerduty import Pager
from bot.doubles.slack.model import Channel, Group, Person
from bot.doubles.slack.workspace import Workspace

PEOPLE = tuple(f"U0{number:03}" for number in range(1, 41))
APPROVERS = PEOPLE[:6]
STAND_INS: Mapping[str, tuple[str, ...]] = {"PWATCH": PEOPLE[6:12], "PNIGHT": PEOPLE[12:18]}
"""The people who take shifts of a schedule now and then."""
ALWAYS_ON_CALL: Mapping[str, str] = {"PNIGHT": PEOPLE[12]}
"""The person on call whenever no stand-in is; the other schedule has nobody then."""
SECOND_LEVEL: Mapping[str, str] = {"PNIGHT": PEOPLE[18]}
"""The person who is always on call at the second level, which no stand-in takes."""
SECURITY = PEOPLE[20:23]
REVOKED_FOR = 60
"""Seconds after a revocation for which no rule gives access back."""
DOMAIN = "example.com"
OFFERED = (1, 2, 4)
LONGEST = 60


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource. ``gives`` has the target and role of each entitlement; without ``approvals`` a rule
    approves at once."""

    name: str
    gives: tuple[tuple[str, str], ...]
    approvals: int = 0
    channel: str | None = None
    one_holder: bool = False
    on_call: str | None = None
    """The schedule whose people are approved by a rule."""
    on_shift: str | None = None
    """The schedule whose people have it without a request."""


RESOURCES = (
    *(Resource(name=f"table-{n}", gives=(("orders-db", f"table_{n}"),)) for n in range(1, 6)),
    Resource(name="both", gives=(("orders-db", "both_here"), ("other-db", "both_there"))),
    Resource(name="asked", gives=(("orders-db", "asked"),), approvals=1, channel="asked"),
    Resource(name="asked-twice", gives=(("other-db", "asked_twice"),), approvals=2, channel="asked-twice"),
    Resource(name="asked-alone", gives=(("orders-db", "asked_alone"),), approvals=1),
    Resource(name="seat", gives=(("orders-db", "seat"),), one_holder=True),
    Resource(
        name="watch-db", gives=(("orders-db", "watch_db"),), approvals=1, channel="asked", on_call="PWATCH"
    ),
    Resource(name="watch", gives=(("orders-db", "watch"),), on_shift="PWATCH"),
    Resource(name="night", gives=(("other-db", "night"),), on_shift="PNIGHT"),
)
BY_NAME = {each.name: each for each in RESOURCES}
GIVES_ELSE, NO_RULE, NO_SHIFT = "gives something else", "a rule left", "a shift left"
VARIANTS: Mapping[str, tuple[str, ...]] = {
    GIVES_ELSE: ("table-4", "both", "asked", "asked-twice", "asked-alone", "watch"),
    NO_RULE: ("table-5", "both", "watch-db"),
    NO_SHIFT: ("watch", "night"),
}
"""The policies besides the plain one, and the resources that are different in them."""
ELSE: Mapping[str, tuple[str, str]] = {
    each.name: (each.gives[0][0], f"{each.gives[0][1]}_else")
    for each in RESOURCES
    if each.name in VARIANTS[GIVES_ELSE]
}
"""What these resources give instead of their first entitlement."""
_EVERY = (*(given for each in RESOURCES for given in each.gives), *ELSE.values())
TARGET_OF: Mapping[str, str] = {role: target for target, role in _EVERY}
"""The target of each role; no role is at two targets."""
URLS_OF: Mapping[str, tuple[str, str]] = {
    "orders-db": ("ORDERS_DB_URL", "ORDERS_DB_NEW_URL"),
    "other-db": ("OTHER_DB_URL", "OTHER_DB_NEW_URL"),
}
"""The variables with each target's two URLs; the policy names one of them."""


def email(person: str) -> str:
    return f"{name(person)}@{DOMAIN}"


def name(person: str) -> str:
    return f"p{person[2:]}"


def write_policy(path: Path, lapse_after: int, urls: Mapping[str, str], variant: str = "") -> None:
    """Write the policy, and name the anchor's file beside it. ``urls`` has the variable of each target's
    address. ``variant`` is one of VARIANTS; empty: the plain policy."""
    policy = {
        "people": {"email_domains": [DOMAIN]},
        "oncall": {"pagerduty": {"kind": "pagerduty", "every": "1s"}},
        "targets": {each: {"kind": "postgres", "url": f"${{{url}}}"} for each, url in urls.items()},
        "resources": {each.name: _settings_of(each, lapse_after, variant) for each in RESOURCES},
        "security": {
            "channel": "#security",
            "people": ["slack/security"],
            "revoked_for": f"{REVOKED_FOR}s",
        },
        "audit": {"anchor": {"file": str(path.with_name("anchor"))}},
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(policy, sort_keys=False))
    fresh.rename(path)


def _settings_of(resource: Resource, lapse_after: int, variant: str) -> dict[str, object]:
    changed = variant if resource.name in VARIANTS.get(variant, ()) else ""
    gives = (ELSE[resource.name], *resource.gives[1:]) if changed == GIVES_ELSE else resource.gives
    settings: dict[str, object] = {
        "title": f"What {resource.name} is",
        "gives": [{"target": target, "role": role} for target, role in gives],
        "duration": {"default": "5s", "max": f"{LONGEST}s", "offer": [f"{each}s" for each in OFFERED]},
        "lapse_after": f"{lapse_after}s",
        "one_holder": resource.one_holder,
    }
    rules: list[object] = []
    if changed == NO_RULE:
        pass
    elif resource.on_call:
        rules.append({"on_call": {"schedule": f"pagerduty/{resource.on_call}"}})
    elif not resource.approvals and not resource.on_shift:
        rules.append({"in_group": "slack/everybody"})
    if rules:
        settings["approve_automatically"] = rules
    if resource.on_shift and changed != NO_SHIFT:
        settings["on_shift"] = {"schedule": f"pagerduty/{resource.on_shift}"}
    if resource.approvals:
        settings["approvals"] = resource.approvals
    settings["approvers"] = ["slack/approvers"]
    if resource.channel:
        settings["channel"] = f"#{resource.channel}"
    return settings


CHANNELS = ("general", "security", *dict.fromkeys(each.channel for each in RESOURCES if each.channel))
GENERAL = "C0GENERAL"


def channel_id(channel: str) -> str:
    return "C0" + channel.upper().replace("-", "")


def add_people(workspace: Workspace) -> None:
    for person in PEOPLE:
        workspace.add_person(
            Person(id=person, name=name(person), real_name=name(person), email=email(person))
        )
    members = (*PEOPLE, workspace.app.user_id)
    for channel in CHANNELS:
        workspace.add_channel(Channel(id=channel_id(channel), name=channel, members=members))
    for handle, users in (("everybody", PEOPLE), ("approvers", APPROVERS), ("security", SECURITY)):
        workspace.add_group(Group(id=f"S0{handle.upper()}", handle=handle, name=handle, users=users))


def add_schedules(pager: Pager) -> None:
    for person in PEOPLE:
        pager.add_user(f"P{person}", name(person), email(person), slack=person)
    for schedule in STAND_INS:
        pager.add_schedule(schedule)
        if always := ALWAYS_ON_CALL.get(schedule):
            pager.add_shift(schedule, always, None, None)
        if second := SECOND_LEVEL.get(schedule):
            pager.add_shift(schedule, second, None, None, level=2)
