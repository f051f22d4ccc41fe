"""The Web API's chat.* methods."""

import json
from dataclasses import replace
from typing import Any, NoReturn

from bot.doubles.slack import blocks as block_kit
from bot.doubles.slack import shapes
from bot.doubles.slack.app import App
from bot.doubles.slack.conversations import Conversations
from bot.doubles.slack.faults import Faults
from bot.doubles.slack.memory import Memory
from bot.doubles.slack.methods import web_method
from bot.doubles.slack.model import Json, Message, SlackError

MOST_TEXT = 40_000
MOST_UPDATED_TEXT = 4_000


class Chat:
    def __init__(self, memory: Memory, app: App, conversations: Conversations, faults: Faults) -> None:
        self._memory = memory
        self._app = app
        self._conversations = conversations
        self._faults = faults

    @web_method("chat.postMessage")
    def _post_message(self, args: Json) -> Json:
        channel = self._conversations.writable(str(args["channel"])).id
        text, blocks = content(args, MOST_TEXT)
        with self._memory.moved:
            if self._faults.one_a_second:
                posted = [m.ts for m in self._memory.in_channel(channel) if m.user == self._app.user_id]
                if posted and self._memory.clock() - float(posted[-1]) < 1:
                    raise SlackError("ratelimited")
            message = replace(self._new(channel, text, blocks), metadata=args.get("metadata"))
            if args.get("thread_ts"):
                parent = self._memory.message(channel, str(args["thread_ts"]))
                if parent is None or parent.only_for:
                    raise SlackError("thread_not_found")
                broadcast = args.get("reply_broadcast") is True
                message = replace(message, thread_ts=parent.thread_ts or parent.ts, broadcast=broadcast)
            self._memory.put(message)
        return {"channel": channel, "ts": message.ts, "message": shapes.message(message, self._app)}

    @web_method("chat.postEphemeral")
    def _post_ephemeral(self, args: Json) -> Json:
        channel = self._conversations.writable(str(args["channel"]))
        text, blocks = content(args, MOST_TEXT)
        if str(args["user"]) not in channel.members:
            raise SlackError("user_not_in_channel")
        message = replace(self._new(channel.id, text, blocks), only_for=str(args["user"]))
        self._memory.put(message)
        return {"message_ts": message.ts}

    @web_method("chat.update")
    def _update(self, args: Json) -> Json:
        with self._memory.change():
            message = self._own(args, "cant_update_message")
            text, blocks = content(args, MOST_UPDATED_TEXT, message)
            edited = replace(message, text=text, blocks=blocks, edited_ts=self._memory.new_ts())
            self._memory.put(edited)
        return {
            "channel": edited.channel,
            "ts": edited.ts,
            "text": edited.text,
            "message": shapes.message(edited, self._app),
        }

    @web_method("chat.delete")
    def _delete(self, args: Json) -> Json:
        with self._memory.change():
            message = self._own(args, "cant_delete_message")
            self._memory.drop(message)
        return {"channel": message.channel, "ts": message.ts}

    def _new(self, channel: str, text: str, blocks: list[Json]) -> Message:
        return Message(
            ts=self._memory.new_ts(),
            channel=channel,
            user=self._app.user_id,
            text=text,
            blocks=blocks,
        )

    def _own(self, args: Json, otherwise: str) -> Message:
        channel = self._conversations.by_id(str(args["channel"]))
        message = self._memory.message(channel.id, str(args["ts"]))
        if message is None or message.only_for:
            raise SlackError("message_not_found")
        if message.user != self._app.user_id:
            raise SlackError(otherwise)
        return message


def content(args: Json, most_text: int, before: Message | None = None) -> tuple[str, list[Json]]:
    """Return text and blocks of a message; in an update, blocks that are not given stay as they were."""
    text = str(args.get("text") or "")
    if args.get("blocks") is None:
        blocks = before.blocks if before else []
    else:
        given = decode(args["blocks"], "invalid_blocks_format")
        if not isinstance(given, list):
            raise SlackError("invalid_blocks_format")
        errors = block_kit.message_errors(given)
        if errors:
            refuse("invalid_blocks", errors)
        if block_kit.too_long(given):
            raise SlackError("msg_blocks_too_long")
        blocks = shapes.with_ids(given)
    if not text and not blocks:
        raise SlackError("no_text")
    if len(text) > most_text:
        raise SlackError("msg_too_long")
    return text, blocks


def decode(given: Any, otherwise: str) -> Any:
    """Decode a structure, which arrives as itself in a JSON body, and as JSON text in a form."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        raise SlackError(otherwise) from None


def refuse(error: str, reasons: list[str]) -> NoReturn:
    messages = [f"[ERROR] {reason}" for reason in reasons]
    raise SlackError(error, errors=reasons, response_metadata={"messages": messages})
