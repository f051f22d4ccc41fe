"""Findings of an examined audit, in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.core.audit.chain import gap, moment
from bot.core.audit.proof import Finding, What

_PLAIN: Mapping[What, str] = {
    What.ENTRY_UNREADABLE: "{error}",
    What.ENTRY_ORDER: "entry {entry} comes after entry {before}: the order is wrong",
    What.ENTRY_MOMENT: "entry {entry} says {said}, but its name says {named}",
    What.ENTRY_ADDED_LATER: "entry {entry} is older than seal {seal}: it was added afterwards",
    What.ENTRY_ADDED: "seal {seal} does not match what it seals: entry {entry} was added",
    What.ENTRY_CHANGED: "seal {seal} does not match what it seals: entry {entry} was changed",
    What.ENTRIES_CHANGED: "seal {seal} does not match what it seals: its entries were changed",
    What.ENTRIES_MISSING: (
        "seal {seal} does not match what it seals: {missing} of {entries} missing, the first {where}"
    ),
    What.ENTRY_BEFORE_FIRST: "entry {entry} comes before seal {seal}, the first",
    What.UNSEALED_TOO_LONG: (
        "{entries} since {since} not sealed, although a running worker seals within seconds: nothing"
        " proves them"
    ),
    What.UNSEALED_IN_FUTURE: (
        "{entries} since {since} not sealed, and the newest is from the future: nothing proves them"
    ),
    What.UNSEALED_YET: "{entries} since {since} not sealed yet: so far, nothing proves them",
    What.SEAL_UNREADABLE: "seal {seal} cannot be read: {error}",
    What.SEAL_CHANGED: "seal {seal} was changed after it was made",
    What.SEAL_ORDER: "seal {seal} comes after seal {before}: the order is wrong",
    What.SEALS_MISSING: "{gap}",
    What.SEALS_NOT_EXPORTED: "{gap}: the export left them out",
    What.SEAL_ELSEWHERE: "seal {seal} was not made after {place} as it is here",
    What.SEAL_GOES_ON_ELSEWHERE: "seal {seal} does not start where the previous seal ended",
    What.SIGNATURE_REMOVED: "the signature of seal {seal} was removed",
    What.SIGNATURE_ADDED: "the signature of seal {seal} was added",
    What.NOTHING_SIGNED: "no seal is signed with this key",
    What.NOT_SIGNED: "seal {seal} is not signed with this key, but seal {signed} is",
    What.SIGNED_FROM: "seals are signed with this key from seal {seal} on",
    What.RESTORE_ACCEPTED: (
        "seal {seal}: a restore was accepted on {at} by {by} ({reason}); seal {given_up} was given up, and"
        " the chain continues from {start}"
    ),
    What.OLDER_DROPPED: (
        "seal {seal} says that what was written before {before} (up to seal {up_to}) was dropped"
    ),
    What.OLDER_DROPPED_UNSIGNED: (
        "seal {seal} says that older ones were dropped, but is not signed with this key"
    ),
    What.ANCHOR_MISSING: (
        "the anchored seal {anchor} is missing: the audit was truncated or restored to an older state,"
        " and {newest_seal}"
    ),
    What.ANCHOR_REPLACED: "the anchored seal {anchor} is missing: another one is in its place",
    What.ANCHOR_GIVEN_UP: "the anchored seal {anchor} is missing; it was given up when a restore was"
    " accepted",
    What.ANCHOR_GIVEN_UP_UNSIGNED: (
        "seal {seal} gives up the anchored seal {anchor}, but is not signed with this key"
    ),
    What.ANCHOR_DROPPED: "the anchored seal {anchor} is missing; it had been dropped",
    What.MORE: "and {more} more",
}


def sentence(finding: Finding) -> str:
    """Return a finding in words."""
    facts: dict[str, object] = dict(finding.facts)
    facts |= {name: moment(value) for name, value in facts.items() if isinstance(value, datetime)}
    match finding.what:
        case What.SEALS_MISSING | What.SEALS_NOT_EXPORTED:
            facts["gap"] = gap(int(str(facts["first"])), int(str(facts["seal"])))
        case What.ENTRIES_MISSING:
            at_the_beginning = f"at the beginning, {facts['first']}"
            facts["where"] = f"after {facts['behind']}" if facts["behind"] else at_the_beginning
        case What.SEAL_ELSEWHERE:
            facts["place"] = f"seal {facts['before']}" if facts["before"] is not None else "the beginning"
        case What.RESTORE_ACCEPTED:
            facts["reason"] = facts["why"] or "no reason was given"
            facts["start"] = f"seal {facts['goes_on']}" if facts["goes_on"] else "its beginning"
        case What.ANCHOR_MISSING:
            newest = facts["newest"]
            facts["newest_seal"] = f"its newest seal is {newest}" if newest else "there is no seal"
    if "entries" in facts:
        facts["entries"] = "1 entry" if facts["entries"] == 1 else f"{facts['entries']} entries"
    return _PLAIN[finding.what].format_map(facts)
