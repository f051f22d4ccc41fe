"""Edits that make something valid wrong: keys removed, values swapped, wrapped, doubled or nested too
deep."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.fuzz import junk


@dataclass(frozen=True)
class Edit:
    """An edit. ``place`` counts through all places of the value, and starts again at the end."""

    how: str
    place: int
    value: Any = None


edits = st.lists(
    st.one_of(
        st.builds(Edit, st.just("cut"), st.integers(0, 200)),
        st.builds(Edit, st.just("set"), st.integers(0, 200), junk.values),
        st.builds(Edit, st.just("set"), st.integers(0, 200), junk.broken),
        st.builds(Edit, st.just("set"), st.integers(0, 200), junk.deep),
        st.builds(Edit, st.just("append"), st.integers(0, 200), junk.broken),
        st.builds(Edit, st.just("list"), st.integers(0, 200)),
        st.builds(Edit, st.just("text"), st.integers(0, 200)),
        st.builds(Edit, st.just("swap"), st.integers(0, 200), st.integers(0, 200)),
        st.builds(Edit, st.just("add"), st.integers(0, 200), junk.values),
    ),
    max_size=4,
)


def edited(value: Any, changes: list[Edit]) -> Any:
    made = [copy.deepcopy(value)]
    for edit in changes:
        places = _places(made)
        holder, key = places[edit.place % len(places)]
        match edit.how:
            case "cut" if isinstance(holder, dict):
                del holder[key]
            case "set":
                holder[key] = copy.deepcopy(edit.value)
            case "append" if isinstance(holder[key], str):
                holder[key] += edit.value
            case "list":
                holder[key] = [holder[key]]
            case "text":
                holder[key] = str(holder[key])
            case "swap":
                other, name = places[edit.value % len(places)]
                holder[key] = copy.deepcopy(other[name])
            case "add" if isinstance(holder, dict):
                holder[f"{key}2"] = copy.deepcopy(edit.value)
    return made[0]


def _places(made: list[Any]) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    open_ones: list[Any] = [made]
    while open_ones and len(found) < 300:
        holder = open_ones.pop(0)
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        found += [(holder, key) for key in keys]
        open_ones += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    return found
