"""The model: is it whole, and is there a file for the Edge TPU where one is attached?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.doctor.check import Check
from edged.doctor.runtime import in_short, launch
from edged.engine.accelerator import BEST_TWIN
from edged.engine.edgetpu import find_edge_tpus
from edged.errors import ModelError, WorkerError
from edged.models.choose import choose
from edged.models.package import BASE, find_model, open_package
from edged.models.prove import open_proved
from edged.models.store import Store
from edged.updates.shelf import refusals_of

if TYPE_CHECKING:
    from pathlib import Path

    from edged.doctor.machine import Machine
    from edged.models.member import Package

NAME: Final = "model"
NO_TWIN: Final = (
    f"edged models install {BEST_TWIN} --use\n"
    "(until then the CPU labels; or give a package with a *_edgetpu.tflite as model.path)"
)


def look_at_model(machine: Machine) -> list[Check]:
    """Whether the configured model can be used, and on what."""
    model = machine.model
    chosen = None
    if model.path is None:
        store = Store(machine.state)
        chosen = choose(store, model.name, refusals_of(store).digests)
    if model.path is None and chosen is None and model.name != BASE:
        return [_missing(machine)]
    try:
        package = _open(machine, None if chosen is None else chosen.folder)
    except ModelError as error:
        cure = "install edged anew" if model.path is None else "model.path: name a package's folder or a .tflite file"
        return [Check(NAME, "problem", str(error), cure)]
    except WorkerError as error:
        return [
            Check(NAME, "warning", f"could not be tried out: {in_short(error)}", "first mend the runtime, see above")
        ]
    text = f"{package.ref.name} {package.ref.version}"
    attached = find_edge_tpus(machine.root)
    if not all(member.cpu for member in package.members) and not attached:
        cure = "attach an Edge TPU, or give a package that has a file for the CPU as well"
        return [Check(NAME, "problem", f"{text} is compiled for the Edge TPU alone, and none is attached", cure)]
    if machine.edge_tpu_matters(attached) and not any(member.edgetpu for member in package.members):
        return [Check(NAME, "warning", f"{text} has no file for the Edge TPU, so the CPU labels", NO_TWIN)]
    return [Check(NAME, "ok", text)]


def _missing(machine: Machine) -> Check:
    name = machine.model.name
    waiting = [entry for entry in Store(machine.state).entries() if entry.record.name == name]
    trying = next((entry for entry in waiting if entry.record.state == "probation"), None)
    if trying is not None:
        text = f"{trying.label} is on probation, and no other {name} has done well: a start begins with the base model"
        return Check(NAME, "warning", text, "let the service run: it tries the model by itself (edged models list)")
    if machine.registry is not None:
        text = f"model {name} has not come from the registry yet: the base model labels"
        return Check(NAME, "warning", text, "edged models update (it says why, where there is none)")
    cure = f"edged models install {name}, or name base in model.name, or give a file as model.path"
    text = f"there is no model {name!r} on this device: the base model labels, or nothing does"
    return Check(NAME, "problem", text, cure)


def _open(machine: Machine, stored: Path | None) -> Package:
    """As the daemon does: what lies at a configured path proves itself first; what is in the store has done so."""
    if machine.model.path is not None:
        return open_proved(machine.model.path, locale=machine.model.locale, launch=launch(machine))
    return open_package(find_model(BASE) if stored is None else stored)
