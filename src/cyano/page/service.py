"""What the endpoints share: the images that are kept, the jobs, and the bodies of requests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from cyano.page.bodies import parse_json, whole
from cyano.page.jobs import Job, Jobs, Kept, bytes_of
from cyano.page.memory import Memory
from cyano.page.messages import Message
from cyano.page.problems import Problem
from cyano.page.settings import Settings
from cyano.page.worker import Worker

__all__ = ["Service", "json_route"]


_MATCHES = 10_000
"""Pairs that are known by the ids of their matches, a kilobyte each."""


class Service:
    """Images and matches of one server, in memory alone."""

    def __init__(self, settings: Settings, worker: Worker) -> None:
        self.settings, self.worker = settings, worker
        limits = settings.limits
        self.memory = Memory[str, Kept](limits.memory_bytes, bytes_of, keep_seconds=limits.keep_seconds)
        self.jobs = Jobs(worker, self.memory, limits)
        self._matches = Memory[str, dict[str, Any]](_MATCHES, lambda _: 1, keep_seconds=limits.keep_seconds)
        self._arriving = 0

    @contextmanager
    def arriving(self, count: int) -> Iterator[None]:
        """While a body of so many bytes comes in.

        Raises:
            Problem: together with the others it is too much.
        """
        if self._arriving and self._arriving + count > self.settings.limits.memory_bytes:
            close = {"connection": "close", "retry-after": "2"}
            raise Problem("busy", "too many images are being uploaded", headers=close)
        self._arriving += count
        try:
            yield
        finally:
            self._arriving -= count

    async def add_image(self, request: Request, content: bytes) -> dict[str, Any]:
        """Keep an image if it can be read.

        Raises:
            Problem: it cannot.
        """
        limit = self.settings.limits.upload_bytes
        if len(content) > limit:
            raise Problem("too-large", f"the image has {len(content):,} bytes, more than {limit:,}", limit=limit)
        digest = hashlib.sha256(content).hexdigest()
        existing = self.memory.get(digest) is not None
        job = Job("inspect", {"image": digest}, (digest,), {digest: content})
        message = await self.jobs.answer(request, job)
        if not existing:
            self.memory[digest] = content
        return {"id": digest, **message.document, "existing": existing}

    def check_image(self, digest: str) -> None:
        """See that an image is there.

        Raises:
            Problem: it is not.
        """
        if not isinstance(self.memory.get(digest), bytes):
            raise Problem("not-found", "there is no such image, or it is not kept any more; upload it")

    def remember(self, pair: dict[str, Any]) -> str:
        """The id of a match, by which its pair is found again.

        Args:
            pair: digests, names, masks and options of two images; or the numbers of a collection and of two of its
                images (`stored`), whose matches are stored.
        """
        key = Job("match", pair).key
        self._matches[key] = {**pair, "id": key}
        return key

    def pair(self, match: str) -> dict[str, Any]:
        """The pair of a match.

        Raises:
            Problem: there is none of this id, or an image of it is not kept any more.
        """
        pair = self._matches.get(match)
        if pair is None:
            raise Problem("not-found", "there is no such match, or it is not kept any more; match the images again")
        for digest in _digests(pair):
            self.check_image(digest)
        return pair

    async def of_match(self, request: Request, name: str, match: str, **arguments: Any) -> Message:
        """The answer of a job about a match."""
        pair = self.pair(match)
        return await self.jobs.answer(request, Job(name, {"pair": pair, **arguments}, _digests(pair)))


def _digests(pair: dict[str, Any]) -> tuple[str, ...]:
    """Of the images and masks that a pair is matched from; none where its matches are stored."""
    return () if "collection" in pair else (*pair["images"], *filter(None, pair["masks"]))


def json_route(settings: Settings) -> type[APIRoute]:
    """Routes whose JSON bodies are bounded; see `Limits`."""
    limits = settings.limits

    class JsonRequest(Request):
        async def body(self) -> bytes:
            if not hasattr(self, "_body"):
                self._body = await whole(self, limits.json_bytes, limits)
            return self._body

        async def json(self) -> Any:
            return parse_json(await self.body(), limits)

    class JsonRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def handle(request: Request) -> Response:
                return await handler(JsonRequest(request.scope, request.receive))

            return handle

    return JsonRoute
