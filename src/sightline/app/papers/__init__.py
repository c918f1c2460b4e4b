"""The papers whose tables and figures one command reproduces; light to import."""

from __future__ import annotations

from dataclasses import dataclass
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
        reproduce: ``(place, config, out, progress) -> Reproduction``.
    """

    number: str
    title: str
    config: str
    reproduce: str

    def load(self, part: str) -> Any:
        """Return one part, imported now."""
        module, _, attribute = str(getattr(self, part)).partition(":")
        return getattr(import_module(module), attribute)


PAPERS = {
    paper.number: paper
    for paper in (
        Paper(
            "000",
            "A Deep Learning Approach to Camera Pose Estimation",
            "sightline.app.papers.paper000.config:Paper000Config",
            "sightline.app.papers.paper000.reproduce:reproduce",
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
