"""Photos of folders, archives and lists."""

import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import MediaError
from sightline.media import image_sources
from sightline.media.image_sources import (
    archive_of,
    image_names,
    image_paths,
    read_content,
    read_image,
)


def photo(value: int, *, suffix: str = "png") -> bytes:
    """A 5 x 4 photo whose every value is ``value``."""
    stream = io.BytesIO()
    Image.new("RGB", (5, 4), (value, value, value)).save(stream, suffix)
    return stream.getvalue()


def write(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_tar(path: Path, members: list[tuple[str, bytes]], **options: int) -> Path:
    with tarfile.open(path, "w", **options) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def names(source: Path) -> list[str]:
    return image_names(source).names


def value(path: Path) -> int:
    image = read_image(path)
    assert image.shape == (4, 5, 3)
    assert image.dtype == np.uint8
    assert (image == image[0, 0]).all()
    return int(image[0, 0, 0])


def test_a_folder_is_searched_with_all_in_it_in_natural_order(tmp_path: Path) -> None:
    for name in (
        "10.png",
        "2.png",
        "b9/1.jpg",
        "b10/1.heic",
        "notes.txt",
        ".hidden.png",
        ".h/1.png",
    ):
        write(tmp_path / name)
    write_tar(tmp_path / "b9" / "s.tar", [("z.png", b""), ("a.png", b""), ("z.json", b"")])

    assert names(tmp_path) == [
        *("2.png", "10.png", "b9/1.jpg", "b9/s.tar/z.png", "b9/s.tar/a.png", "b10/1.heic"),
    ]
    assert image_paths(tmp_path)[2] == tmp_path / "b9" / "1.jpg"


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "1.png")
    photos = tmp_path / "photos"
    write(photos / "sub" / "2.png")
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "sub" / "round").symlink_to(photos)

    assert names(photos) == ["linked/1.png", "sub/2.png"]


def test_photos_of_an_archive_come_in_its_order_and_read_alike(tmp_path: Path) -> None:
    members = [(f"{k}.png", photo(k)) for k in (7, 3, 200)] + [("3.txt", b"a caption")]
    archive = write_tar(tmp_path / "shard.tar", members)

    paths = image_paths(archive)

    assert paths == [archive / "7.png", archive / "3.png", archive / "200.png"]
    assert [value(path) for path in paths] == [7, 3, 200]
    assert read_content(paths[0]) == photo(7)
    assert list(tmp_path.iterdir()) == [archive]


def test_of_a_name_that_is_twice_in_an_archive_the_last_counts_once(tmp_path: Path) -> None:
    archive = write_tar(
        tmp_path / "t.tar", [("a.png", photo(1)), ("b.png", photo(2)), ("a.png", photo(3))]
    )

    assert names(archive) == ["t.tar/a.png", "t.tar/b.png"]
    assert value(archive / "a.png") == 3


def test_members_that_climb_out_stay_inside(tmp_path: Path) -> None:
    write(tmp_path / "secret.png", photo(99))
    inside = tmp_path / "in"
    inside.mkdir()
    archive = write_tar(
        inside / "t.tar",
        [("../secret.png", photo(1)), ("/etc/2.png", photo(2)), ("./x/./3.png", photo(3))],
    )

    assert names(archive) == ["t.tar/secret.png", "t.tar/etc/2.png", "t.tar/x/3.png"]
    assert [value(path) for path in image_paths(archive)] == [1, 2, 3]


def test_only_regular_files_of_an_archive_are_photos(tmp_path: Path) -> None:
    path = tmp_path / "t.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (
            ("l.png", tarfile.SYMTYPE),
            ("h.png", tarfile.LNKTYPE),
            ("d.png", tarfile.DIRTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        info = tarfile.TarInfo("__MACOSX/._a.png")
        tar.addfile(info)
        content = photo(5)
        info = tarfile.TarInfo("x" * 150 + ".png")  # a long name has a header of its own
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))

    assert names(path) == ["t.tar/" + "x" * 150 + ".png"]
    assert value(image_paths(path)[0]) == 5


def test_a_list_names_photos_and_archives_each_once(tmp_path: Path) -> None:
    write(tmp_path / "a b.png", photo(1))
    other = write(tmp_path / "other" / "c.png", photo(2))
    write_tar(tmp_path / "t.tar", [("1.png", photo(3)), ("2.png", photo(4))])
    source = tmp_path / "list.txt"
    source.write_text(
        f"\ufeffgone.png\na b.png\r\n\n{other}\na b.png\nt.tar\nt.tar/1.png\n", encoding="utf-8"
    )

    paths = image_paths(source)

    assert names(source) == ["gone.png", "a b.png", str(other), "t.tar/1.png", "t.tar/2.png"]
    assert [value(path) for path in paths[1:]] == [1, 2, 3, 4]
    with pytest.raises(MediaError, match=r"gone\.png does not exist"):
        read_image(paths[0])


