// In the head of every page: its colours before anything is painted, and its switch after.
import { apply, choose, chosen, following } from "../shared/theme";

let theme = chosen();
apply(theme);
addEventListener("DOMContentLoaded", () => {
  apply(theme);
  document.addEventListener("click", (event) => {
    const target = event.target;
    if (!(target instanceof Element) || !target.closest("[data-theme-switch]")) return;
    theme = following(theme);
    choose(theme);
  });
});
