"""The table of the kinds of targets that the sandbox can show."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bot.sandbox.stack.endpoint import remove_endpoint, run_endpoint
from bot.sandbox.stack.okta import remove_okta, run_okta
from bot.sandbox.stack.openbao import must_be_installed
from bot.sandbox.stack.orders import remove_orders, run_orders
from bot.sandbox.stack.system import System, Wanted
from bot.sandbox.stack.vault import remove_vault, run_vault


@dataclass(frozen=True, kw_only=True)
class SystemKind:
    """A kind of target. ``run`` runs its system on a folder, and ``remove`` removes what is kept there.

    ``blank`` returns, for a host that does not exist, the settings that the sandbox fills in, in the right
    form: a policy is read with them before anything runs. ``by_default``: it is light enough to be shown
    without being asked for. ``must_be_installed`` raises Misconfigured if the sandbox's extra does not bring
    what it needs, and that is not there. ``not_here`` has the settings that its system knows nothing of.
    """

    run: Callable[[Path, Wanted], AbstractContextManager[System]]
    remove: Callable[[Path], None]
    blank: Callable[[str], Mapping[str, str]]
    by_default: bool = False
    must_be_installed: Callable[[], None] = lambda: None
    not_here: frozenset[str] = frozenset()


def _blank_postgres(host: str) -> Mapping[str, str]:
    return {"url": f"postgresql://{host}/", "replicas": f"postgresql://{host}/"}


def _blank_webhook(host: str) -> Mapping[str, str]:
    return {"url": f"http://{host}/", "secret": "whsec_" + b64encode(host.encode().ljust(32)).decode()}


def _blank_okta(host: str) -> Mapping[str, str]:
    return {"url": f"https://{host}", "token": host}


def _blank_vault(host: str) -> Mapping[str, str]:
    return {"url": f"https://{host}", "token": host}


def _blank_pager(host: str) -> Mapping[str, str]:
    return {"token": host, "api_url": f"http://{host}"}


KINDS: Mapping[str, SystemKind] = {
    "postgres": SystemKind(run=run_orders, remove=remove_orders, blank=_blank_postgres, by_default=True),
    "webhook": SystemKind(run=run_endpoint, remove=remove_endpoint, blank=_blank_webhook, by_default=True),
    "okta": SystemKind(run=run_okta, remove=remove_okta, blank=_blank_okta),
    "vault": SystemKind(
        run=run_vault,
        remove=remove_vault,
        blank=_blank_vault,
        must_be_installed=must_be_installed,
        not_here=frozenset({"namespace", "mount_accessor", "group_prefix"}),
    ),
}
SOURCES: Mapping[str, Callable[[str], Mapping[str, str]]] = {"pagerduty": _blank_pager}
"""The kinds of on-call sources that the sandbox has, each with its ``blank``, as in SystemKind."""
