"""The one process that decodes images and runs networks: started, talked to, and killed where it hangs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cyano.errors import CyanoError, InputError
from cyano.page.messages import Message
from cyano.page.processes import Process, ProcessLostError, program
from cyano.page.settings import Settings

__all__ = ["START_SECONDS", "JobRefusedError", "Worker", "WorkerLostError"]

logger = logging.getLogger(__name__)

COMMAND = program("cyano.page.work")

START_SECONDS = 300.0
"""For the libraries and the networks to load, on a machine that has other things to do."""

Give = Callable[[str], bytes | None]


class JobRefusedError(Exception):
    """The worker says what is wrong with a job.

    Attributes:
        kind: of `cyano.page.problems.KINDS`.
        detail: a sentence.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail


class WorkerLostError(Exception):
    """The process ended, or was ended, in the middle of a job.

    Attributes:
        reading: digest of the image that it was decoding; None for none.
        detail: a sentence.
    """

    def __init__(self, detail: str, reading: str | None = None) -> None:
        super().__init__(detail)
        self.detail, self.reading = detail, reading


class Worker:
    """A process for one job at a time."""

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        """Nothing runs yet.

        Args:
            settings: of the server.
            command: of the process, which is told what it has to know as JSON.
        """
        self._settings, self._process = settings, Process(command)
        self._lock = asyncio.Lock()
        self._starting: asyncio.Task[None] | None = None
        self.facts: dict[str, Any] = {}

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._process.pid

    async def start(self) -> None:
        """Start the process unless it runs, and wait until its networks are loaded.

        Raises:
            CyanoError: they cannot be loaded; the message is for the user.
            WorkerLostError: the process ended without a word.
        """
        async with self._lock:
            if self._process.runs:
                return
            await self._process.end()  # of one that ended while it had nothing to do
            try:
                first = await self._process.launch(_told(self._settings), START_SECONDS)
            except ProcessLostError as error:
                raise WorkerLostError("the process for images and networks did not start") from error
            if "refused" in first.document:
                await self._process.end()
                raise InputError(str(first.document["detail"]))
            self.facts = dict(first.document["ready"])

    async def run(self, document: dict[str, Any], give: Give, deadline: float) -> Message:
        """Have one job done.

        Args:
            document: of the job.
            give: the bytes of an image by its digest; None where they are not kept.
            deadline: seconds after which the process is killed.

        Raises:
            JobRefusedError: the worker says why not.
            WorkerLostError: it ended, or took too long.
        """
        try:
            await self.start()
        except (CyanoError, WorkerLostError) as error:  # it did start before, and the job is not to blame
            raise JobRefusedError("unavailable", "the process for images and networks does not start") from error
        reading = _Reading()
        try:
            async with asyncio.timeout(deadline):
                return await self._talk(document, give, reading)
        except TimeoutError as error:
            await self._replace()
            raise WorkerLostError(f"it took more than {deadline:g} s", reading.digest) from error
        except ProcessLostError as error:
            await self._replace()
            raise WorkerLostError("the process that computed it ended", reading.digest) from error

    async def _replace(self) -> None:
        """End the process, and start another one for whoever asks next."""
        await self._process.end()

        async def start() -> None:
            with contextlib.suppress(CyanoError, WorkerLostError):  # who asks next tries again, and is told
                await self.start()

        self._starting = asyncio.create_task(start())

    async def _talk(self, document: dict[str, Any], give: Give, reading: _Reading) -> Message:
        await self._process.send(document)
        while True:
            message = await self._process.receive()
            match message.document:
                case {"reading": digest}:
                    reading.digest = digest
                case {"need": digest}:
                    content = give(digest)
                    given = () if content is None else (content,)
                    await self._process.send({"given": content is not None}, given)
                case {"done": dict(facts)}:
                    return Message(facts, message.blobs)
                case {"refused": str(kind), "detail": str(detail)}:
                    raise JobRefusedError(kind, detail)
                case {"failed": name}:
                    logger.error("a job ended with %s", name)
                    raise JobRefusedError("unavailable", "it could not be computed, perhaps for lack of memory")
                case _:
                    raise ProcessLostError("the worker sent an invalid message")

    async def stop(self) -> None:
        """End the process, if there is one; `start` and `run` start another."""
        if self._starting is not None:
            self._starting.cancel()
        await self._process.end()


class _Reading:
    """The image that the worker is decoding."""

    digest: str | None = None


def _told(settings: Settings) -> str:
    """What the worker has to know, as JSON."""
    limits = settings.limits
    folders = [
        [str(each.results.absolute()), None if each.images is None else str(each.images.absolute())]
        for each in settings.collections
    ]
    known: Mapping[str, Any] = {
        "weights": settings.weights,
        "device": settings.device,
        "max_pixels": limits.pixels,
        "max_bytes": limits.upload_bytes,
        "worker_bytes": limits.worker_bytes,
        "collections": folders,
    }
    return json.dumps(known)
