"""The environment is read once, all mistakes are reported together, and secrets are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import WEB, WORKER, Environment
from bot.config.environment import Need
from bot.core.errors import Misconfigured

HTTP = {
    "SLACK_BOT_TOKEN": "xoxb-1-tell-nobody",
    "SLACK_SIGNING_SECRET": "tell-nobody-0123456789abcdef",
    "REDIS_URL": "redis://:tell-nobody@redis.example.com:6379/0",
}


def wrong(environ: dict[str, str], needs: tuple[Need, ...] = ()) -> list[str]:
    with pytest.raises(Misconfigured) as stopped:
        Environment.read(environ, needs=needs)
    return str(stopped.value).splitlines()


def test_what_is_not_set_has_its_default() -> None:
    found = Environment.read(HTTP, needs=WEB)
    assert found.slack_bot_token.get_secret_value() == "xoxb-1-tell-nobody"
    assert found.slack_api_url == "https://slack.com/api/"
    assert found.access_file == Path("access.yaml")
    assert (found.port, found.worker_port, found.worker_threads) == (3000, None, None)
    assert not found.audit_key
    assert not found.socket_mode


def test_everything_can_be_set() -> None:
    found = Environment.read(
        {
            **HTTP,
            "SLACK_APP_TOKEN": "xapp-1",
            "SLACK_API_URL": "http://127.0.0.1:8080/api",
            "ACCESS_FILE": "/etc/rotakey/access.yaml",
            "PORT": "0",
            "WORKER_PORT": "9100",
            "WORKER_THREADS": "24",
            "AUDIT_KEY": r"-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n",
        },
        needs=WEB,
    )
    assert found.socket_mode
    assert found.slack_api_url == "http://127.0.0.1:8080/api/"
    assert found.access_file == Path("/etc/rotakey/access.yaml")
    assert (found.port, found.worker_port, found.worker_threads) == (0, 9100, 24)
    assert found.audit_key.get_secret_value().splitlines()[1] == "MC4C"


def test_nobody_sees_a_secret() -> None:
    found = Environment.read(HTTP)
    assert "tell-nobody" not in f"{found} {found!r} {vars(found)}"


def test_each_command_demands_what_it_needs() -> None:
    assert [line.partition(":")[0] for line in wrong({}, WEB)] == [
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET or SLACK_APP_TOKEN",
        "REDIS_URL",
    ]
    assert [line.partition(":")[0] for line in wrong({}, WORKER)] == ["SLACK_BOT_TOKEN", "REDIS_URL"]
    assert not Environment.read({}).redis_url


def test_slack_is_heard_over_http_or_in_socket_mode() -> None:
    unheard = {name: HTTP[name] for name in ("SLACK_BOT_TOKEN", "REDIS_URL")}
    assert wrong(unheard, WEB) == [
        "SLACK_SIGNING_SECRET or SLACK_APP_TOKEN: neither is set; set the first, from the app's Basic"
        " Information page, to use HTTP, or the second, an app-level token (xapp-…), to use Socket Mode"
    ]
    assert Environment.read({**unheard, "SLACK_APP_TOKEN": "xapp-1"}, needs=WEB).socket_mode
    assert Environment.read(unheard, needs=WORKER).slack_bot_token


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SLACK_SIGNING_SECRET", "", "is set but empty; give it a value, or unset it"),
        ("SLACK_SIGNING_SECRET", " \n", "is set but empty; give it a value, or unset it"),
        ("SLACK_SIGNING_SECRET", "a b", "contains spaces or unusual characters; copy it again, on one line"),
        ("SLACK_BOT_TOKEN", "xapp-1", "is the wrong kind of token; use the Bot User OAuth Token, which"
            " starts with xoxb-"),
        ("SLACK_BOT_TOKEN", "xoxb-“1”", "contains spaces or unusual characters; copy it again, on one line"),
        ("SLACK_APP_TOKEN", "xoxb-1", "is the wrong kind of token; use an app-level token, which starts with"
            " xapp-"),
        ("SLACK_API_URL", "slack.com", "is not a valid URL; write one that starts with https://"),
        ("REDIS_URL", "localhost:6379", "is not a valid Redis URL; start it with redis://, rediss:// (TLS),"
         " redis+sentinel://, redis+cluster:// or unix:// (a socket)"),
        ("REDIS_COPIES", "-1", "is not a valid number of replicas; write 0, or how many must confirm each"
            " write, usually 1"),
        ("AUDIT_KEY", "tell-nobody", "is not a private key in PEM; make one with openssl genpkey -algorithm"
            " ed25519"),
        ("SECRET_KEY", "tell-nobody", "has a key of fewer than 32 plain characters; make one with openssl"
            " rand -hex 32"),
        ("SECRET_KEY", f"{'k' * 32} tell-nobody", "has a key of fewer than 32 plain characters; make one"
            " with openssl rand -hex 32"),
        ("SECRET_KEY", " ".join(["k" * 32] * 3), "must hold one key, or two separated by a space during a"
            " rotation"),
        ("PORT", "http", "is not a valid port; write a number up to 65535"),
        ("PORT", "65536", "is not a valid port; write a number up to 65535"),
        ("WORKER_PORT", "-1", "is not a valid port; write a number up to 65535"),
        ("WORKER_THREADS", "0", "is not a valid number of threads; write one such as 24, or leave it unset"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(name: str, value: str, told: str) -> None:
    assert wrong({**HTTP, name: value}) == [f"{name}: {told}"]


@pytest.mark.parametrize(
    "url",
    [
        *("redis://a", "rediss://:p@a:1/2", "unix:///run/redis.sock", "redis+sentinel://a,b:1/name"),
        *("rediss+sentinel://a/name", "redis+cluster://a,b", "rediss+cluster://:p@a"),
    ],
)
def test_ways_to_redis(url: str) -> None:
    assert Environment.read({"REDIS_URL": url}).redis_url.get_secret_value() == url


@pytest.mark.parametrize("between", [" ", ",", ", ", "\n"])
def test_the_secret_key_may_be_two_and_come_from_a_file(tmp_path: Path, between: str) -> None:
    one, other, file = "a" * 32, "b" * 64, tmp_path / "keys"
    file.write_text(f"{one}{between}{other}\n")
    found = Environment.read({"SECRET_KEY_FILE": str(file)})
    assert found.secret_keys == (one.encode(), other.encode())
    assert one not in f"{found!r} {vars(found)}"
    assert Environment.read({"SECRET_KEY": one}).secret_keys == (one.encode(),)
    assert Environment.read({}).secret_keys == ()


def test_how_many_replicas_must_have_what_is_written() -> None:
    assert Environment.read({}).redis_copies == 0
    assert Environment.read({"REDIS_COPIES": "2"}).redis_copies == 2


@pytest.mark.parametrize(("value", "unsafe"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_an_unsafe_redis_is_accepted_only_if_somebody_says_so(value: str, unsafe: bool) -> None:
    assert Environment.read({"REDIS_UNSAFE": value}).redis_unsafe is unsafe
    assert Environment.read({}).redis_unsafe is False


def test_what_is_no_secret_may_be_empty_and_then_counts_as_not_set() -> None:
    found = Environment.read({"PORT": "", "ACCESS_FILE": "", "SLACK_API_URL": ""})
    assert (found.port, found.access_file) == (3000, Path("access.yaml"))
    assert found.slack_api_url == "https://slack.com/api/"


def test_all_that_is_wrong_is_told_together_and_without_the_values() -> None:
    told = wrong({"SLACK_SIGNING_SECRET": "", "PORT": "tell-nobody", "REDIS_URL": "http://tell-nobody"}, WEB)
    assert [line.partition(":")[0] for line in told] == [
        "SLACK_SIGNING_SECRET",
        "REDIS_URL",
        "PORT",
        "SLACK_BOT_TOKEN",
    ]
    assert "tell-nobody" not in "".join(told)


def test_any_of_them_may_be_read_from_a_file(tmp_path: Path) -> None:
    token, port = tmp_path / "token", tmp_path / "port"
    token.write_text("xoxb-from-a-file\n")
    port.write_text("8080\n")
    found = Environment.read({"SLACK_BOT_TOKEN_FILE": str(token), "PORT_FILE": str(port)})
    assert found.slack_bot_token.get_secret_value() == "xoxb-from-a-file"
    assert found.port == 8080


def test_a_file_that_is_not_there_or_no_text_or_empty_is_told(tmp_path: Path) -> None:
    binary, empty = tmp_path / "binary", tmp_path / "empty"
    binary.write_bytes(b"\xff\xfe")
    empty.write_text("\n")
    environ = {
        "SLACK_BOT_TOKEN_FILE": str(tmp_path / "none"),
        "SLACK_SIGNING_SECRET_FILE": str(binary),
        "SLACK_APP_TOKEN_FILE": str(empty),
        "REDIS_URL_FILE": str(tmp_path),
    }
    names = "cannot be read from the file that {0}_FILE names: {1}; check the path"
    assert wrong(environ) == [
        "SLACK_BOT_TOKEN: " + names.format("SLACK_BOT_TOKEN", "No such file or directory"),
        "SLACK_SIGNING_SECRET: " + names.format("SLACK_SIGNING_SECRET", "it is not UTF-8 text"),
        "SLACK_APP_TOKEN: is set but empty; give it a value, or unset it",
        "REDIS_URL: " + names.format("REDIS_URL", "Is a directory"),
    ]


def test_a_variable_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    assert wrong({**HTTP, "SLACK_BOT_TOKEN_FILE": str(tmp_path)}, WEB) == [
        "SLACK_BOT_TOKEN: is set, and SLACK_BOT_TOKEN_FILE is too; unset one of them"
    ]
