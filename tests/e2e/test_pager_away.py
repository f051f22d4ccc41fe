"""While PagerDuty is down or wrong, old facts let nobody in, and wrong ones cut nobody off."""

from bot.testing.polling import until
from tests.e2e.rig import ADA, DAN, DB_ACCESS, SECURITY, Rig

STALE = "The roster of forgetful/PREPORTS was N seconds old, which is too old to rely on."


def test_by_a_roster_gone_stale_nobody_is_approved_but_people_are_asked(rig: Rig) -> None:
    answer = rig.types(ADA, "request reports-db 1h because it is still fresh")
    assert answer.startswith("You get *reports-db* until TIME (1 hour): ")
    rig.has("reports", "ada")
    with rig.pager_is(down=True):
        until(lambda: roster_age(rig) > 2)
        answer = rig.types(DAN, "request reports-db 1h because of the month's end")
        assert answer.startswith(f"Requested *reports-db* for 1 hour. {STALE}")
        card = rig.card(DB_ACCESS, "of the month's end")
        assert rig.lines(card.blocks)[3] == f"Why this needs approval: {STALE}"
        assert rig.members("reports") == {"ada"}


def roster_age(rig: Rig) -> float:
    return rig.sandbox.observer.clock() - rig.roster("forgetful/PREPORTS").read_at.timestamp()


def test_access_ends_at_the_last_known_end_of_the_shift(rig: Rig) -> None:
    rig.has("night_ro", "ada")
    end = rig.second(ahead=4)
    rig.pager.override("PNIGHT", DAN, rig.second(), end)
    rig.has("night_ro", "dan", within=8)
    with rig.pager_is(down=True):
        until(lambda: rig.members("night_ro") != {"dan"}, 8)
        assert rig.second() >= end
        rig.has("night_ro", "ada", within=8)


def test_one_wrong_empty_answer_cuts_nobody_and_security_hears_of_it(rig: Rig) -> None:
    rig.has("night_ro", "ada")
    doubt = (
        "⚠️ pagerduty/PNIGHT suddenly shows nobody on call. I keep its last known shifts until it has said so"
        " for ten minutes, or until TIME at the latest. Meanwhile, pagerduty/PNIGHT approves nobody and"
        " starts nothing. Check the schedule in the on-call service."
    )
    before = sum(each.what == "ending" for each in rig.entries())
    with rig.pager_is(unseen=frozenset({"PNIGHT"})):
        until(lambda: doubt in [rig.read(each.text) for each in rig.slack.messages(SECURITY)])
        assert rig.members("night_ro") == {"ada"}
    assert sum(each.what == "ending" for each in rig.entries()) == before
