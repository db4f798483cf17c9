// Latency above throughput, queues, and the lag of slaves above the states of all sides.
import uPlot from "uplot";
import { colour } from "../shared/theme";
import { Chart } from "./chart";
import { data, type Latency } from "./data";
import { rowsPlan } from "./rows";

const ink = (at: number) => `--series-${at % 3}`;
const DASHES: number[][] = [[], [7, 4], [2, 3]];
const dashes = (at: number) => DASHES[Math.floor(at / 3) % 3] ?? [];
const hidden: uPlot.Series = { paths: () => null, points: { show: false } };

function line(name: string, dash: number[]): uPlot.Series {
  const stroke = () => colour(name);
  return { stroke, width: 2, dash, points: { show: true, size: 4, fill: stroke } };
}

export function drawSeries(): void {
  const [latency, rates] = ["latency-plot", "rates-plot"].map((id) => document.getElementById(id));
  const { series } = data;
  if (!latency || !rates || !series) return;
  const { latencies, middles_s: middles, bin_s: bin } = series;
  const times = latencies.flatMap((one) => one.points_ms).filter((ms) => ms > 0);
  const least = 10 ** Math.floor(Math.log10(times.reduce((a, b) => Math.min(a, b), 1)));
  const most = 10 ** Math.ceil(Math.log10(times.reduce((a, b) => Math.max(a, b), 1.1)));
  new Chart(latency, {
    height: 300,
    names: true,
    narrowest: 12 * bin,
    scales: { y: { distr: 3, range: [least, most] } },
    axes: [{ scale: "y", label: "latency, ms", labelSize: 16, size: 42, values: (_u, at) => at.map(power) }],
    series: latencies.flatMap((_, at) => [
      { ...line(ink(at), []), scale: "y" },
      { ...line(ink(at), [3, 3]), scale: "y" },
    ]),
    values: [middles, ...latencies.flatMap((one) => [one.p50, one.p99])],
    below: (u) => latencies.forEach((one, at) => drawPoints(u, one, ink(at))),
    told: (u, x) => {
      const at = u.posToIdx(x);
      const said = latencies.map(
        ({ f, p50, p99 }) => `${f}: median ${ms(p50[at])}, 99th percentile ${ms(p99[at])}`,
      );
      return [`${middles[at].toFixed(2)} s`, ...said];
    },
  });
  const outcomes = Object.entries(series.rates);
  const highest = middles.reduce((top, _, at) => {
    return Math.max(top, outcomes.reduce((sum, [, rate]) => sum + rate[at], 0));
  }, 1);
  new Chart(rates, {
    height: 190,
    narrowest: 12 * bin,
    scales: { y: { range: [0, highest * 1.08] } },
    axes: [{ scale: "y", label: "calls a second", labelSize: 16, size: 42 }],
    series: [{ ...hidden, scale: "y" }],
    values: [middles, middles.map(() => null)],
    below: (u) => drawStacks(u, middles, bin, outcomes),
    told: (u, x) => {
      const at = u.posToIdx(x);
      const said = outcomes.map(([name, rate]) => `${rate[at]} ${name} a second`);
      return [`${middles[at].toFixed(2)} s`, ...said];
    },
  });
}

const power = (value: number) => (Math.log10(value) % 1 === 0 ? String(value) : "");
const ms = (value: number | null | undefined) => (value == null ? "none" : `${value} ms`);

function drawPoints(u: uPlot, { points_s, points_ms }: Latency, name: string): void {
  const { ctx } = u;
  const size = 2.5 * devicePixelRatio;
  const { min, max } = u.scales["x"];
  ctx.fillStyle = colour(name);
  ctx.globalAlpha = 0.3;
  points_s.forEach((time, at) => {
    if (time < (min ?? 0) || time > (max ?? 0)) return;
    const [x, y] = [u.valToPos(time, "x", true), u.valToPos(points_ms[at], "y", true)];
    ctx.fillRect(x - size / 2, y - size / 2, size, size);
  });
  ctx.globalAlpha = 1;
}

function drawStacks(
  u: uPlot,
  middles: number[],
  bin: number,
  outcomes: [string, number[]][],
): void {
  const { ctx } = u;
  const bottom = u.valToPos(0, "y", true);
  const height = (rate: number) => bottom - u.valToPos(rate, "y", true);
  middles.forEach((middle, at) => {
    const left = Math.round(u.valToPos(middle - bin / 2, "x", true));
    const width = Math.round(u.valToPos(middle + bin / 2, "x", true)) - left;
    let top = bottom;
    for (const [name, rate] of outcomes) {
      ctx.fillStyle = colour(`--op-${name}`);
      const high = height(rate[at]);
      top -= high;
      ctx.fillRect(left, top, Math.max(1, width - devicePixelRatio), high);
    }
  });
}

export function drawQueues(): void {
  data.queues.forEach(({ unit, times, lines }, number) => {
    const place = document.getElementById(`queue-plot-${number}`);
    if (!place) return;
    const most = lines.flatMap(([, lengths]) => lengths).reduce<number>((a, b) => Math.max(a, b ?? 0), 5);
    new Chart(place, {
      height: 170,
      names: number === 0,
      scales: { y: { range: [0, most * 1.08] } },
      axes: [{ scale: "y", label: unit, labelSize: 16, size: 42 }],
      series: lines.map((_, at) => ({ ...line(ink(at), dashes(at)), points: { show: false }, scale: "y" })),
      values: [times, ...lines.map(([, lengths]) => lengths)],
      told: (u, x) => {
        const at = u.posToIdx(x);
        const said = lines.map(([name, lengths]) => `${name}: ${lengths[at] ?? "unknown"} ${unit}`);
        return [`${(times[at] ?? 0).toFixed(2)} s`, ...said];
      },
    });
  });
}

export function drawLag(): void {
  const [place, below] = ["lag-plot", "states-plot"].map((id) => document.getElementById(id));
  const { lag } = data;
  if (!place || !below || !lag) return;
  const most = lag.lines.flatMap(([, , tasks]) => tasks).reduce((a, b) => Math.max(a, b), 5);
  const values = lag.lines.length
    ? uPlot.join(lag.lines.map(([, times, tasks]) => [times, tasks] as uPlot.AlignedData))
    : ([[0]] as uPlot.AlignedData);
  new Chart(place, {
    height: 260,
    names: true,
    scales: { y: { range: [0, most * 1.08] } },
    axes: [{ scale: "y", label: "tasks behind", labelSize: 16, size: 42 }],
    series: lag.lines.map((_, at) => ({
      ...line(ink(at), dashes(at)),
      scale: "y",
      spanGaps: true,
    })),
    values,
    told: (u, x) => {
      const now = u.posToVal(x, "x");
      const said = lag.lines.map(([, times, , hovers]) => {
        return hovers[times.findLastIndex((time) => time <= now)] ?? "";
      });
      return [`${now.toFixed(3)} s`, ...said.filter(Boolean)];
    },
  });
  new Chart(below, rowsPlan(lag.states));
}
