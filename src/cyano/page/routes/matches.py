"""Matches of two images, and what follows from them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from cyano.page.bodies import Part, announced, parts_of
from cyano.page.documented import ALTERNATIVES, GEOMETRY, KEYPOINTS, MATCHES, binary, document
from cyano.page.forms import Geometry, MatchOptions, MatchRequest
from cyano.page.problems import Problem
from cyano.page.service import Service, json_route

__all__ = ["router"]

_FORM_OVERHEAD = 1 << 20
_IMAGES, _MASKS = ("image0", "image1"), ("mask0", "mask1")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?")
_FORM_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": list(_IMAGES),
                    "properties": {
                        **{name: {"type": "string", "format": "binary"} for name in (*_IMAGES, *_MASKS)},
                        **{name: {"type": "string"} for name in MatchOptions.model_fields},
                    },
                }
            }
        },
    }
}

Threshold = Annotated[float | None, Query(gt=0, le=1e6, allow_inf_nan=False)]
Score = Annotated[float | None, Query(ge=0, le=1)]
Seed = Annotated[int, Query(ge=0, le=2**31 - 1)]
Estimator = Literal["poselib", "opencv"]
Kind = Literal["homography", "fundamental", "essential", "pose"]


def router(service: Service) -> APIRouter:
    """POST /matches, POST /match, and all below /matches/{id}."""
    routes = APIRouter(route_class=json_route(service.settings))

    @routes.post(
        "/matches",
        response_class=Response,
        responses=document(MATCHES, archive=True),
        summary="Match two uploaded images",
    )
    async def matches(request: Request, wanted: MatchRequest) -> Response:
        """As `cyano match --json`; as a numpy archive with `Accept: application/octet-stream`."""
        for digest in filter(None, (wanted.image0, wanted.image1, wanted.mask0, wanted.mask1)):
            service.check_image(digest)
        return await _match(service, request, wanted)

    @routes.post(
        "/match",
        response_class=Response,
        responses=document(MATCHES, archive=True),
        openapi_extra=_FORM_BODY,
        summary="Match two files in one call",
    )
    async def match(request: Request) -> Response:
        """A form with `image0`, `image1`, and options as further fields; the answer is that of POST /matches."""
        limits = service.settings.limits
        limit = 4 * limits.upload_bytes + _FORM_OVERHEAD
        with service.arriving(announced(request, limit) or limit):
            parts = {part.name: part for part in await parts_of(request, limit, limits)}
            wanted = await _of_form(service, request, parts)
        return await _match(service, request, wanted)

    @routes.get(
        "/matches/{match}",
        response_class=Response,
        responses=document(MATCHES, archive=True),
        summary="The matches again",
    )
    async def again(request: Request, match: str) -> Response:
        """The answer of POST /matches."""
        return await _found(service, request, match)

    _details(routes, service)
    _pictures(routes, service)
    return routes


def _details(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/matches/{match}/keypoints",
        response_class=Response,
        responses=document(KEYPOINTS),
        summary="All keypoints of both images",
    )
    async def keypoints(request: Request, match: str) -> Response:
        """`keypoints0`, `scores0`, `keypoints1`, `scores1`; `indices` of a match are rows of these."""
        message = await service.of_match(request, "keypoints", match)
        return Response(message.blobs[0], media_type="application/json")

    @routes.post(
        "/matches/{match}/geometry",
        responses=document(GEOMETRY),
        summary="A homography, a fundamental matrix or a pose",
    )
    async def geometry(request: Request, match: str, model: Geometry) -> dict[str, Any]:
        """In milliseconds: no network runs."""
        message = await service.of_match(request, "geometry", match, model=model.model_dump())
        return message.document

    @routes.get(
        "/matches/{match}/alternatives",
        responses=document(ALTERNATIVES),
        summary="The likeliest partners of a keypoint",
    )
    async def alternatives(
        request: Request,
        match: str,
        keypoint: Annotated[int, Query(ge=0, le=2**31 - 1)],
        image: Literal["0", "1"] = "0",
    ) -> dict[str, Any]:
        """The three likeliest partners of a keypoint of image 0 (or 1), and the probability that it has none."""
        message = await service.of_match(request, "alternatives", match, keypoint=keypoint, side=int(image))
        return message.document


def _pictures(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/matches/{match}/picture.png",
        response_class=Response,
        responses=binary("image/png"),
        summary="Both images with their matches",
    )
    async def picture(
        request: Request,
        match: str,
        kind: Kind | None = None,
        threshold_px: Threshold = None,
        min_score: Score = None,
        seed: Seed = 0,
        estimator: Estimator = "poselib",
        max_lines: Annotated[int, Query(ge=1, le=100_000)] = 250,
    ) -> Response:
        """Coloured by score, or by the inliers of a model of that kind."""
        told = {"threshold_px": threshold_px, "min_score": min_score, "seed": seed, "estimator": estimator}
        model = None if kind is None else {"kind": kind, **told}
        message = await service.of_match(request, "picture", match, model=model, max_lines=max_lines)
        return Response(message.blobs[0], media_type="image/png")

    @routes.get(
        "/matches/{match}/registered.png",
        response_class=Response,
        responses=binary("image/png"),
        summary="Image 1 in the frame of image 0",
    )
    async def registered(
        request: Request,
        match: str,
        overlay: Literal["blend", "checkerboard", "anaglyph"] | None = None,
        threshold_px: Threshold = None,
        min_score: Score = None,
        seed: Seed = 0,
        estimator: Estimator = "poselib",
    ) -> Response:
        """By the homography; transparent where image 1 has no pixels, or over image 0 with an overlay."""
        model = {"threshold_px": threshold_px, "min_score": min_score, "seed": seed, "estimator": estimator}
        message = await service.of_match(request, "registered", match, model=model, overlay=overlay)
        return Response(message.blobs[0], media_type="image/png")


async def _match(service: Service, request: Request, wanted: MatchRequest) -> Response:
    pair = {
        "images": [wanted.image0, wanted.image1],
        "names": [wanted.name0, wanted.name1],
        "masks": [wanted.mask0, wanted.mask1],
        "options": wanted.options.told(),
    }
    return await _found(service, request, service.remember(pair))


async def _found(service: Service, request: Request, match: str) -> Response:
    """The matches as JSON, or as an archive for who asks for bytes."""
    if request.headers.get("accept", "").startswith("application/octet-stream"):
        message = await service.of_match(request, "archive", match)
        return Response(message.blobs[0], media_type="application/octet-stream")
    message = await service.of_match(request, "match", match)
    return Response(message.blobs[0], media_type="application/json")


async def _of_form(service: Service, request: Request, parts: dict[str, Part]) -> MatchRequest:
    """The request that a form makes; its images are kept from now on.

    Raises:
        Problem: an image is missing or cannot be read, or a field is not usable.
    """
    told: dict[str, Any] = {}
    for name in _IMAGES:
        if name not in parts:
            raise Problem("options", f"the form has no {name}", field=name)
    for name in (*_IMAGES, *_MASKS):
        if name in parts:
            part = parts.pop(name)
            try:
                told[name] = (await service.add_image(request, bytes(part.content)))["id"]
            except Problem as problem:
                problem.members["field"] = name  # which of the files it is about
                raise
            if part.file and name in _IMAGES:
                told[f"name{name[-1]}"] = part.file[:255]
    options = {name: _value(part, name) for name, part in parts.items()}
    try:
        return MatchRequest(**told, options=MatchOptions(**options))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"][:1]))
        raise Problem("options", f"{field}: {first['msg']}", field=field) from error


def _value(part: Part, name: str) -> Any:
    """A field of a form as JSON would have it."""
    text = bytes(part.content[:100]).decode("utf-8", "replace").strip()
    if text in ("true", "false"):
        return text == "true"
    sides = re.fullmatch(r"(\d{1,5})[x,](\d{1,5})", text)
    if name == "resize" and sides:
        return [int(sides[1]), int(sides[2])]
    if _NUMBER.fullmatch(text):
        return int(text) if text.lstrip("-").isdigit() else float(text)
    return text
