"""Build: a video or a folder of photos becomes a place."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sightline.app.frame_gate import LEFT_OUT, FrameGate, check_min_utility
from sightline.app.masks import MasksConfig, make_masks
from sightline.errors import InputError, PlaceError, SightlineError
from sightline.media.extract import ExtractedFrame, extract_frames
from sightline.media.photo import list_photos
from sightline.reconstruction.config import QUALITY_PRESETS, ReconstructionConfig
from sightline.records import Place, PosedFrame, stack_poses
from sightline.records.config_file import config_from_toml
from sightline.records.files import atomic_path, digest, digest_files, write_text, write_toml
from sightline.records.paper_csv import SPLIT_TABLES, write_split_tables
from sightline.records.place import taken_back_on_failure

Progress = Callable[[str, float], None]

#: How a place was last built: `sightline build SOURCE PLACE --config build.toml` does it again.
BUILD_TOML = "build.toml"


@dataclass(frozen=True)
class FramesConfig:
    """Which frames of the video are taken."""

    fps: float = 5.0
    """Frames taken a second, from the video's own timestamps."""
    sharpest: bool = False
    """Take the sharpest frame of each interval instead of the first."""
    max_side: int | None = 1600
    """Frames larger than this are made smaller, in pixels."""


@dataclass(frozen=True)
class BuildConfig:
    """Everything `sightline build` can be told."""

    frames: FramesConfig = field(default_factory=FramesConfig)
    """Which frames of the video are taken."""
    reconstruction: ReconstructionConfig = field(default_factory=ReconstructionConfig)
    """How the map is made."""
    split: str = "mod3"
    """How frames are divided: mod3 (the paper's), block or second-walk."""
    min_utility: float = 0.0
    """Frames less likely than this to be localised, by how they look, are not taken into the map
    (too blurred, compressed, noisy or dark); 0 takes all, 0.3 is a good choice."""
    masks: Path | None = None
    """What of the frames to ignore: a folder of PNG masks named as the frames (or photos), or one
    mask for all; black is ignored."""
    mask_classes: str | None = None
    """Ignore what moves, as a network finds it: names with commas between, such as person,car."""
    mask_weights: str | None = None
    """The network for it: NanoDet's FILE.onnx, a name of torchvision's segmentation and detection
    networks, or NAME:FILE."""

    def __post_init__(self) -> None:
        check_min_utility(self.min_utility)
        _ = self.masking

    @property
    def masking(self) -> MasksConfig:
        """What of the frames is ignored."""
        names = tuple(name.strip() for name in (self.mask_classes or "").split(","))
        return MasksConfig(self.masks, tuple(n for n in names if n), self.mask_weights)


def build(
    source: Path, root: Path, config: BuildConfig | None = None, progress: Progress | None = None
) -> Place:
    """Return the place made of a video or a folder of photos.

    Frames of too little use (``min_utility``) are left out: ``frames_left_out.csv`` names them.
    Every finished stage is kept; a second call goes on where the first was stopped. An alignment
    and a split made since stay, unless the map itself is made anew. ``build.toml`` says how the
    place was built last.

    Args:
        source: A video file or a folder of photos.
        root: The place's folder: new, empty, or a place of the same source (which may have moved).
        config: How; the defaults suit a hand-held phone video of a building.
        progress: Called with the stage and the done share of it.

    Raises:
        InputError: The source is missing or unreadable, or the folder is another place.
        ReconstructionError: The frames do not make a map.
    """
    from sightline.app.align import align_by_gravity
    from sightline.reconstruction.map_index import MapIndex
    from sightline.reconstruction.pipeline import reconstruct

    config = config or BuildConfig()
    progress = progress or (lambda stage, done: None)
    if not source.exists():
        raise InputError(f"a video or a folder of photos is wanted; {source} does not exist")
    if config.masks is not None and not config.masks.exists():
        raise InputError(f"a folder of masks, or one mask, is wanted; {config.masks} is not there")
    content = source_digest(source)
    with taken_back_on_failure(root):
        place = _open_place(root, source, content)
        before = _note(place, config)
        with _as_before(place, before, on=SightlineError):
            _extract(place, source, content, config, progress)
    # A place with added recordings refuses to be made anew, and nothing is changed then.
    with _as_before(place, before, on=PlaceError if place.added else ()):
        masks_dir = make_masks(place, config.masking, progress)
        reconstruct(place, config.reconstruction, progress, masks_dir=masks_dir)
    _note_features(place, config.reconstruction)
    if "alignment" not in place.content:
        progress("aligning by gravity", 0.0)
        align_by_gravity(place)
    if config.reconstruction.second_look:
        _look_again(place, config.reconstruction, progress)
    _split(place, config.split)
    progress("indexing the map", 0.0)
    MapIndex.open(place)
    return place


