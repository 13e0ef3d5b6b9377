"""A stand-in for the Edge TPU: a real library that a TFLite runtime loads as it loads libedgetpu, and that can fail.

It takes no operator, so a model for the CPU runs as before, and counts as the compiled one. What it does is told by a
file beside it, read when it is loaded, so that it can be well the next time:

    refuse      no device: the runtime raises ValueError
    segfault    as with a runtime and a library that do not match
    abort N     abort() from a thread of its own N milliseconds after it is loaded, as libedgetpu does on a USB fault
    stop N      the process stops N milliseconds after, as with a device that hangs
    hang        loading never returns

It writes the pid of whoever loads it into `loaded` beside it, so that a test can see that one process at a time does.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import yaml

from edged.resources import data_path

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int milliseconds;
static char behaviour[32];

/* TfLiteDelegate: data_, Prepare, CopyFromBufferHandle, CopyToBufferHandle, FreeBufferHandle, flags. */
struct delegate { void *data; int (*prepare)(void *, void *); void *rest[16]; };

static int prepare(void *context, void *delegate) { (void)context; (void)delegate; return 0; }

static void *fault(void *unused) {
    (void)unused;
    usleep(milliseconds * 1000);
    if (!strcmp(behaviour, "abort")) { fprintf(stderr, "usb_driver.cc:857 transfer error\n"); abort(); }
    raise(SIGSTOP);
    return NULL;
}

void *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    FILE *file;
    pthread_t thread;
    if ((file = fopen(FOLDER "/loaded", "a"))) {
        fprintf(file, "%d", getpid());
        for (size_t i = 0; i < count; i++) fprintf(file, " %s=%s", keys[i], values[i]);
        fprintf(file, "\n");
        fclose(file);
    }
    if ((file = fopen(FOLDER "/behaviour", "r"))) {
        if (fscanf(file, "%31s %d", behaviour, &milliseconds) < 1) behaviour[0] = 0;
        fclose(file);
    }
    if (!strcmp(behaviour, "refuse")) { if (report) report("no device, or it is busy"); return NULL; }
    if (!strcmp(behaviour, "segfault")) *(volatile int *)0 = 0;
    if (!strcmp(behaviour, "hang")) for (;;) pause();
    if (!strcmp(behaviour, "abort") || !strcmp(behaviour, "stop")) pthread_create(&thread, NULL, fault, NULL);
    struct delegate *made = calloc(1, sizeof *made);
    made->prepare = prepare;
    return made;
}

void tflite_plugin_destroy_delegate(void *delegate) { free(delegate); }
"""


COMPILE = ("gcc", "-shared", "-fPIC", "-O1", "-pthread")


class StandIn:
    """The library, and what it is told to do."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self.library = folder / "libedgetpu_stand_in.so"
        source = folder / "stand_in.c"
        source.write_text(SOURCE, "ascii")
        subprocess.run(
            [*COMPILE, f'-DFOLDER="{folder}"', "-o", self.library, source],
            check=True,
        )

    def behave(self, behaviour: str = "well") -> None:
        """From the next loading on."""
        fresh = self._folder / "behaviour.new"
        fresh.write_text(behaviour, "ascii")
        fresh.replace(self._folder / "behaviour")

    def loads(self) -> list[str]:
        """Who has loaded it so far: pid and options, one an entry."""
        try:
            return (self._folder / "loaded").read_text("ascii").splitlines()
        except FileNotFoundError:
            return []


def plug_in_usb(root: Path, *, usb_id: str = "18d1:9302", number: int = 4) -> None:
    """Put a USB Edge TPU into a tree that stands for /."""
    folder = root / "sys/bus/usb/devices/1-1.2"
    folder.mkdir(parents=True, exist_ok=True)
    vendor, product = usb_id.split(":")
    for name, text in (("idVendor", vendor), ("idProduct", product), ("busnum", "1"), ("devnum", str(number))):
        (folder / name).write_text(text + "\n", "ascii")


def unplug_usb(root: Path) -> None:
    """Take it out."""
    folder = root / "sys/bus/usb/devices/1-1.2"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def package_with_twin(folder: Path) -> Path:
    """The base model as a package whose compiled file is the CPU's own: the stand-in runs that."""
    shutil.copytree(data_path("models/base"), folder, ignore=shutil.ignore_patterns("*.py", "base_model", "build"))
    manifest = yaml.safe_load((folder / "model.yaml").read_text("utf-8"))
    member = manifest["members"][0]
    member["edgetpu"] = "twin_edgetpu.tflite"
    manifest["files"]["twin_edgetpu.tflite"] = dict(manifest["files"][member["model"]])  # no alias
    shutil.copy(folder / member["model"], folder / "twin_edgetpu.tflite")
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest), "utf-8")
    return folder
