"""The scripts that run inside Redis: read, claim, renew, commit. None knows what the records are about."""

from __future__ import annotations

from importlib import resources

from bot.ports.ledger import CLAIM_SECONDS

SCHEMA = 1
"""The number of the shape that records have. It grows when a process that knows only the previous shape would
misread them or lose a part of them; then the workers of the new version are started first."""

_LUA = resources.files("bot.ledger") / "lua"


def script(name: str, flags: str = "", *, claim_seconds: float = CLAIM_SECONDS) -> str:
    """Return the text of a script. ``flags`` are those of Redis: with ``allow-oom`` a full Redis still runs
    it. A claim that is not renewed lasts ``claim_seconds``."""
    prelude, body = (_LUA.joinpath(f"{each}.lua").read_text("utf-8") for each in ("prelude", name))
    lasts = f"local claim_ms = {round(claim_seconds * 1000)}"
    known = f"local ours, upgrading = '{SCHEMA}', {str(name == 'upgrade').lower()}"
    return f"#!lua flags={flags}\n{lasts}\n{known}\n{prelude}\n{body}"
