// Comfort only: without this file every button works the same.
(() => {
  "use strict";
  const text = document.getElementById("text");
  if (text) {
    const count = document.getElementById("count");
    const longest = Number(text.dataset.longest);
    const key = "draft " + location.pathname.split("/").slice(0, 3).join("/");
    const show = () => {
      const length = Array.from(text.value.trim()).length;
      count.textContent = length ? `${length} of ${longest} letters` : `up to ${longest} letters, in any language`;
      count.classList.toggle("over", length > longest);
      text.style.height = "auto";
      text.style.height = Math.min(text.scrollHeight + 2, 240) + "px";
    };
    try {
      // what was typed outlives a reload, and steps other than saying it
      const kept = sessionStorage.getItem(key) || sessionStorage.getItem("carried");
      if (kept && !text.value) text.value = kept;
      sessionStorage.removeItem("carried");
      document.addEventListener("submit", (event) => {
        sessionStorage.removeItem(key);
        if (event.target !== text.form && event.target.method === "post") sessionStorage.setItem("carried", text.value);
      });
      text.addEventListener("input", () => sessionStorage.setItem(key, text.value));
    } catch { /* no storage: nothing is kept */ }
    text.addEventListener("input", show);
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      text.form.requestSubmit();
    });
    text.setSelectionRange(text.value.length, text.value.length);
    show();
  }

  // one step at a time; a page that comes back from the cache can be used again
  let busy = false;
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (busy) return event.preventDefault();
    busy = true;
    document.body.classList.add("busy");
  });
  addEventListener("pageshow", () => {
    busy = false;
    document.body.classList.remove("busy");
  });

  const category = document.getElementById("category");
  if (category) category.addEventListener("change", () => category.form.requestSubmit());

  // the newest turn is in sight: at the bottom, and on a phone at the right
  const strip = document.querySelector(".strip");
  if (strip) strip.scrollTo(strip.scrollWidth, strip.scrollHeight);
})();
