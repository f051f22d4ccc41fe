"""Why something was decided: a code with facts, turned into a sentence only where people read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Why(StrEnum):
    """Each code has one sentence in ``bot.slack.wording``; the facts it needs are named there."""

    # the person
    PERSON_UNKNOWN = "person_unknown"
    PERSON_EXTERNAL = "person_external"
    PERSON_GUEST = "person_guest"
    PERSON_BOT = "person_bot"
    PERSON_DEACTIVATED = "person_deactivated"
    NO_EMAIL = "no_email"
    EMAIL_UNCONFIRMED = "email_unconfirmed"
    EMAIL_FOREIGN = "email_foreign"
    EMAIL_SHARED = "email_shared"
    ACCOUNT_CHANGED = "account_changed"
    WORKSPACE_UNKNOWN = "workspace_unknown"
    ACCOUNT_TAKEN = "account_taken"
    ACCOUNT_OF_ANOTHER = "account_of_another"
    ACCOUNT_CONTESTED = "account_contested"
    ACCOUNT_REHIRED = "account_rehired"
    ACCOUNT_MOVED = "account_moved"
    ACCOUNT_KEPT = "account_kept"
    ACCOUNT_SETTLED = "account_settled"
    ACCOUNT_CLAIMED = "account_claimed"
    NOT_FOR_ACCOUNTS = "not_for_accounts"

    # the ask
    RESOURCE_UNKNOWN = "resource_unknown"
    MAY_NOT_ASK = "may_not_ask"
    DURATION_UNREADABLE = "duration_unreadable"
    DURATION_FRACTION = "duration_fraction"
    DURATION_TOO_LONG = "duration_too_long"
    DURATION_TOO_SHORT = "duration_too_short"
    NO_SHIFT_TO_END = "no_shift_to_end"
    REASON_MISSING = "reason_missing"
    REASON_TOO_LONG = "reason_too_long"
    REASON_PATTERN = "reason_pattern"
    REASON_UNCHECKED = "reason_unchecked"
    HELD_BY_OTHER = "held_by_other"
    TOO_MANY_ASKS = "too_many_asks"
    NOT_UNDERSTOOD = "not_understood"
    REASON_UNCLEAR = "reason_unclear"
    DURATION_UNITLESS = "duration_unitless"
    SEVERAL_NOT_YET = "several_not_yet"
    BEHALF_NOT_YET = "behalf_not_yet"
    START_NOT_YET = "start_not_yet"
    END_NOT_YET = "end_not_yet"
    URGENT_NOT_YET = "urgent_not_yet"
    VERB_NOT_YET = "verb_not_yet"
    SEVERAL_HELD = "several_held"
    NOTHING_HELD = "nothing_held"
    FORM_UNOPENED = "form_unopened"

    # rules
    ON_CALL = "on_call"
    NOT_ON_CALL = "not_on_call"
    IN_GROUP = "in_group"
    NOT_IN_GROUP = "not_in_group"
    ROSTER_MISSING = "roster_missing"
    ROSTER_STALE = "roster_stale"
    ROSTER_DOUBTED = "roster_doubted"
    GROUP_MISSING = "group_missing"
    GROUP_STALE = "group_stale"
    SHIFT_STARTED = "shift_started"
    EVERYONE = "everyone"
    NAMED = "named"
    NOT_NAMED = "not_named"
    APPROVERS_ASKED = "approvers_asked"
    DENIED = "denied"

    # votes and moves
    OWN_REQUEST = "own_request"
    NOT_AN_APPROVER = "not_an_approver"
    APPROVER_UNCLEAR = "approver_unclear"
    VOTED_ALREADY = "voted_already"
    DECIDED_ALREADY = "decided_already"
    ASK_LAPSED = "ask_lapsed"
    GRANT_UNKNOWN = "grant_unknown"
    GRANT_OVER = "grant_over"
    NOT_YOURS = "not_yours"
    NOTHING_OPEN = "nothing_open"
    SEVERAL_OPEN = "several_open"
    CANNOT_EXTEND_FURTHER = "cannot_extend_further"
    SHORTER_ONLY = "shorter_only"
    RESOURCE_GONE = "resource_gone"
    TERMS_CHANGED = "terms_changed"
    VOTE_FELL = "vote_fell"
    GIVES_OTHER = "gives_other"
    EXTENDED = "extended"
    EXTENSION_DENIED = "extension_denied"
    AGREEMENT_FELL = "agreement_fell"
    BEGAN_TOO_LATE = "began_too_late"
    NO_APPROVER = "no_approver"
    TOO_FEW_APPROVERS = "too_few_approvers"

    # ends
    EXPIRED = "expired"
    GIVEN_BACK = "given_back"
    REVOKED = "revoked"
    SHIFT_OVER = "shift_over"
    COULD_NOT_GIVE = "could_not_give"
    OVERDUE = "overdue"
    OVERDUE_AGAIN = "overdue_again"
    OVERDUE_TRYING = "overdue_trying"
    OVERDUE_STILL = "overdue_still"
    OVERDUE_CHECKING = "overdue_checking"
    OVERDUE_UNCONFIRMED = "overdue_unconfirmed"
    OVERDUE_GONE = "overdue_gone"
    OVERDUE_KEPT = "overdue_kept"
    OVERDUE_MANY = "overdue_many"
    OVERDUE_FEW = "overdue_few"
    VANISHED = "vanished"
    LEFT_BY_OTHERS = "left_by_others"
    SAME_SYSTEM = "same_system"
    OWN_REMOVAL = "own_removal"
    OVERDUE_SHARED = "overdue_shared"

    # strays
    STRAY = "stray"
    STRAY_FORGOTTEN = "stray_forgotten"
    STRAY_TAKING = "stray_taking"
    STRAY_STUCK = "stray_stuck"
    STRAY_TAKEN = "stray_taken"
    STRAY_GONE = "stray_gone"
    STRAY_ADOPTED = "stray_adopted"
    STRAY_LEFT = "stray_left"
    STRAY_EXPLAINED = "stray_explained"
    STRAYS_MANY = "strays_many"
    STRAYS_FEW = "strays_few"
    TARGET_UNSWEPT = "target_unswept"
    ADOPTED = "adopted"
    ALERT_SETTLED = "alert_settled"
    OWN_ACCESS = "own_access"
    NOT_ADOPTABLE = "not_adoptable"

    # what security people and revocations stop
    REVOKED_LATELY = "revoked_lately"
    REVOKED_TILL_THEN = "revoked_till_then"
    BANNED = "banned"
    FROZEN = "frozen"
    NOT_SECURITY = "not_security"
    NO_SECURITY_PEOPLE = "no_security_people"
    NOT_BANNED = "not_banned"
    NOT_FROZEN = "not_frozen"
    BAN_SET = "ban_set"
    BAN_OVER = "ban_over"
    FREEZE_SET = "freeze_set"
    FREEZE_OVER = "freeze_over"

    # on-call sources
    ROSTER_EMPTY_DOUBTED = "roster_empty_doubted"
    SHIFT_NOT_STARTED = "shift_not_started"
    SHIFT_DOUBTED = "shift_doubted"
    SCHEDULE_UNKNOWN = "schedule_unknown"
    SCHEDULE_EMPTY = "schedule_empty"
    SCHEDULE_LACKS = "schedule_lacks"
    SCHEDULE_BELIEVED = "schedule_believed"
    SCHEDULE_WELL = "schedule_well"
    SCHEDULE_MISSING = "schedule_missing"
    SCHEDULES_MORE = "schedules_more"
    SOURCE_PARTLY = "source_partly"
    SOURCE_SILENT = "source_silent"
    SOURCE_WELL = "source_well"

    # the policy in force
    POLICY_CLOSED = "policy_closed"
    POLICY_CHANGED = "policy_changed"
    POLICY_LOST = "policy_lost"
    POLICY_FOREIGN = "policy_foreign"
    POLICY_UNSIGNED = "policy_unsigned"
    POLICY_UNREADABLE = "policy_unreadable"
    POLICY_CAME_BACK = "policy_came_back"
    POLICY_NOT_IN_FORCE = "policy_not_in_force"
    TARGET_ELSEWHERE = "target_elsewhere"
    GROUP_MOVED = "group_moved"
    NO_LONGER_GIVEN = "no_longer_given"
    RULE_GONE = "rule_gone"

    # the ledger itself
    RESTORED = "restored"
    LIVE_AGAIN = "live_again"
    CONFIRMED = "confirmed"
    NOT_DONE = "not_done"
    FAILED_OVER = "failed_over"
    ENDED_AGAIN = "ended_again"
    ENDED_BEFORE = "ended_before"
    SEALED = "sealed"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A code and its facts. Facts whose name ends in ``_at`` are epoch seconds, in ``_s`` lengths in
    seconds; ``person`` and names ending in ``_person`` are Slack user ids; all else is text."""

    why: Why
    facts: Mapping[str, str | int] = field(default_factory=dict)


def because(why: Why, **facts: str | int) -> Reason:
    return Reason(why=why, facts=facts)
