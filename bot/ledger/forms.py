"""The forms that REDIS_URL may have, and their parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.connection import parse_url

Address = tuple[str, int]

FORM = re.compile(r"(rediss?(\+sentinel|\+cluster)?|unix)://.", re.DOTALL)
PORTS = {"sentinel": 26379, "cluster": 6379}
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


@dataclass(frozen=True, kw_only=True)
class Form:
    """The parts of REDIS_URL. ``how`` is ``sentinel``, ``cluster``, or empty for one server. With the first
    two, ``nodes`` are asked where the primary is, with ``asking`` as settings. ``settings`` are those of
    connections to Redis itself."""

    how: str
    settings: Mapping[str, Any]
    nodes: tuple[Address, ...] = ()
    asking: Mapping[str, Any] = field(default_factory=dict)
    primary: str = ""


def taken_apart(url: str) -> Form:
    """Split a URL into its parts. Raise ValueError, with a text that may hold a part of the password."""
    if not FORM.match(url):
        raise ValueError("not one of the forms of a Redis URL")

    # If a password has #, / or ? unescaped, what is before them would be taken for a host, shown in every
    # message and looked up, or no host would be named at all.
    parts = urlsplit(url)
    path_fits = parts.scheme not in ("redis", "rediss") or re.fullmatch(r"/?[0-9]{0,5}/?", parts.path)
    if "#" in url or "@" in parts.path + parts.query or not path_fits:
        raise ValueError("a password with unescaped special characters")

    scheme, _, rest = url.partition("://")
    scheme, _, how = scheme.partition("+")
    form = _several(scheme, how, rest) if how else Form(how="", settings=parse_url(url))
    for name in FILES:
        if name in form.settings and not Path(form.settings[name]).is_file():
            raise ValueError(f"{name} does not name a file")
    return form


def _several(scheme: str, how: str, rest: str) -> Form:
    parts = urlsplit(f"//{rest}")
    user, at, hosts = parts.netloc.rpartition("@")
    nodes: list[Address] = []
    for each in hosts.split(","):
        host = re.fullmatch(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+)(:(?P<port>\d{1,5}))?", each)
        if not host:
            raise ValueError(f"{each} is not a valid host")
        nodes.append((unquote(host["name"]).strip("[]"), int(host["port"] or PORTS[how])))
    settings = parse_url(f"{scheme}://{user}{at}host?{parts.query}")
    del settings["host"]
    asking = dict(settings)
    path = [unquote(each) for each in parts.path.strip("/").split("/")]
    if how == "cluster":
        if path != [""]:
            raise ValueError("a cluster has no numbered databases")
        return Form(how=how, settings=settings, nodes=tuple(nodes), asking=asking)
    for name in ("username", "password"):
        asking.pop(name, None)
        if f"sentinel_{name}" in settings:
            asking[name] = settings.pop(f"sentinel_{name}")
            del asking[f"sentinel_{name}"]
    primary, *db = path
    if not primary or len(db) > 1:
        raise ValueError("the primary's name at the sentinels is missing")
    settings |= {"db": int(db[0])} if db else {}
    return Form(how=how, settings=settings, nodes=tuple(nodes), asking=asking, primary=primary)
