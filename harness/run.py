"""(Plan, Cluster) → history: clients work, things break, all heals, replicas are compared."""

import asyncio
import random
from dataclasses import dataclass, field

from .checkers.online import WATCHES, watched
from .checkers.online.listener import Listener
from .conduct.conductor import Conductor
from .errors import WorldError
from .generator import Pace
from .language.units import spell
from .op import HARNESS, Op, OpType
from .plan import Plan
from .running.observer import Observer
from .running.recorder import Recorder
from .running.together import first
from .running.worker import Worker
from .system import Answer, Status
from .targets.target import Cluster
from .workloads import WORKLOADS
from .workloads.workload import Generator, Step, Workload

_FLUSH_S = 0.1
_ASK_S = 1.0
_ASK_AGAIN_S = 0.05
_SETTLE_S = 0.1


@dataclass(slots=True)
class Live:
    """A run under way, for whoever shows it. Everything here only reads."""

    recorder: Recorder
    observer: Observer
    conductor: Conductor
    phase: str = "setup"
    since_ns: int = 0
    """When the phase began."""


@dataclass(slots=True)
class _Proof:
    """An operation of kind `f` that began at or after `index` and was acknowledged."""

    f: str
    index: int | None = None
    seen: asyncio.Event = field(default_factory=asyncio.Event)

    def acknowledged(self, invoke: Op) -> None:
        if self.index is not None and invoke.index >= self.index and invoke.f == self.f:
            self.seen.set()


