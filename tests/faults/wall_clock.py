"""A wall clock that a test sets while a process runs: a library that the dynamic loader puts before libc.

libfaketime does not serve here: it takes part in every sleep too, in which it errs now and then (EINVAL), and its
reading of the offset costs a daemon six times the processor time. This one adds to the wall clock and touches nothing
else: the monotonic clock goes on as it does when somebody sets the clock of a machine. What waits for a moment of the
wall clock waits for ten years, or not at all, and shows itself.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from support.edgetpu import COMPILE

if TYPE_CHECKING:
    from pathlib import Path

SECONDS: Final = struct.Struct("q")
SECONDS_A_DAY: Final = 86_400

SOURCE: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *offset;  /* a file that the test writes */
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    int file = open(OFFSET, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    void *memory = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (memory != MAP_FAILED) offset = memory;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, now);
    if (!code && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset;
    return code;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""


class WallClock:
    """The wall clock of every process that is started with `environment`."""

    def __init__(self, folder: Path) -> None:
        if sys.maxsize < 2**32:
            pytest.skip("a 32-bit system: its programs ask for the time by other names")
        self._file = folder / "wall-clock"
        self._file.write_bytes(SECONDS.pack(0))
        source, library = folder / "wall_clock.c", folder / "wall_clock.so"
        source.write_text(SOURCE, "ascii")
        subprocess.run(
            [*COMPILE, "-fno-builtin", f'-DOFFSET="{self._file}"', "-o", library, source, "-ldl"], check=True
        )
        self.environment = {"LD_PRELOAD": str(library)}

    def set(self, days: int) -> None:
        """So many days from the real time, at once."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(SECONDS.pack(days * SECONDS_A_DAY))  # eight bytes of one page: a reader sees all or none
