"""Files that are hostile, broken or not text are refused quickly, with one sentence."""

from __future__ import annotations

import string

import pytest
import yaml

from bot.config import tree
from tests.config.files import FULL, read, resource_text, said

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip(string.ascii_lowercase, string.ascii_lowercase[1:14], strict=False)
)


@pytest.fixture(params=["libyaml", "Python"], autouse=True)
def _either_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test with libyaml and without it: not every PyYAML comes with libyaml."""
    monkeypatch.setattr(tree, "LOADER", yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader)


def test_a_good_file_is_the_same_with_either_loader() -> None:
    assert read(FULL).catalog.resources["prod-db"].approvals == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"a: 1\nb: caf\xe9\n", "2: this line is not UTF-8; save the file in UTF-8"),
        ("a: 1".encode("utf-16"), "1: this line is not UTF-8; save the file in UTF-8"),
        ("a: 1\nb: \x00\n", '2: there is a control character, "\\x00"; remove it'),
        ("a: \ud800", "1: this line is not UTF-8; save the file in UTF-8"),
        ("x" * 1_000_001, "1: the file has 1000001 bytes; reduce it to 1000000 or fewer"),
        ("", "1: the file is empty; write at least one resource, under resources:"),
        ("# soon\n\n", "1: the file is empty; write at least one resource, under resources:"),
        ("a:\n\tb: 1\n", "2: this line is indented with a tab; indent with spaces"),
        ("a: 1\n---\nb: 2\n", "2: a second document begins here; keep one, and remove the line ---"),
        ("a: b: c\n", "1: there is one colon too many here; put the value in quotes, or fix the indentation"),
        ("a:\n  b: @bob\n", '2: a value cannot begin with "@"; put the value in quotes'),
        (
            "[" * 100_000,
            "1: lists and mappings are nested more than 20 levels deep here; nest them less deeply",
        ),
        (
            "{a: " * 5_000,
            "1: lists and mappings are nested more than 20 levels deep here; nest them less deeply",
        ),
        (
            "a: &a [*a]\n",
            "1: lists and mappings are nested more than 20 levels deep here; nest them less deeply",
        ),
        (LAUGHS, "1: the file has more than 50000 values, with aliases expanded; use fewer"),
    ],
    ids=lambda value: None if len(value) < 40 else "long",
)
def test_what_cannot_be_read(text: str | bytes, told: str) -> None:
    assert said(text) == [f"access.yaml:{told}"]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1, 2\nb: 3\n", 2), ("a:\n  b: 'x\n", 2), ("a: *nobody\n", 1), ("- a\nb: c\n", 2), ("a: {", 1)],
)
def test_what_is_no_yaml_is_told_with_its_line(text: str, line: int) -> None:
    (only,) = said(text)
    assert only.startswith(f"access.yaml:{line}: this is not valid YAML: ")
    assert only.endswith("check the quotes, the brackets and the indentation")


@pytest.mark.parametrize(
    "tagged", ["!!python/object/apply:os.system [true]", "!secret x", "!!binary eA==", "!!set {x}"]
)
def test_a_tag_makes_nothing(tagged: str) -> None:
    assert said(resource_text("approvers: [U02BOB]", f"channel: {tagged}")) == [
        "access.yaml:8: resources.prod-db.channel: has a tag, and tags are not allowed here; remove the word"
        " that starts with !"
    ]


@pytest.mark.parametrize("escape", ["\\0", "\\e[31m", "\\ud800", "\\UFFFFFFFF"])
def test_escapes_bring_no_odd_characters_in(escape: str) -> None:
    (only,) = said(resource_text("approvers: [U02BOB]", f'reason: {{pattern: x, say: "{escape}"}}'))
    assert only.endswith(
        ("say: contains a control character; remove it", "brackets and the indentation", "in quoted text")
    )


def test_anchors_may_save_writing() -> None:
    text = resource_text("approvers: &dba [slack/dba, U02BOB]", "who_may_ask: *dba")
    resource = read(text).catalog.resources["prod-db"]
    assert resource.who_may_ask == resource.approvers


def test_merge_keys_are_not_read_and_that_is_told() -> None:
    merged = resource_text("<<: {approvers: [U02BOB]}", "approvers: [U02BOB]")
    assert said(merged) == [
        "access.yaml:7: resources.prod-db.<<: is a merge key, and they are not supported; write out the keys"
        " that it would add"
    ]


def test_a_key_is_text_however_it_looks() -> None:
    (only,) = said(resource_text("approvers: [U02BOB]", "on: 1"))
    assert only.startswith("access.yaml:8: resources.prod-db.on: unknown key;")
    assert (
        "access.yaml:7: resources.prod-db: has a key that is a list or a mapping; write it as text"
        in said(resource_text("? [approvers]", ": x"))
    )


def test_what_is_left_open_at_the_end_is_on_the_last_line() -> None:
    assert said("resources: 1\n? \n")[1:] == ['access.yaml:2: "": has no value; fill it in, or remove it']


def test_what_is_printed_of_a_file_cannot_move_the_cursor() -> None:
    (only,) = said(resource_text("approvers: [U02BOB]", '"\\e[31m\\u202e": 1'))
    assert "\\x1b[31m\\u202e" in only
    assert only.isprintable()


@pytest.mark.parametrize("number", ["0x1F", "0o17", "012", "1_000", "1:30", "9" * 30])
def test_a_number_is_a_number_only_where_it_is_written_plainly(number: str) -> None:
    (only,) = said(resource_text("approvers: [slack/dba]", f"approvals: {number}"))
    assert only == "access.yaml:8: resources.prod-db.approvals: must be a whole number; write one, such as 1"
