"""Groups and schedules that are read: those of the policy, and those by which something may still live."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from bot.core.catalog import Catalog
from bot.ports.changes import Change, Snapshot
from bot.ports.documents import Key, Readings

AT_LEAST = timedelta(days=14)
"""As far ahead as rosters are read."""
RENEWED_EVERY = timedelta(days=1)


def names_to_read(what: str, names: Collection[str], snap: Snapshot) -> tuple[str, ...]:
    """Return the names in the policy, and those that left it so lately that a ground may still live by them.
    ``snap`` has the Readings of ``what``."""
    known = snap.find(Readings, what)
    left = (name for name, until in (known.until if known else {}).items() if until > snap.now)
    return tuple(dict.fromkeys((*names, *sorted(left))))


def renewal_of(what: str, names: Collection[str], catalog: Catalog, snap: Snapshot) -> Change:
    """Return what must be written so that these names are read for as long as anything can live by them after
    they have left the policy."""
    longest = max((each.lengths.max for each in catalog.resources.values()), default=0)
    until = snap.now + max(timedelta(seconds=longest), AT_LEAST) + RENEWED_EVERY
    known = snap.find(Readings, what) or Readings()
    kept = {name: at for name, at in known.until.items() if at > snap.now}
    late = {name for name in names if name not in kept or until - kept[name] >= RENEWED_EVERY}
    after = Readings(until={**kept, **dict.fromkeys(late, until)})
    return Change(put={Key.of(Readings, what): after}, frees=True) if after != known else Change(frees=True)
