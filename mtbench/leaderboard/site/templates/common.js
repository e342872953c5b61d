// What the other scripts share. Everything becomes text through append(); nothing is ever parsed as markup.
"use strict";
var TOPS = Object.create(null); // data/NAME.js adds to it
const mtb = (() => {
  /** An element with attributes, listeners (onclick: function) and children; texts stay texts. */
  const el = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, String(value));
    }
    node.append(...children.flat().filter((child) => child != null));
    return node;
  };

  /** What stands behind the # of the address, as names and values. */
  const state = () => new URLSearchParams(location.hash.slice(1));

  /** Put names and values behind the #, the empty ones left out, without a new entry in the history. */
  const keep = (values) => {
    const kept = new URLSearchParams();
    for (const [name, value] of Object.entries(values)) if (value !== "" && value != null && value !== false) kept.set(name, value === true ? "1" : value);
    history.replaceState(null, "", `#${kept}`);
  };

  const percent = (share) => (100 * share).toFixed(1);
  const rank = (value, depth) => (value ? String(value) : `> ${depth}`);

  /** A choice with its label; options are [value, text]. */
  const choice = (label, name, options, value) =>
    el("label", {}, `${label} `, el("select", { name }, options.map(([v, text]) => el("option", { value: v, selected: v === value }, text))));

  /** A script of data, loaded once. */
  const loaded = new Map();
  const load = (src) => {
    if (!loaded.has(src)) {
      loaded.set(src, new Promise((done, failed) => document.head.append(el("script", { src, onload: () => done(), onerror: () => failed(new Error(src)) }))));
    }
    return loaded.get(src);
  };

  /** Buttons to leaf through pages of a list. */
  const pager = (page, pages, go) => {
    if (pages < 2) return null;
    const button = (text, to) => el("button", { type: "button", disabled: to < 1 || to > pages, onclick: () => go(to) }, text);
    return el("nav", { class: "pager", "aria-label": "Pages" }, button("First", page > 1 ? 1 : 0), button("Previous", page - 1), el("span", {}, `page ${page} of ${pages}`), button("Next", page + 1), button("Last", page < pages ? pages : 0));
  };

  /** The first images of a ranking. */
  const images = (name, at, target) => {
    const data = TOPS[name];
    if (!data) return el("p", { class: "note" }, "The data of this system did not load.");
    return el("ol", { class: "heads" }, data.heads[at].map((number) => el("li", { class: data.images[number] === target ? "id hit" : "id" }, data.images[number], data.images[number] === target ? el("span", { class: "sr" }, " the target") : null)));
  };

  /** The turns of a transaction, where the site was made with the benchmark at hand. */
  const turns = (at) => {
    if (typeof TEXTS === "undefined") return null;
    const { turns: said, target } = TEXTS[at];
    return el("ol", { class: "turns" }, said.map(([image, text]) => el("li", {}, el("span", { class: "id" }, image), " ", el("q", {}, text || "(nothing said)"))), el("li", { class: "goal" }, el("span", { class: "id hit" }, target), " the target"));
  };
  const target = (at) => (typeof TEXTS === "undefined" ? null : TEXTS[at].target);

  return { el, state, keep, percent, rank, choice, load, pager, images, turns, target };
})();
