"""Each mistake in access.yaml is reported at its place, with what to write instead."""

from __future__ import annotations

import pytest
import yaml

from bot.config import load, tree
from bot.core.errors import Misconfigured
from tests.config.files import FULL, HEAD, resource_text, said, wrong_with

BOB = "approvers: [U02BOB]"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("approvers: [slack/DBA]", '"slack/DBA" is not a valid approver; write a group such as slack/dba'),
        ("approvers: ['@bob']", '"@bob" is not a valid approver'),
        ("approvers: [everyone]", '"everyone" is not a valid approver'),
        ("approvers: [okta/dba]", '"okta/dba" is not a valid approver'),
        ("approvers: [12]", '12 is a number; put it in quotes, "12"'),
    ],
)
def test_who_may_approve_is_a_group_a_person_or_a_schedule(line: str, told: str) -> None:
    (only,) = wrong_with(line)
    assert only.startswith(f"7 approvers[0]: {told}")


def test_an_empty_list_of_approvers_approves_nothing() -> None:
    told = "7 approvers: is empty; list at least one, or remove the key"
    assert wrong_with("approvers: []") == [told]
    assert wrong_with("approvers: []", "on_shift: pagerduty/PDBPRIM") == [told]


def test_somebody_must_be_able_to_get_it() -> None:
    assert said(HEAD) == [
        "access.yaml:4: resources.prod-db: nobody can get it; add approvers, approve_automatically or"
        " on_shift"
    ]


def test_a_slip_in_the_way_to_get_it_is_one_mistake() -> None:
    assert wrong_with("aprovers: [U02BOB]") == ["7 aprovers: unknown key; did you mean approvers?"]


@pytest.mark.parametrize(
    "way", [BOB, "on_shift: pagerduty/PX", "approve_automatically: [{in_group: slack/sre}]"]
)
def test_each_way_to_get_it_is_enough(way: str) -> None:
    assert wrong_with(way) == []


def test_a_slip_in_a_rule_is_one_mistake() -> None:
    rule = "approve_automatically: [{on_cal: {schedule: pagerduty/PX}}]"
    assert wrong_with(rule) == ["7 approve_automatically[0].on_cal: unknown key; did you mean on_call?"]
    deeper = "approve_automatically: [{on_call: {schedul: pagerduty/PX}}]"
    assert wrong_with(deeper) == [
        "7 approve_automatically[0].on_call.schedul: unknown key; did you mean schedule?"
    ]


@pytest.mark.parametrize("rule", ["{on_incident: x}", "{ask: {url: x}}", "on_call", "[]", "{}"])
def test_a_rule_that_there_is_not_is_one_mistake(rule: str) -> None:
    assert wrong_with(f"approve_automatically: [{rule}]") == [
        "7 approve_automatically[0]: must be exactly one known rule; write {on_call: …} or {in_group: …}"
    ]


def test_two_rules_in_one_are_one_mistake() -> None:
    (only,) = wrong_with("approve_automatically: [{in_group: slack/sre, on_call: pagerduty/PX}]")
    assert "must be exactly one known rule" in only