def build_config_of(place: Place) -> BuildConfig:
    """Return how a place was last built.

    Raises:
        InputError: ``build.toml`` does not read.
    """
    path = place.root / BUILD_TOML
    return config_from_toml(BuildConfig, path) if path.is_file() else gathered_config(place)


def gathered_config(place: Place) -> BuildConfig:
    """Return what ``place.toml`` tells of how a place was built, defaults for the rest.

    Places that were built before there was a ``build.toml`` have no more.
    """
    frames, features = (place.content.get(key) for key in ("frames", "features"))
    size = _number(features, "max_image_size", 0)
    sizes = {preset.max_image_size_px: name for name, preset in QUALITY_PRESETS.items()}
    return BuildConfig(
        frames=FramesConfig(fps=_number(frames, "fps", FramesConfig.fps)),
        reconstruction=ReconstructionConfig(
            quality=sizes.get(int(size), ReconstructionConfig.quality)
        ),
        min_utility=_number(frames, "min_utility", 0.0),
        # Which they were is not known: a word for the user to fill in.
        masks=Path("MASKS") if "masks" in place.content else None,
    )


def _number(table: object, key: str, default: float) -> float:
    """Return a number of a table that may be damaged."""
    value = table.get(key) if isinstance(table, Mapping) else None
    return float(value) if isinstance(value, (int, float)) else default


def _note(place: Place, config: BuildConfig) -> bytes | None:
    """Write how the place is built; return what was written before, if anything."""
    path = place.root / BUILD_TOML
    before = path.read_bytes() if path.is_file() else None
    _write_config(place, config)
    return before


@contextmanager
def _as_before(
    place: Place, before: bytes | None, on: type[SightlineError] | tuple[()]
) -> Iterator[None]:
    """Put back what :func:`_note` gave where such an error is raised within."""
    path = place.root / BUILD_TOML
    try:
        yield
    except on:
        path.unlink()
        if before is not None:
            path.write_bytes(before)
        raise


def _write_config(place: Place, config: BuildConfig) -> None:
    """Write ``build.toml``, its paths whole, unless it says so already."""
    path, masks, weights = place.root / BUILD_TOML, config.masks, config.mask_weights
    located = replace(
        config,
        masks=None if masks is None else masks.resolve(),
        mask_weights=None if weights is None else _located(weights),
    )
    with suppress(InputError):  # a damaged one is written anew
        if path.is_file() and build_config_of(place) == located:
            return
    table = asdict(located)
    if located.masks is not None:
        table["masks"] = str(located.masks)
    if located.frames.max_side is None:
        table["frames"]["max_side"] = "none"  # left out, it would be the default
    write_toml(path, table)


def _located(weights: str) -> str:
    """Return the weights of a mask finder with the whole path of their file, where they name one.

    They are ``FILE``, ``NAME`` or ``NAME:FILE``.
    """
    if Path(weights).is_file():
        return str(Path(weights).resolve())
    name, colon, file = weights.partition(":")
    return f"{name}:{Path(file).resolve()}" if colon and Path(file).is_file() else weights


def _look_again(place: Place, config: ReconstructionConfig, progress: Progress) -> None:
    """Look in the finished map for the frames that were left out of it."""
    from sightline.app.extend import find_left_out
    from sightline.app.extend_stages import ExtendConfig

    if all(frame.world_from_cam is not None for frame in place.walks()[0]):
        return

    def run() -> None:
        find_left_out(place, ExtendConfig(seed=config.seed, threads=config.threads), progress)

    place.stage("second-look", digest("second-look-1", place.content["stages"]["poses"]), [], run)


def _split(place: Place, method: str) -> None:
    def run() -> None:
        assign_splits(place, method)

    key = split_key(place.walks()[0], method)
    place.stage("split", key, [place.root / f"{name}.csv" for name in SPLIT_TABLES], run)


def split_key(frames: Sequence[PosedFrame], method: str) -> str:
    """Return the digest of what the split of a build depends on."""
    registered = [f.image for f in frames if f.world_from_cam is not None]
    return digest("split-1", registered, method)


