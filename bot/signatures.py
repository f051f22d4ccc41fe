"""Signatures by the specification Standard Webhooks, version 1: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

TOLERANCE = timedelta(minutes=5)
"""The most by which the clocks of the two sides may differ."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


class SigningKey:
    """A secret that both sides have. Nothing shows it."""

    def __init__(self, secret: str) -> None:
        """Raise ValueError, which does not contain the secret, if it is not base64 of 24 to 64 bytes; the
        prefix ``whsec_`` may be left out."""
        try:
            self._key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            self._key = b""
        if not LEAST_BYTES <= len(self._key) <= MOST_BYTES:
            raise ValueError(f"not {PREFIX} and the base64 text of {LEAST_BYTES} to {MOST_BYTES} bytes")

    def headers(self, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """Return the three headers that sign a message."""
        stamp = str(int(at.timestamp()))
        return {ID: message_id, TIMESTAMP: stamp, SIGNATURE: self._sign(message_id, stamp, body)}

    def objection(
        self, headers: Mapping[str, str], message_id: str, body: bytes, now: datetime
    ) -> str | None:
        """Return why the headers do not sign this message; None if they do. ``message_id`` is the id that it
        must have."""
        if SIGNATURE not in headers:
            return f"it has no {SIGNATURE}"
        if headers.get(ID) != message_id:
            return f"its {ID} is not the request's"
        stamp = headers.get(TIMESTAMP, "")
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) < len("10000000000") + 1):
            return f"its {TIMESTAMP} is not a time in seconds"
        expected = self._sign(message_id, stamp, body).encode()
        given = headers[SIGNATURE].encode("utf-8", "replace").split()
        if not any([hmac.compare_digest(each, expected) for each in given]):  # noqa: C419 -- all are compared
            return "it was signed with another secret"
        if abs(now.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
            return f"its {TIMESTAMP} is more than 5 minutes off: check both clocks"
        return None

    def _sign(self, message_id: str, stamp: str, body: bytes) -> str:
        signed = f"{message_id}.{stamp}.".encode() + body
        digest = hmac.new(self._key, signed, hashlib.sha256).digest()
        return f"v1,{base64.b64encode(digest).decode()}"
