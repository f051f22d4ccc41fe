"""The base of the settings in access.yaml, of each kind of target and on-call source, and of entitlements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
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

BOUNDS = "bounds"
"""The key under which a schema has the bounds of a length, until it is written for people."""

_LENGTH = "(?=[0-9])" + "".join(f"([0-9]{{1,9}} ?{unit} ?)?" for unit in "wdhm") + "([0-9]{1,9} ?s)?"


def wrong(text: str) -> PydanticCustomError:
    """Make a mistake from its text: ``must be a list; …``. It never has the value in it, which may be a
    secret."""
    return PydanticCustomError("wrong", "{text}", {"text": text})


def unlike(text: str) -> PydanticCustomError:
    """Make a mistake about the value, such as ``is not a valid channel; …``: the value is put in front as
    the file has it, before variables are filled in."""
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
        raise wrong("must be a length; write one such as 12h, 45m or 1h30m")
    try:
        length = durations.parse(value)
    except Refused as refused:
        if refused.reason.why is Why.DURATION_FRACTION:
            raise unlike("is a fraction; write 1h30m instead of 1.5h") from None
        raise unlike(
            "is not a valid length; write one such as 12h, 45m, 1h30m or 2d, with the larger unit first"
        ) from None
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
            "is a secret, and this file must not contain secrets; write only a variable, such as"
            " ${ORDERS_DB_URL}, and set that variable in the environment"
        )
    return SecretStr(str(value))


@dataclass(frozen=True)
class Between:
    """A check that a length lies in these bounds, which are lengths as people write them."""

    least: str
    most: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), BOUNDS: [self.least, self.most]}

    def _check(self, seconds: int) -> int:
        if not _seconds(self.least) <= seconds <= _seconds(self.most):
            raise unlike(f"is out of range; write {self.least} to {self.most}")
        return seconds


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


def _one_word(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise wrong("contains spaces or unusual characters; copy it again, on one line")
    return token


def _api_url(value: object, info: ValidationInfo) -> object:
    context = info.context
    if isinstance(value, Missing) and isinstance(context, FileContext):
        context.spared.add(id(value))
    elif isinstance(value, str) and not re.fullmatch(r"https?://[\x21-\x7e]+", value):
        raise unlike("is not a valid URL; write one that starts with https://")
    return value


def is_here(url: str) -> bool:
    """Return whether the host of a URL is this machine."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


Token = Annotated[Secret, AfterValidator(_one_word)]
"""A secret without spaces, such as an API key."""

ApiUrl = Annotated[
    str, BeforeValidator(_api_url), WithJsonSchema({"type": "string", "pattern": rf"^https?://|^{VARIABLE}$"})
]
"""The address of an API, which the calls' paths are added to."""

AccountName = Annotated[
    str,
    Form(r"\S(?:[^\r\n\x00]{0,250}\S)?", "is not a valid account; write the account's name at the target"),
]


@dataclass(kw_only=True)
class FileContext:
    """The context for reading a part of the file. ``kinds``: target -> its kind, if known; ``keys``: the
    allowed keys of each mapping read, by the identity of the mapping. ``bare_secrets``: secrets may be in the
    file itself. ``spared``: the secrets that are ``Missing``, by their identity; they are empty.
    ``command_dir``: the folder of programs, which the file cannot name."""

    kinds: Mapping[str, str | None] = field(default_factory=dict)
    sources: frozenset[str] = frozenset()
    bare_secrets: bool = False
    command_dir: str = ""
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
            raise wrong(f"must be a mapping; its keys are {', '.join(keys)}")
        if isinstance(info.context, FileContext):
            info.context.keys[id(value)] = keys
        return value


class Given(Settings):
    """One entitlement of a target: the target, and what it gives there, in the words of its kind."""

    target: str
    """The name of the target, as it is under targets."""

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
    variables: ClassVar[Mapping[str, str]] = {}
    """The variables that the defaults of this kind use: what the value is, and where to get it."""
    fallbacks: ClassVar[Mapping[str, str]] = {}
    """The values of variables in the defaults of this kind that need not be set."""

    @classmethod
    def defaults(cls) -> Mapping[str, str]:
        """Return the settings that are a variable, such as ``${PAGERDUTY_TOKEN}``, if the file leaves them
        out."""
        found = {}
        for name, each in cls.model_fields.items():
            default = each.default
            text = default.get_secret_value() if isinstance(default, SecretStr) else default
            if isinstance(text, str) and re.fullmatch(VARIABLE, text):
                found[name] = text
        return found

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if Kind in cls.__bases__:
            return
        if "reaches" not in cls.__dict__:
            raise TypeError(f"{cls.__name__} must state which of its keys name the systems it reaches")
        if unknown := set(cls.reaches) - cls.model_fields.keys():
            raise TypeError(
                f"{cls.__name__}.reaches names keys that do not exist: {', '.join(sorted(unknown))}"
            )

    def systems(self) -> tuple[tuple[str, str], ...]:
        """Return each key that says which system is reached, with its value in clear."""
        found = []
        for name in self.reaches:
            value = getattr(self, name)
            if value is None:
                continue
            every = value if isinstance(value, list | tuple) else (value,)
            found += [
                (name, each.get_secret_value() if isinstance(each, SecretStr) else each) for each in every
            ]
        return tuple(found)


class TargetSettings(Kind):
    """Settings of a target. ``gives`` is how an entitlement is written; ``sessions_end`` is what happens to
    open sessions: ``ended``, ``ended_on_primary`` (but not on its replicas), ``kept``, ``unknown``, or, if
    only something of the user's own says so, ``endpoint`` or ``program``; or a sentence for the card.
    ``address`` names the settings that say where the target is. ``administrators`` are logins that exist at
    every system of this kind, or at some hosts of it, and that no person may have through Rotakey."""

    gives: ClassVar[type[Given]]
    marks: ClassVar[bool] = True
    """As ``Abilities.marks``. If not, open holds are kept beside the anchor, which then has to be a file."""
    runs_programs: ClassVar[bool] = False
    """Runs programs of the worker's machine, so the policy in Redis must be signed."""
    same_server: ClassVar[str] = "same address"
    """What two targets have in common if their ``servers`` do."""
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
                "is an administrator login, whose sessions Rotakey would end; name an account that people use"
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
    """Settings of an on-call source."""

    kind: str
    every: Annotated[LengthSetting, Between("1s", "1h")] = 60
    """The interval at which it is read."""
    stale_after: Annotated[LengthSetting, Between("1s", "1h")] = 600
    """A roster read longer ago cannot say yes to a request. Must be longer than every."""
    start_stale_after: Annotated[LengthSetting, Between("1s", "24h")] = 6 * 3_600
    """A roster read longer ago cannot start the access that comes with a shift. Must be longer than every."""

    @field_validator("stale_after", "start_stale_after")
    @classmethod
    def _outlasts(cls, value: int, info: ValidationInfo) -> int:
        if value <= info.data.get("every", 0):
            raise unlike("passes before the source is read again; make it longer than every")
        return value
