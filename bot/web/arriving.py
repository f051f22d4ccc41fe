"""A request while it arrives: whether all of it is there, according to its head. Pure."""

from __future__ import annotations

import re
from enum import Enum

LARGEST_HEAD = 32_768
LARGEST_BODY = 1_000_000

_LENGTH = re.compile(rb"[0-9]{1,12}")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class Arrived(Enum):
    PARTLY = "partly"
    WHOLE = "whole"
    TOO_MUCH = "too much"


class Arriving:
    """A request that is arriving. One that cannot be understood counts as whole: its reader then rejects it,
    and waits for nothing."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._body: int | None = None
        """The position where the body begins, once the head is there."""
        self._end: int | None = None
        """The position where it ends; of a body in chunks, where the next chunk begins."""
        self._chunked = False

    def add(self, data: bytes) -> Arrived:
        """Add bytes that have arrived, and return how much of the request is there."""
        self.data += data
        if self._body is None:
            self._skip_empty_lines()
            head_end = self.data.find(b"\r\n\r\n")
            if head_end < 0:
                return self._more_of_a_line(0)
            self._body = self._end = head_end + 4
            self._read_head(bytes(self.data[:head_end]))
        if self._end is None:
            return Arrived.WHOLE
        return self._chunks() if self._chunked else self._up_to(self._end)

    @property
    def awaits_permission(self) -> bool:
        """Return whether the client waits for permission to send the body."""
        head = bytes(self.data[: self._body or 0]).lower()
        return self._body == len(self.data) and b"\r\nexpect: 100-continue\r\n" in head

    def _skip_empty_lines(self) -> None:
        while self.data.startswith(b"\r\n"):
            del self.data[:2]

    def _read_head(self, head: bytes) -> None:
        said = [line.partition(b":") for line in head.lower().split(b"\r\n")[1:]]
        encodings = [value.strip() for name, _, value in said if name == b"transfer-encoding"]
        lengths = [value.strip() for name, _, value in said if name == b"content-length"]
        if encodings:
            self._chunked = any(b"chunked" in value for value in encodings)
            self._end = self._body if self._chunked else None
        elif lengths and self._body is not None:
            plain = len(lengths) == 1 and _LENGTH.fullmatch(lengths[0])
            self._end = self._body + int(lengths[0]) if plain else None

    def _up_to(self, end: int) -> Arrived:
        if end - (self._body or 0) > LARGEST_BODY:
            return Arrived.TOO_MUCH
        return Arrived.WHOLE if len(self.data) >= end else Arrived.PARTLY

    def _chunks(self) -> Arrived:
        """Read on from where the last call stopped, so that nothing is looked at twice."""
        while (at := self._end) is not None and at <= len(self.data):
            line_end = self.data.find(b"\r\n", at)
            if line_end < 0:
                return self._more_of_a_line(at)
            size = _SIZE.fullmatch(bytes(self.data[at:line_end]))
            if size is None:
                return Arrived.WHOLE
            if int(size[1], 16) == 0:
                return self._trailers(line_end)
            self._end = line_end + 2 + int(size[1], 16) + 2
            if self._end - (self._body or 0) > LARGEST_BODY:
                return Arrived.TOO_MUCH
        return Arrived.PARTLY

    def _trailers(self, line_end: int) -> Arrived:
        there = self.data.find(b"\r\n\r\n", line_end) >= 0
        return Arrived.WHOLE if there else self._more_of_a_line(line_end)

    def _more_of_a_line(self, start: int) -> Arrived:
        return Arrived.TOO_MUCH if len(self.data) - start > LARGEST_HEAD else Arrived.PARTLY
