"""Words that look like other words: for typing errors and *did you mean*."""

from __future__ import annotations

from collections.abc import Collection
from difflib import SequenceMatcher, get_close_matches


def alike(word: str, names: Collection[str]) -> tuple[str, ...]:
    """Return the names that are most like the word, if it may be a slip of theirs: three quarters of the
    letters agree, and it is at most two letters longer or shorter. Words of up to three letters are not
    guessed."""
    near = [name for name in names if abs(len(name) - len(word)) <= 2 and min(len(name), len(word)) > 3]
    likeness = {name: SequenceMatcher(None, name, word).ratio() for name in near}
    best = max(likeness.values(), default=0.0)
    return tuple(name for name in near if likeness[name] == best and best >= 0.75)


def nearest(name: str, names: Collection[str]) -> list[str]:
    """Return up to three names that may have been meant: first those of which one contains the other, by
    name, then the likeliest."""
    wanted = name.casefold()[:80]
    folded = {each.casefold()[:80]: each for each in names}
    parts = [each for each in sorted(folded) if min(len(each), len(wanted)) >= 2]
    parts = [each for each in parts if each in wanted or wanted in each]
    found = dict.fromkeys([*parts, *get_close_matches(wanted, folded, cutoff=0.75)])
    return [folded[each] for each in found][:3]
