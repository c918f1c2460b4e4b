"""The doctor: what is well and ill with a place, and the command that mends it."""

from sightline.app.doctor.examination import Examination, examine_place
from sightline.app.doctor.findings import Finding, Severity
from sightline.app.doctor.judgement import Diagnosis, diagnose

__all__ = ["Diagnosis", "Examination", "Finding", "Severity", "diagnose", "examine_place"]
