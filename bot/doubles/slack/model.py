"""The parts of a workspace: people, channels, groups, messages and views."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

SLACKBOT = "USLACKBOT"


class ImpossibleError(Exception):
    """Nobody can do that in Slack: the button, the view or the command is not there."""


class SlackError(Exception):
    """A Web API answer that is not ok; `details` are the answer's other fields."""

    def __init__(self, error: str, **details: Any) -> None:
        super().__init__(error)
        self.error = error
        self.details = details


@dataclass(frozen=True, kw_only=True)
class Team:
    id: str = "T0ROTAKEY"
    name: str = "Example Co"
    domain: str = "example"


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person. `team_id` is None for this workspace's own people."""

    id: str
    name: str
    real_name: str = ""
    title: str = ""
    email: str | None = None
    color: str = "3b82f6"
    tz: str = "Etc/UTC"
    tz_offset: int = 0
    team_id: str | None = None
    deleted: bool = False
    is_bot: bool = False
    is_admin: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_email_confirmed: bool = True


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel. The bot is in it only if its user id is among the members."""

    id: str
    name: str
    members: tuple[str, ...] = ()
    private: bool = False
    shared: bool = False
    archived: bool = False
    dm_with: str | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    id: str
    handle: str
    name: str = ""
    users: tuple[str, ...] = ()
    enabled: bool = True


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message. `only_for` is the person an ephemeral message is shown to; `command` marks the echo of a
    typed one, and `broadcast` a reply in a thread that is shown in the channel besides."""

    ts: str
    channel: str
    user: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    broadcast: bool = False
    edited_ts: str | None = None
    only_for: str | None = None
    command: bool = False
    metadata: Json | None = None


@dataclass(frozen=True, kw_only=True)
class View:
    """A view. `given` is what the bot sent, with block and action ids filled in."""

    id: str
    user: str
    given: Json
    hash: str
    root_id: str
    previous_id: str | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def blocks(self) -> list[Json]:
        blocks: list[Json] = self.given.get("blocks", [])
        return blocks


@dataclass(frozen=True, kw_only=True)
class Call:
    """One Web API call as the bot made it; `status` 0 is an answer that never reached it."""

    method: str
    args: Json
    at: float
    status: int
    answer: Json


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The bot's answer to a delivery; `status` is 0 if there was none, `error` is as Slack names it."""

    status: int
    seconds: float
    body: Json | str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass(frozen=True, kw_only=True)
class CommandReply:
    """The reply that the typist sees right after a slash command."""

    status: int
    seconds: float
    response_type: str = "ephemeral"
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
