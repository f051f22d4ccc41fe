"""When a request is there wholly, as its head says it; then whoever reads it waits for nothing more."""

from __future__ import annotations

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]  # it has no types
from gunicorn.http import get_parser  # type: ignore[import-untyped]
from hypothesis import strategies as st

from bot.web.arriving import LARGEST_BODY, LARGEST_HEAD, Arrived, Arriving
from tests.fuzz.rounds import thrown

POST = b"POST /slack/events HTTP/1.1\r\nHost: x\r\n"


def fed(*pieces: bytes) -> list[Arrived]:
    arriving = Arriving()
    return [arriving.add(piece) for piece in pieces]


@pytest.mark.parametrize(
    "pieces",
    [
        (b"GET / HTTP/1.1\r\n\r", b"\n"),
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r", b"\n\r\n"),
        (POST + b"Content-Length: 3\r\n\r\nab", b"c"),
        (POST + b"CONTENT-LENGTH:3\r\n\r\n", b"ab", b"c and what is next"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"0\r\n", b"\r\n"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r", b"\nabc\r\n0\r\nA: b\r\n", b"\r\n"),
        (POST + b"Content-Length: 0", b"\r\n\r\n"),
    ],
)
def test_it_is_whole_with_the_last_piece(pieces: tuple[bytes, ...]) -> None:
    assert fed(*pieces) == [Arrived.PARTLY] * (len(pieces) - 1) + [Arrived.WHOLE]
    assert fed(b"".join(pieces)) == [Arrived.WHOLE]
    assert Arrived.WHOLE in fed(*(bytes([each]) for each in b"".join(pieces)))


@pytest.mark.parametrize(
    "head",
    [
        *(b"Content-Length: -1", b"Content-Length: 1e3", b"Content-Length: 1\r\nContent-Length: 2"),
        *(b"Transfer-Encoding: gzip", b"Transfer-Encoding: identity", b"Content-Length: +5"),
    ],
)
def test_what_cannot_be_understood_is_left_to_whoever_reads_it(head: bytes) -> None:
    assert fed(POST + head + b"\r\n\r\n") == [Arrived.WHOLE]


def test_too_much() -> None:
    assert fed(b"GET / HTTP/1.1\r\n", b"a" * LARGEST_HEAD) == [Arrived.PARTLY, Arrived.TOO_MUCH]
    assert fed(POST + b"Content-Length: %d\r\n\r\n" % LARGEST_BODY) == [Arrived.PARTLY]
    assert fed(POST + b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY + 1)) == [Arrived.TOO_MUCH]
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    assert fed(chunked + b"%x\r\n" % (LARGEST_BODY + 1)) == [Arrived.TOO_MUCH]
    assert fed(chunked + b"1" * (LARGEST_HEAD + 1)) == [Arrived.TOO_MUCH]
    assert fed(chunked + b"0\r\n" + b"a" * (LARGEST_HEAD + 1)) == [Arrived.TOO_MUCH]
    assert fed(chunked, *[b"1\r\na\r\n"] * 200_000)[-1] is Arrived.TOO_MUCH


def test_who_waits_to_be_told_to_go_on() -> None:
    arriving = Arriving()
    arriving.add(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert arriving.awaits_permission
    arriving.add(b"a")
    assert not arriving.awaits_permission


class AskedForMoreError(Exception):
    pass


class Sent:
    """A connection on which nothing more comes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def recv(self, size: int) -> bytes:
        if not self.data:
            raise AskedForMoreError
        found, self.data = self.data[:size], self.data[size:]
        return found


lines = st.lists(
    st.sampled_from(
        [
            *(
                b"Content-Length: 5",
                b"Content-Length: 0",
                b"content-length:12",
                b"Content-Length: x",
                b"Content-Length : 3",
            ),
            *(
                b"Transfer-Encoding: chunked",
                b"transfer-encoding: Chunked",
                b"Transfer-Encoding: identity",
                b"A: b",
            ),
            *(
                b"Expect: 100-continue",
                b"Connection: close",
                b" folded: 7",
                b"",
                b"A",
                b"\nContent-Length: 9",
                b"A: \x00",
            ),
        ]
    ),
    max_size=4,
)
ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b""])
bodies = st.one_of(
    st.binary(max_size=30),
    st.lists(
        st.sampled_from(
            [b"5\r\nabcde\r\n", b"0\r\n\r\n", b"1;x\r\na\r\n", b"zz\r\n", b"0\r\nA: b\r\n\r\n", b"-1\r\n"]
        )
    ).map(b"".join),
)
firsts = st.sampled_from(
    [b"POST / HTTP/1.1", b"GET / HTTP/1.0", b"GET /", b"\r\nGET / HTTP/1.1", b"PRI * HTTP/2.0", b"x"]
)


@thrown(few=300, share=0.05, first=firsts, head=lines, end=ends, body=bodies, cut=st.integers(1, 40))
def test_whoever_reads_what_is_whole_waits_for_nothing(
    first: bytes, head: list[bytes], end: bytes, body: bytes, cut: int
) -> None:
    sent = end.join([first, b"Host: x", *head, b"", body])
    arriving, arrived = Arriving(), Arrived.PARTLY
    for at in range(0, len(sent), cut):
        arrived = arriving.add(sent[at : at + cut])
        if arrived is Arrived.WHOLE:
            break
    if arrived is not Arrived.WHOLE:
        return
    try:
        request = next(get_parser(Config(), Sent(bytes(arriving.data)), ("127.0.0.1", 1)))
        request.body.read()
    except AskedForMoreError:
        raise
    except Exception:  # noqa: BLE001  # it may be turned away for any reason
        pass
