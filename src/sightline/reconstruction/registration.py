"""Register frames in a map that stays where it is; runs in the worker process.

A frame is anchored where its matches to frames of the map give a pose on the map's own points, and
believed where frames beside it in its own recording confirm that pose. Matches that disagree with
believed anchors are forgotten; then COLMAP's mapper registers frame after frame, triangulates new
points and adjusts them, with every old pose and every known camera held fixed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import ReconstructionError
from sightline.geometry import Camera, Pose
from sightline.geometry.camera import CAMERA_MODELS
from sightline.geometry.rotation import Array, rotation_angle_deg
from sightline.reconstruction.agreement import measure_agreement
from sightline.reconstruction.anchors import (
    Anchor,
    believed,
    find_anchor,
    matches_to_map,
    speaks_for,
    typical_focal,
)
from sightline.reconstruction.database import inlier_matches, open_database
from sightline.reconstruction.loops import appearance_of, typical_depth
from sightline.reconstruction.mapping import mapping_options
from sightline.reconstruction.retrieval import similar
from sightline.reconstruction.stages import Report, match_listed_pairs
from sightline.records.colmap import (
    MapModel,
    camera_from_colmap,
    camera_to_colmap,
    model_from_colmap,
    pixels_from_colmap,
    read_model,
    read_reconstruction,
)
from sightline.records.files import atomic_path

if TYPE_CHECKING:
    import pycolmap

CANDIDATES_PER_FRAME = 10
#: A map frame shows what a new one shows where so many of their matches agree with its anchor.
MIN_AGREEING = 0.3
#: Where the mapper puts a frame may differ from its anchor by this share of the typical depth, and
#: by so many degrees: an anchor is a loose pose, but of the right place.
ANCHOR_SHARE, ANCHOR_DEG = 0.25, 5.0
#: A focal length this much off the map's is another lens's.
SAME_LENS = 0.03
#: Poses that were held fixed may have moved by this share of the typical depth, and turned by so
#: many degrees: rounding.
_HELD_SHARE, _HELD_DEG = 1e-6, 1e-4
_FAR_FROM_ANCHOR = "the adjusted map puts it elsewhere than its own matches do"
_NOT_REACHED = "too few points of the map, or of frames added before it, are seen in it"


def register_frames(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write the map with more frames into ``output``, if any; tell which, and why not others.

    Args:
        request: ``database`` (a copy that has the frames' features; it gets their matches),
            ``model``, ``output``, ``images_dir`` of the frames, ``names`` of the frames to
            register, ``beside`` (pairs of names in one recording, of which the first may be the
            map's), ``own_lens`` (whether the frames may have another lens than the map's),
            ``wanted`` (with fewer believed anchors nothing is added), and what
            :func:`mapping.mapping_options` takes.
        report: Progress.

    Returns:
        ``registered`` (name -> map points it sees), ``left`` (name -> why it is not in the map),
        ``anchors`` (names of believed ones), ``same_lens`` and, where frames were registered,
        ``agreement`` of the grown map.
    """
    import pycolmap

    pycolmap.set_random_seed(request["seed"])
    model = model_from_colmap(read_reconstruction(request["model"]))
    report("finding frames in the map", 0.0)
    _match(model, request)
    report("finding frames in the map", 0.4)
    with open_database(request["database"]) as database:
        search = _Search(database, model, request)
        search.find_anchors(report)
        search.doubt_anchors()
        told: dict[str, Any] = {"anchors": sorted(search.anchors), "same_lens": True}
        if len(search.anchors) < max(1, request["wanted"]):
            return {"registered": {}, "left": search.left, **told}
        search.forget_false_matches()
    reconstruction = _map_on(request, search.held, report)
    _check_held(reconstruction, model)
    registered = _keep(reconstruction, model, search, request)
    left = {n: search.left.get(n, _NOT_REACHED) for n in request["names"] if n not in registered}
    if registered:
        grown = read_model(request["output"])
        agreement = measure_agreement(request["database"], grown, request["max_error_px"])
        told["agreement"] = agreement.to_json()
        told["same_lens"] = search.same_lens_of(registered)
    return {"registered": registered, "left": left, **told}


