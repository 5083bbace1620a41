// Keeps the page up to date, and sends forms without loading the page again.
//
// A region is an element with `data-block`, the name of a block of the page's template, and
// `data-live`, the events after which the block is fetched again. `data-href` is the URL of the page
// that has the block, if it is another one; with `data-track`, events of other tracks do not count.

const body = document.body;
const message = document.getElementById("message");
let events = null;

const SECONDS_TO_READ = 8;
let reading = 0;

// Shows a message; it goes away by itself, unless it says what lasts.
export function say(text, lasts = false) {
  clearTimeout(reading);
  message.textContent = text;
  if (text && !lasts) reading = setTimeout(() => say(""), 1000 * SECONDS_TO_READ);
}
if (message.textContent) say(message.textContent);
const here = new URL(location.href);
if (here.searchParams.has("message")) {
  here.searchParams.delete("message");
  history.replaceState(null, "", here);
}

const newest = new WeakMap();

async function fetchInto(region, request) {
  newest.set(region, request);
  const response = await fetch(request);
  const text = await response.text();
  if (response.status === 401) {
    location.assign("/login");
    return;
  }
  if (!response.ok) {
    const problem = new DOMParser().parseFromString(text, "text/html").querySelector("main p");
    say(problem ? problem.textContent : body.dataset.failed);
    return;
  }
  const told = response.headers.get("x-message");
  if (told) say(decodeURIComponent(told));
  // An answer that was overtaken by a later one is out of date.
  if (newest.get(region) === request) show(region, text);
}

// Replaces the content of a region; the focus stays on the control of the same place, what was
// unfolded stays so, and audio that is still the same plays on.
function show(region, html) {
  if (region.querySelector("audio") && isSame(region, html)) return;
  const focusable = () => [...region.querySelectorAll("a, button, input, select, textarea")];
  const place = focusable().indexOf(document.activeElement);
  const open = [...region.querySelectorAll("details[open][id]")].map((details) => details.id);
  region.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (place >= 0) focusable()[place]?.focus({ preventScroll: true });
  region.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
}

function isSame(region, html) {
  const other = document.createElement("template");
  other.innerHTML = html;
  return other.innerHTML === region.innerHTML;
}

export function refresh(region) {
  const headers = { "x-fragment": region.dataset.block };
  const page = region.dataset.href ?? location.href;
  return fetchInto(region, new Request(page, { headers })).catch(() => {});
}

// Fetches the regions that depend on an event, or all. A region inside another comes with that.
function refreshAll(event, track) {
  for (const region of document.querySelectorAll("[data-live]")) {
    const depends = event
      ? region.dataset.live.split(" ").includes(event)
      : !region.parentElement.closest("[data-live]");
    const other = track && region.dataset.track && region.dataset.track !== track;
    if (depends && !other) refresh(region);
  }
}

document.addEventListener("submit", (submitted) => {
  const form = submitted.target;
  const region = form.closest("[data-block]");
  if (!form.matches("[data-inline]") || !region) return;
  submitted.preventDefault();
  const fields = new URLSearchParams(new FormData(form, submitted.submitter));
  if (region.dataset.href) fields.set("back", region.dataset.href);
  const headers = { "x-fragment": region.dataset.block };
  fetchInto(region, new Request(form.getAttribute("action"), { method: "POST", body: fields, headers })).catch(() =>
    say(body.dataset.disconnected, true),
  );
});

let position = body.dataset.position;

// A hidden page listens to nothing. The server knows from the position what a page has missed.
function listen() {
  if (document.hidden) {
    events?.close();
    events = null;
    return;
  }
  if (events) return;
  events = new EventSource(`/events?after=${encodeURIComponent(position)}`);
  events.onopen = () => {
    if (message.textContent === body.dataset.disconnected) say("");
  };
  events.onerror = () => {
    say(body.dataset.disconnected, true);
    if (events.readyState === EventSource.CLOSED) refreshAll(); // perhaps the login has ended
  };
  const handlers = Object.fromEntries(
    [...eventNames()].map((name) => [name, (data) => refreshAll(name, data.track_id)]),
  );
  handlers.reload = () => {
    say("");
    refreshAll();
  };
  handlers.daemon_lost = () => say(body.dataset.disconnected, true);
  for (const [name, handle] of Object.entries(handlers)) {
    events.addEventListener(name, (event) => {
      position = event.lastEventId;
      handle(JSON.parse(event.data));
    });
  }
}

function eventNames() {
  const regions = [...document.querySelectorAll("[data-live]")];
  return new Set(regions.flatMap((region) => region.dataset.live.split(" ")));
}

document.addEventListener("visibilitychange", listen);
if (document.querySelector("[data-live]")) listen();

// A page that says that the daemon does not answer loads again when it does.
const SECONDS_TO_RETRY = 2;
if (document.querySelector("[data-retry]")) {
  setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.ok) location.reload();
  }, 1000 * SECONDS_TO_RETRY);
}
