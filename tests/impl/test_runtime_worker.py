"""The worker: jobs in order beside the loop, and an end that nobody trips over."""

import asyncio

from delphic.impl.runtime_asyncio import ThreadWorker
from members import run


def test_who_goes_on_after_a_job_while_the_worker_ends_is_not_heard() -> None:
    """A node that was stopped under load died of the sync that its log wanted next."""
    ran: list[str] = []

    async def scenario() -> None:
        worker = ThreadWorker(asyncio.get_running_loop())

        def done(error: OSError | None) -> None:
            ran.append("done")
            worker.submit(lambda: ran.append("late"), lambda _: ran.append("told"))

        worker.submit(lambda: ran.append("job"), done)
        await worker.close()
        await asyncio.sleep(0)

    run(scenario())
    assert ran == ["job", "done"]
