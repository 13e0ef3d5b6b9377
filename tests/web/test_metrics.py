"""Figures for Prometheus: the text, its rules, and what the dashboard and the alerts make of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.mosquitto import until

from edged.web.durations import BOUNDS, Durations

if TYPE_CHECKING:
    from support.page import Asker

CONFIG = Path(__file__).parents[2] / "config"
NAME = re.compile(r"\bedged_[a-z_]+")
SOMETIMES = {  # what this machine does not have
    "edged_cpu_usage_ratio",  # not in the first seconds
    "edged_temperature_celsius",
    "edged_edgetpu_temperature_celsius",
    "edged_throttled",
    "edged_under_voltage",
    "edged_model_download_ratio",
}


def promtool(*words: str, text: str | None = None) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (apt install prometheus)")
    done = subprocess.run([program, *words], input=text, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_finds_nothing_in_what_is_scraped(ask: Asker) -> None:
    answer = ask("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert promtool("check", "metrics", text=answer.text) == ""


def test_promtool_takes_the_alerts() -> None:
    assert "SUCCESS: " in promtool("check", "rules", str(CONFIG / "prometheus" / "edged.rules.yml"))


@pytest.mark.parametrize("file", ["prometheus/edged.rules.yml", "grafana/edged.json"])
def test_alerts_and_dashboard_ask_for_nothing_that_there_is_not(ask: Asker, file: str) -> None:
    until(lambda: "edged_model_info" in ask("/metrics").text)
    there = set(NAME.findall(re.sub("^#.*$", "", ask("/metrics").text, flags=re.MULTILINE))) | SOMETIMES
    wanted = set(NAME.findall((CONFIG / file).read_text("utf-8")))
    assert len(wanted) > 8
    assert wanted <= there


def test_counters_only_rise_and_count_every_result(ask: Asker) -> None:
    def labelled() -> float:
        (line,) = [
            line for line in ask("/metrics").text.splitlines() if line.startswith("edged_label_latency_seconds_count{")
        ]
        return float(line.split()[1])

    first = labelled()
    assert first > 0
    assert labelled() >= first


def test_durations_fall_into_the_bucket_that_holds_them() -> None:
    durations = Durations()
    for seconds in (0.001, BOUNDS[0], 0.2, 100.0):
        durations.observe("a", seconds)
    buckets, total = durations.buckets()["a"]
    assert dict(buckets)[str(BOUNDS[0])] == 2
    assert dict(buckets)["0.25"] == 3
    assert dict(buckets)["+Inf"] == 4
    assert total == pytest.approx(100.206)
