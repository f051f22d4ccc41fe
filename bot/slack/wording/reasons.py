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
    Why.PERSON_UNKNOWN: ("Slack has not told me yet who this person is.",),
    Why.PERSON_EXTERNAL: (
        "{person} belongs to another workspace, and access is only for members of this one.",
        "Access is only for members of this workspace.",
    ),
    Why.PERSON_GUEST: (
        "{person} is a guest here, and guests can neither ask nor approve.",
        "Guests can neither ask nor approve.",
    ),
    Why.PERSON_BOT: (
        "{person} is a bot, and bots can neither ask nor approve.",
        "Bots can neither ask nor approve.",
    ),
    Why.PERSON_DEACTIVATED: ("{person} is deactivated in Slack.", "This person is deactivated in Slack."),
    Why.NO_EMAIL: (
        "The Slack profile of {person} shows no usable email address.",
        "The Slack profile shows no usable email address.",
    ),
    Why.EMAIL_UNCONFIRMED: (
        "The email address of {person} is not confirmed in Slack.",
        "The email address is not confirmed in Slack.",
    ),
    Why.EMAIL_FOREIGN: (
        "The email address of {person} is not at {domains}.",
        "The email address is not at an allowed domain.",
    ),
    Why.EMAIL_SHARED: (
        "Somebody else in Slack has the same email address as {person}, so it names nobody.",
        "Two people in Slack have this email address, so it names nobody.",
    ),
    Why.ACCOUNT_CHANGED: (
        "The account of {person} at {target} was {was}, but the email address in Slack is another one now.",
        "The email address in Slack is no longer the one that was used before.",
    ),
    Why.WORKSPACE_UNKNOWN: ("I cannot tell yet which workspace I belong to, because Slack does not answer.",),
    Why.ACCOUNT_TAKEN: (
        "{person} would use the account {account} at {target}, but {owner_person} has used it since"
        " {since_at}.",
        "{person} would use the account {account} at {target}, but {owner_person} has used it before.",
        "The account at the target is somebody else's.",
    ),
    Why.ACCOUNT_OF_ANOTHER: (
        "The account {account} at {target} is {owner_person}'s, not {person}'s.",
        "The account at the target is somebody else's.",
    ),
    Why.ACCOUNT_CONTESTED: (
        "⚠️ {person} has the email address {account}, and wants to use the account of that name at {target}."
        " {owner_person} has used it since {since_at}. Are they the same person?",
        "⚠️ {person} has the email address {account}, and wants to use the account of that name at {target}."
        " {owner_person} has used it before. Are they the same person?",
        "⚠️ Two people claim one account.",
    ),
    Why.ACCOUNT_REHIRED: (
        "⚠️ {person} has the email address {account}, and wants to use the account of that name at {target}."
        " It was {owner_person}'s, who is deactivated in Slack. Are they the same person, re-hired?",
        "⚠️ Somebody claims the account of a person who is deactivated in Slack.",
    ),
    Why.ACCOUNT_MOVED: (
        "{by_person} says that {person} and {owner_person} are the same person: {account} at {target} is"
        " {person}'s now.",
        "They are the same person: the account was moved.",
    ),
    Why.ACCOUNT_KEPT: (
        "{by_person} says that {person} is not {owner_person}: {account} at {target} stays {owner_person}'s.",
        "They are not the same person: the account stays whose it was.",
    ),
    Why.ACCOUNT_SETTLED: (
        "It is settled whose {account} at {target} is, without an answer here.",
        "It is settled whose the account is, without an answer here.",
    ),
    Why.ACCOUNT_CLAIMED: ("You are one of the two people that this is about.",),
    Why.NOT_FOR_ACCOUNTS: ("Only security people can say whose an account is, and you are not one of them.",),
    Why.RESOURCE_UNKNOWN: (
        "There is no resource {name}. Did you mean {near}?",
        "There is no resource {name}.",
        "There is no such resource.",
    ),
    Why.MAY_NOT_ASK: ("Not allowed to ask for *{resource}*.", "Not allowed to ask for this."),
    Why.DURATION_UNREADABLE: (
        "I cannot read “{text}” as a length of time.",
        "I cannot read this length of time.",
    ),
    Why.DURATION_FRACTION: ("“{text}” is a fraction.", "The length is a fraction."),
    Why.DURATION_TOO_LONG: (
        "{asked_s} is too long: {max_s} is the most.",
        "This is longer than allowed.",
    ),
    Why.DURATION_TOO_SHORT: (
        "{asked_s} is too short: {min_s} is the least.",
        "This is shorter than allowed.",
    ),
    Why.NO_SHIFT_TO_END: (
        "No shift counts for *{resource}* right now, so it has no end to wait for.",
        "There is no shift right now.",
    ),
    Why.REASON_MISSING: ("A reason is missing.",),
    Why.REASON_TOO_LONG: ("The reason is longer than {most} characters.", "The reason is too long."),
    Why.REASON_PATTERN: ("The reason must contain {wanted}.", "The reason is not of the wanted form."),
    Why.REASON_UNCHECKED: ("I could not check in time whether the reason has what is wanted.",),
    Why.HELD_BY_OTHER: (
        "Only one person may have *{resource}*, and {by_person} has it until {until_at}.",
        "Only one person may have *{resource}*, and {by_person} has it.",
        "Only one person may have *{resource}*, and somebody has it until {until_at}.",
        "Only one person may have *{resource}*, and somebody has it.",
        "Only one person may have this, and somebody has it.",
    ),
    Why.TOO_MANY_ASKS: (
        "You already have {most} requests waiting.",
        "You already have too many requests waiting.",
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
        "Access can't start later yet (“{start}”), so I did nothing.",
        "Access can't start later yet, so I did nothing.",
    ),
    Why.END_NOT_YET: (
        "I can't take a time to end at yet (“{end}”), so I did nothing.",
        "I can't take a time to end at yet, so I did nothing.",
    ),
    Why.URGENT_NOT_YET: ("Requests can't be marked as urgent yet, so I did nothing.",),
    Why.VERB_NOT_YET: (
        "`/access {verb}` is not there yet, so I did nothing.",
        "This command is not there yet, so I did nothing.",
    ),
    Why.SEVERAL_HELD: (
        "{person} has several: {names}. I did nothing.",
        "This person has several. I did nothing.",
    ),
    Why.NOTHING_HELD: ("This person has nothing that you may see.",),
    Why.FORM_UNOPENED: ("If no form opened, nothing has happened yet.",),
    Why.ON_CALL: (
        "On call for {schedule}, level {levels}, until {until_at}; the roster was read {age_s} ago.",
        "On call for {schedule}, level {levels}; the roster was read {age_s} ago.",
        "On call for {schedule} until {until_at}; the roster was read {age_s} ago.",
        "On call for {schedule}; the roster was read {age_s} ago.",
        "On call.",
    ),
    Why.NOT_ON_CALL: (
        "Not on call for {schedule}, level {levels}; the roster was read {age_s} ago.",
        "Not on call for {schedule}; the roster was read {age_s} ago.",
        "Not on call.",
    ),
    Why.IN_GROUP: ("In {group}.", "In the group."),
    Why.NOT_IN_GROUP: ("Not in {group}.", "Not in the group."),
    Why.ROSTER_MISSING: (
        "The roster of {schedule} has not been read yet.",
        "The roster has not been read yet.",
    ),
    Why.ROSTER_STALE: (
        "The roster of {schedule} was last read {age_s} ago, which is too old to go by.",
        "The roster of {schedule} was read before the clock of Redis was set back, so its age is unknown.",
        "The roster is too old to go by.",
    ),
    Why.ROSTER_DOUBTED: (
        "The newest answer about {schedule} looks wrong, so I do not go by it.",
        "The newest answer about the schedule looks wrong.",
    ),
    Why.GROUP_MISSING: (
        "The members of {group} could not be read.",
        "The members of the group could not be read.",
    ),
    Why.GROUP_STALE: (
        "The members of {group} were last read {age_s} ago, which is too old to go by.",
        "The members of {group} were read before the clock of Redis was set back, so their age is unknown.",
        "The members of the group were read too long ago to go by.",
    ),
    Why.SHIFT_STARTED: (
        "On shift for {schedule}, level {levels}, until {until_at}; the roster was read {age_s} ago.",
        "On shift for {schedule} until {until_at}; the roster was read {age_s} ago.",
        "On shift for {schedule}; the roster was read {age_s} ago.",
        "The shift has started.",
    ),
    Why.EVERYONE: ("Open to every full member of the workspace.",),
    Why.NAMED: ("Named in the policy.",),
    Why.NOT_NAMED: ("Not named in the policy.",),
    Why.APPROVERS_ASKED: ("Asked approvers of *{resource}* for more time.", "Approvers decide."),
    Why.DENIED: ("{said}", "No reason was given."),
    Why.OWN_REQUEST: ("You can't decide about your own request.",),
    Why.NOT_AN_APPROVER: (
        "Only approvers of *{resource}* can do this, and you are not one of them.",
        "Only approvers can do this, and you are not one of them.",
    ),
    Why.APPROVER_UNCLEAR: ("I cannot tell right now whether you may approve this.",),
    Why.VOTED_ALREADY: ("You already approved this.",),
    Why.DECIDED_ALREADY: (
        "{by_person} already decided this: it is {state}.",
        "This is already decided: it is {state}.",
        "This is already decided.",
    ),
    Why.ASK_LAPSED: ("Nobody decided in time.",),
    Why.GRANT_UNKNOWN: ("There is nothing here called {grant}.", "I do not know this one."),
    Why.GRANT_OVER: ("The access to *{resource}* is over.", "This access is over."),
    Why.NOT_YOURS: ("This belongs to somebody else.",),
    Why.NOTHING_OPEN: ("Nothing is open for {which}.", "You have nothing open."),
    Why.SEVERAL_OPEN: ("You have several open: {names}.", "You have several open."),
    Why.CANNOT_EXTEND_FURTHER: (
        "It already ends as late as it may: {max_s} from now is the most.",
        "It already ends as late as it may.",
    ),
    Why.SHORTER_ONLY: (
        "Approvers can give less than what was asked for, never more: that was {asked_s}.",
        "Approvers can give less than what was asked for, never more.",
    ),
    Why.RESOURCE_GONE: ("*{resource}* is no longer in the policy.", "This is no longer in the policy."),
    Why.TERMS_CHANGED: ("Nothing is decided, because you have not been shown exactly what it is now.",),
    Why.VOTE_FELL: (
        "What {person} requests has changed since you approved *{resource}*, so your approval no longer"
        " counts.",
        "What was requested has changed since you approved it, so your approval no longer counts.",
    ),
    Why.GIVES_OTHER: (
        "*{resource}* gives something else now than what you have.",
        "It gives something else now than what you have.",
    ),
    Why.EXTENDED: (
        "{by_person} approved more time: you have *{resource}* until {until_at}.",
        "More time is approved for *{resource}*.",
        "More time is approved.",
    ),
    Why.EXTENSION_DENIED: (
        "{by_person} denied more time: {said}. *{resource}* ends {until_at}, as before.",
        "{by_person} denied more time. *{resource}* ends {until_at}, as before.",
        "More time is denied. It ends as before.",
    ),
    Why.AGREEMENT_FELL: (
        "What was agreed for *{resource}* no longer holds: who approved it may not approve it now, or it"
        " gives something else.",
        "What was agreed no longer holds.",
    ),
    Why.BEGAN_TOO_LATE: (
        "The time that was agreed for *{resource}* was over before it could begin.",
        "The time that was agreed was over before it could begin.",
    ),
    Why.NO_APPROVER: (
        "Nobody else can approve *{resource}* now: no other active member is in {groups}, or comes on call"
        " for {schedules} in time.",
        "Nobody else can approve *{resource}* now: {groups} has no other active member.",
        "Nobody else can approve *{resource}* now: nobody else comes on call for {schedules} in time.",
        "Nobody else can approve *{resource}* now.",
        "Nobody else can approve this now.",
    ),
    Why.TOO_FEW_APPROVERS: (
        "*{resource}* needs {needed} approvals, and only {count} in {groups} or on call for {schedules} can"
        " give one.",
        "*{resource}* needs {needed} approvals, and only {count} in {groups} can give one now.",
        "*{resource}* needs {needed} approvals, and only {count} on call for {schedules} can give one.",
        "*{resource}* needs {needed} approvals, and only {count} can be given now.",
        "This needs more approvals than can be given now.",
    ),
    Why.EXPIRED: ("Time is up.",),
    Why.GIVEN_BACK: ("Given back.",),
    Why.REVOKED: ("Revoked by {by_person}: {said}", "Revoked by {by_person}.", "Revoked."),
    Why.SHIFT_OVER: ("The shift is over.",),
    Why.COULD_NOT_GIVE: ("It could not be given.",),
    Why.OVERDUE: (
        "🚨 *{resource}* of {person} has been overdue since {since_at} and could not be revoked: {trouble}.",
        "🚨 *{resource}* of {person} is overdue and could not be revoked.",
        "Overdue: it could not be taken back.",
    ),
    Why.OVERDUE_AGAIN: (
        "🚨 Still overdue, for {late_s} now: *{resource}* of {person}. {trouble}.",
        "🚨 Still overdue, for {late_s} now: *{resource}* of {person}.",
        "🚨 Still overdue.",
    ),
    Why.OVERDUE_TRYING: ("{by_person} asked me to try again: I'm trying now.", "I'm trying now."),
    Why.OVERDUE_ACCEPTED: (
        "{by_person} says that it is the same system: I'm trying there now.",
        "Somebody says that it is the same system: I'm trying there now.",
    ),
    Why.OVERDUE_STILL: (
        "Tried, as {by_person} wanted, and it is not gone: {trouble}.",
        "Tried, and it is not gone.",
    ),
    Why.OVERDUE_CHECKING: (
        "{by_person} says that it was removed by hand: I am looking.",
        "Somebody says that it was removed by hand: I am looking.",
    ),
    Why.OVERDUE_UNCONFIRMED: (
        "{by_person} says that it was removed by hand, but I do not see it gone: {trouble}.",
        "Somebody says that it was removed by hand, but I do not see it gone.",
    ),
    Why.OVERDUE_GONE: ("Gone {gone_at}, after {late_s} overdue: *{resource}* of {person}.", "Gone."),
    Why.OVERDUE_KEPT: (
        "No longer overdue, after {late_s}: another grant of {person} keeps *{resource}*.",
        "No longer overdue: another grant keeps it.",
    ),
    Why.OVERDUE_SHARED: (
        "*{resource}* of {person} ended, after {late_s} overdue; {other_person} still has this login until"
        " {until_at}.",
        "*{resource}* of {person} ended, after {late_s} overdue; {other_person} still has this login.",
        "It ended, and somebody else still has this login.",
    ),
    Why.OVERDUE_MANY: (
        "🚨 {count} grants are overdue: their access should be gone and could not be revoked.",
        "🚨 Many grants are overdue: their access should be gone and could not be revoked.",
    ),
    Why.OVERDUE_FEW: (
        "Most of what was overdue is gone: {count} still overdue.",
        "Most of what was overdue is gone.",
    ),
    Why.VANISHED: (
        "⚠️ Somebody else took {access} from {person} while their grant of *{resource}* was live."
        " I gave it again.",
        "⚠️ Somebody else took an access while its grant was live. I gave it again.",
    ),
    Why.LEFT_BY_OTHERS: (
        "⚠️ *{resource}* of {person} ended, but they still have {access}: {grantor} granted it meanwhile.",
        "⚠️ Access ended, but the person still has it from somebody else.",
    ),
    Why.SAME_SYSTEM: (
        "⚠️ {target} is the same running server as {other}, so I grant nothing at {target}.",
        "⚠️ Two targets are the same running server, so I grant nothing at the second one.",
    ),
    Why.OWN_REMOVAL: ("You hold this access, so you can't confirm that it was removed.",),
    Why.HAND_REMOVED: (
        "It is no longer at {target}, and it was not Rotakey.",
        "It is no longer at the target, and it was not Rotakey.",
    ),
    Why.HAND_FOUND: (
        "⚠️ *{resource}* of {person} is no longer at {target}, and it was not Rotakey. I ended it.",
        "⚠️ Access is no longer at its target, and it was not Rotakey. I ended it.",
    ),
    Why.HAND_AGAIN: (
        "{by_person} granted *{resource}* to {person} again, until {until_at}.",
        "Somebody granted it again.",
    ),
    Why.GIVEN_AGAIN: (
        "⚠️ {target} was restored or failed over, and {access} of {person} was not there any more."
        " I granted it again, because *{resource}* is live.",
        "⚠️ A target was restored or failed over, and access was not there any more. I granted it again.",
    ),
    Why.GIVEN_ANEW: ("{by_person} granted it again: see the new card.", "It was granted again."),
    Why.NOT_AFTER_RESTORE: (
        "It was not at {target} after Redis was restored or restarted.",
        "It was not at the target after Redis was restored or restarted.",
    ),
    Why.MISSING_ONE: (
        "⚠️ *{resource}* of {person}: {access} is missing right now, and I cannot tell why."
        " I have neither ended it nor granted it again.",
        "⚠️ Access is not at its target right now, and I cannot tell why.",
    ),
    Why.MISSING_MANY: (
        "⚠️ {count} of {held} holds at {target} are missing there right now."
        " I have neither ended them nor granted them again.",
        "⚠️ Access is not at its target right now.",
    ),
    Why.MISSING_GIVING: ("{by_person} wants it granted again.", "It is being granted again."),
    Why.MISSING_ENDING: ("{by_person} wants it ended.", "It is being ended."),
    Why.MISSING_GIVEN: ("{by_person} granted again what was missing at {target}.", "Granted again."),
    Why.MISSING_ENDED: ("{by_person} ended what was missing at {target}.", "Ended."),
    Why.MISSING_VOTES: (
        "{by_person} wants it granted again; more approvals needed: {more}.",
        "More approvals are needed.",
    ),
    Why.MISSING_LEFT: (
        "{by_person} could not decide about all of it: {count} are left for other approvers.",
        "Other approvers have to decide about the rest.",
    ),
    Why.MISSING_SETTLED: ("Nothing that is held at {target} is missing any more.", "Nothing is missing."),
    Why.OWN_AGAIN: ("You can't grant your own access again.",),
    Why.NO_TIME_LEFT: ("Its time would be over by now.",),
    Why.STRAY: (
        "⚠️ {account}, the account of {person}, has {what}. I gave that once, and no grant explains it now.",
        "⚠️ {account} has {what}. I gave that once, and no grant explains it now. "
        "I cannot tell whose account it is.",
        "⚠️ There is access that I gave once, and no grant explains it now.",
    ),
    Why.STRAY_FORGOTTEN: (
        "⚠️ {account}, the account of {person}, has {what}. I gave that, and no grant explains it now. "
        "Redis came back older than it was, so there may have been one.",
        "⚠️ {account} has {what}. I gave that, and no grant explains it now. "
        "Redis came back older than it was, so there may have been one.",
        "⚠️ There is access that I gave, and no grant explains it since Redis came back older than it was.",
    ),
    Why.STRAY_TAKING: (
        "{by_person} wants it removed: I am taking it back.",
        "I am taking it back, as the policy says.",
    ),
    Why.STRAY_STUCK: (
        "🚨 It could not be taken back yet: {trouble}. I keep trying.",
        "🚨 It could not be taken back yet. I keep trying.",
    ),
    Why.STRAY_TAKEN: (
        "Taken back, as {by_person} wanted: seen gone {gone_at}.",
        "Taken back: seen gone {gone_at}.",
        "Taken back.",
    ),
    Why.STRAY_GONE: ("Seen gone {gone_at}: somebody else took it away.", "Somebody else took it away."),
    Why.STRAY_ADOPTED: (
        "{by_person} made it a grant: {person} has *{resource}* until {until_at}.",
        "It was made a grant.",
    ),
    Why.STRAY_LEFT: (
        "{by_person} leaves it as it is. I ask again only if it goes away and comes back.",
        "It is left as it is. I ask again only if it goes away and comes back.",
    ),
    Why.ADOPTED: (
        "It was there without a grant, and {by_person} adopted it.",
        "It was there without a grant, and was adopted.",
    ),
    Why.ALERT_SETTLED: ("{by_person} has settled this already.", "This is settled already."),
    Why.SYSTEM_CHANGED: ("Nothing has changed: another system answers by now than the one you were shown.",),
    Why.OWN_SYSTEM: ("You hold this access, so you can't say that it is the same system.",),
    Why.OWN_ACCESS: ("Nobody decides about their own access.",),
    Why.NOT_ADOPTABLE: ("This cannot be made a grant: its owner, or what gives it, is no longer clear.",),
    Why.REVOKED_LATELY: (
        "{by_person} revoked *{resource}* from {person}, so no rule and no shift gives it back until"
        " {until_at}.",
        "*{resource}* was taken away from {person}, so no rule and no shift gives it back until {until_at}.",
        "It was revoked, so no rule and no shift gives it back yet.",
    ),
    Why.REVOKED_TILL_THEN: (
        "{by_person} revoked *{resource}* from {person}, so it is not given back until {until_at}.",
        "*{resource}* was taken away from {person}, so it is not given back until {until_at}.",
        "It was revoked, so it is not given back yet.",
    ),
    Why.BANNED: (
        "{by_person} revoked everything from {person}: nothing is given to {person}, and their votes do not"
        " count.",
        "Everything was revoked from {person}: nothing is given to {person}, and their votes do not count.",
        "Security people revoked everything from this person.",
    ),
    Why.FROZEN: (
        "{by_person} froze all automatic access, so no rule and no shift gives *{resource}* now.",
        "All automatic access is frozen, so no rule and no shift gives *{resource}* now.",
        "All automatic access is frozen.",
    ),
    Why.NOT_SECURITY: ("Only security people can do this, and you are not one of them.",),
    Why.NO_SECURITY_PEOPLE: ("Only security people can do this, and access.yaml names none.",),
    Why.NOT_BANNED: (
        "Not everything is revoked from {person}: rules and approvers can give them access.",
        "Rules and approvers can give this person access.",
    ),
    Why.NOT_FROZEN: ("Automatic access is not frozen.",),
    Why.BAN_SET: (
        "🔒 {by_person} revoked everything from {person}, because “{said}”. Until `/access allow {person}`"
        " nothing is given to {person}, and their votes do not count.",
        "🔒 {by_person} revoked everything from {person}. Until `/access allow {person}` nothing is given to"
        " {person}, and their votes do not count.",
        "🔒 Everything was revoked from a person.",
    ),
    Why.BAN_OVER: (
        "🔓 {by_person} allowed {person} again: rules and approvers can give them access.",
        "🔓 A person was allowed again.",
    ),
    Why.FREEZE_SET: (
        "🧊 {by_person} froze all automatic access, because “{said}”. Until `/access unfreeze` no rule and no"
        " shift gives anything. What is live stays, and approvers still decide.",
        "🧊 {by_person} froze all automatic access. Until `/access unfreeze` no rule and no shift gives"
        " anything. What is live stays, and approvers still decide.",
        "🧊 All automatic access was frozen.",
    ),
    Why.FREEZE_OVER: (
        "{by_person} ended the freeze: rules and shifts give access again.",
        "The freeze is over: rules and shifts give access again.",
    ),
    Why.STRAY_EXPLAINED: ("A grant explains it now.",),
    Why.STRAYS_MANY: (
        "🚨 Of {held} entitlements that I granted at {target}, no grant accounts for {count}. I do not "
        "revoke that many without asking: I ask about {most} at a time; `rotakey doctor` lists them all. "
        "If Redis was restored or emptied, this is why.",
        "🚨 Of {held} entitlements that I granted at {target}, no grant accounts for {count}. "
        "`rotakey doctor` lists them all. If Redis was restored or emptied, this is why.",
        "🚨 No grant accounts for much of the access that I gave. `rotakey doctor` lists it all.",
    ),
    Why.STRAYS_FEW: ("There are no longer that many.",),
    Why.TARGET_UNSWEPT: (
        "{target} is no longer in access.yaml, so I do not look there any more.",
        "The target is no longer in access.yaml, so I do not look there any more.",
    ),
    Why.ROSTER_EMPTY_DOUBTED: (
        "{schedule} suddenly shows nobody on call. I do not believe that: {doubt}.",
        "A schedule suddenly shows nobody on call. I could not confirm that, so the last known shifts stand.",
    ),
    Why.SHIFT_DOUBTED: (
        "Your shift for *{resource}* may have started. I granted nothing: the newest answer about {schedule}"
        " looks wrong.",
        "Your shift may have started. I granted nothing: the newest answer about the schedule looks wrong.",
    ),
    Why.SCHEDULE_UNKNOWN: (
        "⚠️ {schedule} is suddenly unknown to the on-call service. The last known shifts stand until it has"
        " said so for ten minutes, or until {until_at} at most. Meanwhile {schedule} approves nobody and"
        " starts nothing.",
        "⚠️ A schedule is suddenly unknown to the on-call service. The last known shifts stand for now.",
    ),
    Why.SCHEDULE_EMPTY: (
        "⚠️ {schedule} suddenly shows nobody on call. The last known shifts stand until it has said so for ten"
        " minutes, or until {until_at} at most. Meanwhile {schedule} approves nobody and starts nothing.",
        "⚠️ A schedule suddenly shows nobody on call. The last known shifts stand for now.",
    ),
    Why.SCHEDULE_LACKS: (
        "⚠️ {schedule} suddenly shows nobody on call at level {levels}. The last known shifts stand until it"
        " has said so for ten minutes, or until {until_at} at most. Meanwhile {schedule} approves nobody and"
        " starts nothing.",
        "⚠️ A schedule suddenly shows nobody on call at one level. The last known shifts stand for now.",
    ),
    Why.SCHEDULE_BELIEVED: (
        "⚠️ The on-call service still says the same about {schedule}, so the shifts known before no longer"
        " count.",
        "⚠️ The on-call service still says the same, so the shifts known before no longer count.",
    ),
    Why.SCHEDULE_WELL: (
        "✅ {schedule} reads well again.",
        "✅ The schedule reads well again.",
    ),
    Why.SCHEDULE_MISSING: (
        "⚠️ The on-call service has no schedule {schedule}, so no rule that names it says yes.",
        "⚠️ The on-call service does not have a schedule that access.yaml names.",
    ),
    Why.SCHEDULES_MORE: (
        "⚠️ And {count} more schedules of {source}: `rotakey doctor` says what is wrong with each.",
        "⚠️ And more schedules: `rotakey doctor` says what is wrong with each.",
    ),
    Why.SOURCE_PARTLY: (
        "⚠️ A part of {source} could not be read since {since_at}: {trouble}."
        " Its other schedules are followed.",
        "⚠️ A part of an on-call service cannot be read.",
    ),
    Why.SOURCE_SILENT: (
        "🚨 {source} could not be read since {since_at}: {trouble}. Nobody is approved by its schedules now."
        " Access by a shift still ends at the last known end.",
        "🚨 An on-call service cannot be read. Access by a shift still ends at the last known end.",
    ),
    Why.SOURCE_WELL: ("✅ {source} can be read again.", "✅ The on-call service can be read again."),
    Why.SHIFT_NOT_STARTED: (
        "Your shift for *{resource}* may have started. I granted nothing: the roster of {schedule} is too"
        " old.",
        "Your shift may have started. I granted nothing: the roster is too old to go by.",
    ),
    Why.POLICY_CLOSED: (
        "I cannot trust the policy in force, so I grant nothing now. Giving back and revoking still work.",
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
        "🚨 A process cannot read the policy in force, version {version}: {mistake}."
        " It grants nothing, and keeps revoking by the policy it followed before.",
        "🚨 A process cannot read the policy in force."
        " It grants nothing, and keeps revoking by the policy it followed before.",
    ),
    Why.POLICY_CAME_BACK: (
        "🚨 Redis came back with policy {version}, and {anchored} was in force before."
        " I grant nothing now, and keep revoking.",
        "🚨 Redis came back with another policy than was in force. I grant nothing now, and keep revoking.",
    ),
    Why.POLICY_NOT_IN_FORCE: (
        "A process started with access.yaml version {file}, and version {version} is in force."
        " I go on with that.",
        "A process started with access.yaml version {file}, which was in force before, and no policy is in"
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
        " Nobody loses access by it.",
        "A group in Slack is no longer the one that the policy meant, so it approves nobody."
        " Nobody loses access by it.",
    ),
    Why.NO_LONGER_GIVEN: ("*{resource}* gives something else now.", "The resource gives something else now."),
    Why.RULE_GONE: (
        "The rule that gave *{resource}* is no longer in the policy.",
        "The rule that gave it is no longer in the policy.",
    ),
    Why.RESTORED: (
        "🚨 Redis came back older than it was: it once had {anchored} of the audit, and now has {found}."
        " I grant nothing new and keep revoking. What is live in it ({live}) is not to be trusted.",
        "🚨 Redis came back older than it was. I grant nothing new and keep revoking.",
    ),
    Why.LIVE_AGAIN: (
        "🚨 *{resource}* of {person} was ended {ended_at}, and is live again in the Redis that came back"
        " ({grant}).",
        "🚨 Something that was ended is live again in the Redis that came back.",
    ),
    Why.CONFIRMED: (
        "The action I could not confirm went through: *{resource}* of {person} is {state}.",
        "The action I could not confirm went through. `/access mine` shows how things stand now.",
    ),
    Why.NOT_DONE: ("The action I could not confirm did not go through: nothing changed.",),
    Why.FAILED_OVER: (
        "🚨 Another Redis server has taken over, and no anchor file says what had ended. I grant nothing now,"
        " and keep revoking. Grants that are live on it: {live}. Some of them may have ended before.",
        "🚨 Another Redis server has taken over. I grant nothing now, and keep revoking.",
    ),
    Why.ENDED_AGAIN: (
        "*{resource}* of {person} had ended {ended_at}, but was live again on the Redis server that took"
        " over, so I ended it again ({grant}).",
        "Something that had ended was live again on the Redis server that took over, so I ended it again.",
    ),
    Why.ENDED_BEFORE: (
        "It had already ended {ended_at}, but the Redis server that took over had not recorded that.",
        "It had already ended, but the Redis server that took over had not recorded that.",
    ),
    Why.SEALED: (
        "The audit is sealed up to number {seal}. Whoever keeps this line can prove later that nothing was"
        " changed or cut off: `{anchor}`",
        "The audit is sealed.",
    ),
}
"""The sentences for each code: the first whose facts are all there is used; the last needs none."""

