// Rows of bars: what faults, members and sides were doing when.
import uPlot from "uplot";
import { colour } from "../shared/theme";
import type { Plan } from "./chart";
import type { Bar, Rows } from "./data";

const HATCHED: Record<string, string> = {
  dead: "x",
  paused: "/",
  disabled: "/",
  stopped: "x",
};
/** Too pale to be seen as they are: a frame tells how far they reach. */
const QUIET = new Set(["follower", "precandidate", "phase", "unknown", "unseen"]);
const WRITTEN: Record<string, string> = { leader: "--on-leader" };
const BAR_SHARE = 0.78;

/** How high a plot of so many rows is. */
export function heightOf(rows: Rows): number {
  return rows.labels.length * (rows.labels.length <= 40 ? 22 : 15) + 52;
}

/** A plot of rows from the top; what else is drawn on it is the caller's. */
export function rowsPlan(rows: Rows): Plan {
  const count = rows.labels.length;
  return {
    height: heightOf(rows),
    scales: { y: { range: [-0.5, count - 0.5], dir: -1 } },
    axes: [
      {
        scale: "y",
        grid: { show: false },
        ticks: { show: false },
        splits: () => rows.labels.map((_, at) => at),
        values: () => rows.labels,
      },
    ],
    series: [{ scale: "y", paths: () => null, points: { show: false } }],
    values: [[0], [null]],
    below: (u) => drawRows(u, rows),
    told: (u, x, y) => {
      const bar = barAt(u, rows, x, y);
      return bar ? [bar[5]] : null;
    },
  };
}

function drawRows(u: uPlot, rows: Rows): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const right = bbox.left + bbox.width;
  const row = bbox.height / rows.labels.length;
  ctx.fillStyle = colour("--line");
  for (const rule of rows.rules) {
    ctx.fillRect(bbox.left, Math.round(u.valToPos(rule - 0.5, "y", true)), bbox.width, ratio);
  }
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.font = `${10 * ratio}px system-ui, sans-serif`;
  for (const [start, end, at, look, text] of rows.bars) {
    const from = Math.max(bbox.left, u.valToPos(start, "x", true));
    const to = Math.min(right, Math.max(from + ratio, u.valToPos(end, "x", true)));
    if (to <= bbox.left || from >= right) continue;
    const middle = u.valToPos(at, "y", true);
    const height = row * BAR_SHARE;
    const [x, y, width] = [Math.round(from), middle - height / 2, Math.max(ratio, to - from)];
    ctx.fillStyle = colour(`--${look === "unknown" ? "unseen" : look}`);
    ctx.fillRect(x, y, width, height);
    const shape = HATCHED[look];
    if (shape && width > 4 * ratio) hatch(ctx, shape, x, y, width, height);
    if (QUIET.has(look) && width > 3 * ratio) {
      ctx.strokeStyle = colour("--muted");
      ctx.lineWidth = ratio;
      ctx.strokeRect(x + ratio / 2, y + ratio / 2, width - ratio, height - ratio);
    }
    if (text && ctx.measureText(text).width < width - 6 * ratio) {
      if (shape) {
        // Lines behind letters are hard to read.
        ctx.strokeStyle = ctx.fillStyle;
        ctx.lineWidth = 4 * ratio;
        ctx.strokeText(text, x + width / 2, middle);
      }
      ctx.fillStyle = colour(WRITTEN[look] ?? "--text");
      ctx.fillText(text, x + width / 2, middle);
    }
  }
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.fillStyle = colour("--text");
  for (const [when, at, text, isLeft] of rows.notes) {
    ctx.textAlign = isLeft ? "right" : "left";
    const x = u.valToPos(when, "x", true) + (isLeft ? -4 : 4) * ratio;
    ctx.fillText(text, x, u.valToPos(at, "y", true));
  }
}

/** Lines over a bar, so that colour is not all that tells it from others. */
function hatch(
  ctx: CanvasRenderingContext2D,
  shape: string,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, width, height);
  ctx.clip();
  ctx.strokeStyle = colour("--text");
  ctx.globalAlpha = 0.35;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  const step = 7 * devicePixelRatio;
  for (let at = x - height; at < x + width; at += step) {
    ctx.moveTo(at, y + height);
    ctx.lineTo(at + height, y);
    if (shape !== "x") continue;
    ctx.moveTo(at, y);
    ctx.lineTo(at + height, y + height);
  }
  ctx.stroke();
  ctx.restore();
}

/** The bar at a place of the plot; of several the last, which lies on top. */
function barAt(u: uPlot, rows: Rows, x: number, y: number): Bar | undefined {
  const at = Math.round(u.posToVal(y, "y"));
  const [from, to] = [u.posToVal(x - 1, "x"), u.posToVal(x + 1, "x")];
  return rows.bars.findLast((bar) => bar[2] === at && bar[0] <= to && bar[1] >= from);
}
