// The page Map: moves, zooms and colours the dots, and shows the tracks of those that are chosen.

import { refresh, say } from "./live.js";
import { Dots, Painter, palette } from "./map-dots.js";

const PAINT_MILLISECONDS = 5;
const NEAREST = 8;
const TAP_PIXELS = 24;
const MOVED_PIXELS = 6;
const MAX_ZOOM = 400;
const SEARCH_MILLISECONDS = 250;
const TIP_MILLISECONDS = 80;
const RELOAD_MILLISECONDS = 3000;

const frame = document.getElementById("map");
const canvas = document.getElementById("dots");
const tip = document.getElementById("tip");
const panel = document.getElementById("nearest");
const controls = document.getElementById("controls");
const context = canvas.getContext("2d");
const still = matchMedia("(prefers-reduced-motion: reduce)");

const painter = new Painter();
const names = new Map();
let dots = null;
let colours = null;
let view = { x: 0, y: 0, scale: 1 };
let chosen = -1;
let hovered = -1;
let stale = false; // what is painted is not what should be
let asked = false; // a frame is asked for
let glide = null;

const ratio = () => Math.min(devicePixelRatio, 2);
const whole = () => 0.45 * Math.min(canvas.width, canvas.height);

// ---- drawing

function changed(repaint = true) {
  stale ||= repaint;
  if (!asked) requestAnimationFrame(draw);
  asked = true;
}

function draw() {
  asked = false;
  if (!dots) return;
  if (glide) step();
  if (stale && !painter.busy) {
    stale = false;
    painter.start(dots, view, canvas.width, canvas.height, radius(), colours, column());
  }
  if (painter.work(PAINT_MILLISECONDS)) stale ||= painter.shown.view.scale !== view.scale || drift() > 0;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const { canvas: bitmap, view: old } = painter.shown;
  if (old) {
    const zoom = view.scale / old.scale;
    const [x, y] = place(old.x, old.y);
    context.drawImage(bitmap, x - (bitmap.width * zoom) / 2, y - (bitmap.height * zoom) / 2, bitmap.width * zoom, bitmap.height * zoom);
  }
  if (hovered >= 0) ring(hovered, 1.5);
  if (chosen >= 0) ring(chosen, 3);
  if (painter.busy || stale || glide) changed(false);
}

function drift() {
  const old = painter.shown.view;
  return Math.hypot(view.x - old.x, view.y - old.y);
}

function ring(dot, width) {
  const [x, y] = place(dots.x[dot], dots.y[dot]);
  context.beginPath();
  context.arc(x, y, Math.max(radius() + 2, 5) * ratio() ** 0.5 + width, 0, 2 * Math.PI);
  context.lineWidth = width * ratio();
  context.strokeStyle = getComputedStyle(canvas).color;
  context.stroke();
}

// Dots grow with the zoom, and are larger where there are few.
function radius() {
  const room = Math.sqrt((canvas.width * canvas.height) / Math.max(1, dots.count));
  const zoomed = Math.sqrt(view.scale / whole());
  return Math.min(9, Math.max(1.2, 0.22 * room * zoomed)) * (ratio() > 1 ? 1.3 : 1);
}

function column() {
  const colour = controls.elements.colour.value;
  return colour === "rating" ? dots.rating : colour === "predicted" ? dots.predicted : dots.score;
}

// The legend has the colours of the present scheme; the canvas mixes them.
function readColours() {
  const probe = document.createElement("span");
  document.getElementById("legend").append(probe);
  const read = (name) => {
    probe.className = `probe-${name}`;
    return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  };
  colours = palette(...["low", "middle", "high", "none"].map(read));
  probe.remove();
}

// ---- places

function place(x, y) {
  return [canvas.width / 2 + (x - view.x) * view.scale, canvas.height / 2 + (y - view.y) * view.scale];
}

function position(clientX, clientY) {
  const box = canvas.getBoundingClientRect();
  return [
    view.x + ((clientX - box.left) * ratio() - canvas.width / 2) / view.scale,
    view.y + ((clientY - box.top) * ratio() - canvas.height / 2) / view.scale,
  ];
}

function dotAt(clientX, clientY) {
  if (!dots) return -1;
  const [x, y] = position(clientX, clientY);
  const [dot = -1] = dots.nearest(x, y);
  return dot >= 0 && dots.distance(dot, x, y) * view.scale <= TAP_PIXELS * ratio() ? dot : -1;
}

function bound(value, limit) {
  return Math.min(limit, Math.max(-limit, value));
}

