"""libedgetpu that is missing, broken, something else, or there: each really loaded, in a process of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from edged.doctor.library import look_at_library
from edged.doctor.together import look_at_use

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.machine import Tree

GOOD = """
#include <stdlib.h>
struct delegate { void *data; int (*prepare)(void *, void *); void *more[16]; };
static int prepare(void *context, void *delegate) { return 0; }
void *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    struct delegate *made = calloc(1, sizeof *made);
    made->prepare = prepare;
    return made;
}
void tflite_plugin_destroy_delegate(void *delegate) { free(delegate); }
const char *edgetpu_version(void) { return "BuildLabel(COMPILER=test)"; }
"""
REFUSING = """
#include <stddef.h>
void *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    report("no device for you");
    return 0;
}
void tflite_plugin_destroy_delegate(void *delegate) {}
"""
CRASHES_ON_LOAD = "__attribute__((constructor)) static void begin(void) { *(volatile int *)0 = 1; }"
CRASHES_ON_USE = """
void *tflite_plugin_create_delegate(void) { *(volatile int *)0 = 1; return 0; }
void tflite_plugin_destroy_delegate(void *delegate) {}
"""
ABORTS_ON_USE = """
#include <stdlib.h>
void *tflite_plugin_create_delegate(void) { abort(); }
void tflite_plugin_destroy_delegate(void *delegate) {}
"""
TALKS = '#include <stdio.h>\n__attribute__((constructor)) static void begin(void) { puts("{}"); }\n' + GOOD


def test_missing_library_without_a_device_is_absent(tree: Tree) -> None:
    [check] = look_at_library(tree.with_library("libnone.so.1"))
    assert (check.state, check.cure) == ("absent", None)


def test_missing_library_with_a_device_names_the_packages(tree: Tree) -> None:
    tree.usb()
    [check] = look_at_library(tree.with_library("libnone.so.1"))
    assert check.state == "problem"
    assert "sudo apt install libedgetpu1-std" in str(check.cure)
    assert "feranick/libedgetpu" in str(check.cure)


def test_library_is_not_looked_at_for_the_cpu(tree: Tree) -> None:
    tree.usb()
    [check] = look_at_library(tree.with_library("libnone.so.1", device="cpu"))
    assert check.state == "absent"


def test_good_library_gives_its_path_and_version(tree: Tree, build: Callable[[str], Path]) -> None:
    tree.usb()
    library = build(GOOD)
    [check] = look_at_library(tree.with_library(library))
    assert (check.state, check.text) == ("ok", f"{library} (BuildLabel(COMPILER=test))")


def test_library_that_talks_while_it_is_loaded_is_understood(tree: Tree, build: Callable[[str], Path]) -> None:
    tree.usb()
    [check] = look_at_library(tree.with_library(build(TALKS)))
    assert check.state == "ok"


def test_library_that_crashes_on_load_is_said_and_survived(tree: Tree, build: Callable[[str], Path]) -> None:
    tree.usb()
    [check] = look_at_library(tree.with_library(build(CRASHES_ON_LOAD)))
    assert check.state == "problem"
    assert "crashed (SIGSEGV)" in check.text
    assert "install it anew" in str(check.cure)


def test_another_library_is_no_delegate(tree: Tree, build: Callable[[str], Path]) -> None:
    tree.usb()
    [check] = look_at_library(tree.with_library(build("int nothing;")))
    assert check.state == "problem"
    assert "no TFLite delegate" in check.text


def test_library_whose_own_library_is_missing_names_that_one(tree: Tree, tmp_path: Path) -> None:
    tree.usb()
    file = tmp_path / "libedgetpu.so.1"
    file.write_text("this is no library")
    [check] = look_at_library(tree.with_library(file))
    assert check.state == "problem"
    assert "made for another system" in str(check.cure) or "install" in str(check.cure)


def test_interpreter_that_is_not_there_is_said(tree: Tree, tmp_path: Path) -> None:
    tree.usb()
    [check] = look_at_library(tree.with_library("libnone.so.1", python=str(tmp_path / "none")))
    assert check.state == "problem"
    assert "inference.python" in str(check.cure)


def test_use_is_not_tried_without_a_device(tree: Tree) -> None:
    assert look_at_use(tree.machine) == []


def test_library_that_opens_the_device_goes_with_the_runtime(tree: Tree, build: Callable[[str], Path]) -> None:
    tree.usb()
    [check] = look_at_use(tree.with_library(build(GOOD)))
    assert check.state == "ok"
    assert "opens the device" in check.text


def test_library_that_crashes_in_use_does_not_match(tree: Tree, build: Callable[[str], Path]) -> None:
    tree.usb()
    [check] = look_at_use(tree.with_library(build(CRASHES_ON_USE)))
    assert check.state == "problem"
    assert "SIGSEGV" in check.text
    assert "different TensorFlow versions" in str(check.cure)


def test_library_that_aborts_in_use_has_trouble_with_its_device(tree: Tree, build: Callable[[str], Path]) -> None:
    tree.usb()
    [check] = look_at_use(tree.with_library(build(ABORTS_ON_USE)))
    assert "SIGABRT" in check.text
    assert "power supply" in str(check.cure)


def test_device_that_refuses_is_busy_or_badly_powered(tree: Tree, build: Callable[[str], Path]) -> None:
    tree.usb()
    [check] = look_at_use(tree.with_library(build(REFUSING)))
    assert check.state == "problem"
    assert "does not open the device" in check.text
    assert "fuser" in str(check.cure)


def test_use_is_not_tried_while_a_daemon_may_have_the_device(tree: Tree, build: Callable[[str], Path]) -> None:
    tree.usb()
    tree.put("proc/4242/cmdline").write_bytes(b"/usr/bin/python3\0-m\0edged\0run\0")
    [check] = look_at_use(tree.with_library(build(CRASHES_ON_USE)))
    assert check.state == "absent"
    assert "4242" in check.text


def test_use_is_not_tried_while_another_process_has_the_device_open(tree: Tree) -> None:
    node = tree.usb()
    tree.put("proc/77/comm", "other")
    (tree.root / "proc/77/fd").mkdir()
    (tree.root / "proc/77/fd/5").symlink_to(node)
    [check] = look_at_use(tree.machine)
    assert check.state == "absent"
    assert "process 77 (other)" in check.text


def test_use_is_not_tried_without_a_runtime(tree: Tree, tmp_path: Path) -> None:
    tree.usb()
    [check] = look_at_use(tree.with_inference(python=str(tmp_path / "none")))
    assert (check.state, check.cure) == ("absent", None)


def test_use_is_not_tried_without_the_library(tree: Tree) -> None:
    tree.usb()
    [check] = look_at_use(tree.with_library("libnone.so.1", python=sys.executable))
    assert check.state == "absent"
