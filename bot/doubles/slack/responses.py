"""The bot's responses: in answer to a command, or later at a response URL."""

from dataclasses import replace
from typing import Any

from bot.doubles.slack.app import App
from bot.doubles.slack.chat import MOST_TEXT, content
from bot.doubles.slack.memory import Memory
from bot.doubles.slack.model import Json, Message, SlackError
from bot.doubles.slack.tokens import Tokens


class Responses:
    def __init__(self, app: App, memory: Memory, tokens: Tokens) -> None:
        self._app = app
        self._memory = memory
        self._tokens = tokens

    def post(self, token: str, said: Any) -> Json:
        """Post at a response URL. Raise SlackError if Slack would refuse it."""
        if not isinstance(said, dict):
            raise SlackError("invalid_payload")
        url = self._tokens.use(token)
        source = self._memory.message(url.channel, url.message_ts) if url.message_ts else None
        if said.get("delete_original"):
            self._memory.drop(_present(source))
        elif said.get("replace_original") and url.message_ts:
            original = _present(source)
            text, blocks = content({"blocks": [], **said}, MOST_TEXT)
            edited = replace(original, text=text, blocks=blocks, edited_ts=self._memory.new_ts())
            self._memory.put(edited)
        else:
            parent = self._memory.message(url.channel, str(said.get("thread_ts")))
            self.say(url.user, url.channel, said, parent.ts if parent else None)
        return {"ok": True}

    def say(self, user: str, channel: str, said: Json, thread_ts: str | None = None) -> Message:
        """Show the response, only to `user` unless its type is in_channel."""
        text, blocks = content(said, MOST_TEXT)
        message = Message(
            ts=self._memory.new_ts(),
            channel=channel,
            user=self._app.user_id,
            text=text,
            blocks=blocks,
            thread_ts=thread_ts,
            only_for=None if said.get("response_type") == "in_channel" else user,
        )
        self._memory.put(message)
        return message


def _present(source: Message | None) -> Message:
    if source is None:
        raise SlackError("message_not_found")
    return source
