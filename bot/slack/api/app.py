"""The Slack app as its own tokens show it: whether it is installed as it should be."""

from __future__ import annotations

from typing import Any

from slack_sdk import WebClient

from bot.ports.deadline import Deadline
from bot.ports.slack import AppFacts
from bot.slack.api.web_api import Declined, call, call_with_headers

PAGE = 200
MOST_PAGES = 10


class SlackApp:
    """The app. Implements App. ``client`` gives the bot token and the address."""

    def __init__(self, client: WebClient, app_token: str) -> None:
        self._client = client
        self._app_token = app_token

    def facts(self, deadline: Deadline) -> AppFacts:
        response = call_with_headers(self._client, deadline, "auth.test", {})
        said = response.data if isinstance(response.data, dict) else {}
        headers = {name.casefold(): value for name, value in response.headers.items()}
        told = headers.get("x-oauth-scopes")
        text = told if isinstance(told, str) else ",".join(told or ())
        return AppFacts(
            team=str(said.get("team_id", "")),
            workspace=str(said.get("team", "")),
            name=str(said.get("user", "")),
            scopes=None if told is None else frozenset(filter(None, map(str.strip, text.split(",")))),
        )

    def channels(self, deadline: Deadline) -> frozenset[str] | None:
        found: set[str] = set()
        asked: dict[str, Any] = {
            "types": "public_channel,private_channel",
            "exclude_archived": "true",
            "limit": PAGE,
        }
        for _ in range(MOST_PAGES):
            try:
                answer = call(self._client, deadline, "users.conversations", asked)
            except Declined as declined:
                if declined.error == "missing_scope":
                    return None
                raise
            for each in answer.get("channels", ()):
                found |= {str(each.get("id")), f"#{each.get('name')}"}
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
            asked["cursor"] = cursor
        return frozenset(found)

    def socket(self, deadline: Deadline) -> None:
        client = WebClient(token=self._app_token, base_url=self._client.base_url)
        call(client, deadline, "apps.connections.open", {})
