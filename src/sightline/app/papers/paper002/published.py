"""What paper 002 prints, as it stands there.

Its Figs. 5 and 7 are curves without numbers; numbers stand in Fig. 6's captions and in the text.
"""

from __future__ import annotations

from dataclasses import dataclass

TITLE = "Paper 002: Relative Camera Pose Estimation Using Convolutional Neural Networks"

#: Sec. 3.4: pairs of the five training landmarks and of Yorkminster.
TRAINING_PAIRS, VALIDATION_PAIRS = "581k", "22k"

#: Sec. 4.1: camera positions of a DTU scene -> (scenes, pairs whose frusta meet, all pairs).
DTU_SCENES = {49: (77, 512, 1176), 64: (47, 753, 2016)}


@dataclass(frozen=True)
class Example:
    """Errors under a pair of Fig. 6 in degrees: SURF's, and in brackets cnn-spp's."""

    roe: tuple[str, str]
    rte: tuple[str, str]


#: Fig. 6's three rows, two pairs each.
EXAMPLES = {
    "a": (
        Example(("92.35", "52.66"), ("113.62", "34.49")),
        Example(("57.86", "29.27"), ("118.9", "56.42")),
    ),
    "b": (
        Example(("9.05", "12.36"), ("13.51", "15.10")),
        Example(("19.93", "12.9"), ("53.74", "58.09")),
    ),
    "c": (
        Example(("10.53", "12.52"), ("3.23", "41.15")),
        Example(("9.24", "11.55"), ("15.42", "57.62")),
    ),
}

KINDS = {
    "a": "the classical method fails",
    "b": "both do",
    "c": "the classical method is better in translation",
}
