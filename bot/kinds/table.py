"""The one table of kinds: what each takes in access.yaml, and how it is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar, get_args

from bot.core.errors import Misconfigured, PermanentFailure
from bot.kinds.kind import SourceKind, TargetKind
from bot.oncall.pagerduty.settings import PagerDutySettings
from bot.ports.oncall import OnCallSource
from bot.ports.target import Target
from bot.settings import SourceSettings, TargetSettings
from bot.targets.aws_identity_center.settings import AwsIdentityCenterSettings
from bot.targets.command.settings import CommandSettings
from bot.targets.okta.settings import OktaSettings
from bot.targets.postgres.settings import PostgresSettings
from bot.targets.vault.settings import VaultSettings
from bot.targets.webhook.settings import WebhookSettings


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


def _vault(name: str, settings: VaultSettings) -> Target:
    from bot.targets.vault.api import Api  # noqa: PLC0415 -- loaded only if there is one
    from bot.targets.vault.target import Vault  # noqa: PLC0415

    api = Api(name, settings.url, settings.token.get_secret_value(), settings.namespace or "")
    return Vault(name, api, settings.mount_accessor or "", settings.group_prefix)


def _webhook(name: str, settings: WebhookSettings) -> Target:
    from bot.targets.webhook.target import Webhook  # noqa: PLC0415 -- loaded only if there is one

    return Webhook(name, settings.url, settings.secret.get_secret_value())


def _command(name: str, settings: CommandSettings) -> Target:
    from bot.targets.command.target import Command  # noqa: PLC0415 -- loaded only if there is one

    return Command(name, settings.run, settings.folder)


def _pagerduty(name: str, settings: PagerDutySettings) -> OnCallSource:
    from bot.oncall.pagerduty.source import PagerDuty  # noqa: PLC0415 -- loaded only if there is one

    return PagerDuty(name, settings.token.get_secret_value(), settings.api_url)


TARGETS: dict[str, TargetKind[Any]] = {
    "okta": TargetKind(settings=OktaSettings, build=_okta, extra="okta"),
    "postgres": TargetKind(settings=PostgresSettings, build=_postgres, extra="postgres"),
    "command": TargetKind(settings=CommandSettings, build=_command),
    "aws-identity-center": TargetKind(
        settings=AwsIdentityCenterSettings, build=_aws_identity_center, extra="aws"
    ),
    "vault": TargetKind(settings=VaultSettings, build=_vault),
    "webhook": TargetKind(settings=WebhookSettings, build=_webhook),
}
SOURCES: dict[str, SourceKind[Any]] = {
    "pagerduty": SourceKind(settings=PagerDutySettings, build=_pagerduty),
}

K = TypeVar("K", TargetKind[Any], SourceKind[Any])


def add_kinds(table: dict[str, K], kind: type[K], every: Iterable[EntryPoint]) -> None:
    """Add the kinds that other installed packages bring. Raise Misconfigured if one cannot be used."""
    for entry in every:
        about = f"the package {entry.dist.name if entry.dist else '?'} brings the kind {entry.name}"
        if entry.name in table:
            raise Misconfigured(f"{about}, which there is already: uninstall it, or rename its kind")
        try:
            found = entry.load()
        except Exception as error:
            raise Misconfigured(
                f"{about}, which cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(found, kind):
            raise Misconfigured(f"{about}, but {entry.value} is not a {kind.__name__}: mend or uninstall it")
        if get_args(found.settings.model_fields["kind"].annotation) != (entry.name,):
            raise Misconfigured(
                f'{about}, but its settings do not have kind: Literal["{entry.name}"]: mend it'
            )
        table[entry.name] = found


add_kinds(TARGETS, TargetKind, entry_points(group="rotakey.targets"))
add_kinds(SOURCES, SourceKind, entry_points(group="rotakey.sources"))

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
