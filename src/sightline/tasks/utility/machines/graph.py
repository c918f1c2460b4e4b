"""Networks in files, whatever runs them: numbers in, named numbers out; imports without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.tasks.utility.machines.adapter import Adapter
from sightline.tasks.utility.machines.reading import Layout, Reading

#: Channels of a colour picture.
_CHANNELS = 3


@dataclass(frozen=True)
class GraphInput:
    """What goes into a graph.

    Attributes:
        width: In pixels; 0 where the graph leaves it open.
        height: The same.
        layout: Order of the axes; None where the graph leaves it open.
        batch: Images at once; 0 where the graph leaves it open.
        batched: Whether there is an axis of images at all.
        normal: The scale, mean and standard deviation by which pixels become what it takes, where
            its numbers are whole ones that say so; None: nothing is said.
    """

    width: int
    height: int
    layout: Layout | None
    batch: int
    batched: bool = True
    normal: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class GraphOutput:
    """What comes out of a graph.

    Attributes:
        name: In the file.
        shape: -1 where the graph leaves a length open.
        whole: Whether its numbers are whole ones by their type.
        shares: Whether its numbers are 8-bit shares of 1, as TFLite writes probabilities.
    """

    name: str
    shape: tuple[int, ...]
    whole: bool = False
    shares: bool = False


class Graph(Protocol):
    """A network in a file."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def input(self) -> GraphInput:
        """What goes in."""

    @property
    def outputs(self) -> tuple[GraphOutput, ...]:
        """What comes out, in the file's order."""

    def run(self, values: NDArray[np.float32]) -> Mapping[str, NDArray[Any]]:
        """Return what comes out of a float32 batch in the graph's layout, by name."""


@dataclass(frozen=True)
class Defaults:
    """How pictures are read where neither graph nor adapter says so.

    Attributes:
        size: Pixels of either side.
        reading: The rest.
    """

    size: int
    reading: Reading = field(default_factory=Reading)


def input_of(shape: Sequence[Any], path: Path, layout: Layout | None) -> GraphInput:
    """Return what a shape says of a graph's input.

    Args:
        shape: Of the input: whole numbers, or anything else where a length is open.
        path: For messages.
        layout: As the adapter says it.

    Raises:
        InputError: It is of no batch of colour pictures.
    """
    sizes = [n if isinstance(n, int) and n > 0 else 0 for n in shape]
    came = "(" + ", ".join(str(n) if n else "?" for n in sizes) + ")"
    if len(sizes) not in (3, 4):
        raise InputError(
            f"{path}: an input of colour pictures, (N, 3, H, W) or (N, H, W, 3), is wanted, "
            f"{came} came"
        )
    batch, axes = (sizes[0], sizes[1:]) if len(sizes) == 4 else (1, sizes)
    chosen = layout or _layout(axes)
    if chosen is None:
        raise InputError(
            f"{path}: an input of colour pictures, (N, 3, H, W) or (N, H, W, 3), is wanted, {came} "
            f'came; say `layout = "nchw"` or "nhwc" in {path.with_suffix(".toml").name}'
        )
    if axes[0 if chosen == "nchw" else 2] not in (0, _CHANNELS):
        raise InputError(f"{path}: the input {came} is not of the layout {chosen}")
    height, width = axes[1:] if chosen == "nchw" else axes[:2]
    return GraphInput(width, height, chosen, batch, batched=len(sizes) == 4)


def _layout(axes: Sequence[int]) -> Layout | None:
    """Return where the three channels are; None where that is open."""
    first, last = axes[0] == _CHANNELS, axes[2] == _CHANNELS
    if first != last:
        return "nchw" if first else "nhwc"
    return None


def reading_of(graph: Graph, adapter: Adapter, defaults: Defaults) -> Reading:
    """Return how a graph reads pictures: as its file says, then its adapter, then by default.

    Raises:
        InputError: Graph and adapter name different sizes.
    """
    own, kept = graph.input, defaults.reading
    values: dict[str, Any] = {}
    if own.normal is not None:
        scale, mean, std = own.normal
        values = {"scale": scale, "mean": (mean,) * _CHANNELS, "std": (std,) * _CHANNELS}
    base = Reading(
        **{
            **{name: getattr(kept, name) for name in Reading.__dataclass_fields__},
            **values,
            "width": own.width or (adapter.size or (defaults.size,))[0],
            "height": own.height or (adapter.size or (defaults.size,))[-1],
            "layout": own.layout or "nchw",
        }
    )
    reading = adapter.reading(base)
    fixed = (own.width or reading.width, own.height or reading.height)
    if (reading.width, reading.height) != fixed:
        raise InputError(
            f"{graph.path} takes {fixed[0]}x{fixed[1]} pixels, its .toml says "
            f"{reading.width}x{reading.height}; leave `size` out"
        )
    return reading


def run_rows(graph: Graph, values: NDArray[np.float32]) -> Mapping[str, NDArray[Any]]:
    """Return what comes out of a batch that may be shorter than the graph's own.

    The last picture is repeated where the graph's batch is fixed; its answers are cut off again.
    """
    own, rows = graph.input, len(values)
    if own.batch > rows:
        values = np.concatenate([values, np.repeat(values[-1:], own.batch - rows, axis=0)])
    return {name: out[:rows] for name, out in graph.run(values).items()}


def run_one(graph: Graph, values: NDArray[np.float32]) -> Mapping[str, NDArray[Any]]:
    """Return what comes out of one picture, (1, ...), whether or not there is an axis of pictures.

    Detectors give as many numbers as they find things, so that nothing says which axis of an output
    is that of pictures; only a graph that must have several gives answers for each.
    """
    own = graph.input
    if not own.batched:
        return graph.run(values[0])
    if own.batch <= 1:
        return graph.run(values)
    return run_rows(graph, values)
