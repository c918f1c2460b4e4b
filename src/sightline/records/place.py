"""A place on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from sightline.errors import GeometryError, PlaceError, SightlineError
from sightline.geometry import Pose, Similarity
from sightline.records.files import locked_folder, read_toml, write_json, write_toml
from sightline.records.frames import PosedFrame, read_poses_csv, write_poses_csv
from sightline.records.plan import FloorPlan

#: What a map is made by, in this order; made anew, it loses what was added to it.
MAP_STAGES = ("frames", "features", "matches", "map", "loops", "poses")
#: What a plan that no longer fits is renamed to: kept, but no longer used.
OLD_PLAN = "plan.old.toml"
#: Says what is being moved into a place; it exists only when everything new is whole.
JOURNAL = "committing.json"


class Place:
    """A place folder: images, reconstruction, poses, floor plan, caches and runs.

    ``place.toml`` holds ``name``, ``source``, ``unit`` ("m" or "arbitrary"), and the tables
    ``frames``, ``camera``, ``alignment`` and ``stages`` (name -> digest of its inputs).
    """

    def __init__(self, root: Path, content: dict[str, Any]) -> None:
        """Use :meth:`open` or :meth:`create`."""
        self.root = root
        self._content = content

    @classmethod
    def open(cls, root: str | Path) -> Place:
        """Return an existing place; a :meth:`commit` that was killed half-way is finished first.

        Raises:
            PlaceError: The folder is not a place.
        """
        root = Path(root)
        if not (root / "place.toml").is_file():
            raise PlaceError(
                f"{root} is not a place (no place.toml); make one with "
                f"`sightline build VIDEO {root}`"
            )
        place = cls(root, {})
        place.reload()
        return place

    def reload(self) -> None:
        """Read ``place.toml`` again: others may have changed it since."""
        self._content = read_toml(self.root / "place.toml")
        self._finish_commit()

    @classmethod
    def create(cls, root: str | Path, *, source: str) -> Place:
        """Return the place at ``root``, made where it is not there yet.

        Raises:
            PlaceError: ``root`` holds other things, or is a place made of another source.
        """
        root = Path(root)
        if (root / "place.toml").is_file():
            place = cls.open(root)
            if place.content.get("source") != source:
                raise PlaceError(
                    f"{root} was built from {place.content.get('source')}, not from {source}; "
                    "choose another folder (nothing was changed)"
                )
            return place
        if root.exists() and (not root.is_dir() or any(map(_is_somebodys, root.iterdir()))):
            raise PlaceError(
                f"an empty or new folder is wanted, {root} holds other things; choose another "
                "(nothing was changed)"
            )
        root.mkdir(parents=True, exist_ok=True)
        place = cls(root, {"name": root.resolve().name, "source": source, "unit": "arbitrary"})
        place.update()
        return place

    @property
    def content(self) -> dict[str, Any]:
        """What ``place.toml`` says."""
        return self._content

    def update(self, **values: Any) -> None:
        """Set top-level keys or tables of ``place.toml`` (None removes one) and write it.

        What other processes wrote meanwhile stays: the file is read again under a lock first.
        """
        self._edit(lambda content: content.update(values))

    def _edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.root / "place.toml"
        with locked_folder(self.root):
            content = read_toml(path) if path.is_file() else dict(self._content)
            change(content)
            content = {key: value for key, value in content.items() if value is not None}
            write_toml(path, content)
        self._content = content

    def commit(self, work: Path, moves: Mapping[Path, Path], settings: Mapping[str, Any]) -> None:
        """Move new files and folders to where the old ones are, and set keys of ``place.toml``.

        Nothing of the old is touched before the journal of all moves is written; from there on
        :meth:`open` goes on to the end, whatever opens the place.

        Args:
            work: A folder inside the place, removed at last with all that is left in it.
            moves: New file or folder, inside the place -> where it goes, inside the place.
            settings: Keys of ``place.toml``.
        """
        rows = [[str(path.relative_to(self.root)) for path in move] for move in moves.items()]
        journal = {"work": str(work.relative_to(self.root)), "moves": rows}
        path = self.reconstruction_dir / JOURNAL
        write_json(path, {**journal, "settings": dict(settings)})
        self._finish_commit()

    def _finish_commit(self) -> None:
        journal = self.reconstruction_dir / JOURNAL
        if not journal.is_file():
            return
        with locked_folder(self.reconstruction_dir):
            if not journal.is_file():  # another process was faster
                self.update()
                return
            content = json.loads(journal.read_text(encoding="utf-8"))
            work = self.root / content["work"]
            for number, (new, target) in enumerate(content["moves"]):
                source, path = self.root / new, self.root / target
                if not source.exists():  # moved before the kill
                    continue
                if path.is_dir():
                    path.rename(work / f"old-{number}")
                path.parent.mkdir(parents=True, exist_ok=True)
                source.replace(path)
            self.update(**content["settings"])
            journal.unlink()
        shutil.rmtree(work, ignore_errors=True)

    @property
    def name(self) -> str:
        """The place's name."""
        return str(self._content.get("name", self.root.name))

    @property
    def unit(self) -> str:
        """``m`` where the scale is known, else ``arbitrary``."""
        return str(self._content.get("unit", "arbitrary"))

    @property
    def images_dir(self) -> Path:
        """``images/``."""
        return self.root / "images"

    @property
    def masks_dir(self) -> Path:
        """``masks/``: what of each frame is ignored, where the place was built with masks."""
        return self.root / "masks"

    @property
    def reconstruction_dir(self) -> Path:
        """``reconstruction/``."""
        return self.root / "reconstruction"

    @property
    def model_dir(self) -> Path:
        """``reconstruction/model``: the chosen COLMAP model, in the map's own frame."""
        return self.reconstruction_dir / "model"

    @property
    def database_path(self) -> Path:
        """``reconstruction/database.db``."""
        return self.reconstruction_dir / "database.db"

    @property
    def poses_path(self) -> Path:
        """``poses.csv``."""
        return self.root / "poses.csv"

    @property
    def plan_path(self) -> Path:
        """``plan.toml``."""
        return self.root / "plan.toml"

    @property
    def cache_dir(self) -> Path:
        """``cache/``."""
        return self.root / "cache"

    @property
    def runs_dir(self) -> Path:
        """``runs/``."""
        return self.root / "runs"

    def frames(self) -> list[PosedFrame]:
        """Return all frames of ``poses.csv``, registered or not, in order.

        Raises:
            PlaceError: The place has no poses yet.
        """
        if not self.poses_path.is_file():
            raise PlaceError(
                f"{self.root} has no poses.csv yet; finish `sightline build` (it resumes)"
            )
        return read_poses_csv(self.poses_path)

    def registered(self, split: str | None = None) -> list[PosedFrame]:
        """Return frames that have a pose, of one split or of all."""
        return [
            f
            for f in self.frames()
            if f.world_from_cam is not None and (split is None or f.split == split)
        ]

    @property
    def added(self) -> list[dict[str, Any]]:
        """What ``place.toml`` says of recordings added since the build, in order."""
        return [dict(table) for table in self._content.get("added", [])]

    def walks(self) -> list[list[PosedFrame]]:
        """Return the frames by recording: those of the build, then of each that was added."""
        prefixes = [str(table["prefix"]) for table in self.added]
        walks: list[list[PosedFrame]] = [[] for _ in range(len(prefixes) + 1)]
        for frame in self.frames():
            of = [i for i, prefix in enumerate(prefixes, 1) if frame.image.startswith(prefix)]
            walks[of[0] if of else 0].append(frame)
        return walks

    def write_frames(self, frames: Sequence[PosedFrame]) -> None:
        """Write ``poses.csv``."""
        write_poses_csv(self.poses_path, frames)

    @property
    def plan(self) -> FloorPlan | None:
        """The attached floor plan, or None."""
        return FloorPlan.read(self.plan_path) if self.plan_path.is_file() else None

    @property
    def alignment(self) -> dict[str, Any]:
        """What ``place.toml`` says of the alignment; empty where there is none.

        Raises:
            PlaceError: It is no table.
        """
        table = self._content.get("alignment") or {}
        if not isinstance(table, Mapping):
            raise self._misaligned(f"a table is wanted, {table!r} came")
        return dict(table)

    @property
    def world_from_map(self) -> Similarity:
        """The alignment: from the reconstruction's own frame to the world of ``poses.csv``."""
        try:
            return alignment_similarity(self.alignment)
        except (KeyError, TypeError, ValueError, GeometryError) as error:
            raise self._misaligned(str(error)) from error

    def _misaligned(self, reason: str) -> PlaceError:
        return PlaceError(
            f"{self.root / 'place.toml'}: [alignment] does not read ({reason}); "
            f"run `sightline align {self.root}` again"
        )

    def set_alignment(self, world_from_map: Similarity, unit: str, **details: Any) -> None:
        """Store the alignment (with its method and residuals) and the world's unit."""
        self.update(
            unit=unit,
            alignment={
                "scale": world_from_map.scale,
                "q_wxyz": world_from_map.pose.q_wxyz.tolist(),
                "translation": world_from_map.pose.translation.tolist(),
                **details,
            },
        )

    def stage(
        self, name: str, inputs_digest: str, outputs: Sequence[Path], run: Callable[[], None]
    ) -> bool:
        """Run a stage unless its inputs' digest is unchanged and its outputs are there.

        The digest is stored only after ``run`` returns, so a killed stage runs again.

        Args:
            name: The stage's name in ``place.toml``.
            inputs_digest: Digest of everything the outcome depends on.
            outputs: Files and folders the stage makes.
            run: Makes them.

        Returns:
            True where the stage ran, False where it was skipped.

        Raises:
            PlaceError: ``run`` returned without making an output, or the place has recordings that
                were added to what the stage would make anew.
        """
        done = self._content.get("stages", {}).get(name)
        if done == inputs_digest and all(path.exists() for path in outputs):
            return False
        if done is not None and self.added and name in MAP_STAGES:
            lost = [path for path in outputs if not path.exists()] if done == inputs_digest else []
            self.refuse_anew(name, *lost)
        if done is not None:
            self._edit(lambda content: content.get("stages", {}).pop(name, None))
        run()
        missing = [path for path in outputs if not path.exists()]
        if missing:
            raise PlaceError(
                f"stage {name} should have made {missing[0]} but did not; run it again"
            )
        self._edit(lambda content: content.setdefault("stages", {}).update({name: inputs_digest}))
        return True

    def refuse_anew(self, stage: str, *lost: Path) -> NoReturn:
        """Say that a stage is not run again, since that would lose the added recordings.

        Args:
            stage: Its name.
            lost: What it made and is not there, where its inputs are the same.

        Raises:
            PlaceError: Always.
        """
        many = f"{self.root} has {len(self.added)} recordings added to its map, which"
        if lost:
            raise PlaceError(
                f"{many} making {lost[0]} anew, which is not there any more (stage {stage}), would "
                "lose; put it back, or build into another folder (nothing was changed)"
            )
        raise PlaceError(
            f"{many} making the stage {stage} anew would lose; build into another folder, or with "
            "the flags of before (nothing was changed)"
        )


@contextmanager
def taken_back_on_failure(root: Path) -> Iterator[None]:
    """Take back the place that is begun within, should that fail: a wrong source leaves no folder.

    A place that was there before stays, and so does one that holds more than ``place.toml``.
    """
    made, fresh = not root.exists(), not (root / "place.toml").exists()
    try:
        yield
    except SightlineError:
        if fresh and root.is_dir() and {path.name for path in root.iterdir()} == {"place.toml"}:
            (root / "place.toml").unlink()
            if made:
                root.rmdir()
        raise


def alignment_similarity(table: Mapping[str, Any]) -> Similarity:
    """Return ``world_from_map`` of an alignment table; the identity of an empty one."""
    if not table:
        return Similarity.identity()
    return Similarity(
        float(table["scale"]),
        Pose(np.asarray(table["q_wxyz"], float), np.asarray(table["translation"], float)),
    )


def _is_somebodys(path: Path) -> bool:
    """Return False for what a killed :meth:`Place.create` leaves behind."""
    return not (path.name.startswith(".place.toml.") and path.name.endswith(".tmp.toml"))
