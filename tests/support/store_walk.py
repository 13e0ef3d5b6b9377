"""A process that forks children which change a store without end, and kills each at a random moment.

    python -m support.store_walk STATE PACKAGES KILLS SEED

After each kill it looks at the store as a starting daemon does, and prints one JSON object: what was active, and what
was wrong. Forked and not started anew, as an interpreter takes longer to start than a store to be changed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from edged.errors import EdgedError
from edged.models.store import Entry, Store, open_entry
from edged.models.store_change import changing
from edged.models.write_package import write_files

LONGEST_SECONDS = 0.1  # all the steps of one round take about as long


def change_for_ever(store: Store, packages: list[Path], chance: random.Random) -> None:
    """Install, choose, go back, remove; what cannot be done now is left out."""
    while True:
        path = chance.choice(packages)
        files = {file.name: file.read_bytes() for file in path.iterdir()}
        try:
            with changing(store) as change:
                staged = change.stage()
                write_files(staged, files)
                entry = change.put_in(staged, str(path))
                change.use(chance.choice([entry, None, *store.entries()]))
                if chance.random() < 0.5:
                    change.rollback()
                if chance.random() < 0.3:
                    change.remove(chance.choice(store.entries()))
        except EdgedError:
            continue


def look(store: Store) -> dict[str, object]:
    """What a daemon finds at its start."""
    there = [path.name for path in store.folder.iterdir()] if store.folder.exists() else []
    known = {"lock", "records", "staging", "downloads", "active", "previous"}
    wrong = [f"unknown: {name}" for name in there if name not in known and len(name) != 64]
    for entry in store.entries():
        try:
            open_entry(entry)
        except EdgedError as error:
            wrong.append(str(error))
    for link, found in (("active", store.active()), ("previous", store.previous())):
        if os.path.lexists(store.folder / link) and found is None:
            wrong.append(f"{link} leads nowhere")
    return {"active": _label(store.active()), "models": len(store.entries()), "wrong": wrong}


def main() -> int:
    """Kill so often."""
    store, packages = Store(Path(sys.argv[1])), sorted(Path(sys.argv[2]).iterdir())
    chance = random.Random(int(sys.argv[4]))  # noqa: S311  a walk, no secret
    for number in range(int(sys.argv[3])):
        child = os.fork()
        if child == 0:
            try:
                change_for_ever(store, packages, random.Random(number))  # noqa: S311  as above
            finally:
                os._exit(1)  # it does not end by itself: whatever it raised is to be seen
        time.sleep(chance.uniform(0.0, LONGEST_SECONDS))
        ended, _ = os.waitpid(child, os.WNOHANG)
        if ended:
            _say({"active": None, "models": 0, "wrong": ["the child ended by itself"]})
            continue
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        _say(look(store))
    return 0


def _say(found: dict[str, object]) -> None:
    sys.stdout.write(f"{json.dumps(found)}\n")
    sys.stdout.flush()  # before the next fork


def _label(entry: Entry | None) -> str | None:
    return None if entry is None else entry.label


if __name__ == "__main__":
    sys.exit(main())
