"""Figures of presence and events; `scripts/events` runs it. Prints one JSON object.

kills     a daemon on photos that follow each other quickly, every label watched and no holds; daemon and broker are
          killed in turn. The broker keeps its state on disk, the subscriber its session.
rate      results straight into the daemon's own part, each of which is an event, until the broker has them all
bytes     what the kernel was given to write for each event (/proc/self/io), in bursts, one by one, and without any
latency   from a result to its labels, and to its event, at a subscriber in a process of its own; in turn with them a
          bare client that publishes the same bytes: what broker and subscriber take, so that the rest is the daemon's
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from live import HOST, Broker, run_command, say, until
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edged.config.cameras import CameraConfig
from edged.config.mqtt import MqttConfig
from edged.demo.media import ensure_media
from edged.events import Events
from edged.labeling.label import Label, ModelRef, Result, Timing
from edged.mqtt.client import MqttClient
from edged.mqtt.messages import label_payload
from edged.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

KEEPS: Final = "persistence true\nautosave_interval 1\nautosave_on_changes true\nmax_queued_messages 0\n"
MODEL: Final = ModelRef("base", "1.0.0", "sha256:" + 64 * "0")
RULE: Final = {"on": 0.5, "off": 0.4, "hold_on": 0, "hold_off": 0}
RATE_EVENTS: Final = 20_000
BURST: Final = 50  # changes at one moment: as many as one frame can bring
STEP: Final = 500
AHEAD: Final = 2000  # so many events may be on their way before more of them happen
SINGLE_EVENTS: Final = 60
IDLE_SECONDS: Final = 5.0
LATENCIES: Final = 300


class Counting:
    """A subscriber that keeps its session at the broker, and every event's sequence number in order."""

    def __init__(self, port: int, device: str) -> None:
        self.sequences: list[int] = []
        self.lost: list[dict[str, int]] = []
        self.heard: Callable[[str], None] = lambda _: None
        self.new = threading.Condition()
        self._subscribed = threading.Event()
        self._topics = [(f"edged/{device}/+/events", 1), (f"edged/{device}/+/labels", 0)]
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="counting", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(self._topics)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect_async(HOST, port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        self._subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard(message.topic.rsplit("/", 1)[1])
        with self.new:
            if message.topic.endswith("/events"):
                event = json.loads(message.payload)
                self.sequences.append(event["sequence"])
                if event["event_type"] == "lost":
                    self.lost.append(event)
            self.new.notify_all()


def judge(sequences: list[int]) -> dict[str, int]:
    """What a subscriber makes of the numbers that came: those that came again are duplicates."""
    firsts = list(dict.fromkeys(sequences))
    missing = set(range(1, max(firsts, default=0) + 1)) - set(firsts)
    disordered = sum(later < earlier for earlier, later in pairwise(firsts))
    counts = Counter(sequences)
    return {
        "events": len(firsts),
        "lost": len(missing),
        "out_of_order": disordered,
        "duplicates": sum(counts.values()) - len(counts),
    }


def kills(many: int, wanted: int) -> dict[str, object]:
    """Kill daemon and broker so many times each, spread over so many events."""
    with tempfile.TemporaryDirectory(prefix="edged-events-") as temporary:
        folder = Path(temporary)
        lines = f"{KEEPS}persistence_location {folder}/\nuser root\n"
        with Broker(folder, lines) as broker, Counting(broker.port, "events") as subscriber:
            configuration = folder / "edged.yaml"
            camera = {"source": str(ensure_media(say).photos), "fps": 100, "order": "random", "presence": {"*": RULE}}
            mqtt = {"host": HOST, "port": broker.port}
            whole = {"device": "events", "mqtt": mqtt, "state": f"{folder}/state", "cameras": {"a": camera}}
            whole["web"] = {"listen": None}
            configuration.write_text(json.dumps(whole), "utf-8")
            daemon = subprocess.Popen(run_command(configuration))
            began = time.monotonic()
            try:
                for turn in range(2 * many):
                    due = wanted * (turn + 1) // (2 * many + 1)
                    before = len(subscriber.sequences)
                    until(lambda: len(subscriber.sequences) > before and max(subscriber.sequences) >= due, 120)  # noqa: B023
                    time.sleep(random.uniform(0, 0.05))  # noqa: S311  so that kills meet every step
                    if turn % 2:
                        broker.kill()
                        broker.start()
                    else:
                        daemon.kill()
                        daemon.wait()
                        daemon = subprocess.Popen(run_command(configuration))
                    say(f"{turn + 1} kills, {judge(subscriber.sequences)}")
                until(lambda: max(subscriber.sequences) >= wanted, 600)
            finally:
                daemon.terminate()
                daemon.wait()
            time.sleep(2)
            seconds = round(time.monotonic() - began)
            stated = sum(lost["count"] for lost in subscriber.lost)
            return {"kills_of_each": many, **judge(subscriber.sequences), "stated_as_lost": stated, "seconds": seconds}


class Part:
    """The daemon's own part for events, with results made up: label number n is there in every second one."""

    def __init__(self, client: MqttClient, events: Events, slugs: dict[str, str]) -> None:
        self.client = client
        self.events = events
        self._texts = list(slugs)
        self._flip = 0

    def change(self, many: int) -> None:
        """A frame at which so many labels come or go."""
        self._flip = 1 - self._flip
        result = self.result(many * self._flip)
        self.client.publish("edged/events/a/labels", label_payload(result))
        self.events.offer(result, time.monotonic())

    def result(self, many: int) -> Result:
        """What a frame with so many labels gives."""
        labels = tuple(Label(text, 0.9, index) for index, text in enumerate(self._texts[:many]))
        return Result("a", datetime.now(UTC), 1, labels[:10], MODEL, "cpu", Timing(0.3, 4.0, 5.0), labels)

    async def drained(self) -> None:
        """Wait until the broker has everything."""
        await asyncio.sleep(1)
        while self.events.health().waiting:  # noqa: ASYNC110  it has no event of its own to wait for
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def part(port: int, state: Path) -> AsyncIterator[Part]:
    """It at work."""
    client = MqttClient(MqttConfig(host=HOST, port=port), "events", logging.getLogger("edged"))
    cameras = {"a": CameraConfig.model_validate({"source": "picamera", "presence": {"*": RULE}})}
    events = Events(client, state, cameras, lambda: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.run())
        tasks.create_task(in_thread(events.run, "events"))
        slugs = {f"Label {number}": f"label-{number}" for number in range(BURST)}
        events.use(slugs, MODEL)
        while not client.state().connected:  # noqa: ASYNC110  as above
            await asyncio.sleep(0.01)
        try:
            yield Part(client, events, slugs)
        finally:
            await events.stop()
            await client.stop()


def written() -> int:
    """Bytes that this process has had the kernel write to disks."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text("ascii").splitlines())
    return int(lines["write_bytes"])


async def rate(events: Part, port: int) -> dict[str, object]:
    """Events a second, sustained: from the first result to the last event at a subscriber in another process."""
    command = [sys.executable, __file__, "--listen", str(port)]
    listener = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE)
    progress = listener.stdout
    if progress is None:
        raise AssertionError
    await asyncio.to_thread(progress.readline)  # it has subscribed
    before = written()
    began, cpu = time.monotonic(), time.process_time()
    said = b""
    for step in range(0, RATE_EVENTS, STEP):
        for _ in range(0, STEP, BURST):
            events.change(BURST)
        if step >= AHEAD:
            said = await asyncio.to_thread(progress.readline)
    for _ in range(0, AHEAD, STEP):
        said = await asyncio.to_thread(progress.readline)
    seconds = float(said) - began
    if await asyncio.to_thread(listener.wait):
        sys.exit("the subscriber is not content")
    cpu = time.process_time() - cpu
    return {
        "per_second": round(RATE_EVENTS / seconds),
        "per_cpu_second": round(RATE_EVENTS / cpu),  # of this process: what a machine with nothing else to do can reach
        "bytes_per_event": round((written() - before) / RATE_EVENTS),
    }


async def bytes_written(events: Part) -> dict[str, object]:
    """Bytes for each event: one by one, and in quiet times."""
    before = written()
    for _ in range(SINGLE_EVENTS):
        events.change(1)
        await asyncio.sleep(0.25)
    await events.drained()
    single = (written() - before) / SINGLE_EVENTS
    await asyncio.sleep(1)
    before = written()
    for _ in range(round(IDLE_SECONDS / 0.05)):  # frames come, and nothing changes
        events.events.stands("a", time.monotonic())
        await asyncio.sleep(0.05)
    return {"one_by_one": round(single), f"idle_for_{IDLE_SECONDS:g}_s": written() - before}


async def latency(events: Part, port: int) -> dict[str, object]:
    """Milliseconds from a result to a subscriber: medians and the worst of a hundred."""
    command = [sys.executable, __file__, "--watch", str(port)]
    watcher = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE)
    arrivals = watcher.stdout
    if arrivals is None:
        raise AssertionError
    await asyncio.to_thread(arrivals.readline)  # it has subscribed
    took: dict[str, list[float]] = {"labels": [], "events": [], "bare": []}
    payload = label_payload(events.result(1))

    async def arrived(began: float) -> tuple[str, float]:
        topic, at = (await asyncio.to_thread(arrivals.readline)).decode("ascii").split()
        return topic, float(at) - began

    with bare_client(port) as bare:
        for _ in range(LATENCIES):
            began = time.perf_counter()
            bare.publish("edged/events/b/labels", payload)
            took["bare"].append((await arrived(began))[1])
            await asyncio.sleep(0.02)
            began = time.perf_counter()
            events.change(1)
            for _ in ("labels", "events"):
                topic, seconds = await arrived(began)
                took[topic].append(seconds)
            await asyncio.sleep(0.02)
    watcher.terminate()
    await asyncio.to_thread(watcher.wait)
    figures: dict[str, object] = {}
    for name, many in (("labels", took["labels"]), ("bare", took["bare"]), ("event", took["events"])):
        figures[f"{name}_ms"] = round(1000 * statistics.median(many), 2)
        figures[f"{name}_p99_ms"] = round(1000 * statistics.quantiles(many, n=100)[98], 2)
    figures["daemons_share_ms"] = round(1000 * (statistics.median(took["labels"]) - statistics.median(took["bare"])), 2)
    return figures


@contextlib.contextmanager
def bare_client(port: int) -> Iterator[Client]:
    """A client of the MQTT library alone, connected."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="bare")
    client.connect(HOST, port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


async def alone(only: str | None) -> dict[str, object]:
    """All that needs no daemon of its own."""
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="edged-events-") as temporary:
        folder = Path(temporary)
        with Broker(folder, "set_tcp_nodelay true\n") as broker:  # it is not the broker's patience that is measured
            if only in {None, "rate"}:
                async with part(broker.port, folder / "another") as events:
                    figures["rate"] = await rate(events, broker.port)
            async with part(broker.port, folder / "state") as events:
                if only in {None, "bytes"}:
                    figures["bytes_per_event"] = await bytes_written(events)
                if only in {None, "latency"}:
                    figures["latency"] = await latency(events, broker.port)
    return figures


def listen(port: int) -> None:
    """In a process of its own: print when the last event of `rate` came, each once and in order (monotonic time)."""
    with Counting(port, "events") as subscriber:
        print("subscribed", flush=True)
        for step in range(STEP, RATE_EVENTS + STEP, STEP):
            with subscriber.new:
                subscriber.new.wait_for(lambda: len(subscriber.sequences) >= step, 60)  # noqa: B023
            print(time.monotonic(), flush=True)
        if judge(subscriber.sequences) != {"events": RATE_EVENTS, "lost": 0, "out_of_order": 0, "duplicates": 0}:
            sys.exit(f"not every event once, in order: {judge(subscriber.sequences)}")


def watch(port: int) -> None:
    """In a process of its own: print when each message of `latency` came, by the clock that all processes share."""
    subscriber = Counting(port, "events")
    subscriber.heard = lambda topic: print(topic, time.perf_counter(), flush=True)
    with subscriber:
        print("subscribed", flush=True)
        signal.pause()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of the daemon, and as many of the broker")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--only", choices=["kills", "rate", "bytes", "latency"])
    parser.add_argument("--listen", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--watch", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.watch:
        watch(arguments.watch)
    if arguments.listen:
        listen(arguments.listen)
        return
    figures = asyncio.run(alone(arguments.only)) if arguments.only != "kills" else {}
    if arguments.only in {None, "kills"}:
        figures["kills"] = kills(arguments.kills, arguments.events)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
