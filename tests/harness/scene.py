"""A conducted schedule of faults on a group in memory."""

import asyncio
import io
from typing import Any

from delphic.harness.conduct.conductor import Conductor
from delphic.harness.history import load
from delphic.harness.op import NEMESIS, Op, OpType
from delphic.harness.plan import plan
from delphic.harness.running.observer import Observer
from delphic.harness.running.recorder import Recorder
from delphic.harness.scenario import load as load_scenario

DURATION_S = 0.85
"""How long each scene takes: less than a scenario may, and enough for its steps."""

HEAD = "name: mine\nworkload: {name: log}\nduration: 1s\n"


class Scene:
    """A conducted schedule: the group afterwards, and what the nemesis wrote."""

    def __init__(
        self,
        memory: Any,
        faults: str,
        *,
        members: int = 3,
        deaf: str = "",
        uncommitted: int = 0,
        held: dict[str, int] | None = None,
        stored: int | None = None,
    ) -> None:
        text = f"{HEAD}cluster: {{members: {members}}}\nfaults: {faults}\n"
        self._plan = plan(load_scenario(text, "my.yaml"), seed=3, target="memory", command="")
        self.cluster = memory.cluster(self._plan.setup, None, None, None)
        self.cluster.deaf_to = {deaf}
        self.cluster.uncommitted = uncommitted
        self.cluster.held = dict(held or {})
        if stored is not None:
            self.cluster.stored = dict.fromkeys(self.cluster.members, stored)
        self._stream = io.BytesIO()
        self._recorder = Recorder(self._stream, lambda: 0)
        asyncio.run(self._conduct())
        self._recorder.flush()
        self._stream.seek(0)
        history = load(self._stream)
        self.ops = history.ops
        self.acts = list(history.of(NEMESIS))

    async def _conduct(self) -> None:
        observer = Observer(self.cluster, self._recorder, "t")
        await self.cluster.up()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(observer.watch())
            conductor = Conductor(self._plan, self.cluster, self._recorder, observer)
            await conductor.conduct(DURATION_S, asyncio.Event())
            self.active = conductor.active
            await conductor.heal()
            self.left = conductor.active
            self.died = observer.died
            watching.cancel()

    def receipts(self) -> list[Op]:
        return [op for op in self.acts if op.type is OpType.INFO]

    def told(self) -> list[tuple[str, list[str], bool]]:
        """f, members and whether it took hold, of every act."""
        return [(op.f, op.value["nodes"], op.value["bit"]) for op in self.receipts()]
