"""What the API answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, FiniteFloat

from sightline.server.problems import Problem

PixelPair = tuple[FiniteFloat, FiniteFloat]


class Models(BaseModel):
    """What the localiser works with."""

    run: str | None = Field(description="The trained network that proposes, where one is named.")
    reconstruction: bool = Field(description="Whether the map is there that refines proposals.")


class Health(BaseModel):
    """Whether the service can answer."""

    status: Literal["ok"]
    place: str
    unit: str
    models: Models
    requests: int = Field(description="Localisation requests in hand now.")


class Plan(BaseModel):
    """The floor plan's geometry; pixel (0, 0) is the centre of its top-left pixel."""

    width: int = Field(description="Plan width in pixels.")
    height: int = Field(description="Plan height in pixels.")
    px_per_unit: FiniteFloat = Field(description="Plan pixels per metre (per unit of the world).")
    has_walkable: bool = Field(description="Whether the plan says where one can walk.")


class Limits(BaseModel):
    """What an upload may be."""

    max_files: int
    max_file_bytes: int
    max_request_bytes: int
    max_pixels: int


class Confidence(BaseModel):
    """What the confidence of an answer means, and how much of it is wanted."""

    radius: FiniteFloat = Field(
        description="Confidence is the probability that the position is within this distance of "
        "the truth, in the place's unit."
    )
    min_confidence: FiniteFloat = Field(
        ge=0, le=1, description="Answers below it are withheld: their status is `unknown`."
    )


View = Literal["numbers", "raw", "walkable"]


class PlaceInfo(BaseModel):
    """The place this service answers for."""

    name: str
    unit: str = Field(description="`m`, or `arbitrary` where the scale is not known.")
    plan: Plan | None
    views: list[View] = Field(
        description="Answers there are: numbers; raw position on the plan; position moved to the "
        "nearest walkable floor."
    )
    confidence: Confidence
    limits: Limits
    version: str = Field(description="The version of Sightline.")


class Localization(BaseModel):
    """Where one photo was taken."""

    image: str = Field(description="The photo's name, as it was sent.", examples=["hall.jpg"])
    status: Literal["refined", "regressed", "unknown"] = Field(
        description="`refined`: confirmed by the map; `regressed`: the network's answer alone; "
        "`unknown`: the place does not know, or not surely enough (`confidence` is over 0 then)."
    )
    q_wxyz: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat] | None = Field(
        default=None, description="world_from_cam unit quaternion, w first; OpenCV camera axes."
    )
    center: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = Field(
        default=None, description="The camera's centre in the world, in `unit`."
    )
    unit: str
    plan_xy_px: PixelPair | None = Field(
        default=None, description="The raw position in plan pixels."
    )
    walkable_xy_px: PixelPair | None = Field(
        default=None, description="The raw position moved to the nearest walkable floor."
    )
    on_walkable: bool | None = Field(
        default=None, description="Whether the raw position is on walkable floor."
    )
    heading_deg: FiniteFloat | None = Field(
        default=None,
        description="Where the camera looks: degrees clockwise from the plan's up (from the "
        "world's +y where there is no plan).",
    )
    confidence: Annotated[FiniteFloat, Field(ge=0, le=1)] = Field(
        description="Probability that `center` is within the place's radius of the truth; of an "
        "answer withheld for it, that answer's; 0 where there was none."
    )
    inliers: int = Field(ge=0, description="Map points that agree with the pose.")
    seconds: FiniteFloat = Field(ge=0, description="Time the localiser took for this photo.")


class FailedPhoto(BaseModel):
    """One photo of several that could not be worked on."""

    image: str
    status: Literal["failed"] = "failed"
    problem: Problem


class LocalizeAnswer(BaseModel):
    """One entry a photo, in the order sent."""

    results: list[Annotated[Localization | FailedPhoto, Field(discriminator="status")]]
