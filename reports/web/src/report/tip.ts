// What is under the pointer, in a box beside it. Only text: nothing of a run becomes markup.

let box: HTMLElement | undefined;

export function tip(lines: string[] | null, x = 0, y = 0): void {
  if (!lines) {
    if (box) box.hidden = true;
    return;
  }
  if (!box) {
    box = document.createElement("div");
    box.className = "tip";
    box.setAttribute("aria-hidden", "true");
    document.body.append(box);
  }
  box.hidden = false;
  box.textContent = lines.join("\n");
  const [width, height] = [box.offsetWidth, box.offsetHeight];
  const left = Math.max(4, Math.min(x + 14, innerWidth - width - 4));
  const top = y + 18 + height > innerHeight ? y - height - 12 : y + 18;
  box.style.left = `${left}px`;
  box.style.top = `${Math.max(4, top)}px`;
}
