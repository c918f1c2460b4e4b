"""The floor plan: metres to pixels, headings, walkable masks, and files that do not fit."""

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records import FloorPlan
from sightline.records.plan import heading_without_plan_deg

#: 20 pixels a metre, the world's origin at (50, 150), the plan's up the world's +y.
UPRIGHT = np.array([[20.0, 0, 50], [0, -20.0, 150]])


@pytest.fixture
def plan(tmp_path):
    Image.new("RGB", (200, 160)).save(tmp_path / "plan.png")
    mask = np.zeros((160, 200), dtype=np.uint8)
    mask[40:60, 100:150] = 255
    Image.fromarray(mask).save(tmp_path / "walkable.png")
    return FloorPlan(tmp_path / "plan.png", tmp_path / "walkable.png", 200, 160, UPRIGHT)


def looking(x, y, z=0.0):
    """A camera whose forward (z) axis is (x, y, z) in the world and that stands upright."""
    forward = np.array([x, y, z]) / np.linalg.norm([x, y, z])
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    return Pose.from_matrix(np.c_[rotation, np.zeros(3)])


def test_metres_to_pixels_and_back(plan):
    np.testing.assert_array_equal(plan.to_px([[0, 0, 1.6], [2, 3, 9]]), [[50, 150], [90, 90]])
    points = np.random.default_rng(0).normal(size=(3, 4, 2))
    np.testing.assert_allclose(plan.to_world(plan.to_px(points)), points, atol=1e-12)
    assert plan.px_per_unit == pytest.approx(20)


def test_headings_are_clockwise_from_the_plans_up(plan):
    for (x, y), heading in {(0, 1): 0, (1, 0): 90, (0, -1): 180, (-1, 0): 270}.items():
        assert plan.heading_deg(looking(x, y)) == pytest.approx(heading, abs=1e-9)
        assert heading_without_plan_deg(looking(x, y)) == pytest.approx(heading, abs=1e-9)
    assert plan.heading_deg(looking(1, 1, -1)) == pytest.approx(45)


@pytest.mark.parametrize("turn_deg", [30.0, 90.0, 200.0])
def test_headings_follow_a_turned_plan(tmp_path, turn_deg):
    """On a plan turned clockwise by an angle, every heading grows by that angle."""
    c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    turned = FloorPlan(tmp_path / "plan.png", None, 200, 160, np.array([[c, -s], [s, c]]) @ UPRIGHT)
    for heading, camera in ((0, looking(0, 1)), (90, looking(1, 0)), (225, looking(-1, -1))):
        expected = (heading + turn_deg) % 360
        assert turned.heading_deg(camera) == pytest.approx(expected, abs=1e-9)


def test_headings_come_in_batches_and_stay_below_360(plan):
    batch = Pose.stack([looking(-1e-20, 1), looking(-1e-14, 1), looking(1, 0), looking(-1, 1)])
    for headings in (plan.heading_deg(batch), heading_without_plan_deg(batch)):
        assert headings.shape == (4,)
        assert (headings >= 0).all()
        assert (headings < 360).all()
        np.testing.assert_allclose(headings[2:], [90, 315])


def test_a_plan_round_trip(plan, tmp_path):
    plan.write(tmp_path / "plan.toml")
    back = FloorPlan.read(tmp_path / "plan.toml")
    assert (back.image, back.walkable) == (plan.image, plan.walkable)
    assert (back.width, back.height) == (200, 160)
    np.testing.assert_array_equal(back.px_from_world, UPRIGHT)
    mask = back.walkable_mask()
    assert mask.shape == (160, 200)
    assert mask.sum() == 20 * 50
    assert mask[40, 100]
    assert not mask[39, 100]


def test_without_a_mask_all_is_walkable(plan, tmp_path):
    FloorPlan(plan.image, None, 200, 160, UPRIGHT).write(tmp_path / "plan.toml")
    back = FloorPlan.read(tmp_path / "plan.toml")
    assert back.walkable is None
    assert back.walkable_mask().all()
    assert back.walkable_mask().shape == (160, 200)


def break_nothing_but(plan, tmp_path, old, new):
    plan.write(tmp_path / "plan.toml")
    text = (tmp_path / "plan.toml").read_text()
    assert old in text
    (tmp_path / "plan.toml").write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width = 200", "width = 100", "100x160 is wanted .* 200x160 came; align again"),
        ("width = 200", "", "not a plan.toml .*width"),
        ("width = 200", 'width = "wide"', "not a plan.toml"),
        ('"plan.png"', '"other.png"', "other.png is wanted beside plan.toml"),
        ('"plan.png"', '"plan.toml"', "a picture is wanted"),
        ("20.0", "nan", "finite"),
        ("-20.0", "0.0", "maps the floor to a line"),
    ],
)
def test_plans_that_do_not_fit_are_named(plan, tmp_path, old, new, message):
    break_nothing_but(plan, tmp_path, old, new)
    with pytest.raises(InputError, match=message) as caught:
        FloorPlan.read(tmp_path / "plan.toml")
    assert "\n" not in str(caught.value)


def test_masks_that_do_not_fit_are_named(plan, tmp_path):
    Image.new("L", (100, 160)).save(plan.walkable)
    with pytest.raises(InputError, match="200x160 is wanted, 100x160 came"):
        plan.walkable_mask()
    plan.walkable.unlink()
    with pytest.raises(InputError, match=r"walkable\.png is wanted"):
        plan.walkable_mask()


def test_a_truncated_mask_is_named(plan):
    whole = plan.walkable.read_bytes()
    plan.walkable.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"walkable\.png: a picture is wanted"):
        plan.walkable_mask()


def test_a_tiny_unit_is_no_degenerate_plan(tmp_path):
    small = FloorPlan(tmp_path / "p.png", None, 10, 10, UPRIGHT * 1e-8)
    np.testing.assert_allclose(small.to_world(small.to_px([3.0, 4.0])), [3, 4])
