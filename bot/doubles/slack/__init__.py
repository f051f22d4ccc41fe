"""A small Slack on localhost: for the sandbox and for the tests."""

from bot.doubles.slack.faults import Faults
from bot.doubles.slack.model import (
    Call,
    Channel,
    CommandReply,
    Group,
    ImpossibleError,
    Json,
    Message,
    Person,
    Reply,
    Team,
    View,
)
from bot.doubles.slack.server import Door, Server, serve
from bot.doubles.slack.workspace import Workspace

__all__ = [
    "Call",
    "Channel",
    "CommandReply",
    "Door",
    "Faults",
    "Group",
    "ImpossibleError",
    "Json",
    "Message",
    "Person",
    "Reply",
    "Server",
    "Team",
    "View",
    "Workspace",
    "serve",
]
