"""The Web API's conversations.* methods, and the look-up of the channel that a call means."""

from bot.doubles.slack import shapes
from bot.doubles.slack.app import App
from bot.doubles.slack.memory import Memory, dm_id
from bot.doubles.slack.methods import web_method
from bot.doubles.slack.model import Channel, Json, SlackError
from bot.doubles.slack.paging import page


def require_scope(app: App, scope: str) -> None:
    if scope not in app.scopes:
        raise SlackError("missing_scope", needed=scope, provided=",".join(app.scopes))


class Conversations:
    def __init__(self, memory: Memory, app: App) -> None:
        self._memory = memory
        self._app = app

    def writable(self, wanted: str) -> Channel:
        """Find a channel by id, by name with or without #, or by a person's id: then it is their DM."""
        if wanted[:1] in {"U", "W"}:
            channel = self._dm(wanted)
        elif wanted in self._memory.channels:
            channel = self.by_id(wanted)
        else:
            name = wanted.removeprefix("#")
            named = [c for c in self._memory.channels.values() if c.name == name and not c.dm_with]
            if not name or not named:
                raise SlackError("channel_not_found")
            channel = self.by_id(named[0].id)
        if self._app.user_id not in channel.members and "chat:write.public" not in self._app.scopes:
            raise SlackError("not_in_channel")
        if channel.archived:
            raise SlackError("is_archived")
        if channel.dm_with and not self._app.messages_enabled:
            raise SlackError("messages_tab_disabled")
        return channel

    def by_id(self, wanted: str) -> Channel:
        """Find a channel by id. Private channels and DMs that the bot is not in are hidden."""
        channel = self._memory.channels.get(wanted)
        if channel is None:
            raise SlackError("channel_not_found")
        hidden = channel.private or channel.dm_with
        if hidden and self._app.user_id not in channel.members:
            raise SlackError("channel_not_found")
        return channel

    def _dm(self, user: str) -> Channel:
        person = self._memory.people.get(user)
        if person is None:
            raise SlackError("channel_not_found")
        if person.is_bot:
            raise SlackError("cannot_dm_bot")
        return self._memory.channels[dm_id(user)]

    @web_method("conversations.open")
    def _open(self, args: Json) -> Json:
        require_scope(self._app, "im:write")
        if args.get("channel"):
            dm = self.by_id(args["channel"])
            if not dm.dm_with:
                raise SlackError("method_not_supported_for_channel_type")
            return self._open_answer(dm, args)
        users = [each for each in str(args.get("users", "")).split(",") if each]
        if not users:
            raise SlackError("users_list_not_supplied")
        if len(users) > 1:
            require_scope(self._app, "mpim:write")
            raise SlackError("method_not_supported_for_channel_type")
        person = self._memory.people.get(users[0])
        if person is None:
            raise SlackError("user_not_found")
        if person.deleted:
            raise SlackError("user_disabled")
        return self._open_answer(self._dm(person.id), args)

    def _open_answer(self, dm: Channel, args: Json) -> Json:
        whole = str(args.get("return_im", "")).lower() in {"true", "1"}
        shown = shapes.channel(dm, self._app) if whole else {"id": dm.id}
        return {"no_op": True, "already_open": True, "channel": shown}

    @web_method("conversations.info")
    def _info(self, args: Json) -> Json:
        channel = self._readable(args)
        shown = shapes.channel(channel, self._app)
        if str(args.get("include_num_members", "")).lower() in {"true", "1"}:
            shown["num_members"] = len(channel.members)
        return {"channel": shown}

    @web_method("conversations.members")
    def _members(self, args: Json) -> Json:
        members, cursor = page(self._readable(args).members, args, default=100)
        return {"members": list(members), "response_metadata": {"next_cursor": cursor}}

    @web_method("users.conversations")
    def _of_the_bot(self, args: Json) -> Json:
        """Return the channels that the bot itself is in; calls name no other user."""
        types = str(args.get("types") or "public_channel").split(",")
        for kind, scope in (("public_channel", "channels:read"), ("private_channel", "groups:read")):
            if kind in types:
                require_scope(self._app, scope)
        unarchived = str(args.get("exclude_archived", "")).lower() in {"true", "1"}
        found = [
            {name: value for name, value in shapes.channel(each, self._app).items() if name != "is_member"}
            for each in self._memory.channels.values()
            if not each.dm_with
            and self._app.user_id in each.members
            and ("private_channel" if each.private else "public_channel") in types
            and not (unarchived and each.archived)
        ]
        shown, cursor = page(found, args, default=100)
        return {"channels": list(shown), "response_metadata": {"next_cursor": cursor}}

    def _readable(self, args: Json) -> Channel:
        channel = self.by_id(str(args["channel"]))
        kind = "im" if channel.dm_with else "groups" if channel.private else "channels"
        require_scope(self._app, f"{kind}:read")
        return channel
