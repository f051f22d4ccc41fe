"""Print figures about how the code reads: ``make style``.

Names that do not say whether something happens, helpers that are used once, docstrings that begin with a
riddle, lengths, and the number of functions that a request and an approval pass.
"""

from __future__ import annotations

import ast
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from types import FrameType

from bot.testing.memory_ledger import MemoryLedger
from tests.paths import ROOT
from tests.prose import RIDDLE

CODE = ROOT / "bot"
PARTICIPLES = frozenset(
    re.findall(
        r"\w+",
        """
        begun bought broken brought built caught chosen done drawn driven felt found given gone grown heard
        held hidden kept known laid led left lent lost made meant met paid said seen sent shown sold spoken
        stood stopped taken taught thought told thrown understood undone worn written overwritten forgotten
        proven bound
        """,
    )
)
"""Irregular ones. *Read*, *run*, *put*, *cut* and *set* are verbs, too, and do not count."""
NOT_PARTICIPLES = frozenset({"need", "seed", "feed", "speed", "embed", "red"})
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(kw_only=True)
class Figures:
    functions: int = 0
    participles: int = 0
    private: int = 0
    used_once: int = 0
    docstrings: int = 0
    riddles: int = 0

    def add(self, other: Figures) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def is_participle(name: str) -> bool:
    word = name.strip("_")
    regular = word.endswith("ed") and len(word) > 3 and word not in NOT_PARTICIPLES
    return "_" not in word and (regular or word in PARTICIPLES)


def figures_of(text: str) -> tuple[Figures, list[int]]:
    """Return the figures of one module, and the lengths of its functions. Properties may have any name."""
    found, lengths = Figures(), []
    words = Counter(re.findall(r"\w+", text))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and (doc := ast.get_docstring(node)):
            found.docstrings += 1
            found.riddles += bool(RIDDLE.match(doc))
        if not isinstance(node, Function) or node.name.startswith("__"):
            continue
        found.functions += 1
        lengths.append((node.end_lineno or node.lineno) - node.lineno + 1)
        a_property = any("property" in ast.unparse(each) for each in node.decorator_list)
        found.participles += is_participle(node.name) and not a_property
        if node.name.startswith("_"):
            found.private += 1
            found.used_once += words[node.name] == 2  # where it is defined, and where it is used
    return found, lengths


def stops(act: Callable[[], object]) -> tuple[int, int]:
    """Return how many functions of bot/ ``act`` enters between a listener of Slack and the last commit, each
    counted once, and in how many files. The ledger does not count, nor what stands in for others here."""
    entered: list[tuple[str, str]] = []
    last = [0]

    def trace(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if event != "call" or not path.startswith(str(CODE)):
            return
        place = Path(path).relative_to(CODE)
        if frame.f_code is MemoryLedger.commit.__code__:
            last[0] = len(entered)
        counts = place.parts[0] not in ("ledger", "testing", "sandbox")
        if counts and not frame.f_code.co_name.startswith("<"):
            entered.append((str(place), frame.f_code.co_qualname))

    threading.setprofile(trace)
    try:
        act()
    finally:
        threading.setprofile(None)
    first = next((n for n, (place, _) in enumerate(entered) if place.endswith("listeners.py")), 0)
    passed = set(entered[first : last[0]])
    return len(passed), len({place for place, _ in passed})


def trips() -> Iterator[tuple[str, int, int]]:
    """Yield a request that a rule approves, and an approver's click, through Slack's HTTP."""
    from bot.doubles.slack import serve  # noqa: PLC0415 -- only this needs servers
    from tests.slack import conftest, rig, scenes  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    workspace = conftest.peopled()
    server = serve(workspace)
    with closing(workspace), closing(server), rig.rig(workspace, server) as it:
        request = "request prod-db 2h because orders are stuck"
        yield "command → grant", *stops(lambda: it.types(scenes.CAROL, request))
        it.types(scenes.ADA, request)
        card = it.posts(next(each for each in it.grants() if each.person == scenes.ADA))
        click = partial(it.workspace.click, scenes.BOB, rig.CHANNEL, card.ts, "approve")
        yield "click → grant", *stops(click)


def main() -> None:
    whole, lengths = Figures(), []
    for path in sorted(CODE.rglob("*.py")):
        found, more = figures_of(path.read_text("utf-8"))
        whole.add(found)
        lengths += more
    deciles = quantiles(lengths, n=10)
    for name, count, of in (
        ("functions named by a bare participle", whole.participles, whole.functions),
        ("private functions that are used once, of all functions", whole.used_once, whole.functions),
        ("docstrings that begin with a riddle", whole.riddles, whole.docstrings),
    ):
        print(f"{name:58} {count:>5} of {of:>5}  {count / of:6.1%}")
    print(f"{'lines of a function':58} median {median(lengths):.0f}, nine of ten up to {deciles[-1]:.0f}")
    for name, functions, files in trips():
        print(f"{name:58} {functions:>5} stops in {files} files")


if __name__ == "__main__":
    main()
