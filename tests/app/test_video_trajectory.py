"""A video's answers as one trajectory: two walls filmed along a path that is known exactly."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.app import trajectory
from sightline.app.localize import Localization, Localizer
from sightline.app.trajectory import Trajectory, answers_of, follow
from sightline.cli.main import main
from sightline.errors import GeometryError, InputError, MediaError, SightlineError
from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle_deg
from sightline.media import iter_frames, write_video
from sightline.records import Place
from sightline.records.tum import read_tum, write_tum
from sightline.tasks.absolute.pose_graph import Smoothed
from two_walls import CAMERA, view_of_planes

COUNT, RATE = 10, 2.0
STAMPS = np.arange(COUNT) / RATE


class Oracle:
    """A network that nobody asks."""

    def predict(self, images):
        raise AssertionError("answers are known")


class Replay(Localizer):
    """A localiser that knows all answers already."""

    def __init__(self, place: Place, answers: Sequence[Localization]) -> None:
        super().__init__(place, Oracle(), None, None)
        self.answers = {answer.image: answer for answer in answers}
        self.asked: list[str] = []

    def localize(self, images, names, *, focals_px=None, timestamps_s=None):
        self.asked += names
        return [self.answers[name] for name in names]


@dataclasses.dataclass(frozen=True, eq=False)
class Film:
    place: Place
    video: Path
    true: Pose

    def answer(self, i: int, pose: Pose | None) -> Localization:
        return Localization(
            image=f"walk.mp4#{STAMPS[i]:.3f}", status="unknown" if pose is None else "refined",
            world_from_cam=pose, unit="m", plan_xy_px=None, walkable_xy_px=None, on_walkable=None,
            heading_deg=None if pose is None else 0.0, confidence=0.0 if pose is None else 0.9,
            inliers=0 if pose is None else 50, seconds=0.1, timestamp_s=float(STAMPS[i]),
        )  # fmt: skip

    def replay(self, lost: Sequence[int] = (), wrong: Sequence[int] = ()) -> Replay:
        """Answers a centimetre and a third of a degree off; some lost, some metres off."""
        rng = np.random.default_rng(2)
        turn = Rotation.from_rotvec(np.deg2rad(0.2) * rng.standard_normal((COUNT, 3)))
        centres = self.true.translation + 0.006 * rng.standard_normal((COUNT, 3))
        centres[list(wrong)] += [3.0, 1.0, 0.0]
        given = Pose.from_rotation(self.true.rotation * turn, centres)
        return Replay(
            self.place,
            [self.answer(i, None if i in lost else given[i]) for i in range(COUNT)],
        )


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    root = tmp_path_factory.mktemp("film")
    x = np.linspace(-1.1, 1.1, COUNT)
    turn = Rotation.from_euler("y", -9 * x[:, None], degrees=True)
    true = Pose.from_rotation(turn, np.stack([x, 0.1 * np.sin(4 * x), 0.3 * np.cos(2 * x)], axis=1))
    pictures = [view_of_planes(true[i].inverse(), noise=i + 1).image for i in range(COUNT)]
    write_video(root / "walk.mp4", pictures, fps=RATE, crf=5)
    place = Place.create(root / "place", source="test")
    place.update(
        unit="m",
        camera={
            "model": CAMERA.model, "width": CAMERA.width, "height": CAMERA.height,
            "params": list(CAMERA.params),
        },
    )  # fmt: skip
    return Film(place, root / "walk.mp4", true)


def errors(found: Trajectory, true: Pose) -> tuple[np.ndarray, np.ndarray]:
    rows, poses = found.posed()
    assert len(rows) == len(true)
    off = np.linalg.norm(poses.translation - true.translation, axis=1)
    return off, rotation_angle_deg(poses.q_wxyz, true.q_wxyz)


def test_without_smoothing_answers_are_those_of_the_frames(film: Film) -> None:
    replay, done = film.replay(lost=[3]), []
    found = follow(
        replay,
        film.video,
        fps=RATE,
        smoothed=False,
        progress=lambda text, d: done.append((text, d)),
    )
    assert found.answers == list(replay.answers.values())
    np.testing.assert_allclose(found.timestamps_s, STAMPS)
    assert found.best is found.answers
    assert found.stopped is None
    assert found.to_json(3) == found.answers[3].to_json()
    assert done[-1][0] == f"localising: {COUNT} frames"
    assert done[-1][1] == pytest.approx(1.0, abs=0.06)
    assert len(found.posed()[0]) == COUNT - 1


def test_lost_frames_are_filled_and_wrong_ones_pulled_back(film: Film) -> None:
    found = follow(film.replay([2, 3, 7], [5]), film.video, fps=RATE, smoothed=True)
    off, turned = errors(found, film.true)
    assert off.max() < 0.06
    assert turned.max() < 1.0
    assert {a.status for a in found.best} == {"smoothed"}
    # A frame whose own answer stands keeps its confidence; others get half the neighbours'.
    likely = [round(a.confidence, 3) for a in found.best]
    assert [likely[i] for i in (2, 3, 5, 7)] == [0.45] * 4
    assert [likely[i] for i in (0, 1, 4, 6, 8, 9)] == [0.9] * 6
    # Inliers of an answer that was let go do not speak for the pose that replaced it.
    assert [a.inliers for a in found.best] == [50, 50, 0, 0, 50, 0, 50, 0, 50, 50]
    content = found.to_json(5)
    assert content["status"] == "smoothed"
    assert content["raw"]["status"] == "refined"
    assert content["raw"]["center"] == found.answers[5].to_json()["center"]
    assert found.to_json(2)["raw"]["center"] is None


def test_given_odometry(film: Film, tmp_path: Path) -> None:
    other = Pose(np.array([0.6, 0.0, 0.8, 0.0]), np.array([10.0, 0.0, -4.0]))
    write_tum(tmp_path / "vio.tum", STAMPS, other @ film.true)
    replay = film.replay(lost=[1, 2, 3, 4, 6, 7, 8])
    found = follow(replay, film.video, fps=RATE, smoothed=True, odometry=tmp_path / "vio.tum")
    assert errors(found, film.true)[0].max() < 0.05
    with pytest.raises(InputError, match="--smooth is wanted"):
        follow(replay, film.video, fps=RATE, smoothed=False, odometry=tmp_path / "vio.tum")
    write_tum(tmp_path / "late.tum", STAMPS + 100.0, film.true)
    late = follow(
        replay, film.video, fps=RATE, smoothed=True, odometry=tmp_path / "late.tum",
        odometry_shift_s=-100.0,
    )  # fmt: skip
    assert errors(late, film.true)[0].max() < 0.05


def test_a_wrong_odometry_costs_no_time(film: Film, tmp_path: Path) -> None:
    """What cannot be of use is said before the first frame is localised."""
    late, photo, folder = tmp_path / "late.tum", tmp_path / "a.png", tmp_path / "photos"
    write_tum(late, STAMPS + 100.0, film.true)
    Image.new("RGB", (40, 30)).save(photo)
    folder.mkdir()
    for i in range(3):
        Image.new("RGB", (40, 30)).save(folder / f"{i}.png")
    back = tmp_path / "back.tum"
    write_tum(back, STAMPS[::-1], film.true)
    for source, given, shift, words in (
        (film.video, late, 0.0, "shift its clock"),
        (folder, late, 0.0, "shift its clock"),
        (film.video, late, np.nan, "a number of seconds is wanted"),
        (film.video, None, 2.0, "--odometry is wanted with --odometry-shift"),
        (film.video, back, 0.0, "times that increase are wanted in .*back.tum"),
        (photo, late, -100.0, "one photo came"),
        (film.video, tmp_path / "no.tum", 0.0, "no such file"),
    ):
        replay = film.replay()
        with pytest.raises(SightlineError, match=words):
            follow(replay, source, fps=RATE, smoothed=True, odometry=given, odometry_shift_s=shift)
        assert replay.asked == []


@pytest.mark.parametrize("reason", [GeometryError("it ran away"), KeyboardInterrupt()])
def test_where_smoothing_fails_the_frames_own_answers_are_kept(
    film: Film, capfd, monkeypatch: pytest.MonkeyPatch, reason: BaseException
) -> None:
    def failing(*_: object) -> None:
        raise reason

    monkeypatch.setattr(trajectory, "smooth", failing)
    replay = film.replay(lost=[4])
    found = follow(replay, film.video, fps=RATE, smoothed=True)
    assert found.stopped is reason
    assert found.best is found.answers == list(replay.answers.values())
    monkeypatch.setattr(Localizer, "open", lambda *_args, **_kwargs: replay)
    code = main(["localize", str(film.place.root), str(film.video), "--smooth"])
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == COUNT
    assert code == (2 if isinstance(reason, GeometryError) else 130)
    assert ("it ran away" in err) == (code == 2)


def test_given_odometry_wants_a_place_in_metres(film: Film, tmp_path: Path) -> None:
    write_tum(tmp_path / "vio.tum", STAMPS, film.true)
    place = Place.create(tmp_path / "place", source="test")
    with pytest.raises(InputError, match="a place in metres is wanted for --odometry"):
        follow(
            Replay(place, []), film.video, fps=RATE, smoothed=True, odometry=tmp_path / "vio.tum"
        )


def test_ctrl_c_keeps_what_there_is(film: Film, tmp_path: Path) -> None:
    write_tum(tmp_path / "vio.tum", STAMPS, film.true)
    seen = []

    def answered(answer: Localization) -> None:
        seen.append(answer)
        if len(seen) == 5:
            raise KeyboardInterrupt

    found = follow(
        film.replay(lost=[1]), film.video, fps=RATE, smoothed=True,
        odometry=tmp_path / "vio.tum", answered=answered,
    )  # fmt: skip
    assert isinstance(found.stopped, KeyboardInterrupt)
    assert found.answers == seen
    off, _ = errors(found, film.true[:5])
    assert off.max() < 0.03


def test_what_stops_before_the_first_frame_is_an_error(film: Film, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there"):
        follow(film.replay(), tmp_path / "no.mp4", fps=RATE, smoothed=True)
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(MediaError, match=r"notes\.mp4"):
        follow(film.replay(), tmp_path / "notes.mp4", fps=RATE, smoothed=True)


def test_photos_in_order_are_a_video_too(film: Film, tmp_path: Path) -> None:
    folder, replay = tmp_path / "photos", film.replay()
    folder.mkdir()
    for i in range(3):
        Image.new("RGB", (40, 30)).save(folder / f"{i}.png")
        replay.answers[f"{i}.png"] = dataclasses.replace(
            film.answer(i, film.true[i]), image=f"{i}.png", timestamp_s=None
        )
    found = follow(replay, folder, fps=4.0, smoothed=True)
    np.testing.assert_allclose(found.timestamps_s, [0.0, 0.25, 0.5])
    # Black pictures tie nothing: the walk's speed does not move what the map says.
    assert errors(found, film.true[:3])[0].max() < 0.02


def test_the_doubt_of_the_maps_answers_follows_their_confidence(film: Film) -> None:
    likely = np.array([0.999, 0.9, 0.5, 0.1, 0.01])
    refined = [dataclasses.replace(film.answer(0, film.true[0]), confidence=c) for c in likely]
    guessed = [dataclasses.replace(a, status="regressed") for a in refined]
    given, network = answers_of(refined, 0.5), answers_of(guessed, 0.5)
    # a sure one is good to centimetres; one that nobody believes says as little as a network's
    np.testing.assert_allclose(given.position_sigma[:2], [0.03, 0.037], rtol=0.02)
    assert np.rad2deg(given.rotation_sigma[0]) == pytest.approx(0.3, rel=0.01)
    assert (np.diff(given.position_sigma) > 0).all()
    assert (np.diff(given.rotation_sigma) > 0).all()
    assert (given.position_sigma <= network.position_sigma).all()
    assert given.position_sigma[-1] == pytest.approx(network.position_sigma[-1], rel=0.1)
    # in another unit they are the same
    np.testing.assert_allclose(answers_of(refined, 20.0).position_sigma, 40 * given.position_sigma)


def told(statuses: str, own: list[float], step_sigma: list[float]) -> list[float]:
    """Return confidences after smoothing: r map, n network, x let go, - none."""
    names = {"r": "refined", "n": "regressed", "x": "refined", "-": "unknown"}
    pose = Pose(np.array([1.0, 0, 0, 0]), np.zeros(3))
    answers = [
        Localization(
            image=str(i), status=names[s], world_from_cam=pose, unit="m", plan_xy_px=None,  # type: ignore[arg-type]
            walkable_xy_px=None, on_walkable=None, heading_deg=None, confidence=c, inliers=0,
            seconds=0.0,
        )
        for i, (s, c) in enumerate(zip(statuses, own, strict=True))
    ]  # fmt: skip
    agrees = np.array([s in "rn" for s in statuses])
    count = len(statuses)
    found = Smoothed([pose] * count, agrees.astype(float), np.ones(count), np.array(step_sigma))
    return trajectory._confidences(answers, agrees, found, 0.5).round(3).tolist()


def test_confidence_after_smoothing() -> None:
    """By hand: half a neighbour's, times how likely the camera still is within the radius."""
    tied = 0.01
    # a network's answer that agrees is no worse than no answer at all
    assert told("rn-r", [0.98, 0.075, 0.0, 0.98], [tied] * 3) == [0.98, 0.49, 0.49, 0.98]
    # nor is one of the map that is doubted
    assert told("rr", [0.98, 0.3], [tied]) == [0.98, 0.49]
    # what was let go counts for nothing, however sure it was
    assert told("xr", [0.99, 0.6], [tied]) == [0.3, 0.6]
    # lost odometry: a step of 0.75 m in each coordinate stays within 0.5 m with 7.0%, two with 2.6%
    assert told("r--", [0.98, 0.0, 0.0], [0.75, 0.75]) == pytest.approx(
        [0.98, 0.49 * 0.0695, 0.49 * 0.0268], abs=2e-3
    )
    # past a gap that nothing ties nobody tells anything
    assert told("r-", [0.98, 0.0], [np.inf]) == [0.98, 0.0]
    assert told("--", [0.0, 0.0], [tied]) == [0.0, 0.0]


