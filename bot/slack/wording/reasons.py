"""One sentence for each code that a decision can come to, and for a refusal what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from string import Formatter

from bot.core.grants import Answer, State, Traced
from bot.core.reasons import Reason, Why
from bot.slack.grammar.likeness import nearest
from bot.slack.wording import spoken

SENTENCES: Mapping[Why, tuple[str, ...]] = {
    Why.PERSON_UNKNOWN: ("I don't know yet who this person is.",),
    Why.PERSON_EXTERNAL: (
        "{person} belongs to another workspace, and access is only for members of this one.",
        "Access is only for members of this workspace.",
    ),
    Why.PERSON_GUEST: (
        "{person} is a guest, and guests can't request or approve access.",
        "Guests can't request or approve access.",
    ),
    Why.PERSON_BOT: (
        "{person} is a bot, and bots can't request or approve access.",
        "Bots can't request or approve access.",
    ),
    Why.PERSON_DEACTIVATED: ("{person} is deactivated in Slack.", "This person is deactivated in Slack."),
    Why.NO_EMAIL: (
        "{person}'s Slack profile shows no usable email address.",
        "The Slack profile shows no usable email address.",
    ),
    Why.EMAIL_UNCONFIRMED: (
        "{person}'s email address is not confirmed in Slack.",
        "The email address is not confirmed in Slack.",
    ),
    Why.EMAIL_FOREIGN: (
        "{person}'s email address is not at {domains}.",
        "The email address is not at an allowed domain.",
    ),
    Why.EMAIL_SHARED: (
        "Somebody else in Slack has the same email address as {person}, so it identifies neither of them.",
        "Two people in Slack have this email address, so it identifies neither of them.",
    ),
    Why.ACCOUNT_CHANGED: (
        "{person}'s account at {target} was {was}, but their email address in Slack has changed.",
        "The email address in Slack is no longer the one that was used before.",
    ),
    Why.WORKSPACE_UNKNOWN: ("I don't know yet which workspace I belong to, because Slack does not answer.",),
    Why.ACCOUNT_TAKEN: (
        "{person} would use the account {account} at {target}, but {owner_person} has used it since"
        " {since_at}.",
        "{person} would use the account {account} at {target}, but {owner_person} has used it before.",
        "The account at the target belongs to somebody else.",
    ),
    Why.ACCOUNT_OF_ANOTHER: (
        "The account {account} at {target} is {owner_person}'s, not {person}'s.",
        "The account at the target belongs to somebody else.",
    ),
    Why.ACCOUNT_CONTESTED: (
        "⚠️ {person} has the email address {account} and wants to use the account of that name at {target}."
        " {owner_person} has used it since {since_at}. Are they the same person?",
        "⚠️ {person} has the email address {account} and wants to use the account of that name at {target}."
        " {owner_person} has used it before. Are they the same person?",
        "⚠️ Two people claim one account.",
    ),
    Why.ACCOUNT_REHIRED: (
        "⚠️ {person} has the email address {account} and wants to use the account of that name at {target}."
        " It belonged to {owner_person}, who is deactivated in Slack. Are they the same person, rehired?",
        "⚠️ Somebody claims the account of a person who is deactivated in Slack.",
    ),
    Why.ACCOUNT_MOVED: (
        "{by_person} says that {person} and {owner_person} are the same person: {account} at {target} is"
        " now {person}'s.",
        "They are the same person: the account was moved.",
    ),
    Why.ACCOUNT_KEPT: (
        "{by_person} says that {person} is not {owner_person}: {account} at {target} stays {owner_person}'s.",
        "They are not the same person: the account stays with its owner.",
    ),
    Why.ACCOUNT_SETTLED: (
        "It is clear now who owns {account} at {target}, so nobody has to answer here.",
        "It is clear now who owns the account, so nobody has to answer here.",
    ),
    Why.ACCOUNT_CLAIMED: ("You are one of the two people in question.",),
    Why.NOT_FOR_ACCOUNTS: ("Only security people can say who owns an account.",),
    Why.RESOURCE_UNKNOWN: (
        "There is no resource {name}. Did you mean {near}?",
        "There is no resource {name}.",
        "There is no such resource.",
    ),
    Why.MAY_NOT_ASK: (
        "The policy doesn't allow this request for *{resource}*.",
        "The policy doesn't allow this request.",
    ),
    Why.DURATION_UNREADABLE: (
        "I can't read “{text}” as a length of time.",
        "I can't read this length of time.",
    ),
    Why.DURATION_FRACTION: ("“{text}” is a fraction.", "The length is a fraction."),
    Why.DURATION_TOO_LONG: (
        "{asked_s} is too long; the maximum is {max_s}.",
        "This is longer than allowed.",
    ),
    Why.DURATION_TOO_SHORT: (
        "{asked_s} is too short; the minimum is {min_s}.",
        "This is shorter than allowed.",
    ),
    Why.NO_SHIFT_TO_END: (
        "No shift that counts for *{resource}* is under way, so access can't end with one.",
        "No shift is under way, so access can't end with one.",
    ),
    Why.REASON_MISSING: ("A reason is missing.",),
    Why.REASON_TOO_LONG: ("The reason is longer than {most} characters.", "The reason is too long."),
    Why.REASON_PATTERN: (
        "The reason must contain {wanted}.",
        "The reason does not have the required form.",
    ),
    Why.REASON_UNCHECKED: ("I couldn't check in time whether the reason has the required form.",),
    Why.HELD_BY_OTHER: (
        "Only one person at a time can have *{resource}*, and {by_person} has it until {until_at}.",
        "Only one person at a time can have *{resource}*, and {by_person} has it.",
        "Only one person at a time can have *{resource}*, and somebody has it until {until_at}.",
        "Only one person at a time can have *{resource}*, and somebody has it.",
        "Only one person at a time can have this, and somebody has it.",
    ),
    Why.TOO_MANY_ASKS: (
        "You already have {most} open requests.",
        "You already have too many open requests.",
    ),
    Why.NOT_UNDERSTOOD: (
        "I don't understand “{text}”, so I did nothing.",
        "I don't understand all of this, so I did nothing.",
    ),
    Why.REASON_UNCLEAR: (
        "I can't tell whether “{text}” is part of your reason or of what you request, so I did nothing.",
        "I can't tell what is your reason and what you request, so I did nothing.",
    ),
    Why.DURATION_UNITLESS: ("{text} what?", "The length has no unit."),
    Why.SEVERAL_NOT_YET: ("I can't take a request for several resources at once yet, so I did nothing.",),
    Why.BEHALF_NOT_YET: ("I can't take a request for somebody else yet, so I did nothing.",),
    Why.START_NOT_YET: (
        "I can't start access at a later time yet (“{start}”), so I did nothing.",
        "I can't start access at a later time yet, so I did nothing.",
    ),
    Why.END_NOT_YET: (
        "I can't take an end time yet (“{end}”), so I did nothing.",
        "I can't take an end time yet, so I did nothing.",
    ),
    Why.URGENT_NOT_YET: ("Requests can't be marked as urgent yet, so I did nothing.",),
    Why.VERB_NOT_YET: (
        "`/access {verb}` doesn't exist yet, so I did nothing.",
        "This command doesn't exist yet, so I did nothing.",
    ),
    Why.SEVERAL_HELD: (
        "{person} has or requested several resources: {names}. I did nothing.",
        "This person has or requested several resources. I did nothing.",
    ),
    Why.NOTHING_HELD: ("This person has nothing that you can see.",),
    Why.FORM_UNOPENED: ("If no form opened, nothing has happened yet.",),
    Why.ON_CALL: (
        "On call for {schedule} until {until_at}; the roster was {age_s} old.",
        "On call for {schedule} until {until_at}.",
        "On call for {schedule}; the roster was {age_s} old.",
        "On call for {schedule}.",
        "On call.",
    ),
    Why.NOT_ON_CALL: (
        "Not on call for {schedule}; the roster was {age_s} old.",
        "Not on call for {schedule}.",
        "Not on call.",
    ),
    Why.IN_GROUP: ("In {group}.", "In the group."),
    Why.NOT_IN_GROUP: ("Not in {group}.", "Not in the group."),
    Why.ROSTER_MISSING: (
        "The roster of {schedule} has not been read yet.",
        "The roster has not been read yet.",
    ),
    Why.ROSTER_STALE: (
        "The roster of {schedule} was {age_s} old, which is too old to rely on.",
        "The roster of {schedule} was read before the clock of Redis was set back, so its age is unknown.",
        "The roster was too old to rely on.",
    ),
    Why.ROSTER_DOUBTED: (
        "The newest answer about {schedule} looks wrong, so I don't rely on it.",
        "The newest answer about the schedule looks wrong.",
    ),
    Why.GROUP_MISSING: (
        "I couldn't read the members of {group}.",
        "I couldn't read the members of the group.",
    ),
    Why.GROUP_STALE: (
        "The member list of {group} was {age_s} old, which is too old to rely on.",
        "The members of {group} were read before the clock of Redis was set back, so their age is unknown.",
        "The member list of the group was too old to rely on.",
    ),
    Why.SHIFT_STARTED: (
        "On shift for {schedule} until {until_at}; the roster was {age_s} old.",
        "On shift for {schedule} until {until_at}.",
        "On shift for {schedule}; the roster was {age_s} old.",
        "On shift for {schedule}.",
        "On shift.",
    ),
    Why.EVERYONE: ("It is open to every full member of the workspace.",),
    Why.NAMED: ("Named in the policy.",),
    Why.NOT_NAMED: ("Not named in the policy.",),
    Why.APPROVERS_ASKED: ("I'm asking the approvers of *{resource}* for more time.", "Approvers decide."),
    Why.DENIED: ("{said}", "No reason was given."),
    Why.OWN_REQUEST: ("You can't approve or deny your own request.",),
    Why.NOT_AN_APPROVER: (
        "Only approvers of *{resource}* can do this.",
        "Only approvers can do this.",
    ),
    Why.APPROVER_UNCLEAR: ("I can't tell right now whether you may approve this.",),
    Why.VOTED_ALREADY: ("You already approved this.",),
    Why.DECIDED_ALREADY: (
        "{by_person} already {did} this.",
        "This is no longer open: {state}.",
        "This is no longer open.",
    ),
    Why.ASK_LAPSED: ("Nobody decided in time.",),
    Why.GRANT_UNKNOWN: (
        "I don't know any request or access called {grant}.",
        "I don't know this request.",
    ),
    Why.GRANT_OVER: ("This access to *{resource}* has ended.", "This access has ended."),
    Why.NOT_YOURS: ("This belongs to somebody else.",),
    Why.NOTHING_OPEN: (
        "{person} neither has {which} nor requested it.",
        "You don't have {which}.",
        "You don't have any access right now.",
    ),
    Why.SEVERAL_OPEN: ("You could mean any of these: {names}.", "You could mean more than one."),
    Why.CANNOT_EXTEND_FURTHER: (
        "It can't end any later now: the maximum is {max_s} from now.",
        "It can't end any later now.",
    ),
    Why.SHORTER_ONLY: (
        "{asked_s} was requested. Approvers can approve less, but not more.",
        "Approvers can approve less time than was requested, but not more.",
    ),
    Why.RESOURCE_GONE: ("*{resource}* is no longer in the policy.", "This is no longer in the policy."),
    Why.TERMS_CHANGED: ("Nothing is decided yet, because you haven't seen the current terms.",),
    Why.VOTE_FELL: (
        "{person}'s request for *{resource}* has changed since you approved it, so your approval no longer"
        " counts.",
        "The request has changed since you approved it, so your approval no longer counts.",
    ),
    Why.GIVES_OTHER: (
        "*{resource}* now gives something else, so this can't be extended.",
        "The resource now gives something else, so this can't be extended.",
    ),
    Why.EXTENDED: (
        "{by_person} approved more time: you have *{resource}* until {until_at}.",
        "More time is approved for *{resource}*.",
        "More time is approved.",
    ),
    Why.EXTENSION_DENIED: (
        "{by_person} denied more time: “{said}”. *{resource}* still ends {until_at}.",
        "{by_person} denied more time. *{resource}* still ends {until_at}.",
        "More time was denied. The end stays the same.",
    ),
    Why.AGREEMENT_FELL: (
        "The approval of *{resource}* no longer counts: either an approver may not approve it any more, or it"
        " now gives something else.",
        "The approval no longer counts.",
    ),
    Why.BEGAN_TOO_LATE: (
        "The approved time for *{resource}* was over before it could start.",
        "The approved time was over before it could start.",
    ),
    Why.NO_APPROVER: (
        "Nobody else can approve *{resource}* now: {groups} has no other active member, and nobody else comes"
        " on call for {schedules} in time.",
        "Nobody else can approve *{resource}* now: {groups} has no other active member.",
        "Nobody else can approve *{resource}* now: nobody else comes on call for {schedules} in time.",
        "Nobody else can approve *{resource}* now.",
        "Nobody else can approve this now.",
    ),
    Why.TOO_FEW_APPROVERS: (
        "*{resource}* needs {needed} approvals, but {groups} and the people on call for {schedules} can give"
        " only {count}.",
        "*{resource}* needs {needed} approvals, but {groups} can give only {count} now.",
        "*{resource}* needs {needed} approvals, but the people on call for {schedules} can give only"
        " {count}.",
        "*{resource}* needs {needed} approvals, but only {count} can be given now.",
        "This needs more approvals than can be given now.",
    ),
    Why.EXPIRED: ("Time is up.",),
    Why.GIVEN_BACK: ("It was given back.",),
    Why.REVOKED: ("Revoked by {by_person}: {said}", "Revoked by {by_person}.", "Revoked."),
    Why.SHIFT_OVER: ("The shift is over.",),
    Why.COULD_NOT_GIVE: ("It could not be granted.",),
    Why.OVERDUE: (
        "🚨 {person}'s *{resource}* has been overdue since {since_at}. I couldn't revoke it: {trouble}.",
        "🚨 {person}'s *{resource}* is overdue. I couldn't revoke it.",
        "Overdue: I couldn't revoke it.",
    ),
    Why.OVERDUE_AGAIN: (
        "🚨 {person}'s *{resource}* is still overdue, for {late_s} now: {trouble}.",
        "🚨 {person}'s *{resource}* is still overdue, for {late_s} now.",
        "🚨 Still overdue.",
    ),
    Why.OVERDUE_TRYING: ("{by_person} asked me to retry. I'm retrying now.", "I'm retrying now."),
    Why.OVERDUE_ACCEPTED: (
        "{by_person} says that it is the same system. I'm retrying there now.",
        "Somebody says that it is the same system. I'm retrying there now.",
    ),
    Why.OVERDUE_STILL: (
        "I retried, as {by_person} asked, but it is not gone: {trouble}.",
        "I retried, but it is not gone.",
    ),
    Why.OVERDUE_CHECKING: (
        "{by_person} says that it was removed by hand. I'm checking now.",
        "Somebody says that it was removed by hand. I'm checking now.",
    ),
    Why.OVERDUE_UNCONFIRMED: (
        "{by_person} says that it was removed by hand, but I can't confirm that: {trouble}.",
        "Somebody says that it was removed by hand, but I can't confirm that.",
    ),
    Why.OVERDUE_GONE: (
        "{person}'s *{resource}* ended {gone_at}, {late_s} late.",
        "It ended late.",
    ),
    Why.OVERDUE_KEPT: (
        "{person}'s *{resource}* is no longer overdue, after {late_s}: another of their grants needs the"
        " access.",
        "It is no longer overdue: another grant needs the access.",
    ),
    Why.OVERDUE_SHARED: (
        "{person}'s *{resource}* ended {late_s} late; {other_person} still has this login until {until_at}.",
        "{person}'s *{resource}* ended {late_s} late; {other_person} still has this login.",
        "It ended, but somebody else still has this login.",
    ),
    Why.OVERDUE_MANY: (
        "🚨 {count} grants are overdue: their access should be gone, but I couldn't revoke it.",
        "🚨 Many grants are overdue: their access should be gone, but I couldn't revoke it.",
    ),
    Why.OVERDUE_FEW: (
        "Most of what was overdue is gone. Grants still overdue: {count}.",
        "Most of what was overdue is gone.",
    ),
    Why.VANISHED: (
        "⚠️ Somebody else removed {person}'s {access} while their grant of *{resource}* was live."
        " I granted it again.",
        "⚠️ Somebody else removed access while its grant was live. I granted it again.",
    ),
    Why.LEFT_BY_OTHERS: (
        "⚠️ {person}'s *{resource}* ended, but they still have {access}: {grantor} granted it in the"
        " meantime.",
        "⚠️ Access ended, but the person still has it from somebody else.",
    ),
    Why.SAME_SYSTEM: (
        "⚠️ {target} is the same running server as {other}, so I grant nothing at {target}.",
        "⚠️ Two targets are the same running server, so I grant nothing at the second one.",
    ),
    Why.OWN_REMOVAL: ("You hold this access, so you can't confirm that it was removed.",),
    Why.HAND_REMOVED: (
        "It is no longer at {target}, and Rotakey did not remove it.",
        "It is no longer at the target, and Rotakey did not remove it.",
    ),
    Why.HAND_FOUND: (
        "⚠️ {person}'s *{resource}* is no longer at {target}, and Rotakey did not remove it. I ended the"
        " grant.",
        "⚠️ Access is no longer at its target, and Rotakey did not remove it. I ended the grant.",
    ),
    Why.HAND_AGAIN: (
        "{by_person} approved *{resource}* for {person} again, until {until_at}.",
        "Somebody approved it again.",
    ),
    Why.GIVEN_AGAIN: (
        "⚠️ {target} was restored or failed over, and {person}'s {access} was missing there."
        " I granted it again, because *{resource}* is live.",
        "⚠️ A target was restored or failed over, and access was missing there. I granted it again.",
    ),
    Why.GIVEN_ANEW: ("{by_person} approved it again, as a new grant.", "It was approved again."),
    Why.NOT_AFTER_RESTORE: (
        "It was not at {target} after Redis was restored or restarted.",
        "It was not at the target after Redis was restored or restarted.",
    ),
    Why.MISSING_ONE: (
        "⚠️ {person}'s *{resource}*: {access} is missing right now, and I can't tell why."
        " I have neither ended the grant nor granted it again.",
        "⚠️ Access is missing at its target right now, and I can't tell why.",
    ),
    Why.MISSING_MANY: (
        "⚠️ {count} of {held} entitlements that I granted at {target} are missing there right now."
        " I have neither ended their grants nor granted them again.",
        "⚠️ Access is missing at its target right now.",
    ),
    Why.MISSING_GIVING: ("{by_person} chose to grant it again.", "It is being granted again."),
    Why.MISSING_ENDING: ("{by_person} chose to end it.", "It is being ended."),
    Why.MISSING_GIVEN: ("{by_person} approved again what was missing at {target}.", "Approved again."),
    Why.MISSING_ENDED: ("{by_person} ended what was missing at {target}.", "Ended."),
    Why.MISSING_VOTES: (
        "{by_person} wants it granted again; more approvals needed: {more}.",
        "More approvals are needed.",
    ),
    Why.MISSING_LEFT: (
        "{by_person} couldn't decide on all of it: {count} are left for other approvers.",
        "Other approvers have to decide on the rest.",
    ),
    Why.MISSING_SETTLED: ("Nothing is missing at {target} any more.", "Nothing is missing any more."),
    Why.OWN_AGAIN: ("You can't grant your own access again.",),
    Why.NO_TIME_LEFT: ("No time is left: it would have ended by now.",),
    Why.STRAY: (
        "⚠️ {person}'s account {account} has {what}. I granted that once, and no grant accounts for it now.",
        "⚠️ {account} has {what}. I granted that once, and no grant accounts for it now. "
        "I can't tell whose account it is.",
        "⚠️ There is access that I granted once, and no grant accounts for it now.",
    ),
    Why.STRAY_FORGOTTEN: (
        "⚠️ {person}'s account {account} has {what}. I granted that, and no grant accounts for it now. "
        "Redis came back with older data, so there may have been one.",
        "⚠️ {account} has {what}. I granted that, and no grant accounts for it now. "
        "Redis came back with older data, so there may have been one.",
        "⚠️ There is access that I granted, and no grant accounts for it since Redis came back with older"
        " data.",
    ),
    Why.STRAY_TAKING: (
        "{by_person} chose to remove it. I'm revoking it now.",
        "I'm revoking it now, as the policy says.",
    ),
    Why.STRAY_STUCK: (
        "🚨 I couldn't revoke it yet: {trouble}. I keep trying.",
        "🚨 I couldn't revoke it yet. I keep trying.",
    ),
    Why.STRAY_TAKEN: (
        "Revoked {gone_at}, as {by_person} decided.",
        "Revoked {gone_at}.",
        "Revoked.",
    ),
    Why.STRAY_GONE: ("Somebody else removed it; it was gone {gone_at}.", "Somebody else removed it."),
    Why.STRAY_ADOPTED: (
        "{by_person} made it a grant: {person} has *{resource}* until {until_at}.",
        "It was made a grant.",
    ),
    Why.STRAY_LEFT: (
        "{by_person} left it as it is. I'll ask again only if it goes away and comes back.",
        "It was left as it is. I'll ask again only if it goes away and comes back.",
    ),
    Why.ADOPTED: (
        "It was there without a grant, and {by_person} adopted it.",
        "It was there without a grant, and somebody adopted it.",
    ),
    Why.ALERT_SETTLED: ("{by_person} already settled this.", "This is already settled."),
    Why.SYSTEM_CHANGED: ("I did nothing: the system that answers now is not the one that you were shown.",),
    Why.OWN_SYSTEM: ("You hold this access, so you can't say that it is the same system.",),
    Why.OWN_ACCESS: ("You can't decide on your own access.",),
    Why.NOT_ADOPTABLE: ("This can't be made a grant: it is no longer clear whose it is, or what gives it.",),
    Why.REVOKED_LATELY: (
        "{by_person} revoked *{resource}* from {person}, so no rule or shift gives it back until {until_at}.",
        "*{resource}* was taken away from {person}, so no rule or shift gives it back until {until_at}.",
        "It was revoked, so no rule or shift gives it back yet.",
    ),
    Why.REVOKED_TILL_THEN: (
        "{by_person} revoked *{resource}* from {person}, so nobody can give it back until {until_at}.",
        "*{resource}* was taken away from {person}, so nobody can give it back until {until_at}.",
        "It was revoked, so nobody can give it back yet.",
    ),
    Why.BANNED: (
        "{by_person} revoked everything from {person}: they get no access, and their votes don't count.",
        "Everything was revoked from {person}: they get no access, and their votes don't count.",
        "Security people revoked everything from this person.",
    ),
    Why.FROZEN: (
        "{by_person} froze all automatic access, so no rule or shift gives *{resource}* now.",
        "All automatic access is frozen, so no rule or shift gives *{resource}* now.",
        "All automatic access is frozen.",
    ),
    Why.NOT_SECURITY: ("Only security people can do this.",),
    Why.NO_SECURITY_PEOPLE: ("Only security people can do this, and access.yaml names none.",),
    Why.NOT_BANNED: (
        "{person} is not blocked: rules and approvers can give them access.",
        "This person is not blocked: rules and approvers can give them access.",
    ),
    Why.NOT_FROZEN: ("Automatic access is not frozen.",),
    Why.BAN_SET: (
        "🔒 {by_person} revoked everything from {person}, because “{said}”. Until `/access allow {person}`,"
        " they get no access, and their votes don't count.",
        "🔒 {by_person} revoked everything from {person}. Until `/access allow {person}`, they get no access,"
        " and their votes don't count.",
        "🔒 Everything was revoked from a person.",
    ),
    Why.BAN_OVER: (
        "🔓 {by_person} allowed {person} again: rules and approvers can give them access.",
        "🔓 A person was allowed again.",
    ),
    Why.FREEZE_SET: (
        "🧊 {by_person} froze all automatic access, because “{said}”. Until `/access unfreeze`, no rule or"
        " shift gives access. Live access stays, and approvers can still approve.",
        "🧊 {by_person} froze all automatic access. Until `/access unfreeze`, no rule or shift gives access."
        " Live access stays, and approvers can still approve.",
        "🧊 All automatic access was frozen.",
    ),
    Why.FREEZE_OVER: (
        "{by_person} ended the freeze: rules and shifts give access again.",
        "The freeze is over: rules and shifts give access again.",
    ),
    Why.STRAY_EXPLAINED: ("A grant accounts for it now.",),
    Why.STRAYS_MANY: (
        "🚨 No grant accounts for {count} of the {held} entitlements that I granted at {target}. I don't "
        "revoke that many without asking: I ask about {most} at a time; `rotakey doctor` lists them all. "
        "If Redis was restored or emptied, this is why.",
        "🚨 No grant accounts for {count} of the {held} entitlements that I granted at {target}. "
        "`rotakey doctor` lists them all. If Redis was restored or emptied, this is why.",
        "🚨 No grant accounts for much of the access that I granted. `rotakey doctor` lists it all.",
    ),
    Why.STRAYS_FEW: ("There are no longer that many.",),
    Why.TARGET_UNSWEPT: (
        "{target} is no longer in access.yaml, so I don't look there any more.",
        "The target is no longer in access.yaml, so I don't look there any more.",
    ),
    Why.ROSTER_EMPTY_DOUBTED: (
        "{schedule} suddenly shows nobody on call. I don't believe that: {doubt}.",
        "A schedule suddenly shows nobody on call. I couldn't confirm that, so I keep its last known shifts.",
    ),
    Why.SHIFT_DOUBTED: (
        "Your shift for *{resource}* may have started, but I granted nothing: the newest answer about"
        " {schedule} looks wrong.",
        "Your shift may have started, but I granted nothing: the newest answer about the schedule looks"
        " wrong.",
    ),
    Why.SCHEDULE_UNKNOWN: (
        "⚠️ The on-call service suddenly doesn't know {schedule}. I keep its last known shifts until the"
        " service has said so for ten minutes, or until {until_at} at the latest. Meanwhile, {schedule}"
        " approves nobody and starts nothing.",
        "⚠️ The on-call service suddenly doesn't know a schedule. I keep its last known shifts for now.",
    ),
    Why.SCHEDULE_EMPTY: (
        "⚠️ {schedule} suddenly shows nobody on call. I keep its last known shifts until it has said so for"
        " ten minutes, or until {until_at} at the latest. Meanwhile, {schedule} approves nobody and starts"
        " nothing.",
        "⚠️ A schedule suddenly shows nobody on call. I keep its last known shifts for now.",
    ),
    Why.SCHEDULE_LACKS: (
        "⚠️ {schedule} suddenly shows nobody on call at level {levels}. I keep its last known shifts until it"
        " has said so for ten minutes, or until {until_at} at the latest. Meanwhile, {schedule} approves"
        " nobody and starts nothing.",
        "⚠️ A schedule suddenly shows nobody on call at one level. I keep its last known shifts for now.",
    ),
    Why.SCHEDULE_BELIEVED: (
        "⚠️ The on-call service still says the same about {schedule}, so the shifts known before no longer"
        " count.",
        "⚠️ The on-call service still says the same, so the shifts known before no longer count.",
    ),
    Why.SCHEDULE_WELL: (
        "✅ {schedule} looks right again.",
        "✅ The schedule looks right again.",
    ),
    Why.SCHEDULE_MISSING: (
        "⚠️ The on-call service has no schedule {schedule}, so rules that name it approve nobody.",
        "⚠️ The on-call service does not have a schedule that access.yaml names.",
    ),
    Why.SCHEDULES_MORE: (
        "⚠️ Something is wrong with {count} more schedules of {source}: `rotakey doctor` shows what.",
        "⚠️ Something is wrong with more schedules: `rotakey doctor` shows what.",
    ),
    Why.SOURCE_PARTLY: (
        "⚠️ I haven't been able to read a part of {source} since {since_at}: {trouble}."
        " I still follow its other schedules.",
        "⚠️ I can't read a part of an on-call service.",
    ),
    Why.SOURCE_SILENT: (
        "🚨 I haven't been able to read {source} since {since_at}: {trouble}. Its schedules approve nobody"
        " now. Access by a shift still ends at the last known end.",
        "🚨 I can't read an on-call service. Access by a shift still ends at the last known end.",
    ),
    Why.SOURCE_WELL: ("✅ I can read {source} again.", "✅ I can read the on-call service again."),
    Why.SHIFT_NOT_STARTED: (
        "Your shift for *{resource}* may have started, but I granted nothing: the roster of {schedule} is too"
        " old.",
        "Your shift may have started, but I granted nothing: the roster is too old to rely on.",
    ),
    Why.POLICY_CLOSED: (
        "I can't trust the policy in force, so I grant nothing now. Giving back and revoking still work.",
    ),
    Why.POLICY_CHANGED: (
        "🚨 Somebody changed the policy text in Redis: it no longer matches version {version}."
        " I grant nothing now, and keep revoking by the policy I followed before.",
        "🚨 Somebody changed the policy text in Redis."
        " I grant nothing now, and keep revoking by the policy I followed before.",
    ),
    Why.POLICY_LOST: (
        "🚨 The text of policy {version} is missing from Redis."
        " I grant nothing now, and keep revoking by the policy I followed before.",
        "🚨 The text of the policy in force is missing from Redis."
        " I grant nothing now, and keep revoking by the policy I followed before.",
    ),
    Why.POLICY_FOREIGN: (
        "🚨 The policy in force in Redis, version {version}, belongs to another workspace."
        " I grant nothing now, and keep revoking by the policy I followed before.",
        "🚨 The policy in force in Redis belongs to another workspace."
        " I grant nothing now, and keep revoking by the policy I followed before.",
    ),
    Why.POLICY_UNSIGNED: (
        "🚨 The policy in force in Redis, version {version}, was not signed with our SECRET_KEY."
        " I grant nothing now, and keep revoking by the policy I followed before.",
        "🚨 The policy in force in Redis was not signed with our SECRET_KEY."
        " I grant nothing now, and keep revoking by the policy I followed before.",
    ),
    Why.POLICY_UNREADABLE: (
        "🚨 A process can't read the policy in force, version {version}: {mistake}."
        " It grants nothing, and keeps revoking by the policy it followed before.",
        "🚨 A process can't read the policy in force."
        " It grants nothing, and keeps revoking by the policy it followed before.",
    ),
    Why.POLICY_CAME_BACK: (
        "🚨 Redis came back with policy {version}, but {anchored} was in force before."
        " I grant nothing now, and keep revoking.",
        "🚨 Redis came back with another policy than was in force. I grant nothing now, and keep revoking.",
    ),
    Why.POLICY_NOT_IN_FORCE: (
        "A process started with access.yaml version {file}, but version {version} is in force."
        " I keep using {version}.",
        "A process started with access.yaml version {file}, which was in force before, but no policy is in"
        " force now. I grant nothing.",
        "A process started with an access.yaml that is not in force.",
    ),
    Why.TARGET_ELSEWHERE: (
        "A process reaches {target} at another address than the one in force, because of {variables}."
        " It grants nothing there.",
        "A process reaches {target} at another address than the one in force. It grants nothing there.",
        "A process reaches a target at another address than the one in force. It grants nothing there.",
    ),
    Why.GROUP_MOVED: (
        "{group} in Slack is no longer the group that the policy meant, so it approves nobody."
        " Nobody loses access because of that.",
        "A group in Slack is no longer the one that the policy meant, so it approves nobody."
        " Nobody loses access because of that.",
    ),
    Why.NO_LONGER_GIVEN: ("*{resource}* now gives something else.", "The resource now gives something else."),
    Why.RULE_GONE: (
        "The rule that gave *{resource}* is no longer in the policy.",
        "The rule that gave it is no longer in the policy.",
    ),
    Why.RESTORED: (
        "🚨 Redis came back with older data: its audit once had {anchored}, and now has {found}."
        " I grant nothing new and keep revoking. Grants that are live in it: {live}; don't trust them.",
        "🚨 Redis came back with older data. I grant nothing new and keep revoking.",
    ),
    Why.LIVE_AGAIN: (
        "🚨 {person}'s *{resource}* ended {ended_at}, but is live again in the Redis that came back"
        " ({grant}).",
        "🚨 Something that had ended is live again in the Redis that came back.",
    ),
    Why.CONFIRMED: (
        "What I couldn't confirm did happen: {person}'s *{resource}* is {state}.",
        "What I couldn't confirm did happen. `/access mine` shows how things stand now.",
    ),
    Why.NOT_DONE: ("What I couldn't confirm did not happen: nothing changed.",),
    Why.FAILED_OVER: (
        "🚨 Another Redis server has taken over, and no anchor file says what had ended. I grant nothing now,"
        " and keep revoking. Grants that are live on it: {live}. Some of them may have ended before.",
        "🚨 Another Redis server has taken over. I grant nothing now, and keep revoking.",
    ),
    Why.ENDED_AGAIN: (
        "{person}'s *{resource}* had ended {ended_at}, but was live again on the Redis server that took over,"
        " so I ended it again ({grant}).",
        "Something that had ended was live again on the Redis server that took over, so I ended it again.",
    ),
    Why.ENDED_BEFORE: (
        "It had already ended {ended_at}, but the Redis server that took over had not recorded that.",
        "It had already ended, but the Redis server that took over had not recorded that.",
    ),
    Why.SEALED: (
        "The audit is sealed up to number {seal}. Keep this line to prove later that nothing was changed or"
        " cut off: `{anchor}`",
        "The audit is sealed.",
    ),
}
"""The sentences for each code: the first whose facts are all there is used; the last needs none."""

_MEND_APPROVERS = (
    "A Slack admin can add people to {groups}, or somebody can be put on call for {schedules}."
    " Then request it again.",
    "A Slack admin can add people to {groups}. Then request it again.",
    "Somebody can be put on call for {schedules}. Then request it again.",
    "The people who maintain access.yaml can name more approvers. Then request it again.",
)
NEXT: Mapping[Why, tuple[str, ...]] = {
    Why.PERSON_UNKNOWN: ("Try again in a minute.",),
    Why.PERSON_EXTERNAL: ("Ask a member of this workspace.",),
    Why.PERSON_GUEST: ("Ask a full member of the workspace.",),
    Why.PERSON_BOT: ("A person has to do this.",),
    Why.PERSON_DEACTIVATED: ("A workspace admin can activate the account again.",),
    Why.NO_EMAIL: ("Put the work address into the profile, then try again.",),
    Why.EMAIL_UNCONFIRMED: ("Confirm it in Slack's account settings, then try again.",),
    Why.EMAIL_FOREIGN: ("Put the work address into the Slack profile, then try again.",),
    Why.EMAIL_SHARED: ("A workspace admin has to correct one of the two.",),
    Why.ACCOUNT_CHANGED: (
        "The people who maintain access.yaml have to name the account under people.accounts.",
    ),
    Why.WORKSPACE_UNKNOWN: ("Try again in a minute.",),
    Why.ACCOUNT_TAKEN: (
        "A security person has to say whether they are the same person, or access.yaml has to name the"
        " account under people.accounts. Then request it again.",
    ),
    Why.ACCOUNT_OF_ANOTHER: (
        "The people who maintain access.yaml can name {person}'s account at {target} under people.accounts.",
        "The people who maintain access.yaml can name the right one under people.accounts.",
    ),
    Why.ACCOUNT_CONTESTED: (
        "Until this is answered, nothing changes for {owner_person}, and {person} gets nothing there.",
        "Until this is answered, the account stays with its owner.",
    ),
    Why.ACCOUNT_REHIRED: (
        "Until this is answered, {person} gets nothing there.",
        "Until this is answered, the account is not moved.",
    ),
    Why.ACCOUNT_CLAIMED: ("Somebody else has to answer.",),
    Why.ACCOUNT_MOVED: ("Request access again with `/access request`.",),
    Why.ACCOUNT_KEPT: (
        "The people who maintain access.yaml can name {person}'s account at {target} under people.accounts.",
        "The people who maintain access.yaml can name the right one under people.accounts.",
    ),
    Why.NOT_FOR_ACCOUNTS: ("Ask one of them.",),
    Why.RESOURCE_UNKNOWN: ("`/access list` shows what you can request.",),
    Why.MAY_NOT_ASK: ("`/access list` shows what you can request.",),
    Why.DURATION_UNREADABLE: ("Write it like `45m`, `12h`, `1h30m`, `2d` or `until end of shift`.",),
    Why.DURATION_FRACTION: ("Write it in whole units, like `90m` or `1h30m`.",),
    Why.DURATION_TOO_LONG: ("Choose {max_s} or less.", "Choose less."),
    Why.DURATION_TOO_SHORT: ("Choose {min_s} or more.", "Choose more."),
    Why.NO_SHIFT_TO_END: ("Name a length instead, up to {max_s}.", "Name a length instead."),
    Why.REASON_MISSING: (
        "Write it like this: `/access request {resource} 1h because orders are stuck`.",
        "Write it after `because`.",
    ),
    Why.REASON_TOO_LONG: ("Say it in fewer words.",),
    Why.REASON_PATTERN: ("Request it again with that in the reason.",),
    Why.REASON_UNCHECKED: (
        "Request it again with a shorter reason. If that fails too, the pattern in access.yaml is too slow:"
        " `rotakey check` finds it.",
    ),
    Why.HELD_BY_OTHER: (
        "Ask {by_person} to give it back with `/access done`, then request it again.",
        "Try again later.",
    ),
    Why.TOO_MANY_ASKS: ("Withdraw one with `/access done`, or wait for an answer.",),
    Why.NOT_UNDERSTOOD: (
        "After the resource I understand a length: `/access request {resource} 2h because …`.",
        "`/access help` shows how each command is written.",
    ),
    Why.REASON_UNCLEAR: (
        "Put the reason after `because`, and everything else right after the resource:"
        " `/access request {resource} 2h because …`.",
        "Put the reason after `because`.",
    ),
    Why.DURATION_UNITLESS: ("Write `{text}m` or `{text}h`.", "Write it like `45m` or `12h`."),
    Why.SEVERAL_NOT_YET: (
        "Send one command for each: `/access request {first} …`, then `/access request {second} …`.",
        "Send one command for each.",
    ),
    Why.BEHALF_NOT_YET: (
        "They can send it themselves: `/access request {resource} …`.",
        "They can send it themselves.",
    ),
    Why.START_NOT_YET: (
        "Send `/access request {resource} 2h because …` when you need it."
        " If “{start}” is part of your reason, put `because` before it.",
        "Send the request when you need it.",
    ),
    Why.END_NOT_YET: ("Write a length, like `2h`, or `until end of shift`.",),
    Why.URGENT_NOT_YET: (
        "Send `/access request {resource} …` without “urgent”, and message an approver.",
        "Send it without “urgent”, and message an approver.",
    ),
    Why.VERB_NOT_YET: ("`/access help` shows what I can do.",),
    Why.SEVERAL_HELD: (
        "Name one: `/access revoke {person} {first} because …`, or `all`.",
        "Name one of them, or `all`.",
    ),
    Why.NOTHING_HELD: ("`/access who RESOURCE` shows who has it.",),
    Why.FORM_UNOPENED: (
        "Type `{command}` instead.",
        "Type the command instead: `/access help` shows how.",
    ),
    Why.NOT_ON_CALL: ("Request it again while on call.",),
    Why.NOT_IN_GROUP: ("`/access list` shows what you can request.",),
    Why.NOT_NAMED: ("`/access list` shows what you can request.",),
    Why.ROSTER_MISSING: ("Try again in a minute.",),
    Why.ROSTER_STALE: ("Try again once the on-call service answers.",),
    Why.ROSTER_DOUBTED: ("Check the schedule in the on-call service.",),
    Why.GROUP_MISSING: ("Try again in a minute. If that doesn't help, check the name in access.yaml.",),
    Why.GROUP_STALE: ("Try again once Slack answers.",),
    Why.OWN_REQUEST: ("Another approver can. `/access done` withdraws it.",),
    Why.NOT_AN_APPROVER: ("Ask one of them.",),
    Why.APPROVER_UNCLEAR: ("Try again in a minute.",),
    Why.VOTED_ALREADY: ("It needs somebody else's approval now.",),
    Why.DECIDED_ALREADY: ("Nothing changed.",),
    Why.ASK_LAPSED: ("If it is still needed, it has to be requested again.",),
    Why.GRANT_UNKNOWN: ("`/access who RESOURCE` shows what is open, with ids.",),
    Why.GRANT_OVER: (
        "If it is still needed, request it again: `/access request {resource}`.",
        "If it is still needed, request it again with `/access request`.",
    ),
    Why.NOT_YOURS: ("Only they can do this.",),
    Why.NOTHING_OPEN: ("Nothing changed for {person}.", "`/access mine` shows what you have."),
    Why.SEVERAL_OPEN: ("Name one of them in the command.",),
    Why.CANNOT_EXTEND_FURTHER: ("Extend it later, before it ends.",),
    Why.SHORTER_ONLY: ("Choose a shorter length.",),
    Why.RESOURCE_GONE: ("`/access list` shows what you can request.",),
    Why.TERMS_CHANGED: ("Here they are; decide with the buttons.",),
    Why.VOTE_FELL: ("Its card shows the current terms.",),
    Why.GIVES_OTHER: ("It can be requested again: `/access request {resource}`.", "Request it again."),
    Why.AGREEMENT_FELL: ("It can be requested again: `/access request {resource}`.", "Request it again."),
    Why.BEGAN_TOO_LATE: ("It can be requested again: `/access request {resource}`.", "Request it again."),
    Why.NO_APPROVER: _MEND_APPROVERS,
    Why.TOO_FEW_APPROVERS: _MEND_APPROVERS,
    Why.OVERDUE_MANY: ("I keep trying; `rotakey doctor` shows what is in the way.",),
    Why.OVERDUE: ("I keep trying; please remove it by hand if you can.",),
    Why.VANISHED: (
        "If it should end, use `/access revoke {person} {resource}`.",
        "If it should end, use `/access revoke`.",
    ),
    Why.LEFT_BY_OTHERS: ("I never revoke what others granted. If it should end, revoke it there.",),
    Why.SAME_SYSTEM: (
        "Use one name for it in access.yaml. Access at {target} still ends on time.",
        "Use one name for it in access.yaml. Access there still ends on time.",
    ),
    Why.OWN_REMOVAL: ("Ask somebody else to check and press the button.",),
    Why.HAND_FOUND: ("An approver can grant it again for the time that was left.",),
    Why.MISSING_ONE: ("An approver has to choose: grant it again for the time that is left, or end it.",),
    Why.MISSING_MANY: (
        "An approver has to choose: grant them again for the time that is left, or end them.",
    ),
    Why.OWN_AGAIN: ("Another approver can.",),
    Why.NO_TIME_LEFT: ("It can be requested with `/access request`.",),
    Why.ALERT_SETTLED: ("Nothing changed.",),
    Why.SYSTEM_CHANGED: ("Look at the alert again: it names the one that answers now.",),
    Why.OWN_SYSTEM: ("Another security person can.",),
    Why.OWN_ACCESS: ("Another approver can.",),
    Why.NOT_ADOPTABLE: ("Choose Remove or Leave instead.",),
    Why.REVOKED_LATELY: (
        "`/access request {resource}` asks its approvers, or security people if it has none.",
        "A new request asks its approvers, or security people if it has none.",
    ),
    Why.REVOKED_TILL_THEN: (
        "Request it again then; access.yaml names neither approvers for it nor security people who could"
        " decide sooner.",
    ),
    Why.BANNED: (
        "Security people can end this with `/access allow {person}`.",
        "Security people can end this with `/access allow`.",
    ),
    Why.FROZEN: (
        "If it has approvers, `/access request {resource}` asks them. Security people can end the freeze with"
        " `/access unfreeze`.",
        "Security people can end the freeze with `/access unfreeze`.",
    ),
    Why.NOT_SECURITY: ("Ask one of them.",),
    Why.NO_SECURITY_PEOPLE: ("The people who maintain access.yaml can name them under `security: people:`.",),
    Why.NOT_BANNED: ("Nothing changed.",),
    Why.NOT_FROZEN: ("Nothing changed.",),
    Why.ROSTER_EMPTY_DOUBTED: ("Check the schedule in the on-call service.",),
    Why.POLICY_CLOSED: ("Ask the people who run Rotakey: `rotakey doctor` shows why.",),
    Why.POLICY_CHANGED: (
        "Run `rotakey policy apply FILE` with the access.yaml that you want, and find out who can write to"
        " Redis.",
    ),
    Why.POLICY_LOST: ("Run `rotakey policy apply FILE` with the access.yaml that you want.",),
    Why.POLICY_FOREIGN: (
        "Run `rotakey policy apply FILE` with the access.yaml that you want, and find out who can write to"
        " Redis.",
    ),
    Why.POLICY_UNSIGNED: (
        "If a process with another SECRET_KEY, or with none, put it there, set the same key everywhere and"
        " run `rotakey policy apply FILE` with it. Otherwise find out who can write to Redis first.",
    ),
    Why.POLICY_UNREADABLE: (
        "Correct what it needs there and restart it, or run `rotakey policy apply FILE` with an access.yaml"
        " that it can read.",
    ),
    Why.POLICY_CAME_BACK: ("Run `rotakey policy apply FILE` with the access.yaml that you want.",),
    Why.POLICY_NOT_IN_FORCE: (
        "If you want {file}, run `rotakey policy apply FILE` with it. Otherwise start that process with the"
        " access.yaml that is in force.",
        "If you want it, run `rotakey policy apply FILE` with it. Otherwise start that process with the"
        " access.yaml that is in force.",
    ),
    Why.TARGET_ELSEWHERE: (
        "Set {variables} there as it is elsewhere. If the target has moved, set it everywhere and run"
        " `rotakey policy apply FILE` with it.",
        "Set its variables there as they are elsewhere. If the target has moved, set them everywhere and run"
        " `rotakey policy apply FILE` with them.",
    ),
    Why.GROUP_MOVED: (
        "If it is the right one now, run `rotakey policy apply FILE` with the access.yaml in force. Otherwise"
        " correct it in Slack.",
    ),
    Why.NO_LONGER_GIVEN: ("It can be requested again.",),
    Why.RULE_GONE: ("`/access list` shows what you can request.",),
    Why.RESTORED: (
        "Compare it with who has access at each target, and then run `rotakey doctor --accept-restore`.",
    ),
    Why.LIVE_AGAIN: ("Revoke it with `/access revoke`.",),
    Why.NOT_DONE: ("Please try again.",),
    Why.FAILED_OVER: (
        "Compare them with my messages and with who has access at each target, then run `rotakey doctor"
        " --accept-restore`. If you name a file under `audit: anchor:` in access.yaml, I can compare them"
        " myself next time.",
    ),
    Why.SHIFT_DOUBTED: (
        "If you are on shift, I'll grant it once the schedule looks right again."
        " Until then: `/access request {resource}`.",
        "If you are on shift, I'll grant it once the schedule looks right again."
        " Until then: `/access request`.",
    ),
    Why.SCHEDULE_UNKNOWN: ("Check the schedule in the on-call service.",),
    Why.SCHEDULE_EMPTY: ("Check the schedule in the on-call service.",),
    Why.SCHEDULE_LACKS: ("Check the schedule and its escalation policies in the on-call service.",),
    Why.SCHEDULE_BELIEVED: ("If it is wrong, correct the schedule in the on-call service.",),
    Why.SCHEDULE_MISSING: ("Check the id in access.yaml.",),
    Why.SOURCE_PARTLY: ("`rotakey doctor` shows which schedules are not read.",),
    Why.SOURCE_SILENT: ("Check its status page and its token; `rotakey doctor` tries it.",),
    Why.SHIFT_NOT_STARTED: (
        "Until it is read again: `/access request {resource}`.",
        "Until it is read again: `/access request`.",
    ),
}

NOT_COPIED = "Redis has not copied this to a replica yet: a failover right now might undo it."

STATES: Mapping[str, str] = {
    State.ASKED: "waiting for approval",
    State.APPROVED: "being granted",
    State.ACTIVE: "granted",
    State.ENDING: "being revoked",
    State.ENDED: "ended",
    State.DENIED: "denied",
    State.WITHDRAWN: "withdrawn",
    State.LAPSED: "not decided in time",
    State.WAITING: "approved for later",
    State.ADDED: "approved",
    Answer.REPLACED: "replaced by another request",
}
_DID: Mapping[str, str] = {
    State.APPROVED: "approved",
    State.ACTIVE: "approved",
    State.WAITING: "approved",
    State.ADDED: "approved",
    State.DENIED: "denied",
    State.WITHDRAWN: "withdrew",
}
"""What somebody did to a request that is in this state."""

_OF_PERSON = frozenset(
    {
        Why.ON_CALL,
        Why.NOT_ON_CALL,
        Why.SHIFT_STARTED,
        Why.IN_GROUP,
        Why.NOT_IN_GROUP,
        Why.NAMED,
        Why.NOT_NAMED,
    }
)
"""Facts about a person, whose sentences have no subject."""
_FRESH_S = 300
"""Seconds. A roster that was younger was fresh, so its age is not shown."""


def say(reason: Reason) -> str:
    """Return the fact alone."""
    return _fitting(SENTENCES[reason.why], _spoken_facts(reason))


def trace_line(line: Traced, who: str = "") -> str:
    """Return the fact about a rule that was looked at, with the levels that it names. ``who`` is the subject
    and verb of a fact about a person: *You are*."""
    reason, levels = line.reason, line.rule.partition(" level ")[2]
    if levels and "schedule" in reason.facts and reason.why in _OF_PERSON:
        named = f"{reason.facts['schedule']} (level {spoken.in_words(levels.split(', '), 'or')})"
        reason = replace(reason, facts={**reason.facts, "schedule": named})
    return say_of(reason, who)


def say_of(reason: Reason, who: str) -> str:
    """Return the fact; if it is about a person, with ``who`` as its subject and verb."""
    said = say(reason)
    return f"{who} {spoken.without_capital(said)}" if who and reason.why in _OF_PERSON else said


def refusal(reason: Reason) -> str:
    """Return the fact, and what to do next."""
    steps = NEXT.get(reason.why)
    return f"{say(reason)} {_fitting(steps, _spoken_facts(reason))}" if steps else say(reason)


def facts_in(sentence: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(sentence) if field}


def _fitting(sentences: tuple[str, ...], facts: Mapping[str, str]) -> str:
    fits = next(each for each in sentences if facts_in(each) <= facts.keys())
    return fits.format_map(facts)


def _spoken_facts(reason: Reason) -> dict[str, str]:
    facts = {name: _fact(name, value) for name, value in reason.facts.items()}
    if reason.why is Why.RESOURCE_UNKNOWN:
        known = [each for each in str(reason.facts.get("known", "")).split(", ") if each]
        near = nearest(str(reason.facts.get("name", "")), known)
        facts |= {"near": spoken.in_words([spoken.code(each) for each in near], "or")} if near else {}
    if "state" in facts:
        state = str(reason.facts["state"])
        facts |= {"state": STATES.get(state, facts["state"])}
        facts |= {"did": _DID[state]} if state in _DID else {}
    age = reason.facts.get("age_s")
    if reason.why in _OF_PERSON and isinstance(age, int) and age < _FRESH_S:
        del facts["age_s"]
    return facts


def _fact(name: str, value: str | int) -> str:
    if name.endswith("_at") and isinstance(value, int):
        return spoken.when(value)
    if name.endswith("_s") and isinstance(value, int):
        return spoken.lasting(value)
    if name == "person" or name.endswith("_person"):
        return spoken.person(str(value))
    return spoken.safe_text(str(value))
