"""The person who did something, as Slack signed it, and whether they are one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.core.errors import refuse
from bot.core.reasons import Why
from bot.ports.documents import Home
from bot.usecases.context import Context

Body = Mapping[str, Any]


def person_in(body: Body) -> str:
    """Return the Slack user id of the person who typed, clicked or submitted, never of anybody in the
    text."""
    user = body.get("user")
    return str(user["id"] if isinstance(user, Mapping) else body["user_id"])


def insider(context: Context, body: Body) -> str:
    """Return the person. Raise Refused unless they belong to the bot's own workspace or, if the app is
    installed for a whole organisation, to that: a card in a shared channel can be clicked by people of
    another company."""
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
    """Return whether the person is of our organisation. What Slack says about the person decides later which
    of its workspaces they are in."""
    everywhere = str(body.get("is_enterprise_install")).casefold() == "true"
    enterprise = body.get("enterprise")
    named = enterprise.get("id") if isinstance(enterprise, Mapping) else body.get("enterprise_id")
    return everywhere and home.enterprise is not None and named == home.enterprise
