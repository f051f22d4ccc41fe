"""The Web API's views.* methods, and the stack of modals a person has open."""

import secrets
from dataclasses import replace
from typing import Any, Literal

from bot.doubles.slack import blocks as block_kit
from bot.doubles.slack import shapes
from bot.doubles.slack.app import App
from bot.doubles.slack.chat import decode, refuse
from bot.doubles.slack.memory import Memory
from bot.doubles.slack.methods import web_method
from bot.doubles.slack.model import Json, SlackError, View
from bot.doubles.slack.tokens import Tokens

DEEPEST_STACK = 3


class Views:
    def __init__(self, memory: Memory, app: App, tokens: Tokens) -> None:
        self._memory = memory
        self._app = app
        self._tokens = tokens

    def push(self, user: str, given: Any) -> View:
        """Open a view on top of what is open. Raise SlackError if Slack would refuse it."""
        given = valid(given, "modal")
        with self._memory.change():
            stack = self._memory.modals.get(user, [])
            if len(stack) >= DEEPEST_STACK:
                raise SlackError("push_limit_reached")
            view = self._new(user, given, stack[-1] if stack else None)
            self._memory.modals[user] = [*stack, view]
        return view

    def show_instead(self, view: View, given: Any) -> View:
        kind = view.given["type"]
        changed = replace(view, given=valid(given, kind), hash=self._hash(), errors={})
        self._memory.put_view(changed)
        return changed

    @web_method("views.open")
    def _open(self, args: Json) -> Json:
        given = valid(args["view"], "modal")
        user = self._tokens.exchange(str(args["trigger_id"]))
        with self._memory.change():
            if given.get("external_id") and self._by_external_id(given["external_id"]):
                raise SlackError("duplicate_external_id")
            view = self._new(user, given, None)
            self._memory.modals[user] = [view]
        return {"view": shapes.view(view, self._app)}

    @web_method("views.push")
    def _push(self, args: Json) -> Json:
        given = valid(args["view"], "modal")
        user = self._tokens.exchange(str(args["trigger_id"]))
        return {"view": shapes.view(self.push(user, given), self._app)}

    @web_method("views.update")
    def _update(self, args: Json) -> Json:
        with self._memory.change():
            if args.get("view_id"):
                view = self._memory.open_view(str(args["view_id"]))
            elif args.get("external_id"):
                view = self._by_external_id(str(args["external_id"]))
            else:
                refuse("invalid_arguments", ["missing required field: view_id"])
            if view is None:
                raise SlackError("not_found")
            if args.get("hash") and args["hash"] != view.hash:
                raise SlackError("hash_conflict")
            changed = self.show_instead(view, args["view"])
        return {"view": shapes.view(changed, self._app)}

    @web_method("views.publish")
    def _publish(self, args: Json) -> Json:
        if not self._app.home_enabled:
            raise SlackError("not_enabled")
        given = valid(args["view"], "home")
        user = str(args["user_id"])
        if user not in self._memory.people:
            refuse("invalid_arguments", ["invalid `user_id` [json-pointer:/user_id]"])
        with self._memory.change():
            before = self._memory.homes.get(user)
            if args.get("hash") and before and args["hash"] != before.hash:
                raise SlackError("hash_conflict")
            view = self._new(user, given, None)
            if before:
                view = replace(view, id=before.id, root_id=before.root_id)
            self._memory.put_view(view)
        return {"view": shapes.view(view, self._app)}

    def _by_external_id(self, external_id: str) -> View | None:
        stacks = self._memory.modals.values()
        views = [view for stack in stacks for view in stack]
        return next((v for v in views if v.given.get("external_id") == external_id), None)

    def _new(self, user: str, given: Json, below: View | None) -> View:
        view_id = self._memory.new_id("V")
        return View(
            id=view_id,
            user=user,
            given=given,
            hash=self._hash(),
            root_id=below.root_id if below else view_id,
            previous_id=below.id if below else None,
        )

    def _hash(self) -> str:
        return f"{int(self._memory.clock())}.{secrets.token_hex(4)}"


def valid(given: Any, kind: Literal["modal", "home"]) -> Json:
    view = decode(given, "invalid_arguments")
    errors = block_kit.view_errors(view, kind)
    if errors:
        refuse("invalid_arguments", errors)
    if block_kit.view_too_large(view):
        raise SlackError("view_too_large")
    return {**view, "blocks": shapes.with_ids(view["blocks"])}
