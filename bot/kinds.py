"""The settings that each kind of target and on-call source takes in access.yaml, and the entitlements of
each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from posixpath import normpath
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import parse_qsl, unquote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from bot.core import durations
from bot.core.errors import Refused
from bot.core.reasons import Why

VARIABLE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"
"""``${NAME}``, filled in from the environment in the settings of targets and sources."""

_LENGTH = "(?=[0-9])" + "".join(f"([0-9]{{1,9}} ?{unit} ?)?" for unit in "wdhm") + "([0-9]{1,9} ?s)?"


def wrong(text: str) -> PydanticCustomError:
    """Make a mistake from its text: ``must be a list; …``. It never has the value in it, which may be a
    secret."""
    return PydanticCustomError("wrong", "{text}", {"text": text})


def unlike(text: str) -> PydanticCustomError:
    """Make a mistake about the value, such as ``is no channel; …``: the value is put in front as the file has
    it, before variables are filled in."""
    return PydanticCustomError("unlike", "{text}", {"text": text})


@dataclass(frozen=True)
class Form:
    """A check that text matches ``pattern`` as a whole; ``say`` is the objection to text that does not."""

    pattern: str
    say: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        written = {"pattern": f"^(?:{self.pattern})$"}
        return core_schema.no_info_after_validator_function(
            self._match, handler(source), metadata={"pydantic_js_updates": written}
        )

    def _match(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise unlike(self.say)
        return text


def _seconds(value: object) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise unlike("is a number without a unit; write a length such as 12h, 45m or 1h30m")
    if not isinstance(value, str):
        raise wrong("must be a length; write it such as 12h, 45m or 1h30m")
    try:
        length = durations.parse(value)
    except Refused as refused:
        if refused.reason.why is Why.DURATION_FRACTION:
            raise unlike("is not whole; write 1h30m rather than 1.5h") from None
        raise unlike("is no length; write it such as 12h, 45m, 1h30m or 2d, the larger unit first") from None
    if not isinstance(length, int):
        raise unlike("has no fixed length; write one such as 12h, 45m or 1h30m")
    return length


class FromVariable(str):
    """Text that was ``${NAME}`` and nothing else in the file, with the variable filled in."""

    __slots__ = ()


class Missing(FromVariable):
    """Text that is ``${NAME}`` and nothing else, of a variable that is not set and may not be needed."""

    __slots__ = ()


def _held_back(value: object, info: ValidationInfo) -> SecretStr:
    if not isinstance(value, str):
        raise wrong("must be text; put it in quotes")
    context = info.context
    if isinstance(value, Missing) and isinstance(context, FileContext):
        context.spared.add(id(value))
        return SecretStr("")
    if isinstance(context, FileContext) and not (context.bare_secrets or isinstance(value, FromVariable)):
        raise wrong(
            "is a secret, and secrets must not be in this file; write ${NAME} alone, such as"
            " ${ORDERS_DB_URL}, and give that variable the value"
        )
    return SecretStr(str(value))


def between(least: str, most: str) -> AfterValidator:
    """Return a check that a length lies in these bounds, which are lengths as people write them."""

    def within(seconds: int) -> int:
        if not _seconds(least) <= seconds <= _seconds(most):
            raise unlike(f"is out of range; write {least} or more, and {most} or less")
        return seconds

    return AfterValidator(within)


def _length_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": ["12h", "1h30m"]})


Length = Annotated[int, BeforeValidator(_seconds), _length_schema(f"^{_LENGTH}$")]
"""A length, written as people write lengths of time; whole seconds, at least 1."""

LengthSetting = Annotated[int, BeforeValidator(_seconds), _length_schema(f"^{_LENGTH}$|^{VARIABLE}$")]
"""A Length in the settings of a target or source, where it may be a variable."""

Secret = Annotated[
    SecretStr,
    BeforeValidator(_held_back),
    WithJsonSchema({"type": "string", "pattern": f"^{VARIABLE}$", "examples": ["${ORDERS_DB_URL}"]}),
]
"""A secret, always ``${NAME}`` in the file. Nothing shows the value: neither repr, nor str, nor a mistake."""


AccountName = Annotated[
    str, Form(r"\S(?:[^\r\n\x00]{0,250}\S)?", "is no account; write its name at the target")
]


@dataclass(kw_only=True)
class FileContext:
    """The context for reading a part of the file. ``kinds``: target -> its kind, if known; ``keys``: the
    allowed keys of each mapping read, by the identity of the mapping. ``bare_secrets``: secrets may be in the
    file itself. ``spared``: the secrets that are ``Missing``, by their identity; they are empty."""

    kinds: Mapping[str, str | None] = field(default_factory=dict)
    sources: frozenset[str] = frozenset()
    bare_secrets: bool = False
    keys: dict[int, tuple[str, ...]] = field(default_factory=dict)
    spared: set[int] = field(default_factory=set)


class Settings(BaseModel):
    """A mapping in access.yaml: no other keys, no conversions."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _note_keys(cls, value: object, info: ValidationInfo) -> object:
        keys = tuple(cls.model_fields)
        if isinstance(value, BaseModel):
            return value
        if not isinstance(value, Mapping):
            raise wrong(f"must hold keys and their values; the keys are {', '.join(keys)}")
        if isinstance(info.context, FileContext):
            info.context.keys[id(value)] = keys
        return value


