"""COLMAP's mappers, and the choice between the maps they make by what the matches say."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.reconstruction.agreement import Agreement, measure_agreement
from sightline.reconstruction.database import open_database
from sightline.reconstruction.stages import Report
from sightline.records.colmap import read_model
from sightline.records.files import atomic_path, write_json

if TYPE_CHECKING:
    import pycolmap

#: Starts of a map. Of ten frames along a corridor, one random start in fifteen picks a first pair
#: that no other frame joins, and ends with those two; another start then maps all ten. Two floors
#: of 213 frames bend at a corner by 2 m, one from every second random start, the other from each of
#: three; begun at the frame that is doubted most, both are 2 to 4 cm off.
_STARTS = 4

#: Least angle that the first pair sees its points under, where its first frame is told: with
#: COLMAP's own 16 degrees the turns that maps bend at have no such pair.
_FIRST_ANGLE_DEG = 8.0

#: Smallest model that is kept, where there are images enough.
_SMALLEST_MODEL = 10

#: In the folder of a start: what came of it; its models are 0, 1, ... beside it.
_TOLD = "start.json"


@dataclass(frozen=True)
class _Start:
    """What one mapper made from one start.

    Attributes:
        mapper: ``incremental`` or ``global``.
        seed: Of its random choices.
        first: Name of the frame it was told to begin with; empty where it chose.
        models: Registered images of each, the largest first; perhaps none.
        explained: Share of the verified matches that the largest explains.
        doubted: Frames of it that do not stand as their matches say, the worst first.
    """

    mapper: str
    seed: int
    first: str
    models: list[int]
    explained: float
    doubted: list[str]

    @property
    def size(self) -> int:
        """Images in the largest model."""
        return self.models[0] if self.models else 0

    def to_json(self) -> dict[str, Any]:
        """Return what is told of it."""
        told = {"mapper": self.mapper, "seed": self.seed, "first": self.first}
        return told | {"registered": self.size, "explained": round(self.explained, 4)}


def build_map(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write COLMAP's models (perhaps none) into ``output``/0, 1, ..., largest first.

    The map is judged by how much of the verified matches it explains. One of less than a third of
    the images is tried again from other random starts. One with frames that do not stand as their
    matches say is begun anew, by ``auto``, at the worst of them. The one that explains most stays.

    Args:
        request: ``database``, ``images_dir``, ``output``, ``starts_dir`` (finished starts; a killed
            call goes on after them), ``num_images``, ``mapper``, ``refine_intrinsics``,
            ``bundle_growth``, ``bundle_iterations``, ``bundle_rounds``, ``max_error_px``,
            ``threads``, ``seed``.
        report: Progress.

    Returns:
        ``models`` (registered images of each) and ``attempts`` (each ``mapper``, ``seed``,
        ``first`` frame, ``registered`` images and the share of matches ``explained``).
    """
    output, starts_dir = Path(request["output"]), Path(request["starts_dir"])
    starts: list[_Start] = []
    first = ""
    for number in range(_STARTS):
        folder = starts_dir / str(number)
        if not (folder / _TOLD).is_file():
            wanted = {**request, "seed": request["seed"] + number, "first": first}
            with atomic_path(folder) as made:
                _begin(wanted, made, _numbered(report, number))
        start = _Start(**json.loads((folder / _TOLD).read_text(encoding="utf-8")))
        starts.append(start)
        small = start.size * 3 < request["num_images"]
        if not small and (request["mapper"] != "auto" or not start.doubted):
            break
        # Where the map bends, its frames hang on little; begun there, they hold each other first.
        begun = {one.first for one in starts}
        first = "" if small else next((n for n in start.doubted if n not in begun), "")
    best = max(starts, key=lambda start: start.explained)
    models = _models(starts_dir, starts, best)
    if best.first:
        # COLMAP begins each model where it was told to begin the first: there is only one then.
        free = next(start for start in reversed(starts) if not start.first)
        models |= _apart(_models(starts_dir, starts, free), models)
    for number, folder in enumerate(models):
        shutil.copytree(folder, output / str(number))
    told = [start.to_json() for start in starts]
    return {"models": list(models.values()), "attempts": told}


def _numbered(report: Report, number: int) -> Report:
    """Return progress that tells which start it is of, where it is not the first."""
    if not number:
        return report
    return lambda text, done: report(f"{text}, start {number + 1} of at most {_STARTS}", done)


