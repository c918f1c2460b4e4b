"""DTU's own layout, written here from known cameras; the paper's pair count on the real ones."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.datasets import dtu
from sightline.datasets.pairing import PairingConfig
from sightline.datasets.pairs import open_pairs
from sightline.errors import GeometryError, InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.frustum import frusta_intersect, view_frusta

K = np.array([[2892.33, 0, 823.2], [0, 2883.18, 619.07], [0, 0, 1]])


def position(n):
    """A camera on a sphere of 600 mm around (40, -20, 610), looking at its middle."""
    turn = Rotation.from_euler("YX", [0.25 * n - 0.5, 0.1 * n])
    centre = np.array([40.0, -20.0, 610.0]) - 600.0 * turn.as_matrix()[:, 2]
    return Pose.from_rotation(turn, centre)


def projection(n, factor=1.0):
    return factor * K @ position(n).inverse().matrix[:3]


def write_dtu(root, scans=("scan1", "scan114"), positions=4, size=(160, 120), kind="Rectified"):
    (root / "Calibration" / "cal18").mkdir(parents=True)
    for n in range(positions):
        np.savetxt(root / "Calibration" / "cal18" / f"pos_{n + 1:03d}.txt", projection(n))
    prefix = {"Rectified": "rect", "Cleaned": "clean"}[kind]
    for scan in scans:
        (root / kind / scan).mkdir(parents=True)
        for n in range(positions):
            for light in ("3_r5000", "max"):
                name = f"{prefix}_{n + 1:03d}_{light}.png"
                Image.new("L", size, 10 * n).save(root / kind / scan / name)
    return root


@pytest.mark.parametrize("factor", [1.0, -1.0, 0.003, -250.0])
def test_a_projection_comes_apart_exactly_whatever_its_factor(factor):
    k, pose = dtu.decompose_projection(projection(3, factor))
    np.testing.assert_allclose(k, K, rtol=1e-10, atol=1e-8)
    np.testing.assert_allclose(pose.matrix, position(3).matrix, atol=1e-8)


def test_a_projection_agrees_with_opencv():
    import cv2

    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.normal(size=(3, 4))
        k, pose = dtu.decompose_projection(p)
        their_k, their_rotation, centre, *_ = cv2.decomposeProjectionMatrix(p)
        their_k = their_k / their_k[2, 2]
        signs = np.diag(np.sign(np.diag(their_k)))  # OpenCV leaves the signs as they fall
        np.testing.assert_allclose(k, their_k @ signs, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(pose.translation, (centre[:3] / centre[3]).ravel(), atol=1e-6)
        ours = pose.rotation_matrix.T
        assert np.allclose(ours, signs @ their_rotation, atol=1e-6) or np.allclose(
            ours, -signs @ their_rotation, atol=1e-6
        )


def test_a_camera_at_infinity_is_refused():
    with pytest.raises(GeometryError, match="finite camera"):
        dtu.decompose_projection(np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]))


def test_scans_positions_and_cameras(tmp_path):
    root = write_dtu(tmp_path)
    views = dtu.read_dtu(root)
    assert [v.image.as_posix() for v in views[:2]] == [
        "Rectified/scan1/rect_001_3_r5000.png",
        "Rectified/scan1/rect_002_3_r5000.png",
    ]
    assert [v.scene for v in views] == ["scan1"] * 4 + ["scan114"] * 4
    point = np.array([[30.0, -15.0, 605.0]])
    for n, view in enumerate(views[:4]):
        flat = projection(n) @ np.append(point[0], 1.0)
        local = view.world_from_cam.inverse().apply(point / 1000.0)
        full = view.camera.resized(1600, 1200)
        np.testing.assert_allclose(full.project(local)[0], flat[:2] / flat[2], atol=1e-6)
        assert (view.camera.width, view.camera.height) == (160, 120)


def test_the_same_position_is_the_same_label_in_every_scan(tmp_path):
    """PITFALLS 19."""
    pairs = open_pairs(write_dtu(tmp_path), pairing=PairingConfig("all"))
    by_scene = {"scan1": [], "scan114": []}
    for pair in pairs.pairs:
        by_scene[pair.scene].append(pair.b_from_a.matrix)
    assert len(by_scene["scan1"]) == 6
    np.testing.assert_array_equal(by_scene["scan1"], by_scene["scan114"])


def test_open_pairs_takes_the_papers_frusta(tmp_path):
    pairs = open_pairs(write_dtu(tmp_path, kind="Cleaned"))
    assert pairs.unit == "m"
    assert "between depths of 0.001 and 0.341" in pairs.source
    poses = Pose.stack([position(n) for n in range(4)])
    camera = Camera("PINHOLE", 1600, 1200, (K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
    meets = frusta_intersect(view_frusta([camera] * 4, poses, 1.0, 340.7))
    assert 0 < meets.sum() < 6
    assert len(pairs) == 2 * meets.sum()


def test_another_light(tmp_path):
    views = dtu.read_dtu(write_dtu(tmp_path), light="max")
    assert views[0].image.name == "rect_001_max.png"
    with pytest.raises(InputError, match="images of light 9_r5000"):
        dtu.read_dtu(tmp_path, light="9_r5000")


def test_a_cropped_copy_is_refused(tmp_path):
    with pytest.raises(InputError, match="of that shape, is wanted; 640 x 512 came"):
        dtu.read_dtu(write_dtu(tmp_path, size=(640, 512)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"pos_002\.txt is wanted"),
        ("1 2 3\n", "twelve numbers of a 3 x 4 matrix are wanted, 3 came"),
        ("a b\n", "twelve numbers"),
        ("0 " * 12, "finite camera"),
    ],
)
def test_a_broken_calibration_is_named(tmp_path, text, message):
    path = write_dtu(tmp_path) / "Calibration" / "cal18" / "pos_002.txt"
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        dtu.read_dtu(tmp_path)


def real_rig(shared_data):
    frames = json.loads((shared_data / "relpose_dtu_scan65" / "poses.json").read_text())["frames"]
    poses = Pose(
        np.array([f["qwxyz_c2w"] for f in frames]), np.array([f["center_xyz"] for f in frames])
    )
    keys = ("fx", "fy", "cx", "cy")
    cameras = [
        Camera("PINHOLE", f["width"], f["height"], tuple(f[k] for k in keys)) for f in frames
    ]
    return cameras, poses


@pytest.mark.shared
@pytest.mark.parametrize(
    ("near_mm", "far_mm", "count"),
    [
        (0.001, 1e6, 1176),  # unbounded: every pair meets
        (425, 905, 1176),  # the depths multi-view stereo uses
        (600, 620, 1176),  # a slice at the object
        (1, 500, 1174),
        (1, 400, 845),
        (1, 340.7, 512),  # the paper's count
        (1, 300, 333),
        (300, 340.7, 512),
    ],
)
def test_pairs_of_the_49_real_positions(shared_data, near_mm, far_mm, count):
    """Paper 002, Sec. 4.1: 512 of 1176 pairs; docs/pairs.md prints this table."""
    cameras, poses = real_rig(shared_data)
    assert frusta_intersect(view_frusta(cameras, poses, near_mm, far_mm)).sum() == count


@pytest.mark.shared
def test_the_papers_pairing_gives_its_count_on_the_real_rig(shared_data):
    pairs = open_pairs(shared_data / "relpose_dtu_scan65", pairing=dtu.PAPER_PAIRING)
    assert len(pairs) == 512