class Given(Settings):
    """One entitlement of a target: the target, and what it gives there, in the words of its kind."""

    target: str

    def caution(self) -> str | None:
        """Return what may be wrong with it; None if nothing is."""
        return None

    def what(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((name, str(value)) for name, value in self if name != "target"))


class Kind(Settings):
    """A kind of target or source. It must state what it reaches, or it cannot be defined."""

    reaches: ClassVar[tuple[str, ...]]
    """The keys whose values say which systems it connects to; empty if only the environment says so. A
    sandbox fills them in itself, and refuses a file that names a system there."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if Kind in cls.__bases__:
            return
        if "reaches" not in cls.__dict__:
            raise TypeError(f"{cls.__name__} must state which of its keys name the systems it reaches")
        if unknown := set(cls.reaches) - cls.model_fields.keys():
            raise TypeError(f"{cls.__name__} has no {', '.join(sorted(unknown))}, which it says it reaches")

    def systems(self) -> tuple[tuple[str, str], ...]:
        """Return each key that says which system is reached, with its value in clear."""
        found = []
        for name in self.reaches:
            value = getattr(self, name)
            every = value if isinstance(value, list | tuple) else (value,)
            found += [
                (name, each.get_secret_value() if isinstance(each, SecretStr) else each) for each in every
            ]
        return tuple(found)


class TargetSettings(Kind):
    """Settings of a target. ``gives`` is how an entitlement is written; ``sessions_end`` is what happens to
    open sessions: ``ended``, ``ended_on_primary`` (but not on its replicas), ``kept`` or ``unknown``.
    ``address`` names the settings that say where the target is. ``administrators`` are logins that exist at
    every system of this kind, or at some hosts of it, and that no person may have through Rotakey."""

    gives: ClassVar[type[Given]]
    address: ClassVar[tuple[str, ...]] = ()
    administrators: ClassVar[frozenset[str]] = frozenset()
    kind: str
    shared_accounts: Annotated[tuple[AccountName, ...], Field(min_length=1)] = ()
    """Accounts there that several people are meant to share, such as breakglass."""

    @property
    def servers(self) -> frozenset[str]:
        """Return the servers that these settings lead to, each with one name however it is written. Two
        targets must not share one. Empty if the kind cannot say."""
        return frozenset()

    @property
    def own_logins(self) -> frozenset[str]:
        """Return the logins that Rotakey itself uses there, as far as the settings tell."""
        return frozenset()

    @property
    def sessions_end(self) -> str:
        return "unknown"

    @classmethod
    def account_objection(cls, account: str) -> str | None:
        """Return why nobody can have this account at a target of this kind, and what to write; None if
        somebody can."""
        if account in cls.administrators:
            return (
                "is a login of administrators, whose sessions Rotakey would end; name one that a person uses"
            )
        return None

    @classmethod
    def caution_of(cls, _: Mapping[str, object]) -> str | None:
        """Return what may be wrong with settings as they are in the file, whether or not their variables are
        set."""
        return None

    def cautions(self) -> Iterator[tuple[str, str]]:
        """Yield a key and what may be wrong with its value, which may come from a variable."""
        yield from ()


class SourceSettings(Kind):
    """Settings of an on-call source. ``variables`` must be set in the environment of a process that reads
    this kind of source."""

    variables: ClassVar[tuple[str, ...]] = ()
    kind: str
    every: Annotated[LengthSetting, between("1s", "1h")] = 60
    """The interval at which it is read: from 1s to 1h."""
    stale_after: Annotated[LengthSetting, between("1s", "1h")] = 600
    """A roster read longer ago cannot say yes to a request. Longer than every, and at most 1h."""
    start_stale_after: Annotated[LengthSetting, between("1s", "24h")] = 6 * 3_600
    """A roster read longer ago cannot start the access that comes with a shift. Longer than every, and at
    most 24h."""

    @field_validator("stale_after", "start_stale_after")
    @classmethod
    def _outlasts(cls, value: int, info: ValidationInfo) -> int:
        if value <= info.data.get("every", 0):
            raise unlike("is over before the source is read again; make it longer than every")
        return value


# ------------------------------------------------------------------------------------------- kinds


def _postgres_url(url: SecretStr) -> SecretStr:
    if url.get_secret_value() and not re.match(r"postgres(ql)?://.", url.get_secret_value()):
        raise wrong("is no address of a Postgres server; write postgresql://user:password@host:5432/database")
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
    ports = named["port"].split(",")
    return frozenset(
        f"{_host(host)}:{_port(ports[at] if at < len(ports) else ports[0])}"
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


def _port(text: str) -> int | str:
    return int(text) if text.strip().isdecimal() else text or 5432


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
        return f"has {size} bytes, and PostgreSQL cuts names off after {MOST_OF_A_NAME}; shorten it"
    if name in ("public", "none"):
        return "is a word of PostgreSQL's own and never a role; write the name of a role"
    return None


def _postgres_role(name: str) -> str:
    if objection := _postgres_objection(name):
        raise unlike(objection)
    return name


class PostgresRole(Given):
    role: Annotated[
        str,
        Form(r"[^\x00\r\n]{1,63}", "is no role; write the name of one, at most 63 characters"),
        AfterValidator(_postgres_role),
    ]
    """The role whose membership is granted. It has to exist."""

    def caution(self) -> str | None:
        if self.role == self.role.lower():
            return None
        return (
            "has capital letters, and PostgreSQL makes them small in CREATE ROLE unless the name is in"
            " quotes; check that the role is really spelled so"
        )


class PostgresSettings(TargetSettings):
    gives: ClassVar[type[Given]] = PostgresRole
    reaches: ClassVar[tuple[str, ...]] = ("url", "replicas")
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
            raise wrong("has no effect with sessions: keep; take one of them out")
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
                yield key, "has sslmode=disable, so passwords and names cross the network in clear"


class PagerDutySettings(SourceSettings):
    variables: ClassVar[tuple[str, ...]] = ("PAGERDUTY_TOKEN",)
    reaches: ClassVar[tuple[str, ...]] = ()
    kind: Literal["pagerduty"]


TARGETS: Mapping[str, type[TargetSettings]] = {"postgres": PostgresSettings}
SOURCES: Mapping[str, type[SourceSettings]] = {"pagerduty": PagerDutySettings}
