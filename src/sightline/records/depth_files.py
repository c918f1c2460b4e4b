"""Depth maps in files: 16-bit PNG, and NumPy's ``.npy``."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import InputError
from sightline.media.limits import DEFAULT_LIMITS, MediaLimits
from sightline.records.files import atomic_path

DEPTH_SUFFIXES = (".png", ".npy")

#: Metres of one unit of a 16-bit PNG where nothing else is said.
MILLIMETRE = 0.001

Quantity = Literal["depth", "disparity"]

#: How a 16-bit number is stored; ``sunrgbd``: turned by three bits to the left.
Encoding = Literal["plain", "sunrgbd"]

QUANTITIES: tuple[str, ...] = get_args(Quantity)
ENCODINGS: tuple[str, ...] = get_args(Encoding)

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_PNG_GREY = 0
_PNG_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey and alpha", 6: "RGBA"}
#: DEFLATE packs equal bytes by about a thousand; a depth map never packs as well as this, unless
#: it says next to nothing.
_NEXT_TO_NOTHING = 150
#: Beside its pixels a PNG has this many bytes at most that are worth a look.
_PNG_FRAME = 1024
_NPY_SIGNATURE = b"\x93NUMPY"
_SATURATED = np.iinfo(np.uint16).max
_NPY_TYPES = ("float32", "float64", "uint16")
# What Pillow's decoder raises on damaged PNGs, beyond OSError.
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)


class DepthHeader(NamedTuple):
    """Size of a depth map, in pixels."""

    width: int
    height: int


def file_scale(path: Path) -> float:
    """Return what a file's values are multiplied by where nothing else is said."""
    return 1.0 if path.suffix.lower() == ".npy" else MILLIMETRE


def read_depth(
    path: Path,
    scale: float | None = None,
    *,
    encoding: Encoding = "plain",
    quantity: Quantity = "depth",
    limits: MediaLimits = DEFAULT_LIMITS,
) -> NDArray[np.float32]:
    """Return (H, W) float32 depth; NaN where unknown.

    Zero, negative and non-finite values mean unknown, and so does 65535 in 16-bit millimetres,
    as Kinects write it. In a ``.npy`` of disparity zero is known: infinitely far, as networks say
    of the sky.

    Args:
        path: A grey 16-bit PNG, or a ``.npy`` of float32, float64 or uint16.
        scale: What stored values are multiplied by; 0.001 for PNG and 1 for ``.npy`` where not
            given.
        encoding: How 16-bit numbers are stored.
        quantity: What the values are.
        limits: The largest map.

    Raises:
        InputError: The file is missing, is another kind, or is damaged.
    """
    depth_header(path, limits)
    stored = _read_npy(path) if path.suffix.lower() == ".npy" else _read_png(path)
    if encoding == "sunrgbd" and stored.dtype == np.uint16:
        stored = (stored >> 3) | (stored << 13)
    factor = file_scale(path) if scale is None else scale
    with np.errstate(over="ignore", invalid="ignore"):
        values = (stored * factor).astype(np.float32)
        if quantity == "disparity" and stored.dtype.kind == "f":
            known = np.isfinite(values) & (values >= 0)
        else:
            known = np.isfinite(values) & (values > 0)
    if quantity == "depth" and stored.dtype == np.uint16 and factor == MILLIMETRE:
        known &= stored != _SATURATED
    values[~known] = np.nan
    return values


