// The dots of the map: their data, which is next to a place, and how they are painted.
//
// Positions are from -1 to 1. A view is { x, y, scale }: the position in the middle of the canvas,
// and how many pixels a unit has.

const STEPS = 32767;
const NONE = 255;
const MAX_BYTE = 250;
const CELLS = 128;
const SLICE = 4096;

export class Dots {
  // Reads what `/map/data` sends; see `anagnorisis_web.library_map.encode`.
  constructor(buffer) {
    const header = new DataView(buffer);
    const count = header.getUint32(8, true);
    this.count = count;
    this.version = [...new Uint8Array(buffer, 0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    this.x = new Float32Array(count);
    this.y = new Float32Array(count);
    for (let dot = 0; dot < count; dot++) {
      this.x[dot] = header.getInt16(12 + 2 * dot, true) / STEPS;
      this.y[dot] = header.getInt16(12 + 2 * (count + dot), true) / STEPS;
    }
    const column = (number) => new Uint8Array(buffer, 12 + (4 + number) * count, count);
    this.rating = column(0);
    this.predicted = column(1);
    this.score = column(2);
    this.found = null; // 1 for each dot that the search found
    this.#index();
  }

  // Sorts the dots by cells of a grid, so that those next to a place are found without the others.
  #index() {
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    const cells = new Uint16Array(this.count);
    for (let dot = 0; dot < this.count; dot++) {
      cells[dot] = cellOf(this.x[dot]) + CELLS * cellOf(this.y[dot]);
      this.starts[cells[dot] + 1]++;
    }
    for (let cell = 0; cell < CELLS * CELLS; cell++) this.starts[cell + 1] += this.starts[cell];
    this.order = new Uint32Array(this.count);
    const next = this.starts.slice();
    for (let dot = 0; dot < this.count; dot++) this.order[next[cells[dot]]++] = dot;
  }

  // Yields the dots of the cells around a place, ring by ring, with the distance that all dots of
  // later rings have at least.
  *#rings(x, y) {
    const column = cellOf(x);
    const row = cellOf(y);
    for (let ring = 0; ring < CELLS; ring++) {
      const dots = [];
      for (let i = column - ring; i <= column + ring; i++) {
        for (let j = row - ring; j <= row + ring; j++) {
          if (Math.max(Math.abs(i - column), Math.abs(j - row)) < ring) continue;
          if (i < 0 || j < 0 || i >= CELLS || j >= CELLS) continue;
          const cell = i + CELLS * j;
          for (let place = this.starts[cell]; place < this.starts[cell + 1]; place++) dots.push(this.order[place]);
        }
      }
      yield [dots, (ring * 2) / CELLS];
    }
  }

  distance(dot, x, y) {
    return Math.hypot(this.x[dot] - x, this.y[dot] - y);
  }

  // Returns the dots next to a place, the nearest first. `accepts` leaves some out; `cost` is at
  // least the distance.
  nearest(x, y, wanted = 1, accepts = () => true, cost = (dot) => this.distance(dot, x, y)) {
    let found = [];
    for (const [dots, reach] of this.#rings(x, y)) {
      for (const dot of dots) if (accepts(dot)) found.push([cost(dot), dot]);
      found.sort((one, other) => one[0] - other[0]);
      found = found.slice(0, wanted);
      if (found.length === wanted && found[wanted - 1][0] <= reach) break;
    }
    return found.map(([, dot]) => dot);
  }

  // Returns the next dot to the right, left, up or down of a dot, or -1.
  towards(from, right, down) {
    const x = this.x[from];
    const y = this.y[from];
    const ahead = (dot) => (this.x[dot] - x) * right + (this.y[dot] - y) * down;
    const aside = (dot) => Math.abs((this.x[dot] - x) * down) + Math.abs((this.y[dot] - y) * right);
    const accepts = (dot) => ahead(dot) > 0 && aside(dot) <= ahead(dot);
    return this.nearest(x, y, 1, accepts)[0] ?? -1;
  }
}

function cellOf(position) {
  return Math.min(CELLS - 1, Math.max(0, Math.floor(((position + 1) / 2) * CELLS)));
}

