"""Figures without pyplot, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sightline.records.files import atomic_path


def new_figure(width: float, height: float, columns: int) -> tuple[Any, list[Any]]:
    """Return a figure of ``width`` x ``height`` inches and its axes, side by side."""
    # no pyplot: it keeps global state, and would open a window where there is a display
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, columns, i + 1) for i in range(columns)]


def save_figure(figure: Any, path: Path) -> Path:
    """Write a figure as PNG, atomically; return its path."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    return path
