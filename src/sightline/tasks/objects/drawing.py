"""Poses drawn onto pictures: the object's axes, its front, and a box in space round it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from sightline.errors import InputError
from sightline.geometry.rotation import Array, rotation_from_wxyz
from sightline.records.objects import Box

Photo = NDArray[np.uint8]
Colour = tuple[int, int, int]

#: How wide (x), long (y) and high (z) an object of a category usually is, as proportions.
PROPORTIONS = {
    "aeroplane": (1.0, 1.0, 0.3),
    "bicycle": (0.35, 1.0, 0.6),
    "boat": (0.35, 1.0, 0.5),
    "bottle": (0.3, 0.3, 1.0),
    "bus": (0.25, 1.0, 0.3),
    "car": (0.4, 1.0, 0.32),
    "chair": (0.6, 0.6, 1.0),
    "diningtable": (1.0, 0.6, 0.5),
    "motorbike": (0.35, 1.0, 0.55),
    "sofa": (1.0, 0.5, 0.45),
    "train": (0.25, 1.0, 0.35),
    "tvmonitor": (1.0, 0.15, 0.65),
}

RED, GREEN, BLUE = (235, 64, 52), (60, 200, 80), (66, 133, 255)
_WHITE, _DARK = (255, 255, 255), (24, 24, 28)

#: Smaller pictures are enlarged to this before anything is drawn, so that text can be read.
LEAST_PX = 480

#: Sub-pixel positions that OpenCV draws at.
_SHIFT = 4

#: The corners of a box in space, as signs of x, y, z; the first four are the front's (-y).
_CORNERS = np.array(
    [(x, y, z) for y in (-1, 1) for x, z in ((-1, -1), (1, -1), (1, 1), (-1, 1))], dtype=np.float64
)
_EDGES = [(i, (i + 1) % 4) for i in range(4)] + [(4 + i, 4 + (i + 1) % 4) for i in range(4)]
_EDGES += [(i, i + 4) for i in range(4)]

#: How hard a box in space is held to its usual proportions where the picture leaves them open.
_USUAL = 0.05


@dataclass(frozen=True)
class DrawnObject:
    """What is drawn of one object.

    Attributes:
        box: ``x0, y0, x1, y1`` in pixels from edge to edge.
        cam_from_object: ``wxyz``; None draws the box alone.
        label: Text beside the box.
        category: For the usual proportions of the box in space; a cube where unknown.
    """

    box: Box
    cam_from_object: tuple[float, float, float, float] | None = None
    label: str = ""
    category: str = ""


def draw_pose(
    image: Photo,
    box: Box,
    cam_from_object: ArrayLike,
    label: str = "",
    category: str = "",
    least_px: int = LEAST_PX,
) -> Photo:
    """Return a copy of a picture with one object's pose on it; see :func:`draw_objects`."""
    w, x, y, z = (float(v) for v in np.asarray(cam_from_object, dtype=np.float64))
    return draw_objects(image, [DrawnObject(box, (w, x, y, z), label, category)], least_px)


