"""The settings of a PostgreSQL target, and its entitlement: membership in a role."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from posixpath import normpath
from typing import Annotated, ClassVar, Literal
from urllib.parse import parse_qsl, unquote

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from bot.settings import Form, Given, Secret, TargetSettings, unlike, wrong


def _postgres_url(url: SecretStr) -> SecretStr:
    if url.get_secret_value() and not re.match(r"postgres(ql)?://.", url.get_secret_value()):
        raise wrong("is not a PostgreSQL URL; write postgresql://user:password@host:5432/database")
    return url


def postgres_servers(url: str) -> frozenset[str]:
    """Return ``host:port`` of each server that a URL for libpq names; for a Unix socket its path, for a
    service of pg_service.conf its name, and without a host libpq's own default."""
    found = re.match(r"(?s)[^:]*://(?:[^@/]*@)?([^/?]*)(?:/[^?]*)?(?:\?(.*))?", url)
    authority, query = found.groups("") if found else ("", "")
    parts = [re.fullmatch(r"(\[[^]]*\]|[^:]*)(?::(.*))?", each) for each in authority.split(",")]
    named = {
        "host": ",".join(unquote(each[1]).strip("[]") if each else "" for each in parts),
        "port": ",".join(unquote(each[2] or "") if each else "" for each in parts),
        **dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)),
    }
    if "service" in named and not named["host"]:
        return frozenset([f"service {named['service']}"])
    ports = [int(each) if each.strip().isdecimal() else each or 5432 for each in named["port"].split(",")]
    return frozenset(
        f"{_host(host)}:{ports[at] if at < len(ports) else ports[0]}"
        for key in ("host", "hostaddr")
        for at, host in enumerate(named.get(key, "").split(","))
        if host or key == "host"
    )


def _host(name: str) -> str:
    if name.startswith("/"):
        return normpath(name)
    try:
        return str(ip_address(name))
    except ValueError:
        return name.lower().rstrip(".")


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(url.partition("?")[2].replace("+", "%2B"), keep_blank_values=True))


def postgres_login(url: str) -> str | None:
    """Return the role that a URL for libpq logs in as; None if it does not say."""
    found = re.match(r"(?s)[^:]*://([^@/?]*)@", url)
    return _query(url).get("user") or (unquote(found[1].partition(":")[0]) if found else "") or None


def _is_here(server: str) -> bool:
    """Return whether a server, as in ``postgres_servers``, is on this machine."""
    host = server.rpartition(":")[0]
    return host in ("", "localhost", "127.0.0.1", "::1") or host.startswith("/")


PostgresUrl = Annotated[Secret, AfterValidator(_postgres_url)]

MOST_OF_A_NAME = 63
"""The bytes of a name that PostgreSQL keeps; it silently cuts off the rest."""


def _postgres_objection(name: str) -> str | None:
    size = len(name.encode(errors="replace"))
    if size > MOST_OF_A_NAME:
        return f"has {size} bytes, but PostgreSQL keeps only {MOST_OF_A_NAME}; shorten it"
    if name in ("public", "none"):
        return "is reserved by PostgreSQL and cannot be a role; write the name of a role"
    return None


def _postgres_role(name: str) -> str:
    if objection := _postgres_objection(name):
        raise unlike(objection)
    return name


class PostgresRole(Given):
    role: Annotated[
        str,
        Form(r"[^\x00\r\n]{1,63}", "is not a valid role name; write 1 to 63 characters on one line"),
        AfterValidator(_postgres_role),
    ]
    """The role whose membership is granted. It has to exist."""

    def caution(self) -> str | None:
        if self.role == self.role.lower():
            return None
        return (
            "has capital letters, and CREATE ROLE makes them lower case unless the name is in quotes; check"
            " that the role is really spelled this way"
        )


class PostgresSettings(TargetSettings):
    gives: ClassVar[type[Given]] = PostgresRole
    reaches: ClassVar[tuple[str, ...]] = ("url", "replicas")
    same_server: ClassVar[str] = "same host and port, whatever the database and the user"
    address: ClassVar[tuple[str, ...]] = ("url",)
    administrators: ClassVar[frozenset[str]] = frozenset(
        (
            *("postgres", "rdsadmin", "rds_superuser", "cloudsqladmin", "cloudsqlsuperuser", "alloydbadmin"),
            *(
                "alloydbsuperuser",
                "azuresu",
                "azure_superuser",
                "azure_pg_admin",
                "doadmin",
                "supabase_admin",
            ),
        )
    )
    kind: Literal["postgres"]
    url: PostgresUrl
    """The URL of a login that may grant the roles named in resources, as ${NAME}."""
    sessions: Literal["end", "keep"] = "end"
    """The fate of a person's open sessions when their access ends."""
    replicas: Annotated[tuple[PostgresUrl, ...], Field(min_length=1)] = ()
    """Standby servers where a person's open sessions end, too: the URL of a login at each, as ${NAME}."""

    @field_validator("replicas")
    @classmethod
    def _ends_sessions(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if info.data.get("sessions") == "keep":
            raise wrong("has no effect with sessions: keep; remove one of them")
        return value

    @property
    def sessions_end(self) -> str:
        if self.sessions == "keep":
            return "kept"
        return "ended" if self.replicas else "ended_on_primary"

    @property
    def servers(self) -> frozenset[str]:
        url = self.url.get_secret_value()
        return postgres_servers(url) if url else frozenset()

    @property
    def own_logins(self) -> frozenset[str]:
        every = (postgres_login(url.get_secret_value()) for url in (self.url, *self.replicas))
        return frozenset(login for login in every if login)

    @classmethod
    def account_objection(cls, account: str) -> str | None:
        return _postgres_objection(account) or super().account_objection(account)

    @classmethod
    def caution_of(cls, written: Mapping[str, object]) -> str | None:
        if written.get("sessions") == "keep" or written.get("replicas"):
            return None
        return (
            "when access ends, sessions on standby servers stay open; if there are any, name them under"
            " replicas"
        )

    def cautions(self) -> Iterator[tuple[str, str]]:
        for key, url in (("url", self.url), *(("replicas", each) for each in self.replicas)):
            text = url.get_secret_value()
            if _query(text).get("sslmode") == "disable" and not all(map(_is_here, postgres_servers(text))):
                yield (
                    key,
                    ("has sslmode=disable, which sends passwords unencrypted; write sslmode=require"),
                )
