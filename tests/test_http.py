"""The HTTP client: deadlines, redirects, huge answers, and what goes out."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from werkzeug import Request, Response
from werkzeug.serving import make_server

from bot import http
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.http import MOST_BYTES, HttpAnswer, HttpRequest
from bot.ports.deadline import Deadline


class Site:
    """A server that answers by path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.hurry = threading.Event()
        self._server = make_server("127.0.0.1", 0, Request.application(self._answer), threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _answer(self, request: Request) -> Response:
        request.get_data()
        self.asked.append(request)
        if request.path == "/moved":
            return Response("", 302, {"Location": f"{self.url}/elsewhere"})
        if request.path == "/huge":
            return Response(b"x" * (MOST_BYTES + 1))
        if request.path == "/slow":
            self.hurry.wait(60)
        if request.path == "/drips":
            return Response(self._drops())
        return Response("hello", 200, {"X-Color": "red"})

    def _drops(self) -> Iterator[bytes]:
        for _ in range(10_000):
            self.hurry.wait(0.01)
            yield b"x"

    def close(self) -> None:
        self.hurry.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with closing(Site()) as site:
        yield site


def fetch(url: str, seconds: float = 10, **headers: str) -> HttpAnswer:
    request = HttpRequest(method="POST", url=url, headers=headers, body=b"{}")
    return http.send(request, "orders: has", Deadline.after(seconds))


def test_an_answer_comes_with_its_status_headers_and_body(site: Site) -> None:
    answer = fetch(f"{site.url}/")

    assert (answer.status, answer.body, answer.headers["x-COLOR"]) == (200, b"hello", "red")


def test_a_redirect_is_not_followed(site: Site) -> None:
    assert fetch(f"{site.url}/moved").status == 302
    assert [each.path for each in site.asked] == ["/moved"]


def test_a_huge_answer_is_refused(site: Site) -> None:
    with pytest.raises(TemporaryFailure, match="orders: has: the answer is longer than 1048576 bytes"):
        fetch(f"{site.url}/huge")


@pytest.mark.parametrize("path", ["/slow", "/drips"])
def test_no_answer_is_waited_for_beyond_the_deadline(site: Site, path: str) -> None:
    began = time.monotonic()
    with pytest.raises(TemporaryFailure, match="did not answer in time"):
        fetch(f"{site.url}{path}", seconds=0.3)
    assert time.monotonic() - began < 5


def test_nothing_is_sent_if_connecting_took_until_the_deadline(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is slow to look up delays the connection, which no timeout of a socket covers."""
    look_up = socket.getaddrinfo
    connected = threading.Event()

    def slowly(*args: object, **named: object) -> object:
        time.sleep(0.5)
        try:
            return look_up(*args, **named)  # type: ignore[arg-type]
        finally:
            connected.set()

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with pytest.raises(TemporaryFailure, match="in time"):
        fetch(f"{site.url}/", seconds=0.3)
    assert connected.wait(5)
    monkeypatch.undo()
    fetch(f"{site.url}/after")  # whatever the late call was going to send has come before this

    assert [each.path for each in site.asked] == ["/after"]


def test_a_netrc_file_changes_no_header(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password sesame\n")
    monkeypatch.setenv("NETRC", str(netrc))
    fetch(f"{site.url}/", Authorization="Bearer ours")

    [asked] = site.asked
    assert asked.headers["Authorization"] == "Bearer ours"


def test_a_closed_port_may_open_again() -> None:
    with pytest.raises(TemporaryFailure, match="orders: has: no answer: ConnectionError"):
        fetch("http://127.0.0.1:1/")


@pytest.mark.parametrize("url", ["ftp://example.com/", "http://", "example.com"])
def test_an_invalid_address_needs_a_person(url: str) -> None:
    with pytest.raises(PermanentFailure, match="not a valid URL: correct it"):
        fetch(url)


def test_a_deadline_that_is_over_sends_nothing(site: Site) -> None:
    with pytest.raises(TemporaryFailure):
        fetch(f"{site.url}/", seconds=0)
    assert site.asked == []
