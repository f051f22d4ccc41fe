"""Who did something, as Slack signed it, and whether they are one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.core.errors import refuse
from bot.core.reasons import Why
from bot.ports import Home
from bot.usecases.context import Context

Body = Mapping[str, Any]


def person_in(body: Body) -> str:
    """The Slack user id: of whoever typed, clicked or submitted, never of anything they typed."""
    user = body.get("user")
    return str(user["id"] if isinstance(user, Mapping) else body["user_id"])


def insider(context: Context, body: Body) -> str:
    """The person, where they belong to the bot's own workspace or, where the app is installed for a whole
    organisation, to that. Raises Refused for anybody else: a card in a shared channel can be clicked by
    people of another company."""
    person = person_in(body)
    home = context.home()
    if home is None:
        raise refuse(Why.WORKSPACE_UNKNOWN)
    if _team(body) != home.team and not _of_same_organisation(body, home):
        raise refuse(Why.PERSON_EXTERNAL, person=person)
    return person


def _team(body: Body) -> object:
    user = body.get("user")
    return user.get("team_id") if isinstance(user, Mapping) else body.get("team_id")


def _of_same_organisation(body: Body, home: Home) -> bool:
    """Which of its workspaces a person is in is judged later, by what Slack says about the person."""
    everywhere = str(body.get("is_enterprise_install")).casefold() == "true"
    enterprise = body.get("enterprise")
    named = enterprise.get("id") if isinstance(enterprise, Mapping) else body.get("enterprise_id")
    return everywhere and home.enterprise is not None and named == home.enterprise
