"""Socket Mode: a connection to Slack that is opened again whenever it is lost."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.client import HTTPException

import structlog
from slack_bolt import App
from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.slack.incoming.payloads import reduce

LOOK_EVERY = 1.0
LONGEST_PAUSE = 10.0
log = structlog.get_logger(__name__)


class _Reducing(SocketModeHandler):
    def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]  # as its own
        req.payload = reduce(req.payload)
        super().handle(client, req)


class SocketConnection:
    """A connection that connects in the background, and keeps trying."""

    def __init__(self, bolt_app: App, app_token: str) -> None:
        self._client = _Reducing(bolt_app, app_token, ping_interval=5).client
        self._closed = threading.Event()
        self._trouble = "Socket Mode: not connected yet"
        self._thread = threading.Thread(target=self._watch, name="socket mode", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """Return why nothing is heard from Slack; None while it is connected."""
        return None if self._client.is_connected() else self._trouble

    def close(self) -> None:
        """Answer what was heard already, then hang up."""
        self._closed.set()
        self._thread.join()
        self._client.message_workers.shutdown()
        self._client.close()

    def _watch(self) -> None:
        pause, connected = LOOK_EVERY, False
        while not self._closed.is_set():
            if not self._client.is_connected():
                self._trouble = self._connect()
            now_connected = self._client.is_connected()
            if now_connected is not connected:
                log.info("socket mode connected") if now_connected else log.warning("socket mode lost")
            connected = now_connected
            pause = LOOK_EVERY if connected else min(pause * 2, LONGEST_PAUSE)
            self._closed.wait(pause)

    def _connect(self) -> str:
        """Try to connect, and return the trouble to report if the connection is not there."""
        try:
            self._client.connect_to_new_endpoint()
        except SlackApiError as error:
            status, data = error.response.status_code, error.response.data
            said = str(data.get("error", "")) if status == HTTPStatus.OK and isinstance(data, dict) else ""
            if said:
                return f"Socket Mode: Slack answers {said}; check SLACK_APP_TOKEN"
            return f"Socket Mode: Slack answers {status}"
        except (SlackClientError, OSError, HTTPException, ValueError) as error:
            return f"Socket Mode: Slack does not answer ({type(error).__name__})"
        return "Socket Mode: not connected"
