import numpy as np
import pytest
from PIL import Image

from sightline.app.plan_input import PlanInput, read_drawn_path, read_plan_input
from sightline.errors import InputError, MediaError
from sightline.records import FloorPlan


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "an empty file came"),
        ("x,y\n1,2\n", "x,y came"),
        ("plan_x,plan_y\n1,2\n", "1 came"),
        ("plan_x,plan_y\n1,2\n3,b\n", "line 3: a number is wanted, 'b' came"),
        ("plan_x,plan_y\n1,2\n3,inf\n", "line 3: a number is wanted, 'inf' came"),
        ("plan_x,plan_y\n1,2\n3\n", "two numbers in every row"),
    ],
)
def test_bad_paths_give_one_line(tmp_path, text, says):
    path = tmp_path / "path.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_drawn_path(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_from_a_spreadsheet_read_the_same(tmp_path):
    path = tmp_path / "path.csv"
    path.write_bytes(b"\xef\xbb\xbfplan_x, plan_y\r\n1,2\r\n\r\n3.5, 4\r\n")
    np.testing.assert_array_equal(read_drawn_path(path), [[1, 2], [3.5, 4]])
    with pytest.raises(InputError, match="no such file"):
        read_drawn_path(tmp_path / "none.csv")


def test_only_a_plan_toml_that_names_the_picture_counts(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (30, 20)).save(tmp_path / name)
    affine = np.array([[2.0, 0, 0], [0, -2.0, 19]])
    FloorPlan(tmp_path / "a.png", None, 30, 20, affine).write(tmp_path / "plan.toml")
    np.testing.assert_array_equal(read_plan_input(tmp_path / "a.png").px_from_world, affine)
    assert read_plan_input(tmp_path / "b.png").px_from_world is None


def test_masks_must_be_pictures_of_the_plans_size(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    Image.new("L", (30, 21)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"size 30x20 is wanted, 30x21 came"):
        read_plan_input(tmp_path / "a.png", tmp_path / "m.png")
    (tmp_path / "m.png").write_text("no")
    with pytest.raises(MediaError, match="walkable mask"):
        read_plan_input(tmp_path / "a.png", tmp_path / "m.png")


def test_walkable_share_counts_what_is_off_the_map_as_not_walkable():
    mask = np.zeros((10, 20), dtype=bool)
    mask[:, :10] = True
    plan = PlanInput(np.zeros((10, 20, 3), np.uint8), mask, None)
    px = np.array([[0, 0], [9.4, 9], [9.6, 9], [-0.6, 0], [5, 50], [5, 5], [3, 3], [19, 0]])
    assert plan.walkable_share(px) == 0.5
    assert plan.walkable_share(np.zeros((0, 2))) is None
    assert PlanInput(plan.picture, None, None).walkable_share(px) is None
