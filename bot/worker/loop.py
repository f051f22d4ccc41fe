"""The one loop: claim what is due, do it on threads, write the outcome. Any number may run at once.

``bot.worker.admission`` decides which job gets a thread.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter as Metric
from prometheus_client import Gauge, Histogram

from bot.core.errors import Conflict, Misconfigured, PermanentFailure, TemporaryFailure
from bot.core.holds import backoff
from bot.ports.changes import Change, Claim, Claims, Done, Order
from bot.ports.deadline import Deadline
from bot.ports.ledger import CLAIM_SECONDS, Ledger, Queue
from bot.usecases.job import CALL_SECONDS, Job
from bot.worker.admission import ALARMS, REDIS, TARGET, Admission, Use, World, dependency

log = structlog.get_logger(__name__)

SHARE = 8
"""The most threads that wait for one thing."""
BATCH_SIZE = 32
"""Jobs in one batch, for each thread of a lane's share."""
WORKS_FOR = 0.0005
"""Seconds of our own work on one job of a batch, approximately."""
FLOOD_FOR = 1.5
"""Seconds after a claim of the largest size during which everything else gets only its own threads:
approximately the time that it takes to do that many jobs."""
FLOOD_PAUSE = 0.01
"""Seconds from one claim to the next during that time."""
TRUSTED_FOR = 2.0
"""Seconds. A dependency that has not answered a call for this long may hang by now, so one thread tries it
first."""
LEFT_FOR = timedelta(seconds=1)
"""The pause for a claim that got no thread after all."""
FINISH_WITHIN = 25.0
"""Seconds that a worker which was stopped waits for jobs under way: longer than any call may take."""
SERVED = 32
"""The number of lanes remembered as served."""
SLEEP_AT_MOST = 1.0
RENEW_EVERY = 1.0
REDIS_AWAY_PAUSE = 0.5
LONGEST_PAUSE = 300
UNKNOWN_PAUSE = timedelta(minutes=5)
BACKOFF_AT_MOST = {
    "card": 10,
    "alert": 10,
    "note": 10,
    "home": 10,
    "roster": 60,
    "workspace": 10,
    "groups": 30,
    "people": 30,
    "seal": 30,
}
"""The longest pause in seconds; five minutes for all other kinds. Messages held back by an outage go out soon
after its end."""

NOBODYS_FAULT = ("conflict", "handed back")
WITHIN = (REDIS, ALARMS)
"""The names of those that wait for nothing outside."""

JOBS = Metric("rotakey_turns_total", "Jobs done, by kind and outcome", ["kind", "outcome"])
LAG = Histogram("rotakey_due_lag_seconds", "Seconds from when a job was due to when it started", ["kind"])
RUNNING = Gauge("rotakey_running", "Jobs running now")
STUCK = Gauge("rotakey_stuck", "Threads in a call that did not return by its deadline")

Duty = Callable[[Job], None]


class Batches(Protocol):
    """A way to do many due jobs of a kind at once; each of them waits for one target. Threads share it."""

    def do(self, jobs: Sequence[Job], *, hurry: bool) -> Sequence[Job]:
        """Do these jobs, and return those that are left for the kind's duty. In a ``hurry``, when more are
        waiting than can be claimed, it may delay writing down the results by a few seconds."""
        ...

    def waits(self, lane: str) -> float:
        """Return the seconds for which one of them waits for others, approximately: as last seen."""
        ...

    def pressing(self, lane: str) -> bool:
        """Return whether most of what was last claimed for the lane could not wait."""
        ...

    def behind(self) -> Sequence[Job]:
        """Return the jobs that are done, and not written down yet. Their claims are kept."""
        ...

    def catch_up(self) -> None:
        """Write all of that down."""
        ...


