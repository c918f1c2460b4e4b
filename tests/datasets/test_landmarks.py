"""1DSfM landmarks, written here from known geometry in Bundler's conventions.

The writer below knows Bundler only (y up, looking down -z, pixels from the image's centre, y up);
the reader must land in OpenCV's axes so that every point projects onto the pixel Bundler says.
"""

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.datasets import landmarks
from sightline.datasets.pairs import open_pairs
from sightline.errors import InputError
from sightline.geometry.rotation import rotation_angle_deg

WIDTH, HEIGHT = 160, 120
CENTRE = (80.0, 60.0)
LOST = 2  # this image was not reconstructed
POINTS = np.random.default_rng(1).uniform([-2, -2, -12], [2, 2, -8], (30, 3))


class BundlerImage:
    """x_cam = R x + t; pixel = f r(p) p with p = -x_cam[:2] / x_cam[2], from the centre, y up."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.rotation = Rotation.from_rotvec(rng.uniform(-0.15, 0.15, 3)).as_matrix()
        self.centre = rng.uniform(-1, 1, 3)
        self.t = -self.rotation @ self.centre
        self.focal, self.k1, self.k2 = 150.0 + 10 * seed, -0.05, 0.01

    def pixels_from_top_left(self, points):
        in_camera = points @ self.rotation.T + self.t
        p = -in_camera[:, :2] / in_camera[:, 2:]
        r2 = (p * p).sum(axis=1, keepdims=True)
        from_centre = self.focal * (1 + self.k1 * r2 + self.k2 * r2 * r2) * p
        return np.array(CENTRE) + from_centre * [1, -1]


IMAGES = [BundlerImage(seed) for seed in range(5)]
EDGES = [(0, 1), (3, 1), (0, 2), (1, 4), (3, 4)]


def bundle_text():
    lines = ["# Bundle file v0.3", f"{len(IMAGES)} {len(POINTS)}"]
    for n, image in enumerate(IMAGES):
        if n == LOST:
            lines += ["0 0 0"] * 5
            continue
        lines.append(f"{image.focal} {image.k1} {image.k2}")
        lines += [" ".join(f"{v:.12g}" for v in row) for row in (*image.rotation, image.t)]
    for point in POINTS:
        lines += [" ".join(f"{v:.9g}" for v in point), "10 20 30", "0"]
    return "\n".join(lines) + "\n"


def geometries_text():
    """As its authors' coords_demo.py defines them: R_ij = R_i R_j^T, t_ij = R_i (X_j - X_i)."""
    lines = []
    for i, j in EDGES:
        a, b = IMAGES[i], IMAGES[j]
        towards = b.centre - a.centre
        numbers = [*(a.rotation @ b.rotation.T).ravel(), *(a.rotation @ towards)]
        numbers[9:] = np.array(numbers[9:]) / np.linalg.norm(towards)
        lines.append(f"{i} {j} " + " ".join(f"{v:.12g}" for v in numbers))
    return "\n".join(lines) + "\n"


def write_landmark(folder):
    (folder / "images").mkdir(parents=True)
    names = [f"images/{n}_o.jpg" for n in range(len(IMAGES))]
    for name in names:
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / name)
    (folder / "list.txt").write_text("".join(f"{name} 0 500.0\n" for name in names))
    (folder / "EGs.txt").write_text(geometries_text())
    (folder / "gt_bundle.out").write_text(bundle_text())
    coords = []
    for n, name in enumerate(names):
        coords.append(
            f"#index = {n}, name = {name}, keys = 1, px = {CENTRE[0]:.1f}, py = {CENTRE[1]:.1f}, "
            f"focal = {IMAGES[n].focal:.3f}"
        )
        coords.append("0 10.5 20.5 0 0 1 2 3")
    (folder / "coords.txt").write_text("\n".join(coords) + "\n")
    (folder / "cc.txt").write_text("0\n1\n3\n4\n")
    return folder


@pytest.fixture
def landmark(tmp_path):
    return write_landmark(tmp_path / "Yorkminster")


def test_points_project_where_bundler_says_in_both_images(landmark):
    pairs = landmarks.read_landmarks(landmark)
    ends = [(0, 1), (3, 1), (1, 4), (3, 4)]  # without the lost one
    assert [(p.image_a.name, p.image_b.name) for p in pairs.pairs] == [
        (f"{i}_o.jpg", f"{j}_o.jpg") for i, j in ends
    ]
    for pair, (i, j) in zip(pairs.pairs, ends, strict=True):
        expected_a = IMAGES[i].pixels_from_top_left(POINTS)
        expected_b = IMAGES[j].pixels_from_top_left(POINTS)
        # Points in a's frame, found without the reader: Bundler's with y and z turned round.
        in_a = (POINTS @ IMAGES[i].rotation.T + IMAGES[i].t) * [1, -1, -1]
        assert (in_a[:, 2] > 0).all()
        np.testing.assert_allclose(pair.camera_a.project(in_a), expected_a, atol=1e-6)
        in_b = pair.b_from_a.apply(in_a)
        np.testing.assert_allclose(pair.camera_b.project(in_b), expected_b, atol=1e-6)


