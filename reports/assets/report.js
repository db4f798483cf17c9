/* Draws the plots of a report and lets readers move in time. Reads #data; loads nothing. */
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const calls = data.calls;
  const WHOLE = [-0.005 * data.end, Math.max(1e-3, data.end * 1.005)];
  const SYMBOLS = [
    ["square", "square-x-open", "square-open"],
    ["circle", "circle-x-open", "circle-open"],
    ["diamond", "diamond-x-open", "diamond-open"],
  ];
  const SHIFT = [-0.2, 0.2, 0];
  const PIXELS_PER_MARK = 3;
  const MARKS_MAX = 5000;
  const hidden = { f: new Set(), outcome: new Set() };
  let range = WHOLE;

  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  /* A copy in which names of CSS variables have become the colours that they stand for now. */
  function painted(value, key) {
    if (typeof value === "string") {
      return /color$/.test(key) && value.startsWith("--") ? colour(value) : value;
    }
    if (Array.isArray(value)) {
      return typeof value[0] === "object" ? value.map((item) => painted(item, key)) : value;
    }
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, painted(v, k)]));
  }

  const kind = (i) => Math.min(calls.f[i], 2);
  const isOpen = (i) => calls.end[i] < 0;
  const startOf = (i) => calls.start[i] / 1e6;
  const endOf = (i) => (isOpen(i) ? data.end : calls.end[i] / 1e6);

  function rowOf(i) {
    const lane = ((calls.process[i] % calls.lanes) + calls.lanes) % calls.lanes;
    return data.timeline.firstLane + lane + SHIFT[kind(i)];
  }

  function told(i, others) {
    const outcome = data.outcomes[calls.outcome[i]];
    const node = calls.nodes[calls.node[i]];
    const ops = isOpen(i) ? `${calls.index[i]}` : `${calls.index[i]}–${calls.end_index[i]}`;
    const took = isOpen(i) ? "never returned" : `took ${((calls.end[i] - calls.start[i]) / 1e3).toFixed(1)} ms`;
    const lines = [
      `<b>${plain(calls.fs[calls.f[i]])} ${outcome}</b>${node ? ` at ${plain(node)}` : ""}`,
      plain(calls.text[i]).replace(/(.{60}[^ ]*) /g, "$1<br>"),
      `op ${ops}, process ${calls.process[i]}`,
      `${startOf(i).toFixed(3)} s, ${took}`,
    ];
    if (others) lines.push(`and ${others} more here: zoom in`);
    return lines.join("<br>");
  }

  /* Marks and bars for what is in view. Of calls that would cover one another, one is drawn; so
     many pixels count as one place that a phone can draw them all. */
  function callTraces(width) {
    let pixels = PIXELS_PER_MARK;
    let found = inView(width / pixels);
    while (found.marks.size > MARKS_MAX && pixels < width / 8) {
      pixels *= 2;
      found = inView(width / pixels);
    }
    return [...barTraces(found.bars.values()), ...markTraces([...found.marks.values()])];
  }

  function inView(bins) {
    const [from, to] = range;
    const scale = Math.max(50, bins) / (to - from);
    const marks = new Map();
    const bars = new Map();
    for (let i = 0; i < calls.index.length; i++) {
      const [start, end] = [startOf(i), endOf(i)];
      if (end < from || start > to) continue;
      const outcome = calls.outcome[i];
      if (hidden.f.has(kind(i)) || hidden.outcome.has(outcome)) continue;
      const at = isOpen(i) ? start : end;
      const place = (rowOf(i) * 8 + kind(i)) * 4 + outcome;
      const bin = Math.floor((at - from) * scale);
      const key = `${place} ${bin}`;
      const mark = marks.get(key);
      if (mark) mark.others += 1;
      else if (from <= at && at <= to) marks.set(key, { i, at, others: 0 });
      const first = Math.floor((start - from) * scale);
      if (Math.floor((end - from) * scale) > first) bars.set(`${key} ${first}`, { i, start, end });
    }
    return { marks, bars };
  }

  function barTraces(bars) {
    const traces = data.outcomes.map((outcome) => ({
      type: "scatter", mode: "lines", x: [], y: [], hoverinfo: "skip",
      line: { color: `--${outcome}`, width: 3 }, opacity: 0.45,
    }));
    for (const { i, start, end } of bars) {
      const trace = traces[calls.outcome[i]];
      trace.x.push(start, end, null);
      trace.y.push(rowOf(i), rowOf(i), null);
    }
    return traces.filter((trace) => trace.x.length);
  }

  function markTraces(marks) {
    const traces = new Map();
    const small = marks.length > 800 ? 5 : 7;
    /* A cross in a box needs room to be seen. */
    const sizes = [small, small + 1, 8];
    for (const { i, at, others } of marks) {
      const outcome = calls.outcome[i];
      const key = `${outcome} ${kind(i)}`;
      if (!traces.has(key)) {
        traces.set(key, {
          type: "scatter", mode: "markers", x: [], y: [], text: [],
          hovertemplate: "%{text}<extra></extra>",
          marker: { symbol: SYMBOLS[kind(i)][outcome], size: sizes[outcome], color: `--${data.outcomes[outcome]}`, line: { width: [0, 1, 1.6][outcome] } },
        });
      }
      const trace = traces.get(key);
      trace.x.push(at);
      trace.y.push(rowOf(i));
      trace.text.push(told(i, others));
    }
    /* What went well lies below what did not. */
    return [...traces.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, trace]) => trace);
  }

  /* A ring around each witness, and its name above. */
  function witnesses() {
    const trace = {
      type: "scatter", mode: "markers", x: [], y: [], hovertext: [],
      hovertemplate: "%{hovertext}<extra></extra>",
      marker: { symbol: "circle-open", size: 16, color: "--witness", line: { width: 2.5 } },
    };
    const names = [];
    calls.index.forEach((index, i) => {
      const number = data.witness[index];
      if (!number) return;
      const [x, y] = [isOpen(i) ? startOf(i) : endOf(i), rowOf(i)];
      trace.x.push(x);
      trace.y.push(y);
      trace.hovertext.push(`<b>Witness ${number}</b><br>${told(i, 0)}`);
      names.push({
        x, y, text: `<b>W${number}</b>`, ax: 0, ay: -26, arrowcolor: "--witness", arrowhead: 0,
        arrowwidth: 1.5, standoff: 8, bgcolor: "--background", bordercolor: "--witness",
        borderpad: 2, font: { color: "--witness", size: 12 },
      });
    });
    return { traces: trace.x.length ? [trace] : [], names };
  }

  /* Horizontal bars cut to what is in view, so that what is written on them is in view too. */
  function clipped(trace) {
    if (!trace.base) return trace;
    const [from, to] = range;
    const kept = trace.base.map((_, i) => i).filter((i) => trace.base[i] < to && trace.base[i] + trace.x[i] > from);
    const starts = kept.map((i) => Math.max(from, trace.base[i]));
    const copy = { ...trace, base: starts, x: kept.map((i, k) => Math.min(to, trace.base[i] + trace.x[i]) - starts[k]) };
    for (const name of ["y", "text", "hovertext"]) {
      if (trace[name]) copy[name] = kept.map((i) => trace[name][i]);
    }
    return copy;
  }

  const plots = [];
  function plot(id, figure, narrowest, more) {
    const element = document.getElementById(id);
    if (!element || !figure) return;
    const draw = (width) => {
      const layout = painted(figure.layout, "");
      const spare = Math.max(0, narrowest - (range[1] - range[0])) / 2;
      layout.xaxis.range = [range[0] - spare, range[1] + spare];
      layout.dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom";
      if (width) layout.width = width;
      const added = more(width || element.clientWidth);
      layout.annotations = [...layout.annotations, ...painted(added.names, "")];
      const traces = [...figure.data.map(clipped), ...added.traces];
      return Plotly.react(element, traces.map((trace) => painted(trace, "")), layout, {
        responsive: true, displayModeBar: false, doubleClick: false, scrollZoom: false,
      });
    };
    draw();
    element.on("plotly_relayout", (event) => {
      const [from, to] = [event["xaxis.range[0]"], event["xaxis.range[1]"]];
      if (from !== undefined && to !== undefined) show(Number(from), Number(to));
    });
    element.on("plotly_doubleclick", () => show(...WHOLE));
    element.addEventListener("keydown", pressed);
    plots.push(draw);
  }

  /* All plots show the same stretch of time, never beyond the run. */
  function show(from, to) {
    const width = Math.min(Math.max(to - from, 1e-4), WHOLE[1] - WHOLE[0]);
    const start = Math.min(Math.max(from, WHOLE[0]), WHOLE[1] - width);
    if (start === range[0] && start + width === range[1]) return;
    range = [start, start + width];
    plots.forEach((draw) => draw());
  }

  const MOVES = {
    ArrowLeft: [-0.2, -0.2], ArrowRight: [0.2, 0.2], "+": [0.25, -0.25], "=": [0.25, -0.25],
    "-": [-0.5, 0.5],
  };

  function move(key) {
    const width = range[1] - range[0];
    const [left, right] = MOVES[key];
    show(range[0] + left * width, range[1] + right * width);
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "0") show(...WHOLE);
    else if (event.key in MOVES) move(event.key);
    else return;
    event.preventDefault();
  }

  function zoomed(target) {
    const [from, to] = [Number(target.dataset.from), Number(target.dataset.to)];
    const margin = Math.max((to - from) * 0.3, 0.05);
    show(from - margin, to + margin);
  }

  function toggled(button) {
    const { toggleF, toggleOutcome } = button.dataset;
    const [set, code] = toggleF === undefined ? [hidden.outcome, Number(toggleOutcome)] : [hidden.f, Math.min(Number(toggleF), 2)];
    const isShown = set.has(code);
    if (isShown) set.delete(code);
    else set.add(code);
    button.setAttribute("aria-pressed", String(isShown));
    plots[0]();
  }

  async function copied(button) {
    const source = document.getElementById(button.dataset.copy);
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(source.textContent);
    } else {
      getSelection().selectAllChildren(source);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-from], [data-move], [data-toggle-f], [data-toggle-outcome], [data-copy]");
    if (!target) return;
    if (target.dataset.copy) copied(target);
    else if (target.dataset.move) move(target.dataset.move);
    else if (target.dataset.from !== undefined) zoomed(target);
    else toggled(target);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach((draw) => draw()));
  addEventListener("beforeprint", () => {
    root.classList.add("printing");
    document.querySelectorAll("details").forEach((element) => { element.open = true; });
    plots.forEach((draw) => draw(680));
  });
  addEventListener("afterprint", () => {
    root.classList.remove("printing");
    plots.forEach((draw) => draw());
  });

  if (matchMedia("(max-width: 720px)").matches) {
    document.querySelectorAll(".violation .log").forEach((element) => { element.open = false; });
  }
  const shown = witnesses();
  plot("timeline-plot", data.timeline, 0, (width) => ({
    traces: [...callTraces(width), ...shown.traces], names: shown.names,
  }));
  plot("series-plot", data.series, 12 * data.bin, () => ({ traces: [], names: [] }));
  plot("lag-plot", data.lag, 0, () => ({ traces: [], names: [] }));
  root.dataset.ready = "true";
})();
