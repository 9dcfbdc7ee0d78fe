"use strict";
// Turns each folded table of precomputed answers into a slider above it. The table stays.
for (const [place, folded] of document.querySelectorAll("details.riskbench-steps").entries()) {
  const heads = [...folded.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
  const rows = [...folded.querySelectorAll("tbody tr")].map((row) =>
    [...row.cells].map((cell) => cell.textContent.trim()));
  if (rows.length < 2 || rows.some((row) => row.length !== heads.length)) continue;
  const made = (kind, within, text) => {
    const node = document.createElement(kind);
    if (text) node.textContent = text;
    within.append(node);
    return node;
  };
  const box = document.createElement("div");
  box.className = "steps";
  const label = made("label", box, folded.dataset.label + ": ");
  const setting = made("b", label);
  const slider = made("input", box);
  const answer = made("dl", made("div", box));
  answer.parentNode.setAttribute("aria-live", "polite");
  answer.parentNode.setAttribute("aria-atomic", "true");
  slider.type = "range";
  slider.id = "steps-" + place;
  label.htmlFor = slider.id;
  slider.setAttribute("aria-label", folded.dataset.label);
  slider.min = 0;
  slider.max = rows.length - 1;
  slider.value = folded.dataset.at;
  const show = () => {
    const row = rows[slider.valueAsNumber];
    setting.textContent = row[0];
    slider.setAttribute("aria-valuetext", row[0]);
    answer.replaceChildren();
    row.slice(1).forEach((value, column) => {
      const pair = made("div", answer);
      made("dt", pair, heads[column + 1] + ":");
      made("dd", pair, value);
    });
  };
  slider.addEventListener("input", show);
  show();
  folded.before(box);
}
