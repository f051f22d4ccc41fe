"""What happens by design when the clock of Redis itself is wrong, or is set: the one clock that decides."""

from datetime import timedelta

from bot.worker.watchdog import OWED_EVERY
from tests.clocks.conftest import Clocks
from tests.clocks.test_apart import (
    HOUR,
    MINUTE,
    end_of,
    goes_by_redis,
    goes_with_its_lease,
    redis_time,
    stands_in,
)
from tests.e2e.deployment import ADA, DAN, Town, until

NIGHT = "pagerduty/PNIGHT"


def test_all_goes_by_it_also_where_every_other_clock_is_apart_from_it(town: Town, clocks: Clocks) -> None:
    clocks.redis.step(5 * MINUTE)
    now = redis_time(town)
    assert now - town.second() > timedelta(minutes=4)
    start, end = (now.replace(microsecond=0) + timedelta(seconds=ahead) for ahead in (3, 4))
    town.pager.override("PNIGHT", DAN, start, end)
    goes_by_redis(town, ADA, "Redis has a time of its own")
    stands_in(town, start, end)


def test_set_forward_it_ends_leases_earlier_by_as_much(town: Town, clocks: Clocks) -> None:
    town.types(ADA, "request prod-db 1h because this ends too early")
    town.types(ADA, "request workbench 4h because this is cut by an hour")
    town.sees(ADA, "this ends too early", "You have *prod-db* until TIME.")
    town.sees(ADA, "this is cut by an hour", "You have *workbench* until TIME.")
    until(town.quiet)
    clocks.redis.step(HOUR)
    town.sees(ADA, "this ends too early", "Your *prod-db* ended TIME. Time is up.")
    assert (town.members("orders_rw"), town.members("scratch")) == (set(), {"ada"})


def test_set_back_it_ends_leases_later_by_as_much_until_it_is_put_right(town: Town, clocks: Clocks) -> None:
    town.types(ADA, "request prod-db 2s because this ends too late")
    end = end_of(town, "this ends too late")
    town.has("orders_rw", "ada")
    ends_in = (end - redis_time(town)).total_seconds()
    clocks.redis.step(-HOUR)
    until(lambda: (end - redis_time(town)).total_seconds() > HOUR)  # Redis looks at its clock now and then
    assert (end - redis_time(town)).total_seconds() <= HOUR + ends_in
    assert town.live(town.grant("this ends too late").id)
    clocks.redis.step(HOUR)
    goes_with_its_lease(town, "orders_rw", end)


def test_set_back_it_still_lets_people_give_back_at_once_and_hears_workers(
    town: Town, clocks: Clocks
) -> None:
    town.types(ADA, "request prod-db 1h because the clock goes back")
    town.has("orders_rw", "ada")
    clocks.redis.step(-HOUR)
    town.types(ADA, "done prod-db")
    town.has("orders_rw")
    condition = town.ledger.condition()
    assert condition.beat
    assert condition.beat <= condition.now
    clocks.redis.step(HOUR)


def test_set_back_rosters_are_read_again_within_seconds_and_count(town: Town, clocks: Clocks) -> None:
    assert town.roster(NIGHT).read_at
    clocks.redis.step(-HOUR)
    until(lambda: town.roster(NIGHT).read_at > redis_time(town))
    until(lambda: town.roster(NIGHT).read_at <= redis_time(town), 2 * OWED_EVERY)
    now = redis_time(town).replace(microsecond=0)
    town.pager.override("PNIGHT", DAN, now, now + timedelta(hours=2))
    until(lambda: any(shift.person == DAN for shift in town.roster(NIGHT).shifts), 2 * OWED_EVERY)
    clocks.redis.step(HOUR)
