"""The settings that each kind of target and on-call source takes in access.yaml, and what each gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

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
"""``${NAME}``, filled in from the environment: wherever text may stand, this may."""

_LENGTH = "(?=[0-9])" + "".join(f"([0-9]{{1,9}} ?{unit} ?)?" for unit in "wdhm") + "([0-9]{1,9} ?s)?"


def wrong(text: str) -> PydanticCustomError:
    """A mistake: ``must be a list; …``. Never with the value in it, which may be a secret."""
    return PydanticCustomError("wrong", "{text}", {"text": text})


def unlike(text: str) -> PydanticCustomError:
    """A mistake said of the value, ``is no channel; …``: it is put in front as the file has it, before
    variables are filled in."""
    return PydanticCustomError("unlike", "{text}", {"text": text})


@dataclass(frozen=True)
class Form:
    """Text that matches ``pattern`` as a whole; ``say`` goes behind what does not."""

    pattern: str
    say: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        written = {"pattern": f"^(?:{self.pattern})$|{VARIABLE}"}
        return core_schema.no_info_after_validator_function(
            self._matched, handler(source), metadata={"pydantic_js_updates": written}
        )

    def _matched(self, text: str) -> str:
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


def _held_back(value: object) -> SecretStr:
    if not isinstance(value, str):
        raise wrong("must be text; put it in quotes")
    return SecretStr(value)


Length = Annotated[
    int,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "string", "pattern": f"^{_LENGTH}$|{VARIABLE}", "examples": ["12h", "1h30m"]}),
]
"""Written as people write lengths of time; whole seconds, at least 1."""

Secret = Annotated[SecretStr, BeforeValidator(_held_back), WithJsonSchema({"type": "string", "minLength": 1})]
"""Nothing shows it: neither repr, nor str, nor a message about what is wrong with it."""


@dataclass(kw_only=True)
class Context:
    """What reading a part of the file has to know of the rest. ``kinds``: target -> its kind, as far as
    that is known; ``keys``: what each mapping read may hold, by the identity of the mapping."""

    kinds: Mapping[str, str | None] = field(default_factory=dict)
    sources: frozenset[str] = frozenset()
    keys: dict[int, tuple[str, ...]] = field(default_factory=dict)


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
    def _noted(cls, value: object, info: ValidationInfo) -> object:
        keys = tuple(cls.model_fields)
        if isinstance(value, BaseModel):
            return value
        if not isinstance(value, Mapping):
            raise wrong(f"must hold keys and their values; the keys are {', '.join(keys)}")
        if isinstance(info.context, Context):
            info.context.keys[id(value)] = keys
        return value


class Given(Settings):
    """One thing that a target gives: the target, and what there, in the words of its kind."""

    target: str

    def what(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((name, str(value)) for name, value in self if name != "target"))


class TargetSettings(Settings):
    """``gives`` is how an entitlement is written, ``sessions_end`` what becomes of open sessions:
    ``ended``, ``kept`` or ``unknown``."""

    gives: ClassVar[type[Given]]
    kind: str

    @property
    def sessions_end(self) -> str:
        return "unknown"


class SourceSettings(Settings):
    """``variables`` must be set in the environment of whoever asks this kind of source."""

    variables: ClassVar[tuple[str, ...]] = ()
    kind: str
    every: Length = 60
    """How often it is asked who is on call."""
    stale_after: Length = 600
    """A roster read longer ago cannot say yes to a request."""
    start_stale_after: Length = 6 * 3_600
    """A roster read longer ago cannot start the access that comes with a shift."""

    @field_validator("stale_after", "start_stale_after")
    @classmethod
    def _outlasts(cls, value: int, info: ValidationInfo) -> int:
        if value <= info.data.get("every", 0):
            raise unlike("is over before the source is read again; make it longer than every")
        return value


# ------------------------------------------------------------------------------------------- kinds


def _postgres_url(url: SecretStr) -> SecretStr:
    if not re.match(r"postgres(ql)?://.", url.get_secret_value()):
        raise wrong("is no address of a Postgres server; write postgresql://user:password@host:5432/database")
    return url


PostgresUrl = Annotated[Secret, AfterValidator(_postgres_url)]


class PostgresRole(Given):
    role: Annotated[
        str, Form(r"[^\x00\r\n]{1,63}", "is no role; write the name of one, at most 63 characters")
    ]
    """The role whose membership is given. It has to exist."""


class PostgresSettings(TargetSettings):
    gives: ClassVar[type[Given]] = PostgresRole
    kind: Literal["postgres"]
    url: PostgresUrl
    """How to log in as a role that may give the roles named in resources, best as ${NAME}."""
    sessions: Literal["end", "keep"] = "end"
    """What becomes of a person's open sessions when their access ends."""
    replicas: Annotated[tuple[PostgresUrl, ...], Field(min_length=1)] = ()
    """Standby servers where a person's open sessions end, too: how to log in there, each as ${NAME}."""

    @field_validator("replicas")
    @classmethod
    def _ends_sessions(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if info.data.get("sessions") == "keep":
            raise wrong("has no effect with sessions: keep; take one of them out")
        return value

    @property
    def sessions_end(self) -> str:
        return "ended" if self.sessions == "end" else "kept"


class PagerDutySettings(SourceSettings):
    variables: ClassVar[tuple[str, ...]] = ("PAGERDUTY_TOKEN",)
    kind: Literal["pagerduty"]


TARGETS: Mapping[str, type[TargetSettings]] = {"postgres": PostgresSettings}
SOURCES: Mapping[str, type[SourceSettings]] = {"pagerduty": PagerDutySettings}
