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


def test_jobs_run_one_after_the_other_and_their_ends_are_told_in_order() -> None:
    told: list[str] = []

    def fail() -> None:
        raise OSError(28, "no space")

    async def scenario() -> None:
        worker = ThreadWorker(asyncio.get_running_loop())
        worker.submit(lambda: told.append("first"), lambda error: told.append(f"told {error}"))
        worker.submit(fail, lambda error: told.append(f"told {error}"))
        worker.submit(lambda: told.append("third"), lambda error: told.append(f"told {error}"))
        await worker.close()
        await asyncio.sleep(0)

    run(scenario())
    assert [word for word in told if "told" not in word] == ["first", "third"]
    assert [word for word in told if "told" in word] == [
        "told None",
        "told [Errno 28] no space",
        "told None",
    ]


def test_a_job_with_a_mistake_ends_the_loop_and_not_just_its_thread() -> None:
    heard: list[BaseException] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: heard.append(context["exception"]))
        worker = ThreadWorker(loop)
        worker.submit(lambda: [].pop(), lambda _: heard.clear())
        await worker.close()
        await asyncio.sleep(0)

    run(scenario())
    assert [type(error) for error in heard] == [IndexError]