def _begin(request: dict[str, Any], folder: Path, report: Report) -> None:
    """Map from one start, into a folder."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    mapper = "global" if request["mapper"] == "global" else "incremental"
    once = _map_globally if mapper == "global" else _map_incrementally
    models = sorted(once(request, scratch, report).values(), key=lambda m: -m.num_reg_images())
    shutil.rmtree(scratch)
    agreement = Agreement()
    for number, model in enumerate(models):
        model.update_point_3d_errors()
        (folder / str(number)).mkdir()
        model.write_binary(str(folder / str(number)))
    if models:
        largest = read_model(folder / "0")
        agreement = measure_agreement(request["database"], largest, request["max_error_px"])
    start = _Start(
        mapper,
        request["seed"],
        request["first"],
        [model.num_reg_images() for model in models],
        agreement.share,
        agreement.doubted,
    )
    write_json(folder / _TOLD, asdict(start))


def _models(starts_dir: Path, starts: list[_Start], start: _Start) -> dict[Path, int]:
    """Return folder -> registered images of a start's models, the largest first."""
    folder = starts_dir / str(starts.index(start))
    return {folder / str(number): count for number, count in enumerate(start.models)}


def _apart(others: dict[Path, int], models: dict[Path, int]) -> dict[Path, int]:
    """Return those of another start's smaller models that show something else than these."""
    found, smaller = {}, list(others.items())[1:]
    mapped = {name for model in models for name in read_model(model).frames} if smaller else set()
    for other, count in smaller:
        if 2 * sum(name in mapped for name in read_model(other).frames) < count:
            found[other] = count
    return found


def _map_incrementally(
    request: dict[str, Any], folder: Path, report: Report
) -> dict[int, pycolmap.Reconstruction]:
    """Return the models that incremental mapping finds from one random start."""
    import pycolmap

    pycolmap.set_random_seed(request["seed"])
    registered = 2

    def next_image() -> None:
        nonlocal registered
        registered += 1
        report("mapping frames", min(registered / request["num_images"], 1.0))

    options = mapping_options(request)
    if request["first"]:
        with open_database(request["database"]) as database:
            image: Any = database.read_image_with_name(request["first"])
            options.init_image_id1 = image.image_id
        options.mapper.init_min_tri_angle = _FIRST_ANGLE_DEG
    models: dict[int, pycolmap.Reconstruction] = pycolmap.incremental_mapping(
        request["database"],
        request["images_dir"],
        folder,
        options=options,
        next_image_callback=next_image,
    )
    return models


def _map_globally(
    request: dict[str, Any], folder: Path, report: Report
) -> dict[int, pycolmap.Reconstruction]:
    """Return the models that global mapping finds from one random start (GLOMAP)."""
    import pycolmap

    report("mapping all frames at once", 0.0)
    pycolmap.set_random_seed(request["seed"])
    models: dict[int, pycolmap.Reconstruction] = pycolmap.global_mapping(
        request["database"], request["images_dir"], folder, options=_global_options(request)
    )
    return models


def mapping_options(request: dict[str, Any]) -> pycolmap.IncrementalPipelineOptions:
    """Return COLMAP's options for a request of :func:`build_map`."""
    import pycolmap

    options = pycolmap.IncrementalPipelineOptions()
    _set_common(options, request)
    refine = request["refine_intrinsics"]
    options.ba_refine_focal_length = refine
    options.ba_refine_extra_params = refine
    options.mapper.abs_pose_refine_focal_length = refine
    options.mapper.abs_pose_refine_extra_params = refine
    max_error_px = request["max_error_px"]
    options.mapper.filter_max_reproj_error = max_error_px
    options.triangulation.complete_max_reproj_error = max_error_px
    options.triangulation.merge_max_reproj_error = max_error_px
    options.ba_global_frames_ratio = request["bundle_growth"]
    options.ba_global_points_ratio = request["bundle_growth"]
    options.ba_global_max_num_iterations = request["bundle_iterations"]
    options.ba_global_max_refinements = request["bundle_rounds"]
    options.ba_local_max_num_iterations = min(25, request["bundle_iterations"])
    options.ba_local_max_refinements = min(2, request["bundle_rounds"])
    return options


def _global_options(request: dict[str, Any]) -> pycolmap.GlobalPipelineOptions:
    import pycolmap

    options = pycolmap.GlobalPipelineOptions()
    _set_common(options, request)
    options.mapper.global_positioning.use_gpu = False
    options.mapper.bundle_adjustment.refine_focal_length = request["refine_intrinsics"]
    options.mapper.bundle_adjustment.refine_extra_params = request["refine_intrinsics"]
    options.mapper.bundle_adjustment.ceres.use_gpu = False
    options.mapper.retriangulation.complete_max_reproj_error = request["max_error_px"]
    options.mapper.retriangulation.merge_max_reproj_error = request["max_error_px"]
    return options


def _set_common(
    options: pycolmap.IncrementalPipelineOptions | pycolmap.GlobalPipelineOptions,
    request: dict[str, Any],
) -> None:
    """Set what both mappers are told."""
    options.num_threads = request["threads"]
    options.random_seed = request["seed"]
    options.min_model_size = min(_SMALLEST_MODEL, max(3, request["num_images"] // 3))
