"""The settings of PagerDuty as an on-call source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from bot.settings import ApiUrl, SourceSettings, Token


class PagerDutySettings(SourceSettings):
    reaches: ClassVar[tuple[str, ...]] = ("token", "api_url")
    variables: ClassVar[Mapping[str, str]] = {
        "PAGERDUTY_TOKEN": "a read-only REST API key, from PagerDuty, Integrations, API Access Keys",
    }
    fallbacks: ClassVar[Mapping[str, str]] = {"PAGERDUTY_API_URL": "https://api.pagerduty.com"}
    kind: Literal["pagerduty"]
    token: Token = Field(
        default=SecretStr("${PAGERDUTY_TOKEN}"), json_schema_extra={"default": "${PAGERDUTY_TOKEN}"}
    )
    """A read-only REST API key, as ${NAME}."""
    api_url: ApiUrl = "${PAGERDUTY_API_URL}"
    """The address of PagerDuty's API. If PAGERDUTY_API_URL is not set, it is https://api.pagerduty.com; in
    the EU service region, write https://api.eu.pagerduty.com."""