def assign_splits(place: Place, method: str) -> str | None:
    """Divide the place's registered frames, write the split tables; return a leak's warning."""
    from sightline.records.splits import assign_walks, leak_warning

    frames = assign_walks(place.walks(), method)
    place.write_frames(frames)
    place.update(split=method)
    write_split_tables(place.root, frames)
    parts = {s: [f for f in frames if f.split == s] for s in ("train", "test")}
    if not parts["train"] or not parts["test"]:
        return None
    return leak_warning(method, stack_poses(parts["train"]), stack_poses(parts["test"]), place.unit)


def source_digest(source: Path) -> str:
    """Return the digest of what the source holds, wherever it lies and whatever a video's name."""
    if source.is_file():
        return digest_files([source], names=False)
    return digest_files(list_photos(source))


def _open_place(root: Path, source: Path, content: str) -> Place:
    where = str(source.resolve())
    if (root / "place.toml").is_file():
        place = Place.open(root)
        known = place.content.get("frames", {}).get("source_digest")
        if place.content.get("source") != where and known == content:
            place.update(source=where)
    return Place.create(root, source=where)


def _extract(
    place: Place, source: Path, content: str, config: BuildConfig, progress: Progress
) -> None:
    frames = config.frames
    gate = FrameGate.open(config.min_utility) if config.min_utility > 0 else None

    def run() -> None:
        for left in place.root.glob(".images.*"):  # of a run that was killed
            shutil.rmtree(left)
        with atomic_path(place.images_dir) as folder:
            folder.mkdir()
            extracted = extract_frames(
                source,
                folder,
                fps=frames.fps,
                sharpest=frames.sharpest,
                max_side=frames.max_side,
                accept=gate,
                progress=lambda text, done: progress(f"taking frames: {text}", done),
            )
            if gate is not None:
                gate.refuse_too_few(len(extracted))
            known = _poses_of_same_images(place, folder)
        _write_frames(place, extracted, known)
        if source.is_dir():
            _write_sources(place.root / "sources.csv", extracted)
        (place.root / LEFT_OUT).unlink(missing_ok=True)
        if gate is not None:
            progress(f"taking frames: {gate.summary()}", 1.0)
            gate.write(place.root / LEFT_OUT)
        place.update(
            frames={
                "count": len(extracted),
                "kind": "video" if source.is_file() else "photos",
                "source_digest": content,
                **({"fps": config.frames.fps} if source.is_file() else {}),
                **({} if gate is None else gate.table()),
            }
        )

    taken = asdict(frames) | {"fps": float(frames.fps)}
    key = digest("frames-1", content, taken, *(() if gate is None else (gate.key,)))
    place.stage("frames", key, [place.images_dir, place.poses_path], run)


def _poses_of_same_images(place: Place, folder: Path) -> dict[str, PosedFrame] | None:
    """Return the place's frames where ``folder`` holds its very images again, else None."""
    if not (place.poses_path.is_file() and place.images_dir.is_dir()):
        return None
    old, new = (sorted(p for p in f.iterdir()) for f in (place.images_dir, folder))
    if [p.name for p in old] != [p.name for p in new] or digest_files(old) != digest_files(new):
        return None
    return {frame.image: frame for frame in place.frames()}


def _write_frames(
    place: Place, extracted: list[ExtractedFrame], known: dict[str, PosedFrame] | None
) -> None:
    frames = [PosedFrame(f.image, f.timestamp_s, None) for f in extracted]
    if known is not None and set(known) == {f.image for f in frames}:
        frames = [
            f.with_pose(known[f.image].world_from_cam).with_split(known[f.image].split)
            for f in frames
        ]
    else:
        # The new list has no poses: the stages that fill it run again, though the map may stay.
        stages = {k: v for k, v in _stages(place).items() if k not in ("poses", "split")}
        place.update(stages=stages, alignment=None)
    place.write_frames(frames)


def _stages(place: Place) -> dict[str, str]:
    return dict(place.content.get("stages", {}))


def _write_sources(path: Path, extracted: list[ExtractedFrame]) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["image", "source"])
    writer.writerows([f.image, f.source] for f in extracted)
    write_text(path, stream.getvalue())


def _note_features(place: Place, config: ReconstructionConfig) -> None:
    """Say how the map's features were taken, so that photos get the same."""
    preset = config.preset
    features = {
        "max_image_size": preset.max_image_size_px,
        "max_num_features": preset.max_features,
    }
    if place.content.get("features") != features:
        place.update(features=features)
