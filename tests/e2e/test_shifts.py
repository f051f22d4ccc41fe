"""The shift itself gives access: at its start, until its end, and to whoever it is handed over to."""

from tests.e2e.deployment import ADA, DAN, Town, until

HAS = "You are on call. You have *night-shift* until TIME."
OVER = "Your *night-shift* ended TIME. The shift is over."


def test_dan_stands_in_for_some_seconds_and_then_ada_goes_on(town: Town) -> None:
    town.has("night_ro", "ada")
    start, end = town.second(ahead=3), town.second(ahead=5)
    town.types(ADA, "request night-db 1h because the night is long")
    town.sees(ADA, "the night is long", "You have *night-db* until TIME.")
    told = town.dm(DAN).count(OVER)
    town.pager.override("PNIGHT", DAN, start, end)
    town.has("night_ro", "dan", within=8)
    assert start <= town.second() < end
    town.sees(ADA, "the night is long", "Your *night-db* ended TIME. The shift is over.")
    assert town.members("night_rw") == set()
    until(lambda: HAS in town.dm(DAN))
    town.has("night_ro", "ada", within=8)
    assert end <= town.second()
    until(lambda: town.dm(DAN).count(OVER), expected=told + 1)


def test_a_shift_that_is_handed_over_takes_its_access_along(town: Town) -> None:
    town.has("night_ro", "ada")
    town.types(ADA, "request night-db 12h because of a long repair")
    town.sees(ADA, "of a long repair", "You have *night-db* until TIME.")
    handed = town.pager.hand_over("PNIGHT", DAN, town.second())
    town.has("night_ro", "dan", within=8)
    town.has("night_rw", within=8)
    town.sees(ADA, "of a long repair", "Your *night-db* ended TIME. The shift is over.")
    assert town.dm(ADA).count(OVER) >= 1
    assert town.types(DAN, "request night-db 1h because it is mine now").startswith("You get *night-db*")
    town.has("night_rw", "dan")
    town.pager.end_override("PNIGHT", handed, town.second())
    town.has("night_rw", within=8)
    town.has("night_ro", "ada", within=8)
