"""The forms in which REDIS_URL can be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis import Redis, SSLConnection, UnixDomainSocketConnection

from bot.core.errors import Misconfigured
from bot.ledger.connection import connect, patient
from bot.ledger.following import Following, FollowingSecurely, Locator
from bot.ledger.forms import Form, taken_apart


def settings(client: Redis) -> dict[str, Any]:
    return dict(client.connection_pool.connection_kwargs)


def there(client: Redis) -> Locator:
    found: Locator = settings(client)["locator"]
    return found


def test_one_server() -> None:
    found = settings(
        connect("rediss://ada:p%40ss@db.example.com:6380/2?socket_timeout=3&ssl_check_hostname=no")
    )
    assert (found["host"], found["port"], found["db"]) == ("db.example.com", 6380, 2)
    assert (found["username"], found["password"]) == ("ada", "p@ss")
    assert (found["socket_timeout"], found["ssl_check_hostname"]) == (3.0, False)
    assert connect("rediss://a").connection_pool.connection_class is SSLConnection
    assert connect("unix:///run/r.sock?db=1").connection_pool.connection_class is UnixDomainSocketConnection


def test_sentinels() -> None:
    form = taken_apart(
        "redis+sentinel://ada:p%40ss@s1.example.com:26380,[::1],10.0.0.1/orders/3?sentinel_password=s%2Fe&timeout=2"
    )
    assert form.nodes == (("s1.example.com", 26380), ("::1", 26379), ("10.0.0.1", 26379))
    assert form.primary == "orders"
    assert form.settings == {"username": "ada", "password": "p@ss", "db": 3, "timeout": 2.0}
    assert form.asking == {"password": "s/e", "timeout": 2.0}


def test_a_cluster() -> None:
    form = taken_apart("redis+cluster://:secret@a,b:7001?socket_timeout=2")
    assert form == Form(
        how="cluster",
        nodes=(("a", 6379), ("b", 7001)),
        settings={"password": "secret", "socket_timeout": 2.0},
        asking={"password": "secret", "socket_timeout": 2.0},
    )


@pytest.mark.parametrize("form", ["sentinel://a,b/orders", "cluster://a,b"])
def test_tls_goes_all_the_way(form: str, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    client = connect(f"rediss+{form}?ssl_ca_certs={ca}")
    assert client.connection_pool.connection_class is FollowingSecurely
    assert settings(client)["ssl_ca_certs"] == str(ca)
    asking = there(client)._client(("a", 1)).connection_pool
    assert asking.connection_class is SSLConnection
    assert asking.connection_kwargs["ssl_ca_certs"] == str(ca)
    assert connect(f"redis+{form}").connection_pool.connection_class is Following


def test_who_waits_longer_follows_the_same_primary() -> None:
    client = connect("redis+sentinel://a/orders")
    assert there(patient(client)) is there(client)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "http://localhost",
            "redis://:pa/sesame@localhost",
            "localhost:6379",
            "redis://",
            "redis+ring://a",
        ),
        *("redis://localhost?open=sesame", "redis://localhost?socket_timeout=sesame"),
        *("redis://:12/sesame@localhost", "redis://:12?sesame@localhost", "redis://sesame#@localhost:6379"),
        *("redis://u:1#sesame@localhost", "redis://localhost/sesame", "redis+cluster://sesame#@a"),
        *("redis+sentinel://:sesame@a", "redis+sentinel://:sesame@a/", "redis+sentinel://:sesame@a/b/c"),
        *("redis+sentinel://:sesame@a/b/0/1", "redis+sentinel://:sesame@a,,b/c", "redis+sentinel:///name"),
        *("redis+cluster://:sesame@a/3", "redis+cluster://:ses ame@a:port", "redis+cluster://:sesame@a:1:2"),
        *("rediss://a?ssl_ca_certs=/nowhere/sesame", "redis+cluster://a,b?open=sesame", "redis+cluster://"),
    ],
)
def test_an_address_that_is_none_is_told_without_its_password(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        connect(url)
    assert "REDIS_URL is not valid" in str(caught.value)
    assert caught.value.__cause__ is None
    assert "sesame" not in str(caught.value)
