// Thousands of small marks, pixel by pixel into one picture: paths of so many take several frames.
import uPlot from "uplot";
import { colour } from "../shared/theme";
import type { Group } from "./calls";
import { data } from "./data";

let layer: CanvasRenderingContext2D | null = null;
let image: ImageData | undefined;

export class Blit {
  private readonly pixels: Uint32Array;
  private readonly width: number;

  constructor(
    private readonly u: uPlot,
    private readonly size: number,
  ) {
    const { width, height } = u.bbox;
    layer ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    if (!image || image.width !== Math.ceil(width) || image.height !== Math.ceil(height)) {
      image = new ImageData(Math.ceil(width), Math.ceil(height));
    }
    this.width = image.width;
    this.pixels = new Uint32Array(image.data.buffer);
    this.pixels.fill(0);
  }

  /** A stamp for the marks of a group: sets its pixels around a place of the plot. */
  stamp({ kind, outcome }: Group): (x: number, y: number) => void {
    const half = Math.floor(this.size / 2);
    const ink = packed(colour(`--op-${data.outcomes[outcome]}`));
    const ground = packed(colour("--bg"));
    const places: number[] = [];
    const inks: number[] = [];
    for (let dy = -half; dy <= half; dy++) {
      for (let dx = -half; dx <= half; dx++) {
        const edge = half - distance(kind, dx, dy);
        if (edge < 0) continue;
        const isInk = outcome === 0 || edge < 1 || (outcome === 1 && Math.abs(dx) === Math.abs(dy));
        places.push(dy * this.width + dx);
        inks.push(isInk ? ink : ground);
      }
    }
    const { pixels, width } = this;
    const height = pixels.length / width;
    return (x, y) => {
      if (x < half || x >= width - half || y < half || y >= height - half) return;
      const middle = y * width + x;
      for (let at = 0; at < places.length; at++) pixels[middle + places[at]] = inks[at];
    };
  }

  /** Lays the picture onto the plot. */
  show(): void {
    if (!layer || !image) return;
    const { canvas } = layer;
    if (canvas.width !== image.width || canvas.height !== image.height) {
      [canvas.width, canvas.height] = [image.width, image.height];
    }
    layer.putImageData(image, 0, 0);
    this.u.ctx.drawImage(canvas, this.u.bbox.left, this.u.bbox.top);
  }
}

/** How far a pixel is from the middle of a square, a circle or a diamond. */
function distance(kind: number, dx: number, dy: number): number {
  if (kind === 0) return Math.max(Math.abs(dx), Math.abs(dy));
  if (kind === 1) return Math.round(Math.hypot(dx, dy) - 0.2);
  return Math.abs(dx) + Math.abs(dy);
}

/** `rgb(1, 2, 3)` as the four bytes of a pixel. */
function packed(text: string): number {
  const [red = 0, green = 0, blue = 0] = (text.match(/[\d.]+/g) ?? []).map(Number);
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
