"""The token endpoint: access tokens for service apps that sign an assertion."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bot.doubles.okta.answers import Json, NotGranted
from bot.doubles.okta.memory import TOKEN_LIFE, AccessToken, App, Org

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def access_token(org: Org, form: Mapping[str, str], audience: str, *, has_proof: bool) -> Json:
    """Return the answer with a new access token. Raise NotGranted."""
    if form.get("grant_type") != "client_credentials":
        raise NotGranted(400, "unsupported_grant_type", "The grant type was not provided.")
    if form.get("client_assertion_type") != ASSERTION:
        raise NotGranted(401, "invalid_client", "The client_assertion_type is invalid.")
    app = _app_that_signed(org, form.get("client_assertion", ""), audience)
    if app.dpop and not has_proof:
        raise NotGranted(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing.")
    scopes = frozenset(form.get("scope", "").split())
    if not scopes or not scopes <= app.scopes:
        raise NotGranted(400, "invalid_scope", "One or more scopes are not configured for the client.")
    token = f"eyJ.{secrets.token_urlsafe(24)}"
    org.access.tokens[token] = AccessToken(scopes=scopes, ends=org.clock() + TOKEN_LIFE)
    return {
        "token_type": "Bearer",
        "expires_in": int(TOKEN_LIFE.total_seconds()),
        "access_token": token,
        "scope": " ".join(sorted(scopes)),
    }


def _app_that_signed(org: Org, assertion: str, audience: str) -> App:
    try:
        signed, _, signature = assertion.rpartition(".")
        head, claims = (json.loads(_decode(part)) for part in signed.split("."))
        sent = _decode(signature)
    except (ValueError, binascii.Error):
        raise NotGranted(401, "invalid_client", "The client_assertion is not a valid JWT.") from None
    app = org.access.apps.get(claims.get("iss", ""))
    if app is None or claims.get("sub") != claims["iss"]:
        raise NotGranted(401, "invalid_client", "Invalid value for 'client_id' parameter.")
    if head.get("alg") != "RS256" or head.get("kid", app.key_id) != app.key_id:
        raise NotGranted(401, "invalid_client", "The client_assertion signature's key is not known.")
    key = load_pem_public_key(app.public_key)
    assert isinstance(key, RSAPublicKey)  # noqa: S101 -- the double's own setting
    try:
        key.verify(sent, signed.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        raise NotGranted(401, "invalid_client", "The client_assertion signature is invalid.") from None
    now = org.clock().timestamp()
    if claims.get("aud") != audience:
        raise NotGranted(401, "invalid_client", "The audience claim for client_assertion is invalid.")
    if not now < claims.get("exp", 0) <= now + 3600 or claims.get("iat", 0) > now:
        raise NotGranted(401, "invalid_client", "The client_assertion token is expired or too long lived.")
    if claims.get("jti", "") in org.access.used_assertions:
        raise NotGranted(401, "invalid_client", "The client_assertion token has already been used.")
    org.access.used_assertions.add(claims.get("jti", ""))
    return app


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
