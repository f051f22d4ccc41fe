"""Reading access.yaml ends soon, in a policy or in mistakes inside the file, whatever it contains."""

from __future__ import annotations

import json

import yaml
from hypothesis import strategies as st

from bot.config import check
from tests.config.files import ENVIRON, FULL
from tests.config.test_any_file import CHANGES, changed, judge
from tests.fuzz import junk
from tests.fuzz.edits import Edit, edited, edits
from tests.fuzz.rounds import thrown

WHOLE = yaml.safe_load(FULL)


@thrown(few=100, share=0.03, content=st.binary(max_size=400), at=st.integers(0, len(FULL)))
def test_bytes_in_the_middle_of_a_file(content: bytes, at: int) -> None:
    raw = FULL.encode()
    judge(raw[:at] + content + raw[at:])


@thrown(few=100, share=0.04, changes=CHANGES)
def test_a_file_with_letters_changed(changes: list[tuple[str, int, int, str]]) -> None:
    judge(changed(FULL, changes))


@thrown(few=150, share=0.06, changes=edits, flow=st.booleans())
def test_a_file_with_values_changed(changes: list[Edit], flow: bool) -> None:
    made = edited(WHOLE, changes)
    if flow:
        judge(json.dumps(made))  # much of JSON is YAML
    else:
        judge(yaml.dump(made, allow_unicode=True, width=10_000))


deep = st.tuples(
    st.sampled_from(
        ["[", "{a: ", "- ", "? ", "&a [*a, ", "!x [", "a:\n ", "'", '"', "|\n", ">\n", "{[", "- - ? "]
    ),
    st.integers(1, 3_000),
).map(lambda made: made[0] * made[1])


def laughs(width: int, height: int) -> str:
    """Return aliases of aliases of aliases."""
    rows = [f"a0: &a0 [{', '.join(['x'] * width)}]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, height)]
    return "\n".join(rows)


@thrown(
    few=60,
    share=0.01,
    bomb=st.one_of(
        deep,
        st.tuples(st.integers(2, 40), st.integers(2, 12)).map(lambda made: laughs(*made)),
        st.integers(1, 30_000).map(lambda count: "x" * count + ": " + "y" * count),
        st.integers(1, 20_000).map(lambda count: "resources: {" + "a: 1, " * count + "}"),
        st.integers(1, 20_000).map(lambda count: "\n".join(f"k{i}: {i}" for i in range(count))),
        st.integers(1, 900_000).map(lambda count: "# " + "z" * count),
        st.integers(1, 4_000).map(lambda count: "&a " * count + "x"),
        junk.broken,
    ),
    behind=st.booleans(),
)
def test_a_bomb(bomb: str, behind: bool) -> None:
    for mistake in check(FULL + bomb if behind else bomb, environ=ENVIRON):
        assert str(mistake).isprintable()
        assert mistake.line > 0


@thrown(
    few=80,
    share=0.02,
    environ=st.dictionaries(
        st.sampled_from(["ORDERS_DB_URL", "ORDERS_DB_URL_FILE", "X", "X_FILE", "HOME"]),
        st.text(st.characters(exclude_characters="\x00"), max_size=40),
    ),
    used=st.lists(
        st.sampled_from(["${X}", "${ORDERS_DB_URL}", "$$", "${", "${}", "${X", "$X", "${a b}"]), max_size=5
    ),
)
def test_variables(environ: dict[str, str], used: list[str]) -> None:
    made = edited(WHOLE, [])
    made["resources"]["prod-db"]["title"] = "a " + "".join(used)
    made["targets"]["orders-db"]["url"] = "${ORDERS_DB_URL}" + "".join(used)
    for mistake in check(yaml.dump(made, allow_unicode=True), environ=environ):
        assert mistake.text
        assert not [value for value in environ.values() if len(value) > 12 and value in str(mistake)]
