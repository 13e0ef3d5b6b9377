// Keeps the page up to date. Everything that comes is put in as text, never as markup: a label may be called anything.

const main = document.getElementById("main");
const proof = main.dataset.proof;
const MOST_LABELS = 8, MOST_EVENTS = 30, AWAY_MS = 20000, ROOM_MS = 5000, SAID_MS = 6000, UNITS = 1000;
const SVG = "http://www.w3.org/2000/svg";

function make(name, text, attributes = {}) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function drawn(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

function showOrHide(list, empty, some) {
  list.hidden = !some;
  empty.hidden = some;
}

// Every moment on the page has one of these forms: the reader's own words, 24 hours a day.
const MINUTE = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const SECOND = { ...MINUTE, second: "2-digit" };
const DAY = { ...SECOND, day: "numeric", month: "short" };
const [byMinute, bySecond, byDay, byYear] = [MINUTE, SECOND, DAY, { ...DAY, year: "numeric" }].map(
  (options) => new Intl.DateTimeFormat([], options));

function inWords(iso) {
  const time = new Date(iso), now = new Date();
  if (time.toDateString() === now.toDateString()) return bySecond.format(time);
  return (time.getFullYear() === now.getFullYear() ? byDay : byYear).format(time);
}

const moment = (iso) => make("time", inWords(iso), { datetime: iso });

function sayMoments() {
  for (const time of document.querySelectorAll("time")) setText(time, inWords(time.dateTime));
}

// ---- cameras

const cards = new Map();
for (const card of document.querySelectorAll("[data-camera]")) {
  cards.set(card.dataset.camera, {
    card,
    image: card.querySelector(".view > img"),
    empty: card.querySelector(".view .empty"),
    overlay: card.querySelector(".overlay"),
    body: card.querySelector(".labels tbody"),
    state: card.querySelector(".state"),
    counts: [], // of labels, each with its time
  });
}

function labelRow() {
  const row = make("tr");
  const bar = make("td", undefined, { class: "bar" });
  const meter = drawn("svg", { class: "meter", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  meter.append(drawn("rect", { height: 1 }));
  bar.append(meter);
  row.append(make("th", "", { scope: "row" }), bar, make("td", "", { class: "figure" }));
  return row;
}

function showLabels(result) {
  const known = cards.get(result.camera);
  if (!known) return;
  const labels = result.labels.slice(0, MOST_LABELS);
  const body = known.body;
  keepRoom(known, labels.length);
  if (labels.length === 0) {
    if (!body.querySelector(".none")) {
      const none = make("tr", undefined, { class: "none" });
      none.append(make("td", "No label", { colspan: 3 }));
      body.replaceChildren(none);
    }
    return;
  }
  body.querySelector(".none")?.remove();
  while (body.rows.length > labels.length) body.lastElementChild.remove();
  while (body.rows.length < labels.length) body.append(labelRow());
  labels.forEach((label, at) => {
    const [name, bar, figure] = body.rows[at].cells;
    setText(name, label.text);
    bar.firstElementChild.firstElementChild.setAttribute("width", Math.min(1, label.confidence).toFixed(3));
    setText(figure, `${Math.round(label.confidence * 100)} %`);
  });
}

// For the longest list of the last seconds: what is below stays where a thumb aims, and no gap stays for ever.
function keepRoom(known, count) {
  const now = performance.now();
  known.counts = known.counts.filter(([then]) => now - then < ROOM_MS);
  known.counts.push([now, count]);
  const most = Math.max(...known.counts.map(([, each]) => each));
  known.body.style.setProperty("--rows", most);
  clearTimeout(known.shrinking);
  if (most > count) known.shrinking = setTimeout(keepRoom, ROOM_MS, known, count); // though nothing else may come
}

function showPicture(text) {
  const [camera, , data] = text.split(" ", 3);
  const known = cards.get(camera);
  if (!known) return;
  known.image.src = `data:image/jpeg;base64,${data}`;
  if (known.image.hidden) {
    known.image.hidden = false;
    known.empty.hidden = true;
    known.image.addEventListener("load", () => fit(known));
  }
}

function fit(known) {
  const { naturalWidth: width, naturalHeight: height } = known.image;
  if (!known.overlay || !width) return;
  known.overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
  known.overlay.firstElementChild.setAttribute("transform", `scale(${width} ${height})`);
}

function showSettings(camera, settings) {
  const known = cards.get(camera);
  if (!known) return;
  known.card.classList.toggle("off", !settings.enabled);
  if (!settings.enabled) {
    known.image.hidden = true;
    known.image.removeAttribute("src");
    known.empty.hidden = false;
    setText(known.empty, "Switched off");
    known.body.replaceChildren();
  } else if (known.image.hidden) {
    setText(known.empty, "No picture yet");
  }
  for (const form of known.card.querySelectorAll("form[data-setting]")) {
    const setting = form.dataset.setting;
    const box = form.querySelector("input[type=number]");
    if (box && box !== document.activeElement && settings[setting] !== null) {
      const value = String(Number(settings[setting].toPrecision(3)));
      if (box.dataset.told !== value) box.value = box.dataset.told = value;
    }
    if (setting === "enabled") {
      const button = form.querySelector("button");
      button.value = settings.enabled ? "OFF" : "ON";
      setText(button, settings.enabled ? "Switch off" : "Switch on");
    } else {
      form.querySelector("button.quiet").hidden = !settings.differs.includes(setting);
    }
  }
}

// ---- how the device is

const findings = document.getElementById("findings");
let saidFindings = "";

function showCondition(told) {
  for (const row of told.rows) {
    for (const line of document.querySelectorAll(`[data-key="${CSS.escape(row.key)}"]`)) {
      line.className = row.level === "ok" ? "" : row.level;
      setText(line.querySelector("dd"), row.value);
    }
  }
  const names = Object.keys(told.settings);
  if (names.length !== cards.size || names.some((name) => !cards.has(name))) { location.reload(); return; }
  for (const [camera, row] of Object.entries(told.cameras)) {
    const known = cards.get(camera);
    if (!known) continue;
    known.state.className = `state ${row.level}`;
    setText(known.state, row.value);
  }
  for (const [camera, settings] of Object.entries(told.settings)) showSettings(camera, settings);
  const said = JSON.stringify(told.findings);
  if (said !== saidFindings) {  // a reader of the screen hears it again whenever it is written anew
    saidFindings = said;
    const list = findings.querySelector("ul");
    list.replaceChildren(...told.findings.map((row) => {
      const item = make("li", undefined, { class: row.level });
      const todo = make("p", undefined, { class: "todo" });
      todo.append(...row.todo.split("`").map((part, at) => (at % 2 ? make("code", part) : part)));
      item.append(make("strong", row.name), " ", make("span", row.value), todo);
      return item;
    }));
    showOrHide(list, findings.querySelector(".well"), told.findings.length > 0);
  }
}

// ---- the model

const model = document.getElementById("model");

function showModel(told) {
  for (const [name, value] of told.lines) {
    const line = model.querySelector(`[data-key="${CSS.escape(name)}"] dd`);
    if (line && name === "Since" && value.endsWith("Z")) {
      if (line.querySelector("time")?.dateTime !== value) line.replaceChildren(moment(value));
    } else if (line) setText(line, value);
    else if (value) {
      const fresh = make("div", undefined, { "data-key": name });
      fresh.append(make("dt", name), make("dd", value));
      model.querySelector("dl").append(fresh);
    }
  }
  const error = model.querySelector(".error"), offer = model.querySelector(".offer");
  setText(error, told.error ?? "");
  error.hidden = !told.error;
  setText(offer, told.offer);
  offer.hidden = !told.offer;
  const going = model.querySelector(".going"), bar = going.querySelector("progress");
  going.hidden = !told.going;
  setText(going.querySelector("p"), told.going);
  if (told.percentage === null) bar.removeAttribute("value");
  else bar.value = told.percentage;
  const update = model.querySelector("[data-action=update] button");
  if (update) {
    setText(update, told.offer ? "Update now" : "Look for an update");
    update.className = told.offer ? "primary" : "";
  }
  for (const [action, why] of Object.entries(told.barred)) {
    const button = model.querySelector(`[data-action=${action}] button`);
    if (!button) continue;
    button.disabled = why !== "";
    button.title = why;
  }
  const select = model.querySelector("select");
  const options = JSON.stringify(told.models);
  if (select.dataset.told !== options) {
    const chosen = select.value;
    select.dataset.told = options;
    select.replaceChildren(...told.models.map(([value, text, barred]) => {
      const option = make("option", text, { value });
      option.disabled = barred;
      return option;
    }));
    if (told.models.some(([value, , barred]) => value === chosen && !barred)) select.value = chosen;
  }
}

// ---- events

const events = document.querySelector("#events ol");

function showEvent(event) {
  const came = event.event_type === "appeared";
  const item = make("li", undefined, { class: came ? "came fresh" : "went fresh" });
  const text = make("span", undefined, { class: "text" });
  text.append(make("b", event.label), came ? " appeared" : " disappeared");
  item.append(moment(event.time), text, make("small", event.camera));
  events.prepend(item);
  while (events.childElementCount > MOST_EVENTS) events.lastElementChild.remove();
  showOrHide(events, document.querySelector("#events .empty"), true);
  drawTimelineSoon();
}

// ---- presence

const timeline = document.getElementById("timeline");
let minutes = timeline.querySelector("[aria-current]")?.dataset.minutes ?? "60";
let drawing = 0;

function drawTimelineSoon() {
  if (!drawing) drawing = setTimeout(drawTimeline, 1000);
}

function lasting(seconds) {
  const whole = Math.floor(seconds / 60);
  if (whole >= 60) return `${Math.floor(whole / 60)} h ${whole % 60} min`;
  return whole ? `${whole} min` : `${Math.floor(seconds)} s`;
}

async function drawTimeline() {
  drawing = 0;
  let told;
  try {
    const answer = await fetch(`api/presence?minutes=${minutes}`);
    if (!answer.ok) return;
    told = await answer.json();
  } catch { return; }
  const since = Date.parse(told.since), now = Date.parse(told.now), whole = now - since;
  const rows = told.labels.slice(0, 40).map((label) => {
    let total = 0;
    const bars = label.spans.map((span) => {
      const start = Math.max(Date.parse(span.start), since);
      const end = span.end === null ? now : Math.max(start, Date.parse(span.end));
      total += end - start;
      const width = Math.max((end - start) / whole * UNITS, 2);
      return drawn("rect", { x: ((start - since) / whole * UNITS).toFixed(1), y: 0, width: width.toFixed(1), height: 10 });
    });
    const often = label.spans.length === 1 ? "once" : `${label.spans.length} times`;
    const said = `${label.present ? "present now, " : ""}${often}, ${lasting(total / 1000)} in all`;
    const row = make("tr", undefined, label.present ? { class: "present" } : {});
    const name = make("th", label.label, { scope: "row" });
    name.append(" ", make("small", label.camera));
    const svg = drawn("svg", { viewBox: `0 0 ${UNITS} 10`, preserveAspectRatio: "none", role: "img", "aria-label": said });
    const title = drawn("title", {});
    title.textContent = said;
    svg.append(title, ...bars);
    const cell = make("td");
    cell.append(svg);
    row.append(name, cell);
    return row;
  });
  const table = timeline.querySelector("table"), ticks = timeline.querySelector(".ticks");
  table.tBodies[0].replaceChildren(...rows);
  showOrHide(table, timeline.querySelector(".empty"), rows.length > 0);
  ticks.hidden = rows.length === 0;
  [...ticks.children].forEach((tick, at) => {
    setText(tick, at === 4 ? "now" : byMinute.format(since + whole * at / 4));
  });
}

timeline.querySelector(".tabs").addEventListener("click", (click) => {
  const tab = click.target.closest("[data-minutes]");
  if (!tab) return;
  click.preventDefault();
  minutes = tab.dataset.minutes;
  for (const each of timeline.querySelectorAll("[data-minutes]")) {
    if (each === tab) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  }
  drawTimeline();
});

// ---- commands: the forms work by themselves; here they leave the page where it is

const said = document.getElementById("said");
let hush = 0;

function say(text, wrong) {
  clearTimeout(hush);
  setText(said, text);
  said.classList.toggle("wrong", Boolean(wrong));
  if (!wrong) hush = setTimeout(() => setText(said, ""), SAID_MS);
}

if (said.textContent) say(said.textContent, said.textContent.startsWith("Not done")); // of a form, sent before this ran

function command(form, button) {
  const fields = new FormData(form, button);
  if (form.dataset.setting) {
    const text = fields.getAll("value").at(-1);
    const value = text === "null" ? null : form.dataset.setting === "enabled" ? text : Number(text);
    return [`api/cameras/${encodeURIComponent(fields.get("camera"))}/${form.dataset.setting}`, { value }];
  }
  if (form.dataset.action === "restart") return ["api/inference", { action: "restart" }];
  if (form.dataset.action === "use") {
    const [name, version] = fields.get("model").split("@");
    return ["api/model", version ? { action: "use", name, version } : { action: "use", name }];
  }
  return ["api/model", { action: form.dataset.action }];
}

document.addEventListener("submit", async (submit) => {
  const form = submit.target;
  if (!form.dataset.setting && !form.dataset.action) return;
  submit.preventDefault();
  const [address, body] = command(form, submit.submitter);
  const button = submit.submitter;
  button.setAttribute("aria-busy", "true");
  say("Asked …");
  try {
    const answer = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": proof },
      body: JSON.stringify(body),
    });
    const told = await answer.json();
    if (answer.status === 403 || answer.status === 401) location.reload();
    else if (answer.status === 202) say("It is on its way; the panel shows how far.");
    else if (answer.ok) say("Done.");
    else say(`Not done: ${told.error}`, true);
  } catch {
    say("Not done: the device does not answer.", true);
  } finally {
    button.removeAttribute("aria-busy");
  }
});

// ---- the connection: one for everything, and none while nobody can see the page

const link = document.getElementById("link");
let source = null, leaving = 0;

function connect() {
  if (source) return;
  const pictures = navigator.connection?.saveData ? "false" : "true";
  source = new EventSource(`api/live?pictures=${pictures}`);
  source.onopen = () => { setText(link, "Live"); link.className = "link on"; drawTimeline(); };
  source.onerror = () => {
    setText(link, "Not connected, trying again");
    link.className = "link lost";
    if (source?.readyState !== EventSource.CLOSED) return;
    source = null;
    setTimeout(connect, 5000);
    fetch("api/health").then((answer) => { if (answer.status === 401) location.reload(); }, () => {});
  };
  const on = (name, show) => source.addEventListener(name, (message) => show(JSON.parse(message.data)));
  on("labels", showLabels);
  on("condition", showCondition);
  on("model", showModel);
  on("event", showEvent);
  source.addEventListener("picture", (message) => showPicture(message.data));
}

function disconnect() {
  source?.close();
  source = null;
  setText(link, "Paused");
  link.className = "link";
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(leaving);
  if (document.hidden) leaving = setTimeout(disconnect, AWAY_MS);
  else connect();
});
sayMoments();
setInterval(() => {
  if (document.hidden || !source) return;
  sayMoments(); // midnight may have passed
  drawTimelineSoon();
}, 30000);
connect();
