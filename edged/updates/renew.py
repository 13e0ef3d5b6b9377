"""What expires, signed again in time; and keys exchanged for new ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from edged.errors import UsageError
from edged.updates.exclusive import exclusive
from edged.updates.initial import Quorum, set_root_keys
from edged.updates.repository import ONLINE, Repository, lifetimes, set_lifetimes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edged.updates.keys import Keys
    from edged.updates.served import Served

ROLES: Final = (Root.type, Targets.type, Snapshot.type, Timestamp.type)
_DUE: Final = 0.5  # of its time is over: a run may then be missed, and a cron job may come as seldom as that
_LATE: Final = 0.25  # of its time is left, and less than a month: somebody has to be told where the key is not here
_MONTH: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Renewal:
    """A role that was due. `renewed` is False where its keys are not at hand, `late` where that has become urgent."""

    role: str
    expires: datetime
    renewed: bool
    late: bool = False


@dataclass(frozen=True, slots=True)
class Rotated:
    """A role's new keys by their ids, and the files of old ones, which sign no more."""

    keys: tuple[str, ...]
    retired: tuple[Path, ...]


def refresh(folder: Path, keys: Keys) -> tuple[Renewal, ...]:
    """Sign again what has less than half of its time left, as far as its keys are at hand.

    Raises:
        RegistryError, UnavailableError, PermissionDeniedError, CannotWriteError: as `exclusive` and `Repository`.
    """
    with exclusive(folder) as staging:
        repository = Repository(folder, staging, keys)
        due = [role for role in ROLES if _left(repository.served, role) < _DUE]
        here = [role for role in due if _at_hand(repository, role)]
        if Root.type in here:
            repository.change_root(lambda root: None)  # noqa: ARG005  only its version and its expiry
        online = [role for role in here if role != Root.type]
        if online:
            repository.require_keys(*_signers(online))
            repository.commit(renew=online)
        return tuple(
            Renewal(role, repository.served.role(role).expires, role in here, _is_late(repository.served, role))
            for role in due
        )


def rotate(  # noqa: PLR0913  what an operator may say
    folder: Path,
    keys: Keys,
    role: str,
    *,
    only: Sequence[str] = (),
    quorum: Quorum | None = None,
    wanted: Mapping[str, int] | None = None,
) -> Rotated:
    """Exchange a role's keys for new ones, without a moment in which a device could not follow.

    The root role's: one new root, signed by old and new keys. Another's: a root that names old and new keys, what the
    role signs signed anew, then a root that names the new keys alone. Old keys of such a role need not be at hand.

    Args:
        folder: the registry's.
        keys: a quorum of root keys, and those that sign in turn what the role signs.
        role: one of `ROLES`.
        only: ids of the root keys to exchange, or how they begin; empty: all of the role's keys.
        quorum: how many root keys there shall be; None: as many as now.
        wanted: how long what each role signs shall hold from now on, in seconds; roles that are not named: as now.

    Raises:
        UsageError: `only` or `quorum` do not fit.
        RegistryError: too few keys are at hand.
        UnavailableError, PermissionDeniedError, CannotWriteError: as `exclusive` and `Repository`.
    """
    if role != Root.type and (quorum is not None or only):
        raise UsageError(f"--threshold, --root-keys and --only are for the root role; {role} has one key")
    with exclusive(folder) as staging:
        repository = Repository(folder, staging, keys)
        repository.require_keys(Root.type)
        old = set(_chosen(repository.served.root, role, only))
        if role == Root.type:
            repository.change_root(lambda root: _exchange_root(root, keys, old, quorum, wanted or {}))
        else:
            repository.require_keys(*_signers([role])[1:])
            _exchange(repository, role, old, wanted or {})
        retired = keys.retire(old)
        keys.rename(repository.served.root)
        new = [keyid for keyid in repository.served.root.roles[role].keyids if keyid not in old]
        return Rotated(tuple(new), tuple(retired))


def _left(served: Served, role: str) -> float:
    """The share of a role's time that is left."""
    left = served.role(role).expires - datetime.now(UTC)
    return left / timedelta(seconds=lifetimes(served.root)[role])


def _is_late(served: Served, role: str) -> bool:
    return _left(served, role) < _LATE and served.role(role).expires - datetime.now(UTC) < _MONTH


def _at_hand(repository: Repository, role: str) -> bool:
    """Whether a role can be signed again, with all that must be signed in turn."""
    root = repository.served.root
    needed = [role] if role == Root.type else _signers([role])
    return all(len(repository.keys.at_hand(root, name)) >= root.roles[name].threshold for name in needed)


def _signers(roles: Sequence[str]) -> list[str]:
    """The roles that sign when one of these does: each is named in the next."""
    return list(ONLINE[min(map(ONLINE.index, roles)) :])


def _chosen(root: Root, role: str, only: Sequence[str]) -> list[str]:
    keyids = root.roles[role].keyids
    if not only:
        return list(keyids)
    chosen = []
    for start in only:
        found = [keyid for keyid in keyids if keyid.startswith(start)]
        if len(found) != 1:
            there = ", ".join(keyid[:8] for keyid in keyids)
            raise UsageError(f"--only {start}: {len(found)} keys of the {role} role begin so; there are {there}")
        chosen += found
    return chosen


def _exchange_root(
    root: Root, keys: Keys, old: set[str], quorum: Quorum | None, wanted_lifetimes: Mapping[str, int]
) -> None:
    role = root.roles[Root.type]
    kept = [keyid for keyid in role.keyids if keyid not in old]
    wanted = quorum or Quorum(role.threshold, len(role.keyids))
    if len(kept) >= wanted.keys:
        raise UsageError(f"--root-keys {wanted.keys}: {len(kept)} of the old keys would stay; name more with --only")
    set_root_keys(root, keys, wanted, kept)
    set_lifetimes(root, wanted_lifetimes)


def _exchange(repository: Repository, role: str, old: set[str], wanted_lifetimes: Mapping[str, int]) -> None:
    """By way of a root under which both old and new signatures hold: at no moment does a device meet a stranger's."""
    new = repository.keys.create(role).public_key

    def with_both(root: Root) -> None:
        root.add_key(new, role)
        set_lifetimes(root, wanted_lifetimes)

    def without_old(root: Root) -> None:
        for keyid in old:
            root.revoke_key(keyid, role)

    repository.change_root(with_both)
    repository.commit(renew=[role])
    repository.change_root(without_old)
