// The last runs of a job as bars: how many records each took, and which ended badly.

import { useId } from "preact/hooks";

import { html } from "./ui.js";
import { t } from "./i18n.js";

const BAR = 6;
const STEP = 8;
const HEIGHT = 36;

/** `runs` come newest first. What failed is hatched, not only of another colour. */
export function RunChart({ title, runs }) {
  const id = useId();
  const shown = runs.slice(0, 30).reverse();
  if (!shown.length) return null;
  const taken = (run) => (run.created ?? 0) + (run.updated ?? 0);
  const most = Math.max(1, ...shown.map((run) => taken(run) + (run.failed ?? 0)));
  // Square roots, so that a first load leaves the daily runs visible.
  const tall = (count) => (count ? Math.max(2, Math.sqrt(count / most) * HEIGHT) : 0);
  const bad = shown.filter((run) => run.failed > 0 || !["done", "running", "suspended"].includes(run.outcome)).length;
  const label = t("chart.label", { job: title, count: shown.length, taken: shown.reduce((sum, run) => sum + taken(run), 0), bad });
  const width = 30 * STEP;
  return html`<svg class="chart" role="img" aria-label=${label} viewBox=${`0 0 ${width} ${HEIGHT + 2}`} width=${width} height=${HEIGHT + 2}>
    <defs><pattern id=${id} width="3" height="3" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <rect class="ground" width="3" height="3" /><rect class="stripe" width="1.5" height="3" /></pattern></defs>
    <line class="base" x1="0" x2=${width} y1=${HEIGHT + 1.5} y2=${HEIGHT + 1.5} />
    ${shown.map((run, index) => {
      const x = index * STEP + (30 - shown.length) * STEP;
      const all = tall(taken(run) + (run.failed ?? 0));
      const failed = run.failed ? Math.max(2, (all * run.failed) / (taken(run) + run.failed)) : 0;
      const broken = !["done", "running", "suspended"].includes(run.outcome);
      return html`<g>
        <rect class=${broken ? "bad" : "taken"} fill=${broken ? `url(#${id})` : undefined} x=${x} y=${HEIGHT - Math.max(all, 1)} width=${BAR} height=${Math.max(all - failed, 1)} />
        ${failed > 0 && html`<rect class="bad" fill=${`url(#${id})`} x=${x} y=${HEIGHT - failed} width=${BAR} height=${failed} />`}
        ${broken && html`<rect class="bad" fill=${`url(#${id})`} x=${x} y=${HEIGHT - 6} width=${BAR} height="6" />`}
      </g>`;
    })}
  </svg>`;
}
