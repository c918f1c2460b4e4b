"""The folders of Su et al.'s rendered images (2015, "Render for CNN"): read and written."""

from __future__ import annotations

FOLDER = "syn_images_cropped_bkg_overlaid"

#: ShapeNet's folders of PASCAL3D+'s categories.
SYNSETS = {
    "02691156": "aeroplane",
    "02834778": "bicycle",
    "02858304": "boat",
    "02876657": "bottle",
    "02924116": "bus",
    "02958343": "car",
    "03001627": "chair",
    "04379243": "diningtable",
    "03790512": "motorbike",
    "04256520": "sofa",
    "04468005": "train",
    "03211117": "tvmonitor",
}
