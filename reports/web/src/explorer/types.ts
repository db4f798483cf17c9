// What the server answers: the structs of harness/explorer, in their JSON.

export interface Field {
  name: string;
  text: string;
  was?: string | null;
  usual?: boolean;
}
export interface Part {
  name: string;
  fields: Field[];
  said?: string;
  moved?: boolean;
}
export interface Held {
  text: string;
  source: string;
  target: string;
  is_new?: boolean;
}
export interface Change {
  of: string;
  field: string;
  was: string;
  now: string;
}
export interface Choice {
  address: string;
  actor: number | null;
  who: string;
  name: string;
  caption: string;
  detail: string;
  target: number;
  changes?: Change[];
  sends?: string[];
  cost?: string;
  stays?: boolean;
  visited?: boolean;
  breaks?: string[];
  reaches?: string[];
}
export interface Said {
  name: string;
  kind: string;
  promises: string[];
  status: string;
  sentence: string;
}
export interface Step {
  number: number;
  address: string;
  who: string;
  caption: string;
  breaks?: string[];
}
export interface Here {
  address: string;
  link: string;
  depth: number;
  path: Step[];
  actors: Part[];
  observers: Part[];
  network: Held[];
  gone: Held[];
  budgets: Field[];
  properties: Said[];
  choices: Choice[];
  ends: string;
}
export interface Mistake {
  name: string;
  mistake: string;
  source: string;
  breaks: string;
}
export interface About {
  model: string;
  title: string;
  command: string;
  network: string;
  bounds: [string, string][];
  actors: string[];
  mutant: Mistake | null;
  run: string | null;
}
export interface Late {
  number: number;
  who: string;
  caption: string;
  changes: string[];
}
export interface Found {
  kind: "broken" | "stuck" | "reached";
  property: string;
  reason: string;
  link: string;
  steps: number;
  then?: Late[];
  again?: Late[];
}
export interface Told {
  status: "idle" | "running" | "done" | "given up" | "failed";
  limits: string;
  states: number;
  depth: number;
  seconds: number;
  sentence: string;
  notes: string[];
  statistics: string;
  found: Found[];
}
export interface Hit {
  address: string;
  depth: number;
  title: string;
  excerpt: string;
}
export interface Hits {
  hits: Hit[];
  total: number;
  visited: number;
}
export interface Line {
  number: number;
  who: string;
  caption: string;
  at_s?: number | null;
  mark?: string;
}
export interface Lines {
  lines: Line[];
  following: number | null;
}
export interface Parting {
  who: string;
  number: number;
  rule: string;
  reason: string;
  promises: string[];
  properties: string[];
  sides: string[][];
}
export interface RunStep {
  path: number;
  number: number;
  total: number;
  who: string;
  caption: string;
  place: string;
  at_s: number | null;
  explained: string[];
  actors: Part[];
  said: Field[];
  network: Held[];
  lost: number;
  properties: Said[];
  partings: Parting[];
}
export interface PathAbout {
  name: string;
  members: string[];
  steps: number;
  partings: Parting[];
}
export interface RunAbout {
  run: string;
  scenario: string;
  sentence: string;
  paths: PathAbout[];
}
