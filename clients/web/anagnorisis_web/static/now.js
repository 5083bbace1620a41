// Counts the elapsed time of the song, and lets keys rate and control the player.

const song = document.getElementById("song");
let shown = performance.now();

function clock(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const minutes = parts[0] ? String(parts[1]).padStart(2, "0") : parts[1];
  return `${parts[0] ? `${parts[0]}:` : ""}${minutes}:${String(parts[2]).padStart(2, "0")}`;
}

function tick() {
  const progress = song.querySelector(".progress");
  if (!progress || document.hidden || progress.dataset.playing !== "true") return;
  const duration = Number(progress.dataset.duration) || Infinity;
  const elapsed = Number(progress.dataset.elapsed) + (performance.now() - shown) / 1000;
  progress.querySelector(".times span").textContent = clock(Math.min(elapsed, duration));
  const bar = progress.querySelector("progress");
  if (bar) bar.value = Math.min(elapsed, duration);
}

song.addEventListener("refreshed", () => {
  shown = performance.now();
});
setInterval(tick, 1000);

// Keys: only where no text or choice has the focus, and only while they are switched on.
const keys = document.getElementById("keys-on");
const OFF = "keys-off";
keys.checked = localStorage.getItem(OFF) === null;
keys.addEventListener("change", () => {
  if (keys.checked) localStorage.removeItem(OFF);
  else localStorage.setItem(OFF, "1");
});
document.getElementById("keys").hidden = false;

function button(key) {
  if (key === "x") return song.querySelectorAll(".rating button")[10];
  if (/^[0-9]$/.test(key)) return song.querySelectorAll(".rating button")[Number(key)];
  return song.querySelector(`button[data-key="${CSS.escape(key)}"]`);
}

document.addEventListener("keydown", (event) => {
  if (!keys.checked || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target.closest("input, select, textarea")) return;
  // Space presses the button, opens the details or follows the link that has the focus.
  if (event.key === " " && event.target.closest("button, summary, a")) return;
  const found = button(event.key);
  if (!found) return;
  event.preventDefault();
  found.form.requestSubmit(found);
});