def test_names_need_not_be_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    write(tmp_path / name, photo(8))
    (tmp_path / "list.txt").write_bytes(b"caf\xe9.png\n")

    assert names(tmp_path) == names(tmp_path / "list.txt") == [name]
    assert value(image_paths(tmp_path)[0]) == 8


def test_a_name_in_a_list_ends_with_its_line_alone(tmp_path: Path) -> None:
    name = "a\u2028b\x1cc.png"
    write(tmp_path / name, photo(9))
    (tmp_path / "list.txt").write_text(f"{name}\n", encoding="utf-8")

    assert names(tmp_path / "list.txt") == [name]
    assert value(image_paths(tmp_path / "list.txt")[0]) == 9


def test_a_cut_off_archive_is_named_behind_what_it_has(tmp_path: Path) -> None:
    members = [(f"{k}.png", photo(k) + bytes(2000)) for k in range(4)]
    whole = write_tar(tmp_path / "whole.tar", members)
    cut = write(tmp_path / "cut.tar", whole.read_bytes()[:5000])
    write(tmp_path / "none.tar", b"no archive" * 100)
    whole.unlink()

    found = image_paths(tmp_path)

    assert found[:2] == [cut / "0.png", cut / "1.png"]
    assert found[-2:] == [cut, tmp_path / "none.tar"]
    assert value(found[0]) == 0
    with pytest.raises(MediaError, match=r"cut\.tar is damaged or cut off after 2 photos"):
        read_image(cut)
    with pytest.raises(MediaError, match=r"none\.tar is none or damaged"):
        read_image(tmp_path / "none.tar")
    with pytest.raises(MediaError, match=r"ends within 1\.png"):
        read_image(cut / "1.png")


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "t.tar", [(f"{k}.png", photo(k)) for k in range(3)])
    content = bytearray(archive.read_bytes())
    with tarfile.open(archive) as tar:
        second = tar.getmembers()[1].offset
    content[second : second + 200] = b"\xff" * 200
    archive.write_bytes(content)

    assert names(archive) == ["t.tar/0.png", "t.tar"]
    with pytest.raises(MediaError, match="damaged or cut off after 1 photos"):
        read_image(archive)


def test_what_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    write(tmp_path / "empty" / "notes.md")
    archive = write_tar(tmp_path / "t.tar", [("1.png", photo(1))])
    bad = write_tar(tmp_path / "bad.tar", [("1.jpg", b"this is text, not a photo")])
    cases = [
        (lambda: image_names(tmp_path / "nowhere"), "nowhere does not exist"),
        (lambda: image_names(tmp_path / "empty"), "empty holds none"),
        (lambda: image_names(write(tmp_path / "a.zip")), r"a\.zip is another file"),
        (
            lambda: image_names(write(tmp_path / "no.tar", b"x" * 600)),
            r"no\.tar is none or damaged",
        ),
        (lambda: read_image(archive / "2.png"), r"2\.png is not in the archive"),
        (lambda: read_image(archive), "is an archive; name one in it"),
        (lambda: read_image(bad / "1.jpg"), r"bad\.tar/1\.jpg is none that is known"),
        (lambda: read_image(tmp_path / "gone.png"), r"gone\.png does not exist"),
    ]
    for call, message in cases:
        with pytest.raises(MediaError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_folder_may_be_called_like_an_archive(tmp_path: Path) -> None:
    write(tmp_path / "old.tar" / "1.png", photo(6))

    assert names(tmp_path) == ["old.tar/1.png"]
    assert archive_of(tmp_path / "old.tar" / "1.png") is None
    assert value(tmp_path / "old.tar" / "1.png") == 6


def test_an_archive_is_scanned_once_for_all_threads_and_anew_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans: list[Path] = []
    scan = image_sources._read_index
    monkeypatch.setattr(
        image_sources, "_read_index", lambda archive: (scans.append(archive), scan(archive))[1]
    )
    archive = write_tar(tmp_path / "t.tar", [(f"{k}.png", photo(k)) for k in range(100)])
    paths = [archive / f"{k}.png" for k in range(100)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(value, paths)) == list(range(100))
    assert scans == [archive]

    write_tar(archive, [("0.png", photo(55)), ("new.png", photo(56))])
    assert [value(path) for path in image_paths(archive)] == [55, 56]
    assert scans == [archive, archive]


def test_no_file_of_a_folder_is_asked_for_but_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in range(50):
        write(tmp_path / f"{k}.png")
    asked: list[object] = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **kw: (asked.append(path), stat(path, **kw))[1])

    image_paths(tmp_path)

    assert not [path for path in asked if str(path).endswith(".png")]