def depth_header(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> DepthHeader:
    """Return a depth map's size; no value is read.

    Raises:
        InputError: The file is missing, is another kind, is too large, or is cut off.
    """
    if path.suffix.lower() not in DEPTH_SUFFIXES:
        raise InputError(
            f"a depth map as 16-bit PNG or .npy is wanted, {path} came; convert it "
            "(`sightline.records.depth.write_depth_png_mm`)"
        )
    if not path.is_file():
        raise InputError(f"{path} is wanted, a depth map; there is no such file")
    try:
        header = _npy_header(path) if path.suffix.lower() == ".npy" else _png_header(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its rights") from error
    limits.check_pixels(str(path), *header)
    return header


def says_nothing(path: Path, scale: float | None = None, *, quantity: Quantity = "depth") -> bool:
    """Return whether a depth map is unknown everywhere.

    Most maps are not decoded for it: a PNG of equal pixels is very small.

    Raises:
        InputError: It does not read.
    """
    width, height = depth_header(path)
    if path.suffix.lower() == ".npy":
        some = _load_npy(path)[::8, ::8]
        if bool((np.isfinite(some) & (some > 0)).any()):
            return False
    elif (path.stat().st_size - _PNG_FRAME) * _NEXT_TO_NOTHING > 2 * width * height:
        return False
    return bool(np.isnan(read_depth(path, scale, quantity=quantity)).all())


def write_depth_png_mm(path: Path, metres: ArrayLike) -> None:
    """Write depth as a 16-bit PNG of whole millimetres, atomically.

    Args:
        path: Ends in ``.png``.
        metres: (H, W) z-depth; what is not finite, not positive, less than half a millimetre or
            more than 65.534 m is written as 0: unknown.

    Raises:
        InputError: Another suffix or shape.
    """
    from PIL import Image

    depth = np.asarray(metres, dtype=np.float64)
    if path.suffix.lower() != ".png":
        raise InputError(f"a name ending in .png is wanted, {path.name} came")
    if depth.ndim != 2 or depth.size == 0:
        raise InputError(f"a depth map (H, W) is wanted for {path}, one of {depth.shape} came")
    with np.errstate(invalid="ignore", over="ignore"):
        stored = np.rint(depth / MILLIMETRE)
        stored = np.where((stored > 0) & (stored < _SATURATED), stored, 0)
    with atomic_path(path) as temporary:
        Image.fromarray(stored.astype(np.uint16)).save(temporary, "PNG")


def resize_depth(depth: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Return (height, width) of the nearest values: near and far never mix, unknown stays so.

    Args:
        depth: (H, W), of any size; both show the same view.
        width: Wanted, in pixels.
        height: Likewise.
    """
    rows, columns = depth.shape
    if (rows, columns) == (height, width):
        return depth
    x = ((np.arange(width) + 0.5) * columns / width).astype(np.intp)
    y = ((np.arange(height) + 0.5) * rows / height).astype(np.intp)
    resized: NDArray[np.float32] = depth[y[:, None], x]
    return resized


def disparity_of(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / z of z-depth; unknown stays NaN."""
    known = np.where(depth > 0, depth, np.float32(np.nan))
    return (1.0 / known).astype(np.float32)


def _png_header(path: Path) -> DepthHeader:
    with path.open("rb") as stream:
        head = stream.read(33)
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - 64))
        tail = stream.read()
    if len(head) < 33 or not head.startswith(_PNG_SIGNATURE) or head[12:16] != b"IHDR":
        came = "an empty file" if not head else "another kind of file"
        raise InputError(f"{path}: a 16-bit PNG of depth is wanted, {came} came")
    width, height, bits, colour = struct.unpack(">IIBB", head[16:26])
    if (bits, colour) != (16, _PNG_GREY):
        raise InputError(
            f"{path}: a grey 16-bit PNG of depth is wanted, one of {bits} bits "
            f"({_PNG_COLOURS.get(colour, 'unknown colours')}) came: a picture of depth for the "
            "eye? Take the file with the measured values"
        )
    if _PNG_END not in tail:
        raise InputError(f"{path}: a whole PNG is wanted, it is cut off; copy it again")
    if not (width and height):
        raise InputError(f"{path}: a depth map with pixels is wanted, {width} x {height} came")
    return DepthHeader(width, height)


def _read_png(path: Path) -> NDArray[Any]:
    from PIL.PngImagePlugin import PngImageFile

    try:
        with path.open("rb") as stream, PngImageFile(stream) as image:
            image.load()
            return np.asarray(image).astype(np.uint16)
    except _DECODE_ERRORS as error:
        raise InputError(
            f"{path}: a whole PNG is wanted, it is damaged ({' '.join(str(error).split())}); "
            "copy it again"
        ) from error


def _npy_header(path: Path) -> DepthHeader:
    values = _load_npy(path)
    return DepthHeader(values.shape[1], values.shape[0])


def _read_npy(path: Path) -> NDArray[Any]:
    return np.array(_load_npy(path))


def _load_npy(path: Path) -> NDArray[Any]:
    """Return the array, mapped; only what is looked at is read."""
    with path.open("rb") as stream:
        if stream.read(len(_NPY_SIGNATURE)) != _NPY_SIGNATURE:
            raise InputError(f"{path}: a .npy of depth is wanted, another kind of file came")
    try:
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise InputError(
            f"{path}: a .npy of depth is wanted, it does not read ({' '.join(str(error).split())})"
        ) from error
    if values.dtype.name not in _NPY_TYPES:
        raise InputError(
            f"{path}: a .npy of {', '.join(_NPY_TYPES)} is wanted, {values.dtype.name} came"
        )
    if values.ndim != 2 or values.size == 0:
        raise InputError(f"{path}: a depth map (H, W) is wanted, one of {values.shape} came")
    return values
