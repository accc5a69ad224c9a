// Small comforts. Every page works without them; the server decides everything that matters.
"use strict";

// After another day was shown, the reader is taken to it and hears its date and how many times are free.
document.addEventListener("htmx:after:swap", (event) => {
  const target = event.detail?.ctx?.target;
  if (target?.id === "day") document.getElementById("day-title")?.focus();
});

// A refusal is what the visitor should read first.
document.querySelector("[data-focus]")?.focus();

// One press is enough. The button wakes up again when the page comes back from the browser's memory.
for (const form of document.querySelectorAll("[data-once]")) {
  const busy = form.querySelector("[data-busy]");
  const rest = (on) => {
    form.querySelectorAll("button").forEach((button) => button.setAttribute("aria-disabled", on));
    if (busy) busy.textContent = on ? busy.dataset.busy : "";
  };
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
    rest(true);
  });
  window.addEventListener("pageshow", () => {
    sent = false;
    rest(false);
  });
}

// As many rows for names as people come.
for (const box of document.querySelectorAll("[data-names]")) {
  const count = document.getElementById(box.dataset.names);
  const rows = [...box.querySelectorAll(".field")];
  const show = () => {
    const people = Number(count.value) || 1;
    rows.forEach((row, index) => (row.hidden = index >= people));
    box.hidden = people < 2;
  };
  count.addEventListener("input", show);
  window.addEventListener("pageshow", show);
  show();
}

// What is copied with one press: shown where the browser can, also after a part of the page was looked up again.
const offer = () => document.querySelectorAll("[data-copy]").forEach((button) => (button.hidden = !navigator.clipboard));
document.addEventListener("htmx:after:swap", offer);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.nextElementSibling.textContent = button.dataset.done;
});
offer();

// The countdown: the seconds come from the server, so a wrong clock here does not matter. Spoken twice only.
const clock = document.querySelector(".countdown");
if (clock) {
  const face = clock.querySelector("time");
  const spoken = document.getElementById("spoken");
  const begun = [performance.now(), Date.now()];
  const all = Number(clock.dataset.left);
  let warned = all < 60;
  const tick = () => {
    // A phone in a pocket may stop the first clock; the second may be set. The longer span is nearer to the truth.
    const gone = Math.max(performance.now() - begun[0], Date.now() - begun[1]);
    const left = Math.max(0, Math.ceil(all - gone / 1000));
    face.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    clock.classList.toggle("late", left <= 60);
    if (left <= 60 && !warned) {
      warned = true;
      spoken.textContent = clock.dataset.minute;
    }
    if (left > 0) return;
    clearInterval(timer);
    spoken.textContent = clock.dataset.end;
    setTimeout(() => location.reload(), 4000); // long enough to be heard
  };
  const timer = setInterval(tick, 250);
  tick();
}
