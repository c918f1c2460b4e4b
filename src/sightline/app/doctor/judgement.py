"""All checks of the doctor, in order, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.app.doctor.checks_map import (
    check_agreement,
    check_build,
    check_components,
    check_loop,
    check_points_seen,
    check_registered,
    check_reprojection,
    scaled_errors_px,
)
from sightline.app.doctor.checks_pictures import (
    check_blur,
    check_light,
    check_readable,
    check_texture,
)
from sightline.app.doctor.checks_place import (
    check_intrinsics,
    check_poses_fit_map,
    check_scale,
    check_splits,
)
from sightline.app.doctor.checks_walk import (
    check_jumps,
    check_parallax,
    check_rotation,
    check_upright,
)
from sightline.app.doctor.examination import Examination
from sightline.app.doctor.findings import SEVERITIES, Finding, Severity

#: In the order of the report; a check that has nothing to measure gives None.
CHECKS: tuple[Callable[[Examination], Finding | None], ...] = (
    check_build,
    check_registered,
    check_components,
    check_loop,
    check_jumps,
    check_reprojection,
    check_agreement,
    check_points_seen,
    check_parallax,
    check_rotation,
    check_readable,
    check_blur,
    check_light,
    check_texture,
    check_upright,
    check_intrinsics,
    check_poses_fit_map,
    check_scale,
    check_splits,
)

#: What `sightline doctor` exits with; 2 stays for what could not be looked at.
EXIT_CODES: dict[Severity, int] = {"good": 0, "note": 0, "warning": 3, "problem": 1}


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What the doctor says of a place.

    Attributes:
        exam: What was measured.
        findings: One for each thing looked at, in the order of :data:`CHECKS`.
    """

    exam: Examination
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> Severity:
        """The worst of all findings."""
        return max((f.severity for f in self.findings), key=SEVERITIES.index)

    @property
    def exit_code(self) -> int:
        """0 where nothing is worse than a note, 3 for warnings, 1 for problems."""
        return EXIT_CODES[self.severity]

    @property
    def counts(self) -> dict[Severity, int]:
        """How many findings there are of each severity."""
        found = Counter(f.severity for f in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values: findings, and the figures of every frame."""
        exam = self.exam
        return {
            "place": str(exam.place.root),
            "severity": self.severity,
            "exit_code": self.exit_code,
            "counts": self.counts,
            "unit": exam.place.unit,
            "findings": [finding.to_json() for finding in self.findings],
            "frames": _frame_rows(exam),
        }


def diagnose(exam: Examination) -> Diagnosis:
    """Return what all checks find."""
    found = (check(exam) for check in CHECKS)
    return Diagnosis(exam, tuple(finding for finding in found if finding is not None))


def _frame_rows(exam: Examination) -> list[dict[str, Any]]:
    errors = scaled_errors_px(exam)
    seen: dict[str, int] = {}
    if exam.fit is not None:
        seen = dict(zip(exam.fit.names, np.asarray(exam.fit.observations).tolist(), strict=True))
    causes = exam.report.get("unregistered") or {}
    rows = []
    for frame in exam.frames:
        picture = exam.pictures.get(frame.image)
        rows.append(
            {
                "image": frame.image,
                "timestamp_s": frame.timestamp_s,
                "posed": frame.world_from_cam is not None,
                "cause": causes.get(frame.image),
                "split": frame.split,
                "reprojection_px": _rounded(errors.get(frame.image)),
                "points": seen.get(frame.image),
                "features": exam.features.get(frame.image),
                "sharpness": _rounded(picture.sharpness if picture else None),
                "brightness": _rounded(picture.brightness if picture else None),
                "burnt": _rounded(picture.burnt if picture else None),
                "corners": picture.corners if picture else None,
            }
        )
    return rows


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
