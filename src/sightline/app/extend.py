"""Extend: another recording is added to a place's map, or frames left out are found in it.

The map stays where it is: old poses, the alignment and what was trained in its world hold on.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.app.alignment_files import map_digest
from sightline.app.build import source_digest, split_key
from sightline.app.extend_stages import (
    ExtendConfig,
    Progress,
    added_masking,
    find_features,
    frames_per_second,
    free_prefix,
    register,
    take_frames,
)
from sightline.app.grown_map import Newcomers, grown_frames, stage_tables
from sightline.app.masks import make_masks
from sightline.errors import InputError, PlaceError, ReconstructionError
from sightline.reconstruction.config import ReconstructionConfig
from sightline.reconstruction.map_index import MapIndex
from sightline.reconstruction.pairing import frame_pairs
from sightline.records import Place, PosedFrame
from sightline.records.colmap import read_model
from sightline.records.files import atomic_path, digest_files, locked_folder
from sightline.records.splits import SPLIT_METHODS

#: A recording belongs to a place where this share of its frames finds itself in the map, and no
#: fewer than so many.
ANCHORED_SHARE, FEWEST_ANCHORS = 0.1, 5
#: Frames of one recording that are matched with a frame left out, before it and after it.
_BESIDE = 4
#: Between recordings on the place's one clock, as in imported sequences.
GAP_S = 10.0


@dataclass(frozen=True)
class Extension:
    """What was found in a map.

    Attributes:
        asked: Number of frames that were looked for.
        registered: Frame name -> map points it sees.
        left: Frame name -> why it is not in the map.
        points: Points that the map gained.
        same_lens: Whether the frames have the map's own lens.
    """

    asked: int
    registered: dict[str, int]
    left: dict[str, str] = field(default_factory=dict)
    points: int = 0
    same_lens: bool = True


def extend(
    place: Place, source: Path, config: ExtendConfig | None = None, progress: Progress | None = None
) -> Extension:
    """Add a second recording (video, or folder of photos) to a place's map; return what was found.

    Every finished stage is kept in the place until all are done: a run that was stopped goes on.
    Until then, and where the recording is refused, the place stays as it was.

    Args:
        place: Built by ``sightline build``.
        source: A video, or a folder of photos.
        config: How.
        progress: Called with the stage and the done share of it.

    Raises:
        InputError: The source is missing, unreadable, or in the place already.
        PlaceError: The place has no map with its features.
        ReconstructionError: The recording shows another place, or COLMAP failed.
    """
    config, progress = config or ExtendConfig(), progress or _silent
    if not source.exists():
        raise InputError(f"a video or a folder of photos is wanted; {source} does not exist")
    with _alone(place):
        return _extended(place, source, config, progress)


def _extended(place: Place, source: Path, config: ExtendConfig, progress: Progress) -> Extension:
    _require_map(place)
    content = source_digest(source)
    known = [place.content.get("frames", {}).get("source_digest")]
    known += [table.get("source_digest") for table in place.added]
    if content in known:
        raise InputError(f"{source} is in {place.root} already (nothing was changed)")
    work = _work_place(place, f"adding-{content}", content)
    try:
        take_frames(place, work, source, content, config, progress)
        frames = work.frames()
        if len(frames) < FEWEST_ANCHORS:
            raise InputError(
                f"{source}: {FEWEST_ANCHORS} frames or more are wanted, {len(frames)} came; add "
                "more photos, or take more frames a second with --fps (nothing was changed)"
            )
        masks_dir = make_masks(work, added_masking(place, work), progress)
        find_features(place, work, masks_dir, config, progress)
    except InputError:
        _discard(work.root)
        raise
    pairs = frame_pairs(frames, ReconstructionConfig())
    wanted = max(FEWEST_ANCHORS, math.ceil(ANCHORED_SHARE * len(frames)))
    answer = register(
        place,
        work,
        names=[frame.image for frame in frames],
        beside=[(frames[a].image, frames[b].image) for a, b in pairs],
        images_dir=work.images_dir,
        wanted=wanted,
        own_lens=True,
        config=config,
        progress=progress,
    )
    if not answer["registered"]:
        _discard(work.root)
        found = len(answer["anchors"])
        reason = (
            "COLMAP could not join any of them to it"
            if found >= wanted
            else "it shows another place, or another side of it"
        )
        raise ReconstructionError(
            f"{found} of {len(frames)} frames of {source.name} were found in the map of "
            f"{place.root}; {reason}: film a stretch that the map has too (nothing was changed)"
        )
    begins_s = _begins_s(place)
    timed = all(frame.timestamp_s is not None for frame in frames)
    table: dict[str, Any] = {
        "source": str(source.resolve()),
        "source_digest": content,
        "prefix": free_prefix(place),
        "count": len(frames),
        "registered": len(answer["registered"]),
        "given": config.to_toml(),
        **({"fps": frames_per_second(place, config), "begins_s": begins_s} if timed else {}),
    }
    shifted = [
        PosedFrame(f.image, None if f.timestamp_s is None else begins_s + f.timestamp_s, None)
        for f in frames
    ]
    return _put_in(place, work, answer, Newcomers(tuple(shifted), config.part), added=table)


def find_left_out(
    place: Place, config: ExtendConfig | None = None, progress: Progress | None = None
) -> Extension:
    """Look for all frames that are not in the map once more; return what was found.

    Each is matched with frames of the map that look alike and with those beside it in its own
    recording, not only with those that the build paired it with. What is found goes into the map
    and the tables at once; where nothing is, nothing changes.

    Args:
        place: Built by ``sightline build``.
        config: ``seed`` and ``threads`` count.
        progress: Called with the stage and the done share of it.

    Raises:
        PlaceError: The place has no map with its features.
        ReconstructionError: COLMAP failed.
    """
    config, progress = config or ExtendConfig(), progress or _silent
    with _alone(place):
        return _found_again(place, config, progress)


def _found_again(place: Place, config: ExtendConfig, progress: Progress) -> Extension:
    _require_map(place)
    walks = place.walks()
    names = [f.image for walk in walks for f in walk if f.world_from_cam is None]
    if not names:
        return Extension(0, {})
    work = _work_place(place, "adding-left-out", "frames left out")
    with atomic_path(work.database_path) as database:
        shutil.copyfile(place.database_path, database)
    answer = register(
        place,
        work,
        names=names,
        beside=[pair for walk in walks for pair in _pairs_beside(walk)],
        images_dir=place.images_dir,
        wanted=1,
        own_lens=False,
        config=config,
        progress=progress,
    )
    if not answer["registered"]:
        _discard(work.root)
        return Extension(len(names), {}, answer["left"])
    return _put_in(place, work, answer, Newcomers())


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """Keep other calls from adding to the same map at the same time.

    Raises:
        PlaceError: Another one is at work.
    """
    if not place.images_dir.is_dir():
        _require_map(place)
    try:
        with locked_folder(place.images_dir, wait=False):
            place.reload()
            yield
    except BlockingIOError as error:
        raise PlaceError(
            f"another `sightline extend` is adding to {place.root}; wait until it has ended, then "
            "run this again (nothing was changed)"
        ) from error


def _work_place(place: Place, name: str, source: str) -> Place:
    """Return the place, inside the place, that holds a recording until it is whole."""
    folder = place.reconstruction_dir / name
    if folder.is_dir() and not (folder / "place.toml").is_file():
        shutil.rmtree(folder)  # a removal that was killed
    return Place.create(folder, source=source)


def _discard(folder: Path) -> None:
    (folder / "place.toml").unlink()
    shutil.rmtree(folder)


def _put_in(
    place: Place,
    work: Place,
    answer: dict[str, Any],
    newcomers: Newcomers,
    added: dict[str, Any] | None = None,
) -> Extension:
    """Move the grown map and everything that follows from it into the place."""
    place.reload()  # it may have been aligned or split since
    model = read_model(work.model_dir)
    before = len(read_model(place.model_dir).points)
    frames = grown_frames(place, model, list(answer["registered"]), newcomers)
    moves = stage_tables(place, work.root / "staged", model, frames, answer)
    files = digest_files(sorted(p for p in work.model_dir.iterdir() if p.is_file()))
    settings: dict[str, Any] = {"grown_map": {"digest": map_digest(place), "files": files}}
    moves[work.model_dir] = place.model_dir
    if added is not None:
        settings["added"] = [*place.added, added]
        moves[work.database_path] = place.database_path
        for image in sorted(work.images_dir.iterdir()):
            moves[image] = place.images_dir / image.name
    stages, built = dict(place.content.get("stages", {})), place.walks()[0]
    for method in SPLIT_METHODS:
        # The split that the build made, or the user's own since, stays.
        if stages.get("split") == split_key(built, method):
            stages["split"] = split_key(frames[: len(built)], method)
    settings["stages"] = stages
    place.commit(work.root, moves, settings)
    for left in place.reconstruction_dir.glob("adding-*"):
        shutil.rmtree(left)  # of recordings that were given up
    MapIndex.open(place)
    return Extension(
        len(answer["registered"]) + len(answer["left"]),
        answer["registered"],
        answer["left"],
        len(model.points) - before,
        answer["same_lens"],
    )


def _require_map(place: Place) -> None:
    if not (place.model_dir.is_dir() and place.database_path.is_file()):
        raise PlaceError(
            f"a place that `sightline build` made is wanted, {place.root} has no map with its "
            "features to add to"
        )
    unfinished = [s for s in ("features", "poses") if s not in place.content.get("stages", {})]
    if unfinished or "features" not in place.content or "camera" not in place.content:
        raise PlaceError(f"the build of {place.root} is not finished; run it again (it resumes)")


def _pairs_beside(walk: list[PosedFrame]) -> list[tuple[str, str]]:
    """Return the frames left out with those near them in the recording, registered or not."""
    left = [f.world_from_cam is None for f in walk]
    return [
        (walk[a].image, walk[b].image)
        for a in range(len(walk))
        for b in range(a + 1, min(a + _BESIDE + 1, len(walk)))
        if left[a] or left[b]
    ]


def _begins_s(place: Place) -> float:
    stamps = [f.timestamp_s for f in place.frames() if f.timestamp_s is not None]
    return max(stamps, default=-GAP_S) + GAP_S


def _silent(text: str, fraction: float) -> None:
    """Take progress that nobody watches."""
