"""The models that are installed: are those that label, or did before, what they were when they came?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.doctor.check import Check
from edged.errors import ModelError
from edged.models.store import Store, open_entry
from edged.updates.shelf import refusals_of

if TYPE_CHECKING:
    from edged.doctor.machine import Machine
    from edged.models.store import Entry

NAME: Final = "models"


def look_at_models(machine: Machine) -> list[Check]:
    """Whether the chosen model and the one before it are whole. Others are for `edged models verify`."""
    store = Store(machine.state)
    entries, active, previous = store.entries(), store.active(), store.previous()
    if not entries:
        return [Check(NAME, "absent", f"none is installed in {store.folder}: there is the base model")]
    problems = []
    if active is not None and (error := _damage(active)) is not None:
        cure = f"edged models use base\nedged models remove sha256:{active.digest[:12]}\n{_again(machine, active)}"
        problems.append(Check(NAME, "problem", f"{active.label} was chosen to label, and cannot: {error}", cure))
    if previous is not None and (error := _damage(previous)) is not None:
        cure = f"edged models remove sha256:{previous.digest[:12]}"
        problems.append(Check(NAME, "warning", f"{previous.label}, to go back to, is damaged: {error}", cure))
    if problems:
        return problems
    chosen = "base" if active is None else active.label
    trial = next((entry.label for entry in entries if entry.record.state == "probation"), None)
    refused = len(refusals_of(store).all)
    text = f"{len(entries)} installed; chosen: {chosen}, whole"
    text += f"; on probation: {trial}" if trial else ""
    text += f"; refused by updates: {refused} (edged models list)" if refused else ""
    return [Check(NAME, "ok", text)]


def _damage(entry: Entry) -> str | None:
    try:
        open_entry(entry)
    except ModelError as error:
        return str(error)
    return None


def _again(machine: Machine, entry: Entry) -> str:
    """How it comes back."""
    if machine.registry is not None and entry.record.source.startswith("registry: "):
        return "edged models update"
    return f"edged models install {entry.record.name} --use   (it came from: {entry.record.source})"
