"""The policy that the sandbox shows if it gets no other: all of the example, or a part."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import yaml

ANCHOR, ARCHIVE = "anchor", "archive"
POLICY = Path(__file__).with_name("access.yaml")
HEAD = "# The policy as the sandbox uses it. It is written at each start: copy it, and use --file.\n"


def example(kinds: Collection[str]) -> str:
    """Return the example with targets of these kinds alone. Resources that need another target are left
    out."""
    text = POLICY.read_text("utf-8")
    whole = yaml.safe_load(text)
    others = {name for name, settings in whole["targets"].items() if settings["kind"] not in kinds}
    if not others:
        return text
    for accounts in whole["people"]["accounts"].values():
        for target in others & accounts.keys():
            del accounts[target]
    for target in others:
        del whole["targets"][target]
    whole["resources"] = {
        name: resource
        for name, resource in whole["resources"].items()
        if not others & {gives["target"] for gives in resource["gives"]}
    }
    return HEAD + yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


def with_evidence_in(folder: Path, text: str) -> str:
    """Return the policy with its anchor and its archive in the folder, wherever they are in production; the
    same text if it names neither."""
    whole = yaml.safe_load(text)
    audit = whole.get("audit") or {}
    if "file" not in audit.get("anchor", {}) and "archive" not in audit:
        return text
    if "file" in audit["anchor"]:
        audit["anchor"]["file"] = str(folder / ANCHOR)
    if "archive" in audit:
        (folder / ARCHIVE).mkdir(exist_ok=True)
        audit["archive"]["dir"] = str(folder / ARCHIVE)
    return HEAD + yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)
