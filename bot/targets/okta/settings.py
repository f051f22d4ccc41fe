"""The settings of Okta as a target, and its entitlement: a group."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, model_validator

from bot.settings import ApiUrl, Form, Given, Secret, TargetSettings, Token, is_here, unlike, wrong


def _org_url(url: str) -> str:
    if not url or re.fullmatch(r"\$\{.*\}", url):
        return url
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise unlike("is not the address of an Okta org; write one such as https://example.okta.com")
    if parts.scheme != "https" and not is_here(url):
        raise unlike("is not encrypted, so the token could be read on the way; write https://")
    if re.fullmatch(r"[^.]+-admin\.(okta|oktapreview|okta-emea)\.com", host):
        raise unlike("is the address of the Admin Console; leave out -admin")
    return url.rstrip("/")


def _pem(key: SecretStr) -> SecretStr:
    text = key.get_secret_value().replace("\\n", "\n").strip()
    if text and not re.match(r"-----BEGIN (RSA )?PRIVATE KEY-----\n", text):
        raise wrong(
            "is not an unencrypted private key in PEM form; copy it as Okta showed it, with the lines BEGIN"
            " PRIVATE KEY and END PRIVATE KEY"
        )
    return SecretStr(text)


class OktaGroup(Given):
    group: Annotated[
        str,
        Form(
            r"[^\s\x00](?:[^\r\n\x00]{0,253}[^\s\x00])?",
            "is not a valid group name; write the name of a group in Okta",
        ),
    ]
    """The name of the group whose membership is granted. It has to exist, and no group rule may fill it."""


class OktaSettings(TargetSettings):
    gives: ClassVar[type[Given]] = OktaGroup
    reaches: ClassVar[tuple[str, ...]] = ("url", "token", "private_key")
    marks: ClassVar[bool] = False
    address: ClassVar[tuple[str, ...]] = ("url",)
    kind: Literal["okta"]
    url: Annotated[ApiUrl, AfterValidator(_org_url)]
    """The address of the org, such as https://example.okta.com."""
    token: Token | None = None
    """An API token, as ${NAME}. Instead of it, client_id and private_key can name a service app."""
    client_id: str | None = None
    """The client id of a service app (API Services) in Okta. Needs the extra okta."""
    private_key: Annotated[Secret, AfterValidator(_pem)] | None = None
    """The private key of the service app in PEM form, as ${NAME}. Lines may be joined by \\n."""
    key_id: str | None = None
    """The key id (kid) of that key. Needed only if the service app has several keys."""
    sessions: Literal["keep", "clear"] = "keep"
    """The fate of a person's Okta sessions when their access ends. clear signs them out of Okta, everywhere;
    sessions in apps stay open all the same."""

    @model_validator(mode="after")
    def _one_credential(self) -> OktaSettings:
        if self.token is not None:
            if self.client_id or self.private_key is not None or self.key_id:
                raise wrong("has both a token and a service app; remove token, or client_id and private_key")
        elif not self.client_id or self.private_key is None:
            raise wrong("needs a token, or a client_id and a private_key; add one of them")
        return self

    @property
    def servers(self) -> frozenset[str]:
        host = urlsplit(self.url).hostname
        return frozenset([host] if host else [])

    @property
    def sessions_end(self) -> str:
        if self.sessions == "keep":
            return "kept"
        return "Okta sessions are closed when it ends; sessions in apps stay open."
