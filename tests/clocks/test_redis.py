"""The clock of Redis, the one that decides, is wrong or is set: the consequences are those of the design."""

from datetime import timedelta

from bot.testing.polling import until
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
from tests.e2e.rig import ADA, DAN, Rig

NIGHT = "pagerduty/PNIGHT"


def test_all_goes_by_it_also_where_every_other_clock_is_apart_from_it(rig: Rig, clocks: Clocks) -> None:
    clocks.redis.step(5 * MINUTE)
    now = redis_time(rig)
    assert now - rig.second() > timedelta(minutes=4)
    start, end = (now.replace(microsecond=0) + timedelta(seconds=ahead) for ahead in (3, 4))
    rig.pager.override("PNIGHT", DAN, start, end)
    goes_by_redis(rig, ADA, "Redis has a time of its own")
    stands_in(rig, start, end)


def test_set_forward_it_ends_leases_earlier_by_as_much(rig: Rig, clocks: Clocks) -> None:
    rig.types(ADA, "request prod-db 1h because this ends too early")
    rig.types(ADA, "request workbench 4h because this is cut by an hour")
    rig.sees(ADA, "this ends too early", "You have *prod-db* until TIME.")
    rig.sees(ADA, "this is cut by an hour", "You have *workbench* until TIME.")
    until(rig.quiet)
    clocks.redis.step(HOUR)
    rig.sees(ADA, "this ends too early", "Your *prod-db* ended TIME: time is up.")
    assert (rig.members("orders_rw"), rig.members("scratch")) == (set(), {"ada"})


def test_set_back_it_ends_leases_later_by_as_much_until_it_is_put_right(rig: Rig, clocks: Clocks) -> None:
    rig.types(ADA, "request prod-db 2s because this ends too late")
    end = end_of(rig, "this ends too late")
    rig.has("orders_rw", "ada")
    ends_in = (end - redis_time(rig)).total_seconds()
    clocks.redis.step(-HOUR)
    until(lambda: (end - redis_time(rig)).total_seconds() > HOUR)  # Redis looks at its clock now and then
    assert (end - redis_time(rig)).total_seconds() <= HOUR + ends_in
    assert rig.live(rig.grant("this ends too late").id)
    clocks.redis.step(HOUR)
    goes_with_its_lease(rig, "orders_rw", end)


def test_set_back_it_still_lets_people_give_back_at_once_and_hears_workers(rig: Rig, clocks: Clocks) -> None:
    rig.types(ADA, "request prod-db 1h because the clock goes back")
    rig.has("orders_rw", "ada")
    clocks.redis.step(-HOUR)
    rig.types(ADA, "done prod-db")
    rig.has("orders_rw")
    condition = rig.ledger.condition()
    assert condition.beat
    assert condition.beat <= condition.now
    clocks.redis.step(HOUR)


def test_set_back_rosters_are_read_again_within_seconds_and_count(rig: Rig, clocks: Clocks) -> None:
    assert rig.roster(NIGHT).read_at
    clocks.redis.step(-HOUR)
    until(lambda: rig.roster(NIGHT).read_at > redis_time(rig))
    until(lambda: rig.roster(NIGHT).read_at <= redis_time(rig), 2 * OWED_EVERY)
    now = redis_time(rig).replace(microsecond=0)
    rig.pager.override("PNIGHT", DAN, now, now + timedelta(hours=2))
    until(lambda: any(shift.person == DAN for shift in rig.roster(NIGHT).shifts), 2 * OWED_EVERY)
    clocks.redis.step(HOUR)
