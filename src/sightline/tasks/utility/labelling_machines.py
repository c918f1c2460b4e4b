"""Who labels: the machines that are named, else the package's own where they know the classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from sightline.errors import InputError
from sightline.records.utility import PristineSet
from sightline.tasks.utility.label_options import LabelOptions
from sightline.tasks.utility.machines.machine import Machine

Kind = Literal["classification", "detection"]
Load = Callable[[], Sequence[Machine]]


def loader(data: PristineSet, options: LabelOptions) -> Load:
    """Return what loads the machines, here or in another process.

    Raises:
        InputError: None are named, and the package's own do not know what the data show.
    """
    from sightline.tasks.utility.small import bundled_names

    kind: Kind = "detection" if options.task == "detection" else "classification"
    if options.specs():
        return partial(_load, tuple(map(_anywhere, options.specs())), kind)
    load = partial(_load, bundled_names(kind), kind)
    known = {name for machine in load() for name in machine.categories}
    if not data.categories or not known.issuperset(data.categories):
        raise InputError(
            f"machines that know what {data.name} shows are wanted: pass --models NAME,NAME (the "
            f"package's own know {', '.join(sorted(known)) or 'nothing'})"
        )
    return load


def checked(machines: Sequence[Machine], options: LabelOptions) -> tuple[Machine, ...]:
    """Return the machines.

    Raises:
        InputError: There is none, two have one name, or one does something else.
    """
    names = [machine.name for machine in machines]
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"one machine or more, each of a name of its own, is wanted; {', '.join(names)} came"
        )
    for machine in machines:
        if machine.kind != options.task:
            raise InputError(
                f"machines for {options.task} are wanted, {machine.name} is for {machine.kind}"
            )
    return tuple(machines)


def _load(specs: Sequence[str], kind: Kind) -> Sequence[Machine]:
    from sightline.tasks.utility.machines.load import load_machines

    return load_machines(specs, kind) if specs else ()


def _anywhere(spec: str) -> str:
    """Return a spec as workers that run in another folder can use it."""
    if Path(spec).exists():
        return str(Path(spec).resolve())
    name, colon, file = spec.partition(":")
    parts = (str(Path(part).resolve()) if Path(part).exists() else part for part in (name, file))
    return colon.join(parts) if colon else spec