def _match(model: MapModel, request: dict[str, Any]) -> None:
    """Match each frame with frames of the map that look alike, and with those beside it."""
    path, names, old = Path(request["database"]), list(request["names"]), sorted(model.frames)
    with open_database(path) as database:
        appearance = appearance_of(database, [*old, *names], request["seed"])
    best, _ = similar(appearance[len(old) :], appearance[: len(old)], CANDIDATES_PER_FRAME)
    pairs = {(old[k], name) for name, row in zip(names, best.tolist(), strict=True) for k in row}
    pairs |= {(a, b) for a, b in request["beside"] if (b, a) not in pairs}
    pairs_path = path.with_name("registration-pairs.txt")
    pairs_path.write_text("".join(f"{a} {b}\n" for a, b in sorted(pairs)), encoding="utf-8")
    match_listed_pairs(path, pairs_path, request["threads"], request["seed"])
    pairs_path.unlink()


class _Search:
    """Anchors of the frames to register.

    Attributes:
        anchors: Frame name -> anchor, at last of the believed ones only.
        left: Frame name -> why it has none.
        cameras: Frame name -> camera.
        held: Ids of the cameras that are known.
    """

    def __init__(
        self, database: pycolmap.Database, model: MapModel, request: dict[str, Any]
    ) -> None:
        self.anchors: dict[str, Anchor] = {}
        self.left: dict[str, str] = {}
        self.held = set(model.cameras)
        self._database, self._model, self._request = database, model, request
        self._images = {str(image.name): image for image in database.read_all_images()}
        self._others = self._neighbours_by_name()
        self.cameras = {name: self._camera(name) for name in request["names"]}

    def find_anchors(self, report: Report) -> None:
        """Find the pose of every frame on the map's points."""
        names = self._request["names"]
        if self._request["own_lens"]:
            for number in sorted({self._images[name].camera_id for name in names}):
                self._find_lens(number)
        for done, name in enumerate(names):
            found = self._find(name, self.cameras[name])
            if isinstance(found, str):
                self.left[name] = found
            else:
                self.anchors[name] = found[0]
            report("finding frames in the map", 0.4 + 0.6 * (done + 1) / len(names))

    def same_lens_of(self, names: Iterable[str]) -> bool:
        """Return whether frames have the map's lens; True where that was not asked."""
        if not self._request["own_lens"]:
            return True
        return all(self._images[name].camera_id in self.held for name in names)

    def doubt_anchors(self) -> None:
        """Keep the anchors that frames beside them confirm."""
        votes: dict[str, list[bool | None]] = {name: [] for name in self.anchors}
        known = {name: self._known_points(name) for name in self.anchors}
        for first, second in self._request["beside"]:
            for a, b in ((first, second), (second, first)):
                if b not in votes:
                    continue
                if a in self._model.frames and a not in known:
                    known[a] = self._known_points(a)
                if a in known:
                    votes[b].append(self._vote(known[a], a, b))
        for name, told in votes.items():
            if reason := believed(len(self.anchors[name].points), told):
                self.left[name] = reason
                del self.anchors[name]

    def forget_false_matches(self) -> None:
        """Delete matches to frames of the map that no believed anchor agrees with."""
        for name in self._request["names"]:
            anchor = self.anchors.get(name)
            for other in self._others[name]:
                share = 0.0 if anchor is None else anchor.agreeing.get(other, 0.0)
                if share < MIN_AGREEING:
                    ids = (self._images[name].image_id, self._images[other].image_id)
                    self._database.delete_matches(*ids)
                    self._database.delete_two_view_geometry(*ids)

    def _find(self, name: str, camera: Camera, *, free_focal: bool = False) -> Any:
        matches = {other: self._matches(name, other) for other in self._others[name]}
        return find_anchor(
            self._keypoints_px(name),
            matches_to_map(self._model, matches),
            self._model,
            camera,
            max_error_px=self._request["max_error_px"],
            free_focal=free_focal,
        )

    def _find_lens(self, number: int) -> None:
        """Take the map's lens where the frames' own matches ask for it, else the one they ask for.

        Only the focal length is looked for here; the mapper adjusts the rest of another lens.

        Args:
            number: Of a camera; the frames are all that have it.
        """
        names = [n for n in self._request["names"] if self._images[n].camera_id == number]
        now = self.cameras[names[0]]
        of_map = _main_camera(self._model, (now.width, now.height))
        same_size = (now.width, now.height) == (of_map.width, of_map.height)
        tried = of_map if same_size else now
        found = [self._find(n, tried, free_focal=True) for n in names]
        asked = [(len(f[0].points), f[1]) for f in found if not isinstance(f, str)]
        if not asked:
            return
        focal = typical_focal(asked)
        same = same_size and abs(focal / of_map.fx - 1.0) <= SAME_LENS
        if same:
            lens = of_map
            self.held.add(number)
        else:
            focals = CAMERA_MODELS[now.model][0]
            lens = replace(now, params=(*[focal] * focals, *now.params[focals:]))
        stored = camera_to_colmap(lens)
        stored.camera_id = number
        stored.has_prior_focal_length = True
        self._database.update_camera(stored)
        self.cameras |= dict.fromkeys(names, lens)

    def _vote(self, known: NDArray[np.int64], a: str, b: str) -> bool | None:
        return speaks_for(
            known,
            self._matches(a, b),
            self._model.points,
            self._keypoints_px(b),
            self.anchors[b].world_from_cam,
            self.cameras[b],
            max_error_px=self._request["max_error_px"],
        )

    def _known_points(self, name: str) -> NDArray[np.int64]:
        if name in self._model.frames:
            ids = self._model.frames[name].point_ids
            return np.where(ids >= 0, np.searchsorted(self._model.point_ids, ids), -1)
        known = np.full(len(self._keypoints_px(name)), -1)
        known[self.anchors[name].keypoints] = self.anchors[name].points
        return known

    def _camera(self, name: str) -> Camera:
        number = self._images[name].camera_id
        if number in self._model.cameras:
            return self._model.cameras[number]
        return camera_from_colmap(self._database.read_camera(number))

    def _keypoints_px(self, name: str) -> Array:
        rows = self._database.read_keypoints(self._images[name].image_id)
        return pixels_from_colmap(np.asarray(rows, dtype=np.float64)[:, :2])

    def _matches(self, a: str, b: str) -> NDArray[np.int64]:
        return inlier_matches(self._database, self._images[a].image_id, self._images[b].image_id)

    def _neighbours_by_name(self) -> dict[str, list[str]]:
        """Return the map's frames that each frame to register shares verified matches with."""
        import pycolmap

        names = {int(image.image_id): name for name, image in self._images.items()}
        found: dict[str, list[str]] = {name: [] for name in self._request["names"]}
        pair_ids, counts = self._database.read_two_view_geometry_num_inliers()
        for pair_id, count in zip(pair_ids, counts, strict=True):
            a, b = (names[i] for i in pycolmap.pair_id_to_image_pair(pair_id))
            for new, old in ((a, b), (b, a)):
                if count > 0 and new in found and old in self._model.frames:
                    found[new].append(old)
        return found


