"""The command line as a user meets it: help, errors in one line, exit codes."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sightline import __version__
from sightline.cli import main as cli
from sightline.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "help"
#: Commands whose help depends on a name that comes first.
NAMED = {
    "label": [],  # test_cli_label.py has it
    "train": ["absolute", "depth", "objects", "relative", "utility"],
    "evaluate": ["absolute", "depth", "objects", "relative", "utility"],
    "predict": ["depth", "objects", "utility"],
    "import": ["tum_rgbd"],
    "reproduce": ["000", "001", "002", "003", "004"],
    "render": ["depth", "floor", "objects", "rooms"],
}
HELPS = {
    "sightline": ["--help"],
    **{name: [name, "--help"] for name in cli.COMMANDS if name not in NAMED},
    **{f"{c}-{first}": [c, first, "--help"] for c, names in NAMED.items() for first in names},
    "export-depth": ["export", "depth", "--help"],
}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sightline.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", **environment},
    )


def one_line_error(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 2, result.stdout + result.stderr
    errors = [line for line in result.stderr.splitlines() if not line.startswith("[")]
    assert len(errors) == 1, result.stderr
    assert errors[0].startswith("error: ")
    return errors[0]


@pytest.mark.parametrize("name", sorted(HELPS))
def test_help_is_as_recorded(name: str, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    try:
        code = cli.main(HELPS[name])
    except SystemExit as stop:
        code = stop.code
    assert code == 0
    text = capsys.readouterr().out
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("SIGHTLINE_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_help_imports_neither_torch_nor_colmap() -> None:
    script = (
        "import sys, contextlib, io\n"
        "from sightline.cli.main import main, COMMANDS\n"
        f"named = {NAMED}\n"
        "helps = [[c, n, '--help'] for c in COMMANDS for n in named.get(c, ['--help'])]\n"
        "for arguments in helps:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main(arguments)\n"
        "heavy = {'torch', 'pycolmap', 'lightning', 'cv2', 'moderngl', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_version() -> None:
    assert run("--version").stdout == f"sightline {__version__}\n"


def test_unknown_command_names_the_ones_there_are() -> None:
    message = one_line_error(run("bild"))
    assert "'bild'" in message
    assert "build, import, align" in message


def test_unknown_task_suggests() -> None:
    message = one_line_error(run("train", "absolut", "place"))
    assert "Did you mean 'absolute'?" in message


def test_unknown_flag_exits_with_2() -> None:
    result = run("build", "video.mp4", "place", "--qualty", "high")
    assert result.returncode == 2
    assert "--qualty" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("build", "no-such-video.mp4", "{tmp}/place"), "no-such-video.mp4 does not exist"),
        (("build", "{text}", "{tmp}/place"), "a video is wanted"),
        (("build", "{empty}", "{tmp}/place"), "photo"),
        (("align", "{empty}"), "is not a place"),
        (("localize", "{empty}", "{text}"), "is not a place"),
        (("serve", "{empty}"), "is not a place"),
        (("doctor", "{empty}"), "is not a place"),
        (("export", "{empty}", "{tmp}/out"), "is not a place"),
        (("train", "absolute", "{empty}"), "is not a place"),
        (("evaluate", "absolute", "{empty}"), "config.toml"),
        (("import", "kitti", "{empty}", "{tmp}/p"), "no dataset is named 'kitti'"),
        (("import", "seven_scene", "{empty}", "{tmp}/p"), "Did you mean 'seven_scenes'?"),
        (("import", "tum_rgbd", "{tmp}/none", "{tmp}/p"), "none does not exist"),
        (("import", "tum_rgbd", "{empty}", "{tmp}/p"), "rgb.txt is wanted"),
        (("import",), "sightline import DATASET SOURCE OUT"),
        (("reproduce", "000", "{empty}"), "is not a place"),
        (("reproduce", "001", "{empty}"), "nothing in it"),
        (("reproduce", "003", "{empty}"), "nothing in it"),
        (("reproduce", "003", "--table", "classification"), "with --images FOLDER"),
        (("reproduce", "009", "{empty}"), "'009' cannot be reproduced yet; there is: 000"),
        (("reproduce", "000", "{empty}", "--epochs", "0"), "epochs = 0 is out of range"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    before = sorted(p.name for p in tmp_path.iterdir())
    names = {"tmp": tmp_path, "text": text, "empty": empty}
    message = one_line_error(run(*(a.format(**names) for a in arguments)))
    assert says in message
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert list(empty.iterdir()) == []


def test_names_that_the_terminal_cannot_show_are_written_all_the_same() -> None:
    code = (
        "from sightline.cli import main as cli\n"
        "from sightline.cli.commands import doctor\n"
        "doctor.run = lambda _: print('caf\\u00e9-\\udcff.jpg')\n"
        "raise SystemExit(cli.main(['doctor']))\n"
    )
    for encoding, shown in (
        ("ascii", rb"caf\xe9-\udcff.jpg"),
        ("utf-8", b"caf\xc3\xa9-\\udcff.jpg"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=False,
            env=os.environ | {"PYTHONIOENCODING": f"{encoding}:strict"},
        )
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, shown, b"")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (InputError("a cat is wanted,\na dog came"), 2, "error: a cat is wanted, a dog came\n"),
        (KeyboardInterrupt(), 130, "finished stages are kept"),
        (OSError(errno.ENOSPC, "No space left", "/x/y"), 2, "the disk is full (/x/y)"),
        (OSError(errno.EACCES, "Permission denied", "/x/y"), 2, "no permission to write (/x/y)"),
    ],
)
def test_failures_are_said_once(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    from sightline.cli.commands import doctor

    def fail(_arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(doctor, "run", fail)
    assert cli.main(["doctor"]) == code
    assert says in capsys.readouterr().err


def test_config_file_then_flag(tmp_path: Path) -> None:
    from sightline.app.build import BuildConfig
    from sightline.cli.commands.build import BuildOptions
    from sightline.cli.options import parse
    from sightline.records.config_file import config_from_toml

    file = tmp_path / "build.toml"
    file.write_text('split = "block"\n[frames]\nfps = 2\n[reconstruction]\nquality = "low"\n')
    config = config_from_toml(BuildConfig, file)
    default = BuildOptions(Path("v"), Path("p"), config)
    options = parse(BuildOptions, ["v", "p", "--frames.fps", "3"], command="build", default=default)
    assert options.config.frames.fps == 3.0
    assert options.config.reconstruction.quality == "low"
    assert options.config.split == "block"
    assert options.config.frames.sharpest is False


def test_config_file_with_an_unknown_key_lists_the_known(tmp_path: Path) -> None:
    from sightline.app.build import BuildConfig
    from sightline.records.config_file import config_from_toml

    file = tmp_path / "build.toml"
    file.write_text("[frames]\nfsp = 2\n")
    with pytest.raises(InputError, match=r"unknown key frames\.fsp; there are fps, max_side"):
        config_from_toml(BuildConfig, file)