class Run:
    """One run of a plan on a cluster that is up. Everything it learns goes into the recorder."""

    def __init__(self, plan: Plan, cluster: Cluster, recorder: Recorder) -> None:
        self._plan = plan
        self._cluster = cluster
        self._recorder = recorder
        self._workload: Workload = WORKLOADS[plan.workload["name"]]
        observer = Observer(cluster, recorder, self._workload.key)
        self.live = Live(recorder, observer, Conductor(plan, cluster, recorder, observer))
        load = plan.load
        self._roaming = self._workload.roaming(plan.workload)
        self._workers = [
            Worker(
                number, load, cluster, recorder, self._workload.key, roams=number in self._roaming
            )
            for number in range(load.clients)
        ]
        self._generators: list[Generator] = (
            self._workload.generators(plan.workload, plan.seed, plan.members)
            if load.ops is None
            else []
        )
        self._proof = _Proof(self._workload.proof)
        self._enough = asyncio.Event()
        names = watched(self._workload.checkers) if plan.stop_on_violation else []
        self.listener = Listener([WATCHES[name]() for name in names], self._stop_early)
        """Who judges while the run goes on, where somebody does."""
        if names:
            recorder.listen(self.listener.hear)

    def _stop_early(self) -> None:
        """End the main phase, whatever of it is left."""
        self._enough.set()
        self.live.observer.changed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """All phases; `stop` cuts them short, but never the healing. Raises WorldError."""
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self.live.observer.watch())
                flushing = group.create_task(self._flush())
                await self._set_up(stop)
                over = asyncio.Event()
                async with asyncio.TaskGroup() as beside:
                    await self._work(stop, over, beside)
                    if not stop.is_set():
                        await self._final(stop)
                    over.set()
                self._phase("end")
                watching.cancel()
                flushing.cancel()
        except BaseExceptionGroup as errors:
            raise first(errors) from None
        finally:
            for worker in self._workers:
                worker.close()
        # Who ended since the observer's last look did so all the same.
        self.live.observer.note_deaths()
        self._recorder.flush()

    async def _set_up(self, stop: asyncio.Event) -> None:
        """Do the workload's first steps, once a leader takes them; nothing of it is recorded."""
        limits = self._plan.limits
        deadline = _now() + limits.leader_s + limits.first_ack_s
        for step in self._workload.setup(self._plan.workload):
            asked = 0
            while not stop.is_set():
                alias = (
                    self.live.observer.leader or self._plan.members[asked % len(self._plan.members)]
                )
                answer = await self._ask(alias, step)
                if answer.type is OpType.OK:
                    break
                if _now() > deadline:
                    raise WorldError(
                        f"the group was not ready {spell(limits.leader_s + limits.first_ack_s)} "
                        f"after its start; {step.f}: {answer.error}",
                        node=alias,
                    )
                asked += 1
                await asyncio.sleep(_ASK_AGAIN_S)

    async def _ask(self, alias: str, step: Step) -> Answer:
        connection = await self._cluster.open(alias, _ASK_S)
        if connection is None:
            return Answer(OpType.FAIL, error=f"{alias} cannot be reached")
        key = self._workload.key if step.key is None else step.key
        answer = await connection.perform(step.f, key, step.value, _ASK_S)
        connection.close()
        return answer

    async def _work(
        self, stop: asyncio.Event, over: asyncio.Event, beside: asyncio.TaskGroup
    ) -> None:
        """Clients from here on; faults, then their end, then quiet until the group serves again.

        `beside` gets who looks after members until the run is `over`, where that is needed.
        """
        self._phase("main")
        async with asyncio.TaskGroup() as group:
            clients = [group.create_task(self._client(worker)) for worker in self._workers]
            await self.live.conductor.conduct(self._plan.duration_s, stop, self._enough)
            self._phase("heal")
            await self.live.conductor.heal()
            if self.live.conductor.may_end_late:
                beside.create_task(self.live.conductor.stand_by(over))
            self._phase("quiesce")
            await self._quiesce(stop, clients)
            for worker in self._workers:
                worker.stop()

    async def _client(self, worker: Worker) -> None:
        """What one client does until it is stopped, or has come to the end of its script."""
        plan, load, number = self._plan, self._plan.load, worker.number
        if load.ops is not None:
            await worker.play(load.script(number), self.live.conductor.who)
            return
        pace = Pace(load.rate / load.clients, random.Random(f"{plan.seed}/pace/{number}"))
        await worker.work(self._generators[number], pace, self._proof.acknowledged)

    async def _quiesce(self, stop: asyncio.Event, clients: list[asyncio.Task[None]]) -> None:
        """Until an operation that began after healing is acknowledged, or took too long."""
        for worker in self._workers:
            # Where none sits at the leader, those that stay could be refused for ever.
            worker.follow()
        self._proof.index = self._recorder.next_index
        limits = self._plan.limits
        deadline = _now() + limits.leader_s + limits.first_ack_s
        if self._plan.load.ops is not None:
            await self._prove(stop, clients, deadline)
        while not stop.is_set() and not self._proof.seen.is_set() and _now() < deadline:
            try:
                async with asyncio.timeout(_ASK_AGAIN_S):
                    await self._proof.seen.wait()
            except TimeoutError:
                continue

    async def _prove(
        self, stop: asyncio.Event, clients: list[asyncio.Task[None]], deadline: float
    ) -> None:
        """Where clients follow a script, let the first of them do what shows that all is well.

        What the script has left is left out: it says what happens while the clients work.
        """
        for worker in self._workers:
            worker.stop()
        await asyncio.wait(clients)
        for step in self._workload.proofs(self._plan.workload):
            invoke, answer = await self._workers[0].ask(step, follow=True)
            if answer.type is OpType.OK:
                self._proof.acknowledged(invoke)
            if answer.type is OpType.OK or stop.is_set() or _now() > deadline:
                return
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _final(self, stop: asyncio.Event) -> None:
        self._phase("final")
        if self._workload.settle is not None:
            await self._settle(stop)
            return
        for step in self._workload.final(self._plan.workload):
            await self._final_step(step, stop)
        await self._say_farewell()
        await self._compare_replicas(stop)
        for step in self._workload.everywhere(self._plan.workload):
            for alias in self._plan.members:
                await self._final_step(step._replace(node=alias), stop)

    async def _settle(self, stop: asyncio.Event) -> None:
        """Wait until everything has come to rest, or had the time to; then ask what came of it."""
        plan, worker = self._plan, self._workers[0]
        assert self._workload.settle is not None
        settler = self._workload.settle(plan.workload, plan.seed, plan.members)
        deadline = _now() + plan.limits.replicas_s
        is_settled = False
        while not (stop.is_set() or is_settled or _now() > deadline):
            step = settler.next()
            if step is None:
                is_settled = True
                break
            _, answer = await worker.ask(step)
            if answer.type is OpType.OK:
                settler.completed(step, answer.value)
            await asyncio.sleep(_SETTLE_S)
        if is_settled or not stop.is_set():
            self._recorder.add(HARNESS, OpType.INFO, "settled", value=is_settled)
        for step in settler.final():
            await self._final_step(step, stop)

    async def _final_step(self, step: Step, stop: asyncio.Event) -> None:
        """Ask until the answer comes, or the time for it is over."""
        worker, onward = self._workers[0], self._workload.onward
        deadline = _now() + self._plan.limits.first_ack_s
        while not stop.is_set():
            _, answer = await worker.ask(step, follow=True)
            if answer.type is OpType.OK or _now() > deadline:
                return
            if answer.kept_from is not None and onward is not None:
                step = onward(step, answer.kept_from)
                continue
            if answer.lasting:
                return
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _say_farewell(self) -> None:
        """Let those that roam do what they do last, all at once."""
        step = self._workload.farewell
        if step is None or not self._roaming:
            return
        patience_s = self._plan.limits.replicas_s
        await asyncio.gather(
            *(self._workers[number].ask(step, timeout_s=patience_s) for number in self._roaming)
        )

    async def _compare_replicas(self, stop: asyncio.Event) -> None:
        """Record what every member holds, once all hold the same or had the time to.

        Nothing where `stop` came before that.
        """
        deadline = _now() + self._plan.limits.replicas_s
        while not stop.is_set():
            found = await asyncio.gather(*(self._status(alias) for alias in self._plan.members))
            same = {None if s is None else (s.applied, s.rows, s.digest) for s in found}
            if (len(same) == 1 and None not in same) or _now() > deadline:
                break
            await asyncio.sleep(_ASK_AGAIN_S)
        else:
            # Whoever was behind had no time to catch up: what was seen last is not what they hold.
            return
        for alias, status in zip(self._plan.members, found, strict=True):
            value = None
            if status is not None:
                value = {"rows": status.rows, "digest": status.digest, "applied": status.applied}
            error = "does not answer" if status is None else None
            self._recorder.add(
                HARNESS,
                OpType.INFO,
                "replica",
                key=self._workload.key,
                node=alias,
                value=value,
                error=error,
            )

    async def _status(self, alias: str) -> Status | None:
        connection = await self._cluster.open(alias, _ASK_S)
        if connection is None:
            return None
        status = await connection.status(self._workload.key, _ASK_S)
        connection.close()
        return status

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            self._recorder.flush()

    def _phase(self, name: str) -> None:
        self.live.phase, self.live.since_ns = name, self._recorder.now_ns()
        self._recorder.add(HARNESS, OpType.INFO, "phase", value=name)
        self._recorder.flush()


def _now() -> float:
    return asyncio.get_running_loop().time()
