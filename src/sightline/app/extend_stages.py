"""What is made of a recording before it is put into a place: frames, features, a grown map.

A second place, inside the first, holds it until it is whole; each stage is skipped once it is done.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sightline.app.build import BUILD_TOML, FramesConfig, build_config_of
from sightline.app.masks import MasksConfig
from sightline.errors import InputError
from sightline.media.extract import extract_frames
from sightline.media.photo import photo_size
from sightline.reconstruction.config import QUALITY_PRESETS, QualityPreset, max_error_px
from sightline.reconstruction.masking import masks_digest
from sightline.reconstruction.process import RowCount, run_worker
from sightline.records import Place, PosedFrame
from sightline.records.files import atomic_path, digest, digest_files, write_json

Progress = Callable[[str, float], None]
Part = Literal["auto", "train", "validation", "test", "none"]


@dataclass(frozen=True)
class ExtendConfig:
    """How a recording is added to a place."""

    fps: float | None = None
    """Frames taken a second; as many as the place's own where not given."""
    sharpest: bool | None = None
    """Take the sharpest frame of each interval instead of the first; as the place's own were taken
    where not given."""
    max_side: int | None = None
    """Frames larger than this are made smaller, in pixels; 0 keeps them as they are; as the place's
    own where not given."""
    part: Part = "auto"
    """Where its frames go: train, validation, test, none, or auto: divided as the place is (after
    second-walk all of them are for the test)."""
    seed: int = 0
    """Seed of every random choice."""
    threads: int = 0
    """Processor threads; 0 takes all cores."""

    def to_toml(self) -> dict[str, Any]:
        """Return what was given of which frames are taken and where they go."""
        usual = ExtendConfig()
        names = ("fps", "sharpest", "max_side", "part")
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(usual, n)}


def take_frames(
    place: Place,
    work: Place,
    source: Path,
    content: str,
    config: ExtendConfig,
    progress: Progress,
) -> None:
    """Take the recording's frames, under names that the place has not."""
    prefix, frames = free_prefix(place), frames_config(place, config)

    def run() -> None:
        with atomic_path(work.images_dir) as folder:
            extracted = extract_frames(
                source,
                folder,
                fps=frames.fps,
                sharpest=frames.sharpest,
                max_side=frames.max_side,
                progress=lambda text, done: progress(f"taking frames: {text}", done),
            )
            for frame in extracted:
                (folder / frame.image).rename(folder / f"{prefix}{frame.image}")
        work.write_frames([PosedFrame(prefix + f.image, f.timestamp_s, None) for f in extracted])

    key = digest("adding-frames-1", content, prefix, frames.fps, frames.sharpest, frames.max_side)
    work.stage("frames", key, [work.images_dir, work.poses_path], run)


def find_features(
    place: Place, work: Place, masks_dir: Path | None, config: ExtendConfig, progress: Progress
) -> None:
    """Find features like the map's own, into a copy of its database; one lens for each size.

    Args:
        place: The place.
        work: Has the recording's frames.
        masks_dir: One mask a frame; features on black pixels are dropped.
        config: How.
        progress: Called with the stage and the done share of it.
    """
    from PIL import Image

    names, features = [f.image for f in work.frames()], place.content["features"]
    by_size: dict[tuple[int, int], list[str]] = {}
    for name in names:
        with Image.open(work.images_dir / name) as image:
            by_size.setdefault(image.size, []).append(name)
    groups = [{"names": group, "shared": True, "camera_params": ""} for group in by_size.values()]

    def run() -> None:
        with atomic_path(work.database_path) as database:
            shutil.copyfile(place.database_path, database)
            _work(
                place,
                "features",
                {
                    "database": str(database),
                    "groups": groups,
                    "camera_model": place.content["camera"]["model"],
                    "max_image_size": features["max_image_size"],
                    "max_features": features["max_num_features"],
                    "images_dir": str(work.images_dir),
                },
                config,
                progress,
                RowCount(
                    database, "keypoints", len(names) + len(place.frames()), "finding features"
                ),
            )
            if masks_dir is not None:
                masking = {"masks_dir": str(masks_dir), "names": names}
                _work(place, "mask", {"database": str(database), **masking}, config, progress)

    before = digest_files(sorted(place.model_dir.glob("*.bin")))
    masks = () if masks_dir is None else (masks_digest(masks_dir, names),)
    key = digest("adding-features-1", work.content["stages"]["frames"], before, features, *masks)
    work.stage("features", key, [work.database_path], run)


