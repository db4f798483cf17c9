// `delphic explore MODEL --ui`: mounts the explorer.
import { render } from "preact";
import { App } from "../explorer/app";

const root = document.getElementById("app");
if (root) render(<App />, root);
