"""What the worker process does with COLMAP beside mapping: features, matches, facts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sightline.reconstruction.agreement import measure_agreement
from sightline.reconstruction.database import open_database
from sightline.records.colmap import read_model

Report = Callable[[str, float], None]


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


def inspect_database(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Return what the doctor needs: features per image, verified matches per pair, agreement.

    Args:
        request: ``database``, ``model`` (the chosen map's folder, or none), ``max_error_px``.
        report: Progress.
    """
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
    facts: dict[str, Any] = {"features": features, "verified": verified}
    if request["model"] is not None:
        report("examining the map", 0.5)
        model = read_model(request["model"])
        agreement = measure_agreement(request["database"], model, request["max_error_px"])
        facts["agreement"] = agreement.to_json()
    report("examining the map", 1.0)
    return facts


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
