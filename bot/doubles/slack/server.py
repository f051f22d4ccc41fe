"""A server of a workspace on localhost, alone or beside a page of yours on the same port."""

import json
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from bot.doubles.slack.api import Answer
from bot.doubles.slack.model import SlackError
from bot.doubles.slack.workspace import Workspace

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


POLL = 0.02


class Door:
    """A WSGI application: the Web API under /api/, response URLs under /respond/, else `beside`."""

    def __init__(self, workspace: Workspace, beside: "WSGIApplication | None" = None) -> None:
        self._workspace = workspace
        self._beside = beside

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        _, first, rest = (str(environ["PATH_INFO"]) + "//").split("/", 2)
        rest = rest.rstrip("/")
        if first == "api":
            return self._api(rest, environ)(environ, start_response)
        if first == "respond":
            return self._respond(rest, environ)(environ, start_response)
        if self._beside:
            return self._beside(environ, start_response)
        return Response("not found", 404)(environ, start_response)

    def _api(self, method: str, environ: "WSGIEnvironment") -> Response:
        try:
            answer = self._workspace.api.answer(method, Request(environ))
        except ClientDisconnected:  # the client has died meanwhile
            return Response("", 400)
        connection = environ.get("werkzeug.socket")
        if answer.hang_up and connection is not None:  # only werkzeug's own server lets us
            connection.shutdown(socket.SHUT_RDWR)
        return _json(answer, {"X-OAuth-Scopes": ",".join(self._workspace.app.scopes)})

    def _respond(self, token: str, environ: "WSGIEnvironment") -> Response:
        if self._workspace.faults.down:
            return Response("", 503)
        try:
            said = json.loads(Request(environ).get_data())
            body = self._workspace.responses.post(token, said)
        except ValueError:
            return Response("invalid_payload", 400)
        except SlackError as error:
            status = 404 if error.error in {"expired_url", "used_url"} else 400
            body = {"ok": False, "error": error.error, **error.details}
            return _json(Answer(status=status, body=body), {})
        return _json(Answer(status=200, body=body), {})


@dataclass(frozen=True, kw_only=True)
class Server:
    url: str
    listening: BaseWSGIServer
    thread: threading.Thread

    @property
    def api_url(self) -> str:
        return self.url + "/api/"

    def close(self) -> None:
        """Stop answering; the workspace keeps its memory."""
        self.listening.shutdown()
        self.thread.join()
        self.listening.server_close()


def serve(workspace: Workspace, port: int = 0, beside: "WSGIApplication | None" = None) -> Server:
    """Serve on 127.0.0.1; port 0 is any free one. The workspace's response URLs point here."""
    listening = make_server(
        "127.0.0.1",
        port,
        Door(workspace, beside),
        threaded=True,
        request_handler=_Handler,
    )
    url = f"http://127.0.0.1:{listening.server_port}"
    workspace.url = url
    thread = threading.Thread(target=listening.serve_forever, args=(POLL,), name="workspace", daemon=True)
    thread.start()
    return Server(url=url, listening=listening, thread=thread)


class _Handler(WSGIRequestHandler):
    """A handler that is quiet, and sends each answer in one piece at once."""

    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True

    def finish(self) -> None:
        """Finish a request. A client that hung up gets no answer, and leaves no socket behind."""
        with suppress(ConnectionError):
            super().finish()
        self.rfile.close()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 -- werkzeug's name
        pass


def _json(answer: Answer, headers: dict[str, str]) -> Response:
    shown = "" if answer.status == 503 else json.dumps(answer.body)
    response = Response(shown, answer.status or 200, headers, mimetype="application/json")
    if answer.status == 429:
        response.headers["Retry-After"] = "1"
    return response
