"""Write the generated pages: ``python -m tests.docs [FOLDER]``; by default into docs/."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.docs import access_yaml, environment
from tests.paths import ROOT

PAGES = {"environment.md": environment.page, "access-yaml.md": access_yaml.page}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"
    for name, page in PAGES.items():
        (folder / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
