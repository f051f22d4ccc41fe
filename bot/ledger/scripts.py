"""The scripts that run inside Redis: read, claim, renew, commit. None knows what it is about."""

from __future__ import annotations

from importlib import resources

_LUA = resources.files("bot.ledger") / "lua"


def script(name: str, flags: str = "") -> str:
    """The text of a script. ``flags`` are those of Redis: with ``allow-oom`` a full Redis still runs it."""
    prelude, body = (_LUA.joinpath(f"{each}.lua").read_text("utf-8") for each in ("prelude", name))
    return f"#!lua flags={flags}\n{prelude}\n{body}"