def _map_on(request: dict[str, Any], held: set[int], report: Report) -> pycolmap.Reconstruction:
    """Return the map that COLMAP's mapper makes of the old one, whose poses stay."""
    import pycolmap

    names, added = set(request["names"]), 0

    def next_image() -> None:
        nonlocal added
        added += 1
        report("adding frames to the map", min(added / len(names), 1.0))

    options = mapping_options(request)
    options.fix_existing_frames = True
    options.constant_cameras = held
    # Another lens was found by its focal length alone; what of it is not held is adjusted.
    options.ba_refine_focal_length = options.ba_refine_extra_params = True
    options.mapper.abs_pose_refine_focal_length = False
    options.mapper.abs_pose_refine_extra_params = False
    options.multiple_models = False
    options.extract_colors = False
    options.structure_less_registration_fallback = False
    old = read_reconstruction(request["model"])
    options.image_names = sorted({str(i.name) for i in old.images.values()} | names)
    report("adding frames to the map", 0.0)
    with TemporaryDirectory(dir=Path(request["database"]).parent, prefix=".adding.tmp") as scratch:
        models = pycolmap.incremental_mapping(
            request["database"],
            request["images_dir"],
            scratch,
            options=options,
            input_path=request["model"],
            next_image_callback=next_image,
        )
    if not models:
        raise ReconstructionError("COLMAP gave no map back that the frames could be added to")
    return max(models.values(), key=lambda m: m.num_reg_images())


