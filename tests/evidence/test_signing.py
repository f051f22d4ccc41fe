"""Seals are signed with a key as openssl writes it, and the key is never shown."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bot.core.errors import Misconfigured

pytest.importorskip("cryptography", reason="the extra [audit] is not installed")

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bot.evidence.signing import SigningKey, TrustedKeys

HEAD = "7" * 64


def private(key: Ed25519PrivateKey, encryption: KeySerializationEncryption | None = None) -> str:
    lock = encryption or NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_signature_is_good_for_its_head_and_its_key_alone() -> None:
    ours, another = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    signature = SigningKey(private(ours)).sign(HEAD)
    assert TrustedKeys([public(ours)]).trusts(HEAD, signature)
    assert TrustedKeys([public(another), public(ours)]).trusts(HEAD, signature)
    assert not TrustedKeys([public(another)]).trusts(HEAD, signature)
    assert not TrustedKeys([public(ours)]).trusts("8" * 64, signature)
    assert not TrustedKeys([public(ours)]).trusts(HEAD, b"")
    assert not TrustedKeys([]).trusts(HEAD, signature)
    assert not TrustedKeys([public(ours)]).trusts(HEAD, ours.sign(HEAD.encode())), (
        "it was made for something else"
    )


def test_keys_are_told_apart_by_name() -> None:
    ours, another = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    assert SigningKey(private(ours)).key == SigningKey(private(ours)).key
    assert SigningKey(private(ours)).key != SigningKey(private(another)).key


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_keys_are_read_as_openssl_writes_them(tmp_path: Path) -> None:
    key, pub = tmp_path / "key.pem", tmp_path / "pub.pem"
    for words in (
        ["genpkey", "-algorithm", "ed25519", "-out", str(key)],
        ["pkey", "-in", str(key), "-pubout", "-out", str(pub)],
    ):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    signature = SigningKey(key.read_text()).sign(HEAD)
    assert TrustedKeys([pub.read_bytes()]).trusts(HEAD, signature)


def test_what_is_no_such_key_is_refused_and_not_shown() -> None:
    ours = Ed25519PrivateKey.generate()
    other_kind = generate_private_key(SECP256R1())
    for pem in (
        "",
        "tell-nobody",
        private(ours, BestAvailableEncryption(b"tell-nobody")),
        other_kind.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        public(ours).decode(),
    ):
        with pytest.raises(Misconfigured) as refused:
            SigningKey(pem)
        assert str(refused.value) == (
            "AUDIT_KEY: is not an Ed25519 private key in PEM without a password; make one with openssl"
            " genpkey -algorithm ed25519"
        )
    for pem in ("", private(ours)):
        with pytest.raises(Misconfigured, match="this is not an Ed25519 public key in PEM"):
            TrustedKeys([pem.encode()])