def test_the_doubt_that_confidence_stands_for(film: Film) -> None:
    """A normal error is within the radius as often as the confidence says."""
    base = dataclasses.replace(film.answer(0, film.true[0]), status="regressed")
    given = answers_of([dataclasses.replace(base, confidence=c) for c in (0.1, 0.5, 0.9)], 0.5)
    drawn = np.random.default_rng(0).standard_normal((3, 20000, 3))
    within = np.linalg.norm(given.position_sigma[:, None, None] * drawn, axis=2) < 0.5
    np.testing.assert_allclose(within.mean(axis=1)[:2], [0.1, 0.5], atol=0.015)
    # Not less than half the radius, however sure the network is.
    assert given.position_sigma[2] == pytest.approx(0.25)
    assert given.judged.all()
    assert not answers_of([film.answer(0, film.true[0])], 0.5).judged.any()


# --- the command ----------------------------------------------------------------------------------


def test_command(film: Film, tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Localizer, "open", lambda *_args, **_kwargs: film.replay(lost=[4]))
    tum, plan, overlay = (tmp_path / n for n in ("walk.tum", "walk.png", "out.mp4"))
    flags = ["--smooth", "--json", "--tum", tum, "--plan-picture", plan, "--overlay", overlay]
    arguments = ["localize", film.place.root, film.video, *flags]
    assert main([str(a) for a in arguments]) == 0
    out, err = capfd.readouterr()
    contents = [json.loads(line) for line in out.splitlines()]
    assert [c["timestamp_s"] for c in contents] == STAMPS.tolist()
    assert {c["status"] for c in contents} == {"smoothed"}
    assert [c["raw"]["status"] for c in contents].count("unknown") == 1
    stamps, poses = read_tum(tum)
    np.testing.assert_allclose(stamps, STAMPS)
    np.testing.assert_allclose(poses.translation, [c["center"] for c in contents], atol=1e-5)
    with Image.open(plan) as picture:
        assert picture.width > 300
    assert len(list(iter_frames(overlay))) == COUNT
    for path in (tum, plan, overlay):
        assert f"written: {path}" in err


def test_lines_come_frame_by_frame_without_smoothing(
    film: Film, tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Localizer, "open", lambda *_args, **_kwargs: film.replay(lost=[4]))
    tum = tmp_path / "walk.tum"
    code = main(["localize", str(film.place.root), str(film.video), "--tum", str(tum)])
    assert code == 1  # one frame is unknown
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == COUNT
    assert lines[4].startswith("walk.mp4#2.000: don't know")
    assert ", confidence 0.90, 50 inliers, " in lines[5]
    assert len(read_tum(tum)[0]) == COUNT - 1


def test_wrong_flags(film: Film, tmp_path: Path, capfd) -> None:
    place, video = str(film.place.root), str(film.video)
    for flag in ("--tum", "--odometry"):
        assert main(["localize", place, video, video, flag, str(tmp_path / "a.tum")]) == 2
        assert "one video or folder is wanted" in capfd.readouterr().err
    assert main(["localize", place, video, "--overlay", str(tmp_path / "a.avi")]) == 2
    assert "ending in .mp4" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []
