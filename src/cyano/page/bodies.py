"""Bodies of requests, counted and timed as they come, whatever their headers say."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from cyano.page.problems import Problem
from cyano.page.settings import Limits

__all__ = ["Part", "announced", "parse_json", "parts_of", "whole"]

_CLOSE = {"connection": "close"}
"""What is left of the body is not read."""

_PART_HEAD = 4096  # bytes of the headers of a part
_PARTS = 40


def announced(request: Request, limit: int) -> int | None:
    """What Content-Length says; None without.

    Raises:
        Problem: it is no number, or more than the limit.
    """
    given = request.headers.get("content-length")
    if given is None:
        return None
    if not (given.isascii() and given.isdigit()):
        raise Problem("bad-request", "Content-Length is not a number", headers=_CLOSE)
    if int(given) > limit:
        raise _too_large(limit)
    return int(given)


def _too_large(limit: int) -> Problem:
    return Problem("too-large", f"the body is larger than {limit:,} bytes", headers=_CLOSE, limit=limit)


async def chunks(request: Request, limit: int, limits: Limits) -> AsyncIterator[bytes]:
    """The body as it comes.

    Raises:
        Problem: it is larger than the limit, comes too slowly, or ends too early.
    """
    announced(request, limit)
    count, started = 0, time.monotonic()
    stream = request.stream()
    async with aclosing(stream):
        while True:
            left = limits.slow_seconds + count / limits.slow_bytes - (time.monotonic() - started)
            try:
                async with asyncio.timeout(max(left, 0.0)):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise Problem("slow", f"{count:,} bytes have arrived", headers=_CLOSE) from error
            except ClientDisconnect as error:
                raise Problem("bad-request", "the body ended before its length", headers=_CLOSE) from error
            count += len(chunk)
            if count > limit:
                raise _too_large(limit)
            yield chunk


async def whole(request: Request, limit: int, limits: Limits) -> bytes:
    """The body. Errors are those of `chunks`."""
    body = bytearray()
    async with aclosing(chunks(request, limit, limits)) as stream:  # type: ignore[type-var]
        async for chunk in stream:
            body += chunk
    return bytes(body)


def parse_json(content: bytes, limits: Limits) -> Any:
    """A JSON document of bounded depth and finite numbers.

    Raises:
        Problem: it is none.
    """
    try:
        document = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Problem("bad-request", "the body is not JSON") from error
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict | list):
            if depth > limits.json_depth:
                raise Problem("bad-request", f"the JSON is nested more than {limits.json_depth} deep")
            waiting += [(each, depth + 1) for each in (value.values() if isinstance(value, dict) else value)]
    return document


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


@dataclass
class Part:
    """A part of a form.

    Attributes:
        name: of the field.
        file: name of the file, as the sender has it; None for a plain value.
        content: its bytes.
    """

    name: str = ""
    file: str | None = None
    content: bytearray = field(default_factory=bytearray)


async def parts_of(request: Request, limit: int, limits: Limits) -> list[Part]:
    """The parts of a form in multipart/form-data, all of them in memory.

    Raises:
        Problem: it is none, or ends without its last boundary; or see `chunks`.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Problem("bad-request", "the body is a form, multipart/form-data with a boundary", headers=_CLOSE)
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async with aclosing(chunks(request, limit, limits)) as stream:  # type: ignore[type-var]
            async for chunk in stream:
                parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise Problem("bad-request", "the form is damaged", headers=_CLOSE) from error
    if not form.ended:
        raise Problem("bad-request", "the form ends without its last boundary")
    return form.parts


class _Form:
    """What the parser of a form tells, put together."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._name, self._value = bytearray(), bytearray()
        self._head = 0

    def callbacks(self) -> Any:
        """For `MultipartParser`."""
        return {
            "on_part_begin": self._begin,
            "on_part_data": lambda data, start, end: self.parts[-1].content.extend(data[start:end]),
            "on_header_field": lambda data, start, end: self._take(self._name, data[start:end]),
            "on_header_value": lambda data, start, end: self._take(self._value, data[start:end]),
            "on_header_end": self._header,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= _PARTS:
            raise Problem("bad-request", f"the form has more than {_PARTS} parts", headers=_CLOSE)
        self.parts.append(Part())
        self._head = 0

    def _take(self, into: bytearray, data: bytes) -> None:
        self._head += len(data)
        if self._head > _PART_HEAD:
            raise Problem("bad-request", "a part of the form has too long a head", headers=_CLOSE)
        into += data

    def _header(self) -> None:
        if self._name.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self.parts[-1].name = options.get(b"name", b"").decode("utf-8", "replace")
            if b"filename" in options:
                self.parts[-1].file = options[b"filename"].decode("utf-8", "replace")
        self._name.clear()
        self._value.clear()

    def _end(self) -> None:
        self.ended = True