@pytest.mark.parametrize("key", ["escalate", "break_glass", "keep"])
def test_what_is_not_there_yet_is_no_key(key: str) -> None:
    (only,) = wrong_with(BOB, f"{key}: 10m")
    assert only.startswith(f"8 {key}: unknown key; remove it, or write approvals, ")


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        ("{max: 4h, default: 5h}", 'default: "5h" is longer than max; shorten it, or raise max'),
        ("{max: 4h, offer: [1h, 5h]}", 'offer[1]: "5h" is longer than max; shorten it, or raise max'),
        ("{max: 4h, min: 5h}", 'min: "5h" is longer than max; shorten it, or raise max'),
        ("{max: 4h, min: 1h, default: 5m}", 'default: "5m" is shorter than min; lengthen it, or lower min'),
        ("{max: 4h, min: 1h, offer: [5m]}", 'offer[0]: "5m" is shorter than min; lengthen it, or lower min'),
        ("{max: 12}", "max: 12 is a number without a unit; write a length such as 12h, 45m or 1h30m"),
        ("{max: 1.5h}", 'max: "1.5h" is a fraction; write 1h30m instead of 1.5h'),
        ("{max: 0h}", 'max: "0h" is not a valid length; write one such as 12h, 45m, 1h30m or 2d, with the'
         ' larger unit first'),
        ("{max: until end of shift}", 'max: "until end of shift" has no fixed length;'
         " write one such as 12h, 45m or 1h30m"),
        ("{max: [1h]}", "max: must be a length; write one such as 12h, 45m or 1h30m"),
        ("{max: 4h, offer: []}", "offer: is empty; list at least one, or remove the key"),
        ("{default: 4h}", "max: is missing; add it"),
    ],
)  # fmt: skip
def test_lengths_are_texts_and_fit_each_other(lengths: str, told: str) -> None:
    assert wrong_with(BOB, f"duration: {lengths}") == [f"8 duration.{told}"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((BOB, "approvals: 2"), "2 is more than the people named as approvers; name more of them,"),
        (("approvers: [U1, U1]", "approvals: 2"), "2 is more than the people named as approvers"),
        (("on_shift: pagerduty/PX", "approvals: 2"), "2 needs approvers, but none are named; name some"),
        ((BOB, "approvals: 0"), "0 is out of range; write 1 or more"),
        (("approvers: [slack/dba]", "approvals: 100"), "100 is out of range; write 99 or less"),
        ((BOB, "approvals: two"), "must be a whole number; write one, such as 1"),
        ((BOB, "approvals: true"), "must be a whole number; write one, such as 1"),
    ],
)
def test_as_many_approvals_as_there_can_be(lines: tuple[str, ...], told: str) -> None:
    (only,) = wrong_with(*lines)
    assert only.startswith(f"8 approvals: {told}")


@pytest.mark.parametrize("who", ["[U1, U2]", "[U1, slack/dba]", "[slack/dba]", "[{on_call: pagerduty/PX}]"])
def test_groups_and_schedules_may_be_any_number_of_people(who: str) -> None:
    assert wrong_with(f"approvers: {who}", "approvals: 2") == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("channel: db-access", '"db-access" is not a valid channel; write #name in lower case, or its id'),
        ("channel: '#DB Access'", '"#DB Access" is not a valid channel'),
        ("channel: #db-access", "has no value, because # begins a comment; put the value in quotes"),
        ("channel:", "has no value; fill it in, or remove it"),
        ("on_shift:", "has no value; fill it in, or remove it"),
        ("one_holder: 'true'", "is neither true nor false; write one of them"),
        ("reason: sometimes", '"sometimes" is not an allowed value; write required or optional'),
        ("reason: yes", "true is not an allowed value; write required or optional"),
        ("who_may_ask: slack/dba", "must be a list; put it in brackets, such as [one, two]"),
        ("on_shift: {schedule: opsgenie/x}", '"opsgenie/x" does not begin with a known source;'),
        ("on_shift: pagerdut/PX", "does not begin with a known source; did you mean pagerduty?"),
        ("on_shift: {schedule: PX}", '"PX" is not a valid schedule; write the source, a slash and the'
            ' schedule\'s id'),
        ("on_shift: {schedule: pagerduty/PX, levels: 1}", "must be a list; put it in brackets"),
        ("on_shift: {schedule: pagerduty/PX, levels: [0]}", "0 is out of range; write 1 or more"),
    ],
)  # fmt: skip
def test_whatever_else_a_resource_says(line: str, told: str) -> None:
    (only,) = wrong_with(BOB, line)
    assert only.startswith(f"8 {line.partition(':')[0]}")
    assert told in only


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("' '", '" " is blank or spans several lines; write one line of text'),
        ('"two\\nlines"', "is blank or spans several lines; write one line of text"),
        ("x" * 151, "is too long; write at most 150 characters"),
        ("[Orders]", "must be text; write a single value, not a list or a mapping"),
        ("2026", '2026 is a number; put it in quotes, "2026"'),
        ("1.5", '1.5 is a number; put it in quotes, "1.5"'),
    ],
)
def test_a_title_is_a_line_of_words(title: str, told: str) -> None:
    (only,) = said(resource_text(BOB).replace("Orders database", title))
    assert only.startswith("access.yaml:5: resources.prod-db.title: ")
    assert only.endswith(told)


