"""People's gestures in Slack with keyboard and mouse, and what they see in return."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bot.doubles.slack import inputs, shapes
from bot.doubles.slack.app import App
from bot.doubles.slack.delivery import Delivery
from bot.doubles.slack.memory import Memory, dm_id
from bot.doubles.slack.model import (
    SLACKBOT,
    Channel,
    CommandReply,
    ImpossibleError,
    Json,
    Message,
    Person,
    Reply,
    SlackError,
    View,
)
from bot.doubles.slack.payloads import Payloads
from bot.doubles.slack.responses import Responses
from bot.doubles.slack.tokens import Tokens
from bot.doubles.slack.views import Views

TROUBLE = "We had some trouble connecting. Try again?"
UNREADABLE = "invalid_command_response"


@dataclass(frozen=True, kw_only=True)
class Gestures:
    app: App
    memory: Memory
    tokens: Tokens
    views: Views
    delivery: Delivery
    payloads: Payloads
    responses: Responses
    response_url: Callable[[str], str]

    def type_command(self, user: str, channel: str, command: str, text: str) -> CommandReply:
        person, place = self._present(user), self._channel_of(user, channel)
        if command not in self.app.commands:
            raise ImpossibleError(f"{command} is not a valid command")
        typed = f"{command} {text}".strip()
        echo = Message(
            ts=self.memory.new_ts(), channel=place.id, user=user, text=typed, only_for=user, command=True
        )
        self.memory.put(echo)
        payload = self.payloads.command(person, place, command, text.strip())
        payload["response_url"] = self._response_url(person, place, None)
        payload["trigger_id"] = self.tokens.trigger(user)
        reply = self.delivery.send("slash_commands", payload)
        if not reply.ok:
            return self._command_failed(echo, command, reply, reply.error)
        try:
            return self._command_answered(echo, reply)
        except SlackError:
            return self._command_failed(echo, command, reply, UNREADABLE)

    def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        block_id: str | None,
        value: Any,
    ) -> Reply:
        person, place = self._present(user), self._channel_of(user, channel)
        shown = self.memory.message(channel, ts)
        if shown is None or shown.only_for not in {None, user}:
            raise ImpossibleError("that message is not there")
        block, element = inputs.find(shown.blocks, action_id, block_id, value)
        action = inputs.action_of(block, element, value)
        values = self._remember(user, f"{shown.channel}:{shown.ts}", shown.blocks, action)
        payload = self.payloads.message_action(person, place, shown, action, values)
        payload["response_url"] = self._response_url(person, place, shown.ts)
        payload["trigger_id"] = self.tokens.trigger(user)
        return self._interact(payload)

    def click_in_view(self, view: View, action_id: str, block_id: str | None, value: Any) -> Reply:
        person = self._present(view.user)
        block, element = inputs.find(view.blocks, action_id, block_id, value)
        if block["type"] == "input" and not block.get("dispatch_action"):
            raise ImpossibleError(f"{action_id!r} is filled in, and tells the bot on submission")
        action = inputs.action_of(block, element, value)
        values = self._remember(view.user, view.id, view.blocks, action)
        payload = self.payloads.view_action(person, view, action, values)
        payload["trigger_id"] = self.tokens.trigger(view.user)
        return self._interact(payload)

    def submit(self, view: View, given: dict[str, dict[str, Any]]) -> Reply:
        """Submit a view. Required fields left empty are reported to the person and not to the bot: status 0,
        ok."""
        person = self._present(view.user)
        before = self.memory.chosen.get((view.user, view.id)) or inputs.initial(view.blocks)
        values = inputs.fill(view.blocks, before, given)
        self.memory.chosen[(view.user, view.id)] = values
        empty = inputs.empty_fields(view.blocks, values)
        if empty:
            self.memory.put_view(replace(view, errors=empty))
            return Reply(status=0, seconds=0.0)
        payload = self.payloads.view_submission(person, view, values)
        payload["trigger_id"] = self.tokens.trigger(view.user)
        reply = self._interact(payload)
        try:
            understood = reply.ok and self._follow(view, reply.body)
        except SlackError:
            understood = False
        if not understood:
            self._show_errors(view, {"": TROUBLE})
        return reply

    def close(self, view: View) -> Reply:
        """Close a view by the X or the close button: all views of the stack go if the view says so."""
        everything = bool(view.given.get("clear_on_close"))
        with self.memory.change():
            stack = self.memory.modals.get(view.user, [])
            kept = [] if everything else [each for each in stack if each.id != view.id]
            self.memory.modals[view.user] = kept
        if not view.given.get("notify_on_close"):
            return Reply(status=0, seconds=0.0)
        values = self.memory.chosen.get((view.user, view.id)) or inputs.initial(view.blocks)
        person = self._present(view.user)
        return self._interact(self.payloads.view_closed(person, view, values, cleared=everything))

    def open_home(self, user: str) -> Reply:
        self._present(user)
        event: Json = {
            "type": "app_home_opened",
            "user": user,
            "channel": dm_id(user),
            "tab": "home",
        }
        home = self.memory.homes.get(user)
        if home:
            event["view"] = shapes.view(home, self.app, inputs.initial(home.blocks))
        return self.tell(event)

    def tell(self, event: Json) -> Reply:
        """Send an event, if the manifest subscribes to it."""
        if event["type"] not in self.app.events:
            return Reply(status=0, seconds=0.0)
        return self.delivery.send_event(self.payloads.event(event))

    def _follow(self, view: View, body: Json | str) -> bool:
        """Follow the bot's answer to a submission, and return whether it made sense."""
        said = body if isinstance(body, dict) else {}
        errors = said.get("errors")
        # Slack shows errors nowhere but at input blocks.
        inputs_there = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        match said.get("response_action"):
            case None:
                with self.memory.change():
                    stack = self.memory.modals.get(view.user, [])
                    self.memory.modals[view.user] = [each for each in stack if each.id != view.id]
            case "clear":
                with self.memory.change():
                    self.memory.modals[view.user] = []
            case "update":
                self.views.show_instead(view, said.get("view"))
            case "push":
                self.views.push(view.user, said.get("view"))
            case "errors" if isinstance(errors, dict) and errors and errors.keys() <= inputs_there:
                self._show_errors(view, errors)
            case _:
                return False
        return True

    def _show_errors(self, view: View, errors: dict[str, str]) -> None:
        current = self.memory.open_view(view.id)
        if current:
            self.memory.put_view(replace(current, errors=errors))

    def _interact(self, payload: Json) -> Reply:
        if not self.app.interactive:
            return Reply(status=0, seconds=0.0, error="not_interactive")
        return self.delivery.send("interactive", payload)

    def _command_answered(self, echo: Message, reply: Reply) -> CommandReply:
        body = reply.body if isinstance(reply.body, dict) else {"text": reply.body}
        silent = CommandReply(status=reply.status, seconds=reply.seconds)
        if not body.get("text") and not body.get("blocks"):
            return silent
        said = self.responses.say(echo.user, echo.channel, body)
        if said.only_for is None:
            self.memory.put(replace(echo, only_for=None))
        kind = "ephemeral" if said.only_for else "in_channel"
        return replace(silent, response_type=kind, text=said.text, blocks=said.blocks)

    def _command_failed(self, echo: Message, command: str, reply: Reply, error: str) -> CommandReply:
        words = f'{command} failed with the error "{error}"'
        told = replace(echo, ts=self.memory.new_ts(), user=SLACKBOT, text=words, command=False)
        self.memory.put(told)
        return CommandReply(status=reply.status, seconds=reply.seconds, text=words)

    def _remember(self, user: str, where: str, blocks: list[Json], action: Json) -> inputs.Values:
        """Return what the person has chosen in this message or view so far, with this action in it."""
        before = self.memory.chosen.get((user, where)) or inputs.initial(blocks)
        if action["action_id"] not in before.get(action["block_id"], {}):
            return before
        state = {k: v for k, v in action.items() if k not in {"action_id", "block_id"}}
        block = before[action["block_id"]] | {action["action_id"]: state}
        values = before | {action["block_id"]: block}
        self.memory.chosen[(user, where)] = values
        return values

    def _response_url(self, person: Person, place: Channel, ts: str | None) -> str:
        return self.response_url(self.tokens.response_url(person.id, place.id, ts))

    def _present(self, user: str) -> Person:
        person = self.memory.people.get(user)
        if person is None or person.deleted:
            raise ImpossibleError(f"{user} is not in this workspace")
        return person

    def _channel_of(self, user: str, channel: str) -> Channel:
        place = self.memory.channels.get(channel)
        if place is None or user not in place.members:
            raise ImpossibleError(f"{user} does not see {channel}")
        return place
