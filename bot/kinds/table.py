"""The one table of kinds: what each takes in access.yaml, and how it is built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bot.core.errors import PermanentFailure
from bot.oncall.pagerduty.settings import PagerDutySettings
from bot.ports.oncall import OnCallSource
from bot.ports.target import Target
from bot.settings import SourceSettings, TargetSettings
from bot.targets.aws_identity_center.settings import AwsIdentityCenterSettings
from bot.targets.command.settings import CommandSettings
from bot.targets.okta.settings import OktaSettings
from bot.targets.postgres.settings import PostgresSettings
from bot.targets.webhook.settings import WebhookSettings

T = TypeVar("T", bound=TargetSettings)
S = TypeVar("S", bound=SourceSettings)


@dataclass(frozen=True, kw_only=True)
class TargetKind(Generic[T]):
    """A kind of target. ``build`` imports the adapter itself, so that an SDK is loaded only by those who use
    it; ``extra`` is the extra of this package that brings that SDK."""

    settings: type[T]
    build: Callable[[str, T], Target]
    extra: str | None = None


@dataclass(frozen=True, kw_only=True)
class SourceKind(Generic[S]):
    """A kind of on-call source; ``build`` and ``extra`` are as for a target."""

    settings: type[S]
    build: Callable[[str, S], OnCallSource]
    extra: str | None = None


def _postgres(name: str, settings: PostgresSettings) -> Target:
    from bot.targets.postgres.target import Postgres  # noqa: PLC0415 -- needs an extra

    replicas = [each.get_secret_value() for each in settings.replicas]
    return Postgres(name, settings.url.get_secret_value(), settings.sessions, replicas)


def _okta(name: str, settings: OktaSettings) -> Target:
    from bot.targets.okta.build import build  # noqa: PLC0415 -- loaded only if there is one

    return build(name, settings)


def _aws_identity_center(name: str, settings: AwsIdentityCenterSettings) -> Target:
    from bot.targets.aws_identity_center.target import IdentityCenter  # noqa: PLC0415 -- needs an extra

    return IdentityCenter(
        name, settings.instance, settings.region, settings.endpoint_url, settings.session_duration
    )


def _webhook(name: str, settings: WebhookSettings) -> Target:
    from bot.targets.webhook.target import Webhook  # noqa: PLC0415 -- loaded only if there is one

    return Webhook(name, settings.url, settings.secret.get_secret_value())


def _command(name: str, settings: CommandSettings) -> Target:
    from bot.targets.command.target import Command  # noqa: PLC0415 -- loaded only if there is one

    return Command(name, settings.run, settings.folder)


def _pagerduty(name: str, settings: PagerDutySettings) -> OnCallSource:
    from bot.oncall.pagerduty.source import PagerDuty  # noqa: PLC0415 -- loaded only if there is one

    return PagerDuty(name, settings.token.get_secret_value(), settings.api_url)


TARGETS: Mapping[str, TargetKind[Any]] = {
    "okta": TargetKind(settings=OktaSettings, build=_okta, extra="okta"),
    "postgres": TargetKind(settings=PostgresSettings, build=_postgres, extra="postgres"),
    "command": TargetKind(settings=CommandSettings, build=_command),
    "aws-identity-center": TargetKind(
        settings=AwsIdentityCenterSettings, build=_aws_identity_center, extra="aws"
    ),
    "webhook": TargetKind(settings=WebhookSettings, build=_webhook),
}
SOURCES: Mapping[str, SourceKind[Any]] = {
    "pagerduty": SourceKind(settings=PagerDutySettings, build=_pagerduty),
}

TARGET_SETTINGS: Mapping[str, type[TargetSettings]] = {name: kind.settings for name, kind in TARGETS.items()}
SOURCE_SETTINGS: Mapping[str, type[SourceSettings]] = {name: kind.settings for name, kind in SOURCES.items()}


def build_target(name: str, settings: TargetSettings) -> Target:
    """Build the adapter of a target. Raise PermanentFailure if a library is missing, naming the extra that
    brings it."""
    kind = TARGETS[settings.kind]
    with requires(kind.extra):
        return kind.build(name, settings)


def build_source(name: str, settings: SourceSettings) -> OnCallSource:
    """Build the adapter of an on-call source; see ``build_target``."""
    kind = SOURCES[settings.kind]
    with requires(kind.extra):
        return kind.build(name, settings)


@contextmanager
def requires(extra: str | None) -> Iterator[None]:
    """Raise PermanentFailure if a library cannot be imported, with the ``extra`` that brings it."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise PermanentFailure(
            f"{missing.name} is not installed: run pip install 'rotakey[{extra}]'" if extra else str(missing)
        ) from missing
