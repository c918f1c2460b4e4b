"""Rotations, rigid motions, similarity alignment, cameras and trajectory errors.

Conventions (docs/conventions.md): OpenCV axes (x right, y down, z forward); a pose named
``a_from_b`` maps points of frame b into frame a; quaternions are unit ``wxyz`` with ``w >= 0``;
angles are radians inside; pixel (0, 0) is the centre of the top-left pixel.
"""

from sightline.geometry.camera import Camera
from sightline.geometry.pose import Pose
from sightline.geometry.similarity import Similarity, fit_similarity, fit_similarity_robust

__all__ = ["Camera", "Pose", "Similarity", "fit_similarity", "fit_similarity_robust"]
