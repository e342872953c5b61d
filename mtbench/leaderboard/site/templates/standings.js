// The standings: sort by any column, filter, and keep both in the address. A permalink to a row (#system-NAME) stays one.
"use strict";
(() => {
  const tables = [...document.querySelectorAll("table[data-standings]")];
  const form = document.getElementById("filter");
  if (!tables.length || !form) return;
  const FIRST = { key: "mean", dir: "descending" };
  const UP = new Set(["rank", "system", "training", "milliseconds", "parameters"]); // begin with the least
  let sorted = { ...FIRST };

  const value = (cell) => {
    const text = cell && cell.dataset.sort;
    if (text === undefined) return null;
    const number = Number(text);
    return text === "" || Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0);

  const order = () => {
    const sign = sorted.dir === "ascending" ? 1 : -1;
    for (const table of tables) {
      const heads = [...table.tHead.rows[0].cells];
      const at = heads.findIndex((head) => head.dataset.key === sorted.key);
      heads.forEach((head, i) => (i === at ? head.setAttribute("aria-sort", sorted.dir) : head.removeAttribute("aria-sort")));
      if (at < 0) continue;
      const rows = [...table.tBodies[0].rows].map((row) => ({ row, value: value(row.cells[at]), first: Number(row.dataset.first) }));
      rows.sort((a, b) => (a.value === null) - (b.value === null) || (a.value === null ? 0 : sign * compare(a.value, b.value)) || a.first - b.first);
      table.tBodies[0].append(...rows.map((one) => one.row));
    }
  };

  const filter = () => {
    const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    let all = 0, shown = 0;
    for (const table of tables) {
      for (const row of table.tBodies[0].rows) {
        const found = words.every((word) => row.dataset.search.includes(word));
        const fits = found && !(form.clean.checked && !["clean", "dropped"].includes(row.dataset.training)) && !(form.variants.checked && "variant" in row.dataset);
        row.hidden = !fits;
        all += 1;
        shown += fits;
      }
    }
    document.getElementById("shown").textContent = shown === all ? "" : `${shown} of ${all} rows`;
  };

  const keep = () => {
    const plain = sorted.key === FIRST.key && sorted.dir === FIRST.dir;
    mtb.keep({ sort: plain ? "" : sorted.key, dir: plain ? "" : sorted.dir, q: form.q.value, clean: form.clean.checked, variants: form.variants.checked });
  };

  const read = () => {
    if (location.hash.startsWith("#system-")) return; // a row: the browser shows it
    const found = mtb.state();
    form.q.value = found.get("q") || "";
    form.clean.checked = found.has("clean");
    form.variants.checked = found.has("variants");
    const known = tables.some((table) => [...table.tHead.rows[0].cells].some((head) => head.dataset.key === found.get("sort")));
    sorted = known ? { key: found.get("sort"), dir: found.get("dir") === "ascending" ? "ascending" : "descending" } : { ...FIRST };
    order();
    filter();
  };

  for (const table of tables) {
    [...table.tBodies[0].rows].forEach((row, i) => (row.dataset.first = i));
    for (const head of table.tHead.rows[0].querySelectorAll("[data-key]")) {
      const label = head.textContent;
      head.textContent = "";
      head.append(
        mtb.el("button", {
          type: "button",
          onclick: () => {
            const again = sorted.key === head.dataset.key;
            const dir = again ? (sorted.dir === "ascending" ? "descending" : "ascending") : UP.has(head.dataset.key) ? "ascending" : "descending";
            sorted = { key: head.dataset.key, dir };
            order();
            keep();
          },
        }, label),
      );
    }
  }
  form.hidden = false;
  form.addEventListener("input", () => {
    filter();
    keep();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", read);
  read();
})();
