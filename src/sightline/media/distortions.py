"""What happens to images between camera and network: compression, blur, noise, low light ..."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from sightline.errors import InputError

#: ``none`` is the pristine image. Levels are in each kind's own unit:
#: JPEG and WebP quality (1-100); blur and noise: standard deviation in pixels, in grey levels;
#: downscale: the factor by which both sides shrink; low light: the share of the light that is left.
Kind = Literal["none", "jpeg", "webp", "blur", "noise", "downscale", "lowlight"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Distortion:
    """One kind of distortion at one level.

    Attributes:
        kind: Of :data:`KINDS`.
        level: In the kind's own unit; 0 for ``none``.
    """

    kind: Kind
    level: float = 0.0

    def __str__(self) -> str:
        return "none" if self.kind == "none" else f"{self.kind}:{self.level:g}"


def parse_distortion(text: str) -> Distortion:
    """Return the distortion of ``KIND:LEVEL``, as :meth:`Distortion.__str__` writes it.

    Raises:
        InputError: No such kind, or no number.
    """
    kind, _, level = text.partition(":")
    found = {str(known): known for known in KINDS}.get(kind)
    try:
        if found is not None:
            return Distortion(found, float(level or 0))
    except ValueError:
        pass
    raise InputError(f"KIND:LEVEL is wanted, such as jpeg:10, {text!r} came; kinds: {KINDS}")
