"""Jobs for the worker: one after the other, in the order in which they came, as many as may wait."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from cyano.page.memory import Memory
from cyano.page.messages import Message
from cyano.page.problems import Problem
from cyano.page.settings import Limits
from cyano.page.worker import JobRefusedError, Worker, WorkerLostError

__all__ = ["Job", "Jobs", "Kept", "bytes_of"]

Kept = bytes | Message
"""What is kept by its digest: an image, or an answer of the worker."""

_KNOWN_CRASHES = 10_000


def bytes_of(kept: Kept) -> int:
    """Size of what is kept."""
    if isinstance(kept, bytes):
        return len(kept)
    return sum(map(len, kept.blobs)) + 1000


@dataclass(frozen=True)
class Job:
    """Something for the worker to do; the same job has the same answer.

    Attributes:
        name: see `cyano.page.work`.
        arguments: plain values.
        images: digests of those that it reads.
        given: bytes that are not kept yet, by digest.
    """

    name: str
    arguments: Mapping[str, Any]
    images: tuple[str, ...] = ()
    given: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        """Digest of the job, 64 hexadecimal digits."""
        told = json.dumps([self.name, self.arguments], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(eq=False)
class _Flight:
    """A job on its way, and how many wait for it."""

    task: asyncio.Task[Message]
    waiters: int = 0
    started: bool = False


class Jobs:
    """Has jobs done, and keeps the answers."""

    def __init__(self, worker: Worker, memory: Memory[str, Kept], limits: Limits) -> None:
        self._worker, self._memory, self._limits = worker, memory, limits
        self._turn = asyncio.Lock()
        self._flights: dict[str, _Flight] = {}
        self._crashes: OrderedDict[str, int] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Jobs that are not done."""
        return len(self._flights)

    async def answer(self, request: Request, job: Job) -> Message:
        """The worker's answer, for as long as the client waits for it.

        Args:
            request: whose body is read.
            job: what to do; its answer is kept for who asks next.

        Raises:
            Problem: it is refused, the queue is full, the worker ended, or it took too long.
        """
        waiting = asyncio.create_task(self._answer(job))
        leaving = asyncio.create_task(_left(request))
        try:
            await asyncio.wait([waiting, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise Problem("bad-request", "the client has disconnected")
            return waiting.result()
        finally:
            leaving.cancel()
            waiting.cancel()

    async def _answer(self, job: Job) -> Message:
        kept = self._memory.get(job.key)
        if isinstance(kept, Message):
            return kept
        self._check(job)
        flight = self._flights.get(job.key)
        if flight is None or flight.task.cancelling():
            if len(self._flights) > self._limits.queue:
                raise Problem("busy", f"{len(self._flights)} jobs are waiting", headers={"retry-after": "2"})
            flight = self._launch(job)
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.started:
                flight.task.cancel()

    def _check(self, job: Job) -> None:
        for key in (*job.images, job.key):
            if self._crashes.get(key, 0) >= self._limits.crashes:
                kind = "unavailable" if key == job.key else "not-an-image"
                raise Problem(kind, f"it has ended the process {self._limits.crashes} times and is not tried again")

    def _launch(self, job: Job) -> _Flight:
        flight = self._flights[job.key] = _Flight(asyncio.create_task(self._in_turn(job)))

        def landed(task: asyncio.Task[Message]) -> None:
            if self._flights.get(job.key) is flight:
                del self._flights[job.key]
            if not task.cancelled():
                task.exception()  # has been seen

        flight.task.add_done_callback(landed)
        return flight

    async def _in_turn(self, job: Job) -> Message:
        try:
            async with asyncio.timeout(self._limits.deadline_seconds):
                await self._turn.acquire()
        except TimeoutError as error:
            raise Problem("unavailable", "it waited too long for its turn", headers={"retry-after": "5"}) from error
        try:
            self._flights[job.key].started = True
            message = await self._run(job)
        finally:
            self._turn.release()
        self._memory[job.key] = message
        return message

    async def _run(self, job: Job) -> Message:
        document = {"job": job.name, **job.arguments}
        try:
            return await self._worker.run(
                document, lambda digest: self._bytes(job, digest), self._limits.deadline_seconds
            )
        except JobRefusedError as refused:
            raise Problem(refused.kind, refused.detail) from refused
        except WorkerLostError as lost:
            blamed = lost.reading or job.key
            self._crashes[blamed] = self._crashes.pop(blamed, 0) + 1
            while len(self._crashes) > _KNOWN_CRASHES:
                self._crashes.popitem(last=False)
            raise Problem("unavailable", lost.detail, headers={"retry-after": "5"}) from lost

    def _bytes(self, job: Job, digest: str) -> bytes | None:
        kept = job.given.get(digest, self._memory.get(digest))
        return kept if isinstance(kept, bytes) else None


async def _left(request: Request) -> None:
    """Waits until the client has disconnected."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
