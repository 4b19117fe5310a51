"""The page itself: files that come with the package, known by their names at the start."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from cyano.page.problems import Problem

__all__ = ["router"]

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "jpg": "image/jpeg",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "webp": "image/webp",
    "woff2": "font/woff2",
}


def router() -> APIRouter:
    """GET /, /favicon.ico and /static/..."""
    routes = APIRouter(include_in_schema=False)
    known = dict(_found(files("cyano.page").joinpath("static"), ""))

    async def answer(request: Request, name: str) -> Response:
        if name not in known:
            raise Problem("not-found", "there is no such file")
        content = known[name].read_bytes()
        headers = {"etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"', "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=_TYPES[name.rpartition(".")[2]])

    @routes.api_route("/", methods=["GET", "HEAD"], response_class=Response)
    async def index(request: Request) -> Response:
        return await answer(request, "index.html")

    @routes.api_route("/favicon.ico", methods=["GET", "HEAD"], response_class=Response)
    async def favicon(request: Request) -> Response:
        return await answer(request, "favicon.ico" if "favicon.ico" in known else "favicon.svg")

    @routes.api_route("/static/{name:path}", methods=["GET", "HEAD"], response_class=Response)
    async def static(request: Request, name: str) -> Response:
        return await answer(request, name)

    return routes


def _found(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    """Names and places of the files of known types."""
    found = []
    for each in folder.iterdir():
        if each.is_dir():
            found += _found(each, f"{prefix}{each.name}/")
        elif each.name.rpartition(".")[2] in _TYPES:
            found.append((prefix + each.name, each))
    return found
