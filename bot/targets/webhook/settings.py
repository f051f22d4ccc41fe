"""The settings of an endpoint as a target, and its entitlement: whatever it understands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from bot.endpoint.settings import EndpointGiven
from bot.settings import ApiUrl, Given, Secret, TargetSettings, is_here, unlike, wrong
from bot.signatures import SigningKey


def _endpoint_url(url: str) -> str:
    if not url or re.fullmatch(r"\$\{.*\}", url):
        return url
    parts = urlsplit(url)
    try:
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if not parts.hostname or not port_is_valid:
        raise unlike("is not a valid URL; write one that starts with https:// and names a host")
    if parts.username is not None or parts.fragment:
        raise wrong("must not contain a login or a #; the signature is what proves who is asking")
    return url


def _signing_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text:
        try:
            SigningKey(text)
        except ValueError:
            raise wrong(
                "is not a valid signing secret; write whsec_ and the base64 text of 24 to 64 random bytes, as"
                ' from: echo "whsec_$(openssl rand -base64 32)"'
            ) from None
    return secret


class WebhookSettings(TargetSettings):
    gives: ClassVar[type[Given]] = EndpointGiven
    reaches: ClassVar[tuple[str, ...]] = ("url", "secret")
    marks: ClassVar[bool] = False
    address: ClassVar[tuple[str, ...]] = ("url",)
    kind: Literal["webhook"]
    url: Annotated[ApiUrl, AfterValidator(_endpoint_url)]
    """The address of your endpoint."""
    secret: Annotated[Secret, AfterValidator(_signing_secret)]
    """The secret that signs requests and answers, as ${NAME}: whsec_ and the base64 of 24 to 64 bytes."""

    @property
    def servers(self) -> frozenset[str]:
        return frozenset([self.url] if self.url else [])

    @property
    def sessions_end(self) -> str:
        return "endpoint"

    def cautions(self) -> Iterator[tuple[str, str]]:
        if self.url.startswith("http://") and not is_here(self.url):
            yield "url", "is not encrypted: anyone on the way can read who gets which access; write https://"
