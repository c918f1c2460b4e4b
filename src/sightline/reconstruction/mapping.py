"""COLMAP's mappers, and the choice between the maps they make by what the matches say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.reconstruction.agreement import Agreement, measure_agreement
from sightline.reconstruction.database import open_database
from sightline.reconstruction.stages import Report
from sightline.records.colmap import model_from_colmap

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

Models = list["pycolmap.Reconstruction"]


@dataclass(frozen=True)
class _Attempt:
    """What one mapper made from one random start.

    Attributes:
        mapper: ``incremental`` or ``global``.
        seed: Of its random choices.
        first: Name of the frame it was told to begin with; empty where it chose.
        models: The largest first; perhaps none.
        agreement: How much of the matches the largest explains.
    """

    mapper: str
    seed: int
    first: str
    models: Models
    agreement: Agreement

    @property
    def size(self) -> int:
        """Images in the largest model."""
        return self.models[0].num_reg_images() if self.models else 0

    def small_of(self, images: int) -> bool:
        """Return whether it has less than a third of so many images."""
        return self.size * 3 < images

    def to_json(self) -> dict[str, Any]:
        """Return what is told of it."""
        told = {"mapper": self.mapper, "seed": self.seed, "first": self.first}
        return told | {"registered": self.size, "explained": round(self.agreement.share, 4)}


def build_map(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write COLMAP's models (perhaps none) into ``output``/0, 1, ..., largest first.

    The map is judged by how much of the verified matches it explains. One of less than a third of
    the images is tried again from other random starts. One with frames that do not stand as their
    matches say is begun anew, by ``auto``, at the worst of them. The one that explains most stays.

    Args:
        request: ``database``, ``images_dir``, ``output``, ``num_images``, ``mapper``,
            ``refine_intrinsics``, ``bundle_growth``, ``bundle_iterations``, ``bundle_rounds``,
            ``max_error_px``, ``threads``, ``seed``.
        report: Progress.

    Returns:
        ``models`` (registered images of each) and ``attempts`` (each ``mapper``, ``seed``,
        ``first`` frame, ``registered`` images and the share of matches ``explained``).
    """
    output = Path(request["output"])
    told: list[dict[str, Any]] = []
    best: _Attempt | None = None
    others: Models = []
    for attempt in _attempts(request, output / "scratch", report):
        told.append(attempt.to_json())
        if not attempt.first:
            others = attempt.models[1:]
        if best is None or attempt.agreement.share > best.agreement.share:
            best = attempt
        small = attempt.small_of(request["num_images"])
        if not small and (request["mapper"] != "auto" or not attempt.agreement.doubted):
            break
    models = [] if best is None else best.models
    if best is not None and best.first:
        models = [*models, *_apart(others, models)]
    for number, model in enumerate(models):
        model.update_point_3d_errors()
        folder = output / str(number)
        folder.mkdir()
        model.write_binary(str(folder))
    return {"models": [model.num_reg_images() for model in models], "attempts": told}


def _apart(others: Models, models: Models) -> Models:
    """Return those of other models that show something else.

    COLMAP begins each model where it was told to begin the first, so there is only one then.
    """
    if not others:
        return []
    mapped = {image.name for model in models for image in model.images.values() if image.has_pose}
    return [
        other
        for other in others
        if 2 * sum(i.name in mapped for i in other.images.values() if i.has_pose)
        < other.num_reg_images()
    ]


def _attempts(request: dict[str, Any], scratch: Path, report: Report) -> Iterator[_Attempt]:
    """Yield maps for as long as more are asked for."""
    once = _map_globally if request["mapper"] == "global" else _map_incrementally
    mapper = "global" if request["mapper"] == "global" else "incremental"
    first, begun = "", [""]
    for number in range(_STARTS):
        seed = request["seed"] + number
        again = f", start {number + 1} of at most {_STARTS}" if number else ""

        def told(text: str, fraction: float, again: str = again) -> None:
            report(text + again, fraction)

        scratch.mkdir(parents=True)
        found = once({**request, "seed": seed, "first": first}, scratch, told)
        shutil.rmtree(scratch)
        models = sorted(found.values(), key=lambda m: -m.num_reg_images())
        agreement = Agreement()
        if models:
            agreement = measure_agreement(
                request["database"], model_from_colmap(models[0]), request["max_error_px"]
            )
        attempt = _Attempt(mapper, seed, first, models, agreement)
        yield attempt
        # Where the map bends, its frames hang on little; begun there, they hold each other first.
        doubted = [] if attempt.small_of(request["num_images"]) else agreement.doubted
        first = next((name for name in doubted if name not in begun), "")
        begun.append(first)


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
    options.num_threads = request["threads"]
    options.random_seed = request["seed"]
    options.min_model_size = _smallest_model(request)
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
    options.num_threads = request["threads"]
    options.random_seed = request["seed"]
    options.min_model_size = _smallest_model(request)
    options.mapper.global_positioning.use_gpu = False
    options.mapper.bundle_adjustment.refine_focal_length = request["refine_intrinsics"]
    options.mapper.bundle_adjustment.refine_extra_params = request["refine_intrinsics"]
    options.mapper.bundle_adjustment.ceres.use_gpu = False
    options.mapper.retriangulation.complete_max_reproj_error = request["max_error_px"]
    options.mapper.retriangulation.merge_max_reproj_error = request["max_error_px"]
    return options


def _smallest_model(request: dict[str, Any]) -> int:
    return min(_SMALLEST_MODEL, max(3, int(request["num_images"]) // 3))
