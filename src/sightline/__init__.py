"""Sightline: images into geometry and judgement.

The public face is small: :func:`load_place` and what it returns. Everything else is
importable from its own module but not advertised. Importing this package is cheap: torch and
pycolmap are imported where they are first needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.app.loaded_place import LoadedPlace

__version__ = "0.1.0"
__all__ = ["__version__", "load_place"]


def load_place(root: str | Path, run: str | None = None) -> LoadedPlace:
    """Return a built place, ready to say where photos were taken.

    Args:
        root: The place's folder (``sightline build`` makes it).
        run: Name of the run whose network proposes; None takes the best by validation.

    Raises:
        PlaceError: The folder is not a place, or has neither a map nor a trained network.
    """
    from sightline.app.loaded_place import LoadedPlace

    return LoadedPlace.open(root, run)
