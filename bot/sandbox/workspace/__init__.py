"""A small Slack on localhost: for the sandbox and for the tests."""

from bot.sandbox.workspace.faults import Faults
from bot.sandbox.workspace.model import (
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
from bot.sandbox.workspace.server import Door, Server, serve
from bot.sandbox.workspace.workspace import Workspace

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
