"""What happens to images between camera and network: compression, blur, noise, low light ...

Images are uint8 (H, W, 3) RGB, as ``sightline.media.read_image`` gives them: grey pictures have
three equal channels, transparent areas are white, of an animated GIF there is the first frame. The
same image, distortion and seed give the same pixels and the same bytes; without randomness (all
but noise and low light) the seed does nothing.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, MediaError

#: ``none`` is the pristine image. Levels are in each kind's own unit:
#: JPEG and WebP quality (1-100); blur and noise: standard deviation in pixels, in grey levels;
#: downscale: the factor by which both sides shrink; low light: the share of the light that is left.
Kind = Literal["none", "jpeg", "webp", "blur", "noise", "downscale", "lowlight"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: The nine JPEG qualities stand for the paper's nine compression ratios, which it does not name.
DEFAULT_LEVELS = MappingProxyType(
    {
        "jpeg": (5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 70.0, 90.0),
        "webp": (1.0, 5.0, 10.0, 30.0, 70.0),
        "blur": (1.0, 2.0, 4.0, 8.0),
        "noise": (10.0, 20.0, 40.0, 80.0),
        "downscale": (2.0, 4.0, 8.0, 16.0),
        "lowlight": (0.3, 0.1, 0.03, 0.01),
    }
)

#: Longest side that a format can hold, in pixels.
_LONGEST = {"jpeg": 65500, "webp": 16383}

#: Smallest and largest level of each kind; JPEG and WebP want whole numbers.
_LEVELS = {
    "jpeg": (1.0, 100.0),
    "webp": (1.0, 100.0),
    "blur": (0.01, 1000.0),
    "noise": (0.01, 255.0),
    "downscale": (1.0, 1000.0),
    "lowlight": (1e-6, 1.0),
}

#: The sensor that ``lowlight`` looks through: electrons at white in full light, standard
#: deviation of its read noise in electrons, bits of its converter. A phone's, about.
FULL_WELL_E = 4000.0
READ_NOISE_E = 4.0
ADC_BITS = 12

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Distortion:
    """One kind of distortion at one level.

    Attributes:
        kind: Of :data:`KINDS`.
        level: In the kind's own unit; 0 for ``none``.

    Raises:
        InputError: No such kind, or an impossible level.
    """

    kind: Kind
    level: float = 0.0

    def __post_init__(self) -> None:
        if self.kind == "none":
            if self.level != 0:
                raise InputError(f"the distortion none has no level, {self.level:g} came")
            return
        if self.kind not in KINDS:
            raise InputError(f"a distortion of {', '.join(KINDS)} is wanted, {self.kind!r} came")
        low, high = _LEVELS[self.kind]
        whole = self.kind in ("jpeg", "webp")
        if not low <= self.level <= high or (whole and self.level != round(self.level)):
            number = "a whole number" if whole else "a level"
            raise InputError(
                f"{self.kind}: {number} from {low:g} to {high:g} is wanted, {self.level:g} came"
            )

    def __str__(self) -> str:
        # repr, so that parsing gives the same number again.
        level = repr(float(self.level)).removesuffix(".0")
        return "none" if self.kind == "none" else f"{self.kind}:{level}"


def parse_distortion(text: str) -> Distortion:
    """Return the distortion of ``KIND:LEVEL``, as :meth:`Distortion.__str__` writes it.

    Raises:
        InputError: No such kind, no number, or an impossible level.
    """
    kind, _, level = text.partition(":")
    found = {str(known): known for known in KINDS}.get(kind)
    try:
        number = float(level or 0)
    except ValueError:
        found = None
    if found is None:
        raise InputError(f"KIND:LEVEL is wanted, such as jpeg:10, {text!r} came; kinds: {KINDS}")
    return Distortion(found, number)


def distort(image: Pixels, distortion: Distortion, seed: int = 0) -> Pixels:
    """Return the image as it arrives, of the same size.

    Except for ``downscale``, whose image comes back at its smaller size
    (:func:`distorted_size`): what reads it enlarges it, as machines do.

    Args:
        image: (H, W, 3) RGB.
        distortion: What is done to it.
        seed: Of noise and low light.

    Raises:
        InputError: Another shape or type, a negative seed, or (JPEG: 65500, WebP: 16383 pixels) a
            side that the format cannot hold.
    """
    return _distorted(image, distortion, seed)[0]


def encoded(image: Pixels, distortion: Distortion, seed: int = 0) -> tuple[Pixels, bytes]:
    """Return the distorted image and the file that holds exactly its pixels.

    The file is a JPEG or WebP where the distortion is one; a PNG otherwise, whose size says
    little of what a camera would have sent.

    Args:
        image: (H, W, 3) RGB.
        distortion: What is done to it.
        seed: Of noise and low light.

    Raises:
        InputError: As for :func:`distort`.
    """
    pixels, content = _distorted(image, distortion, seed)
    return pixels, content or _save(pixels, "PNG")


def distorted_size(distortion: Distortion, width: int, height: int) -> tuple[int, int]:
    """Return width and height of the distorted image; a side never falls below one pixel."""
    if distortion.kind != "downscale":
        return width, height
    return max(1, round(width / distortion.level)), max(1, round(height / distortion.level))


def _distorted(image: Pixels, distortion: Distortion, seed: int) -> tuple[Pixels, bytes]:
    """Return the image, and its file where the kind is a file's."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(
            f"a picture (H, W, 3) of uint8 is wanted, {image.shape} of {image.dtype} came; "
            "read it with sightline.media.read_image"
        )
    if seed < 0:
        raise InputError(f"a seed of 0 or more is wanted, {seed} came")
    kind, level = distortion.kind, distortion.level
    if kind in ("jpeg", "webp"):
        return _through_file(image, kind, round(level))
    if kind == "blur":
        return _blurred(image, level), b""
    if kind == "noise":
        return _noisy(image, level, seed), b""
    if kind == "downscale":
        return _smaller(image, distorted_size(distortion, image.shape[1], image.shape[0])), b""
    if kind == "lowlight":
        return _darker(image, level, seed), b""
    return image.copy(), b""


