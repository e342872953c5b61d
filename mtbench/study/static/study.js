// Keys A, B, C, or 1, 2, 3, and 0 press the buttons. Everything works without this file.
"use strict";
const form = document.getElementById("answers");
const began = performance.now();
let sent = false;
form.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
addEventListener("pageshow", () => { sent = false; });
addEventListener("keydown", (event) => {
  // A key that is still down from the question before is no answer to this one.
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || performance.now() - began < 250) return;
  const place = { a: 1, b: 2, c: 3 }[event.key.toLowerCase()] ?? event.key;
  const button = /^[0-3]$/.test(place) && form.querySelector(`button[value="${place}"]`);
  if (button && !sent) form.requestSubmit(button);
});
