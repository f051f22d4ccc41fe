"""The documents for people, with the code and the names in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from textwrap import dedent

from tests.paths import ROOT

DOCUMENTS: Mapping[str, str] = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
}
"""The text of each document, by its path."""

USING, POLICY, OPERATING, POSTGRESQL, THREATS, DESIGN = (
    DOCUMENTS[f"docs/{name}.md"]
    for name in ("using", "policy", "operating", "postgresql", "threats", "design")
)
FENCED = re.compile(r"(?ms)^( *)```(\w*)[^\n]*\n(.*?)^\1```$")
VARIABLES: Mapping[str, str] = {
    "ORDERS_DB_URL": "postgresql://rotakey:secret@db.example.com/orders",
    "ORDERS_REPLICA_URL": "postgresql://rotakey:secret@standby.example.com/orders",
    "BILLS_DB_URL": "postgresql://rotakey:secret@bills.example.com/bills",
    "PAGERDUTY_TOKEN": "secret",
    "OKTA_ORG_URL": "https://example.okta.com",
    "OKTA_API_TOKEN": "secret",
    "OKTA_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----",
    "VAULT_ADDR": "https://vault.example.com:8200",
    "VAULT_TOKEN": "secret",
    "HOOK_SECRET": "whsec_b3BlbiBzZXNhbWUgb3BlbiBzZXNhbWUgb3BlbiBzZXNhbWU=",
}
"""The variables that the examples of access.yaml name."""


def blocks(text: str, language: str) -> list[str]:
    """Return the code in this language, from anywhere in the document."""
    return [dedent(code) for _, name, code in FENCED.findall(text) if name == language]


def all_blocks(language: str) -> Iterator[tuple[str, str]]:
    """Yield the path of the document and the code, except what ``test_adding`` runs."""
    for path, text in DOCUMENTS.items():
        if path.startswith("docs/adding-") and language != "sh":
            continue
        yield from ((path, code) for code in blocks(text, language))


def prose(text: str) -> str:
    return FENCED.sub("", text)


def spans(text: str) -> list[str]:
    """Return what is written as code inside of sentences and tables."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]


SPANS = [span for text in DOCUMENTS.values() for span in spans(text)]
