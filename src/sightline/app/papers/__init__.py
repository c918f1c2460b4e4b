"""The papers whose tables and figures one command reproduces; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import Any

from sightline.errors import CatalogError


@dataclass(frozen=True)
class Paper:
    """One paper, its parts named as ``module:attribute`` so that nothing loads before it is used.

    Attributes:
        number: As on the command line.
        title: The paper's own.
        config: A frozen dataclass of what can be asked; its module imports without torch.
        data: ``(path) -> data``: how its data are opened.
        data_help: What that path is, for the help.
        reproduce: ``(data, config, out, progress) -> Reproduction``.
        default_out: Where results go, as the help says it.
        needs_data: Whether a path must be given; where not, ``reproduce`` takes None.
    """

    number: str
    title: str
    config: str
    data: str
    data_help: str
    reproduce: str
    default_out: str
    needs_data: bool = True

    def load(self, part: str) -> Any:
        """Return one part, imported now."""
        module, _, attribute = str(getattr(self, part)).partition(":")
        return reduce(getattr, attribute.split("."), import_module(module))


PAPERS = {
    paper.number: paper
    for paper in (
        Paper(
            "000",
            "A Deep Learning Approach to Camera Pose Estimation",
            "sightline.app.papers.paper000.config:Paper000Config",
            "sightline.records.place:Place.open",
            "A built place; a floor is rendered and mapped into OUT/floor where not given.",
            "sightline.app.papers.paper000.reproduce:reproduce",
            "PLACE/runs/reproduce-000, or runs/reproduce-000 here,",
            needs_data=False,
        ),
        Paper(
            "001",
            "Convolutional Networks for Object Category and 3D Pose Estimation from 2D Images",
            "sightline.app.papers.paper001.config:Paper001Config",
            "sightline.datasets.objects:open_objects",
            "Objects with boxes and poses; they are rendered into OUT/objects where not given.",
            "sightline.app.papers.paper001.reproduce:reproduce",
            "DATA/runs/reproduce-001, or runs/reproduce-001 here,",
            needs_data=False,
        ),
        Paper(
            "002",
            "Relative Camera Pose Estimation Using Convolutional Neural Networks",
            "sightline.app.papers.paper002.config:Paper002Config",
            "sightline.datasets.pairs:open_pairs",
            "Image pairs with poses; rooms are rendered into OUT/rooms where not given.",
            "sightline.app.papers.paper002.reproduce:reproduce",
            "PAIRS/runs/reproduce-002, or runs/reproduce-002 here,",
            needs_data=False,
        ),
        Paper(
            "003",
            "DIP Project: Depth Anything: Unleashing the Power of Large-Scale Unlabeled Data",
            "sightline.app.papers.paper003.config:Paper003Config",
            "sightline.datasets.depth:open_depth",
            "Images with depth; scenes are rendered into OUT/depth where not given.",
            "sightline.app.papers.paper003.reproduce:reproduce",
            "DATA/runs/reproduce-003, or runs/reproduce-003 here,",
            needs_data=False,
        ),
        Paper(
            "004",
            "Towards an Image Utility Assessment Framework for Machine Perception",
            "sightline.app.papers.paper004.config:Paper004Config",
            "sightline.datasets.utility:open_pristine",
            "Undistorted images; objects are rendered into OUT/objects where not given.",
            "sightline.app.papers.paper004.reproduce:reproduce",
            "DATA/runs/reproduce-004, or runs/reproduce-004 here,",
            needs_data=False,
        ),
    )
}


def find_paper(number: str) -> Paper:
    """Return a paper by its number.

    Raises:
        CatalogError: It is not there (yet); the message lists those that are.
    """
    if number not in PAPERS:
        there = "; ".join(f"{paper.number} ({paper.title})" for paper in PAPERS.values())
        raise CatalogError(f"paper {number!r} cannot be reproduced yet; there is: {there}")
    return PAPERS[number]
