"""The page's panels, as the server writes them and as an open page is told: the same words, the same buttons."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from edged.labeling.label import ModelRef
from edged.mqtt.model_messages import ModelStatus, UpdateStatus
from edged.updates.shelf import BY_HAND
from edged.web.condition import Row
from edged.web.desk import Installed
from edged.web.facts import model_json
from edged.web.moments import in_words
from edged.web.panels import findings_panel, model_panel

OLD, NEW = ModelRef("things", "1.3.0", "sha256:" + "a" * 64), ModelRef("things", "1.4.0", "sha256:" + "b" * 64)
WELL = ModelStatus(OLD, "good", ModelRef("base", "1.0.0", "sha256:" + "c" * 64), since="2026-11-26T15:04:54Z")
NOW = datetime(2026, 11, 26, 15, 30, tzinfo=UTC)
QUIET = UpdateStatus("1.3.0")
DOWNLOADING = replace(WELL, state="downloading", candidate=NEW)
FETCHED = UpdateStatus("1.3.0", "1.4.0", percentage=43, in_progress=True)
INSTALLED = (Installed("base", None, None), Installed("things", "1.3.0", "good"))


def panel(model: ModelStatus, update: UpdateStatus = QUIET) -> str:
    inference = Row("inference", "Inference", "CPU")
    return model_panel(model, update, INSTALLED, "proof", now=NOW, inference=inference, registry=True)


def buttons(text: str) -> dict[str, str]:
    """Their attributes by their texts."""
    return {words: given for given, words in re.findall(r"<button([^>]*)>([^<]*)</button>", text)}


def test_while_an_update_is_on_its_way_no_button_asks_for_another_model_and_each_says_why() -> None:
    assert not any("disabled" in given for given in buttons(panel(WELL)).values())
    for state in ("downloading", "proving"):
        found = buttons(panel(replace(DOWNLOADING, state=state), FETCHED))
        assert found.keys() == {"Update now", "Use", "Roll back"}
        for given in found.values():
            assert 'disabled title="things 1.4.0 is on its way: wait for what comes of it"' in given
    barred = json.loads(model_json(DOWNLOADING, FETCHED, INSTALLED))["barred"]
    assert set(barred.values()) == {"things 1.4.0 is on its way: wait for what comes of it"}
    assert set(json.loads(model_json(WELL, QUIET, INSTALLED))["barred"].values()) == {""}


def test_a_model_that_somebody_rolled_back_is_no_error() -> None:
    back = replace(WELL, state="rolled_back", last_error=BY_HAND)
    assert '<p class="error" hidden></p>' in panel(back)
    assert "<dd>the one tried last was rolled back by hand</dd>" in panel(back)
    assert json.loads(model_json(back, QUIET, INSTALLED))["error"] is None
    failed = replace(back, last_error="it crashed")
    assert '<p class="error">it crashed</p>' in panel(failed)
    assert "<dd>the one tried last was taken back</dd>" in panel(failed)


def test_a_model_that_is_revoked_is_said_to_be_and_cannot_be_chosen() -> None:
    revoked = (*INSTALLED, Installed("things", "1.2.0", "rolled_back", revoked=True))
    inference = Row("inference", "Inference", "CPU")
    text = model_panel(WELL, QUIET, revoked, "proof", now=NOW, inference=inference, registry=True)
    assert '<option value="things@1.2.0" disabled>things 1.2.0 (revoked)</option>' in text
    assert '<option value="things@1.3.0">things 1.3.0</option>' in text
    told = json.loads(model_json(WELL, QUIET, revoked))["models"]
    assert told[1:] == [["things@1.3.0", "things 1.3.0", False], ["things@1.2.0", "things 1.2.0 (revoked)", True]]


def test_a_command_among_what_is_to_be_done_is_set_as_one() -> None:
    text = findings_panel([Row("a", "a", "gone", "problem", "`edged doctor` says why, `<b>` too")])
    assert '<p class="todo"><code>edged doctor</code> says why, <code>&lt;b&gt;</code> too</p>' in text


def test_since_when_a_model_labels_is_said_as_everything_else_is() -> None:
    since = datetime.fromisoformat(WELL.since or "")
    time = f"{since.astimezone():%H:%M:%S}"
    assert f'<dd><time datetime="2026-11-26T15:04:54.000Z">{in_words(since, NOW)}</time></dd>' in panel(WELL)
    assert in_words(since, since + timedelta(seconds=1)) == time
    assert in_words(since, since + timedelta(days=3)) == f"{since.astimezone().day} Nov, {time}"
    assert in_words(since, since + timedelta(days=300)) == f"{since.astimezone().day} Nov 2026, {time}"
    assert "<dd>not yet</dd>" in panel(replace(WELL, since=None))


def test_where_there_is_nothing_to_go_back_to_the_button_says_so() -> None:
    found = buttons(panel(replace(WELL, previous=None)))
    assert found["Roll back"] == ' disabled title="There is nothing to go back to"'
    assert "disabled" not in found["Use"]


def test_progress_says_what_comes_and_how_far_it_is() -> None:
    text = panel(DOWNLOADING, FETCHED)
    assert '<progress max="100" value="43" aria-labelledby="going">' in text
    assert '<p id="going">downloading things 1.4.0: 43 %</p>' in text
    proving = replace(DOWNLOADING, state="proving"), replace(FETCHED, percentage=100)
    assert '<p id="going">proving things 1.4.0</p>' in panel(*proving)
    assert '<div class="going" hidden>' in panel(WELL)
    told = json.loads(model_json(DOWNLOADING, FETCHED, INSTALLED))
    assert (told["going"], told["percentage"]) == ("downloading things 1.4.0: 43 %", 43)
    assert json.loads(model_json(WELL, QUIET, INSTALLED))["going"] == ""
