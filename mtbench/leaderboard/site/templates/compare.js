// Two systems beside each other: scores, whether a test tells them apart, and the transactions where they differ.
"use strict";
(() => {
  const box = document.getElementById("compare");
  if (!box || typeof BOARD === "undefined") return;
  const { el } = mtb;
  const SIZE = 50;
  const { ids, categories, category, turns, leaks, depth, systems, tables, counted } = BOARD;
  const at = new Map(systems.map((system, i) => [system.name, i]));
  const leaky = leaks.some(Boolean);
  let page = 1;

  const asked = () => {
    const query = new URLSearchParams(location.search);
    const hash = mtb.state();
    return (name) => hash.get(name) || query.get(name) || "";
  };
  const names = systems.map((system) => [system.name, `${system.title} (${system.proxy})`]);
  const form = el("form", { class: "filter", "aria-label": "Choose", onsubmit: (event) => event.preventDefault() },
    mtb.choice("A", "a", names), mtb.choice("B", "b", names),
    mtb.choice("Show", "which", [["", "all that differ"], ["a", "A is likelier to have it in the first 8"], ["b", "B is likelier to have it in the first 8"]]),
    el("button", { type: "button", onclick: () => { [form.elements.a.value, form.elements.b.value] = [form.elements.b.value, form.elements.a.value]; changed(); } }, "Swap"));
  const out = el("div");
  box.append(form, out);

  const verdict = (a, b) => {
    if (a === b) return "These are the same system.";
    const said = [];
    for (const table of tables) {
      const row = table.rows.find((one) => one.system === a);
      if (!row || !table.rows.some((one) => one.system === b)) continue;
      const better = systems[a].mean >= systems[b].mean ? a : b;
      said.push(row.alike.includes(b)
        ? `On ${table.proxy}, paired tests cannot tell the two apart (5%, after Holm over all pairs of the table).`
        : `On ${table.proxy}, ${systems[better].title} is better by a paired test (5%, after Holm over all pairs of the table).`);
    }
    return said.join(" ") || "The two stand in different tables, because different things stood for the images; no test compares them.";
  };

  const row = (label, a, b, difference) => el("tr", {}, el("th", { scope: "row" }, label), el("td", { class: "num" }, a), el("td", { class: "num" }, b), el("td", { class: "num" }, difference));
  const count = (value) => value.toLocaleString("en", { maximumFractionDigits: 1 });
  const scores = (a, b) => {
    const mean = (one) => [mtb.percent(one.mean), el("small", {}, one.interval.map(mtb.percent).join("–"))];
    const signed = (value, digits) => (value > 0 ? "+" : value < 0 ? "−" : "±") + Math.abs(value).toFixed(digits);
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, ""), ...[a, b].map((one) => el("th", { scope: "col", class: "num" }, el("a", { href: encodeURIComponent(one.page) }, one.title))), el("th", { scope: "col", class: "num" }, "A − B"))),
      el("tbody", {},
        row("Mean", mean(a), mean(b), signed(100 * (a.mean - b.mean), 1)),
        ...counted.map((first, i) => { const [x, y] = [a.found[i], b.found[i]]; return row(first === 1 ? "Targets at rank 1" : `Targets at rank ${first} or better`, count(x), count(y), signed(x - y, Number.isInteger(x) && Number.isInteger(y) ? 0 : 1)); }))),
      el("p", { class: "note" }, "A target that ties with others counts in part: by the share of the places that it could have."));
  };

  const show = async () => {
    const [a, b] = [form.elements.a.value, form.elements.b.value].map((name) => at.get(name));
    const [one, two] = [systems[a], systems[b]];
    const differ = ids.map((_, i) => i).filter((i) => one.ranks[i] !== two.ranks[i]);
    const onlyA = differ.filter((i) => one.eight[i] > two.eight[i]);
    const onlyB = differ.filter((i) => two.eight[i] > one.eight[i]);
    const found = { "": differ, a: onlyA, b: onlyB }[form.elements.which.value];
    const pages = Math.max(1, Math.ceil(found.length / SIZE));
    page = Math.min(Math.max(1, page), pages);
    await Promise.allSettled([mtb.load(one.data), mtb.load(two.data)]);
    if (form.elements.a.value !== one.name || form.elements.b.value !== two.name) return; // chosen anew meanwhile
    const go = (to) => { page = to; show(); };
    const side = (system, i) => el("td", {}, el("span", { class: system.eight[i] >= 0.5 ? "rank hit" : "rank" }, mtb.rank(system.ranks[i], depth)), mtb.images(system.name, i, mtb.target(i)));
    const rows = found.slice((page - 1) * SIZE, page * SIZE).map((i) => el("tr", {},
      el("th", { scope: "row" }, el("a", { class: "id", href: `${encodeURIComponent(one.page)}#open=${encodeURIComponent(ids[i])}` }, ids[i]), el("small", {}, `${categories[category[i]]}, ${turns[i]} turns`, leaky && leaks[i] ? ", leaked" : ""), mtb.turns(i)),
      side(one, i), side(two, i)));
    out.replaceChildren(
      el("p", { class: "verdict" }, verdict(a, b)),
      scores(one, two),
      el("h2", {}, "Where they differ"),
      el("p", { role: "status" }, `${differ.length.toLocaleString("en")} of ${ids.length.toLocaleString("en")} transactions have the target at another rank. A is likelier to have it in the first 8 in ${onlyA.length.toLocaleString("en")}, B in ${onlyB.length.toLocaleString("en")}.`),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Transactions where they differ" }, el("table", { class: "differ" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Transaction"), el("th", { scope: "col" }, `A: ${one.title}, rank and first images`), el("th", { scope: "col" }, `B: ${two.title}, rank and first images`))),
        el("tbody", {}, rows))),
      mtb.pager(page, pages, go) || "");
  };

  const changed = () => {
    page = 1;
    mtb.keep({ a: form.elements.a.value, b: form.elements.b.value, which: form.elements.which.value });
    show();
  };
  const read = () => {
    if (!systems.length) return out.replaceChildren(el("p", { class: "note" }, "No submissions yet."));
    const ask = asked();
    const [a, b] = [ask("a"), ask("b")].map((name) => at.get(name));
    const first = a ?? (b === 0 ? 1 : 0);
    const second = b ?? (first === 0 ? 1 : 0);
    form.elements.a.value = systems[Math.min(first, systems.length - 1)].name;
    form.elements.b.value = systems[Math.min(second, systems.length - 1)].name;
    form.elements.which.value = ["a", "b"].includes(ask("which")) ? ask("which") : "";
    page = 1;
    return show();
  };
  form.addEventListener("change", changed);
  addEventListener("hashchange", read);
  read();
})();
