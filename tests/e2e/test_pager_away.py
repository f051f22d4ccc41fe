"""PagerDuty is down, or wrong: nobody is let in by old news, and nobody is cut off by bad news."""

from tests.e2e.deployment import ADA, DAN, DB_ACCESS, SECURITY, Town, until

STALE = "The roster of forgetful/PREPORTS was last read N seconds ago, which is too old to go by."


def test_by_a_roster_gone_stale_nobody_is_approved_but_people_are_asked(town: Town) -> None:
    answer = town.types(ADA, "request reports-db 1h because it is still fresh")
    assert answer.startswith("You get *reports-db* until TIME.")
    town.has("reports", "ada")
    with town.pager_is(down=True):
        until(lambda: roster_age(town) > 2)
        answer = town.types(DAN, "request reports-db 1h because of the month's end")
        assert answer.startswith(f"Asked for *reports-db* for 1 hour. {STALE}")
        card = town.card(DB_ACCESS, "of the month's end")
        assert town.lines(card.blocks)[3:5] == ["Why this needs approval:", f"· {STALE}"]
        assert town.members("reports") == {"ada"}


def roster_age(town: Town) -> float:
    return town.sandbox.watch.clock() - town.roster("forgetful/PREPORTS").read_at.timestamp()


def test_access_ends_at_the_last_known_end_of_the_shift(town: Town) -> None:
    town.has("night_ro", "ada")
    end = town.second(ahead=4)
    town.pager.override("PNIGHT", DAN, town.second(), end)
    town.has("night_ro", "dan", within=8)
    with town.pager_is(down=True):
        until(lambda: town.members("night_ro") != {"dan"}, 8)
        assert town.second() >= end
        town.has("night_ro", "ada", within=8)


def test_one_wrong_empty_answer_cuts_nobody_and_security_hears_of_it(town: Town) -> None:
    town.has("night_ro", "ada")
    doubt = (
        "⚠️ pagerduty/PNIGHT suddenly shows nobody on call. The last known shifts stand until it has said so"
        " for ten minutes, or until TIME at most. Meanwhile pagerduty/PNIGHT approves nobody and starts"
        " nothing. Check the schedule in the on-call service."
    )
    before = sum(each.what == "ending" for each in town.entries())
    with town.pager_is(unseen=frozenset({"PNIGHT"})):
        until(lambda: doubt in [town.read(each.text) for each in town.slack.messages(SECURITY)])
        assert town.members("night_ro") == {"ada"}
    assert sum(each.what == "ending" for each in town.entries()) == before
