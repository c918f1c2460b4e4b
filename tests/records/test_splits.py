import numpy as np
import pytest

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records.frames import PosedFrame
from sightline.records.splits import (
    assign_split,
    hold_out_validation,
    leak_warning,
    nearest_train_distance,
)


def walk(count, missing=(), step=0.1):
    return [
        PosedFrame(
            f"{i:04d}.jpg",
            i / 10,
            None if i in missing else Pose(np.eye(4)[0], np.array([step * i, 0.0, 1.5])),
            "validation",
        )
        for i in range(count)
    ]


def poses(frames, part):
    return Pose.stack([f.world_from_cam for f in frames if f.split == part])


def test_mod3_counts_every_frame_and_gives_unregistered_ones_none():
    frames = assign_split(walk(9, missing=(4,)), "mod3")
    assert [f.split for f in frames] == [
        "train", "validation", "test", "train", "", "test", "train", "validation", "test",
    ]  # fmt: skip


def test_mod3_parts_have_equal_size():
    frames = assign_split(walk(1461), "mod3")
    assert {p: sum(f.split == p for f in frames) for p in ("train", "validation", "test")} == {
        "train": 487, "validation": 487, "test": 487,
    }  # fmt: skip


@pytest.mark.parametrize("missing", [(), (0, 1, 50, 51, 52, 99)])
def test_blocks_are_stretches_with_guards_between(missing):
    frames = assign_split(walk(100, missing), "block", validation=0.15, test=0.2, guard=0.03)
    parts = [f.split for f in frames if f.world_from_cam is not None]
    total = len(parts)
    changes = [p for i, p in enumerate(parts) if i == 0 or p != parts[i - 1]]
    assert changes == ["train", "", "validation", "", "test"]
    assert parts.count("validation") == int(np.ceil(0.15 * total))
    assert parts.count("test") == int(np.ceil(0.2 * total))
    assert parts.count("") == 4 * int(np.ceil(0.03 * total))
    assert all(frames[i].split == "" for i in missing)


def test_second_walk_has_no_test_of_its_own():
    parts = [f.split for f in assign_split(walk(100), "second-walk")]
    assert set(parts) == {"train", "validation", ""}
    assert parts[:80] == ["train"] * 80
    assert parts[-1] == "validation"


def test_bad_splits_raise():
    with pytest.raises(InputError, match="mod3, block, second-walk"):
        assign_split(walk(9), "random")
    with pytest.raises(InputError, match="train on"):
        assign_split(walk(4), "block")
    with pytest.raises(InputError, match="shares"):
        assign_split(walk(40), "block", test=1.2)
    with pytest.raises(InputError, match="shares"):
        assign_split(walk(40), "block", guard=-0.1)


def test_mod3_leak_is_named_with_its_number():
    frames = assign_split(walk(30, step=0.19), "mod3")
    # 2, 5, ... each lie one step from 3, 6, ...
    says = leak_warning("mod3", poses(frames, "train"), poses(frames, "test"))
    assert says == (
        "test frames lie 0.19 m (median) from a training frame of the same walk: "
        "a score on mod3 measures interpolation, not localisation"
    )
    arbitrary = leak_warning("mod3", poses(frames, "train"), poses(frames, "test"), "arbitrary")
    assert "0.19 map units" in arbitrary


def test_blocks_leak_only_where_the_walk_comes_back():
    straight = assign_split(walk(100), "block", guard=0.1)
    assert leak_warning("block", poses(straight, "train"), poses(straight, "test")) is None
    there = walk(50) + walk(50)[::-1]
    back = assign_split(there, "block")
    says = leak_warning("block", poses(back, "train"), poses(back, "test"))
    assert "passes the same spots twice" in says
    assert leak_warning("second-walk", poses(back, "train"), poses(back, "test")) is None
    assert leak_warning("mod3", Pose.stack([]), poses(back, "test")) is None


def test_nearest_train_distance_agrees_with_all_pairs():
    rng = np.random.default_rng(0)
    train, test = (Pose(np.tile(np.eye(4)[0], (n, 1)), rng.normal(size=(n, 3))) for n in (40, 17))
    pairs = np.linalg.norm(test.translation[:, None] - train.translation[None], axis=-1)
    np.testing.assert_allclose(nearest_train_distance(train, test), pairs.min(axis=1))
    with pytest.raises(InputError, match="0 came"):
        nearest_train_distance(Pose.stack([]), test)


def test_validation_is_the_last_stretch_of_the_training_part_and_never_of_the_test():
    frames = [f.with_split("test" if 40 <= i < 80 else "train") for i, f in enumerate(walk(140))]
    held = hold_out_validation(frames, 0.1, guard=0.02)
    parts = [f.split for f in held]
    assert [i for i, part in enumerate(parts) if part == "test"] == list(range(40, 80))
    assert [i for i, part in enumerate(parts) if part == "validation"] == list(range(130, 140))
    # Two frames of a hundred on either side of the cut face each other across it no more.
    assert [i for i, part in enumerate(parts) if not part] == list(range(126, 130))


def test_frames_without_a_pose_or_a_part_stay_as_they_are():
    frames = [f.with_split("train") for f in walk(30, missing=(29,))]
    frames[0] = frames[0].with_split("")
    held = hold_out_validation(frames, 0.1, guard=0.0)
    assert [held[0].split, held[29].split] == ["", "train"]
    assert [f.split for f in held[1:29]] == ["train"] * 25 + ["validation"] * 3
    with pytest.raises(InputError, match="frames enough for every part"):
        hold_out_validation(frames[:3], 0.9)
