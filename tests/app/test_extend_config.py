"""Which frames of an added recording are taken: as the place's own were, unless told otherwise."""

from pathlib import Path

import pytest

from sightline.app import extend_stages
from sightline.app.build import BUILD_TOML
from sightline.app.extend_stages import ExtendConfig, take_frames
from sightline.errors import InputError
from sightline.records import Place


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, bool, int | None]]:
    """How frames were asked for; none are taken."""
    told: list[tuple[float, bool, int | None]] = []

    def extract(
        _source: Path,
        _folder: Path,
        *,
        fps: float,
        sharpest: bool,
        max_side: int | None,
        **_: object,
    ) -> None:
        told.append((fps, sharpest, max_side))
        raise InputError("stopped by the test")

    monkeypatch.setattr(extend_stages, "extract_frames", extract)
    return told


@pytest.mark.parametrize(
    ("built", "given", "wanted"),
    [
        ("sharpest = true\nmax_side = 800", ExtendConfig(), (2.0, True, 800)),
        ('max_side = "none"', ExtendConfig(), (2.0, False, None)),
        (
            "sharpest = true\nmax_side = 800",
            ExtendConfig(fps=3.0, sharpest=False, max_side=0),
            (3.0, False, None),
        ),
    ],
)
def test_frames_are_taken_as_the_places_own(
    tmp_path: Path,
    asked: list[tuple[float, bool, int | None]],
    built: str,
    given: ExtendConfig,
    wanted: tuple[float, bool, int | None],
) -> None:
    place = Place.create(tmp_path / "place", source="walk")
    place.update(frames={"fps": 2.0})
    (place.root / BUILD_TOML).write_text(f"[frames]\nfps = 2.0\n{built}\n")
    work = Place.create(tmp_path / "work", source="second")
    with pytest.raises(InputError, match="stopped"):
        take_frames(place, work, Path("second.mp4"), "0", given, lambda *_: None)
    assert asked == [wanted]