function move(x, y, scale = view.scale) {
  view.scale = Math.min(whole() * MAX_ZOOM, Math.max(whole() * 0.8, scale));
  [view.x, view.y] = [bound(x, 1), bound(y, 1)];
  changed();
}

// Zooms so that what is at a point of the window stays there.
function zoomAt(clientX, clientY, factor) {
  const [x, y] = position(clientX, clientY);
  const before = view.scale;
  const scale = Math.min(whole() * MAX_ZOOM, Math.max(whole() * 0.8, before * factor));
  move(x + ((view.x - x) * before) / scale, y + ((view.y - y) * before) / scale, scale);
}

function zoomMiddle(factor) {
  if (chosen >= 0) go({ x: dots.x[chosen], y: dots.y[chosen], scale: view.scale * factor });
  else go({ ...view, scale: view.scale * factor });
}

// Moves the view to a place: smoothly, unless the listener wants less motion.
function go(target) {
  if (still.matches) return move(target.x, target.y, target.scale);
  glide = { from: { ...view }, to: target, began: performance.now() };
  changed();
}

function step() {
  const share = Math.min(1, (performance.now() - glide.began) / 250);
  const eased = 1 - (1 - share) ** 3;
  const { from, to } = glide;
  const between = (name) => from[name] + (to[name] - from[name]) * eased;
  if (share === 1) glide = null;
  move(between("x"), between("y"), from.scale * (to.scale / from.scale) ** eased);
}

// ---- what is shown of a dot

async function nameOf(dot) {
  if (!names.has(dot)) {
    const answer = await fetch(tracksUrl([dot]), { headers: { "x-fragment": "label" } });
    if (answer.status === 409) return load(), "";
    if (!answer.ok) return "";
    const name = document.createElement("template");
    name.innerHTML = await answer.text();
    names.set(dot, name.content.textContent.replace(/\s+/g, " ").trim());
  }
  return names.get(dot);
}

function tracksUrl(wanted) {
  return `/map/tracks?version=${dots.version}&dots=${wanted.join("-")}`;
}

let turn = 0; // of the messages: what is fetched too late is not said

async function choose(dot, announce) {
  const mine = ++turn;
  chosen = dot;
  changed(false);
  panel.dataset.href = tracksUrl(dots.nearest(dots.x[dot], dots.y[dot], NEAREST));
  if (announce) {
    const [x, y] = place(dots.x[dot], dots.y[dot]);
    const inside = x > 0 && y > 0 && x < canvas.width && y < canvas.height;
    if (!inside) go({ x: dots.x[dot], y: dots.y[dot], scale: view.scale });
  }
  const [name] = await Promise.all([nameOf(dot), refresh(panel)]);
  if (mine === turn) say(name);
}

let tipTimer = 0;

function hover(dot, clientX, clientY) {
  clearTimeout(tipTimer);
  if (dot !== hovered) changed(false);
  hovered = dot;
  if (dot < 0) {
    tip.hidden = true;
    return;
  }
  tipTimer = setTimeout(async () => {
    const name = await nameOf(dot).catch(() => "");
    if (dot !== hovered || !name) return;
    tip.textContent = name;
    tip.hidden = false;
    const box = frame.getBoundingClientRect();
    const [x, y] = [clientX - box.left, clientY - box.top];
    const left = Math.min(x + 12, box.width - tip.offsetWidth - 4);
    const above = y - tip.offsetHeight - 12;
    tip.style.translate = `${Math.max(4, left)}px ${above > 4 ? above : y + 16}px`;
  }, TIP_MILLISECONDS);
}

// ---- pointers

const pointers = new Map();
let travelled = 0;

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  if (!pointers.size) travelled = 0;
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  glide = null;
});

canvas.addEventListener("pointermove", (event) => {
  if (!dots) return;
  const before = pointers.get(event.pointerId);
  const now = [event.clientX, event.clientY];
  if (!before) {
    hover(dotAt(...now), ...now);
    return;
  }
  const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
  travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
  pointers.set(event.pointerId, now);
  if (travelled < MOVED_PIXELS) return;
  hover(-1);
  if (others.length === 0) {
    const scale = ratio() / view.scale;
    move(view.x - (now[0] - before[0]) * scale, view.y - (now[1] - before[1]) * scale);
  } else {
    // Two fingers: what is between them stays between them.
    const [other] = others;
    const middle = (point) => [(point[0] + other[0]) / 2, (point[1] + other[1]) / 2];
    const apart = (point) => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
    const [x, y] = middle(now);
    const [oldX, oldY] = middle(before);
    const scale = ratio() / view.scale;
    move(view.x - (x - oldX) * scale, view.y - (y - oldY) * scale);
    zoomAt(x, y, apart(now) / apart(before));
  }
});

