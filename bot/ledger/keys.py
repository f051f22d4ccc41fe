"""The names of everything the ledger keeps in Redis, in the order in which the scripts are given them.

All begin with ``rotakey:{<workspace>}:``, so one workspace lies in one slot of a cluster.
"""

from __future__ import annotations

import re

from bot.core.errors import Misconfigured

NAMES = (
    "counter",  # string: the last version, generation or fence that was drawn
    "lanes",  # set: the lanes in which something may be owed
    "due:",  # and the lane; sorted set: member -> ms when it is owed; while it is claimed, the claim's end
    "generations",  # hash: member -> generation of its last arming
    "claims",  # hash: member -> fence of the claim that is not closed
    "failures",  # sorted set: member -> failures in a row
    "nudge",  # list: something is owed earlier than anybody knew
    "beat",  # string: ms when a worker last asked for work
    "aside",  # hash: <kind>:<id>@<version> -> a record that could not be read, kept as it was
    "unlogged",  # list: <ms> <entry>, of what was taken back while the audit could not be written
    "audit",  # stream: one field, ``e``, the entry as JSON
    "seals",  # stream: <number>-0, one field, ``s``, the seal as JSON
    "schema",  # string: the number of the shape that all records have; processes of another one do nothing
    "primary",  # string: the replication id of the primary that was last compared with what had ended
    "doc:",  # and <kind>:<id>; hash: v the version, d the document as JSON
    "lease:",  # and the grant's id; string with a TTL, or without one
    "index:",  # and its name; set of grant ids
    "op:",  # and what was done; string with a TTL: the answer that was given
)


def names(workspace: str) -> tuple[str, ...]:
    """Raises Misconfigured for a workspace that cannot be part of a name."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", workspace):
        raise Misconfigured(
            f"workspace: {workspace!r} is not a name (up to 64 letters, digits, dots, dashes, underscores)"
        )
    return tuple(f"rotakey:{{{workspace}}}:{name}" for name in NAMES)
