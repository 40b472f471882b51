// The built-in page: what is open, how likely it is, and why. Everything shown is set as text, never as
// markup, so that a key or a word from a source cannot become part of the page.

/** Reasons shown on each side of a line. */
const REASONS = 3;

const $ = (id) => document.getElementById(id);
const percent = (p) => `${(100 * p).toFixed(p < 0.1 || p > 0.9 ? 1 : 0)} %`;
let board = { scores: [] };

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** The key lives as long as the tab, and never in an address that is sent anywhere. */
const KEY = "scorehouse-key";

function takeKeyFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  sessionStorage.setItem(KEY, key);
  history.replaceState(null, "", location.pathname);
}

async function get(path) {
  const headers = { accept: "application/json" };
  const key = sessionStorage.getItem(KEY);
  if (key) headers.authorization = `Bearer ${key}`;
  const answer = await fetch(path, { headers });
  const body = await answer.json();
  if (answer.status === 401) askForKey(key ? body.error?.message : "");
  if (!answer.ok) throw new Error(body.error?.message ?? `${path}: ${answer.status}`);
  return body;
}

function askForKey(why) {
  sessionStorage.removeItem(KEY);
  $("sign-in").hidden = false;
  $("filter").hidden = true;
  $("why").textContent = why ?? "";
  $("key").focus();
}

function signIn(event) {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("key").value.trim());
  location.reload();
}

function card(value, label) {
  const node = make("div");
  node.append(make("b", "", value), make("span", "", label));
  return node;
}

function showSummary() {
  const { scores, total, version, as_of: asOf } = board;
  const mean = scores.reduce((sum, s) => sum + s.probability, 0) / (scores.length || 1);
  $("summary").replaceChildren(
    card(String(total), board.truncated ? `open, the first ${scores.length} shown` : "open"),
    card(percent(mean), "mean probability"),
    card(`v${version}`, `${board.model}, ${board.alias}`),
    card(asOf.slice(0, 10), `as of ${asOf.slice(11, 16)} UTC`),
  );
}

function words(reason) {
  return reason.words ?? `${reason.feature} is ${reason.value ?? "missing"}`;
}

function reasonList(className, reasons) {
  const cell = make("td", className);
  const list = make("ul");
  for (const reason of reasons.slice(0, REASONS)) {
    const item = make("li", "", words(reason));
    item.title = `${reason.feature}: ${reason.contribution > 0 ? "+" : ""}${reason.contribution.toFixed(3)}`;
    list.append(item);
  }
  cell.append(list);
  return cell;
}

function trendCell(trend) {
  const cell = make("td", "trend");
  if (typeof trend !== "number") {
    cell.textContent = "new";
    return cell;
  }
  const points = 100 * trend;
  const steady = Math.abs(points) < 0.5;
  cell.textContent = steady ? "→" : `${points > 0 ? "↗ +" : "↘ "}${points.toFixed(1)}`;
  if (!steady) cell.classList.add(points > 0 ? "rise" : "fall");
  return cell;
}

/** A fact as people write it: moments as days, names without underscores. */
function fact([name, value]) {
  const day = /^\d{4}-\d\d-\d\dT/.test(value) ? value.slice(0, 10) : value;
  return `${name.replaceAll("_", " ")} ${day}`;
}

function row(score) {
  const line = make("tr");
  const key = make("td", "key", score.key);
  const facts = Object.entries(score.facts ?? {}).filter(([, value]) => value !== null);
  key.append(make("div", "facts", facts.map(fact).join(" · ")));
  const probability = make("td", "score", percent(score.probability));
  const meter = make("meter");
  meter.value = score.probability;
  probability.append(meter);
  const reasons = score.reasons ?? [];
  line.append(
    key,
    probability,
    trendCell(score.trend),
    reasonList("for", reasons.filter((r) => r.contribution > 0)),
    reasonList("against", reasons.filter((r) => r.contribution < 0)),
  );
  return line;
}

const orders = {
  score: (a, b) => b.probability - a.probability,
  least: (a, b) => a.probability - b.probability,
  rise: (a, b) => (b.trend ?? 0) - (a.trend ?? 0),
  fall: (a, b) => (a.trend ?? 0) - (b.trend ?? 0),
};

function showRows() {
  const form = new FormData($("filter"));
  const text = String(form.get("text")).trim().toLowerCase();
  const fits = (s) => !text || JSON.stringify(s).toLowerCase().includes(text);
  const shown = board.scores.filter(fits).sort(orders[form.get("order")]).slice(0, 300);
  $("board").tBodies[0].replaceChildren(...shown.map(row));
  $("board").hidden = shown.length === 0;
  $("notice").textContent = shown.length ? "" : "Nothing fits.";
}

async function show(model) {
  for (const button of $("models").children) {
    button.setAttribute("aria-pressed", String(button.value === model));
  }
  $("notice").textContent = "Loading…";
  try {
    board = await get(`/v1/models/${encodeURIComponent(model)}/board?limit=500&reasons=12`);
    showSummary();
    showRows();
  } catch (error) {
    $("board").hidden = true;
    $("summary").replaceChildren();
    $("notice").textContent = error.message;
  }
}

async function start() {
  const project = await get("/v1/project");
  $("project").textContent = document.title = project.name.replaceAll("_", " ");
  const models = project.models.filter((m) => m.board);
  if (models.length === 0) {
    $("notice").textContent = "This project declares no model over entities with something open.";
    return;
  }
  for (const model of models) {
    const button = make("button", "", model.name);
    button.value = model.name;
    button.type = "button";
    button.addEventListener("click", () => show(model.name));
    $("models").append(button);
  }
  await show(models[0].name);
}

takeKeyFromAddress();
$("sign-in").addEventListener("submit", signIn);
$("filter").addEventListener("input", showRows);
$("filter").addEventListener("submit", (event) => event.preventDefault());
start().catch((error) => { $("notice").textContent = error.message; });
