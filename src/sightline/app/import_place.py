"""What an imported place still needs: validation out of its training part, and the split tables."""

from __future__ import annotations

from collections import Counter

from sightline.records import Place
from sightline.records.paper_csv import write_split_tables
from sightline.records.splits import hold_out_validation

#: A smaller training part is left whole.
FEWEST_FRAMES = 20


def complete_splits(place: Place, validation: float) -> str | None:
    """Give a place with an official split its validation; return a note where that cannot be.

    The last stretch of the training frames becomes validation, with a gap before it; the test part
    is not touched. A place that brings validation of its own keeps it, one without parts has none.

    Args:
        place: Just imported; its ``poses.csv`` and split tables are written.
        validation: Share of the training frames; 0 takes none.

    Raises:
        InputError: The share leaves no training frame.
    """
    frames = place.frames()
    parts = Counter(frame.split for frame in frames if frame.world_from_cam is not None)
    if not parts["train"]:
        return None
    note = None
    if validation > 0 and not parts["validation"]:
        if parts["train"] < FEWEST_FRAMES:
            note = f"{parts['train']} training frames are too few to hold some out for validation"
        else:
            frames = hold_out_validation(frames, validation)
            place.write_frames(frames)
    place.update(split="official")
    write_split_tables(place.root, frames)
    return note
