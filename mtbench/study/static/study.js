// Keys A, B, C, or 1, 2, 3, and 0 press the buttons, unless they are turned off. Everything works without this file.
(() => {
  "use strict";
  const form = document.getElementById("answers");
  const box = document.getElementById("keys");
  if (!box) return;
  const began = performance.now();
  try { box.checked = localStorage.getItem("study keys") !== "off"; } catch { /* no storage: not remembered */ }
  const show = () => form.classList.toggle("keyless", !box.checked);
  box.closest(".keys").hidden = false;
  show();
  box.addEventListener("change", () => {
    show();
    try { localStorage.setItem("study keys", box.checked ? "on" : "off"); } catch { /* as above */ }
  });
  addEventListener("keydown", (event) => {
    // A key that is still down from the question before is no answer to this one.
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || performance.now() - began < 250) return;
    if (!box.checked || document.body.classList.contains("busy")) return;
    const place = { a: 1, b: 2, c: 3 }[event.key.toLowerCase()] ?? event.key;
    const button = /^[0-3]$/.test(place) && form.querySelector(`button[value="${place}"]`);
    if (button) form.requestSubmit(button);
  });
})();
