"""The worker: one thread answers frames, one answers control messages, and it dies with its daemon."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import resource
import signal
import socket
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Dict, List, Optional

import numpy as np

from . import wire
from .gently import gently
from .runtime import Interpreter, Runtime, specs

PR_SET_PDEATHSIG = 1


class Slot:
    """One loaded model and, once the daemon has sent it, the memory that both sides map."""

    def __init__(self, interpreter: Interpreter, *, gently: bool) -> None:
        self.interpreter = interpreter
        self.gently = gently  # until it takes frames
        self.inputs = specs(interpreter.get_input_details())
        self.outputs = specs(interpreter.get_output_details())
        self._input_ids = [int(entry["index"]) for entry in interpreter.get_input_details()]
        self._output_ids = [int(entry["index"]) for entry in interpreter.get_output_details()]
        self._memory: Optional[mmap.mmap] = None
        self._arrays: "List[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]" = []

    def map(self, fd: int) -> bool:
        """Map the daemon's memory, and run once: first-use costs belong to loading, not to the first frame.

        False when that run failed; see `infer`.
        """
        tensors = self.inputs + self.outputs
        starts, size = wire.offsets(tensors)
        self._memory = mmap.mmap(fd, size)
        self._arrays = [
            np.frombuffer(
                self._memory, dtype=spec.dtype, count=spec.nbytes // wire.ITEM_BYTES[spec.dtype], offset=start
            ).reshape(spec.shape)
            for spec, start in zip(tensors, starts)
        ]
        return self.infer()

    def error(self) -> str:
        """Why the last run failed."""
        if self._memory is None:
            return "no memory"
        (length,) = wire.ERROR.unpack_from(self._memory, wire.ERROR_OFFSET)
        start = wire.ERROR_OFFSET + wire.ERROR.size
        return self._memory[start : start + length].decode(errors="replace")

    def infer(self) -> bool:
        """Label what lies in the memory. False when the runtime raised; the reason is then in the header."""
        memory = self._memory
        if memory is None:
            return False
        count = len(self._input_ids)
        try:
            for tensor_id, array in zip(self._input_ids, self._arrays):
                self.interpreter.set_tensor(tensor_id, array)
            start = time.perf_counter()
            self.interpreter.invoke()
            seconds = time.perf_counter() - start
            for tensor_id, array in zip(self._output_ids, self._arrays[count:]):
                array[...] = self.interpreter.get_tensor(tensor_id)
        except (RuntimeError, ValueError) as error:
            text = str(error).encode(errors="replace")[: wire.MAX_ERROR]
            wire.ERROR.pack_into(memory, wire.ERROR_OFFSET, len(text))
            start_of_text = wire.ERROR_OFFSET + wire.ERROR.size
            memory[start_of_text : start_of_text + len(text)] = text
            return False
        wire.SECONDS.pack_into(memory, 0, seconds)
        return True


class Worker:
    """The slots, and the two loops that serve them."""

    def __init__(self, control: socket.socket, request_fd: int, reply_fd: int, runtime: str) -> None:
        self._control = control
        self._request_fd = request_fd
        self._reply_fd = reply_fd
        self._slots: Dict[int, Slot] = {}
        self._runtime = Runtime(runtime)
        self._delegate: Optional[object] = None

    def run(self) -> None:
        """Serve until the daemon closes the request pipe."""
        control = threading.Thread(target=self._serve_control, name="control", daemon=True)
        control.start()
        while True:
            request = os.read(self._request_fd, 1)
            if not request:
                return
            slot = self._slots.get(request[0])
            done = slot is not None and slot.infer()
            os.write(self._reply_fd, request if done else bytes([request[0] | wire.FAILED]))

    def _serve_control(self) -> None:
        code = 1
        try:
            self._send(wire.Ready(self._runtime.name, self._runtime.version, platform.python_version()))
            while True:
                packet, fds, _, _ = socket.recv_fds(self._control, wire.MAX_PACKET, 1)
                if not packet:
                    code = 0  # the daemon is done with us
                    break
                self._send(self._answer(wire.decode(packet), fds))
        except BaseException as error:  # noqa: BLE001  a worker whose control is lost is of no use: end it, with the reason
            sys.stderr.write(f"control channel: {error!r}\n")
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _answer(self, message: wire.Message, fds: "list[int]") -> wire.Message:
        if isinstance(message, wire.UseDelegate):
            return self._use_delegate(message)
        if isinstance(message, wire.Load):
            return self._load(message)
        if isinstance(message, wire.Map):
            slot = self._slots[message.slot]
            runs = gently(lambda: slot.map(fds[0])) if slot.gently else slot.map(fds[0])
            os.close(fds[0])
            return wire.Done(message.slot) if runs else wire.Failed("model", slot.error())
        if isinstance(message, wire.Unload):
            self._slots.pop(message.slot, None)
            return wire.Done(message.slot)
        if isinstance(message, wire.Measure):
            return wire.Measured(self._measure(self._slots[message.slot].interpreter, message.count))
        raise wire.WireError(f"{type(message).__name__} is not for a worker")

    def _use_delegate(self, message: wire.UseDelegate) -> wire.Message:
        try:
            self._delegate = self._runtime.delegate(message.library, message.device)
        except (ValueError, RuntimeError, OSError) as error:
            return wire.Failed("delegate", str(error) or repr(error))
        return wire.Done(0)

    def _load(self, message: wire.Load) -> wire.Message:
        delegate = self._delegate if message.delegate else None

        def build() -> Slot:
            interpreter = self._runtime.interpreter(message.path, message.threads, delegate)
            return Slot(interpreter, gently=message.gently)

        try:
            slot = gently(build) if message.gently else build()
        except (ValueError, RuntimeError, OSError, KeyError) as error:
            return wire.Failed("model", str(error) or repr(error))
        self._slots[message.slot] = slot
        return wire.Loaded(message.slot, slot.inputs, slot.outputs)

    @staticmethod
    def _measure(interpreter: Interpreter, count: int) -> float:
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            interpreter.invoke()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)

    def _send(self, message: wire.Message) -> None:
        self._control.send(wire.encode(message))


def main(*arguments: str) -> None:
    """Run until the daemon ends or closes the pipes.

    The arguments: the descriptors of control, request and reply; the daemon's pid; the megabytes that this process may
    take for itself; the runtime's name.
    """
    control_fd, request_fd, reply_fd, parent, memory, runtime = arguments
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before the line above took hold
        sys.stderr.write("the daemon has ended, or starts me through a wrapper that does not exec\n")
        sys.stderr.flush()
        os._exit(1)
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and `systemctl stop` are the daemon's to answer
        signal.signal(number, signal.SIG_IGN)
    _limit_memory(int(memory) * 2**20)
    _go_first_when_memory_runs_out()
    control = socket.socket(fileno=int(control_fd))
    try:
        worker = Worker(control, int(request_fd), int(reply_fd), runtime)
    except ImportError as error:
        control.send(wire.encode(wire.Failed("runtime", str(error))))
        os._exit(0)
    worker.run()
    os._exit(0)  # a runtime's destructors may hang on a sick device; the kernel cleans up faster


def _go_first_when_memory_runs_out() -> None:
    """The kernel ends the largest process, and that may be the daemon; the worker is replaced in a moment."""
    with contextlib.suppress(OSError):  # no /proc, or not ours to raise: nothing is lost
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _limit_memory(most: int) -> None:
    """A damaged model can ask for gigabytes: it must cost this process, not the machine.

    RLIMIT_DATA counts what is private and written (setrlimit(2), since Linux 4.7); RLIMIT_AS would count every mapped
    library and file too.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
