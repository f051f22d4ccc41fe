"""Ed25519 keys for the seals of the audit, in the files that openssl writes: PEM, PKCS #8."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from bot.core.errors import Misconfigured


class SigningKey:
    """A private key of ours. Implements Signer."""

    def __init__(self, pem: str) -> None:
        """Read the key. Raise Misconfigured, with nothing of the key in the message."""
        try:
            private = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise Misconfigured(
                "AUDIT_KEY: is not an Ed25519 private key in PEM without a password; make one with openssl"
                " genpkey -algorithm ed25519"
            )
        self._private = private
        self._public = private.public_key()
        self._key = hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]

    @property
    def key(self) -> str:
        return self._key

    def sign(self, head: str) -> bytes:
        return self._private.sign(_message(head))

    def trusts(self, head: str, signature: bytes) -> bool:
        return _good(self._public, head, signature)


class TrustedKeys:
    """Public keys; a signature is good if it is by any of them."""

    def __init__(self, pems: Iterable[bytes]) -> None:
        """Read the keys. Raise Misconfigured if one is not a valid public key."""
        self._keys = [_public(pem) for pem in pems]

    def trusts(self, head: str, signature: bytes) -> bool:
        return any(_good(key, head, signature) for key in self._keys)


def _public(pem: bytes) -> Ed25519PublicKey:
    try:
        found = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PublicKey):
        raise Misconfigured(
            "this is not an Ed25519 public key in PEM; get it with openssl pkey -in audit-key.pem -pubout"
        )
    return found


def _good(key: Ed25519PublicKey, head: str, signature: bytes) -> bool:
    try:
        key.verify(signature, _message(head))
    except InvalidSignature:
        return False
    return True


def _message(head: str) -> bytes:
    """Return what is signed. Its prefix keeps any other signature by the same key from passing for one on a
    seal."""
    return f"rotakey seal {head}".encode()
