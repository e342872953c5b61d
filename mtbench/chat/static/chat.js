// Comfort only: without this file every button works the same.
(() => {
  "use strict";
  const text = document.getElementById("text");
  const key = "draft " + location.pathname.split("/").slice(0, 3).join("/");
  if (text) {
    const count = document.getElementById("count");
    const longest = Number(text.dataset.longest);
    const offer = (words) => {
      const had = document.getElementById("had");
      had.querySelector("bdi").textContent = `“${words}”`;
      had.hidden = false;
      had.querySelector("button").addEventListener("click", () => {
        text.value = words;
        had.hidden = true;
        text.dispatchEvent(new Event("input"));
        text.focus();
      });
    };
    const show = () => {
      const length = Array.from(text.value.trim()).length;
      count.textContent = length ? `${length} of ${longest} letters` : `up to ${longest} letters, in any language`;
      count.classList.toggle("over", length > longest);
      text.style.height = "auto";
      text.style.height = Math.min(text.scrollHeight + 2, 240) + "px";
    };
    try {
      // what was typed outlives a reload, a look at the images, and steps other than saying it
      const sent = sessionStorage.getItem("sent");
      sessionStorage.removeItem("sent");
      if (sent !== null && sent !== key) sessionStorage.removeItem(sent); // on this very page nothing came of it
      const own = sessionStorage.getItem(key), carried = sessionStorage.getItem("carried");
      const aside = sessionStorage.getItem("aside");
      if (own !== null) text.value = own;
      else if (carried !== null) sessionStorage.setItem(key, text.value = carried);
      if (own === null && aside && aside !== text.value) offer(aside);
      sessionStorage.removeItem("carried");
      sessionStorage.removeItem("aside");
      document.addEventListener("submit", (event) => {
        if (event.defaultPrevented || event.target.method !== "post") return;
        sessionStorage.setItem("sent", key);
        if (event.target === text.form) return;
        // Go back brings words of its own
        const action = event.submitter?.getAttribute("formaction") || event.target.action;
        sessionStorage.setItem(action.endsWith("/back") ? "aside" : "carried", text.value);
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

  // where an image is picked, the words wait for the dialogue that follows
  if (document.querySelector(".pick")) {
    document.addEventListener("submit", (event) => {
      if (event.defaultPrevented || event.target.method !== "post") return;
      try {
        const typed = sessionStorage.getItem(key);
        if (typed !== null) sessionStorage.setItem("carried", typed);
      } catch { /* no storage: nothing is kept */ }
    });
  }

  // after a step that could not be read, as one that is too long, the words stay where they were said
  if (document.querySelector(".message")) {
    try {
      for (const name of ["sent", "carried", "aside"]) sessionStorage.removeItem(name);
    } catch { /* no storage: nothing was kept */ }
  }

  const category = document.getElementById("category");
  if (category) category.addEventListener("change", () => category.form.requestSubmit());

  // the newest turn is in sight, at the bottom, and on a phone at the right; or else the one that was moved
  const strip = document.querySelector(".strip");
  if (strip && !location.hash.startsWith("#turn")) strip.scrollTo(strip.scrollWidth, strip.scrollHeight);
})();
