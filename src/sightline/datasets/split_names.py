"""Names of folders that say which part of a data set they hold."""

from __future__ import annotations

import re

_PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_NAME = re.compile(r"([a-z]+)[-_]?\d*")


def split_of(name: str) -> str:
    """Return ``train``, ``validation`` or ``test`` of a folder's name; empty where it is none.

    Numbers behind it do not count: ``train2017`` is ``train``.
    """
    found = _NAME.fullmatch(name.lower())
    return _PARTS.get(found[1], "") if found else ""
