"""A program of ours and the socket to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Sequence
from typing import Any

from cyano.page.messages import Message, pack, read_message

__all__ = ["Process", "ProcessLostError", "program"]


class ProcessLostError(Exception):
    """The process has ended, or does not run."""


def program(module: str) -> tuple[str, ...]:
    """The command that runs a module of Cyano's."""
    return (sys.executable, "-P", "-m", module)


class Process:
    """Starts a program and exchanges messages with it; see `cyano.page.messages`.

    It gets two arguments: the number of its socket, and a text that it is told at its start.
    """

    def __init__(self, command: Sequence[str], *, keeps_input: bool = False) -> None:
        """Nothing runs yet.

        Args:
            command: of the program.
            keeps_input: whether it reads the standard input of this one.
        """
        self._command, self._keeps_input = command, keeps_input
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it was launched and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def launch(self, told: str, seconds: float) -> Message:
        """Start it.

        Args:
            told: its second argument.
            seconds: that it may take until its first message.

        Returns:
            The first message.

        Raises:
            ProcessLostError: it ended without one, or took too long.
        """
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                str(theirs.fileno()),
                told,
                pass_fds=[theirs.fileno()],
                stdin=None if self._keeps_input else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
            )
        finally:
            theirs.close()
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        try:
            async with asyncio.timeout(seconds):
                return await self.receive()
        except (TimeoutError, ProcessLostError) as error:
            await self.end()
            raise ProcessLostError("it did not start") from error

    async def send(self, document: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
        """Send a message.

        Raises:
            ProcessLostError: there is nobody who reads it.
        """
        if self._writer is None:
            raise ProcessLostError("there is no process")
        try:
            for piece in pack(document, blobs):
                self._writer.write(piece)
                await self._writer.drain()
        except ConnectionError as error:
            raise ProcessLostError("it ended") from error

    async def receive(self) -> Message:
        """The next message.

        Raises:
            ProcessLostError: there is none to come, or it is nonsense.
        """
        if self._reader is None:
            raise ProcessLostError("there is no process")
        try:
            return await read_message(self._reader)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ProcessLostError("it ended") from error

    async def end(self) -> None:
        """Kill it, if it runs; `launch` starts another one."""
        process, self._process = self._process, None
        writer, self._reader, self._writer = self._writer, None, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        if process is not None:
            await process.wait()