def test_a_pattern_must_compile() -> None:
    (broken,) = wrong_with(BOB, "reason: {pattern: 'INC-(\\d+'}")
    assert broken.startswith(
        '8 reason.pattern: "INC-(\\d+" is not a valid regular expression from character 5 on; try it'
    )
    assert wrong_with(BOB, "reason: {pattern: '(a+)+$'}") == []


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("[Example.com", "['@example.com'", 'email_domains[0]: "@example.com" is not a valid domain; write'),
        ("U02ADA: {", "ada: {", 'people.accounts.ada: "ada" is not a valid Slack user id'),
        ("{orders-db: ada}", "{orders: ada}", '"orders" is not one of the targets; did you mean orders-db?'),
        ("{orders-db: ada}", "{orders-db: 12}", '12 is a number; put it in quotes, "12"'),
        ("{orders-db: ada}", "{orders-db: no}", "is read as false; put it in quotes if you mean text"),
        ("kind: pagerduty", "kind: pagerdury", '"pagerdury" is not a known kind; did you mean pagerduty?'),
        ("kind: postgres, url: \"${O", "url: \"${O", "targets.orders-db.kind: is missing; add it"),
        ("stale_after: 5m", "stale_after: 30s", '"30s" passes before the source is read again; make it'
            ' longer than every'),
        ("sessions: keep", "sessions: stay", '"stay" is not an allowed value; write end or keep'),
        ("target: orders-db", "target: order", '"order" is not one of the targets; did you mean orders-db?'),
        ("role: orders_rw", "rolle: orders_rw", "[0].rolle: unknown key; did you mean role?"),
        ("role: orders_rw}", "role: orders_rw, x: y}", "gives[0].x: unknown key; remove it"),
        ("acme-eu", "Acme EU", 'workspace: "Acme EU" is not a valid workspace name; write 1 to 63 of a-z,'
            ' 0-9 and -'),
        ("C02SECURE", "security", 'security.channel: "security" is not a valid channel'),
        ("/var/lib/rotakey/anchor", "lib/anchor", 'anchor.file: "lib/anchor" is not a valid file path;'),
        ("/srv/audit", "srv", 'audit.archive.dir: "srv" is not a valid folder path; write an absolute path,'
            ' such as'),
        ("keep: 400d", "keep: 89d", 'keep: "89d" is too short for an audit; write 90d or more'),
        ("file: /var/lib/rotakey/anchor, channel", "channel",
         'keep: "400d" needs an anchor file, which shows what is old; write audit: {anchor: {file: …}}'),
        ('"#audit"', "audit", 'audit.anchor.channel: "audit" is not a valid channel; write #name'),
        ("{file: /var/lib/rotakey/anchor, channel: \"#audit\"}", "{}",
         "audit.anchor: this names neither a file nor a channel; write {file: /var/lib/rotakey/anchor}, or a"
         " channel, or both"),
        ("  prod-db:", "  Prod DB:", 'resources.Prod DB: "Prod DB" is not a valid name; write 1 to 63'),
        ("people:", "peple:", "peple: unknown key; did you mean people?"),
    ],
)  # fmt: skip
def test_outside_of_the_resources(good: str, bad: str, told: str) -> None:
    assert good in FULL
    (only,) = said(FULL.replace(good, bad, 1))
    assert told in only


def test_what_should_be_a_secret_is_not_repeated_whatever_it_is() -> None:
    for given in ("13371337", "[13371337]", "{13371337: x}", "mysql://13371337", "13.371337"):
        (only,) = said(FULL.replace('"${ORDERS_DB_URL}"', given))
        assert "targets.orders-db.url: " in only
        assert "1337" not in only