def _check_held(reconstruction: pycolmap.Reconstruction, model: MapModel) -> None:
    """Refuse a map whose old frames are not where they were."""
    now = model_from_colmap(reconstruction)
    lost = sorted(set(model.frames) - set(now.frames))
    if lost:
        raise ReconstructionError(
            f"adding frames would lose {len(lost)} frames of the map ({lost[0]}); nothing was added"
        )
    names = sorted(model.frames)
    old, new = (Pose.stack([m.frames[n].world_from_cam for n in names]) for m in (model, now))
    moved = float(np.linalg.norm(new.translation - old.translation, axis=1).max())
    turned_deg = float(rotation_angle_deg(new.q_wxyz, old.q_wxyz).max())
    if moved > _HELD_SHARE * typical_depth(model, names) or turned_deg > _HELD_DEG:
        raise ReconstructionError(
            f"adding frames would move the map's own by {moved:.3g} of its units and turn them by "
            f"{turned_deg:.3g} deg; nothing was added"
        )


def _keep(
    reconstruction: pycolmap.Reconstruction,
    model: MapModel,
    search: _Search,
    request: dict[str, Any],
) -> dict[str, int]:
    """Write the map without frames that ended up far from their anchors.

    Returns:
        Names of the others -> map points that each sees in what was written.
    """
    reach = ANCHOR_SHARE * typical_depth(model, sorted(model.frames))
    now = model_from_colmap(reconstruction)
    ids = {str(image.name): image for image in reconstruction.images.values()}
    kept: list[str] = []
    for name in sorted(set(request["names"]) & set(now.frames)):
        anchor, pose = search.anchors.get(name), now.frames[name].world_from_cam
        if anchor is not None:
            asked = anchor.world_from_cam
            off = float(np.linalg.norm(pose.translation - asked.translation))
            turn_deg = float(rotation_angle_deg(pose.q_wxyz, asked.q_wxyz))
            if off > reach or turn_deg > ANCHOR_DEG:
                search.left[name] = _FAR_FROM_ANCHOR
                reconstruction.deregister_frame(ids[name].frame_id)
                continue
        kept.append(name)
    for name in kept:
        reconstruction.extract_colors_for_image(ids[name].image_id, request["images_dir"])
    if kept:
        reconstruction.update_point_3d_errors()
        with atomic_path(Path(request["output"])) as output:
            output.mkdir()
            reconstruction.write_binary(str(output))
    # Counted at last: points that only a frame taken out again had confirmed are gone.
    return {name: int(ids[name].num_points3D) for name in kept}


def _main_camera(model: MapModel, size: tuple[int, int]) -> Camera:
    """Return the camera of most of the map's frames of a size, or of all where none has it."""
    ids = [frame.camera_id for frame in model.frames.values()]
    like = {k for k in ids if (model.cameras[k].width, model.cameras[k].height) == size}
    return model.cameras[max(sorted(like or set(ids)), key=ids.count)]
