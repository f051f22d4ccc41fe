"""Files to read in tests: a complete one, and one resource with changes."""

from __future__ import annotations

from pathlib import Path

from bot.config import Policy, check, load
from bot.core.catalog import Resource

ENVIRON = {
    "ORDERS_DB_URL": "postgresql://rotakey:tell-nobody@db.example.com/orders",
    "BILLS_DB_URL": "postgres://bills.example.com/bills",
    "PAGERDUTY_TOKEN": "u+tell-nobody",
    "DEPLOY_HOOK_URL": "https://deploys.example.com/rotakey",
    "DEPLOY_HOOK_SECRET": "whsec_dGVsbCBub2JvZHkgdGVsbCBub2JvZHkgdGVsbCBub2JvZHk=",
    "OKTA_URL": "https://acme.okta.com",
    "OKTA_TOKEN": "00tellNobody",
    "VAULT_ADDR": "https://vault.example.com:8200",
    "VAULT_TOKEN": "s.tell-nobody",
}
SANDBOX = Path("bot/sandbox/access.yaml")

FULL = r"""
workspace: acme-eu
people:
  email_domains: [Example.com, example.org]
  accounts:
    U02ADA: {orders-db: ada}
oncall:
  pagerduty: {kind: pagerduty, every: 30s, stale_after: 5m, start_stale_after: 2h}
targets:
  orders-db: {kind: postgres, url: "${ORDERS_DB_URL}", sessions: keep}
  bills-db: {kind: postgres, url: "${BILLS_DB_URL}"}
resources:
  prod-db:
    title: Orders database, read and write
    gives:
      - {target: orders-db, role: orders_rw}
      - {target: bills-db, role: bills_ro}
    who_may_ask: [slack/engineers, U02ADA, {on_call: pagerduty/PDBPRIM}]
    duration: {default: 4h, max: 12h, min: 5m, offer: [1h, 4h, 12h]}
    reason: {pattern: "INC-\\d+", say: an incident number}
    approve_automatically:
      - on_call: {schedule: pagerduty/PDBPRIM, levels: [1, 2], grace: 15m}
      - in_group: slack/sre
    approvers: [slack/dba, U02BOB, {on_call: {schedule: pagerduty/PSEC, levels: [1]}}]
    approvals: 2
    on_shift: {schedule: pagerduty/PDBPRIM, levels: [1], grace: 1h30m}
    one_holder: true
    channel: "#db-access"
    lapse_after: 2h
security: {channel: C02SECURE}
audit: {anchor: {file: /var/lib/rotakey/anchor, channel: "#audit"}, archive: {dir: /srv/audit}}
keep: 400d
strays: {mode: enforce, every: 5m, share: 10%}
"""

HEAD = """\
oncall: {pagerduty: {kind: pagerduty}}
targets: {orders-db: {kind: postgres, url: "${ORDERS_DB_URL}"}}
resources:
  prod-db:
    title: Orders database
    gives: [{target: orders-db, role: orders_rw}]
"""
"""Six lines; what a resource says further begins on line 7."""


def resource_text(*lines: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in lines)


def resource(*lines: str) -> Resource:
    """Return the only resource of a file that must have no mistakes."""
    return read(resource_text(*lines)).catalog.resources["prod-db"]


def read(text: str | bytes, environ: dict[str, str] | None = None) -> Policy:
    return load(text, environ={**ENVIRON, **(environ or {})})


def said(text: str | bytes, environ: dict[str, str] | None = None) -> list[str]:
    return [str(mistake) for mistake in check(text, environ={**ENVIRON, **(environ or {})})]


def wrong_with(*lines: str) -> list[str]:
    """Return the mistakes of a resource with these lines: line, key and text, without the common
    beginning."""
    mistakes = check(resource_text(*lines), environ=ENVIRON)
    return [f"{each.line} {each.path.removeprefix('resources.prod-db.')}: {each.text}" for each in mistakes]
