"""Paths that several tests need."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The project's top folder."""

SPECS = ROOT.parent / "shared" / "specs"
"""The vendors' OpenAPI documents, beside the checkout. They are not part of the project: tests that need one
are skipped if it is absent."""
