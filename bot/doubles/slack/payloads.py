"""Slack's payloads for a bot: commands, interactions and events, as plain values."""

import re

from bot.doubles.slack import shapes
from bot.doubles.slack.app import App
from bot.doubles.slack.inputs import Values
from bot.doubles.slack.memory import Memory
from bot.doubles.slack.model import Channel, Json, Message, Person, View

LEGACY_TOKEN = "verification-token-nobody-checks"  # noqa: S105 -- sent by Slack, worth nothing


class Payloads:
    def __init__(self, app: App, memory: Memory) -> None:
        self._app = app
        self._memory = memory

    def command(self, person: Person, channel: Channel, command: str, text: str) -> Json:
        escapes = self._app.commands[command].get("should_escape", False)
        return {
            "token": LEGACY_TOKEN,
            "team_id": person.team_id or self._app.team.id,
            "team_domain": self._app.team.domain,
            "channel_id": channel.id,
            "channel_name": _channel_name(channel),
            "user_id": person.id,
            "user_name": person.name,
            "command": command,
            "text": self._escape(text) if escapes else text,
            "api_app_id": self._app.app_id,
            "is_enterprise_install": "false",
        }

    def message_action(
        self, person: Person, channel: Channel, message: Message, action: Json, values: Values
    ) -> Json:
        """Make the payload of an action in a message. For an ephemeral message Slack sends the container
        only, not the message."""
        container: Json = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": message.only_for is not None,
        }
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        payload = self._action(person, action) | {
            "container": container,
            "channel": {"id": channel.id, "name": _channel_name(channel)},
            "state": {"values": values},
        }
        if message.only_for is None:
            payload["message"] = shapes.message(message, self._app)
        return payload

    def view_action(self, person: Person, view: View, action: Json, values: Values) -> Json:
        return self._action(person, action) | {
            "container": {"type": "view", "view_id": view.id},
            "view": shapes.view(view, self._app, values),
        }

    def view_submission(self, person: Person, view: View, values: Values) -> Json:
        return self._interaction("view_submission", person) | {
            "view": shapes.view(view, self._app, values),
            "response_urls": [],
        }

    def view_closed(self, person: Person, view: View, values: Values, *, cleared: bool) -> Json:
        return self._interaction("view_closed", person) | {
            "view": shapes.view(view, self._app, values),
            "is_cleared": cleared,
        }

    def event(self, event: Json) -> Json:
        app = self._app
        authorization = {
            "enterprise_id": None,
            "team_id": app.team.id,
            "user_id": app.user_id,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        return {
            "token": LEGACY_TOKEN,
            "team_id": app.team.id,
            "api_app_id": app.app_id,
            "event": {"event_ts": self._memory.new_ts(), **event},
            "type": "event_callback",
            "event_id": self._memory.new_id("Ev"),
            "event_time": int(self._memory.clock()),
            "authorizations": [authorization],
            "is_ext_shared_channel": False,
        }

    def _action(self, person: Person, action: Json) -> Json:
        stamped = {**action, "action_ts": self._memory.new_ts()}
        return self._interaction("block_actions", person) | {"actions": [stamped]}

    def _interaction(self, kind: str, person: Person) -> Json:
        team = self._app.team
        return {
            "type": kind,
            "user": {
                "id": person.id,
                "username": person.name,
                "name": person.name,
                "team_id": person.team_id or team.id,
            },
            "api_app_id": self._app.app_id,
            "token": LEGACY_TOKEN,
            "team": {"id": team.id, "domain": team.domain},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _escape(self, text: str) -> str:
        """Write people, groups, channels and links as Slack writes them."""
        for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(plain, entity)
        memory = self._memory
        with memory.moved:
            people = [each for each in memory.people.values() if not each.deleted]
            channels = {each.name: f"<#{each.id}|{each.name}>" for each in memory.channels.values()}
            groups = {each.handle: f"<!subteam^{each.id}|@{each.handle}>" for each in memory.groups.values()}
        mentions = groups | {each.name: f"<@{each.id}|{each.name}>" for each in people}
        text = re.sub(r"(?<!\S)@([\w.-]+)", lambda found: mentions.get(found[1], found[0]), text)
        text = re.sub(r"(?<!\S)#([\w-]+)", lambda found: channels.get(found[1], found[0]), text)
        return re.sub(r"(?<!\S)(https?://[^\s|]+)", r"<\1>", text)


def _channel_name(channel: Channel) -> str:
    if channel.dm_with:
        return "directmessage"
    return "privategroup" if channel.private else channel.name
