"""Reconstructed collections: their images, pairs and points, and where a photograph was taken in one."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from cyano.page.documented import LOCALISATION, MATCHES, OBJECT, binary, document
from cyano.page.forms import Localise
from cyano.page.jobs import Job
from cyano.page.messages import Message
from cyano.page.problems import Problem
from cyano.page.routes.images import Side, jpeg_answer
from cyano.page.service import Service, json_route

__all__ = ["router"]

Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


def router(service: Service) -> APIRouter:
    """GET /collections and all below it."""
    routes = APIRouter(route_class=json_route(service.settings), prefix="/collections")

    @routes.get("", summary="The collections that the server was started with")
    async def collections() -> dict[str, Any]:
        """Numbers and names."""
        names = [folders.results.resolve().name for folders in service.settings.collections]
        shown = [name.encode("utf-8", "replace").decode() for name in names]
        return {"collections": [{"n": n, "name": name} for n, name in enumerate(shown)]}

    @routes.get("/{n}", response_class=Response, responses=document(OBJECT), summary="A collection")
    async def summary(request: Request, n: Number) -> Response:
        """Images with what became of each, counts, the frame to look from, and options."""
        return _json(await _ask(service, request, n, "summary"))

    @routes.post(
        "/{n}/localise",
        response_class=Response,
        responses=document(LOCALISATION),
        summary="Where a photograph was taken",
    )
    async def localise(request: Request, n: Number, wanted: Localise) -> Response:
        """Status, pose, confidence, and what it follows from; `status` says where there is no certain pose."""
        service.check_image(wanted.image)
        told = {"image": wanted.image, "camera": wanted.camera}
        return _json(await _ask(service, request, n, "localise", (wanted.image,), **told))

    _model(routes, service)
    _images(routes, service)
    return routes


def _model(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/{n}/points.bin", response_class=Response, responses=binary("application/octet-stream"), summary="The points"
    )
    async def points(request: Request, n: Number) -> Response:
        """Little-endian, in the pieces that `points` of the collection describes; ranges of bytes are answered."""
        return _part(request, (await _ask(service, request, n, "points")).blobs[0])

    @routes.get(
        "/{n}/points.ply",
        response_class=Response,
        responses=binary("application/octet-stream"),
        summary="The points as PLY",
    )
    async def ply(request: Request, n: Number) -> Response:
        """With colours."""
        return Response((await _ask(service, request, n, "ply")).blobs[0], media_type="application/octet-stream")

    @routes.get(
        "/{n}/model.zip",
        response_class=Response,
        responses=binary("application/zip"),
        summary="The model in COLMAP's files",
    )
    async def archive(request: Request, n: Number) -> Response:
        """As they are, in a zip archive."""
        return Response((await _ask(service, request, n, "archive")).blobs[0], media_type="application/zip")

    @routes.get(
        "/{n}/cameras.json", response_class=Response, responses=document(OBJECT), summary="The images with a pose"
    )
    async def cameras(request: Request, n: Number) -> Response:
        """Pose, intrinsics in COLMAP's order, half the field of view."""
        return _json(await _ask(service, request, n, "cameras"))

    @routes.get(
        "/{n}/tracks", response_class=Response, responses=document(OBJECT), summary="A point and the images that see it"
    )
    async def tracks(request: Request, n: Number, point: Annotated[int, Query(ge=0, le=2**31 - 1)]) -> Response:
        """`point` is a row of points.bin."""
        return _json(await _ask(service, request, n, "track", point=point))


def _images(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/{n}/pairs.json", response_class=Response, responses=document(OBJECT), summary="The pairs that were matched"
    )
    async def pairs(request: Request, n: Number) -> Response:
        """Rows of i, j, matches, inliers; -1 inliers where geometry was not estimated."""
        return _json(await _ask(service, request, n, "pairs"))

    @routes.get(
        "/{n}/pairs/{i}/{j}",
        response_class=Response,
        responses=document(MATCHES),
        summary="The stored matches of a pair",
    )
    async def pair(request: Request, n: Number, i: Number, j: Number) -> Response:
        """As `cyano match --json`, with the geometry that verified them; `id` is that of a match like others."""
        _check(service, n)
        match = service.remember({"collection": n, "stored": [i, j]})
        return _json(await service.of_match(request, "match", match))

    @routes.get(
        "/{n}/images/{i}/keypoints.bin",
        response_class=Response,
        responses=binary("application/octet-stream"),
        summary="Keypoints of an image",
    )
    async def keypoints(request: Request, n: Number, i: Number) -> Response:
        """Float32 (N, 2) positions, then int32 (N,) rows of points.bin, -1 for none."""
        return Response(
            (await _ask(service, request, n, "keypoints", i=i)).blobs[0], media_type="application/octet-stream"
        )

    @routes.get(
        "/{n}/images/{i}/preview", response_class=Response, responses=binary("image/jpeg"), summary="An image as JPEG"
    )
    async def preview(request: Request, n: Number, i: Number, side: Side = 1600) -> Response:
        """As it is displayed."""
        message = await _ask(service, request, n, "preview", i=i, side=side)
        return jpeg_answer(request, message.blobs[0], f'"c{n}-{i}-{side}"')


async def _ask(
    service: Service, request: Request, n: int, name: str, images: tuple[str, ...] = (), **arguments: Any
) -> Message:
    """The answer of a job about a collection."""
    _check(service, n)
    return await service.jobs.answer(request, Job(f"collection {name}", {"n": n, **arguments}, images))


def _check(service: Service, n: int) -> None:
    """See that there is such a collection.

    Raises:
        Problem: there is not.
    """
    count = len(service.settings.collections)
    if n >= count:
        raise Problem("not-found", f"there are {count} collections, numbered from 0")


def _json(message: Message) -> Response:
    return Response(message.blobs[0], media_type="application/json")


def _part(request: Request, content: bytes) -> Response:
    """All of it, or the one range that is asked for."""
    headers = {"accept-ranges": "bytes"}
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or int(found[1]) >= len(content):
        return Response(content, headers=headers, media_type="application/octet-stream")
    start, stop = int(found[1]), min(int(found[2] or len(content)) + (1 if found[2] else 0), len(content))
    if stop <= start:
        return Response(content, headers=headers, media_type="application/octet-stream")
    headers["content-range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    return Response(content[start:stop], 206, headers, media_type="application/octet-stream")
