"""``python -m tests.prose`` finds words that we do not write, at their lines, and leaves others alone."""

from __future__ import annotations

import pytest

from tests.prose import in_code, in_text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It asks\nwhoever is there", [(2, "whoever → anyone who, or: no matter who")]),
        ("it is\n    no channel", [(1, "is no channel → is not a …")]),
        ("Two ACCESSES, made anew", [(1, "ACCESSES → access, without a plural"), (1, "anew → again")]),
        ("her ask waits", [(1, "her ask → request")]),
        ("there is no channel, and it is no longer live", []),
        ('not "is no channel"', []),
        ("an access.yaml that asks", []),
    ],
)
def test_words(text: str, found: list[tuple[int, str]]) -> None:
    assert list(in_text(text)) == found


def test_code() -> None:
    source = (
        '"""What it is."""\n\n# just now\nname = "so many"\n\n\ndef whoever() -> None:\n    """Return."""\n'
    )
    assert sorted(in_code(source)) == [
        (1, "What … → begin with a verb (Return …) or a noun (The …)"),
        (3, "just now → now"),
        (4, "so many → that many"),
    ]
