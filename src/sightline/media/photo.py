"""Photos in and out: upright 8-bit RGB whatever the file holds."""

from __future__ import annotations

import io
import math
import re
import struct
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, MediaError
from sightline.media.limits import DEFAULT_LIMITS, MediaLimits, check_bytes, check_file
from sightline.media.orientation import Orientation, from_exif

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL.Image import Exif, Image

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm"}
)
"""Suffixes of the formats that are read."""

FOREIGN_SUFFIXES = frozenset({".heic", ".heif", ".avif"})
"""Suffixes of photos that are recognised only."""

_FOREIGN_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"BM", "BMP"),
    (b"P5", "PPM"),
    (b"P6", "PPM"),
)
_SIGNATURE_BYTES = 16

# What Pillow's decoders raise on damaged files, beyond OSError.
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, AttributeError,
    OverflowError, struct.error, zlib.error, NotImplementedError,
)  # fmt: skip

_EXIF_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_EXIF_FOCAL_LENGTH_MM = 0x920A
_EXIF_FOCAL_LENGTH_35MM = 0xA405
_EXIF_PLANE_X_RESOLUTION = 0xA20E
_EXIF_PLANE_RESOLUTION_UNIT = 0xA210
_EXIF_PIXEL_DIMENSIONS = (0xA002, 0xA003)
_MM_BY_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)


