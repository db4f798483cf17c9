// One plot over the time that all show: an axis, faults behind it, and hands to move it with.
/*! With uPlot, copyright (c) 2022 Leon Sorokin, MIT licence: github.com/leeoniya/uPlot */
import uPlot from "uplot";
import { colour, onColours } from "../shared/theme";
import { data } from "./data";
import { tip } from "./tip";
import { move, onMove, shift, show, shown, WHOLE, zoom } from "./view";

export interface Plan {
  height: number;
  scales: uPlot.Scales;
  axes: uPlot.Axis[];
  series: uPlot.Series[];
  values: uPlot.AlignedData;
  /** Drawn behind the series, and above them. */
  below?: (u: uPlot) => void;
  above?: (u: uPlot) => void;
  /** What to say of a place, in pixels of the page within the plot. */
  told?: (u: uPlot, x: number, y: number) => string[] | null;
  clicked?: (u: uPlot, x: number, y: number) => void;
  /** No narrower than so many seconds. */
  narrowest?: number;
  names?: boolean;
}

const FONT = "11px system-ui, sans-serif";
const AXIS = 58;
const charts: Chart[] = [];

export class Chart {
  readonly u: uPlot;
  private isStale = false;
  private isNear = true;
  private waits = 0;

  constructor(
    readonly element: HTMLElement,
    readonly plan: Plan,
  ) {
    const { names, narrowest } = plan;
    const range = () => {
      const [from, to] = shown();
      const spare = Math.max(0, (narrowest ?? 0) - (to - from)) / 2;
      return [from - spare, to + spare] as uPlot.Range.MinMax;
    };
    const options: uPlot.Options = {
      width: element.clientWidth,
      height: plan.height,
      padding: [names ? 26 : 6, 12, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        sync: { key: "run" },
        bind: { dblclick: () => () => (show(...WHOLE), null), mousedown: this.grabbed },
      },
      scales: { x: { time: false, range }, ...plan.scales },
      axes: [
        { ...axis(), label: "seconds since the start of the run", labelSize: 18, size: 30 },
        ...plan.axes.map((more) => ({ ...axis(), size: AXIS, ...more })),
      ],
      series: [{}, ...plan.series],
      hooks: {
        drawAxes: [(u) => this.behind(u)],
        draw: [(u) => plan.above?.(u)],
        setSelect: [(u) => this.selected(u)],
      },
    };
    this.u = new uPlot(options, plan.values, element);
    this.listen();
    charts.push(this);
    new ResizeObserver(() => this.fit()).observe(element);
    new IntersectionObserver((seen) => {
      this.isNear = seen.some((one) => one.isIntersecting);
      if (this.isNear && this.isStale) this.redraw();
    }).observe(element);
    this.tellRange();
    onMove(() => this.redrawSoon());
  }

  /** The width that the page gives, or that paper has. */
  fit(width = this.element.clientWidth): void {
    if (width > 0 && width !== this.u.width) this.u.setSize({ width, height: this.plan.height });
  }

  /** Many moves within one frame are drawn once; what nobody sees, when somebody does. */
  redrawSoon(): void {
    this.tellRange();
    this.isStale = true;
    if (!this.isNear || this.waits) return;
    this.waits = requestAnimationFrame(() => {
      this.waits = 0;
      this.redraw();
    });
  }

  redraw(): void {
    this.isStale = false;
    this.u.batch(() => {
      this.u.setData(this.plan.values, false);
      const [min, max] = shown();
      this.u.setScale("x", { min, max });
    });
  }

  private tellRange(): void {
    const [from, to] = shown();
    this.element.dataset["shownFrom"] = String(from);
    this.element.dataset["shownTo"] = String(to);
  }

  private behind(u: uPlot): void {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    this.element.dataset["ink"] = colour("--text");
    ctx.save();
    const taken: number[][] = [[], []];
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    for (const [start, end, name] of data.bands) {
      const from = Math.max(bbox.left, u.valToPos(start, "x", true));
      const to = Math.min(bbox.left + bbox.width, u.valToPos(end, "x", true));
      if (to < bbox.left || from > bbox.left + bbox.width) continue;
      ctx.fillStyle = colour("--band");
      ctx.fillRect(from, bbox.top, Math.max(ratio, to - from), bbox.height);
      if (!this.plan.names) continue;
      const middle = (from + to) / 2;
      // Two rows of names; one for which neither has room is told by the timeline.
      const row = taken.findIndex((places) => places.every((place) => Math.abs(place - middle) >= 22 * ratio));
      if (row < 0) continue;
      taken[row].push(middle);
      ctx.fillStyle = colour("--muted");
      ctx.fillText(name, middle, bbox.top - (row > 0 ? 15 : 4) * ratio);
    }
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    this.plan.below?.(u);
    ctx.restore();
  }

  private selected(u: uPlot): void {
    const { left, width } = u.select;
    if (width < 4) return;
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    show(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
  }

  /** With Shift the plot is moved, without it a stretch is chosen. */
  private grabbed: uPlot.Cursor.MouseListenerFactory = (_u, _target, choose) => (event) => {
    if (!event.shiftKey) return choose(event);
    let last = event.clientX;
    const moved = (next: MouseEvent) => {
      this.drag(next.clientX - last);
      last = next.clientX;
    };
    addEventListener("mousemove", moved);
    addEventListener("mouseup", () => removeEventListener("mousemove", moved), { once: true });
    return null;
  };

  private drag(pixels: number): void {
    const [from, to] = shown();
    shift((-pixels / this.u.over.clientWidth) * (to - from));
  }

  private listen(): void {
    const { over } = this.u;
    this.element.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (move(event.key)) event.preventDefault();
    });
    over.addEventListener(
      "wheel",
      (event) => {
        const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
        if (!event.ctrlKey && !isSideways) return;
        event.preventDefault();
        if (isSideways) this.drag(-event.deltaX);
        else zoom(event.deltaY > 0 ? 1.25 : 0.8, this.u.posToVal(event.offsetX, "x"));
      },
      { passive: false },
    );
    // Of several fingers the last one put down drags; a mouse beside it does not.
    let finger: { id: number; x: number } | undefined;
    over.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") finger = { id: event.pointerId, x: event.clientX };
    });
    for (const end of ["pointerup", "pointercancel"] as const) {
      over.addEventListener(end, (event) => {
        if (finger?.id === event.pointerId) finger = undefined;
      });
    }
    over.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch") {
        if (finger?.id !== event.pointerId) return;
        this.drag(event.clientX - finger.x);
        finger.x = event.clientX;
        return;
      }
      tip(this.plan.told?.(this.u, event.offsetX, event.offsetY) ?? null, event.clientX, event.clientY);
    });
    over.addEventListener("pointerleave", () => tip(null));
    over.addEventListener("click", (event) => {
      this.plan.clicked?.(this.u, event.offsetX, event.offsetY);
    });
  }
}

function axis(): uPlot.Axis {
  const line = () => colour("--line");
  return {
    stroke: () => colour("--text"),
    font: FONT,
    labelFont: FONT,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
  };
}

/** All plots again: colours have changed, or what is to be shown. */
export function redrawAll(): void {
  for (const chart of charts) chart.redrawSoon();
}

/** All plots as wide as paper, or again as wide as the page. */
export function fitAll(width?: number): void {
  for (const chart of charts) {
    chart.fit(width);
    chart.redraw();
  }
}

onColours(redrawAll);
