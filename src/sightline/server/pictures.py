"""The floor plan and its forbidden zones as PNG, made once and cached by ETag."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from fastapi import Response
from PIL import Image

from sightline.records import FloorPlan

# Bootstrap's danger red; strong enough to shade a white plan, faint enough to read it through.
_FORBIDDEN_RGB = (220, 53, 69)
_FORBIDDEN_ALPHA = 105


@dataclass(frozen=True)
class Picture:
    """A PNG and the tag that names its content."""

    png: bytes
    etag: str

    @classmethod
    def of(cls, png: bytes) -> Picture:
        """Return the picture with its tag."""
        return cls(png, f'"{hashlib.sha256(png).hexdigest()[:24]}"')


def plan_picture(plan: FloorPlan) -> Picture:
    """Return the plan as PNG, whatever format its file has."""
    data = plan.image.read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "PNG":
            return Picture.of(data)
        stream = io.BytesIO()
        image.convert("RGB").save(stream, "PNG", optimize=True)
    return Picture.of(stream.getvalue())


def forbidden_picture(plan: FloorPlan) -> Picture | None:
    """Return a PNG of the plan's size, red where one cannot walk and clear elsewhere.

    None where the plan does not say where one can walk.
    """
    if plan.walkable is None:
        return None
    forbidden = ~plan.walkable_mask()
    image = Image.fromarray(forbidden.astype(np.uint8), mode="P")
    image.putpalette([0, 0, 0, *_FORBIDDEN_RGB])
    stream = io.BytesIO()
    image.save(stream, "PNG", bits=1, transparency=bytes([0, _FORBIDDEN_ALPHA]))
    return Picture.of(stream.getvalue())


def picture_response(picture: Picture, if_none_match: str | None) -> Response:
    """Return the picture, or 304 where the client has it."""
    headers = {"ETag": picture.etag, "Cache-Control": "no-cache"}
    known = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    if picture.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(picture.png, media_type="image/png", headers=headers)