def register(
    place: Place,
    work: Place,
    *,
    names: list[str],
    beside: list[tuple[str, str]],
    images_dir: Path,
    wanted: int,
    own_lens: bool,
    config: ExtendConfig,
    progress: Progress,
) -> dict[str, Any]:
    """Return what ``registration.register_frames`` says; the grown map is in the work folder.

    Args:
        place: The place.
        work: Has the database.
        names: Frames to register.
        beside: Pairs of frames of one recording, to be matched.
        images_dir: Of the frames.
        wanted: With fewer anchors nothing is registered.
        own_lens: The frames may have another lens than the map's.
        config: How.
        progress: Called with the stage and the done share of it.
    """
    preset, answer_path = _preset(place), work.reconstruction_dir / "registered.json"

    def run() -> None:
        if work.model_dir.is_dir():
            shutil.rmtree(work.model_dir)
        answer = _work(
            place,
            "register",
            {
                "database": str(work.database_path),
                "model": str(place.model_dir),
                "output": str(work.model_dir),
                "images_dir": str(images_dir),
                "names": names,
                "beside": beside,
                "wanted": wanted,
                "own_lens": own_lens,
                "num_images": len(names),
                "refine_intrinsics": False,
                "bundle_growth": preset.bundle_growth,
                "bundle_iterations": preset.bundle_iterations,
                "bundle_rounds": preset.bundle_rounds,
                "max_error_px": max_error_px(
                    max(place.content["camera"]["width"], place.content["camera"]["height"]),
                    preset.max_image_size_px,
                ),
            },
            config,
            progress,
        )
        write_json(answer_path, answer)

    before = digest_files(sorted(place.model_dir.glob("*.bin")))
    features = work.content.get("stages", {}).get("features")
    work.stage(
        "register",
        digest("adding-register-3", before, names, features, config.seed),
        [answer_path],
        run,
    )
    answer: dict[str, Any] = json.loads(answer_path.read_text(encoding="utf-8"))
    return answer


def _work(
    place: Place,
    command: str,
    request: dict[str, Any],
    config: ExtendConfig,
    progress: Progress,
    watch: RowCount | None = None,
) -> Any:
    return run_worker(
        command,
        {"threads": config.threads or -1, "seed": config.seed, **request},
        log_path=place.reconstruction_dir / "log.txt",
        progress=progress,
        watch=watch,
    )


def _preset(place: Place) -> QualityPreset:
    """Return what the quality spends that the place's features were taken with."""
    size = place.content["features"]["max_image_size"]
    fitting = [p for p in QUALITY_PRESETS.values() if p.max_image_size_px == size]
    return fitting[0] if fitting else QUALITY_PRESETS["medium"]


def free_prefix(place: Place) -> str:
    """Return what the names of the next added recording's frames begin with."""
    return f"walk{len(place.added) + 2}-"


def added_masking(place: Place, work: Place) -> MasksConfig:
    """Return what is ignored of a recording that is added: as of the place's own, where it can be.

    A network looks for the same things. One mask for all frames is of the camera, and is taken
    where pictures have its size. A folder of masks names the frames of the build alone.

    Args:
        place: The place.
        work: Has the recording's frames.

    Raises:
        InputError: The place's ``build.toml`` does not read, or its mask is gone.
    """
    own, camera = build_config_of(place).masking, place.content["camera"]
    # A place without a build.toml does not say where its masks were.
    if own.given is None or own.given.is_dir() or not own.given.is_absolute():
        return replace(own, given=None)
    if not own.given.is_file():
        raise InputError(
            f"the mask that {place.root} was built with is wanted, {own.given} is not there; put "
            f"it back, or take `masks` out of {place.root / BUILD_TOML} (nothing was changed)"
        )
    sizes = {photo_size(work.images_dir / frame.image) for frame in work.frames()}
    return own if (camera["width"], camera["height"]) in sizes else replace(own, given=None)


def frames_per_second(place: Place, config: ExtendConfig) -> float:
    """Return how many frames of a video are taken a second."""
    own = place.content.get("frames", {}).get("fps", FramesConfig().fps)
    return float(own if config.fps is None else config.fps)


def frames_config(place: Place, config: ExtendConfig) -> FramesConfig:
    """Return which frames of a recording are taken: like the place's own, but for what is given.

    Raises:
        InputError: The place's ``build.toml`` does not read.
    """
    own = build_config_of(place).frames
    return FramesConfig(
        fps=frames_per_second(place, config),
        sharpest=own.sharpest if config.sharpest is None else config.sharpest,
        max_side=own.max_side if config.max_side is None else config.max_side or None,
    )
