"""Many files of a place replaced as one, killed at any moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.records import Place
from sightline.records.place import JOURNAL


def prepared(root: Path) -> tuple[Place, Path]:
    """Return a place with old files, and a folder inside it with the new ones."""
    place = Place.create(root, source="walk.mp4")
    place.model_dir.mkdir(parents=True)
    (place.model_dir / "old.bin").write_text("old")
    place.poses_path.write_text("old")
    work = place.reconstruction_dir / "adding-1"
    (work / "model").mkdir(parents=True)
    (work / "model" / "new.bin").write_text("new")
    (work / "poses.csv").write_text("new")
    (work / "walk2-0000.jpg").write_text("new")
    return place, work


def committed(place: Place, work: Path) -> None:
    moves = {
        work / "poses.csv": place.poses_path,
        work / "model": place.model_dir,
        work / "walk2-0000.jpg": place.images_dir / "walk2-0000.jpg",
    }
    place.commit(work, moves, {"added": [{"prefix": "walk2-"}]})


@pytest.mark.parametrize("moment", range(8))
def test_what_was_killed_is_finished_by_whatever_opens_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    place, work = prepared(tmp_path / "place")
    steps = 0

    def killing(name: str) -> None:
        real = getattr(Path, name)

        def step(path: Path, *args: Path, **options: bool) -> object:
            nonlocal steps
            if (place.reconstruction_dir / JOURNAL).exists():
                steps += 1
                if steps == moment + 1:
                    raise KeyboardInterrupt
            return real(path, *args, **options)

        monkeypatch.setattr(Path, name, step)

    for name in ("rename", "replace", "unlink"):
        killing(name)
    killed = False
    try:
        committed(place, work)
    except KeyboardInterrupt:
        killed = True
    monkeypatch.undo()
    assert killed == (moment < steps)
    again = Place.open(place.root)
    assert again.poses_path.read_text() == "new"
    assert [path.name for path in again.model_dir.iterdir()] == ["new.bin"]
    assert (again.images_dir / "walk2-0000.jpg").read_text() == "new"
    assert again.added == [{"prefix": "walk2-"}]
    assert not (again.reconstruction_dir / JOURNAL).exists()
    assert not work.exists()


def test_nothing_is_touched_before_the_journal_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, work = prepared(tmp_path / "place")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sightline.records.place.write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        committed(place, work)
    again = Place.open(place.root)
    assert again.poses_path.read_text() == "old"
    assert [path.name for path in again.model_dir.iterdir()] == ["old.bin"]
    assert again.added == []
