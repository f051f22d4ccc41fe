"""Holds that are kept outside the ledger as well: at a target that cannot mark what Rotakey makes there, and
where nobody else ends it, a lost Redis would otherwise leave access for ever."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.core.catalog import Entitlement
from bot.core.holds import Hold, Receipt


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A hold, what identifies its access at the target, and its end. ``at`` is when that was written.
    ``gone``: what these receipts name was seen to be gone."""

    hold: Hold
    receipts: tuple[Receipt, ...]
    at: datetime
    until: datetime | None = None
    gone: bool = False

    def is_past(self, now: datetime) -> bool:
        return self.until is not None and self.until <= now


def line_of(kept: Kept) -> str:
    """Return the line of a file that says it, with its line break."""
    hold = kept.hold
    said = {
        "at": kept.at.isoformat(),
        "target": hold.target,
        "account": hold.account,
        "what": [list(each) for each in hold.entitlement.what],
        "until": kept.until.isoformat() if kept.until else None,
        "gone": kept.gone,
        "receipts": [
            {"system": each.system, "facts": dict(each.facts), "moved_from": each.moved_from}
            for each in kept.receipts
        ],
    }
    return json.dumps(said, ensure_ascii=False) + "\n"


def read_line(line: str) -> Kept:
    """Read such a line. Raise ValueError if it is not one."""
    try:
        said = json.loads(line)
        what = tuple((str(name), str(value)) for name, value in said["what"])
        entitlement = Entitlement(target=str(said["target"]), what=what)
        return Kept(
            hold=Hold(target=entitlement.target, account=str(said["account"]), entitlement=entitlement),
            receipts=tuple(
                Receipt(system=each["system"], facts=each["facts"], moved_from=each["moved_from"])
                for each in said["receipts"]
            ),
            at=datetime.fromisoformat(said["at"]),
            until=datetime.fromisoformat(said["until"]) if said["until"] else None,
            gone=bool(said["gone"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a hold that was kept: {type(error).__name__}") from error


def latest(every: Iterable[Kept]) -> Mapping[str, Kept]:
    """Return what counts of each hold, by its key; what was written last comes last. What was seen to be gone
    ends an earlier line only if it names all receipts of that line: a ledger that came back older does not
    know the later ones."""
    found: dict[str, Kept] = {}
    for each in every:
        known = found.get(each.hold.key)
        if each.gone and known and any(receipt not in each.receipts for receipt in known.receipts):
            continue
        found[each.hold.key] = each
    return found
