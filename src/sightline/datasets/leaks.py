"""Splits that leak: the same picture or source in two of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sightline.errors import InputError


def refuse_leaks(table: Path, rows: Iterable[tuple[str, str, str]], what: str) -> None:
    """Raise where one picture or source is in two splits: scores would then be too good.

    Args:
        table: The set, for the message.
        rows: Split, picture and source of each; empty ones are passed over.
        what: What the rows are, in the plural, for the message.

    Raises:
        InputError: One is.
    """
    splits: dict[tuple[str, str], str] = {}
    for split, picture, source in rows:
        for key in (("picture", picture), ("source", source)):
            if not split or not key[1]:
                continue
            before = splits.setdefault(key, split)
            if before != split:
                raise InputError(
                    f"{table}: the {key[0]} {key[1]} is in {before} and in {split}; put all "
                    f"{what} of one picture and of one source into one split"
                )
