"""Words that look like other words: for typing errors and *did you mean*."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def alike(word: str, names: Collection[str]) -> tuple[str, ...]:
    """Return the nearest names, at most one slip away from a short word and two from a long one; names of
    three letters or fewer are not guessed."""
    reach = 1 if len(word) <= 4 else 2
    near = (name for name in names if abs(len(name) - len(word)) <= reach and min(len(name), len(word)) > 3)
    found = [(distance(word, name), name) for name in near]
    best = min((steps for steps, _ in found), default=reach + 1)
    return tuple(name for steps, name in found if steps == best and steps <= reach)


def nearest(name: str, names: Collection[str]) -> list[str]:
    """Return up to three names that may have been meant, likeliest first."""
    wanted = name.casefold()[:80]
    reach = max(1, len(wanted) // 3)
    scored = [(_unlikeness(wanted, each.casefold()), each) for each in names]
    return [each for score, each in sorted(scored) if score <= reach][:3]


def distance(one: str, other: str) -> int:
    """Count the letters to insert, drop, replace, or swap with their neighbour."""
    before: Sequence[int] = ()
    row: Sequence[int] = range(len(other) + 1)
    for i, letter in enumerate(one):
        after = [i + 1]
        for j, against in enumerate(other):
            steps = min(row[j + 1] + 1, after[j] + 1, row[j] + (letter != against))
            if i and j and letter == other[j - 1] and one[i - 1] == against:
                steps = min(steps, before[j - 1] + 1)
            after.append(steps)
        before, row = row, after
    return row[-1]


def _unlikeness(wanted: str, name: str) -> int:
    if len(wanted) >= 2 and (name.startswith(wanted) or name.endswith(wanted)):
        return 0
    if len(wanted) >= 3 and (wanted in name or name in wanted):
        return 1
    return distance(wanted, name[:80])
