"""A config dataclass from a TOML table: every key known, every value of its field's type."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union

from sightline.errors import InputError
from sightline.records.files import read_toml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def config_from_toml(config: type[T], path: Path) -> T:
    """Return a config dataclass with a TOML file's values over the defaults.

    Raises:
        InputError: The file is missing or is not TOML, or as :func:`config_from_table`.
    """
    return config_from_table(config, read_toml(path), str(path))


def config_from_table(config: type[T], table: Mapping[str, Any], source: str) -> T:
    """Return a config dataclass with a table's values over the defaults.

    Fields may be dataclasses (a table within the table), literals, tuples, paths, optional, or
    plain; a whole number does for a float, and ``"none"``, which TOML has no other word for, for
    None where no text is wanted; nothing else is converted.

    Args:
        config: The dataclass.
        table: Such as a TOML file's.
        source: Where the table came from, for messages.

    Raises:
        InputError: An unknown key (the known ones are listed), a key without a value, a value of
            another type, or one that the dataclass refuses; the message names source and key.
    """
    return _fill(config, table, source, "")


class _Misfit(Exception):  # noqa: N818 - never leaves this file
    """A value is not of the wanted type; the text says which type is."""


def _fill(config: type[T], table: Mapping[str, Any], source: str, prefix: str) -> T:
    fields = {field.name: field for field in dataclasses.fields(config) if field.init}
    unknown = [key for key in table if key not in fields]
    if unknown:
        raise InputError(
            f"{source}: unknown key {prefix}{unknown[0]}; there are {', '.join(sorted(fields))}"
        )
    hints = typing.get_type_hints(config)
    values: dict[str, Any] = {}
    for key, value in table.items():
        hint = hints[key]
        table_type = _table_type(hint)
        if table_type is not None and isinstance(value, Mapping):
            values[key] = _fill(table_type, value, source, f"{prefix}{key}.")
            continue
        try:
            values[key] = _fit(value, hint)
        except _Misfit as misfit:
            raise InputError(f"{source}: {prefix}{key} wants {misfit}, {value!r} came") from misfit
    for field in fields.values():
        given = field.name in values or field.default is not dataclasses.MISSING
        if not given and field.default_factory is dataclasses.MISSING:
            raise InputError(f"{source}: a value of {prefix}{field.name} is wanted, none came")
    try:
        return config(**values)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def _table_type(hint: Any) -> type[DataclassInstance] | None:
    """Return the dataclass that a table fills, for a dataclass or an optional one."""
    optional = typing.get_origin(hint) in (Union, types.UnionType)
    for member in typing.get_args(hint) if optional else (hint,):
        if isinstance(member, type) and dataclasses.is_dataclass(member):
            return member
    return None


def _fit(value: Any, hint: Any) -> Any:
    """Return the value as a field's type has it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is Literal:
        # By type too: True equals 1.
        if any(type(value) is type(choice) and value == choice for choice in arguments):
            return value
    elif origin in (Union, types.UnionType):
        for member in arguments:
            try:
                return _fit(value, member)
            except _Misfit:
                continue
    elif origin is tuple:
        return _fit_tuple(value, hint)
    elif hint is float and type(value) is int:
        return float(value)
    elif hint is Path and isinstance(value, str):
        return Path(value)
    elif type(value) is hint or (hint is types.NoneType and value is None):
        return value
    elif hint is types.NoneType and value == "none":
        return None
    raise _Misfit(_described(hint))


def _fit_tuple(value: Any, hint: Any) -> tuple[Any, ...]:
    members = typing.get_args(hint)
    if not isinstance(value, (list, tuple)):
        raise _Misfit(_described(hint))
    if members[-1] is Ellipsis:
        members = (members[0],) * len(value)
    if len(members) != len(value):
        raise _Misfit(_described(hint))
    try:
        return tuple(_fit(item, member) for item, member in zip(value, members, strict=True))
    except _Misfit as misfit:
        raise _Misfit(_described(hint)) from misfit


def _described(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(str(choice) for choice in arguments)}"
    if origin in (Union, types.UnionType):
        return " or ".join(_described(a) for a in arguments if a is not types.NoneType)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"a list of {_described(arguments[0])}"
        return f"a list [{', '.join(_described(a) for a in arguments)}]"
    if dataclasses.is_dataclass(hint):
        return "a table"
    return "a path" if hint is Path else getattr(hint, "__name__", str(hint))
