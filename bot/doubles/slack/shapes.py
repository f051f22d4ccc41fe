"""People, channels, messages and views in the JSON shapes of Slack's Web API and payloads."""

import copy
import secrets
from typing import Any

from bot.doubles.slack.app import App
from bot.doubles.slack.elements import ELEMENTS
from bot.doubles.slack.model import Channel, Group, Json, Message, Person, View

_EPOCH = 1_577_836_800
_SIZES, _ICONS = (24, 32, 48, 72, 192, 512), (36, 48, 72)
_PICTURES = "https://secure.gravatar.com/avatar"


def user(person: Person, app: App) -> Json:
    """Return a user object. `email` is there only with the scope for it."""
    name = person.real_name or person.name
    profile: Json = {
        "title": person.title,
        "phone": "",
        "skype": "",
        "real_name": name,
        "real_name_normalized": name,
        "display_name": person.name,
        "display_name_normalized": person.name,
        "avatar_hash": "g" + person.id.lower(),
        "status_text": "",
        "status_emoji": "",
        "team": person.team_id or app.team.id,
        **{f"image_{size}": f"{_PICTURES}/{person.id.lower()}.jpg?s={size}" for size in _SIZES},
    }
    if person.email and "users:read.email" in app.scopes:
        profile["email"] = person.email
    return {
        "id": person.id,
        "team_id": person.team_id or app.team.id,
        "name": person.name,
        "real_name": name,
        "color": person.color,
        "deleted": person.deleted,
        "profile": profile,
        "is_app_user": False,
        "updated": _EPOCH,
        "is_bot": person.is_bot,
        "is_email_confirmed": person.is_email_confirmed,
        **({} if person.deleted else _living(person)),
    }


def channel(it: Channel, app: App) -> Json:
    if it.dm_with:
        return {
            "id": it.id,
            "created": _EPOCH,
            "is_im": True,
            "is_org_shared": False,
            "user": it.dm_with,
            "is_user_deleted": False,
            "priority": 0,
        }
    quiet = ("is_im", "is_mpim", "is_org_shared", "is_general", "is_pending_ext_shared")
    return {
        "id": it.id,
        "name": it.name,
        "name_normalized": it.name,
        "created": _EPOCH,
        "creator": app.user_id,
        "is_channel": not it.private,
        "is_group": it.private,
        "is_private": it.private,
        "is_archived": it.archived,
        "is_shared": it.shared,
        "is_ext_shared": it.shared,
        "is_member": app.user_id in it.members,
        "unlinked": 0,
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        **dict.fromkeys(quiet, False),
    }


def group(it: Group, app: App, *, with_users: bool) -> Json:
    return {
        "id": it.id,
        "team_id": app.team.id,
        "is_usergroup": True,
        "is_subteam": True,
        "name": it.name or it.handle,
        "description": "",
        "handle": it.handle,
        "is_external": False,
        "auto_provision": False,
        "enterprise_subteam_id": "",
        "date_create": _EPOCH,
        "date_update": _EPOCH,
        "date_delete": 0 if it.enabled else _EPOCH,
        "auto_type": None,
        "created_by": app.user_id,
        "updated_by": app.user_id,
        "deleted_by": None,
        "prefs": {"channels": [], "groups": []},
        "user_count": len(it.users),
        **({"users": list(it.users)} if with_users else {}),
    }


def message(it: Message, app: App, replies: int = 0) -> Json:
    shown: Json = {"type": "message", "user": it.user, "ts": it.ts, "text": it.text}
    shown["team"] = app.team.id
    if it.user == app.user_id:
        shown |= {"bot_id": app.bot_id, "app_id": app.app_id}
        shown["bot_profile"] = {
            "id": app.bot_id,
            "app_id": app.app_id,
            "name": app.name,
            "team_id": app.team.id,
            "deleted": False,
            "updated": _EPOCH,
            "icons": {f"image_{size}": f"https://a.slack-edge.com/bot_{size}.png" for size in _ICONS},
        }
    if it.blocks:
        shown["blocks"] = it.blocks
    if it.thread_ts or replies:
        shown["thread_ts"] = it.thread_ts or it.ts
    if replies:
        shown["reply_count"] = replies
    if it.edited_ts:
        shown["edited"] = {"user": app.bot_id, "ts": it.edited_ts}
    if it.metadata:
        shown["metadata"] = it.metadata
    return shown


def view(it: View, app: App, values: Json | None = None) -> Json:
    given = it.given
    return {
        "id": it.id,
        "team_id": app.team.id,
        "type": given["type"],
        "blocks": it.blocks,
        "private_metadata": given.get("private_metadata", ""),
        "callback_id": given.get("callback_id", ""),
        "external_id": given.get("external_id", ""),
        "state": {"values": values or {}},
        "hash": it.hash,
        "title": given.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": given.get("clear_on_close", False),
        "notify_on_close": given.get("notify_on_close", False),
        "close": given.get("close"),
        "submit": given.get("submit"),
        "previous_view_id": it.previous_id,
        "root_view_id": it.root_id,
        "app_id": app.app_id,
        "app_installed_team_id": app.team.id,
        "bot_id": app.bot_id,
    }


def with_ids(blocks: list[Json]) -> list[Json]:
    """Return a copy in which every block, and every element a person can touch, has its id."""
    named = copy.deepcopy(blocks)
    for block in named:
        block.setdefault("block_id", secrets.token_urlsafe(4)[:5])
        for element in touchable(block):
            element.setdefault("action_id", secrets.token_urlsafe(4)[:5])
    return named


def touchable(block: Json) -> list[Json]:
    """Return the elements of a block that a person can press or fill in."""
    candidates: list[Any] = [block.get("accessory"), block.get("element")]
    candidates += block.get("elements") or ()
    kinds = ELEMENTS.keys() - {"image"}
    return [each for each in candidates if isinstance(each, dict) and each.get("type") in kinds]


def _living(person: Person) -> Json:
    """Return the fields that Slack leaves out for somebody deactivated."""
    return {
        "tz": person.tz,
        "tz_label": person.tz,
        "tz_offset": person.tz_offset,
        "is_admin": person.is_admin,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_stranger": person.is_stranger,
    }
