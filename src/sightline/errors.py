"""The one exception family; every message says what was wanted, what came, what to do next."""


class SightlineError(Exception):
    """A failure the user can act on; the CLI prints it as one line and exits with code 2."""


class InputError(SightlineError):
    """A file, folder, flag or value is not what the operation needs."""


class StorageError(SightlineError):
    """The disk is full: nothing is wrong with what was asked, and no other item fares better."""


class MediaError(InputError):
    """An image or a video cannot be read as it stands."""


class GeometryError(SightlineError):
    """The numbers do not determine the answer (degenerate, too few, non-finite)."""


class ReconstructionError(SightlineError):
    """Structure from motion did not give a usable map."""


class PlaceError(InputError):
    """A place folder is missing a stage, or holds one that does not fit."""


class TrainingError(SightlineError):
    """Training cannot go on (non-finite loss, no samples, a checkpoint that does not fit)."""


class NonFiniteLossError(TrainingError):
    """A term of the loss became NaN or infinite."""


class WeightsError(SightlineError):
    """Network weights cannot be had or do not fit the network."""


class CatalogError(InputError):
    """A name that is not in the catalogue, or is there twice."""


class RenderError(SightlineError):
    """A world cannot be rendered on this machine, or not with this camera."""
