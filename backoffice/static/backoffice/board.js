/* The schedule board: opens panels beside it, moves by dragging, counts down, and keeps itself fresh. Each link works without. */
(() => {
  const board = document.getElementById("board"), panel = document.getElementById("board-panel");
  if (!board) return;
  const desk = board.parentElement, told = document.querySelector(".board-told");
  const EVERY = 25000, SNAP = 15;
  const ahead = Date.parse(board.dataset.now) - Date.now();
  let etag = "", opener = "", dragged = null, carried = null, pressed = false, stale = false, changing = null, asked = 0, looked = 0, due = false;

  const now = () => Date.now() + ahead;
  const px = () => parseFloat(getComputedStyle(board).getPropertyValue("--px"));
  const say = (words) => { told.textContent = words || ""; };

  async function ask(address, options = {}) {
    const answer = await fetch(address, { ...options, headers: { "X-Board": "panel" }, credentials: "same-origin" });
    const known = [200, 400, 409, 403, 503].includes(answer.status) && new URL(answer.url).pathname === location.pathname;
    return known ? answer : null;
  }

  // One change at a time; of several looks the one asked for last is shown.
  async function open(address, options) {
    if (options && changing) return; // the same button, pressed twice
    const turn = ++asked;
    await changing;
    if (turn !== asked) return;
    const turned = bring(address, options, () => turn === asked);
    if (options) changing = turned.finally(() => { changing = null; });
  }

  async function bring(address, options, wanted) {
    panel.setAttribute("aria-busy", "true");
    try {
      const answer = await ask(address, options), markup = answer && await answer.text();
      if (!options && !wanted()) return;
      if (!answer) { location.assign(options ? location.href : address); return; }
      show(markup, answer.url);
      if (options) refresh();
    } catch { say(board.dataset.offline); } finally { panel.removeAttribute("aria-busy"); }
  }

  function show(markup, address) {
    panel.innerHTML = markup;
    panel.hidden = false;
    desk.classList.add("has-panel");
    history.replaceState(null, "", address);
    say(panel.querySelector(".board-done")?.textContent);
    const wrong = panel.querySelector(".board-field .desk-errors")?.closest(".board-field").querySelector("input, select");
    const first = panel.querySelector(".desk-errors") ? wrong : panel.querySelector("details [data-finds]") ? null : panel.querySelector("[data-finds]");
    (first || panel.querySelector("h2")).focus();
    tick();
  }

  function close() {
    panel.hidden = true;
    panel.innerHTML = "";
    desk.classList.remove("has-panel");
    history.replaceState(null, "", board.dataset.address);
    (document.getElementById(opener) || board).focus({ preventScroll: true });
  }

  async function refresh() {
    const headers = { "X-Board": "grid", ...(etag && { "If-None-Match": etag }) }, look = ++looked;
    let answer;
    try {
      answer = await fetch(board.dataset.address, { headers, cache: "no-store", credentials: "same-origin" });
    } catch { say(board.dataset.offline); return; }
    if (answer.status !== 200 || new URL(answer.url).pathname !== location.pathname) return;
    const markup = await answer.text();
    if (look !== looked) return;
    if (pressed || dragged) { stale = true; return; } // what is in somebody's hand is not replaced
    etag = answer.headers.get("ETag") || "";
    const held = board.contains(document.activeElement) && document.activeElement.id;
    board.innerHTML = markup;
    if (held) (document.getElementById(held) || board).focus({ preventScroll: true });
    tick();
  }

  function tick() {
    for (const each of document.querySelectorAll("[data-until]")) {
      const left = Math.floor((Date.parse(each.dateTime) - now()) / 1000);
      if (left < 3600) each.textContent = `${Math.max(0, Math.floor(left / 60))}:${String(Math.max(0, left % 60)).padStart(2, "0")}`;
      if (left < 0 && !due) { due = true; setTimeout(() => { due = false; refresh(); }, 1500); }
    }
    const grid = board.querySelector(".board"), today = board.querySelector(".is-today");
    const minute = today && (now() - Date.parse(today.dataset.start)) / 60000 - grid.dataset.first;
    const shown = today && minute >= 0 && minute <= grid.dataset.height;
    board.classList.toggle("has-now", Boolean(shown));
    if (shown) board.style.setProperty("--now", Math.round(minute));
    return shown ? minute : null;
  }

  function clock(track, y, snap) {
    const grid = board.querySelector(".board");
    const minute = Number(grid.dataset.first) + Math.max(0, Math.round((y - track.getBoundingClientRect().top) / px() / snap) * snap);
    return `${String(Math.floor(minute / 60) % 24).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
  }

  function address(column, changes) {
    const query = new URLSearchParams(board.dataset.address.slice(1));
    for (const [name, value] of Object.entries(changes)) query.set(name, value);
    return `?${query}`;
  }

  document.addEventListener("click", (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const closes = event.target.closest("[data-closes]"), link = event.target.closest("a[data-panel]");
    if (closes) { event.preventDefault(); close(); return; }
    if (link) {
      event.preventDefault();
      if (board.contains(link)) opener = link.id;
      open(link.href);
    } else if (event.target.matches(".board-track")) {
      const column = event.target.closest(".board-column");
      opener = "board";
      const at = clock(event.target, event.clientY - 15 * px(), 30);
      open(address(column, { day: column.dataset.day, new: column.dataset.place, at }));
    }
  });

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-panel]");
    if (!form) return;
    event.preventDefault();
    const typed = new URLSearchParams(new FormData(form, event.submitter));
    if (form.method === "get") open(`?${typed}`);
    else open(form.action, { method: "POST", body: typed });
  });

  document.addEventListener("change", async (event) => {
    if (!event.target.matches("[data-finds]") || !event.target.value.trim()) return;
    const form = event.target.form, name = form.elements.full_name;
    const body = new URLSearchParams({ do: "find", phone: event.target.value, csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
    const answer = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
    const found = answer.ok && (answer.headers.get("Content-Type") || "").includes("json") ? await answer.json() : {};
    if (found.name && (!name.value || name.dataset.found === name.value)) { name.value = name.dataset.found = found.name; say(found.name); }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) { close(); return; }
    const cell = event.target.closest?.(".board-cell");
    const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (!cell || !step) return;
    event.preventDefault();
    const columns = [...board.querySelectorAll(".board-column")].map((each) => [...each.querySelectorAll(".board-cell")]);
    const from = columns.findIndex((cells) => cells.includes(cell));
    let next = columns[from][columns[from].indexOf(cell) + step[1]];
    if (step[0]) {
      const top = cell.getBoundingClientRect().top, far = (each) => Math.abs(each.getBoundingClientRect().top - top);
      for (let to = from + step[0]; columns[to]; to += step[0]) {
        if (columns[to].length) { next = columns[to].reduce((best, each) => (far(each) < far(best) ? each : best)); break; }
      }
    }
    next?.focus();
  });

  board.addEventListener("dragstart", (event) => {
    const cell = event.target.closest(".board-cell[draggable=true]");
    if (!cell) { event.preventDefault(); return; }
    dragged = carried = { key: cell.dataset.key, from: event.clientY - cell.getBoundingClientRect().top };
    opener = cell.id;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", cell.textContent.trim());
  });
  const target = (event) => event.target.closest?.(".board-cell.is-free") || (event.target.closest?.(".board-column[data-place^=a]") && event.target.closest(".board-track"));
  const unmark = () => board.querySelectorAll(".is-aimed").forEach((each) => each.classList.remove("is-aimed"));
  board.addEventListener("dragover", (event) => {
    const aimed = dragged && target(event);
    unmark();
    if (!aimed) return;
    event.preventDefault();
    aimed.classList.add("is-aimed");
  });
  board.addEventListener("drop", (event) => { // comes for ours only; a browser may tell of the drag's end before it
    const aimed = carried && target(event);
    if (!aimed) return;
    event.preventDefault();
    const column = aimed.closest(".board-column"), [name, id] = carried.key.split("=");
    const where = aimed.matches(".is-free") ? { to: aimed.dataset.key.split("=")[1] }
      : { to_place: column.dataset.place, to_day: column.dataset.day, to_at: clock(aimed, event.clientY - carried.from, SNAP) };
    open(address(column, { [name]: id, ...where }));
  });
  function release() {
    dragged = null;
    pressed = false;
    unmark();
    if (stale) { stale = false; refresh(); }
  }
  board.addEventListener("pointerdown", () => { pressed = true; });
  document.addEventListener("pointerup", release);
  document.addEventListener("pointercancel", () => { if (!dragged) release(); }); // a drag begins with one
  document.addEventListener("dragend", release);

  const line = tick();
  if (line) board.scrollTop = Math.max(0, (line - 90) * px());
  setInterval(tick, 1000);
  setInterval(() => { if (!document.hidden && !changing) refresh(); }, EVERY);
})();
