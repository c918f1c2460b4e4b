"""What the worker process does with COLMAP: features, matches, map."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.reconstruction.database import open_database

if TYPE_CHECKING:
    import pycolmap

Report = Callable[[str, float], None]

#: Random starts of a map. Of ten frames along a corridor, one start in fifteen picks a first pair
#: that no other frame joins, and ends with those two; another start then maps all ten.
_STARTS = 4

#: Smallest model that is kept, where there are images enough.
_SMALLEST_MODEL = 10


def extract_features(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write the SIFT features of groups of images into a new database.

    Args:
        request: ``database``, ``images_dir``, ``groups`` (each ``names``, ``shared`` and COLMAP's
            ``camera_params`` text or ""), ``camera_model``, ``max_image_size``, ``max_features``,
            ``threads``, ``seed``.
        report: Not used: the parent counts the rows of the database instead.
    """
    import pycolmap

    pycolmap.set_random_seed(request["seed"])
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size = request["max_image_size"]
    options.num_threads = request["threads"]
    options.use_gpu = False
    options.sift.max_num_features = request["max_features"]
    for group in request["groups"]:
        reader = pycolmap.ImageReaderOptions()
        reader.camera_model = request["camera_model"]
        reader.camera_params = group["camera_params"]
        mode = pycolmap.CameraMode.SINGLE if group["shared"] else pycolmap.CameraMode.PER_IMAGE
        pycolmap.extract_features(
            request["database"],
            request["images_dir"],
            image_names=group["names"],
            camera_mode=mode,
            reader_options=reader,
            extraction_options=options,
            device=pycolmap.Device.cpu,
        )
    with open_database(request["database"]) as database:
        return {"images": database.num_images(), "features": database.num_keypoints()}


def match_pairs(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Match and verify pairs of images; matches already in the database are dropped.

    Args:
        request: ``database``, ``pairs_path`` (lines ``NAME NAME``), ``threads``, ``seed``.
        report: Not used: the parent counts the rows of the database instead.
    """
    import pycolmap

    with open_database(request["database"]) as database:
        database.clear_matches()
        database.clear_two_view_geometries()
    pycolmap.set_random_seed(request["seed"])
    match_listed_pairs(
        Path(request["database"]), Path(request["pairs_path"]), request["threads"], request["seed"]
    )
    with open_database(request["database"]) as database:
        return {"verified_pairs": database.num_verified_image_pairs()}


def match_listed_pairs(database: Path, pairs_path: Path, threads: int, seed: int) -> None:
    """Match and verify the pairs of a list, adding to what the database holds."""
    import pycolmap

    matching = pycolmap.FeatureMatchingOptions()
    matching.use_gpu = False
    matching.num_threads = threads
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = pairs_path
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = seed
    pycolmap.match_image_pairs(
        database,
        matching_options=matching,
        pairing_options=pairing,
        verification_options=verification,
        device=pycolmap.Device.cpu,
    )


def build_map(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write COLMAP's incremental models (perhaps none) into ``output``/0, 1, ..., largest first.

    A map of less than a third of the images is tried again from other random starts; the best of
    them stays.

    Args:
        request: ``database``, ``images_dir``, ``output``, ``num_images``, ``refine_intrinsics``,
            ``bundle_growth``, ``bundle_iterations``, ``bundle_rounds``, ``max_error_px``,
            ``threads``, ``seed``.
        report: Progress.
    """
    output = Path(request["output"])
    scratch = output / "scratch"
    found: dict[int, pycolmap.Reconstruction] = {}
    for attempt in range(_STARTS):
        scratch.mkdir(parents=True)
        models = _map_once({**request, "seed": request["seed"] + attempt}, scratch, report)
        shutil.rmtree(scratch)
        if _largest(models) > _largest(found):
            found = models
        if _largest(found) * 3 >= request["num_images"]:
            break
    ranked = sorted(found.values(), key=lambda m: -m.num_reg_images())
    for number, model in enumerate(ranked):
        model.update_point_3d_errors()
        folder = output / str(number)
        folder.mkdir()
        model.write_binary(str(folder))
    return {"models": [model.num_reg_images() for model in ranked]}


def _map_once(
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

    models: dict[int, pycolmap.Reconstruction] = pycolmap.incremental_mapping(
        request["database"],
        request["images_dir"],
        folder,
        options=mapping_options(request),
        next_image_callback=next_image,
    )
    return models


def _largest(models: dict[int, pycolmap.Reconstruction]) -> int:
    return max((model.num_reg_images() for model in models.values()), default=0)


def mapping_options(request: dict[str, Any]) -> pycolmap.IncrementalPipelineOptions:
    """Return COLMAP's options for a request of :func:`build_map`."""
    import pycolmap

    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = request["threads"]
    options.random_seed = request["seed"]
    options.min_model_size = min(_SMALLEST_MODEL, max(3, request["num_images"] // 3))
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


def inspect_database(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Return what the doctor needs: features per image, and verified matches per pair."""
    import pycolmap

    with open_database(request["database"]) as database:
        names = {image.image_id: str(image.name) for image in database.read_all_images()}
        features = {
            name: database.num_keypoints_for_image(number) for number, name in names.items()
        }
        pair_ids, inliers = database.read_two_view_geometry_num_inliers()
        pairs = [pycolmap.pair_id_to_image_pair(pair_id) for pair_id in pair_ids]
    verified = [
        [names[a], names[b], int(count)]
        for (a, b), count in zip(pairs, inliers, strict=True)
        if count > 0
    ]
    report("examining the map", 1.0)
    return {"features": features, "verified": verified}


def densify(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write a dense point cloud (``fused.ply``) into ``workspace``; needs CUDA.

    Args:
        request: ``model``, ``images_dir``, ``workspace``, ``max_image_size``.
        report: Progress.
    """
    import pycolmap

    workspace = Path(request["workspace"])
    report("undistorting images", 0.0)
    pycolmap.undistort_images(workspace, request["model"], request["images_dir"])
    report("matching patches", 0.1)
    options = pycolmap.PatchMatchOptions()
    options.max_image_size = request["max_image_size"]
    pycolmap.patch_match_stereo(workspace, options=options)
    report("fusing depth maps", 0.9)
    pycolmap.stereo_fusion(workspace / "fused.ply", workspace)
    return {"points_path": str(workspace / "fused.ply")}
