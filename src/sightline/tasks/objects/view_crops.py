"""Crops of a set's views, read ahead by threads: what evaluation feeds a network with."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.media import read_photo
from sightline.records.objects import Box, ObjectSet, ObjectView
from sightline.tasks.objects.samples import crop

Photo = NDArray[np.uint8]


def crops_of(image: Photo, boxes: Sequence[Box], size: int, context: float) -> Photo:
    """Return (N, size, size, 3) crops of one picture; see :func:`.samples.crop`."""
    cut = [crop(image, box, size, context) for box in boxes]
    return np.stack(cut) if cut else np.zeros((0, size, size, 3), dtype=np.uint8)


def read_crops(data: ObjectSet, size: int, context: float, batch: int) -> Iterator[Photo]:
    """Yield the crops of a set's views in their order, about a batch at a time.

    Args:
        data: The views; neighbours of one image share its decoding.
        size: Side of the crops in pixels.
        context: What is seen round a box, as a share of its longer side.
        batch: How many crops at a time, and how many images ahead.

    Raises:
        InputError: A box without an area inside its picture; the message names the picture.
        MediaError: An image is missing or damaged; the message names it.
    """
    images = [list(group) for _, group in groupby(data.views, key=data.path)]

    def cut(views: Sequence[ObjectView]) -> Photo:
        path = data.path(views[0])
        image = read_photo(path)
        try:
            return crops_of(image, [view.box for view in views], size, context)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), "photos") as pool:
        # crops wait, never whole pictures, and no more of them than two batches
        waiting: deque[Future[Photo]] = deque()
        held: list[Photo] = []
        for views in images:
            waiting.append(pool.submit(cut, views))
            if len(waiting) > batch:
                held.append(waiting.popleft().result())
            if sum(map(len, held)) >= batch:
                yield np.concatenate(held)
                held = []
        held += [future.result() for future in waiting]
        if held:
            yield np.concatenate(held)
