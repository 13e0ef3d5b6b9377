"""Changes of a store, by one process at a time: a model comes, is chosen, goes."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import uuid
from typing import TYPE_CHECKING, Final

from edged.errors import CannotWriteError, EdgedError, PermissionDeniedError, UnavailableError, UsageError
from edged.file_lock import take
from edged.models.durable import move, replace_file, replace_link, sync_folder, writing
from edged.models.package import read_summary
from edged.models.record import Record, State
from edged.models.store import Entry, Store, is_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_SECONDS: Final = 60.0  # a model is proved under the lock


@contextlib.contextmanager
def changing(store: Store, patience: float = LOCK_SECONDS) -> Iterator[Change]:
    """Within, this process alone changes the store; what a crash left behind is cleaned away first.

    Raises:
        UnavailableError: another process changes it for longer than `patience` seconds.
        PermissionDeniedError, CannotWriteError: it cannot be written.
    """
    with writing(store.folder):
        check_owner(store)
        new = not store.folder.exists()
        for part in ("records", "staging", "downloads"):
            (store.folder / part).mkdir(parents=True, exist_ok=True)
        if new:
            sync_folder(store.folder.parent)
        lock = os.open(store.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        if not take(lock, patience):
            raise UnavailableError(f"{store.folder}: another edged is changing the models; try again later")
        change = Change(store)
        with writing(store.folder):
            change.clean()
        try:
            yield change
        finally:
            with contextlib.suppress(OSError):
                change.clean()
    finally:
        os.close(lock)


def check_owner(store: Store) -> None:
    """Root writes nowhere but in root's folders: what it left in the daemon's, the daemon could neither use nor clean.

    To write there and give it away would be worse: the daemon's user could lead root elsewhere with a link.

    Raises:
        PermissionDeniedError: this is root, and the store another user's.
    """
    if os.geteuid() != 0:
        return
    for place in (store.folder, *store.folder.parents):
        try:
            owner = place.stat().st_uid
        except OSError:
            continue
        if owner != 0:
            raise PermissionDeniedError(
                f"{place} belongs to user {_user(owner)}: run this as that user (sudo -u {_user(owner)} edged models …)"
            )
        return


def tidy(store: Store) -> None:
    """Take away what a crash left behind, where there is a store that this process may change, and nobody else does."""
    if os.path.exists(store.folder / "staging"):  # noqa: PTH110  Path's own raises for what it may not look at
        with contextlib.suppress(EdgedError), changing(store, patience=0.0):
            pass


class Change:
    """What may be done to a store by the one process that holds its lock. From `changing` alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.folder

    def stage(self) -> Path:
        """A new, empty folder on the store's disk, for a package that is to be proved and then put in."""
        path = self._scratch()
        with writing(path):
            path.mkdir()
        return path

    def put_in(self, staged: Path, source: str, state: State = "good") -> Entry:
        """Let a staged package, whose files are on the disk, be one of the store's.

        Args:
            staged: from `stage`, with a package in it that has been proved.
            source: where it comes from, for people.
            state: of its record; that of a model which is here already stays.

        Raises:
            ModelError: its manifest cannot be read.
            PermissionDeniedError, CannotWriteError: the store cannot be written.
        """
        ref = read_summary(staged).ref
        digest = ref.digest.removeprefix("sha256:")
        target = self._folder / digest
        with writing(target):
            sync_folder(staged)
            if os.path.lexists(target):
                if (entry := self._store.entry(digest)) is not None and is_whole(entry):
                    return entry
                move(target, self._scratch())  # it was torn: the new one takes its place
            self.record(digest, Record.now(ref.name, ref.version, source, state))
            move(staged, target)
        entry = self._store.entry(digest)
        if entry is None:
            raise CannotWriteError(f"{target}: gone as soon as it was written")
        return entry

    def record(self, digest: str, record: Record) -> None:
        """Write down what is known of a model. Raises OSError."""
        replace_file(self._folder / "records" / digest, record.to_json(), self._scratch())

    def use(self, entry: Entry | None) -> None:
        """Let this model label from now on; None is the base model that came with edged.

        The choice before is remembered where it is good: `rollback` leads to it. The choice is made in one rename. A
        process that dies before it has changed the memory alone: `previous` is then the same as `active`, and
        `rollback` leads to the base model.
        """
        before = self._store.active()
        if (entry and entry.digest) == (before and before.digest):
            return
        with writing(self._folder):
            if before is None or before.record.state == "good":
                self._link("previous", before)
            self._link("active", entry)

    def rollback(self) -> Entry | None:
        """Go back to the choice before this one; what was left is then the previous one. None is the base model.

        Raises:
            UsageError: nothing was ever chosen.
        """
        active, previous = self._store.active(), self._store.previous()
        if active is None and previous is None:
            raise UsageError("there is nothing to go back to: no other model than the base model was ever used")
        is_same = active is not None and previous is not None and active.digest == previous.digest
        if is_same or (previous is not None and previous.record.state != "good"):
            previous = None
        self.use(previous)
        return previous

    def drop(self, entry: Entry, instead: Entry | None) -> None:
        """Let a model be no choice any more, neither the present one nor the one before; it stays on the disk.

        Args:
            entry: which did not do well.
            instead: chosen where `entry` was; None is the base model.
        """
        active, previous = self._store.active(), self._store.previous()
        with writing(self._folder):
            if active is not None and active.digest == entry.digest:
                self._link("active", instead)
                active = instead
            if previous is not None and previous.digest in {entry.digest, active and active.digest}:
                self._link("previous", None)

    def remove(self, entry: Entry) -> None:
        """Take a model off the disk.

        Raises:
            UsageError: it is the one that labels.
            PermissionDeniedError, CannotWriteError: the store cannot be written.
        """
        active, previous = self._store.active(), self._store.previous()
        if active is not None and active.digest == entry.digest:
            raise UsageError(f"{entry.label} is in use; first: edged models use base (or another one)")
        with writing(entry.folder):
            if previous is not None and previous.digest == entry.digest:
                self._link("previous", None)
            move(entry.folder, self._scratch())
        self.clean()

    def clean(self) -> None:
        """Take away what a crash left: staged folders, and records without a model. Raises OSError."""
        for path in (self._folder / "staging").iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        for path in (self._folder / "records").iterdir():
            if not (self._folder / path.name).is_dir():
                path.unlink()

    def _link(self, name: str, entry: Entry | None) -> None:
        if entry is not None:
            replace_link(self._folder / name, entry.digest, self._scratch())
        else:
            (self._folder / name).unlink(missing_ok=True)
            sync_folder(self._folder)

    def _scratch(self) -> Path:
        return self._folder / "staging" / uuid.uuid4().hex


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"