// Paints the dots into a bitmap of its own, some thousand at a time, so that no frame waits for all
// of them. The bitmap that is complete is shown, moved and scaled, until the next one is.
export class Painter {
  constructor() {
    this.shown = { canvas: document.createElement("canvas"), view: null };
    this.next = { canvas: document.createElement("canvas"), view: null };
    this.job = null;
  }

  // Begins a bitmap: `width` and `height` are those of the view, to which a margin is added.
  start(dots, view, width, height, radius, colours, values) {
    const margin = Math.round(Math.min(width, height) * 0.15);
    const [wide, high] = [width + 2 * margin, height + 2 * margin];
    const { canvas } = this.next;
    if (canvas.width !== wide || canvas.height !== high || !this.next.image) {
      [canvas.width, canvas.height] = [wide, high];
      this.next.image = new ImageData(wide, high);
      this.next.pixels = new Uint32Array(this.next.image.data.buffer);
    } else this.next.pixels.fill(0);
    this.next.view = { ...view };
    this.job = { dots, colours, values, wide, high, done: 0, found: false, stamp: disc(radius), big: disc(radius * 1.6) };
  }

  get busy() {
    return this.job !== null;
  }

  // Paints until `milliseconds` have passed; returns whether a bitmap was completed.
  work(milliseconds) {
    const end = performance.now() + milliseconds;
    const { job } = this;
    while (job && performance.now() < end) {
      if (job.done < job.dots.count) this.#paint(job);
      else if (job.dots.found && !job.found) [job.found, job.done] = [true, 0];
      else {
        this.next.canvas.getContext("2d").putImageData(this.next.image, 0, 0);
        [this.shown, this.next] = [this.next, this.shown];
        this.job = null;
        return true;
      }
    }
    return false;
  }

  #paint(job) {
    const { dots, values, colours, wide, high } = job;
    const { pixels, view } = this.next;
    const { size, alphas } = job.found ? job.big : job.stamp;
    const last = Math.min(job.done + SLICE, dots.count);
    const left = wide / 2 - size / 2 - view.x * view.scale;
    const top = high / 2 - size / 2 - view.y * view.scale;
    for (let dot = job.done; dot < last; dot++) {
      const hit = dots.found !== null && dots.found[dot] === 1;
      if (job.found && !hit) continue;
      const x = Math.round(left + dots.x[dot] * view.scale);
      const y = Math.round(top + dots.y[dot] * view.scale);
      if (x < 0 || y < 0 || x + size > wide || y + size > high) continue;
      const colour = dots.found && !hit ? colours[NONE] : colours[values[dot]];
      let pixel = y * wide + x;
      for (let row = 0, part = 0; row < size; row++, pixel += wide - size) {
        for (let column = 0; column < size; column++, part++, pixel++) {
          const alpha = alphas[part];
          if (alpha && pixels[pixel] >>> 24 <= alpha) pixels[pixel] = (alpha << 24) | colour;
        }
      }
    }
    job.done = last;
  }
}

// Returns the coverage, 0 to 255, of each pixel of a square around a disc.
function disc(radius) {
  const size = Math.max(1, 2 * Math.ceil(radius));
  const alphas = new Uint8Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const distance = Math.hypot(row + 0.5 - size / 2, column + 0.5 - size / 2);
      alphas[row * size + column] = 255 * Math.min(1, Math.max(0, radius - distance + 0.5));
    }
  }
  return { size, alphas };
}

// Returns the colours of the bytes of a column, from the colours of the legend, as pixels without
// their opacity.
export function palette(low, middle, high, none) {
  const colours = new Uint32Array(256).fill(pixel(none));
  for (let byte = 0; byte <= MAX_BYTE; byte++) {
    const share = (byte / MAX_BYTE) * 2;
    colours[byte] = share < 1 ? pixel(mix(low, middle, share)) : pixel(mix(middle, high, share - 1));
  }
  return colours;
}

function mix(one, other, share) {
  return one.map((part, index) => Math.round(part + (other[index] - part) * share));
}

function pixel([red, green, blue]) {
  return red | (green << 8) | (blue << 16); // the byte order of all browsers
}
