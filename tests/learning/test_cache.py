"""Caches: the same pixels as reading each time, resumed after a kill, never stale."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.errors import InputError, MediaError, StorageError
from sightline.learning import cache as cache_module
from sightline.learning.backbones import create_backbone
from sightline.learning.cache import FrameSize, cache_features, cache_frames, read_frame

SIZE = FrameSize(12, 16)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(7):
        pixels = generator.integers(0, 256, (48, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def names() -> list[str]:
    return [f"{i}.png" for i in range(7)]


def test_the_cache_holds_what_reading_gives(pictures: Path, tmp_path: Path) -> None:
    shuffled = names()[::-1]
    cache = cache_frames(pictures, shuffled, SIZE, tmp_path / "cache")
    assert cache.array.shape == (7, 16, 12, 3)
    assert isinstance(cache.array, np.memmap)
    for name in names():
        np.testing.assert_array_equal(
            cache.array[cache.rows([name])[0]], read_frame(pictures / name, SIZE)
        )


def test_a_second_call_reads_no_picture(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cache_frames(pictures, names(), SIZE, tmp_path / "cache")

    def fail(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(cache_module, "read_frame", fail)
    assert cache_frames(pictures, names(), SIZE, tmp_path / "cache").path == first.path


def test_another_picture_size_or_crop_is_another_cache(pictures: Path, tmp_path: Path) -> None:
    first = cache_frames(pictures, names(), SIZE, tmp_path / "cache")
    stretched = cache_frames(pictures, names(), FrameSize(12, 16, "stretch"), tmp_path / "cache")
    Image.new("RGB", (40, 48), "red").save(pictures / "3.png")
    changed = cache_frames(pictures, names(), SIZE, tmp_path / "cache")
    assert len({first.path, stretched.path, changed.path}) == 3
    np.testing.assert_array_equal(changed.array[3], np.full((16, 12, 3), (255, 0, 0)))


def test_a_killed_build_goes_on_where_it_stopped(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [read_frame(pictures / name, SIZE) for name in names()]
    real, read = cache_module.read_frame, []
    build = cache_module.build_rows

    def counted(path: Path, size: FrameSize) -> np.ndarray:
        read.append(path.name)
        if path.name == "5.png" and len(read) <= 6:
            raise KeyboardInterrupt
        return real(path, size)

    monkeypatch.setattr(cache_module, "read_frame", counted)
    monkeypatch.setattr(cache_module, "build_rows", lambda *a, **k: build(*a, **{**k, "chunk": 2}))
    with pytest.raises(KeyboardInterrupt):
        cache_frames(pictures, names(), SIZE, tmp_path / "cache", workers=1)
    assert not list((tmp_path / "cache").glob("*.npy"))
    read.clear()
    read.extend(["x"] * 6)
    cache = cache_frames(pictures, names(), SIZE, tmp_path / "cache", workers=1)
    assert set(read[6:]) == {"4.png", "5.png", "6.png"}
    np.testing.assert_array_equal(cache.array, np.stack(wanted))
    assert [p.suffix for p in (tmp_path / "cache").iterdir()] == [".npy"]


def test_a_full_disk_is_one_clear_line(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match=r"has no room.*No space left") as caught:
        cache_frames(pictures, names(), SIZE, tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


def test_a_missing_a_broken_and_a_double_picture(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such image"):
        cache_frames(pictures, ["9.png"], SIZE, tmp_path)
    (pictures / "0.png").write_bytes((pictures / "0.png").read_bytes()[:60])
    with pytest.raises(MediaError, match=r"0\.png cannot be read"):
        cache_frames(pictures, names(), SIZE, tmp_path)
    with pytest.raises(InputError, match="twice"):
        cache_frames(pictures, ["1.png", "1.png"], SIZE, tmp_path)


def test_an_unknown_name_is_refused(pictures: Path, tmp_path: Path) -> None:
    cache = cache_frames(pictures, names(), SIZE, tmp_path)
    with pytest.raises(InputError, match=r"no frame other\.png"):
        cache.rows(["other.png"])


@pytest.mark.parametrize(
    ("size", "box"),
    [
        (FrameSize(10, 10), (0.0, 20.0, 80.0, 100.0)),
        (FrameSize(10, 20), (10.0, 0.0, 70.0, 120.0)),
        (FrameSize(10, 10, "stretch"), (0.0, 0.0, 80.0, 120.0)),
    ],
)
def test_the_crop_is_the_largest_centred_region(size: FrameSize, box: tuple[float, ...]) -> None:
    assert size.source_box(80, 120) == pytest.approx(box)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "black")
    image.paste((255, 255, 255), (0, 0, 20, 20))  # white left half
    exif = Image.Exif()
    exif[274] = 6  # turned a quarter clockwise for viewing: white comes on top
    image.save(tmp_path / "p.jpg", exif=exif, quality=95)
    frame = read_frame(tmp_path / "p.jpg", FrameSize(10, 20))
    assert frame[:8].mean() > 240
    assert frame[-8:].mean() < 15


def test_cached_features_are_the_backbones(pictures: Path, tmp_path: Path) -> None:
    backbone = create_backbone("compact", weights="none", frozen=True, width=12, height=16)
    frames = cache_frames(pictures, names(), SIZE, tmp_path)
    features = cache_features(backbone, frames, tmp_path, batch=3)
    images = torch.from_numpy(np.asarray(frames.array).copy()).permute(0, 3, 1, 2)
    wanted = backbone(backbone.contract.normalise(images)).numpy()
    np.testing.assert_allclose(features, wanted, atol=1e-5)
    other = create_backbone("compact", weights="none", frozen=True, width=12, height=16)
    cache_features(other, frames, tmp_path)
    assert len(list(tmp_path.glob("features-*.npy"))) == 2


def test_features_of_a_trained_backbone_are_not_cached(pictures: Path, tmp_path: Path) -> None:
    backbone = create_backbone("compact", weights="none", width=12, height=16)
    with pytest.raises(InputError, match="--freeze"):
        cache_features(backbone, cache_frames(pictures, names(), SIZE, tmp_path), tmp_path)


@pytest.mark.parametrize(("width", "height"), [(750, 499), (499, 750), (241, 41)])
def test_the_cut_never_leaves_the_picture(width: int, height: int) -> None:
    left, top, right, bottom = FrameSize(224, 224).source_box(width, height)
    assert min(left, top) >= 0
    assert right <= width
    assert bottom <= height
    picture = Image.new("RGB", (width, height))
    assert FrameSize(224, 224).resize(picture).shape == (224, 224, 3)
