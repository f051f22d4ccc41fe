"""Bodies from Slack, reduced to what the bot reads of them, in the shape that its listeners rely on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

OTHER, MALFORMED = "other", "malformed"
"""Types that Slack itself does not have: for anything that nothing here listens to, and for a body that is
not as Slack sends it."""

_MOST_FIELDS = 100

Json = dict[str, Any]
_Id = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,40}$")]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=255)]
_Value = Annotated[str, StringConstraints(max_length=2_000)]


class _Shape(BaseModel):
    """The fields that are read; everything else that Slack sends is left out."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class _Command(_Shape):
    command: _Word
    user_id: _Id
    trigger_id: _Word
    text: str = ""
    team_id: str | None = None
    enterprise_id: str | None = None
    is_enterprise_install: str | None = None


class _User(_Shape):
    id: _Id
    team_id: str | None = None


class _Enterprise(_Shape):
    id: str | None = None


class _Interaction(_Shape):
    type: str
    user: _User
    trigger_id: _Word
    enterprise: _Enterprise | None = None
    is_enterprise_install: bool | str | None = None


class _Option(_Shape):
    value: _Value


class _Action(_Shape):
    action_id: _Word
    action_ts: _Word
    value: _Value | None = None
    selected_option: _Option | None = None


class _Channel(_Shape):
    id: _Id


class _Container(_Shape):
    type: str | None = None
    channel_id: str | None = None
    message_ts: str | None = None
    is_ephemeral: bool | None = None


class _Click(_Interaction):
    actions: Annotated[list[_Action], Field(min_length=1)]
    channel: _Channel | None = None
    container: _Container | None = None


class _Filled(_Shape):
    value: str | None = None
    selected_option: _Option | None = None


class _State(_Shape):
    values: dict[str, dict[str, _Filled]] = Field(default_factory=dict)


class _View(_Shape):
    id: _Word
    type: str
    callback_id: str
    hash: str | None = None
    private_metadata: Annotated[str, StringConstraints(max_length=3_000)] = ""
    state: _State | None = None


class _Submission(_Interaction):
    view: _View


class _Event(_Shape):
    type: _Word


class _Happened(_Shape):
    """Any event: only its type is read."""

    type: str
    team_id: str | None = None
    event: _Event


class _HomeOpened(_Event):
    user: _Id
    tab: str | None = None


class _HomeHappened(_Happened):
    event: _HomeOpened


class _OfOrganisation(_Shape):
    enterprise_id: str | None = None
    teams: list[str] | None = None


class _Profile(_Shape):
    email: str | None = None


class _Person(_Shape):
    """A person, as in ``users.info``."""

    id: _Id
    team_id: str | None = None
    deleted: bool | None = None
    profile: _Profile | None = None
    is_email_confirmed: bool | None = None
    is_bot: bool | None = None
    is_restricted: bool | None = None
    is_ultra_restricted: bool | None = None
    is_invited_user: bool | None = None
    is_stranger: bool | None = None
    enterprise_user: _OfOrganisation | None = None


class _PersonChanged(_Event):
    user: _Person


class _PersonHappened(_Happened):
    event: _PersonChanged


class _Tokens(_Shape):
    bot: list[str] | None = None


class _TokensRevoked(_Event):
    tokens: _Tokens | None = None


class _TokensHappened(_Happened):
    event: _TokensRevoked


class _Verification(_Shape):
    type: str
    challenge: str


_SHAPES: Mapping[str, type[_Shape]] = {
    "block_actions": _Click,
    "view_submission": _Submission,
    "url_verification": _Verification,
}
_EVENTS: Mapping[str, type[_Happened]] = {
    "app_home_opened": _HomeHappened,
    "tokens_revoked": _TokensHappened,
    "user_change": _PersonHappened,
}


def from_http(raw: str, content_type: str) -> Json:
    """Read and reduce the body of a request that came by HTTP. If it is not valid, return a body that says
    why."""
    try:
        return reduce(_parse(raw, content_type))
    except RecursionError:
        return _as_malformed("it is nested too deep")
    except ValueError as wrong:
        return _as_malformed(f"it cannot be read ({type(wrong).__name__})")


def reduce(body: object) -> Json:
    """Reduce the body that Slack's JSON describes. If it is not valid, return a body that says why."""
    if not isinstance(body, dict):
        return _as_malformed("it is not a JSON object")
    shape: type[_Shape] | None
    match body:
        case {"command": _}:
            shape = _Command
        case {"type": "event_callback", "event": {"type": str(event)}}:
            shape = _EVENTS.get(event, _Happened)
        case {"type": "event_callback"}:
            shape = _Happened
        case {"type": str(kind)}:
            shape = _SHAPES.get(kind)
        case _:
            shape = None
    if shape is None:
        return {"type": OTHER}
    try:
        found = shape.model_validate(_whole(body))
    except ValidationError as error:
        return _as_malformed(
            "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['type']}" for each in error.errors())
        )
    return found.model_dump(exclude_unset=True)


def _as_malformed(wrong: str) -> Json:
    return {"type": MALFORMED, "wrong": wrong[:500]}


def _parse(raw: str, content_type: str) -> object:
    text = raw
    if content_type.partition(";")[0].strip().casefold() != "application/json" and not raw.startswith("{"):
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise ValueError("a field is there twice")
        if "payload" not in fields:
            return fields
        text = fields["payload"]
    return json.loads(text, parse_constant=_no_number)


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _whole(body: Json) -> Json:
    """Replace half a character, as is left if text was cut in the middle of an emoji, by a question mark."""
    text = json.dumps(body, ensure_ascii=False)
    if text.isascii():
        return body
    try:
        text.encode()
    except UnicodeEncodeError:
        made: Json = json.loads(text.encode("utf-8", "replace"))
        return made
    return body
