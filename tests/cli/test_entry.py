"""How `edged` ends."""

from __future__ import annotations

import subprocess
import sys

LEFT_BEHIND = """
import sys, threading
import cv2, numpy
import edged.cli.main

at_work = threading.Barrier(3)

def scale():
    picture = numpy.zeros((400, 400, 3), numpy.uint8)
    at_work.wait()
    while True:
        cv2.resize(picture, (224, 224))

def command():
    for _ in range(2):
        threading.Thread(target=scale, daemon=True).start()
    at_work.wait()
    return 3

edged.cli.main.main = command
from edged.cli.entry import main
sys.exit(main())
"""


def test_threads_that_are_left_behind_in_a_library_do_not_change_the_exit_code() -> None:
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", LEFT_BEHIND], capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (3, "")