_MEND_APPROVERS = (
    "A Slack admin can add people to {groups}, and whoever keeps the schedule {schedules} can put somebody on"
    " call. Then ask again.",
    "A Slack admin can add people to {groups}. Then ask again.",
    "Whoever keeps the schedule {schedules} can put somebody on call. Then ask again.",
    "Whoever keeps access.yaml can name more approvers. Then ask again.",
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
    Why.ACCOUNT_CHANGED: ("Whoever keeps access.yaml has to name the account under people.accounts.",),
    Why.WORKSPACE_UNKNOWN: ("Try again in a minute.",),
    Why.ACCOUNT_TAKEN: (
        "A security person has to say whether they are the same person, or access.yaml has to name the"
        " account under people.accounts. Then ask again.",
    ),
    Why.ACCOUNT_OF_ANOTHER: (
        "Ask whoever keeps access.yaml to name an account of {person} at {target} under people.accounts.",
        "Ask whoever keeps access.yaml to name the right one under people.accounts.",
    ),
    Why.ACCOUNT_CONTESTED: (
        "What they hold goes on, and until this is answered {person} gets nothing there.",
        "What they hold goes on.",
    ),
    Why.ACCOUNT_REHIRED: (
        "Until this is answered {person} gets nothing there.",
        "It is not moved until this is answered.",
    ),
    Why.ACCOUNT_CLAIMED: ("Somebody else has to answer.",),
    Why.ACCOUNT_MOVED: ("Ask again with `/access request`.",),
    Why.ACCOUNT_KEPT: (
        "Whoever keeps access.yaml can name an account of {person} at {target} under people.accounts.",
        "Whoever keeps access.yaml can name the right one under people.accounts.",
    ),
    Why.NOT_FOR_ACCOUNTS: ("Ask one of them.",),
    Why.RESOURCE_UNKNOWN: ("`/access list` shows what you may ask for.",),
    Why.MAY_NOT_ASK: ("`/access list` shows what you may ask for.",),
    Why.DURATION_UNREADABLE: ("Write it like `45m`, `12h`, `1h30m`, `2d` or `until end of shift`.",),
    Why.DURATION_FRACTION: ("Write it in whole units, like `90m` or `1h30m`.",),
    Why.DURATION_TOO_LONG: ("Ask for {max_s} or less.", "Ask for less."),
    Why.DURATION_TOO_SHORT: ("Ask for {min_s} or more.", "Ask for more."),
    Why.NO_SHIFT_TO_END: ("Name a length instead, up to {max_s}.", "Name a length instead."),
    Why.REASON_MISSING: (
        "Write it like this: `/access request {resource} 1h because orders are stuck`.",
        "Write it behind `because`.",
    ),
    Why.REASON_TOO_LONG: ("Say it in fewer words.",),
    Why.REASON_PATTERN: ("Ask again with that in the reason.",),
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
        "Behind the resource I understand a length: `/access request {resource} 2h because …`.",
        "`/access help` shows how each command is written.",
    ),
    Why.REASON_UNCLEAR: (
        "Put the reason behind `because`, and all else right behind the resource:"
        " `/access request {resource} 2h because …`.",
        "Put the reason behind `because`.",
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
        "Send `/access request {resource} …` without “urgent”, and tell an approver.",
        "Send it without “urgent”, and tell an approver.",
    ),
    Why.VERB_NOT_YET: ("`/access help` shows what is.",),
    Why.SEVERAL_HELD: (
        "Name one: `/access revoke {person} {first} because …`, or `all`.",
        "Name one of them, or `all`.",
    ),
    Why.NOTHING_HELD: ("`/access who` with a resource's name shows who has it.",),
    Why.FORM_UNOPENED: (
        "Type `{command}` instead.",
        "Type the command instead: `/access help` shows how.",
    ),
    Why.NOT_ON_CALL: ("Ask again while on call.",),
    Why.NOT_IN_GROUP: ("Ask somebody who is, or see `/access list`.",),
    Why.NOT_NAMED: ("See `/access list`.",),
    Why.ROSTER_MISSING: ("Try again in a minute.",),
    Why.ROSTER_STALE: ("Try again once the on-call service answers.",),
    Why.ROSTER_DOUBTED: ("Check the schedule in the on-call service.",),
    Why.GROUP_MISSING: ("Try again in a minute; if it stays so, check the name in access.yaml.",),
    Why.GROUP_STALE: ("Try again once Slack answers.",),
    Why.OWN_REQUEST: ("Another approver can; `/access done` withdraws it.",),
    Why.NOT_AN_APPROVER: ("Ask one of them.",),
    Why.APPROVER_UNCLEAR: ("Try again in a minute.",),
    Why.VOTED_ALREADY: ("Now somebody else has to.",),
    Why.DECIDED_ALREADY: ("Nothing has changed by this.",),
    Why.ASK_LAPSED: ("Ask again if it is still needed.",),
    Why.GRANT_UNKNOWN: ("`/access who` with a resource's name shows what is open, with its id.",),
    Why.GRANT_OVER: ("Ask again with `/access request {resource}`.", "Ask again with `/access request`."),
    Why.NOT_YOURS: ("Only its holder can do this.",),
    Why.NOTHING_OPEN: ("`/access mine` shows what you have.",),
    Why.SEVERAL_OPEN: ("Name one of them in the command.",),
    Why.CANNOT_EXTEND_FURTHER: ("Extend it later, before it ends.",),
    Why.SHORTER_ONLY: ("Choose a shorter length.",),
    Why.RESOURCE_GONE: ("`/access list` shows what you may ask for.",),
    Why.TERMS_CHANGED: ("These are the terms now; decide with the buttons.",),
    Why.VOTE_FELL: ("Its card shows the terms now.",),
    Why.GIVES_OTHER: ("Request it again: `/access request {resource}`.", "Request it again."),
    Why.AGREEMENT_FELL: ("Request it again: `/access request {resource}`.", "Request it again."),
    Why.BEGAN_TOO_LATE: ("Request it again: `/access request {resource}`.", "Request it again."),
    Why.NO_APPROVER: _MEND_APPROVERS,
    Why.TOO_FEW_APPROVERS: _MEND_APPROVERS,
    Why.OVERDUE_MANY: ("I keep trying; `rotakey doctor` says what stands in the way.",),
    Why.OVERDUE: ("I keep trying; please remove it by hand if you can.",),
    Why.VANISHED: (
        "If it is to end, use `/access revoke {person} {resource}`.",
        "If it is to end, use `/access revoke`.",
    ),
    Why.LEFT_BY_OTHERS: ("I never revoke what others granted. Revoke it there if it should end.",),
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
    Why.OWN_AGAIN: ("Another approver has to.",),
    Why.NO_TIME_LEFT: ("Request it with `/access request`.",),
    Why.ALERT_SETTLED: ("Nothing has changed by this.",),
    Why.SYSTEM_CHANGED: ("Look at the alert again: it names the one that answers now.",),
    Why.OWN_SYSTEM: ("Another of the security people has to.",),
    Why.OWN_ACCESS: ("Another approver has to.",),
    Why.NOT_ADOPTABLE: ("Choose Remove or Leave instead.",),
    Why.REVOKED_LATELY: (
        "`/access request {resource}` asks its approvers, or security people if it has none.",
        "A new request asks its approvers, or security people if it has none.",
    ),
    Why.REVOKED_TILL_THEN: (
        "Request it again then: access.yaml names neither approvers for it nor security people.",
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
    Why.NO_SECURITY_PEOPLE: ("Whoever keeps access.yaml can name them under `security: people:`.",),
    Why.NOT_BANNED: ("Nothing has changed.",),
    Why.NOT_FROZEN: ("Nothing has changed.",),
    Why.ROSTER_EMPTY_DOUBTED: ("Check the schedule in the on-call service.",),
    Why.POLICY_CLOSED: ("Ask the people who run Rotakey: `rotakey doctor` says why.",),
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
    Why.NO_LONGER_GIVEN: ("Request it again.",),
    Why.RULE_GONE: ("`/access list` shows what you may ask for.",),
    Why.RESTORED: (
        "Compare it with who has access at each target, and then run `rotakey doctor --accept-restore`.",
    ),
    Why.LIVE_AGAIN: ("Take it away with `/access revoke`.",),
    Why.NOT_DONE: ("Please try again.",),
    Why.FAILED_OVER: (
        "Compare them with my messages and with who has access at each target, then run `rotakey doctor"
        " --accept-restore`. If you name a file under `audit: anchor:` in access.yaml, I can compare them"
        " myself next time.",
    ),
    Why.SHIFT_DOUBTED: (
        "It starts once the schedule reads well again. Until then: `/access request {resource}`.",
        "It starts once the schedule reads well again. Until then: `/access request`.",
    ),
    Why.SCHEDULE_UNKNOWN: ("Check the schedule in the on-call service.",),
    Why.SCHEDULE_EMPTY: ("Check the schedule in the on-call service.",),
    Why.SCHEDULE_LACKS: ("Check the schedule and its escalation policies in the on-call service.",),
    Why.SCHEDULE_BELIEVED: ("If it is wrong, correct the schedule in the on-call service.",),
    Why.SCHEDULE_MISSING: ("Check the id in access.yaml.",),
    Why.SOURCE_PARTLY: ("`rotakey doctor` says which schedules are not read.",),
    Why.SOURCE_SILENT: ("Check its status page and its token; `rotakey doctor` tries it.",),
    Why.SHIFT_NOT_STARTED: (
        "Ask with `/access request {resource}`.",
        "Ask with `/access request`.",
    ),
}


