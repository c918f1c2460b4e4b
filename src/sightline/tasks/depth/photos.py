"""Photos in, depth out: options, scale, and what is written; imports without torch.

``sightline predict depth`` and :func:`sightline.predict_depth` use it.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import InputError, SightlineError
from sightline.geometry import Camera
from sightline.learning.runs import WEIGHTS
from sightline.records.files import digest
from sightline.tasks import Picture
from sightline.tasks.depth.maps import DepthMap, DepthModel
from sightline.tasks.depth.sizes import check_picture

if TYPE_CHECKING:
    from sightline.tasks.depth.outputs import DepthAnswer, Extras, KeptAnswer
    from sightline.tasks.depth.place_scale import PlaceScale, PlaceView
    from sightline.tasks.depth.scale import Scaled
    from sightline.tasks.depth.video import TemporalAligner

#: The package's own network is small; its card has the figures.
_BUNDLED_NOTE = (
    "the network of the package is small and learned from renderings: for photos name a better "
    "one, such as --weights depth-anything/Depth-Anything-V2-Small-hf"
)

#: Of what is made of a network's map; another one, and answers that lie there are made again.
_VERSION = 1

#: Where files go when no folder is named; in ``depth`` data sets have what was measured.
DEFAULT_OUT = Path("predicted-depth")


@dataclass(frozen=True)
class DepthOptions:
    """Which network, where the scale comes from, and what is written."""

    weights: str | None = None
    """A hub name or local folder of Depth Anything, a run folder, or an .onnx FILE; the bundled
    network where none is named."""
    device: str = "cpu"
    """Where the network computes: cpu, cuda."""
    metric: Path | None = None
    """Metres from this PLACE: photos taken there get the scale of its sparse points."""
    known_distance: tuple[float, float, float] | None = None
    """X Y METRES: the z-depth of one pixel of the photo is known."""
    known_length: tuple[float, float, float, float, float] | None = None
    """X1 Y1 X2 Y2 METRES: how far apart in space two pixels of the photo are."""
    intrinsics: tuple[float, float, float, float] | None = None
    """FX FY CX CY in pixels of the photo; the place's, EXIF's, else estimated."""
    points: bool = False
    """Also write NAME.ply: coloured points."""
    edges: bool = False
    """Also write NAME_edges.png: where near and far meet."""
    uncertainty: bool = False
    """Also write NAME_uncertainty.npy and .png: what the mirrored photo says otherwise."""
    tiles: int | Literal["auto"] = 1
    """Tiles along the longer side, for detail beyond what the network sees; auto: by its size."""
    smooth: bool = True
    """Of a video, keep the scale of the frames before: no flicker."""
    max_side: int = 2048
    """Longer side of the maps, in pixels; larger photos are scaled down, 0 keeps them."""


@dataclass(eq=False)
class DepthPredictor:
    """Depth for picture after picture.

    Attributes:
        model: The network.
        options: What the user asked for.
        place: Gives metres; None where no place was named.
        notes: What the user should know of all answers.
        default_out: Where files go when no folder is named.
    """

    model: DepthModel
    options: DepthOptions
    place: PlaceScale | None = None
    notes: tuple[str, ...] = ()
    default_out: Path | None = DEFAULT_OUT
    _video: _VideoState | None = None

    @property
    def endings(self) -> tuple[str, ...]:
        """What the names of an answer's files add to the picture's."""
        from sightline.tasks.depth.outputs import ENDINGS

        return ENDINGS

    def kept(self, photo: Path, folder: Path, stem: str) -> KeptAnswer | None:
        """Return a photo's answer where an earlier call left it and it would be the same."""
        from sightline.tasks.depth.outputs import kept_answer

        wanted = {"image": str(photo), "model_digest": self.model.digest}
        wanted["made_of"] = self._made_of(photo)
        return kept_answer(folder, stem, wanted, self._extras, self.options.uncertainty)

    @property
    def _extras(self) -> Extras:
        from sightline.tasks.depth.outputs import Extras

        return Extras(self.options.points, self.options.edges)

    def _made_of(self, photo: Path | None) -> str:
        """Return a digest of what an answer hangs on, besides the network: the file, the options.

        Files are known by size and time: contents would cost a read of everything.
        """
        table = None if self.options.metric is None else self.options.metric / "place.toml"
        stats = [path.stat() for path in (photo, table) if path is not None and path.is_file()]
        options = dataclasses.replace(self.options, weights=None, device="")
        return digest(_VERSION, options, [[s.st_size, s.st_mtime_ns] for s in stats])

    def __call__(self, picture: Picture) -> DepthAnswer:
        """Return the depth of a picture.

        Raises:
            InputError: It is no uint8 RGB picture, or the options do not fit it.
            GeometryError: Its scale cannot be had; the message says why.
        """
        try:
            check_picture(picture.image)
            return self._answer(picture)
        except SightlineError as error:
            message = str(error)
            if picture.name in message:
                raise
            raise type(error)(f"{picture.name}: {message}") from error

    def _answer(self, picture: Picture) -> DepthAnswer:
        from sightline.tasks.depth.outputs import DepthAnswer

        started = time.perf_counter()
        options = self.options
        image = shrunk(picture.image, options.max_side)
        said, spread = self._predict(image)
        span, video = None, None
        details: list[tuple[str, Any]] = [("made_of", self._made_of(picture.path))]
        if picture.frame is not None:
            video = self._video_of(picture)
            details += [("frame", picture.frame), ("timestamp_s", picture.timestamp_s)]
            if options.smooth:
                aligned = video.aligner(said, image)
                said, span = aligned.depth_map, aligned.span
                spread = None if spread is None else spread * aligned.scale
                video.factor = None if aligned.cut else video.factor
                details += [("video_scale", aligned.scale), ("video_shift", aligned.shift)]
                details.append(("scene_cut", aligned.cut))
        view = None if self.place is None else self.place.view(picture, self._given(picture))
        camera, camera_source = self._camera(picture, view)
        camera = camera.resized(image.shape[1], image.shape[0])
        scaled = self._scaled(said, picture, camera, view, video)
        height, width = picture.image.shape[:2]
        answer = DepthAnswer(
            picture.name,
            image,
            scaled,
            camera,
            camera_source,
            (width, height),
            self.model.name,
            self.model.digest,
            time.perf_counter() - started,
            span if scaled.depth_map.quantity == said.quantity else None,
            None if spread is None else spread_of(scaled, said, spread),
            self._extras,
            tuple(details),
            tuple(f"{picture.name}: {note}" for note in scaled.notes),
        )
        if answer.one_colour:
            note = "it is of one colour, which shows no depth: what the network says means nothing"
        elif answer.flat:
            note = "the network sees no depth in it"
        else:
            return answer
        return dataclasses.replace(answer, notes=(*answer.notes, f"{picture.name}: {note}"))

    def _predict(self, image: NDArray[np.uint8]) -> tuple[DepthMap, NDArray[np.float32] | None]:
        from sightline.tasks.depth.flips import predict_flipped
        from sightline.tasks.depth.tiles import predict_tiled

        predict = partial(predict_tiled, self.model, tiles=self.options.tiles)
        if self.options.uncertainty:
            return predict_flipped(predict, image)
        return predict(image), None

    def _given(self, picture: Picture) -> Camera | None:
        height, width = picture.image.shape[:2]
        given = self.options.intrinsics
        return None if given is None else Camera("PINHOLE", width, height, given)

    def _camera(self, picture: Picture, view: PlaceView | None) -> tuple[Camera, str]:
        """Return intrinsics for the photo's own size, and where they come from."""
        from sightline.media import exif_focal_px

        given = self._given(picture)
        if given is not None:
            return given, "given"
        if view is not None:
            return view.camera, "place"
        height, width = picture.image.shape[:2]
        if picture.path is not None and picture.frame is None:
            focal = exif_focal_px(picture.path)
            if focal is not None:
                centre = ((width - 1) / 2, (height - 1) / 2)
                return Camera("PINHOLE", width, height, (focal, focal, *centre)), "exif"
        guess = Camera.guess(width, height)
        return Camera("PINHOLE", width, height, (guess.fx, guess.fy, guess.cx, guess.cy)), (
            "estimated"
        )

    def _scaled(
        self,
        said: DepthMap,
        picture: Picture,
        camera: Camera,
        view: PlaceView | None,
        video: _VideoState | None,
    ) -> Scaled:
        from sightline.tasks.depth import scale

        height, width = said.values.shape
        ratio = np.array([width / picture.image.shape[1], height / picture.image.shape[0]])

        def on_map(xy: ArrayLike) -> NDArray[np.float64]:
            scaled: NDArray[np.float64] = (np.asarray(xy, float) + 0.5) * ratio - 0.5
            return scaled

        if view is not None:
            return scale.by_points(
                said, dataclasses.replace(view.points, xy=on_map(view.points.xy))
            )
        distance, length = self.options.known_distance, self.options.known_length
        factor = None if video is None else video.factor
        if factor is None and video is not None and video.scaled:
            return scale.own_scale(said)  # after a cut the known pixel shows something else
        if distance is not None:
            source = "known distance"
            factor = factor or scale.factor_of_distance(said, on_map(distance[:2]), distance[2])
        elif length is not None:
            source = "known length"
            factor = factor or scale.factor_of_length(
                said, on_map(length[:2]), on_map(length[2:4]), length[4], camera
            )
        else:
            return scale.own_scale(said)
        if video is not None and self.options.smooth:
            video.factor, video.scaled = factor, True
        return scale.by_factor(said, factor, source)

    def _video_of(self, picture: Picture) -> _VideoState:
        if self._video is None or self._video.path != picture.path:
            from sightline.tasks.depth.video import TemporalAligner

            self._video = _VideoState(picture.path, TemporalAligner())
        return self._video


