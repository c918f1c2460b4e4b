"""From the frames of a place to its map: features, matches, map, loops, poses."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sightline.errors import PlaceError, ReconstructionError
from sightline.geometry import Camera, Similarity
from sightline.reconstruction import doctor
from sightline.reconstruction.config import (
    LOOP_GAP,
    ReconstructionConfig,
    max_error_px,
)
from sightline.reconstruction.doctor import ReconstructionReport
from sightline.reconstruction.masking import MASKED_FEATURES, dropped_shares, masks_digest
from sightline.reconstruction.pairing import frame_pairs, pairs_kind
from sightline.reconstruction.process import Progress, RowCount, run_worker
from sightline.records import Place
from sightline.records.colmap import MapModel, camera_to_colmap, read_model
from sightline.records.files import atomic_path, digest, digest_files, write_json
from sightline.records.points import write_points_csv

#: What the mapper made from each start, beside the models.
ATTEMPTS = "attempts.json"


def reconstruct(
    place: Place,
    config: ReconstructionConfig,
    progress: Progress | None = None,
    *,
    masks_dir: Path | None = None,
) -> ReconstructionReport:
    """Map a place's frames and fill its ``poses.csv`` and ``points.csv``; return the report.

    Every stage is skipped where its inputs are unchanged, and leaves nothing half-written: a
    killed run goes on where it stopped. The poses are in the map's own frame and unit.

    Args:
        place: Has ``images/`` and the list of frames in ``poses.csv``.
        config: How.
        progress: Called with (stage text, fraction 0..1).
        masks_dir: One mask a frame, of the frame's size; features on black pixels are dropped.

    Raises:
        ReconstructionError: COLMAP failed, or too few frames could be registered (everything
            that was made is kept).
        PlaceError: The place has no frames, or an image is missing.
    """
    if config.dense:
        _require_cuda()
    run = _Run(place, config, progress or _silent)
    try:
        run.sweep()
        run.features(masks_dir)
        run.matches()
        run.map()
        run.loops()
        run.poses()
        report = read_report(place)
        if not report.usable:
            raise ReconstructionError(_too_few(report))
        if config.dense:
            run.dense()
    finally:
        run.sweep()
    return report


def read_report(place: Place) -> ReconstructionReport:
    """Return what ``doctor.json`` says.

    Raises:
        PlaceError: The place is not reconstructed yet.
    """
    path = place.reconstruction_dir / "doctor.json"
    if not path.is_file():
        raise PlaceError(f"{place.root} has no reconstruction yet; run `sightline build`")
    return ReconstructionReport(**_json(path))


class _Run:
    """One call of :func:`reconstruct`; each method is a stage."""

    def __init__(self, place: Place, config: ReconstructionConfig, progress: Progress) -> None:
        self.place = place
        self.config = config
        self.progress = progress
        self.frames = place.walks()[0]
        self.names = [frame.image for frame in self.frames]
        if len(self.names) < doctor.FEWEST_FRAMES:
            raise ReconstructionError(
                f"{doctor.FEWEST_FRAMES} or more images are wanted to make a map, "
                f"{len(self.names)} came; give a longer video or more photos"
            )
        missing = [n for n in self.names if not (place.images_dir / n).is_file()]
        if missing:
            raise PlaceError(
                f"{place.images_dir / missing[0]} is in poses.csv but not there; "
                "run `sightline build` again to extract the frames"
            )
        place.reconstruction_dir.mkdir(exist_ok=True)
        self.folder = place.reconstruction_dir
        self.names_by_size = self._names_by_size()
        self.digest = ""

    def sweep(self) -> None:
        """Remove what a killed or failed run left half-written (SQLite's side files too)."""
        for left in self.folder.glob(".*.tmp*"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()

    def features(self, masks_dir: Path | None = None) -> None:
        config, preset = self.config, self.config.preset
        images = digest_files(self.place.images_dir / n for n in self.names)
        camera = (config.camera_model, config.camera_params, config.shared_intrinsics)
        sizes = (preset.max_image_size_px, preset.max_features)
        masks = () if masks_dir is None else (masks_digest(masks_dir, self.names),)
        self.digest = digest("features-1", images, camera, sizes, config.seed, *masks)
        counts_path = self.folder / MASKED_FEATURES

        def run() -> None:
            counts_path.unlink(missing_ok=True)
            with atomic_path(self.place.database_path) as database:
                self._work(
                    "features",
                    RowCount(database, "keypoints", len(self.names), "finding features"),
                    database=str(database),
                    groups=self._camera_groups(),
                    camera_model=config.camera_model,
                    max_image_size=preset.max_image_size_px,
                    max_features=preset.max_features,
                )
                if masks:
                    counts = self._work(
                        "mask",
                        database=str(database),
                        masks_dir=str(masks_dir),
                        names=self.names,
                    )
                    write_json(counts_path, counts)

        outputs = [self.place.database_path, *([counts_path] if masks else [])]
        self.place.stage("features", self.digest, outputs, run)

    def matches(self) -> None:
        pairs = frame_pairs(self.frames, self.config)
        self.digest = digest("matches-1", self.digest, pairs)

        def run() -> None:
            with (
                atomic_path(self.place.database_path) as database,
                atomic_path(self.folder / "pairs.txt") as pairs_path,
            ):
                shutil.copyfile(self.place.database_path, database)
                lines = [f"{self.names[a]} {self.names[b]}\n" for a, b in pairs]
                pairs_path.write_text("".join(lines), encoding="utf-8")
                self._work(
                    "matches",
                    RowCount(database, "matches", len(pairs), "matching frames"),
                    database=str(database),
                    pairs_path=str(pairs_path),
                )

        self.place.stage("matches", self.digest, [self.place.database_path], run)

    def map(self) -> None:
        config, preset = self.config, self.config.preset
        effort = (preset.bundle_growth, preset.bundle_iterations, preset.bundle_rounds)
        largest_px = self._max_error_px()
        self.digest = digest(
            "map-3", self.digest, effort, config.mapper, config.refine_intrinsics, largest_px
        )

        starts_dir = self.folder / f"starts-{self.digest}"

        def run() -> None:
            for left in set(self.folder.glob("starts-*")) - {starts_dir}:
                shutil.rmtree(left)  # of other settings
            with atomic_path(self.models_dir) as output:
                output.mkdir()
                made = self._work(
                    "map",
                    database=str(self.place.database_path),
                    output=str(output),
                    starts_dir=str(starts_dir),
                    num_images=len(self.names),
                    mapper=config.mapper,
                    refine_intrinsics=config.refine_intrinsics,
                    bundle_growth=preset.bundle_growth,
                    bundle_iterations=preset.bundle_iterations,
                    bundle_rounds=preset.bundle_rounds,
                    max_error_px=largest_px,
                )
                write_json(output / ATTEMPTS, made["attempts"])
            shutil.rmtree(starts_dir)

        self.place.stage("map", self.digest, [self.models_dir], run)

    def loops(self) -> None:
        self.digest = digest("loops-3", self.digest, self.config.loop_closing)
        first = self.models_dir / "0"
        outputs = [self.folder / "loops.json"]
        if first.is_dir():
            outputs.append(self.place.model_dir)

        def run() -> None:
            result: dict[str, Any] = {"closed": False, "reason": self._no_loops()}
            if not first.is_dir():
                result["reason"] = "there is no map"
            elif result["reason"]:
                with atomic_path(self.place.model_dir) as output:
                    shutil.copytree(first, output)
            else:
                with (
                    atomic_path(self.place.model_dir) as output,
                    TemporaryDirectory(dir=self.folder, prefix=".loops.tmp") as scratch,
                ):
                    database = Path(scratch) / "database.db"
                    shutil.copyfile(self.place.database_path, database)
                    result = self._work(
                        "loops",
                        database=str(database),
                        model=str(first),
                        output=str(output),
                        names=self.names,
                        refine_intrinsics=self.config.refine_intrinsics,
                        max_error_px=self._max_error_px(),
                    )
            write_json(self.folder / "loops.json", result)

        self.place.stage("loops", self.digest, outputs, run)

    def _no_loops(self) -> str:
        """Return why loops are not looked for, or nothing."""
        if not self.config.loop_closing:
            return "not asked for"
        if pairs_kind(self.frames, self.config) == "exhaustive":
            return "every pair of images was matched already"
        if len(self.names) <= LOOP_GAP:
            return f"{len(self.names)} frames are too few for a loop"
        return ""

    def poses(self) -> None:
        self.digest = digest("poses-2", self.digest)
        report_path = self.folder / "doctor.json"
        points_path = self.place.root / "points.csv"

        def run() -> None:
            models = [len(read_model(f).frames) for f in _numbered(self.models_dir)]
            model = read_model(self.place.model_dir) if models else None
            facts = self._work(
                "inspect",
                database=str(self.place.database_path),
                model=str(self.place.model_dir) if models else None,
                max_error_px=self._max_error_px(),
            )
            facts["masked"] = dropped_shares(self.folder)
            facts["attempts"] = _json(self.models_dir / ATTEMPTS)
            report = doctor.examine(
                self.names,
                self.place.images_dir,
                model,
                models=models,
                facts=facts,
                loops=_json(self.folder / "loops.json"),
            )
            if model is not None:
                write_points_csv(points_path, model, Similarity.identity())
                self._fill_poses(model)
            write_json(report_path, dataclasses.asdict(report))

        outputs = [report_path]
        if (self.models_dir / "0").is_dir():
            outputs.append(points_path)
        self.place.stage("poses", self.digest, outputs, run)

    def dense(self) -> None:
        workspace = self.folder / "dense"
        size = self.config.preset.max_image_size_px
        self.digest = digest("dense-1", self.digest, size)

        def run() -> None:
            with atomic_path(workspace) as temporary:
                temporary.mkdir()
                self._work(
                    "dense",
                    model=str(self.place.model_dir),
                    workspace=str(temporary),
                    max_image_size=size,
                )

        self.place.stage("dense", self.digest, [workspace], run)

    @property
    def models_dir(self) -> Path:
        return self.folder / "models"

    def _work(self, command: str, watch: RowCount | None = None, **request: Any) -> Any:
        common = {
            "images_dir": str(self.place.images_dir),
            "threads": self.config.threads or -1,
            "seed": self.config.seed,
        }
        return run_worker(
            command,
            {**common, **request},
            log_path=self.folder / "log.txt",
            progress=self.progress,
            watch=watch,
        )

    def _names_by_size(self) -> dict[tuple[int, int], list[str]]:
        from PIL import Image

        by_size: dict[tuple[int, int], list[str]] = {}
        for name in self.names:
            try:
                with Image.open(self.place.images_dir / name) as image:
                    by_size.setdefault(image.size, []).append(name)
            except OSError as error:
                raise PlaceError(
                    f"{self.place.images_dir / name} cannot be read as an image: {error}"
                ) from error
        return by_size

    def _max_error_px(self) -> float:
        longest = max(max(size) for size in self.names_by_size)
        return max_error_px(longest, self.config.preset.max_image_size_px)

    def _camera_groups(self) -> list[dict[str, Any]]:
        return [
            {
                "names": names,
                "shared": self.config.shared_intrinsics,
                "camera_params": self._colmap_params(*size),
            }
            for size, names in self.names_by_size.items()
        ]

    def _colmap_params(self, width: int, height: int) -> str:
        if self.config.camera_params is None:
            return ""
        ours = Camera(self.config.camera_model, width, height, self.config.camera_params)
        return ",".join(repr(float(v)) for v in camera_to_colmap(ours).params)

    def _fill_poses(self, model: MapModel) -> None:
        found = model.frames
        self.place.write_frames(
            [
                frame.with_pose(found[frame.image].world_from_cam if frame.image in found else None)
                for frame in self.place.frames()
            ]
        )
        ids = [frame.camera_id for frame in found.values()]
        camera = model.cameras[max(sorted(set(ids)), key=ids.count)]
        # A new map has its own frame and unit: an alignment of the old one means nothing in it.
        self.place.update(camera=dataclasses.asdict(camera), unit="arbitrary", alignment=None)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _numbered(folder: Path) -> list[Path]:
    return sorted((f for f in folder.iterdir() if f.name.isdigit()), key=lambda f: int(f.name))


def _too_few(report: ReconstructionReport) -> str:
    causes = list(report.unregistered.values())
    likely = max(sorted(set(causes)), key=causes.count)
    advice = next((h.split(": ", 1)[-1] for h in report.hints if f"({likely})" in h), "")
    return (
        f"{report.registered} of {report.frames} frames registered; at least "
        f"{report.frames_wanted} are needed. Likely cause: {likely}; {advice} "
        "(everything made so far is kept)"
    )


def _require_cuda() -> None:
    import pycolmap

    if not pycolmap.has_cuda:
        raise ReconstructionError(
            "a dense point cloud needs a pycolmap built with CUDA, this one has none; leave out "
            "`--dense` (the sparse map and all poses work without it)"
        )


def _silent(text: str, fraction: float) -> None:
    """Take progress that nobody watches."""
