"""Pinhole cameras with the distortion models of COLMAP, in our pixel convention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import GeometryError
from sightline.geometry.rotation import Array

#: Model name -> (number of focal lengths, number of distortion coefficients).
CAMERA_MODELS = {
    "SIMPLE_PINHOLE": (1, 0),
    "PINHOLE": (2, 0),
    "SIMPLE_RADIAL": (1, 1),
    "RADIAL": (1, 2),
    "OPENCV": (2, 4),
}


#: Focal length over the longer side, of a camera nothing is known of.
DEFAULT_FOCAL_FACTOR = 1.2


@dataclass(frozen=True)
class Camera:
    """One camera's intrinsics.

    Pixel (0, 0) is the centre of the top-left pixel; COLMAP's is half a pixel off, and only
    ``records.colmap`` knows that.

    Attributes:
        model: One of :data:`CAMERA_MODELS`.
        width: Image width in pixels.
        height: Image height in pixels.
        params: Focal lengths, cx, cy, distortion, in COLMAP's order.
    """

    model: str
    width: int
    height: int
    params: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.model not in CAMERA_MODELS:
            raise GeometryError(
                f"a camera model of {', '.join(CAMERA_MODELS)} is wanted, {self.model!r} came"
            )
        wanted = sum(CAMERA_MODELS[self.model]) + 2
        if len(self.params) != wanted:
            raise GeometryError(f"{self.model} wants {wanted} parameters, {len(self.params)} came")
        focals = self.params[: CAMERA_MODELS[self.model][0]]
        if not np.isfinite(self.params).all() or min(focals) <= 0:
            raise GeometryError(
                f"finite parameters and positive focal lengths are wanted, {self.params} came"
            )
        if self.width <= 0 or self.height <= 0:
            raise GeometryError(f"a positive size is wanted, {self.width}x{self.height} came")

    @classmethod
    def guess(cls, width: int, height: int) -> Camera:
        """Return a camera of a usual field of view, for pictures of an unknown camera.

        The focal length is 1.2 times the longer side, COLMAP's own guess (45 degrees).
        """
        focal = DEFAULT_FOCAL_FACTOR * max(width, height)
        return cls("SIMPLE_PINHOLE", width, height, (focal, (width - 1) / 2.0, (height - 1) / 2.0))

    @property
    def fx(self) -> float:
        """Horizontal focal length in pixels."""
        return self.params[0]

    @property
    def fy(self) -> float:
        """Vertical focal length in pixels."""
        return self.params[CAMERA_MODELS[self.model][0] - 1]

    @property
    def cx(self) -> float:
        """Principal point, horizontal, in pixels."""
        return self.params[CAMERA_MODELS[self.model][0]]

    @property
    def cy(self) -> float:
        """Principal point, vertical, in pixels."""
        return self.params[CAMERA_MODELS[self.model][0] + 1]

    @property
    def distortion(self) -> tuple[float, ...]:
        """Distortion coefficients (k1), (k1, k2) or (k1, k2, p1, p2)."""
        return self.params[CAMERA_MODELS[self.model][0] + 2 :]

    @property
    def matrix(self) -> Array:
        """(3, 3) calibration matrix K, without distortion."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def resized(self, width: int, height: int) -> Camera:
        """Return the camera of the same image at another size (both axes scaled)."""
        sx, sy = width / self.width, height / self.height
        focals = CAMERA_MODELS[self.model][0]
        if focals == 1 and not np.isclose(sx, sy, rtol=2e-3):
            raise GeometryError(
                f"{self.model} has one focal length; {self.width}x{self.height} cannot become "
                f"{width}x{height}"
            )
        scaled = [f * s for f, s in zip(self.params[:focals], (sx, sy), strict=False)]
        centre = [(self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5]
        return Camera(self.model, width, height, (*scaled, *centre, *self.distortion))

    def with_two_focals(self) -> Camera:
        """Return the same camera in a model that can be stretched in one axis alone."""
        numbers = (self.fx, self.fy, self.cx, self.cy)
        if not self.distortion:
            return Camera("PINHOLE", self.width, self.height, numbers)
        distortion = (*self.distortion, 0.0, 0.0, 0.0)[:4]
        return Camera("OPENCV", self.width, self.height, (*numbers, *distortion))

    def cropped(self, left: int, top: int, width: int, height: int) -> Camera:
        """Return the camera of a part of the image; parts may reach beyond it.

        Args:
            left: Column of the image that becomes column 0.
            top: Row of the image that becomes row 0.
            width: Of the part, in pixels.
            height: Of the part, in pixels.
        """
        focals = self.params[: CAMERA_MODELS[self.model][0]]
        centre = (self.cx - left, self.cy - top)
        return Camera(self.model, width, height, (*focals, *centre, *self.distortion))

    def project(self, points_cam: ArrayLike) -> Array:
        """Return (..., 2) pixels of (..., 3) points (z forward); NaN for those behind."""
        p = np.asarray(points_cam, dtype=np.float64)
        z = np.where(p[..., 2:] > 0, p[..., 2:], np.nan)
        uv = self._distort(p[..., :2] / z)
        pixels: Array = uv * np.array([self.fx, self.fy]) + np.array([self.cx, self.cy])
        return pixels

    def unproject(self, pixels: ArrayLike) -> Array:
        """Return (..., 3) rays with z = 1 through (..., 2) pixels.

        Distortion is undone by Newton's method to 1e-12. A pixel that no ray reaches, because the
        distortion folds over before it, gives NaN.
        """
        xy = np.asarray(pixels, dtype=np.float64)
        distorted = (xy - np.array([self.cx, self.cy])) / np.array([self.fx, self.fy])
        uv = self._undistort(distorted) if any(self.distortion) else distorted
        return np.concatenate([uv, np.ones_like(uv[..., :1])], axis=-1)

    @property
    def _k1_k2_p1_p2(self) -> tuple[float, float, float, float]:
        k1, k2, p1, p2 = (*self.distortion, 0.0, 0.0, 0.0, 0.0)[:4]
        return k1, k2, p1, p2

    def _distort(self, uv: Array) -> Array:
        if not any(self.distortion):
            return uv
        k1, k2, p1, p2 = self._k1_k2_p1_p2
        u, v = uv[..., 0], uv[..., 1]
        r2 = u * u + v * v
        radial = 1.0 + k1 * r2 + k2 * r2 * r2
        return np.stack(
            [
                u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u),
                v * radial + p1 * (r2 + 2 * v * v) + 2 * p2 * u * v,
            ],
            axis=-1,
        )

    def _distortion_jacobian(self, uv: Array) -> tuple[Array, Array, Array]:
        """Return d(u')/du, d(u')/dv = d(v')/du and d(v')/dv: the Jacobian is symmetric."""
        k1, k2, p1, p2 = self._k1_k2_p1_p2
        u, v = uv[..., 0], uv[..., 1]
        r2 = u * u + v * v
        radial, slope = 1.0 + k1 * r2 + k2 * r2 * r2, 2.0 * k1 + 4.0 * k2 * r2
        return (
            radial + slope * u * u + 2 * p1 * v + 6 * p2 * u,
            slope * u * v + 2 * p1 * u + 2 * p2 * v,
            radial + slope * v * v + 6 * p1 * v + 2 * p2 * u,
        )

    def _undistort(self, distorted: Array) -> Array:
        uv = distorted.copy()
        # Far outside the image the iteration may run away; such rays come out as NaN below.
        with np.errstate(all="ignore"):
            for _ in range(30):
                error = self._distort(uv) - distorted
                a, b, c = self._distortion_jacobian(uv)
                step = np.stack(
                    [c * error[..., 0] - b * error[..., 1], a * error[..., 1] - b * error[..., 0]],
                    axis=-1,
                )
                uv = uv - step / (a * c - b * b)[..., None]
            a, b, c = self._distortion_jacobian(uv)
            error = np.abs(self._distort(uv) - distorted).max(axis=-1)
            # A positive definite Jacobian: the ray lies on this side of the fold.
            found = (error < 1e-9) & (a * c > b * b) & (a > 0)
        uv[~found] = np.nan
        return uv