@dataclass(eq=False)
class _VideoState:
    """What is kept from frame to frame.

    Attributes:
        path: The video.
        aligner: Keeps the scale of the frames before.
        factor: What a known distance made of the first frame; None before, and after a cut.
        scaled: Whether it was known once.
    """

    path: Path | None
    aligner: TemporalAligner
    factor: float | None = None
    scaled: bool = False


def make_predictor(run: Path | None, options: DepthOptions) -> DepthPredictor:
    """Return what answers for photos.

    Args:
        run: Run folder of the network; :attr:`DepthOptions.weights`, or the network of the
            package, where None.
        options: What the user asks for.

    Raises:
        InputError: Options that exclude each other, or make no sense.
        WeightsError: There is no such network.
        PlaceError: There is no such place, or it has no map.
    """
    _check(run, options)
    source = str(run) if run is not None else options.weights
    place = None
    if options.metric is not None:
        from sightline.tasks.depth.place_scale import PlaceScale

        place = PlaceScale.open(options.metric)
    model = _model(source, options.device)
    notes: tuple[str, ...] = (_BUNDLED_NOTE,) if source is None else ()
    if place is not None and place.unit != "m":
        notes += (
            f"{options.metric} has no scale in metres (`sightline align`): depth is in its "
            "own unit",
        )
    return DepthPredictor(model, options, place, notes)


