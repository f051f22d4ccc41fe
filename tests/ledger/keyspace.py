"""Everything that a workspace keeps in Redis, byte by byte."""

from __future__ import annotations

from redis import Redis


def everything(client: Redis, workspace: str) -> dict[str, bytes | None]:
    names = sorted(client.scan_iter(match=f"rotakey:{{{workspace}}}:*", count=1000))
    return {name: client.dump(name) for name in names}