function lift(event) {
  const tapped = pointers.delete(event.pointerId) && !pointers.size && travelled < MOVED_PIXELS;
  if (tapped && event.type === "pointerup" && dots) {
    const dot = dotAt(event.clientX, event.clientY);
    if (dot >= 0) choose(dot);
  }
}
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);
canvas.addEventListener("pointerleave", () => hover(-1));
canvas.addEventListener("dblclick", (event) => zoomAt(event.clientX, event.clientY, 2));

canvas.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    glide = null;
    if (dots) zoomAt(event.clientX, event.clientY, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
  },
  { passive: false },
);

// ---- keys

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

canvas.addEventListener("keydown", (event) => {
  if (!dots?.count || event.ctrlKey || event.altKey || event.metaKey) return;
  const arrow = ARROWS[event.key];
  if (arrow && event.shiftKey) {
    const far = (0.2 * canvas.width) / view.scale;
    go({ x: view.x + arrow[0] * far, y: view.y + arrow[1] * far, scale: view.scale });
  } else if (arrow) {
    const next = chosen < 0 ? dots.nearest(view.x, view.y)[0] : dots.towards(chosen, ...arrow);
    if (next >= 0) choose(next, true);
    else {
      turn++;
      say(frame.dataset.end);
    }
  } else if (event.key === "+" || event.key === "=") zoomMiddle(1.6);
  else if (event.key === "-") zoomMiddle(1 / 1.6);
  else if (event.key === "0") go({ x: 0, y: 0, scale: whole() });
  else if (event.key === "Enter" && chosen >= 0) panel.querySelector("a, button, select")?.focus();
  else return;
  event.preventDefault();
});

document.getElementById("zoom-in").addEventListener("click", () => zoomMiddle(1.6));
document.getElementById("zoom-out").addEventListener("click", () => zoomMiddle(1 / 1.6));
document.getElementById("all").addEventListener("click", () => go({ x: 0, y: 0, scale: whole() }));

// ---- search and colour

let typing = 0;

async function search() {
  const text = controls.elements.q.value.trim();
  if (!dots) return;
  if (!text) {
    dots.found = null;
    changed();
    return;
  }
  const answer = await fetch(`/map/search?version=${dots.version}&q=${encodeURIComponent(text)}`);
  if (answer.status === 409) return load();
  if (!answer.ok || text !== controls.elements.q.value.trim()) return;
  const numbers = new Uint32Array(await answer.arrayBuffer());
  dots.found = new Uint8Array(dots.count);
  for (const number of numbers) dots.found[number] = 1;
  say(frame.dataset.found + numbers.length);
  changed();
  if (numbers.length) choose(numbers[0], true);
}

controls.elements.q.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => search().catch(() => {}), SEARCH_MILLISECONDS);
});
controls.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  search().catch(() => {});
});
controls.elements.colour.addEventListener("change", () => load());

// ---- data

async function load() {
  const colour = controls.elements.colour.value;
  const tag = colour.startsWith("tag:") ? colour.slice(4) : "";
  if (!dots) say(frame.dataset.waiting);
  const answer = await fetch(`/map/data?tag=${encodeURIComponent(tag)}`);
  if (!answer.ok) return say(document.body.dataset.failed);
  const loaded = new Dots(await answer.arrayBuffer());
  if (!dots) say("");
  names.clear();
  if (loaded.version !== dots?.version) [chosen, hovered] = [-1, -1];
  else loaded.found = dots.found;
  const first = !dots;
  dots = loaded;
  if (first) view = { x: 0, y: 0, scale: whole() };
  frame.dataset.dots = dots.count;
  changed();
}

let reload = 0;

// The number of tracks was fetched again: something has changed.
document.getElementById("count").addEventListener("refreshed", () => {
  clearTimeout(reload);
  reload = setTimeout(() => load().catch(() => {}), RELOAD_MILLISECONDS);
});

function fit() {
  const before = dots ? view.scale / whole() : 1;
  canvas.width = Math.round(frame.clientWidth * ratio());
  canvas.height = Math.round(frame.clientHeight * ratio());
  view.scale = before * whole();
  changed();
}

new ResizeObserver(fit).observe(frame);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readColours();
  changed();
});
readColours();
fit();
load().catch(() => say(document.body.dataset.disconnected));
