"""A shift gives access from its start to its end, also to a person who takes it over."""

from bot.testing.polling import until
from tests.e2e.rig import ADA, DAN, Rig

HAS = "You're on call. You have *night-shift* until TIME."
OVER = "Your *night-shift* ended TIME: the shift is over."


def test_dan_stands_in_for_some_seconds_and_then_ada_goes_on(rig: Rig) -> None:
    rig.has("night_ro", "ada")
    start, end = rig.second(ahead=3), rig.second(ahead=5)
    rig.types(ADA, "request night-db 1h because the night is long")
    rig.sees(ADA, "the night is long", "You have *night-db* until TIME.")
    told = rig.dm(DAN).count(OVER)
    rig.pager.override("PNIGHT", DAN, start, end)
    rig.has("night_ro", "dan", within=8)
    assert start <= rig.second() < end
    rig.sees(ADA, "the night is long", "Your *night-db* ended TIME: the shift is over.")
    assert rig.members("night_rw") == set()
    until(lambda: HAS in rig.dm(DAN))
    rig.has("night_ro", "ada", within=8)
    assert end <= rig.second()
    until(lambda: rig.dm(DAN).count(OVER), expected=told + 1)


def test_a_shift_that_is_handed_over_takes_its_access_along(rig: Rig) -> None:
    rig.has("night_ro", "ada")
    rig.types(ADA, "request night-db 12h because of a long repair")
    rig.sees(ADA, "of a long repair", "You have *night-db* until TIME.")
    handed = rig.pager.hand_over("PNIGHT", DAN, rig.second())
    rig.has("night_ro", "dan", within=8)
    rig.has("night_rw", within=8)
    rig.sees(ADA, "of a long repair", "Your *night-db* ended TIME: the shift is over.")
    assert rig.dm(ADA).count(OVER) >= 1
    assert rig.types(DAN, "request night-db 1h because it is mine now").startswith("You get *night-db*")
    rig.has("night_rw", "dan")
    rig.pager.end_override("PNIGHT", handed, rig.second())
    rig.has("night_rw", within=8)
    rig.has("night_ro", "ada", within=8)