def draw_objects(image: Photo, objects: Sequence[DrawnObject], least_px: int = LEAST_PX) -> Photo:
    """Return a copy of a picture with the poses of its objects on it.

    From the box's centre: green, with a filled head, to where the front faces; red to the right of
    somebody who looks at the front; blue up. Round it a box in space, its front face tinted green.

    Args:
        image: (H, W, 3) uint8 RGB.
        objects: The later are drawn over the earlier.
        least_px: A picture whose longer side is shorter is enlarged to this first, so that lines
            and text are legible; 0 keeps the size.

    Raises:
        InputError: Not a uint8 (H, W, 3) picture.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"a uint8 RGB image of shape (H, W, 3) is wanted, {image.dtype} {image.shape} came"
        )
    factor = max(1.0, least_px / max(image.shape[:2]))
    if factor > 1.0:
        size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
        larger = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        canvas: Photo = np.asarray(larger, dtype=np.uint8)
    else:
        canvas = image.copy()
    for each in objects:
        _draw(canvas, each, np.array(each.box) * factor)
    for each in objects:  # no line through a text
        if each.label:
            _draw_label(canvas, each.label, (each.box[0] * factor, each.box[1] * factor))
    return canvas


def half_sizes(matrix: Array, width: float, height: float, category: str = "") -> Array:
    """Return (3,) half sizes of the box in space that fills a box in the picture.

    Seen from far away, ``width / 2 = |R_00| a + |R_01| b + |R_02| c`` and likewise for the height:
    two equations, which leave one size open; it follows the category's usual proportions.

    Args:
        matrix: (3, 3) rotation from the object's axes to the camera's.
        width: Of the box in the picture, in pixels.
        height: The same.
        category: For the proportions; a cube where unknown.
    """
    usual = np.array(PROPORTIONS.get(category, (1.0, 1.0, 1.0)))
    shown = np.abs(matrix[:2])
    wanted = np.array([width, height]) / 2
    usual = usual * float((shown @ usual) @ wanted) / float((shown @ usual) @ (shown @ usual))
    # sizes as multiples of the usual ones, so that none is pulled to zero for being small
    design = np.vstack([shown * usual / wanted[:, None], _USUAL * np.eye(3)])
    multiples, _ = nnls(design, np.array([1.0, 1.0, *[_USUAL] * 3]))
    sizes: Array = multiples * usual
    return sizes


def _draw(canvas: Photo, each: DrawnObject, box: Array) -> None:
    x0, y0, x1, y1 = (float(v) for v in box)
    side = max(x1 - x0, y1 - y0)
    line = max(1, round(min(max(canvas.shape[:2]) / 480, side / 100)))
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) - 0.5  # edges to pixel centres
    _polyline(canvas, corners, _DARK, line + 2, closed=True)
    _polyline(canvas, corners, _WHITE, line, closed=True)
    if each.cam_from_object is not None:
        matrix = rotation_from_wxyz(np.array(each.cam_from_object)).as_matrix()
        centre = corners.mean(axis=0)
        sizes = half_sizes(matrix, max(x1 - x0, 1.0), max(y1 - y0, 1.0), each.category)
        _draw_space_box(canvas, matrix, centre, sizes, line)
        _draw_axes(canvas, matrix, centre, 0.42 * float(np.sqrt((x1 - x0) * (y1 - y0))))


def _draw_space_box(canvas: Photo, matrix: Array, centre: Array, sizes: Array, line: int) -> None:
    points = _CORNERS * sizes @ matrix.T
    flat = points[:, :2] + centre
    front_seen = matrix[2, 1] > 0  # the front faces -y; the camera looks along +z
    tinted = canvas.copy()
    cv2.fillConvexPoly(tinted, _fixed(flat[:4]), GREEN, cv2.LINE_AA, _SHIFT)
    share = 0.3 if front_seen else 0.15
    cv2.addWeighted(tinted, share, canvas, 1.0 - share, 0.0, canvas)
    hidden = int(points[:, 2].argmax())  # the corner that is farthest away
    order = sorted(_EDGES, key=lambda edge: hidden not in edge)
    for i, j in order:
        behind = hidden in (i, j)
        colour = GREEN if i < 4 and j < 4 else _WHITE
        if not behind:
            _polyline(canvas, flat[[i, j]], _DARK, line + 2)
        _polyline(canvas, flat[[i, j]], colour, line if not behind else max(1, line // 2))


def _draw_axes(canvas: Photo, matrix: Array, centre: Array, length: float) -> None:
    thick = max(1, round(min(max(canvas.shape[:2]) / 480 + 1, length / 20)))
    right, front, up = matrix[:, 0], -matrix[:, 1], matrix[:, 2]
    axes = [(right, RED, thick), (up, BLUE, thick), (front, GREEN, 2 * thick)]
    # what points away from the viewer first, so that what comes towards him lies over it
    for direction, colour, width in sorted(axes, key=lambda axis: -axis[0][2]):
        _arrow(canvas, centre, centre + length * direction[:2], colour, width)
    cv2.circle(canvas, _pixel(centre), (thick + 1) << _SHIFT, _DARK, -1, cv2.LINE_AA, _SHIFT)
    cv2.circle(canvas, _pixel(centre), thick << _SHIFT, _WHITE, -1, cv2.LINE_AA, _SHIFT)


def _arrow(canvas: Photo, start: Array, end: Array, colour: Colour, thick: int) -> None:
    along = end - start
    length = float(np.linalg.norm(along))
    if length < 1e-6:
        return
    along = along / length
    across = np.array([-along[1], along[0]])
    head = min(3.0 * thick, 0.7 * length)
    neck = end - head * along
    corners = np.stack([end, neck + 0.6 * head * across, neck - 0.6 * head * across])
    shaft = np.stack([start, neck])
    _polyline(canvas, shaft, _DARK, thick + 2)
    _polyline(canvas, corners, _DARK, 3, closed=True)
    _polyline(canvas, shaft, colour, thick)
    cv2.fillConvexPoly(canvas, _fixed(corners), colour, cv2.LINE_AA, _SHIFT)


def _draw_label(canvas: Photo, label: str, at: tuple[float, float]) -> None:
    """Write above the box, inside it where there is no room above, and within the picture."""
    x0, top = at
    height, width = canvas.shape[:2]
    line = max(1, round(max(height, width) / 480))
    scale, pad = 0.5 * max(height, width) / 480, 3 * line
    font = cv2.FONT_HERSHEY_DUPLEX
    (wide, tall), below = cv2.getTextSize(label, font, scale, line)
    if wide + 2 * pad > width:  # a long label on a narrow picture
        scale *= width / (wide + 2 * pad)
        (wide, tall), below = cv2.getTextSize(label, font, scale, line)
    tall_strip = tall + below + 2 * pad
    x = int(np.clip(x0, 0, max(0, width - wide - 2 * pad)))
    y = int(top - tall_strip if top >= tall_strip else np.clip(top, 0, height - tall_strip))
    cv2.rectangle(canvas, (x, y), (x + wide + 2 * pad, y + tall_strip), _DARK, -1)
    cv2.putText(canvas, label, (x + pad, y + pad + tall), font, scale, _WHITE, line, cv2.LINE_AA)


def _polyline(
    canvas: Photo, points: Array, colour: Colour, thick: int, *, closed: bool = False
) -> None:
    cv2.polylines(canvas, [_fixed(points)], closed, colour, thick, cv2.LINE_AA, _SHIFT)


def _fixed(points: Array) -> NDArray[np.int32]:
    # far outside the picture nothing is seen, and OpenCV's integers end
    return np.round(np.clip(points, -1e5, 1e5) * (1 << _SHIFT)).astype(np.int32)


def _pixel(point: Array) -> tuple[int, int]:
    x, y = _fixed(point)
    return int(x), int(y)
