"""Pictures and videos whose content says which frame it is and which way is up."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

Image = NDArray[np.uint8]

_BLOCK = 16
_COLUMNS, _ROWS = 6, 4
_BITS = 12


def draw_index(index: int, *, height: int = 64, width: int = 96) -> Image:
    """A picture with ``index`` in black and white blocks and one red corner, upper left."""
    image = np.full((height, width, 3), 128, np.uint8)
    image[:_BLOCK, :_BLOCK] = (220, 20, 20)
    for bit in range(_BITS):
        row, column = divmod(bit + _COLUMNS, _COLUMNS)
        block = image[row * _BLOCK : (row + 1) * _BLOCK, column * _BLOCK : (column + 1) * _BLOCK]
        block[:] = 255 if index >> bit & 1 else 0
    return image


def read_index(image: Image) -> int:
    """The index drawn into an upright picture; fails where the red corner is elsewhere."""
    corner = image[4:12, 4:12].reshape(-1, 3).mean(0)
    assert corner[0] > 150, f"the red corner is not up left: {corner}"
    assert corner[1] < 90, f"the red corner is not up left: {corner}"
    index = 0
    for bit in range(_BITS):
        row, column = divmod(bit + _COLUMNS, _COLUMNS)
        middle = image[
            row * _BLOCK + 4 : row * _BLOCK + 12, column * _BLOCK + 4 : column * _BLOCK + 12
        ]
        index |= int(middle.mean() > 128) << bit
    return index


@pytest.fixture(scope="session")
def indexed() -> Callable[..., Image]:
    return draw_index


@pytest.fixture(scope="session")
def index_of() -> Callable[[Image], int]:
    return read_index


@pytest.fixture(scope="session")
def mux() -> Callable[..., Path]:
    """Write frames through bare PyAV, independent of the writer under test."""

    def write(
        path: Path,
        count: int = 60,
        *,
        time_base: Fraction = Fraction(1, 30),
        ticks: list[int] | None = None,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: dict[str, str] | None = None,
        images: list[Image] | None = None,
        sound_s: float = 0.0,
        rotations: list[float] | None = None,
    ) -> Path:
        with av.open(str(path), "w", options=options or {}) as container:
            stream = container.add_stream(codec, rate=1 / time_base)
            stream.height, stream.width = images[0].shape[:2] if images else (64, 96)
            stream.pix_fmt = pix_fmt
            stream.codec_context.time_base = time_base
            if rotations:
                stream.set_display_rotation(rotations[0], hflip=len(rotations) > 1)
            sound = container.add_stream("aac", rate=48000) if sound_s else None
            for k in range(count):
                image = draw_index(k) if images is None else images[k]
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = k if ticks is None else ticks[k]
                frame.time_base = time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if sound is not None:
                _add_sound(container, sound, sound_s)
        return path

    return write


def _add_sound(container: av.container.OutputContainer, stream: object, seconds: float) -> None:
    for k in range(int(seconds * 48000 / 1024)):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        frame.pts = k * 1024
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@pytest.fixture(scope="session", params=["bare", "cover"])
def sound_only(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound alone, and sound with a cover picture, which ffmpeg shows as a video stream."""
    path = tmp_path_factory.mktemp("sound") / f"{request.param}.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48000)
        if request.param == "cover":
            cover = container.add_stream("png", rate=1)
            cover.width, cover.height, cover.pix_fmt = 96, 64, "rgb24"
            cover.disposition = Disposition.attached_pic
            container.mux(cover.encode(av.VideoFrame.from_ndarray(draw_index(0), format="rgb24")))
            container.mux(cover.encode(None))
        _add_sound(container, sound, 0.5)
    return path
