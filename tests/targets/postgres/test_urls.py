"""A password with unescaped special characters breaks the URL, and no message repeats any of it."""

from __future__ import annotations

import pytest

psycopg = pytest.importorskip("psycopg", reason="the extra [postgres] is not installed")

from bot.core.errors import PermanentFailure, TemporaryFailure  # noqa: E402
from bot.ports.deadline import Deadline  # noqa: E402
from bot.targets.postgres.connections import Connections  # noqa: E402


@pytest.mark.parametrize(
    "rest",
    [
        "/db?service=s3cret",
        "/db?hostaddr=s3cret",
        "/db?require_auth=s3cret",
        "/db?load_balance_hosts=s3cret",
        "/db?keepalives_idle=s3cret",
        "/db?host=/s3cret",
        "/db?s3cret=1",
        ":s3cret/db",
    ],
)
def test_no_part_of_an_address_is_repeated(rest: str) -> None:
    connections = Connections("orders-db", f"postgresql://rotakey:p@127.0.0.1:1{rest}")
    with (
        pytest.raises((PermanentFailure, TemporaryFailure)) as failed,
        connections.borrow(Deadline.after(5)),
    ):
        pass
    assert str(failed.value).startswith("orders-db: ")
    assert "s3cret" not in str(failed.value)