@pytest.mark.parametrize(
    "target",
    [
        '{kind: postgres, "postgresql://r:1337@db/x"}',
        '{kind: postgres, "postgresql://r:1337@db/x": 1}',
        "{kind: postgres, postgresql://r:13,a1337,bc,d@db/x}",
        "{kind: postgres, postgresql://r:word,geheim,x@db}",
        "{kind: postgres, host=db password=1337}",
        "{kind: postgres, r1337: x}",
        '{kind: "postgresql://r:1337@db/x"}',
        '{kind: postgres, url: "${ORDERS_DB_URL}", sessions: "postgres://r:1337@db"}',
        '{kind: postgres, url: "${ORDERS_DB_URL}", sessions: "user=r password = 1337"}',
        '{kind: postgres, url: "${ORDERS_DB_URL}", sessions: "r:1337@db"}',
    ],
)
def test_a_password_that_lost_its_place_is_in_no_mistake(target: str) -> None:
    told = said(FULL.replace('{kind: postgres, url: "${ORDERS_DB_URL}", sessions: keep}', target))
    assert told
    assert [each for each in told if "1337" in each or "geheim" in each] == []


def test_nor_is_one_that_stands_elsewhere_or_is_listed_as_a_name() -> None:
    url = "postgresql://r:1337@db"
    for good, bad in (
        ('"#db-access"', f'"{url}"'),
        ("slack/dba, U02BOB", f'"{url}"'),
        ("  orders-db: {kind", f'  "{url}": {{kind'),
        ("  bills-db: {kind", f'  "{url}": {{kind'),
        ("one_holder: true", f'"{url}": true'),
        ("target: orders-db, role", f'target: "{url}", role'),
        ("workspace: acme-eu", f'workspace: "{url}"'),
    ):
        assert good in FULL
        told = said(FULL.replace(good, bad, 1))
        assert told
        assert "1337" not in "".join(told)


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader])
@pytest.mark.parametrize("line", ["url: *p1337", "url: !p1337!x y", "url: &p1337 {", "? p1337@"])
def test_nor_is_what_cannot_be_read_as_yaml(
    loader: type[yaml.SafeLoader], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "LOADER", loader)
    told = said(f"targets:\n  orders-db:\n    {line}\n")
    assert told
    assert "1337" not in "".join(told)


def test_two_resources_of_one_name_are_a_key_written_twice() -> None:
    again = FULL.replace("security:", "  prod-db: {title: again}\nsecurity:")
    line = again.count("\n", 0, again.index("  prod-db: {")) + 1
    assert said(again) == [
        f"access.yaml:{line}: resources.prod-db: appears twice, first on line 13; remove one"
    ]


def test_a_typo_in_a_target_is_not_told_of_each_resource_that_names_it() -> None:
    (only,) = said(FULL.replace("kind: postgres, url: \"${O", "kind: postgrs, url: \"${O"))  # fmt: skip
    assert "targets.orders-db.kind" in only


def test_all_mistakes_stop_the_start_together() -> None:
    bad = FULL.replace("acme-eu", "ACME").replace("approvals: 2", "approvals: 0")
    with pytest.raises(Misconfigured) as stopped:
        load(bad, name="policy/access.yaml", environ={})
    lines = str(stopped.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["policy/access.yaml:2", "workspace"],
        ["policy/access.yaml:8", "oncall.pagerduty.token"],
        ["policy/access.yaml:10", "targets.orders-db.url"],
        ["policy/access.yaml:11", "targets.bills-db.url"],
        ["policy/access.yaml:25", "resources.prod-db.approvals"],
    ]


def test_of_thousands_of_mistakes_the_first_are_told() -> None:
    every = said("\n".join(f"k{i}: {i}" for i in range(5_000)))
    assert len(every) == 201
    assert every[0] == "access.yaml:1: resources: is missing; add it"
    assert every[1].startswith("access.yaml:1: k0: unknown key;")
    assert every[-1] == "access.yaml:200: there are more mistakes from here on; fix those above first"
