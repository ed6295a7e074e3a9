// Draws which rung played, and from which edge, over the last two minutes: height by rung, colour by
// edge, a mark for each stall. One canvas, drawn once for each sample, and not at all while hidden.

const WINDOW_S = 120;
const RUNGS = [240, 360, 480, 720, 1080];
const LEFT = 44; // for the names of the rungs
const BOTTOM = 18; // for the times
const TOP = 4;

export class Strip {
  /** `colourOf(edge)` gives the number of an edge's colour, of which the page's style has three. */
  constructor(canvas, colourOf) {
    this.canvas = canvas;
    this.colourOf = colourOf;
    this.samples = []; // {at, height, edge, stalled}, the oldest first
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Add what plays now; `height` 0 is nothing. */
  add(sample) {
    const now = performance.now() / 1000;
    this.samples.push({ at: now, ...sample });
    while (this.samples[0].at < now - WINDOW_S - 5) this.samples.shift();
    if (!document.hidden) this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    const scale = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
    }
    const context = this.canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(this.canvas);
    this.axes(context, style, width, height);
    this.bars(context, style, width, height);
  }

  step(height) {
    return (height - TOP - BOTTOM) / RUNGS.length;
  }

  axes(context, style, width, height) {
    const colour = (name) => resolved(this.canvas, style, name);
    context.font = `11px ${style.fontFamily}`;
    context.lineWidth = 1;
    RUNGS.forEach((rung, index) => {
      const y = Math.round(height - BOTTOM - (index + 1) * this.step(height)) + 0.5;
      context.strokeStyle = colour("--line");
      context.beginPath();
      context.moveTo(LEFT, y);
      context.lineTo(width, y);
      context.stroke();
      context.fillStyle = colour("--soft");
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.fillText(`${rung}p`, LEFT - 6, y + this.step(height) / 2);
    });
    context.textBaseline = "alphabetic";
    for (let ago = WINDOW_S; ago >= 0; ago -= 30) {
      const x = LEFT + (1 - ago / WINDOW_S) * (width - LEFT);
      context.textAlign = ago === WINDOW_S ? "left" : ago ? "center" : "right";
      context.fillText(ago ? `−${Math.floor(ago / 60)}:${String(ago % 60).padStart(2, "0")}` : "now", x, height - 4);
    }
  }

  bars(context, style, width, height) {
    const now = performance.now() / 1000;
    const x = (at) => LEFT + Math.max(0, 1 - (now - at) / WINDOW_S) * (width - LEFT);
    const colours = [0, 1, 2].map((number) => resolved(this.canvas, style, `--edge-${number}`));
    const bad = resolved(this.canvas, style, "--bad");
    this.samples.forEach((sample, index) => {
      const from = x(sample.at);
      const to = x(this.samples[index + 1]?.at ?? now);
      if (to <= LEFT || to <= from) return;
      const rung = RUNGS.filter((known) => known <= sample.height).length;
      if (rung) {
        context.fillStyle = colours[this.colourOf(sample.edge)] ?? resolved(this.canvas, style, "--soft");
        context.fillRect(from, height - BOTTOM - rung * this.step(height), to - from + 0.5, rung * this.step(height));
      }
      if (sample.stalled) {
        context.fillStyle = bad;
        context.fillRect(from, TOP, Math.max(2, to - from), height - TOP - BOTTOM);
      }
    });
  }
}

/** A colour of the page's style for the canvas, which does not know light-dark(). */
function resolved(element, style, name) {
  const declared = style.getPropertyValue(name).trim();
  const pair = /^light-dark\(([^,]+),\s*([^)]+)\)$/.exec(declared);
  if (!pair) return declared;
  return matchMedia("(prefers-color-scheme: dark)").matches ? pair[2] : pair[1];
}