NOT_COPIED = "Redis has not copied this to a replica yet: a failover right now might undo it."


_STATES: Mapping[str, str] = {
    State.ASKED: "waiting for approval",
    State.APPROVED: "being granted",
    State.ACTIVE: "granted",
    State.ENDING: "being revoked",
    State.ENDED: "ended",
    State.DENIED: "denied",
    State.WITHDRAWN: "withdrawn",
    State.LAPSED: "not decided in time",
    State.WAITING: "agreed",
    State.ADDED: "approved",
    Answer.REPLACED: "replaced by another one",
}


def say(reason: Reason) -> str:
    """Return the fact alone."""
    return _fitting(SENTENCES[reason.why], _spoken_facts(reason))


def trace_line(line: Traced) -> str:
    """Return the fact about a rule that was looked at, with the levels that it names."""
    named = line.rule.partition(" level ")[2]
    levels = spoken.in_words(named.split(", "), "or")
    return say(replace(line.reason, facts={**line.reason.facts, "levels": levels}) if named else line.reason)


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
    if reason.why is Why.CONFIRMED and "state" in facts:
        facts["state"] = _STATES.get(str(reason.facts["state"]), facts["state"])
    return facts


def _fact(name: str, value: str | int) -> str:
    if name.endswith("_at") and isinstance(value, int):
        return spoken.when(value)
    if name.endswith("_s") and isinstance(value, int):
        return spoken.lasting(value)
    if name == "person" or name.endswith("_person"):
        return spoken.person(str(value))
    return spoken.safe_text(str(value))
