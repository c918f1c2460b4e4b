"""Config dataclasses from TOML: what is taken, and what is refused by name."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from sightline.errors import InputError
from sightline.records.config_file import config_from_table, config_from_toml


@dataclass(frozen=True)
class Inner:
    fps: float = 5.0
    limit: int | None = 1600

    def __post_init__(self) -> None:
        if self.fps <= 0:
            raise InputError(f"fps above 0 is wanted, {self.fps} came")


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    maybe: Inner | None = None
    kind: Literal["a", "b"] = "a"
    level: Literal[1, 2] | None = None
    flag: bool = False
    name: str = "n"
    file: Path | None = None
    params: tuple[float, ...] = ()
    measured: tuple[str, str, float] | None = None
    anything: Any = None
    either: int | str = 0
    derived: int = field(default=7, init=False)


@dataclass(frozen=True)
class Required:
    place: str
    count: int = 1


TOML = """
kind = "b"
level = 2
flag = true
name = "x"
file = "some/plan.png"
params = [1, 2.5]
measured = ["f1", "f2", 3]
anything = [1, "x"]
either = "text"
[inner]
fps = 2
"""


def test_none_has_a_word_where_no_text_is_wanted() -> None:
    table = {"inner": {"limit": "none"}, "level": "none", "name": "none", "either": "none"}
    made = config_from_table(Outer, table, "c.toml")
    assert (made.inner.limit, made.level, made.name, made.either) == (None, None, "none", "none")
    with pytest.raises(InputError, match=r"inner.fps wants float, 'none' came"):
        config_from_table(Outer, {"inner": {"fps": "none"}}, "c.toml")


def test_every_kind_of_field_is_filled_and_the_rest_are_defaults(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(TOML)
    made = config_from_toml(Outer, path)
    assert made == Outer(
        inner=Inner(fps=2.0),
        kind="b",
        level=2,
        flag=True,
        name="x",
        file=Path("some/plan.png"),
        params=(1.0, 2.5),
        measured=("f1", "f2", 3.0),
        anything=[1, "x"],
        either="text",
    )
    assert [type(made.inner.fps), type(made.params[0]), type(made.measured[2])] == [float] * 3
    assert made.inner.limit == 1600


def test_an_empty_table_is_the_defaults() -> None:
    assert config_from_table(Outer, {}, "here") == Outer()
    assert config_from_table(Outer, {"file": None}, "here") == Outer()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"knid": "a"}, "here: unknown key knid; there are anything, either, file, flag, inner"),
        ({"inner": {"fsp": 1}}, "here: unknown key inner.fsp; there are fps, limit"),
        ({"derived": 1}, "here: unknown key derived"),
        ({"kind": "c"}, "here: kind wants one of a, b, 'c' came"),
        ({"level": True}, "here: level wants one of 1, 2, True came"),
        ({"flag": 1}, "here: flag wants bool, 1 came"),
        ({"name": 1}, "here: name wants str, 1 came"),
        ({"inner": {"fps": "2"}}, "here: inner.fps wants float, '2' came"),
        ({"inner": {"fps": True}}, "here: inner.fps wants float, True came"),
        ({"inner": {"limit": 2.5}}, "here: inner.limit wants int, 2.5 came"),
        ({"inner": {"limit": True}}, "here: inner.limit wants int, True came"),
        ({"inner": 3}, "here: inner wants a table, 3 came"),
        ({"file": 3}, "here: file wants a path, 3 came"),
        ({"params": 3}, "here: params wants a list of float, 3 came"),
        ({"params": [1.0, "x"]}, "here: params wants a list of float, [1.0, 'x'] came"),
        ({"measured": ["a", "b"]}, "here: measured wants a list [str, str, float]"),
        ({"either": 1.5}, "here: either wants int or str, 1.5 came"),
        ({"inner": {"fps": -1}}, "here: fps above 0 is wanted, -1.0 came"),
    ],
)
def test_what_does_not_fit_is_named(table: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        config_from_table(Outer, table, "here")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_an_optional_table_is_filled_too() -> None:
    assert config_from_table(Outer, {"maybe": {"fps": 3}}, "here").maybe == Inner(fps=3.0)
    with pytest.raises(InputError, match=r"unknown key maybe\.fsp; there are fps, limit"):
        config_from_table(Outer, {"maybe": {"fsp": 3}}, "here")


def test_a_field_without_a_default_is_asked_for() -> None:
    assert config_from_table(Required, {"place": "p"}, "here") == Required("p")
    with pytest.raises(InputError, match="here: a value of place is wanted, none came"):
        config_from_table(Required, {"count": 2}, "here")


def test_a_file_that_is_not_there_or_not_toml(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        config_from_toml(Outer, tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("kind = ")
    with pytest.raises(InputError, match="is not a TOML file"):
        config_from_toml(Outer, tmp_path / "bad.toml")


def test_it_imports_without_torch() -> None:
    script = (
        "import sys, sightline.records.config_file, sightline.tasks.absolute.config\n"
        "print('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
