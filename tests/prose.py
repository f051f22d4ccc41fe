"""Hold the mechanical part of our English: ``python -m tests.prose``, a part of ``make check``.

It reads docstrings, comments and string literals of bot/ and tests/, and the documents, and prints
``file:line: word → better`` for each finding. The rest of the rules are in CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

WORDS = {
    r"whoever": "anyone who, or: no matter who",
    r"anew": "again",
    r"so many(?! that)": "that many",
    r"of whom": "who, in a sentence of its own",
    r"just now": "now",
    r"an access(?!\.)|accesses": "access, without a plural",
    r"(?<!there\s)(?:is|are|was|were) no (?!(?:longer|more|less|better|worse|different)\b)\w+": "is not a …",
    r"(?:an|the|each|every|their|own|her|his) asks?": "request",
}
"""What we do not write, and what we write instead. A word that is right somewhere has no place here."""

RIDDLE = re.compile(r"(?:What|Who|Whose|Whom|Where|Those|Whoever|Whatever)\b")
"""The first word of a docstring that makes its reader guess what it is about."""

UNWANTED = re.compile(
    "|".join(rf'(?P<w{n}>(?<!")\b(?:{word})\b)' for n, word in enumerate(WORDS)).replace(" ", r"\s+"),
    re.IGNORECASE,
)
BETTER = tuple(WORDS.values())

EXAMPLES = frozenset({"tests/prose.py", "tests/test_prose.py"})
"""The files that have to contain what they are about."""

Finding = tuple[int, str]
"""A line, and what to change on it."""


def in_text(text: str, first: int = 1) -> Iterator[Finding]:
    """Yield the findings in prose that begins on line ``first``. A phrase may continue on the next line."""
    for found in UNWANTED.finditer(text):
        line = first + text.count("\n", 0, found.start())
        better = BETTER[int((found.lastgroup or "w0")[1:])]
        yield line, f"{' '.join(found[0].split())} → {better}"


def in_code(source: str) -> Iterator[Finding]:
    """Yield the findings in the docstrings, comments and string literals of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from in_text(node.value, node.lineno)
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        if found := RIDDLE.match(ast.get_docstring(node) or ""):
            yield node.body[0].lineno, f"{found[0]} … → begin with a verb (Return …) or a noun (The …)"
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from in_text(token.string, token.start[0])


def findings(path: Path) -> list[Finding]:
    text = path.read_text("utf-8")
    return sorted(in_code(text) if path.suffix == ".py" else in_text(text))


def main() -> None:
    code = (path for top in ("bot", "tests") for path in (ROOT / top).rglob("*.py"))
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *code))
        if path.relative_to(ROOT).as_posix() not in EXAMPLES
        for line, what in findings(path)
    ]
    print(*found, sep="\n", end="\n" * bool(found))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
