"""Bytes that edged writes to the disk, and lines to the log, while nothing happens. Prints one JSON object.

A daemon labels, at five frames a second, a photo that never changes (once with motion detection, once without), with
presence and events on. After half a minute to settle, what the kernel counts for the daemon and its workers is read at
the beginning and at the end: write_bytes in /proc/PID/io, pages that they caused to be written to a disk.
Exit code 1 where there was a byte or a line. Nothing in edged runs at longer intervals than `health` (one minute), but
for the registry's hourly question, so three minutes stand for an hour; --minutes 60 measures the hour itself.

    python scripts/idle.py --minutes 3 [--folder FOLDER]    the folder must be on a disk: a tmpfs counts nothing
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
from live import Broker, Listener, say

from edged.resources import data_path

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTLE_SECONDS: Final = 30.0
START_SECONDS: Final = 60.0
END_SECONDS: Final = 20.0

CONFIGURATION: Final = """\
device: idle
mqtt: {{host: 127.0.0.1, port: {port}}}
state: {folder}/state
inference: {{threads: 1}}
cameras:
  folder: {{source: {folder}/photos, loop: true, fps: 5, presence: {{"*": {{on: 0.5, off: 0.3}}}}}}
  again: {{source: {folder}/photos, loop: true, fps: 5, motion: {{threshold: 0.02, max_interval: 10s}}}}
"""


@dataclass(frozen=True, slots=True)
class Idle:
    """What happened while nothing did.

    Attributes:
        minutes: how long it was looked at.
        labels: results that arrived meanwhile.
        write_bytes: bytes to the disk, of the daemon and its workers together.
        log_lines: lines that the daemon said.
        changed_files: files of the state folder that have another time or size than before.
        filesystem: of the state folder.
    """

    minutes: float
    labels: int
    write_bytes: int
    log_lines: int
    changed_files: tuple[str, ...]
    filesystem: str


def measure(folder: Path, minutes: float) -> Idle:
    """Run the daemon in a folder, and look at it for so long."""
    (folder / "photos").mkdir()
    shutil.copy(data_path("models/base/golden_clock.jpg"), folder / "photos")
    log = folder / "log"
    with Broker(folder) as broker, Listener(broker.port) as listener, log.open("wb") as said:
        configuration = folder / "edged.yaml"
        configuration.write_text(CONFIGURATION.format(port=broker.port, folder=folder), "utf-8")
        # Through a pipe, as under systemd: what the log takes on the disk is journald's to say.
        command = [sys.executable, "-m", "edged", "run", "-c", str(configuration)]
        with psutil.Popen(command, stderr=subprocess.PIPE) as process:
            os.set_blocking(process.stderr.fileno(), False)
            try:
                listener.seconds_until_labels(lambda: None, START_SECONDS, frozenset({"folder", "again"}))
                time.sleep(SETTLE_SECONDS)
                said.write(process.stderr.read() or b"")
                family = [process, *process.children(recursive=True)]
                state = folder / "state"
                bytes_before, files_before, labels_before = written(family), stamps(state), listener.count
                say(f"idle: {len(family)} processes, {bytes_before} bytes until now; looking for {minutes:g} minutes")
                time.sleep(60 * minutes)
                lines = (process.stderr.read() or b"").splitlines()
                for line in lines:
                    say(f"idle: the daemon said: {line.decode(errors='replace')}")
                files = stamps(state)
                return Idle(
                    minutes,
                    listener.count - labels_before,
                    written(family) - bytes_before,
                    len(lines),
                    tuple(sorted(name for name in files | files_before if files.get(name) != files_before.get(name))),
                    filesystem(state),
                )
            finally:
                process.terminate()
                process.wait(END_SECONDS)


def written(family: Sequence[psutil.Process]) -> int:
    """What the kernel counts: bytes on their way to a disk, of all threads of these processes."""
    return sum(process.io_counters().write_bytes for process in family)


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Each file's time of change and size."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file()
    }


def filesystem(folder: Path) -> str:
    """The kind of file system that a folder is on."""
    mounts = {partition.mountpoint: partition.fstype for partition in psutil.disk_partitions(all=True)}
    return next(mounts[str(place)] for place in (folder, *folder.parents) if str(place) in mounts)


def main() -> int:
    """Measure, and say it. Returns 1 where something was written or said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, help="where its state lies (default: where temporary files do)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edged-idle-", dir=args.folder) as temporary:
        folder = Path(temporary)
        if filesystem(folder) in {"tmpfs", "ramfs", "overlay"}:
            parser.error(f"{folder.parent} is not on a disk ({filesystem(folder)}): name another one with --folder")
        found = measure(folder, args.minutes)
    print(json.dumps(asdict(found)))
    return 1 if found.write_bytes or found.log_lines or found.changed_files or not found.labels else 0


if __name__ == "__main__":
    sys.exit(main())
