"""The workspace as one person sees it, ready to be shown on a page."""

from bot.doubles.slack.app import App
from bot.doubles.slack.faults import Faults
from bot.doubles.slack.memory import Memory, dm_id
from bot.doubles.slack.model import SLACKBOT, Channel, Json, Message, View


def seen_by(me: str, app: App, memory: Memory, faults: Faults) -> Json:
    with memory.moved:
        stack = memory.modals.get(me, [])
        home = memory.homes.get(me)
        channels = [c for c in memory.channels.values() if me in c.members and not c.dm_with]
        channels += [c for c in memory.channels.values() if c.id == dm_id(me)]
        return {
            "me": me,
            "team": {"id": app.team.id, "name": app.team.name},
            "bot": {"id": app.user_id, "name": app.name},
            "people": _people(memory),
            "channels": [_channel(each, me, app, memory) for each in channels],
            "home": {"id": home.id, "blocks": home.blocks} if home else None,
            "view": _view(stack[-1]) if stack else None,
            "commands": [
                {
                    "command": name,
                    "usage_hint": each.get("usage_hint", ""),
                    "description": each.get("description", ""),
                }
                for name, each in app.commands.items()
            ],
            "faults": {
                "down": faults.down,
                "slow": faults.slow,
                "limited": faults.limited,
                "twice": faults.twice,
            },
            "version": memory.version,
        }


def _people(memory: Memory) -> list[Json]:
    return [
        {
            "id": each.id,
            "name": each.name,
            "real_name": each.real_name or each.name,
            "title": each.title,
            "color": "#" + each.color.removeprefix("#"),
            "deleted": each.deleted,
        }
        for each in memory.people.values()
        if not each.is_bot and each.id != SLACKBOT
    ]


def _channel(channel: Channel, me: str, app: App, memory: Memory) -> Json:
    visible = [m for m in memory.in_channel(channel.id) if m.only_for in {None, me}]
    replies: dict[str, list[Json]] = {}
    for each in visible:
        if each.thread_ts:
            replies.setdefault(each.thread_ts, []).append(_message(each, []))
    shown = [each for each in visible if each.broadcast or not each.thread_ts]
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": "dm" if channel.dm_with else "channel",
        **({"with": app.user_id} if channel.dm_with else {}),
        "messages": [_message(each, replies.get(each.ts, [])) for each in shown],
    }


def _message(it: Message, replies: list[Json]) -> Json:
    return {
        "ts": it.ts,
        "user": it.user,
        "text": it.text,
        "blocks": it.blocks,
        "edited": it.edited_ts is not None,
        "ephemeral": it.only_for is not None,
        "command": it.command,
        "reply_count": len(replies),
        "replies": replies,
    }


def _view(view: View) -> Json:
    shown = ("title", "submit", "close", "callback_id", "private_metadata")
    return {
        "id": view.id,
        "hash": view.hash,
        "blocks": view.blocks,
        "errors": view.errors,
        **{name: view.given.get(name) for name in shown},
    }
