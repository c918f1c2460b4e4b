"""One picture asked about in several turned copies, and their answers joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import mean_rotation
from sightline.learning.cache import read_frames
from sightline.tasks.absolute.augment import CameraRotation
from sightline.tasks.absolute.checkpoint import AbsoluteModel
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.samples import source_size

#: Copies are turned by up to this share of what training turned frames by.
_SHARE = 0.5

#: Pictures asked about at once.
_BATCH = 16


def view_turns(config: AbsoluteConfig, count: int) -> NDArray[np.float64]:
    """Return (count, 3, 3) turns of a picture's camera, evenly to both sides; one is none.

    Args:
        config: What the network was trained with.
        count: How many copies, an odd number: the picture itself is one.

    Raises:
        InputError: An even number, or a network that never saw a turned picture.
    """
    if count < 1 or count % 2 == 0:
        raise InputError(f"an odd number of views is wanted, {count} came")
    if count > 1 and not config.augment_yaw_deg:
        raise InputError(
            f"a network trained with --augment-yaw-deg is wanted for {count} views: turned copies "
            "have empty edges, which this one has never seen"
        )
    yaw = np.linspace(-1, 1, count) * _SHARE * config.augment_yaw_deg if count > 1 else np.zeros(1)
    turns: NDArray[np.float64] = Rotation.from_euler("Y", yaw[:, None], degrees=True).as_matrix()
    return turns


def predict_in_views(
    model: AbsoluteModel, files: Sequence[Path], cameras: Sequence[Camera], count: int
) -> Pose:
    """Return (N,) world_from_cam of image files, each joined of the answers to turned copies.

    A copy turned about the camera's centre shows the same place from the same spot, exactly (by
    homography); its answer, turned back, is another answer to the picture.

    Args:
        model: PoseNet or MapNet.
        files: N pictures.
        cameras: N of the whole pictures.
        count: How many copies, see :func:`view_turns`.

    Raises:
        InputError: See :func:`view_turns`.
        MediaError: A file does not read.
    """
    turns = view_turns(model.config, count)
    q_wxyz, centres = np.zeros((count, len(files), 4)), np.zeros((count, len(files), 3))
    for camera in dict.fromkeys(cameras):
        mine = [i for i, other in enumerate(cameras) if other == camera]
        for start in range(0, len(mine), _BATCH):
            rows = mine[start : start + _BATCH]
            found = _answers(model, [files[i] for i in rows], camera, turns)
            q_wxyz[:, rows], centres[:, rows] = found.q_wxyz, found.translation
    return joined(Pose(q_wxyz, centres))


def joined(answers: Pose) -> Pose:
    """Return (N,) middles of (V, N) answers: medians of the centres, means of the rotations."""
    q_wxyz = [mean_rotation(answers.q_wxyz[:, i]) for i in range(answers.shape[1])]
    return Pose(np.array(q_wxyz).reshape(-1, 4), np.median(answers.translation, axis=0))


def _answers(
    model: AbsoluteModel, files: Sequence[Path], camera: Camera, turns: NDArray[np.float64]
) -> Pose:
    """Return (V, N) answers to the copies, turned back."""
    source = source_size(model.config)
    rotation = CameraRotation(camera, model.size, source)
    frames = torch.from_numpy(read_frames(files, source)).permute(0, 3, 1, 2)
    inputs = model.network.backbone.contract.normalise(frames)
    found = []
    for turn in turns:
        old_from_new = torch.from_numpy(turn).float().expand(len(files), 3, 3)
        back = Pose.from_rotation(Rotation.from_matrix(turn), np.zeros(3)).inverse()
        found.append(model.answer(rotation(inputs, old_from_new)) @ back)
    return Pose(np.stack([f.q_wxyz for f in found]), np.stack([f.translation for f in found]))
