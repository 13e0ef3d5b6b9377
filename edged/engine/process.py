"""One worker process, seen from the daemon: started, asked with a deadline, killed, reaped."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from edged.engine.tensors import SharedTensors
from edged.engine.worker import wire
from edged.errors import DelegateError, ModelError, WorkerError
from edged.text import signal_name

log = logging.getLogger(__name__)

AUTO = "auto"
# The worker's folder becomes a package of its own name, so that nothing else of edged is importable there and another
# interpreter's sys.path stays as it is (the empty entry, the working directory, is taken out).
BOOTSTRAP = """
import sys, types
sys.path[:] = [entry for entry in sys.path if entry]
package = types.ModuleType("edged_worker")
package.__path__ = [sys.argv[1]]
sys.modules["edged_worker"] = package
{}
from edged_worker.main import main
main(*sys.argv[2:])
"""
GENTLY = "from edged_worker.gently import import_gently; import_gently(sys.argv[-1])"
REAP_SECONDS = 0.5  # a killed process that is not gone by then sits in the kernel (D state)
LONGEST_POLL_MS = 2**31 - 1  # poll(2) takes an int
LAST_WORDS_BYTES = 4096
LAST_WORDS_SHOWN = 300
PIPE_READS = 16  # 64 KiB

Said = TypeVar("Said", bound=wire.Message)


@dataclass(frozen=True, slots=True)
class Launch:
    """How a worker is started.

    Attributes:
        python: the interpreter that it runs in; None is the daemon's own.
        runtime: the TFLite runtime: `ai-edge-litert`, `tflite-runtime`, `pycoral`, or `auto` for the first there is.
        memory: megabytes that it may take for itself.
    """

    python: Path | None = None
    runtime: str = AUTO
    memory: int = 1024


class WorkerProcess:
    """A running worker. Every call has a deadline on the monotonic clock; past it, the worker is killed.

    Args:
        launch: how it is started.
        gently: another worker infers meanwhile, and is not to be disturbed by what this one imports.

    One thread at a time; only `interrupt` may come from another.

    Raises (every method):
        WorkerError: the worker died, hung or spoke garbage; it is dead and reaped when this is raised.
    """

    def __init__(self, launch: Launch, *, gently: bool = False) -> None:
        self._launch = launch
        self._gently = gently
        program = str(launch.python or sys.executable)
        self._words = b""
        self._models: dict[int, SharedTensors] = {}
        self._ended: str | None = None
        self._own = contextlib.ExitStack()  # our ends of the channels
        try:
            with contextlib.ExitStack() as theirs:  # the worker's ends, which it has from its start on
                self._process = self._start(program, theirs)
        except (OSError, RuntimeError) as error:  # no such interpreter; no descriptor, memory, process or thread left
            self._own.close()
            raise WorkerError(f"cannot start the inference worker with {program}: {error}") from error
        self.pid = self._process.pid
        self._replies = self._poll_with_stderr(self._reply_fd)
        self._answers = self._poll_with_stderr(self._control.fileno())
        self.runtime: wire.Ready | None = None

    def _start(self, program: str, theirs: contextlib.ExitStack) -> subprocess.Popen[bytes]:
        self._control, far_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._own.enter_context(self._control)
        theirs.enter_context(far_control)
        far_request, self._request_fd = self._pipe(theirs, ours=1)
        self._reply_fd, far_reply = self._pipe(theirs, ours=0)
        self._stderr_fd, far_stderr = self._pipe(theirs, ours=0)
        os.set_blocking(far_stderr, False)  # a worker must not hang because nobody reads its complaints
        os.set_blocking(self._stderr_fd, False)
        launch = self._launch
        far = (far_control.fileno(), far_request, far_reply)
        worker = str(Path(__file__).parent / "worker")
        # The kernel kills the worker when the *thread* that started it ends (PR_SET_PDEATHSIG), so a thread is kept.
        starter = ThreadPoolExecutor(1, thread_name_prefix="worker-starter")
        self._own.callback(starter.shutdown, wait=False)
        return starter.submit(
            subprocess.Popen,
            [
                program,
                "-c",
                BOOTSTRAP.format(GENTLY if self._gently else ""),
                worker,
                *map(str, (*far, os.getpid(), launch.memory, launch.runtime)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=far_stderr,
            stderr=far_stderr,
            pass_fds=far,
            process_group=0,  # Ctrl-C in a terminal goes to the daemon alone; and the group can be killed as one
        ).result()

    def _pipe(self, theirs: contextlib.ExitStack, *, ours: Literal[0, 1]) -> tuple[int, int]:
        ends = os.pipe()
        self._own.callback(os.close, ends[ours])
        theirs.callback(os.close, ends[1 - ours])
        return ends

    def wait_ready(self, *, seconds: float) -> wire.Ready:
        """Wait until the runtime is imported."""
        self.runtime = self._expect(wire.Ready, time.monotonic() + seconds)
        return self.runtime

    def use_delegate(self, library: str, device: str, *, seconds: float) -> None:
        """Load the Edge TPU's library, which opens the device.

        Raises:
            DelegateError: there is no such library, or the device is missing, busy or refuses.
        """
        self._say(wire.UseDelegate(library, device))
        self._expect(wire.Done, time.monotonic() + seconds)

    def load(  # noqa: PLR0913  what there is to say of a model
        self, slot: int, path: Path, *, threads: int, delegate: bool = False, gently: bool = False, seconds: float
    ) -> SharedTensors:
        """Load a `.tflite` file into a slot, for the CPU or the delegate, map its memory and run it once.

        `gently`: at a low priority.

        Raises:
            ModelError: the runtime refuses the file, or its tensors are larger than is sensible.
        """
        deadline = time.monotonic() + seconds
        self._say(wire.Load(slot, str(path), threads, delegate, gently))
        shape = self._expect(wire.Loaded, deadline)
        try:
            tensors = SharedTensors(slot, shape.inputs, shape.outputs)
            try:
                socket.send_fds(self._control, [wire.encode(wire.Map(slot))], [tensors.fd])
            finally:
                tensors.sent()
        except OSError as error:
            raise self.died(f"cannot be given memory: {error}") from error
        self._expect(wire.Done, deadline)
        self._models[slot] = tensors
        return tensors

    def unload(self, slot: int, *, seconds: float) -> None:
        """Forget a slot."""
        self._models.pop(slot, None)
        self._say(wire.Unload(slot))
        self._expect(wire.Done, time.monotonic() + seconds)

    def measure(self, slot: int, count: int, *, seconds: float) -> float:
        """Median seconds of `count` bare `invoke()` calls."""
        self._say(wire.Measure(slot, count))
        return self._expect(wire.Measured, time.monotonic() + seconds).median_seconds

    def infer(self, slot: int, *, seconds: float) -> float:
        """Run the model on what lies in its input memory. Returns the seconds that `invoke()` took.

        Raises:
            ModelError: the runtime raised (its words are in the text); the worker lives on.
        """
        try:
            os.write(self._request_fd, bytes([slot]))
        except BrokenPipeError as error:
            raise self.died("has ended") from error
        except OSError as error:
            raise self.died(str(error)) from error
        self._wait(self._replies, self._reply_fd, time.monotonic() + seconds, "an inference")
        reply = os.read(self._reply_fd, 2)
        if not reply:
            raise self.died("closed its pipe")
        if reply == bytes([slot | wire.FAILED]):
            raise ModelError(f"the model cannot be run: {self._models[slot].error()}")
        if reply != bytes([slot]):
            raise self.died(f"sent garbage for a reply ({reply!r})")
        return self._models[slot].seconds()

    def died(self, what: str) -> WorkerError:
        """Kill it if it still lives, and give the error that says how it ended."""
        self.kill()
        lines = [line for line in self._words.decode(errors="replace").splitlines() if line and "INFO: " not in line]
        words = f"; its last words: {_printable(lines[-1][-LAST_WORDS_SHOWN:])}" if lines else ""
        return WorkerError(f"the inference worker (pid {self.pid}) {what}; {self._ended}{words}")

    def interrupt(self) -> None:
        """SIGKILL without waiting; for another thread than the owner's, whose waiting then ends in a WorkerError."""
        self._kill_group()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone (bounded). Does nothing when it has ended."""
        if self._ended is not None:
            return
        self._kill_group()
        try:
            code = self._process.wait(REAP_SECONDS)
            self._ended = f"killed by {signal_name(-code)}" if code < 0 else f"exit code {code}"
        except subprocess.TimeoutExpired:
            self._ended = f"does not die within {REAP_SECONDS:g} s of SIGKILL (it sits in the kernel); left behind"
        self._drain()
        self._own.close()

    @property
    def alive(self) -> bool:
        """Whether the process runs, whatever it does. For one that nobody asks anything of."""
        return self._ended is None and self._process.poll() is None

    @property
    def gone(self) -> bool:
        """Whether the process has left the kernel, and with it every device that it held."""
        return self._process.poll() is not None

    def _kill_group(self) -> None:
        """The worker leads a group: with `inference.python` a wrapper, what it started must not live on."""
        if self._process.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)

    def _say(self, message: wire.Message) -> None:
        try:
            self._control.send(wire.encode(message))
        except OSError as error:
            raise self.died(f"control channel: {error}") from error

    def _expect(self, kind: type[Said], deadline: float) -> Said:
        self._wait(self._answers, self._control.fileno(), deadline, f"'{kind.__name__}'")
        try:
            packet = self._control.recv(wire.MAX_PACKET)
            if not packet:
                raise self.died("closed its control channel")
            message = wire.decode(packet)
        except (OSError, wire.WireError) as error:
            raise self.died(f"spoke garbage: {error}") from error
        if isinstance(message, wire.Failed):
            if message.kind == "delegate":
                raise DelegateError(" ".join(message.error.split()))
            if message.kind == "model":
                raise ModelError(f"the model cannot be loaded: {message.error}")
            raise self.died(f"cannot run: {message.error}")
        if not isinstance(message, kind):
            raise self.died(f"answered {type(message).__name__} where {kind.__name__} was due")
        return message

    def _poll_with_stderr(self, fd: int) -> select.poll:
        poll = select.poll()  # kept: making one anew for each frame is a measurable part of an inference's overhead
        poll.register(fd, select.POLLIN)
        poll.register(self._stderr_fd, select.POLLIN)
        return poll

    def _wait(self, poll: select.poll, fd: int, deadline: float, what: str) -> None:
        """Return when `fd` has something to read; read what the worker complains of meanwhile."""
        while True:
            left = deadline - time.monotonic()
            ready = poll.poll(min(left * 1000, LONGEST_POLL_MS)) if left > 0 else []
            for number, _ in ready:
                if number == fd:
                    return
            if not ready:
                if time.monotonic() >= deadline:
                    raise self.died(f"did not give {what} in time")
            elif not self._drain():
                poll.unregister(self._stderr_fd)  # closed: the process is ending, and `fd` will say so

    def _drain(self) -> bool:
        """Take in what the worker printed, a pipe's fill at most. False at the end of its output."""
        data = None
        with contextlib.suppress(BlockingIOError):
            for _ in range(PIPE_READS):  # one that prints faster than this reads must not keep us from the clock
                data = os.read(self._stderr_fd, LAST_WORDS_BYTES)
                if not data:
                    break
                log.debug("worker %s: %s", self.pid, data.decode(errors="replace").rstrip())
                self._words = (self._words + data)[-LAST_WORDS_BYTES:]
        return data != b""


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
