// One step at a time, and a word while it takes long. Comfort only: without this file every button works the same.
(() => {
  "use strict";
  const said = document.getElementById("asking");
  const timers = [];
  const free = () => {
    timers.splice(0).forEach(clearTimeout);
    document.body.classList.remove("busy");
    document.getElementById("main")?.removeAttribute("aria-busy");
    said.textContent = "";
  };
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (document.body.classList.contains("busy")) return event.preventDefault();
    document.body.classList.add("busy");
    document.getElementById("main")?.setAttribute("aria-busy", "true");
    timers.push(setTimeout(() => { said.textContent = said.dataset.asking; }, 250));
    // nobody tells a page that its visitor pressed Stop: after a while it can be used again in any case
    timers.push(setTimeout(() => {
      document.body.classList.remove("busy");
      said.textContent = `${said.dataset.asking} this takes long. Wait, or try again.`;
    }, 10_000));
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") free(); });
  addEventListener("pagehide", free);
  addEventListener("pageshow", free); // a page that comes back from the cache can be used again
  window.navigation?.addEventListener("navigateerror", free); // Stop, where the browser does tell

  // a picture that turns out to be broken is its words
  const words = (image) => {
    const card = document.createElement("span"), line = document.createElement("span");
    card.className = "card";
    line.className = "words";
    line.dir = "auto";
    line.textContent = image.alt;
    card.append(line);
    image.replaceWith(card);
  };
  addEventListener("error", (event) => { if (event.target instanceof HTMLImageElement) words(event.target); }, true);
  for (const image of document.images) if (image.complete && !image.naturalWidth) words(image);
})();
