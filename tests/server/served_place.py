"""A small place with a plan, a localiser that reads its answer off the photo's colour, photos."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sightline.app.place_confidence import PlaceConfidence
from sightline.errors import GeometryError
from sightline.records import FloorPlan, Place
from sightline.tasks.absolute.confidence import ConfidenceModel

PLAN_WIDTH, PLAN_HEIGHT, PX_PER_M = 480, 320, 20.0
CORRIDOR = (30, 30, 450, 290)
COURT = (110, 110, 370, 210)


@dataclass(frozen=True)
class FakeLocalization:
    """An answer, as ``to_json`` gives it."""

    content: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return self.content


@dataclass
class FakeLocalizer:
    """Answers by a photo's mean colour: (red, green) is the position on the plan in pixels / 2.

    Blue chooses the status: below 50 refined, below 100 regressed, below 130 unknown, below 150
    withheld, below 200 a SightlineError, above that a bug.
    """

    place: Place
    confidence: PlaceConfidence = field(default_factory=lambda: PlaceConfidence(ConfidenceModel()))
    network_name: str | None = "mapnet-resnet34"
    seconds: float = 0.0
    calls: list[list[str]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    release: threading.Event | None = None

    def localize(
        self,
        images: Sequence[NDArray[np.uint8]],
        names: Sequence[str],
        *,
        focals_px: Sequence[float | None] | None = None,
    ) -> list[FakeLocalization]:
        self.calls.append(list(names))
        self.threads.add(threading.current_thread().name)
        if self.release is not None:
            assert self.release.wait(20)
        time.sleep(self.seconds)
        return [self._one(image, name) for image, name in zip(images, names, strict=True)]

    def _one(self, image: NDArray[np.uint8], name: str) -> FakeLocalization:
        red, green, blue = (float(v) for v in image.reshape(-1, 3).mean(axis=0).round())
        if blue >= 200:
            raise RuntimeError("secret: /home/somebody/model.bin has a hole")
        if blue >= 150:
            raise GeometryError("four points are wanted, three came")
        if blue >= 100:
            unsure = 0.6229 if blue >= 130 else 0.0
            return FakeLocalization(unknown_answer(name, self.place.unit, unsure))
        u, v = 2 * red, 2 * green
        has_plan = self.place.plan is not None
        on_walkable = is_walkable(u, v)
        return FakeLocalization(
            {
                "image": name,
                "status": "refined" if blue < 50 else "regressed",
                "q_wxyz": [0.5, -0.5, 0.5, -0.5],
                "center": [u / PX_PER_M, (PLAN_HEIGHT - v) / PX_PER_M, 1.6],
                "unit": self.place.unit,
                "plan_xy_px": [u, v] if has_plan else None,
                "walkable_xy_px": list(nearest_walkable(u, v)) if has_plan else None,
                "on_walkable": on_walkable if has_plan else None,
                "heading_deg": 60.0,
                "confidence": 0.93 if blue < 50 else 0.38,
                "inliers": 107 if blue < 50 else 0,
                "seconds": 0.31,
            }
        )


def unknown_answer(name: str, unit: str, confidence: float) -> dict[str, Any]:
    nothing = ("q_wxyz", "center", "plan_xy_px", "walkable_xy_px", "on_walkable", "heading_deg")
    return {
        "image": name,
        "status": "unknown",
        **dict.fromkeys(nothing),
        "unit": unit,
        "confidence": confidence,
        "inliers": 0,
        "seconds": 0.2,
    }


def walkable_mask() -> NDArray[np.bool_]:
    """The ring corridor around the court."""
    mask = np.zeros((PLAN_HEIGHT, PLAN_WIDTH), dtype=bool)
    mask[CORRIDOR[1] : CORRIDOR[3], CORRIDOR[0] : CORRIDOR[2]] = True
    mask[COURT[1] : COURT[3], COURT[0] : COURT[2]] = False
    return mask


def is_walkable(u: float, v: float) -> bool:
    return bool(walkable_mask()[round(v), round(u)])


def nearest_walkable(u: float, v: float) -> tuple[float, float]:
    if is_walkable(u, v):
        return u, v
    rows, columns = np.nonzero(walkable_mask())
    nearest = int(np.argmin((rows - v) ** 2 + (columns - u) ** 2))
    return float(columns[nearest]), float(rows[nearest])


def write_plan(folder: Path, *, with_walkable: bool = True) -> FloorPlan:
    picture = Image.new("RGB", (PLAN_WIDTH, PLAN_HEIGHT), "#f4f5f7")
    draw = ImageDraw.Draw(picture)
    draw.rectangle(CORRIDOR, fill="white", outline="#30363d", width=3)
    draw.rectangle(COURT, fill="#e6e8eb", outline="#30363d", width=3)
    for x in range(140, 350, 60):
        draw.rectangle((x, 10, x + 22, 30), outline="#8a929c", width=1)
    draw.text((220, 152), "court", fill="#57606a")
    draw.text((40, 40), "lift", fill="#57606a")
    picture.save(folder / "plan.png")
    walkable = folder / "walkable.png" if with_walkable else None
    if walkable is not None:
        Image.fromarray(walkable_mask().astype(np.uint8) * 255).save(walkable)
    affine = np.array([[PX_PER_M, 0.0, 0.0], [0.0, -PX_PER_M, PLAN_HEIGHT]])
    plan = FloorPlan(folder / "plan.png", walkable, PLAN_WIDTH, PLAN_HEIGHT, affine)
    plan.write(folder / "plan.toml")
    return plan


def make_place(root: Path, *, with_plan: bool = True, with_walkable: bool = True) -> Place:
    place = Place.create(root, source="video.mp4")
    place.update(unit="m", name="Povo 1, second floor")
    if with_plan:
        write_plan(root, with_walkable=with_walkable)
    return place


def photo(
    red: int, green: int, blue: int = 0, size: tuple[int, int] = (96, 72), kind: str = "PNG"
) -> bytes:
    """A photo of one colour, which tells the fake localiser what to answer."""
    stream = io.BytesIO()
    Image.new("RGB", size, (red, green, blue)).save(stream, kind)
    return stream.getvalue()
