"""The names of everything that the ledger keeps in Redis, in the order in which the scripts take them.

All begin with ``rotakey:{<workspace>}:``, so one workspace lies in one slot of a cluster.
"""

from __future__ import annotations

import re

from bot.core.errors import Misconfigured

NAMES = (
    "counter",  # string: the last version, generation or fence that was drawn
    "lanes",  # set: the lanes in which something may be due
    "due:",  # and the lane; sorted set: member -> ms when it is due; while it is claimed, the claim's end
    "generations",  # hash: member -> generation of its last arming
    "claims",  # hash: member -> fence of the claim that is not closed
    "failures",  # sorted set: member -> failures in a row
    "nudge",  # list: something is due earlier than was known
    "beat",  # string: ms when a worker last asked for work
    "aside",  # hash: <kind>:<id>@<version> -> a record that could not be read, kept as it was
    "unlogged",  # list: <ms> <entry>, of revocations made while the audit could not be written
    "audit",  # stream: one field, ``e``, the entry as JSON
    "seals",  # stream: <number>-0, one field, ``s``, the seal as JSON
    "schema",  # string: the number of the shape that all records have; processes of another one do nothing
    "primary",  # string: the replication id of the primary that was last compared with what had ended
    "doc:",  # and <kind>:<id>; hash: v the version, d the document as JSON
    "lease:",  # and the grant's id; string with a TTL, or without one
    "index:",  # and its name; set of grant ids
    "op:",  # and what was done; string with a TTL: the answer that it got
)


def names(workspace: str) -> tuple[str, ...]:
    """Return the names for a workspace. Raise Misconfigured if it cannot be part of a name."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", workspace):
        raise Misconfigured(
            f"workspace: {workspace!r} is not a name (up to 64 letters, digits, dots, dashes, underscores)"
        )
    return tuple(f"rotakey:{{{workspace}}}:{name}" for name in NAMES)
