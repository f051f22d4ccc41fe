"""Builds the target from its settings."""

from __future__ import annotations

from bot.targets.okta.credentials import ApiToken, Credential
from bot.targets.okta.directory import Directory
from bot.targets.okta.settings import OktaSettings
from bot.targets.okta.target import Okta

SCOPES = ("okta.groups.manage", "okta.groups.read", "okta.users.read")
"""The scopes that a service app asks for. To clear sessions needs one more."""
CLEARING_SCOPE = "okta.users.manage"


def build(name: str, settings: OktaSettings) -> Okta:
    """Build it. Raise PermanentFailure if the private key is not one."""
    return Okta(name, Directory(name, settings.url, _credential(name, settings)), settings.sessions)


def _credential(name: str, settings: OktaSettings) -> Credential:
    if settings.token is not None:
        return ApiToken(settings.token.get_secret_value())
    from bot.targets.okta.service_app import App, ServiceApp  # noqa: PLC0415 -- needs an extra

    scopes = (*SCOPES, CLEARING_SCOPE) if settings.sessions == "clear" else SCOPES
    key = settings.private_key.get_secret_value() if settings.private_key else ""
    app = App(client_id=settings.client_id or "", private_key=key, key_id=settings.key_id, scopes=scopes)
    return ServiceApp(name, settings.url, app)
