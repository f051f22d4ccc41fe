"""One call to Slack's Web API by a deadline, never repeated automatically, its errors turned into ours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http.client import HTTPException
from ssl import create_default_context
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports.deadline import Deadline
from bot.upstream import time_left, too_late, wait_asked_for, within

Answer = Mapping[str, Any]

_LIMITED = frozenset({"ratelimited", "rate_limited"})
_PASSING = _LIMITED | {
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "update_failed",
}
_NO_JSON = "Received a response in a non-JSON format"
_WHO = "check SLACK_BOT_TOKEN"
_INVITE = "invite the bot there, or name another channel in access.yaml"
_GONE = "the message was deleted"
_OURS = "this is a fault of Rotakey's: please report it"
_TO_DO: Mapping[str, str] = {
    "channel_not_found": _INVITE,
    "not_in_channel": _INVITE,
    "is_archived": "the channel is archived: unarchive it, or name another one in access.yaml",
    "restricted_action": "the channel does not let the bot post: change its posting permissions",
    "messages_tab_disabled": "enable the app's Messages tab, as in manifest.yml",
    "not_enabled": "enable the app's Home tab, as in manifest.yml",
    "user_not_in_channel": "the person is not in that channel",
    "message_not_found": _GONE,
    "cant_update_message": "the message is somebody else's",
    "edit_window_closed": "the workspace does not let messages be edited that long: change its settings",
    "invalid_blocks": _OURS,
    "invalid_blocks_format": _OURS,
    "invalid_arguments": _OURS,
    "msg_blocks_too_long": _OURS,
    "msg_too_long": _OURS,
    "not_authed": _WHO,
    "invalid_auth": _WHO,
    "account_inactive": _WHO,
    "token_revoked": _WHO,
    "token_expired": _WHO,
    "not_allowed_token_type": _WHO,
    "org_login_required": "the workspace is being moved to an organisation: install the app again afterwards",
    "expired_trigger_id": "the form came too late",
}


_authorities = cache(create_default_context)
"""The context with the trusted certificates. Reading them takes 20 ms, too much for every call."""


class Declined(PermanentFailure):
    """Slack refused the call; ``error`` is its code for why."""

    def __init__(self, method: str, error: str, to_do: str) -> None:
        super().__init__(f"Slack's {method} answered {error}" + (f": {to_do}" if to_do else ""))
        self.error = error


def call(client: WebClient, deadline: Deadline, method: str, arguments: Mapping[str, Any]) -> Answer:
    """Call ``method``. ``client`` gives the token and the address; its own timeout and retries are not
    used."""
    answer = call_with_headers(client, deadline, method, arguments)
    return answer.data if isinstance(answer.data, dict) else {}


def call_with_headers(
    client: WebClient, deadline: Deadline, method: str, arguments: Mapping[str, Any]
) -> SlackResponse:
    """Call as ``call`` does, and return the headers too."""
    what = f"Slack's {method}"
    structured = method.startswith(("chat.", "views."))
    given = {name: value for name, value in arguments.items() if value is not None}

    def send() -> SlackResponse:
        hurried = WebClient(
            token=client.token,
            base_url=client.base_url,
            timeout=time_left(deadline, what),  # type: ignore[arg-type]  # urllib takes a float
            ssl=client.ssl or _authorities(),
            proxy=client.proxy,
            retry_handlers=[],
        )
        try:
            if structured:
                return hurried.api_call(method, json=given)
            return hurried.api_call(method, params=given)
        except SlackApiError as error:
            raise _failure_of(method, error) from None
        except TimeoutError:  # the socket's own may come a moment before the deadline
            raise too_late(what) from None
        except (SlackClientError, OSError, HTTPException, ValueError) as error:
            raise TemporaryFailure(f"{what} did not answer: {type(error).__name__}") from None

    return within(deadline, what, send)


def _failure_of(method: str, raised: SlackApiError) -> TemporaryFailure | PermanentFailure:
    response = raised.response
    data = response.data if isinstance(response.data, dict) else {}
    error = str(data.get("error", ""))
    if response.status_code == 429 or error in _LIMITED:
        wait = wait_asked_for(response.headers, "Retry-After", "retry-after")
        return TemporaryFailure(f"Slack limits {method}", retry_after=wait)
    if response.status_code >= 500 or error in _PASSING or not error or error.startswith(_NO_JSON):
        return TemporaryFailure(f"Slack's {method} answered {response.status_code} {error[:60]}".rstrip())
    if error == "missing_scope":
        needed = str(data.get("needed", "what manifest.yml lists"))
        return Declined(method, error, f"give the app the scope {needed} and install it again")
    return Declined(method, error, _TO_DO.get(error, ""))
