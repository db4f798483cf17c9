"""What makes a data node one of a cluster: its chunks, its part in transactions, databases."""

from collections.abc import Mapping

from .cluster.checkpoint import CheckpointPolicy
from .cluster.chunk_files import ChunkFileError
from .cluster.chunk_records import RecordError
from .cluster.chunk_store import ChunkStore
from .cluster.contract import TaskData
from .cluster.controllers import Controllers
from .cluster.coordinator import Coordinator
from .cluster.participant import Participant
from .cluster.reading import Reading
from .cluster.resolver import UNDER_WAY
from .host import Node
from .raft.replay import WalCorruption
from .role import NodeFailedError
from .service.call import Call, Function
from .service.databases import DatabaseFunctions
from .stream.group import FRAME_SLACK_BYTES

PAGE_BYTES_MAX = 8 << 20
"""Of rows in one answer to a peer, so that the links' other messages come between."""


class Databases:
    """Of one data node. `coordinator` executes tasks of another cluster, too."""

    def __init__(
        self,
        node: Node,
        controllers: Controllers,
        stream_insert: Function,
        task_data: TaskData | None = None,
    ) -> None:
        """`stream_insert` is the function of stream tables called as that of partitioned ones."""
        config, runtime = node.config, node.runtime
        self._node = node
        room = config.frame_bytes_max - FRAME_SLACK_BYTES
        checkpoints = config.checkpoints
        self.store = ChunkStore(
            runtime.disk,
            config.volumes,
            runtime.clock,
            runtime.worker,
            node.fail,
            CheckpointPolicy(checkpoints.log_bytes_max, checkpoints.interval_s),
        )
        self._participant = Participant(
            self.store,
            runtime.clock,
            lambda tid, answer: controllers.ask("txnOutcome", (tid,), answer),
            min(PAGE_BYTES_MAX, room // 2),
        )
        self.coordinator = Coordinator(
            config.site,
            runtime.clock,
            controllers,
            node.peers.ask,
            config.frame_bytes_max,
            task_data,
            is_sync=config.replication.sync_persistence,
        )
        reading = Reading(runtime.clock, controllers, node.peers.ask, room)
        self._functions = DatabaseFunctions(controllers, self.coordinator, reading, stream_insert)
        node.peers.offer(self._participant.functions())
        node.peers.offer({UNDER_WAY: (tuple[()], self._under_way)})

    def functions(self) -> Mapping[str, Function]:
        """What clients call."""
        return self._functions.functions()

    def open(self) -> None:
        """Recover what the disk holds; raises OSError or NodeFailedError."""
        self._node.runtime.disk.make_folder(self._node.config.volumes)
        try:
            self.store.open()
        except (WalCorruption, ChunkFileError, RecordError) as error:
            raise NodeFailedError(str(error)) from None
        self._participant.start()

    def close(self) -> None:
        """Give back what `open` took."""
        self._participant.close()
        self.store.close()

    def _under_way(self, call: Call) -> None:
        call.answer(self.coordinator.tids)
