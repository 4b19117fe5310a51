"""The application: endpoints, errors and the guard around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from cyano import __version__
from cyano.page.documented import PROBLEM
from cyano.page.feed import Feed
from cyano.page.guard import Guard
from cyano.page.problems import KINDS, Problem, by_status
from cyano.page.routes import collections, images, live, matches, pages
from cyano.page.service import Service

__all__ = ["API", "application"]

API = "/api/v1"
_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def _nobody() -> None:
    """Ends nothing."""


def application(service: Service, feed: Feed | None = None, quit_: Callable[[], None] = _nobody) -> ASGIApp:
    """Everything that the server answers, behind `Guard`: it has checked host, origin and token of whatever comes in.

    Args:
        service: what endpoints share.
        feed: live pictures, if there are any.
        quit_: ends the server, where a page asks for it and may.
    """
    app = FastAPI(
        title="Cyano",
        version=__version__,
        description="Image matching: keypoints, correspondences, geometry.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={status: _told(title) for status, title in _titles().items()},
        telemetry=_NO_TELEMETRY,
    )
    api = APIRouter(prefix=API)
    api.include_router(_about(service))
    api.include_router(images.router(service))
    api.include_router(matches.router(service))
    api.include_router(collections.router(service))
    if feed is not None:
        api.include_router(live.router(feed, quit_))
    app.include_router(api)
    app.include_router(pages.router())
    app.add_exception_handler(HTTPException, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Exception, _on_fault)
    return Guard(app, service.settings)


def _titles() -> dict[int | str, str]:
    return {kind.status: kind.title for kind in KINDS.values()}


def _told(title: str) -> dict[str, Any]:
    return {"description": title, "content": {"application/problem+json": {"schema": PROBLEM}}}


def _about(service: Service) -> APIRouter:
    routes = APIRouter()

    @routes.get("/health", summary="Whether the server works, and what with")
    async def health() -> dict[str, Any]:
        """`queue` is the number of jobs that run or wait, `live` whether there are live pictures."""
        facts, live = service.worker.facts, service.settings.live is not None
        return {"status": "ok", **facts, "queue": service.jobs.waiting, "live": live}

    @routes.get("/problems", summary="All kinds of problems")
    async def problems() -> dict[str, Any]:
        """By the last part of their `type`."""
        return {name: vars(kind) for name, kind in KINDS.items()}

    @routes.get("/problems/{name}", summary="A kind of problem")
    async def problem(name: str) -> dict[str, Any]:
        """What the `type` of a problem leads to."""
        if name not in KINDS:
            raise Problem("not-found", "there is no such kind of problem")
        return vars(KINDS[name])

    return routes


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for them
    return by_status(error).response


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - likewise
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    field = ".".join(place[1:])
    return Problem("options", f"{field or place[0]}: {first['msg']}", field=field).response


async def _on_fault(request: Request, error: Exception) -> Response:
    """A fault of the server's: it is in the log, and the client learns that there was one."""
    return Problem("unavailable", "the server has a fault; its log says more").response
