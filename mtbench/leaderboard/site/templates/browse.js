// The transactions of one system: filter, leaf through, open one. What is shown is in the address.
"use strict";
(() => {
  const box = document.getElementById("browse");
  if (!box || typeof BOARD === "undefined") return;
  const { el } = mtb;
  const SIZE = 50;
  const me = Number(box.dataset.system);
  const { ids, categories, category, turns, leaks, depth, systems } = BOARD;
  const ranks = systems[me].ranks;
  const lengths = [...new Set(turns)].sort((a, b) => a - b);
  const leaky = leaks.some(Boolean);
  const FITS = { "": () => true, 1: (r) => r === 1, 5: (r) => r && r <= 5, 8: (r) => r && r <= 8, 10: (r) => r && r <= 10, miss: (r) => !r || r > 10, none: (r) => !r };
  let page = 1, opened = "";

  const form = el("form", { class: "filter", "aria-label": "Filter the transactions", onsubmit: (event) => event.preventDefault() },
    mtb.choice("Target", "hit", [["", "anywhere"], ["1", "first"], ["5", "in the first 5"], ["8", "in the first 8"], ["10", "in the first 10"], ["miss", "beyond 10"], ["none", `beyond ${depth}`]], ""),
    mtb.choice("Turns", "turns", [["", "any"], ...lengths.map((n) => [String(n), String(n)])], ""),
    categories.length > 1 ? mtb.choice("Category", "category", [["", "any"], ...categories.map((name, i) => [String(i), name])], "") : null,
    leaky ? mtb.choice("Leaks", "leaks", [["", "any"], ["0", "clean"], ["1", "leaked"]], "") : null,
    el("label", {}, "Text ", el("input", { type: "search", name: "q", autocomplete: "off", spellcheck: "false", placeholder: typeof TEXTS === "undefined" ? "id" : "id, words, image" })));
  const list = el("div");
  box.append(form, list);

  const field = (name) => (form.elements[name] ? form.elements[name].value : "");
  const words = (at) => (typeof TEXTS === "undefined" ? ids[at] : `${ids[at]} ${TEXTS[at].turns.flat().join(" ")} ${TEXTS[at].target}`).toLowerCase();
  const matching = () => {
    const asked = { hit: FITS[field("hit")] || FITS[""], turns: field("turns"), category: field("category"), leaks: field("leaks"), q: field("q").toLowerCase().split(/\s+/).filter(Boolean) };
    return ids.map((_, at) => at).filter((at) =>
      asked.hit(ranks[at]) && (!asked.turns || turns[at] === Number(asked.turns)) && (!asked.category || category[at] === Number(asked.category)) && (!asked.leaks || leaks[at] === Number(asked.leaks)) && asked.q.every((word) => words(at).includes(word)));
  };

  const others = (at) => {
    const rows = systems.map((system, i) => ({ system, i, rank: system.ranks[at] })).filter((one) => one.i !== me);
    rows.sort((a, b) => (a.rank || Infinity) - (b.rank || Infinity) || a.i - b.i);
    return el("ul", { class: "others" }, rows.map(({ system, rank }) => el("li", {}, el("b", { class: rank && rank <= 8 ? "rank hit" : "rank" }, mtb.rank(rank, depth)), " ", el("a", { href: `${encodeURIComponent(system.page)}#open=${encodeURIComponent(ids[at])}` }, system.title))));
  };
  const detail = (at) => el("tr", { class: "detail" }, el("td", { colspan: leaky ? 5 : 4 },
    mtb.turns(at),
    el("h3", {}, "First images"), mtb.images(box.dataset.name, at, mtb.target(at)),
    systems.length > 1 ? el("h3", {}, "Rank of the target by the other systems") : null, systems.length > 1 ? others(at) : null));

  const keep = () => mtb.keep({ hit: field("hit"), turns: field("turns"), category: field("category"), leaks: field("leaks"), q: field("q"), page: page > 1 ? page : "", open: opened });
  const show = (focus) => {
    const found = matching();
    const pages = Math.max(1, Math.ceil(found.length / SIZE));
    page = Math.min(Math.max(1, page), pages);
    const go = (to) => { page = to; opened = ""; show(); keep(); };
    const rows = found.slice((page - 1) * SIZE, page * SIZE).flatMap((at) => {
      const open = ids[at] === opened;
      const toggle = () => { opened = open ? "" : ids[at]; show(ids[at]); keep(); };
      const hit = ranks[at] && ranks[at] <= 8;
      const row = el("tr", { class: open ? "open" : null },
        el("th", { scope: "row" }, el("button", { type: "button", class: "id", "data-id": ids[at], "aria-expanded": String(open), onclick: toggle }, ids[at])),
        el("td", {}, categories[category[at]]), el("td", { class: "num" }, String(turns[at])),
        el("td", { class: "num" }, el("span", { class: hit ? "rank hit" : "rank" }, mtb.rank(ranks[at], depth)), el("span", { class: "sr" }, hit ? " hit" : " miss")),
        leaky ? el("td", {}, leaks[at] ? el("span", { class: "pill leaks" }, "leaked") : "") : null);
      return open ? [row, detail(at)] : [row];
    });
    list.replaceChildren(
      el("p", { class: "note", role: "status" }, `${found.length.toLocaleString("en")} of ${ids.length.toLocaleString("en")} transactions`),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Transactions" }, el("table", { class: "browse" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Transaction"), el("th", { scope: "col" }, "Category"), el("th", { scope: "col", class: "num" }, "Turns"), el("th", { scope: "col", class: "num" }, "Rank of the target"), leaky ? el("th", { scope: "col" }, "Train or dev") : null)),
        el("tbody", {}, rows))),
      mtb.pager(page, pages, go) || "");
    if (focus) {
      const button = [...list.querySelectorAll("button[data-id]")].find((one) => one.dataset.id === focus);
      if (button) button.focus();
    }
  };

  const read = (first) => {
    const found = mtb.state();
    for (const name of ["hit", "turns", "category", "leaks", "q"]) {
      const input = form.elements[name];
      if (!input) continue;
      input.value = found.get(name) || "";
      if (input.tagName === "SELECT" && input.selectedIndex < 0) input.value = "";
    }
    opened = found.get("open") || "";
    page = Number(found.get("page")) || (opened ? Math.floor(Math.max(0, matching().indexOf(ids.indexOf(opened))) / SIZE) + 1 : 1);
    show();
    if (opened && first) {
      const button = [...list.querySelectorAll("button[data-id]")].find((one) => one.dataset.id === opened);
      if (button) button.scrollIntoView({ block: "start" });
    }
  };
  form.addEventListener("input", () => { page = 1; opened = ""; show(); keep(); });
  addEventListener("hashchange", () => read(true));
  read(true);
})();