@dataclass(eq=False)
class _Task:
    """The jobs that one thread does in turn, which all wait for the same thing."""

    jobs: Sequence[Job]

    @property
    def lane(self) -> str:
        return self.jobs[0].claim.lane

    @property
    def awaits(self) -> str:
        return dependency(self.jobs[0].claim.member)

    @property
    def late(self) -> bool:
        return any(job.late for job in self.jobs)

    @property
    def stuck(self) -> bool:
        """Return whether somebody else may have claimed this by now."""
        return max(job.deadline.at for job in self.jobs) + CLAIM_SECONDS < time.monotonic()


class Worker:
    """The loop that claims what is due and does it on threads.

    ``duties`` has what to do for each kind of job. A duty closes its claim itself; an exception from it is
    logged, and the job is due again later: TemporaryFailure and PermanentFailure with growing pauses, and so
    is anything unforeseen. ``batches`` has a way to do many of a kind at once. ``nothing_owed`` is called
    when the due set is empty. ``world`` says what is waited for outside, and is called again and again.
    """

    def __init__(
        self,
        queue: Queue,
        ledger: Ledger,
        duties: Mapping[str, Duty],
        batches: Mapping[str, Batches] | None = None,
        nothing_owed: Callable[[], None] = lambda: None,
        world: Callable[[], World] = World,
    ) -> None:
        self.queue, self.ledger = queue, ledger
        self.duties = duties
        self.batches = batches or {}
        self.nothing_owed = nothing_owed
        self.world = world
        self._known = World()
        self.share = SHARE
        self._tasks: set[_Task] = set()
        self._stuck: set[_Task] = set()
        self._met: dict[str, int] = {}
        self._answered: dict[str, float] = {}
        self._served: dict[str, None] = {}
        self._flood = Deadline.after(0)
        self._catching_up = threading.Lock()
        self._lock = threading.Lock()
        self.last_round = time.monotonic()
        """The last time the loop came round with its threads alive, on this process's monotonic clock."""
        self._told_to_stop = False
        self._finished = threading.Event()
        self._stir = threading.Event()

    def stop(self) -> None:
        """Claim nothing more; running jobs are finished. Returns at once, and the loop sees it within a
        second. Safe in a signal handler, because it waits for no lock."""
        self._told_to_stop = True

    @property
    def idle(self) -> bool:
        return not self._tasks

    def run(self) -> None:
        """Work until ``stop``. If Redis is away, wait until it is back."""
        side = [
            threading.Thread(target=each, daemon=True, name=each.__name__)
            for each in (self._listen, self._renew)
        ]
        for thread in side:
            thread.start()
        try:
            while not self._told_to_stop:
                self._stir.clear()
                pause = self._round()
                if all(thread.is_alive() for thread in side):
                    self.last_round = time.monotonic()
                self._stir.wait(pause)
                if self._in_flood:
                    self._finished.wait(FLOOD_PAUSE)
            self._finish()
        finally:
            self._finished.set()
        for thread in side:
            thread.join(timeout=2 * SLEEP_AT_MOST)

    def _finish(self) -> None:
        """Wait for running jobs, up to FINISH_WITHIN. Calls that have not returned by then are left: their
        claims run out, and another worker takes them."""
        latest = Deadline.after(FINISH_WITHIN)
        while not (self.idle or latest.is_over):
            self._stir.clear()
            if not self.idle:
                self._stir.wait(min(latest.seconds_left(), SLEEP_AT_MOST))
        with self._lock:
            left = [task.jobs[0].claim.member for task in self._tasks]
        if left:
            log.critical("calls abandoned", members=sorted(left))
        self._catch_up()

    def _round(self) -> float:
        """Report calls that hang, then claim and start what is due. Return for how long there is nothing to
        claim, at most a second."""
        with self._lock:
            stuck = {task for task in self._tasks if task.stuck}
        for task in stuck - self._stuck:
            log.critical(
                "call stuck past its deadline",
                member=task.jobs[0].claim.member,
                waits_for=task.awaits,
                to_do="restart this process",
            )
        self._stuck = stuck
        STUCK.set(len(stuck))

        try:
            pause = self._start_batches() if self.batches else SLEEP_AT_MOST
            if not self._in_flood and self._behind() and not self._catching_up.locked():
                self._on_thread(self._catch_up)
            return min(pause, self._start_others())
        except TemporaryFailure as failure:
            log.warning("redis unreachable", error=str(failure))
            return REDIS_AWAY_PAUSE

    # ---------------------------------------------------------------------------------- who gets a thread

    def _admission(self) -> Admission:
        world = self.world()
        if world != self._known:
            self._known = world
            try:
                world.demand()
            except Misconfigured as mistake:
                log.critical("more threads than WORKER_THREADS", mistakes=str(mistake))
        with self._lock:
            tasks = list(self._tasks)
            own = {**self._met, **world.own}
            lately = time.monotonic() - TRUSTED_FOR
            answered = {name for name, at in self._answered.items() if at > lately}
        busy = Counter(task.awaits for task in tasks)
        stuck = Counter(task.awaits for task in tasks if task.stuck)
        late = {task.awaits for task in tasks if task.late}
        uses = {
            name: Use(
                busy=busy[name],
                stuck=stuck[name],
                trusted=name not in late and (name in WITHIN or name in answered),
            )
            for name in own.keys() | busy.keys()
        }
        threads = max(world.threads, sum(own.values()))
        return Admission(threads=threads, share=self.share, own=own, uses=uses)

    # ------------------------------------------------------------------------------------- many at once

    def _start_batches(self) -> float:
        """Claim what can be done together, in batches of sizes as equal as possible."""
        now, most = self._admission(), self.share * BATCH_SIZE
        rooms = {}
        for lane in self._lanes(self.batches, now):
            threads = sum(self._batch_threads(lane, now))
            # with fewer threads each gets a larger batch; one that is not trusted gets one job per thread
            size = self.share * BATCH_SIZE // self._width(lane) if now.trusts(_name(lane)) else 1
            rooms[lane] = threads * size
        busy = {lane: most - room for lane, room in rooms.items() if room < most}
        asked_at = Deadline.after(0)
        found = self.queue.claim(sum(rooms.values()) + most, most, busy, tuple(self.batches))
        lanes: dict[str, list[Job]] = {}
        for job in self._jobs(found, asked_at):
            lanes.setdefault(job.claim.lane, []).append(job)
        shared = now.spare
        for number, (lane, jobs) in enumerate(lanes.items()):
            own, wanted = self._batch_threads(lane, now)
            threads = own + min(wanted, -(-shared // (len(lanes) - number)))
            shared -= threads - own
            full = len(jobs) >= max(rooms.get(lane, most), BATCH_SIZE)
            if full and self.batches[lane.partition(":")[0]].pressing(lane):
                self._flood = Deadline.after(FLOOD_FOR)
            if not threads:
                self._give_back(jobs, LEFT_FOR)
                continue
            size = -(-len(jobs) // threads)
            for first in range(0, len(jobs), size):
                self._begin(jobs[first : first + size])
        return _until_next(found)

    def _batch_threads(self, lane: str, now: Admission) -> tuple[int, int]:
        """Return the number of the lane's own free threads, and of the shared ones that it can use."""
        name = _name(lane)
        own = now.free_own(name)
        wider = self._width(lane) - now.uses[name].busy - own if name in now.uses else self.share
        return own, max(min(now.free_shared(name), wider), 0)

    def _width(self, lane: str) -> int:
        """Return the threads for one lane: while one works, others may wait. More would only be in each
        other's way."""
        way = self.batches[lane.partition(":")[0]]
        return int(min(2 + way.waits(lane) / WORKS_FOR, self.share))

    @property
    def _in_flood(self) -> bool:
        return not self._flood.is_over

    def _behind(self) -> list[Job]:
        return [job for way in self.batches.values() for job in way.behind()]

    def _catch_up(self) -> None:
        with self._catching_up:
            for way in self.batches.values():
                way.catch_up()

    # ---------------------------------------------------------------------------------------- one by one

    def _start_others(self) -> float:
        now, flooded = self._admission(), self._in_flood
        besides = tuple(self.batches)
        with self._lock:
            busy = Counter(task.lane for task in self._tasks)
        busy.update(
            {
                lane: self.share - busy[lane] - now.room(_name(lane))
                for lane in self._lanes({"hold"} - self.batches.keys(), now)
            }
        )
        order = Order(rooms=now.rooms(besides, flood=flooded), served=tuple(self._served))
        asked_at = Deadline.after(0)
        found = self.queue.claim(now.spare, self.share, busy, besides=besides, order=order)
        for job in self._jobs(found, asked_at):
            lane = job.claim.lane
            self._served.pop(lane, None)
            self._served[lane] = None
            if len(self._served) > SERVED:
                del self._served[next(iter(self._served))]
            name, now = dependency(job.claim.member), self._admission()
            if name in now.own and not now.room(name):  # two kinds of jobs may wait for one target
                self._give_back([job], LEFT_FOR)
            else:
                self._begin([job])
        if found.next_at is None and not found.claims and self.idle:
            self.nothing_owed()
        return min(_until_next(found), FLOOD_FOR) if flooded else _until_next(found)

    def _lanes(self, kinds: Collection[str], now: Admission) -> list[str]:
        names = [name.removeprefix(TARGET) for name in now.own if name.startswith(TARGET)]
        return [f"{kind}:{name}" for kind in kinds for name in names]

    def _jobs(self, found: Claims, asked_at: Deadline) -> list[Job]:
        for claim in found.claims:
            LAG.labels(claim.kind).observe(max((found.now - claim.owed_at).total_seconds(), 0))
        return [Job(claim, asked_at) for claim in found.claims]

    # ------------------------------------------------------------------------------------------- doing

    def _begin(self, jobs: Sequence[Job]) -> None:
        task = _Task(jobs)
        with self._lock:
            self._tasks.add(task)
            if task.awaits not in self._met and task.awaits not in WITHIN:
                self._met[task.awaits] = 1
        if not self._on_thread(self._do, task):
            self._over(task)

    def _on_thread(self, what: Callable[..., None], *arguments: object) -> bool:
        """Call it on a thread of its own. A call that never returns does not keep the process from ending."""
        try:
            threading.Thread(target=what, args=arguments, name="job", daemon=True).start()
        except RuntimeError:  # no thread available: its claim runs out, and another worker takes it
            log.exception("job not started")
            return False
        return True

    def _do(self, task: _Task) -> None:
        RUNNING.inc()
        try:
            for job in self._run_batch(task.jobs):
                JOBS.labels(job.claim.kind, self._outcome(job)).inc()
        except Exception:  # its claims run out, whatever went wrong
            log.exception("unforeseen", member=task.jobs[0].claim.member)
        finally:
            RUNNING.dec()
            self._over(task)

    def _over(self, task: _Task) -> None:
        with self._lock:
            self._tasks.discard(task)
            if task.late:
                self._answered.pop(task.awaits, None)
            elif any(job.has_called for job in task.jobs):
                self._answered[task.awaits] = time.monotonic()
        self._stir.set()

    def _run_batch(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Do a batch, and return the jobs that are left to be done one by one."""
        kind = jobs[0].claim.kind
        way = self.batches.get(kind)
        if way is None:
            return jobs
        try:
            left = way.do(jobs, hurry=self._in_flood)
        except TemporaryFailure as failure:
            log.warning("job to be retried", member=jobs[0].claim.member, error=str(failure))
            JOBS.labels(kind, "temporary").inc(len(jobs))
            self._give_back(jobs, failed=True)
            return ()
        except Exception:  # one of them may be to blame: try each alone
            log.exception("unforeseen", member=jobs[0].claim.member, batches=len(jobs))
            return jobs
        JOBS.labels(kind, "done").inc(len(jobs) - len(left))
        return left

    def _outcome(self, job: Job) -> str:
        claim = job.claim
        if job.fence.is_over:  # somebody else may have it by now, or Redis is away
            return "lost"
        if job.deadline.seconds_left() < CALL_SECONDS:  # it waited too long for those before it
            return self._later(claim, timedelta(), "handed back")
        duty = self.duties.get(claim.kind)
        if duty is None:
            log.error("unknown kind of job", member=claim.member)
            return self._later(claim, UNKNOWN_PAUSE, "unknown")
        try:
            duty(job)
        except Conflict:
            return self._later(claim, timedelta(), "conflict")
        except TemporaryFailure as failure:
            log.warning("job to be retried", member=claim.member, error=str(failure))
            asked_for = timedelta(seconds=min(failure.retry_after or 0, LONGEST_PAUSE))
            return self._later(claim, max(asked_for, _pause(claim)), "temporary")
        except PermanentFailure as failure:
            log.warning("job needs attention", member=claim.member, error=str(failure))
            return self._later(claim, _pause(claim), "permanent")
        except Exception:  # the loop must live through whatever a duty meets
            log.exception("unforeseen", member=claim.member)
            return self._later(claim, _pause(claim), "unforeseen")
        return "done"

    def _later(self, claim: Claim, pause: timedelta, outcome: str) -> str:
        """Give the job back, due after a pause."""
        self._give_back_claims({claim: pause}, failed=outcome not in NOBODYS_FAULT)
        return outcome

    def _give_back(
        self, jobs: Sequence[Job], pause: timedelta | None = None, *, failed: bool = False
    ) -> None:
        """Give the jobs back. ``pause`` None: one that grows with each failure."""
        pauses = {job.claim: _pause(job.claim) if pause is None else pause for job in jobs}
        self._give_back_claims(pauses, failed=failed)

    def _give_back_claims(self, pauses: Mapping[Claim, timedelta], *, failed: bool) -> None:
        """Give all of them back at once. If that fails, the claims run out."""
        try:
            now = self.ledger.read(()).now
            done = [Done(claim=claim, next_at=now + pause, failed=failed) for claim, pause in pauses.items()]
            written = self.ledger.commit_all([Change(done=each, frees=True) for each in done])
        except TemporaryFailure:
            lost = list(pauses)
        else:
            lost = [each.claim for each, how in zip(done, written, strict=True) if isinstance(how, Conflict)]
        for claim in lost:
            log.info("claim lost", member=claim.member)

    def _listen(self) -> None:
        """Wake the loop when something new is due."""
        while not self._told_to_stop:
            try:
                self.queue.wait(SLEEP_AT_MOST)
            except TemporaryFailure:
                self._finished.wait(REDIS_AWAY_PAUSE)
            self._stir.set()

    def _renew(self) -> None:
        """Renew the claims of jobs under way, each until its own deadline, even while the worker finishes."""
        while not self._finished.wait(RENEW_EVERY):
            with self._lock:
                running = [job for task in self._tasks for job in task.jobs]
            jobs = [job for job in (*running, *self._behind()) if not job.deadline.is_over]
            if not jobs:
                continue
            asked_at = Deadline.after(0)
            try:
                kept = self.queue.renew([job.claim for job in jobs])
            except TemporaryFailure as failure:
                log.warning("claims not renewed", error=str(failure))
                continue
            for job in jobs:
                if job.claim.member in kept:
                    job.note_renewal(asked_at)


def _name(lane: str) -> str:
    """Return the name of what a lane of a target waits for."""
    return dependency(f"{lane}/")


def _until_next(found: Claims) -> float:
    """Return the seconds until more can be claimed. If more is due already, a thread that finishes wakes the
    loop."""
    if found.next_at is None or found.next_at <= found.now:
        return SLEEP_AT_MOST
    return min((found.next_at - found.now).total_seconds(), SLEEP_AT_MOST)


def _pause(claim: Claim) -> timedelta:
    most = BACKOFF_AT_MOST.get(claim.kind, LONGEST_PAUSE)
    return min(backoff(claim.tries + 1), timedelta(seconds=most))
