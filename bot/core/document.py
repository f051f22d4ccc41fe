"""The records of the ledger."""

from __future__ import annotations

from typing import ClassVar


class Document:
    """A record of the ledger. ``kind`` is the word that its key begins with: ``class Grant(Document,
    kind="grant")``. It is stored, so it must never change."""

    kind: ClassVar[str]

    def __init_subclass__(cls, kind: str) -> None:
        cls.kind = kind