def photo_kind(head: bytes) -> str | None:
    """Return the format that a file's first 16 bytes announce, or None.

    ``JPEG PNG GIF TIFF BMP PPM WEBP`` are read; ``HEIC or AVIF`` is recognised only.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in _FOREIGN_BRANDS:
        return "HEIC or AVIF"
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)


def read_photo(source: Path | bytes, limits: MediaLimits = DEFAULT_LIMITS) -> NDArray[np.uint8]:
    """Return a photo upright, (H, W, 3) uint8 RGB.

    Greyscale, palette, CMYK and 16-bit pictures are converted; transparent areas become white;
    of several frames the first is taken. The size is checked from the header before decoding.

    Args:
        source: A file, or a file's content.
        limits: The largest file and picture.

    Raises:
        MediaError: Missing, empty, too large, truncated, or not a photo.
    """
    name, content = _content(source, limits)
    with _open(name, io.BytesIO(content)) as image:
        limits.check_pixels(name, *image.size)
        try:
            with _quiet(image):
                image.load()
            # Only now: TIFF turns itself while loading, PNG may hold its EXIF after the pixels.
            orientation = from_exif(_exif(image).get(_EXIF_ORIENTATION))
            pixels = _rgb(image, name)
        except MediaError:
            raise
        except (*_DECODE_ERRORS, _bomb_error()) as error:
            raise MediaError(
                f"a whole photo is wanted; {name} is damaged or cut off ({_one_line(error)}); "
                "copy it again"
            ) from error
    return orientation.apply(pixels)


def photo_header(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> tuple[int, int, Orientation]:
    """Return width and height as stored, and what makes the photo upright; no pixel is read.

    Raises:
        MediaError: As for ``read_photo``, except for damage after the header.
    """
    check_file(path, "a photo", limits.max_bytes, "max_bytes")
    try:
        with path.open("rb") as stream, _open(str(path), stream) as image:
            return (*image.size, from_exif(_exif(image).get(_EXIF_ORIENTATION)))
    except OSError as error:
        raise _unreadable(path, error) from error


def photo_size(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> tuple[int, int]:
    """Return (width, height) of a photo held upright; no pixel is read.

    Raises:
        MediaError: As for ``read_photo``, except for damage after the header.
    """
    width, height, orientation = photo_header(path, limits)
    return orientation.upright_size(width, height)


def list_photos(folder: Path) -> list[Path]:
    """Return a folder's photos in natural order (``2.jpg`` before ``10.jpg``).

    Hidden files and subfolders are left out. A file counts by its suffix, one without a suffix
    by its first bytes; a damaged ``.jpg`` or an unreadable ``.heic`` is listed, so that reading
    it says so instead of leaving it out silently.

    Raises:
        MediaError: The folder is missing, or holds no photo.
    """
    if not folder.is_dir():
        raise MediaError(f"a folder of photos is wanted; {folder} is not a folder; check the path")
    files = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    photos = [p for p in files if _looks_like_photo(p)]
    if not photos:
        came = f"{len(files)} other files" if files else "no files"
        raise MediaError(
            f"a folder of photos is wanted; {folder} holds {came}; "
            f"put photos there ({' '.join(sorted(PHOTO_SUFFIXES))})"
        )
    return sorted(photos, key=_natural_key)


def write_photo(
    path: Path,
    image: NDArray[np.uint8],
    quality: int = 95,
    chroma: Literal["4:4:4", "4:2:0"] = "4:4:4",
) -> None:
    """Write a picture as JPEG or PNG, by the suffix.

    Writes straight to ``path``: give a temporary name and rename where readers may be waiting.

    Args:
        path: Ends in ``.jpg``, ``.jpeg`` or ``.png``.
        image: (H, W, 3) uint8 RGB or (H, W) uint8 grey.
        quality: JPEG quality, 1 to 100.
        chroma: JPEG colour resolution; ``4:2:0`` is enough for frames of a 4:2:0 video.

    Raises:
        InputError: Another suffix, shape or type.
        MediaError: The file cannot be written.
    """
    from PIL import Image as PillowImage

    suffix = path.suffix.lower()
    if suffix not in {".jpg", ".jpeg", ".png"}:
        raise InputError(f"a name ending in .jpg or .png is wanted; {path.name} came; rename it")
    grey_or_rgb = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not grey_or_rgb or image.size == 0:
        raise InputError(
            f"a picture (H, W, 3) or (H, W) of uint8 is wanted; {image.shape} of {image.dtype} "
            "came; convert it"
        )
    picture = PillowImage.fromarray(np.ascontiguousarray(image))
    try:
        if suffix == ".png":
            picture.save(path, "PNG")
        else:
            picture.save(path, "JPEG", quality=quality, subsampling=chroma)
    except OSError as error:
        raise MediaError(
            f"{path} could not be written ({_one_line(error)}); free space or choose another folder"
        ) from error


def exif_focal_px(source: Path | bytes, limits: MediaLimits = DEFAULT_LIMITS) -> float | None:
    """Return a photo's focal length in pixels of the picture as stored, or None if EXIF lacks it.

    Turning a picture upright does not change it; scaling by s multiplies it by s. From
    FocalLengthIn35mmFilm, which camera makers define on the diagonal, else from FocalLength and
    FocalPlaneXResolution (which counts the sensor's pixels: corrected by PixelXDimension where
    the file was scaled).

    Raises:
        MediaError: As for ``read_photo``, except for damage after the header.

    Source: EXIF 2.32; CIPA DCG-001 (35 mm equivalent by the diagonal, 43.27 mm).
    """
    name, content = _content(source, limits)
    with _open(name, io.BytesIO(content)) as image:
        width, height = image.size
        tags = _exif(image).get_ifd(_EXIF_IFD)
    film_mm = _positive(tags.get(_EXIF_FOCAL_LENGTH_35MM))
    if film_mm is not None:
        return film_mm * math.hypot(width, height) / _FILM_DIAGONAL_MM
    focal_mm = _positive(tags.get(_EXIF_FOCAL_LENGTH_MM))
    resolution = _positive(tags.get(_EXIF_PLANE_X_RESOLUTION))
    unit_mm = _MM_BY_UNIT.get(tags.get(_EXIF_PLANE_RESOLUTION_UNIT, 2))
    if focal_mm is None or resolution is None or unit_mm is None:
        return None
    taken_px = [_positive(tags.get(tag)) or 0.0 for tag in _EXIF_PIXEL_DIMENSIONS]
    scale = max(width, height) / max(taken_px) if max(taken_px) > 0 else 1.0
    return focal_mm * resolution / unit_mm * scale


def _content(source: Path | bytes, limits: MediaLimits) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        name = "the given content"
        check_bytes(name, len(source), "a photo", limits.max_bytes, "max_bytes")
        return name, source
    check_file(source, "a photo", limits.max_bytes, "max_bytes")
    try:
        return str(source), source.read_bytes()
    except OSError as error:
        raise _unreadable(source, error) from error


def _unreadable(path: Path, error: OSError) -> MediaError:
    return MediaError(
        f"a photo is wanted; {path} cannot be read ({_one_line(error)}); check its rights"
    )


def _open(name: str, stream: BinaryIO) -> Image:
    """Return the header, parsed.

    The format's own class instead of ``PIL.Image.open``, which would warn or fail by a global
    pixel limit before ours is asked, and would try every format there is.
    """
    from PIL import (
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        PpmImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    readers: dict[str, Callable[[BinaryIO], Image]] = {
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "WEBP": WebPImagePlugin.WebPImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "PPM": PpmImagePlugin.PpmImageFile,
    }
    kind = photo_kind(stream.read(_SIGNATURE_BYTES))
    stream.seek(0)
    if kind is None or kind not in readers:
        came = f"is {kind}" if kind else "is none that is known"
        raise MediaError(
            f"a photo (JPEG, PNG, WebP, TIFF, BMP, GIF, PPM) is wanted; {name} {came}; "
            "export it as JPEG"
        )
    try:
        return readers[kind](stream)
    except (*_DECODE_ERRORS, _bomb_error()) as error:
        raise MediaError(
            f"a whole photo is wanted; the {kind} header of {name} is damaged "
            f"({_one_line(error)}); copy it again"
        ) from error


def _rgb(image: Image, name: str) -> NDArray[np.uint8]:
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        grey = ((wide * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in {"I", "F"}:
        raise MediaError(
            f"a photo of 8 or 16 bits a channel is wanted; {name} has 32-bit pixels "
            "(a depth or height map?); convert it"
        )
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        from PIL import Image as PillowImage

        layer = image.convert("RGBA")
        white = PillowImage.new("RGBA", layer.size, (255, 255, 255, 255))
        return np.asarray(PillowImage.alpha_composite(white, layer).convert("RGB"))
    return np.asarray(image.convert("RGB"))


def _exif(image: Image) -> Exif:
    """Return the EXIF tags; a photo whose EXIF is damaged is read as one without."""
    from PIL.Image import Exif

    try:
        return image.getexif()
    except _DECODE_ERRORS:
        return Exif()


@contextmanager
def _quiet(image: Image) -> Iterator[None]:
    """Hold back Pillow's own size warning (TIFF) where our limit has let a huge picture through.

    Only for such pictures, because the warning filters belong to the whole process.
    """
    from PIL import Image as PillowImage

    width, height = image.size
    if width * height <= (PillowImage.MAX_IMAGE_PIXELS or math.inf):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)
        yield


def _bomb_error() -> type[Exception]:
    from PIL.Image import DecompressionBombError

    return DecompressionBombError


def _looks_like_photo(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix:
        return suffix in PHOTO_SUFFIXES or suffix in FOREIGN_SUFFIXES
    with path.open("rb") as stream:
        return photo_kind(stream.read(_SIGNATURE_BYTES)) is not None


def _natural_key(path: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"([0-9]+)", path.name.casefold())
    # Odd parts are digits; the name itself settles ties such as 01.jpg and 1.jpg.
    key = [(int(part), "") if odd % 2 else (-1, part) for odd, part in enumerate(parts)]
    return key, path.name


def _positive(value: object) -> float | None:
    """Return an EXIF number (a rational with denominator 0 is NaN) or None."""
    try:
        number = float(value) if isinstance(value, SupportsFloat) else math.nan
    except (ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
