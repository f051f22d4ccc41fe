"""The person who did something, as Slack signed it, and whether they are one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.core.errors import refuse
from bot.core.reasons import Why
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
    person, user, enterprise = person_in(body), body.get("user"), body.get("enterprise")
    home = context.home()
    if home is None:
        raise refuse(Why.WORKSPACE_UNKNOWN)

    team = user.get("team_id") if isinstance(user, Mapping) else body.get("team_id")
    named = enterprise.get("id") if isinstance(enterprise, Mapping) else body.get("enterprise_id")
    everywhere = str(body.get("is_enterprise_install")).casefold() == "true"
    # what Slack says about the person decides later which workspaces of the organisation they are in
    same_organisation = everywhere and home.enterprise is not None and named == home.enterprise
    if team != home.team and not same_organisation:
        raise refuse(Why.PERSON_EXTERNAL, person=person)
    return person