def _through_file(image: Pixels, kind: Kind, quality: int) -> tuple[Pixels, bytes]:
    height, width = image.shape[:2]
    if max(height, width) > _LONGEST[kind]:
        raise InputError(
            f"sides of {_LONGEST[kind]} pixels or less are wanted for {kind}, {width} x {height} "
            "came; make the picture smaller"
        )
    content = _save(image, kind.upper(), quality)
    from PIL import Image

    with Image.open(io.BytesIO(content)) as opened:
        return np.array(opened.convert("RGB")), content


def _save(image: Pixels, container: str, quality: int = 0) -> bytes:
    from PIL import Image

    # As files of the web are: chroma at half resolution both ways; WebP has no other.
    # PNG at its fastest: five times faster and a little larger than at its default.
    options: dict[str, dict[str, int | str]] = {
        "JPEG": {"quality": quality, "subsampling": "4:2:0"},
        "WEBP": {"quality": quality},
        "PNG": {"compress_level": 1},
    }
    stream = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    try:
        picture.save(stream, container, **options[container])
    except (OSError, ValueError) as error:
        raise MediaError(
            f"a picture of {image.shape[1]} x {image.shape[0]} pixels could not be written as "
            f"{container} ({error}); leave it out"
        ) from error
    return stream.getvalue()


def _blurred(image: Pixels, sigma_px: float) -> Pixels:
    import cv2

    # In float32: OpenCV's 8-bit way rounds the weights, and is off by two grey levels at times.
    side = 2 * math.ceil(4 * sigma_px) + 1
    soft = cv2.GaussianBlur(
        image.astype(np.float32), (side, side), sigma_px, borderType=cv2.BORDER_REPLICATE
    )
    return _levels(np.asarray(soft, dtype=np.float32))


def _noisy(image: Pixels, deviation: float, seed: int) -> Pixels:
    noise = np.random.default_rng(seed).standard_normal(image.shape, dtype=np.float32)
    return _levels(image + np.float32(deviation) * noise)


def _smaller(image: Pixels, size: tuple[int, int]) -> Pixels:
    import cv2

    # Each pixel is the mean of those it covers: nothing is aliased.
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _darker(image: Pixels, share: float, seed: int) -> Pixels:
    """Return the picture with a share of its light, not brightened again.

    In linear light: photons arrive one by one (Poisson), the sensor adds its read noise, and its
    converter rounds (the model of EMVA 1288, without dark current and unequal pixels).
    """
    rng = np.random.default_rng(seed)
    electrons = rng.poisson(_linear_of_srgb()[image] * (share * FULL_WELL_E)).astype(np.float32)
    electrons += np.float32(READ_NOISE_E) * rng.standard_normal(image.shape, dtype=np.float32)
    largest = 2**ADC_BITS - 1
    counts = np.clip(np.rint(electrons * np.float32(largest / FULL_WELL_E)), 0, largest)
    dark: Pixels = np.take(_srgb_of_counts(), counts.astype(np.uint16))
    return dark


@lru_cache(maxsize=1)
def _linear_of_srgb() -> NDArray[np.float64]:
    """Return (256,) linear light from 0 to 1 of sRGB's grey levels (IEC 61966-2-1)."""
    v = np.arange(256) / 255.0
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


@lru_cache(maxsize=1)
def _srgb_of_counts() -> Pixels:
    """Return sRGB's grey level of each of the converter's counts."""
    light = np.arange(2**ADC_BITS) / (2**ADC_BITS - 1)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    levels: Pixels = np.rint(255 * curve).astype(np.uint8)
    return levels


def _levels(values: NDArray[np.float32]) -> Pixels:
    levels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels
