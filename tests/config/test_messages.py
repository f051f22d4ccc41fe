"""A file with every sort of mistake, and what `rotakey check` prints about it, word for word."""

from __future__ import annotations

from bot.config import check

IMPERATIVES = (
    "add",
    "copy",
    "correct",
    "did you mean",
    "fill",
    "give",
    "list",
    "name",
    "put",
    "remove",
    "set",
    "shorten",
    "try",
    "write",
)

FILE = r"""
people:
  email_domains: ["@example.com"]
  accounts:
    ada: {orders-db: ada}
oncall:
  pagerduty: {kind: pagerdutty}
targets:
  orders-db: {kind: postgres, url: "${ORDERS_DB_URL}"}
  bills-db: {kind: postgres, url: "mysql://root:hunter2@bills.example.com/bills"}
  stock-db: {kind: postgres, "postgresql://root:hunter2@stock.example.com/stock"}
  stack-db: {kind: postgres, url: "${ORDERS_DB_URL}"}
resources:
  prod-db:
    titel: Orders database
    gives: [{target: orders-bd, role: orders_rw}]
    duration: {default: 2d, max: 12h, offer: [1h, 24]}
    reason: {pattern: "(INC-)+(\\d+", say: an incident number}
    approve_automatically:
      - on_cal: {schedule: pagerduty/PDBPRIM}
      - on_call: {schedule: opsgenie/PDBPRIM, levels: 1}
    approvers: []
    channel: #db-access
  prod-db:
    title: The same again
  Schema Migration:
    title: The one who may migrate the schema
    gives: [{target: orders-db, role: migrator}]
    one_holder: 1
    approvers: [U02BOB]
    approvals: 2
  reports:
    title: Reports
    gives: [{target: bills-db, role: bills_ro}]
    who_may_ask: everyone
"""

PRINTED = r"""
access.yaml:3: people.email_domains[0]: "@example.com" is not a valid domain; write the part after the @, such as example.com
access.yaml:5: people.accounts.ada: "ada" is not a valid Slack user id; copy it from the person's profile, such as U02ABCDEF
access.yaml:7: oncall.pagerduty.kind: "pagerdutty" is not a known kind; did you mean pagerduty?
access.yaml:9: targets.orders-db.url: the variable ORDERS_DB_URL is not set; set it in the environment
access.yaml:10: targets.bills-db.url: is a secret, and this file must not contain secrets; write only a variable, such as ${ORDERS_DB_URL}, and set that variable in the environment
access.yaml:11: targets.stock-db.…: has no value; fill it in, or remove it
access.yaml:12: targets.stack-db.url: the variable ORDERS_DB_URL is not set; set it in the environment
access.yaml:12: targets.stack-db: is the same system as orders-db on line 9 (same host and port, whatever the database and the user); give both one name
access.yaml:15: resources.prod-db.titel: unknown key; did you mean title?
access.yaml:16: resources.prod-db.gives[0].target: "orders-bd" is not one of the targets; did you mean orders-db?
access.yaml:17: resources.prod-db.duration.default: "2d" is longer than max; shorten it, or raise max
access.yaml:17: resources.prod-db.duration.offer[1]: 24 is a number without a unit; write a length such as 12h, 45m or 1h30m
access.yaml:18: resources.prod-db.reason.pattern: "(INC-)+(\d+" is not a valid regular expression from character 8 on; try it with Python's re module
access.yaml:20: resources.prod-db.approve_automatically[0].on_cal: unknown key; did you mean on_call?
access.yaml:21: resources.prod-db.approve_automatically[1].on_call.schedule: "opsgenie/PDBPRIM" does not begin with a known source; name it under oncall, or write pagerduty
access.yaml:21: resources.prod-db.approve_automatically[1].on_call.levels: must be a list; put it in brackets, such as [one, two]
access.yaml:22: resources.prod-db.approvers: is empty; list at least one, or remove the key
access.yaml:23: resources.prod-db.channel: has no value, because # begins a comment; put the value in quotes
access.yaml:24: resources.prod-db: appears twice, first on line 14; remove one
access.yaml:26: resources.Schema Migration: "Schema Migration" is not a valid name; write 1 to 63 of a-z, 0-9, ., - and _, starting with a letter or digit
access.yaml:29: resources.Schema Migration.one_holder: is neither true nor false; write one of them
access.yaml:31: resources.Schema Migration.approvals: 2 is more than the people named as approvers; name more of them, or require fewer approvals
access.yaml:32: resources.reports: nobody can get it; add approvers, approve_automatically or on_shift
access.yaml:35: resources.reports.who_may_ask: must be a list; put it in brackets, such as [one, two]
""".lstrip()  # noqa: E501 -- lines as they are printed


def test_every_mistake_is_told_at_once_by_line_and_says_what_to_write() -> None:
    printed = "".join(f"{mistake}\n" for mistake in check(FILE, environ={}))
    assert printed == PRINTED


def test_every_sentence_says_what_is_wrong_and_then_what_to_do() -> None:
    for line in PRINTED.splitlines():
        wrong, _, remedy = line.partition("; ")
        assert wrong
        assert remedy.startswith(IMPERATIVES)


def test_no_mistake_tells_a_secret() -> None:
    environ = {"ORDERS_DB_URL": "mysql://root:hunter2@orders.example.com/orders"}
    told = "".join(map(str, check(FILE, environ=environ)))
    assert "targets.orders-db.url: is not a PostgreSQL URL" in told
    assert "hunter2" not in told