def test_two_view_geometries_say_the_same_as_the_reconstruction(landmark):
    geometries = landmarks.read_epipolar_geometries(landmark / "EGs.txt")
    cameras = landmarks.read_bundle(landmark / "gt_bundle.out")
    assert [(g.a, g.b) for g in geometries] == EDGES
    for geometry in geometries:
        a, b = cameras[geometry.a], cameras[geometry.b]
        if a is None or b is None:
            continue
        true = b.world_from_cam.inverse() @ a.world_from_cam
        assert rotation_angle_deg(geometry.b_from_a.q_wxyz, true.q_wxyz) < 1e-6
        direction = true.translation / np.linalg.norm(true.translation)
        np.testing.assert_allclose(geometry.b_from_a.translation, direction, atol=1e-9)


def test_a_camera_that_was_not_reconstructed_is_none(landmark):
    cameras = landmarks.read_bundle(landmark / "gt_bundle.out")
    assert [n for n, camera in enumerate(cameras) if camera is None] == [LOST]
    np.testing.assert_allclose(cameras[3].world_from_cam.translation, IMAGES[3].centre, atol=1e-9)


def test_what_is_left_out_is_counted(landmark):
    (landmark / "images" / "4_o.jpg").unlink()
    pairs = landmarks.read_landmarks(landmark)
    assert len(pairs) == 2
    assert "1 pairs without a pose and 2 without an image are left out" in pairs.source
    for image in (landmark / "images").iterdir():
        image.unlink()
    with pytest.raises(InputError, match="1 have an image without a pose, 4 an image file"):
        landmarks.read_landmarks(landmark)


def test_a_folder_of_landmarks_has_the_papers_split(tmp_path):
    for name in ("Yorkminster", "Piccadilly", "Alamo"):
        write_landmark(tmp_path / name)
    (tmp_path / "notes").mkdir()
    pairs = open_pairs(tmp_path)
    assert pairs.splits() == {"": 4, "train": 4, "validation": 4}
    assert {(p.scene, p.split) for p in pairs.pairs} == {
        ("Alamo", ""),
        ("Piccadilly", "train"),
        ("Yorkminster", "validation"),
    }
    assert pairs.unit == "arbitrary"
    assert all(pairs.path(p.image_a).is_file() for p in pairs.pairs)


def test_images_unpacked_elsewhere(landmark, tmp_path):
    elsewhere = tmp_path / "pictures"
    (landmark / "images").rename(elsewhere)
    pairs = open_pairs(landmark, images=elsewhere)
    assert len(pairs) == 4
    assert all(pairs.path(p.image_a).is_file() for p in pairs.pairs)


def test_a_photo_that_is_stored_turned_turns_with_its_camera(landmark):
    """Bundler saw the stored pixels, read_photo gives them upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(landmark / "images" / "1_o.jpg", exif=exif)
    pair = landmarks.read_landmarks(landmark).pairs[0]
    assert (pair.camera_b.width, pair.camera_b.height) == (HEIGHT, WIDTH)
    in_a = (POINTS @ IMAGES[0].rotation.T + IMAGES[0].t) * [1, -1, -1]
    stored = IMAGES[1].pixels_from_top_left(POINTS)
    # EXIF 6: the stored picture's left edge becomes the upright one's top, its bottom the left.
    expected = np.stack([HEIGHT - 1 - stored[:, 1], stored[:, 0]], axis=1)
    np.testing.assert_allclose(
        pair.camera_b.project(pair.b_from_a.apply(in_a)), expected, atol=1e-6
    )


def test_without_coords_the_centre_is_the_images(landmark):
    (landmark / "coords.txt").unlink()
    camera = landmarks.read_landmarks(landmark).pairs[0].camera_a
    assert (camera.cx, camera.cy) == (79.5, 59.5)


def test_paper_split_has_five_scenes_to_train_on():
    assert sorted(landmarks.SPLITS.values()) == ["train"] * 5 + ["validation"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gt_bundle.out", "Bundle\n", r"# Bundle file v0\.3` is wanted first"),
        ("gt_bundle.out", "# Bundle file v0.3\n5 0\n1 0 0\n1 0 0\n", "cameras do not read"),
        ("gt_bundle.out", "# Bundle file v0.3\n", "cameras do not read"),
        ("EGs.txt", "0 9\n", "line 1: two of 5 images are wanted, 0 and 9 came"),
        ("EGs.txt", "0 1\n\n1 1\n", "line 3: two of 5 images are wanted, 1 and 1 came"),
        ("EGs.txt", "a b\n", "line 1: i j R t are wanted"),
        ("list.txt", "\n", "names of images are wanted"),
        ("list.txt", "images/0_o.jpg\n", "as many cameras .* 5 and 1 came"),
        ("coords.txt", "#index = 0, name = a, px = 1.0\n", "line 1: index, px and py are wanted"),
    ],
)
def test_a_broken_file_is_named(landmark, name, text, message):
    (landmark / name).write_text(text)
    with pytest.raises(InputError, match=message):
        landmarks.read_landmarks(landmark)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1 1 0 0\n", "line 1: i j R t, 14 numbers, are wanted, 5 came"),
        ("0 1 " + "2 " * 12, "line 1: a rotation matrix is wanted"),
    ],
)
def test_a_broken_geometry_is_named(landmark, text, message):
    (landmark / "EGs.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        landmarks.read_epipolar_geometries(landmark / "EGs.txt")
