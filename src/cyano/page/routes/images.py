"""Images: uploaded by their bytes, known by their digest."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from cyano.page.bodies import announced, whole
from cyano.page.documented import IMAGE, binary, document
from cyano.page.jobs import Job
from cyano.page.problems import Problem
from cyano.page.service import Service, json_route

__all__ = ["Side", "jpeg_answer", "router"]

Side = Annotated[int, Query(ge=16, le=4096, description="Pixels of the longer side at most.")]
_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}


def router(service: Service) -> APIRouter:
    """PUT /images, GET /images/{id}/preview."""
    limits = service.settings.limits
    routes = APIRouter(route_class=json_route(service.settings))

    @routes.put("/images", openapi_extra=_BODY, responses=document(IMAGE), summary="Upload an image")
    async def upload(request: Request) -> dict[str, Any]:
        """The body is the file as it is; the answer is its id, and its size as it is displayed."""
        length = announced(request, limits.upload_bytes)
        if length is None:
            raise Problem("length", "an upload needs a Content-Length header", headers={"connection": "close"})
        with service.arriving(length):
            content = await whole(request, limits.upload_bytes, limits)
            return await service.add_image(request, content)

    @routes.get(
        "/images/{image}/preview", response_class=Response, responses=binary("image/jpeg"), summary="An image as JPEG"
    )
    async def preview(request: Request, image: str, side: Side = 1600) -> Response:
        """As it is displayed: EXIF's orientation is applied."""
        service.check_image(image)
        message = await service.jobs.answer(request, Job("preview", {"image": image, "side": side}, (image,)))
        return jpeg_answer(request, message.blobs[0], f'"{image[:32]}-{side}"')

    return routes


def jpeg_answer(request: Request, content: bytes, tag: str) -> Response:
    """A picture that the browser may keep."""
    headers = {"etag": tag, "cache-control": "private, max-age=3600"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="image/jpeg")
