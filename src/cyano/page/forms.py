"""What clients may send: every field with its type and its bounds; an unknown one is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Camera", "Geometry", "Localise", "MatchOptions", "MatchRequest", "PlainName"]

Digest = Annotated[str, Field(description="The id of an image, as PUT /images gave it.")]
PlainName = Annotated[str, Field(min_length=1, max_length=255)]
Probability = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=16, le=4096)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, le=1e6)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MatchOptions(_Strict):
    """How to match: those of `cyano match`; what is left out is up to the weights."""

    resize: Annotated[
        Pixels | Annotated[list[Pixels], Field(min_length=1, max_length=2)] | None,
        Field(description="Longest side that the networks see, or [width, height]; null is 640, smaller images as is."),
    ] = None
    max_keypoints: Annotated[int, Field(ge=1, le=8192)] | None = None
    keypoint_threshold: Probability | None = None
    nms_radius: Annotated[int, Field(ge=0, le=64)] | None = None
    match_threshold: Probability | None = None
    sinkhorn_iterations: Annotated[int, Field(ge=1, le=1000)] | None = None
    layers: Annotated[int, Field(ge=1, le=64)] | None = None
    precision: Literal["float32", "mixed", "bfloat16"] | None = None
    rotations: Literal["off", "auto"] | None = None
    views: Literal["off", "auto"] | None = None
    align: bool | None = None
    stretch: bool | None = None

    def told(self) -> dict[str, Any]:
        """The values that are given, for a job."""
        values = self.model_dump(exclude_none=True)
        if isinstance(values.get("resize"), int):
            values["resize"] = [values["resize"]]
        return values


class MatchRequest(_Strict):
    """Two images to match."""

    image0: Digest
    image1: Digest
    name0: PlainName = "image 0"
    name1: PlainName = "image 1"
    mask0: Annotated[
        Digest | None, Field(description="An image of the size of image0, black where nothing is wanted.")
    ] = None
    mask1: Digest | None = None
    options: MatchOptions = MatchOptions()


class Camera(_Strict):
    """A pinhole camera in pixels of the image as it is displayed, (0, 0) at the centre of the first pixel."""

    fx: Positive
    fy: Positive
    cx: Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
    cy: Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]


class Geometry(_Strict):
    """A model to estimate from matches."""

    kind: Literal["homography", "fundamental", "essential", "pose"]
    threshold_px: Annotated[Positive | None, Field(description="3 for a homography, 1 otherwise.")] = None
    estimator: Literal["poselib", "opencv"] = "poselib"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    min_score: Annotated[Probability | None, Field(description="Only matches that are so probable take part.")] = None
    camera0: Annotated[Camera | None, Field(description="Null takes the focal length of EXIF.")] = None
    camera1: Camera | None = None


class Localise(_Strict):
    """A photograph to localise."""

    image: Digest
    camera: Annotated[
        Annotated[str, Field(max_length=500)] | None,
        Field(description="MODEL:p1,p2,... as COLMAP has it, for the pixels as they are stored; null finds one."),
    ] = None