def shrunk(image: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """Return a picture whose longer side is at most ``max_side`` (0: as it is)."""
    from PIL import Image

    height, width = image.shape[:2]
    if max_side == 0 or max(width, height) <= max_side:
        return image
    scale = max_side / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # reducing_gap: whole blocks first, so that a huge picture needs no float copy of itself
    small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(small)


def spread_of(scaled: Scaled, said: DepthMap, spread: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an uncertainty in the unit of the scaled map.

    An error e of disparity is one of ``z^2 * e`` in depth, and the other way round.

    Args:
        scaled: The map, and its scale.
        said: The network's own.
        spread: (H, W) in the network's quantity.
    """
    if scaled.depth_map.quantity == "disparity":
        return spread
    in_disparity = spread if said.quantity == "disparity" else spread / said.values**2
    factor = 1.0 if scaled.scale is None else scaled.scale
    return (scaled.depth_map.values**2 * factor * in_disparity).astype(np.float32)


def _check(run: Path | None, options: DepthOptions) -> None:
    if run is not None and options.weights is not None:
        raise InputError(f"a run folder or --weights is wanted, {run} and {options.weights} came")
    flags = {
        "--metric": options.metric,
        "--known-distance": options.known_distance,
        "--known-length": options.known_length,
    }
    given = [flag for flag, value in flags.items() if value is not None]
    if len(given) > 1:
        raise InputError(f"one source of the scale is wanted, {' and '.join(given)} came")
    numbers = {"--known-distance": 3, "--known-length": 5, "--intrinsics": 4}
    for flag, count in numbers.items():
        value = getattr(options, flag[2:].replace("-", "_"))
        if value is not None and not (len(value) == count and np.isfinite(value).all()):
            came = " ".join(f"{v:g}" for v in value)
            raise InputError(f"{flag} wants {count} finite numbers, {came} came")
    if options.max_side < 0 or 0 < options.max_side < 32:
        raise InputError(f"a side of 32 pixels or more is wanted, or 0; {options.max_side} came")
    if options.intrinsics is not None and min(options.intrinsics[:2]) <= 0:
        came = " ".join(f"{v:g}" for v in options.intrinsics)
        raise InputError(f"fx fy cx cy with positive focal lengths are wanted, {came} came")
    if isinstance(options.tiles, int):
        from sightline.tasks.depth.tiles import MOST_TILES

        if not 1 <= options.tiles <= MOST_TILES:
            raise InputError(f"1 to {MOST_TILES} tiles or auto are wanted, {options.tiles} came")


def _model(source: str | None, device: str) -> DepthModel:
    from sightline.tasks.depth.checkpoint import BUNDLED

    weights = (BUNDLED if source is None else Path(source)) / WEIGHTS
    return _read_model(source, device, weights.stat().st_mtime_ns if weights.is_file() else 0)


@lru_cache(maxsize=2)
def _read_model(source: str | None, device: str, _written_ns: int) -> DepthModel:
    """Return a network, read once for many calls unless its weights were written since."""
    from sightline.tasks.depth.models import load_model

    return load_model(source, device=device)
