"""The operator's private keys: files of a folder that nobody else may read, each found by the public key it belongs to.

A key is an Ed25519 key in PKCS#8 PEM, encrypted where there is a passphrase. What its file is called is for people; the
registry's root says which public key may sign what.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from edged.camera.regular_file import read_regular_file
from edged.errors import PermissionDeniedError, RegistryError, UsageError
from edged.models.durable import sync_folder
from edged.updates.layout import ROOT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tuf.api.metadata import Root

PASSPHRASE_VARIABLE: Final = "EDGED_REGISTRY_PASSPHRASE"  # noqa: S105  the variable's name
MAX_KEY_BYTES: Final = 16 * 1024
MAX_ROOT_BYTES: Final = 512_000  # as much as devices read
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Keys:
    """The private keys at hand.

    Args:
        folders: where they are; new ones go into the first.
        passphrase: for keys that are encrypted, and for new ones; None: new ones are not encrypted.

    Raises:
        RegistryError: a folder is not there.
        PermissionDeniedError: others can read them, or this user cannot.
    """

    def __init__(self, folders: Sequence[Path], passphrase: bytes | None = None) -> None:
        self.folders = tuple(folders)
        self._passphrase = passphrase
        self._signers: dict[str, tuple[Path, CryptoSigner]] = {}
        self._unread: list[str] = []
        for folder in self.folders:
            if not folder.is_dir():
                raise RegistryError(f"{folder}: no folder of keys; name it with --keys, or make a registry with `init`")
            check_private(folder)
            for path in sorted(folder.glob("*.pem")):
                self._load(path)

    def at_hand(self, root: Root, role: str) -> list[CryptoSigner]:
        """The keys of a role that are here."""
        return [self._signers[keyid][1] for keyid in root.roles[role].keyids if keyid in self._signers]

    def require(self, root: Root, *roles: str) -> None:
        """Raise RegistryError where too few keys of a role are here to sign."""
        for role in roles:
            here, threshold = len(self.at_hand(root, role)), root.roles[role].threshold
            if here < threshold:
                where = ", ".join(map(str, self.folders))
                unread = f"; not readable: {'; '.join(self._unread)}" if self._unread else ""
                raise RegistryError(
                    f"{role}: {here} of the {threshold} keys that must sign are in {where} (name further folders with"
                    f" --keys){unread}"
                )

    def create(self, role: str) -> CryptoSigner:
        """Make a key; it is on the disk when this returns.

        Raises:
            OSError: it cannot be written.
        """
        signer = CryptoSigner.generate_ed25519()
        path = self.folders[0] / f"{role}-{signer.public_key.keyid[:8]}.pem"
        _write_private(path, _pem(signer, self._passphrase))
        self._signers[signer.public_key.keyid] = path, signer
        return signer

    def retire(self, keyids: Iterable[str]) -> list[Path]:
        """Put keys aside that sign no more, under names that are not read again. Raises OSError."""
        retired = []
        for keyid in keyids:
            if keyid in self._signers:
                path, _ = self._signers.pop(keyid)
                retired.append(path.rename(path.with_name(f"{path.name}.retired-{keyid[:8]}")))
        return retired

    def rename(self, root: Root) -> None:
        """Give the keys of a registry the names that people look for: `root-1.pem`, `targets.pem`. Raises OSError."""
        for role, entry in root.roles.items():
            for number, keyid in enumerate(entry.keyids, 1):
                if keyid in self._signers:
                    path, signer = self._signers[keyid]
                    wanted = path.with_name(f"{role}-{number}.pem" if role == "root" else f"{role}.pem")
                    if not wanted.exists():
                        self._signers[keyid] = path.rename(wanted), signer
        for folder in self.folders:
            sync_folder(folder)

    def pinned_root(self) -> bytes | None:
        """The root that was kept beside the keys, and that the registry's must descend from."""
        return pinned_root(self.folders)

    def _load(self, path: Path) -> None:
        check_private(path)
        data = _read(path, MAX_KEY_BYTES)
        try:
            try:
                key = load_pem_private_key(data, self._passphrase)
            except TypeError:  # one of the two has a passphrase, and the other none
                key = load_pem_private_key(data, None)
        except TypeError:
            self._unread.append(f"{path} (needs its passphrase: --passphrase-file, ${PASSPHRASE_VARIABLE})")
            return
        except (ValueError, UnsupportedAlgorithm):
            self._unread.append(f"{path} (another passphrase, or damaged)")
            return
        if isinstance(key, Ed25519PrivateKey):
            signer = CryptoSigner(key, SSlibKey.from_crypto(key.public_key()))
            self._signers[signer.public_key.keyid] = path, signer
        else:
            self._unread.append(f"{path} (not an Ed25519 key)")


def make_key_folder(folder: Path) -> None:
    """A folder for new keys, readable by its owner alone.

    Raises:
        UsageError: there are keys already.
        PermissionDeniedError: others can read it.
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_private(folder)
    if found := sorted(folder.glob("*.pem")):
        raise UsageError(f"{found[0]}: there are keys already; give another folder with --keys, or move them away")


def check_private(path: Path) -> None:
    """Raise PermissionDeniedError where others than the owner may read or write a file or folder."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise PermissionDeniedError(f"{path}: {error.strerror}") from error
    if mode & _OTHERS:
        right = "700" if stat.S_ISDIR(mode) else "600"
        raise PermissionDeniedError(
            f"{path}: others can get at this secret (mode {stat.S_IMODE(mode):o}); chmod {right} {path}"
            " (a FAT stick: mount it with umask=077); and if others were here, rotate the keys"
        )


def read_passphrase(file: Path | None) -> bytes | None:
    """The passphrase that the file or the environment has, without the end of its line.

    Raises:
        UsageError: the file cannot be read, or is empty.
        PermissionDeniedError: others can read it.
    """
    if file is None:
        return os.environb.get(PASSPHRASE_VARIABLE.encode()) or None
    if not file.exists():
        raise UsageError(f"--passphrase-file {file}: no such file")
    check_private(file)
    passphrase = _read(file, MAX_KEY_BYTES).rstrip(b"\r\n")
    if not passphrase:
        raise UsageError(f"--passphrase-file {file}: it is empty")
    return passphrase


def pinned_root(folders: Sequence[Path]) -> bytes | None:
    """The root that is kept in one of these folders, where one is. Raises RegistryError, PermissionDeniedError."""
    for folder in folders:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return _read(folder / ROOT_FILE, MAX_ROOT_BYTES)
    return None


def keep_root(folder: Path, root: bytes) -> None:
    """Keep the newest root beside the keys. Raises OSError."""
    scratch = folder / f".{ROOT_FILE}"
    scratch.unlink(missing_ok=True)
    _write_private(scratch, root)
    scratch.replace(folder / ROOT_FILE)
    sync_folder(folder)


def _pem(signer: CryptoSigner, passphrase: bytes | None) -> bytes:
    if passphrase is None:
        return signer.private_bytes
    key = load_pem_private_key(signer.private_bytes, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))


def _write_private(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:  # noqa: PTH123  made for this user alone from the start
        file.write(data)
        file.flush()
        os.fsync(fd)
    sync_folder(path.parent)


def _read(path: Path, most: int) -> bytes:
    try:
        return read_regular_file(path, most)
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise PermissionDeniedError(f"{path}: {error.strerror}") from error
    except OSError as error:
        raise RegistryError(f"{path}: {error.strerror}") from error
