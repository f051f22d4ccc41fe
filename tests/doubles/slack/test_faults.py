"""The faults of the simulated Slack, as the bot's client sees them."""

import socket
import urllib.request
from collections.abc import Iterator
from http.client import RemoteDisconnected

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from bot.doubles.slack import Workspace, serve
from tests.doubles.slack.tiny_bot import ADA, BOT_TOKEN, CHANNEL, inhabited


@pytest.fixture
def workspace() -> Workspace:
    return inhabited()


@pytest.fixture
def client(workspace: Workspace) -> Iterator[WebClient]:
    server = serve(workspace)
    yield WebClient(token=BOT_TOKEN, base_url=server.api_url, retry_handlers=[])
    server.close()
    workspace.close()


def statuses(workspace: Workspace) -> list[int]:
    return [call.status for call in workspace.calls]


def test_slack_is_down(client: WebClient, workspace: Workspace) -> None:
    workspace.faults.down = True
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel=CHANNEL, text="x")
    assert caught.value.response.status_code == 503
    url = workspace.tokens.response_url(ADA, CHANNEL)
    assert WebhookClient(f"{workspace.url}/respond/{url}").send(text="x").status_code == 503
    assert workspace.messages(CHANNEL) == []

    workspace.faults.down = False
    client.chat_postMessage(channel=CHANNEL, text="x")
    assert statuses(workspace) == [503, 200]


def test_slack_hangs_up(client: WebClient, workspace: Workspace) -> None:
    workspace.faults.refusing = True
    with pytest.raises(RemoteDisconnected):
        client.chat_postMessage(channel=CHANNEL, text="x")
    assert workspace.messages(CHANNEL) == []


def test_slack_is_slow(workspace: Workspace) -> None:
    server = serve(workspace)
    workspace.faults.slow = 30
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(server.api_url + "auth.test", timeout=0.1)
    assert workspace.calls == []

    workspace.faults.slow = 0.01
    assert WebClient(token=BOT_TOKEN, base_url=server.api_url).auth_test()["ok"]
    workspace.close()
    server.close()


def test_slack_limits_the_rate(client: WebClient, workspace: Workspace) -> None:
    workspace.faults.limited = 2
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            client.chat_postMessage(channel=CHANNEL, text="x")
        response = caught.value.response
        assert (response.status_code, response["error"]) == (429, "ratelimited")
        assert response.headers["Retry-After"] == "1"
    assert client.chat_postMessage(channel=CHANNEL, text="x")["ok"]
    assert workspace.faults.limited == 0


def test_one_message_a_second_in_a_channel() -> None:
    now = [1_763_719_200.0]
    workspace = inhabited(clock=lambda: now[0])
    server = serve(workspace)
    client = WebClient(token=BOT_TOKEN, base_url=server.api_url)
    workspace.faults.one_a_second = True

    client.chat_postMessage(channel=CHANNEL, text="first")
    client.chat_postMessage(channel=ADA, text="elsewhere")
    with pytest.raises(SlackApiError, match="ratelimited"):
        client.chat_postMessage(channel=CHANNEL, text="too soon")
    now[0] += 1.0
    client.chat_postMessage(channel=CHANNEL, text="second")
    assert [each.text for each in workspace.messages(CHANNEL)] == ["first", "second"]
    server.close()


def test_the_message_is_posted_and_the_answer_lost(client: WebClient, workspace: Workspace) -> None:
    workspace.faults.lost_replies = 1
    with pytest.raises(RemoteDisconnected):
        client.chat_postMessage(channel=CHANNEL, text="once")
    client.chat_postMessage(channel=CHANNEL, text="again")

    assert [each.text for each in workspace.messages(CHANNEL)] == ["once", "again"]
    assert statuses(workspace) == [0, 200]
    assert workspace.calls[0].answer["ok"]


def test_a_fault_is_a_change_everybody_sees(workspace: Workspace) -> None:
    before = workspace.version
    workspace.faults.twice = True

    assert workspace.version > before
    assert workspace.state(ADA)["faults"] == {
        "down": False,
        "slow": 0.0,
        "limited": 0,
        "twice": True,
    }


def test_who_dies_while_asking_leaves_no_trace(
    workspace: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    server = serve(workspace)
    port = int(server.api_url.split(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as dying:
        kind = b"Content-Type: application/x-www-form-urlencoded"
        dying.sendall(
            b"POST /api/chat.postMessage HTTP/1.1\r\n" + kind + b"\r\nContent-Length: 99\r\n\r\ntext="
        )
        dying.shutdown(socket.SHUT_WR)
        answer = dying.recv(99)
    server.close()
    workspace.close()
    assert answer.startswith(b"HTTP/1.1 400")
    assert workspace.messages(CHANNEL) == []
    assert "Traceback" not in capfd.readouterr().err
