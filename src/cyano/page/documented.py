"""What the OpenAPI document says of answers: media types, and JSON schemas of their main members."""

from __future__ import annotations

from typing import Any

from cyano.page.problems import BASE, KINDS

__all__ = [
    "ALTERNATIVES",
    "GEOMETRY",
    "IMAGE",
    "KEYPOINTS",
    "LOCALISATION",
    "MATCHES",
    "OBJECT",
    "PROBLEM",
    "binary",
    "document",
]

Schema = dict[str, Any]


def _object(**members: Schema) -> Schema:
    """All members are there; there may be more."""
    return {"type": "object", "required": list(members), "properties": members}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


OBJECT: Schema = {"type": "object"}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TEXT: Schema = {"type": "string"}
_PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_BOOLEANS = _list({"type": "boolean"})
_ERRORS = _list(_or_null({"type": "number", "minimum": 0}))
_MATRIX = _or_null(_list(_list(_NUMBER)))
_POINTS = _list({"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2})
_ROWS = _list({"type": "array", "items": _COUNT, "minItems": 2, "maxItems": 2})
_MATCHED = {"keypoints0": _POINTS, "keypoints1": _POINTS, "scores": _list(_PROBABILITY), "indices": _ROWS}

PROBLEM = _object(
    type={"type": "string", "enum": [BASE + name for name in KINDS]},
    title=_TEXT,
    status={"type": "integer"},
    detail={"type": "string", "minLength": 1},
)
IMAGE = _object(
    id={"type": "string", "pattern": "^[0-9a-f]{64}$"},
    width=_COUNT,
    height=_COUNT,
    orientation={"type": "integer", "minimum": 1, "maximum": 8},
    existing={"type": "boolean"},
)
MATCHES = _object(
    format={"const": "cyano-matches-1"},
    id=_TEXT,
    images=_list(_object(name=_TEXT, width=_COUNT, height=_COUNT, keypoints=_COUNT)),
    **_MATCHED,
    doubtful=_or_null(_object(**_MATCHED)),
    models=_list(OBJECT),
)
KEYPOINTS = _object(keypoints0=_POINTS, scores0=_list(_NUMBER), keypoints1=_POINTS, scores1=_list(_NUMBER))
ALTERNATIVES = _object(
    keypoint=_COUNT,
    side={"enum": [0, 1]},
    partners=_list(_object(keypoint=_COUNT, position=_list(_NUMBER), probability=_PROBABILITY)),
    none=_PROBABILITY,
)
GEOMETRY = _object(
    kind=_TEXT,
    status=_TEXT,
    message=_TEXT,
    matrix=_MATRIX,
    T_0to1=_MATRIX,
    num_inliers=_COUNT,
    inliers=_BOOLEANS,
    errors_px=_ERRORS,
    doubtful_inliers=_BOOLEANS,
    doubtful_errors_px=_ERRORS,
)
LOCALISATION = _object(
    format={"const": "cyano-localised-1"},
    status=_TEXT,
    message=_TEXT,
    confidence=_PROBABILITY,
    inliers=_COUNT,
    candidates=_list(_object(i=_COUNT, correspondences=_COUNT, inliers=_COUNT)),
    T_world_to_camera=_MATRIX,
)


def document(schema: Schema, *, archive: bool = False) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that answers with JSON, or by choice with a numpy archive."""
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    return _answer(content | (_content("application/octet-stream") if archive else {}))


def binary(media: str) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that answers with bytes."""
    return _answer(_content(media))


def _content(media: str) -> dict[str, Any]:
    return {media: {"schema": {"type": "string", "format": "binary"}}}


def _answer(content: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "As asked for", "content": content}}
