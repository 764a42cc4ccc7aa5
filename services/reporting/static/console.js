/* What pages do beyond plain HTML: follow the stream of changes, keep a form from being sent twice, open the menu.
   Everything works without it, except that pages stand still. */
"use strict";

document.documentElement.classList.add("js");

const text = (name) => document.body.dataset[name] || "";

/* -- the menu on a phone -- */
function menu() {
  const button = document.querySelector(".menu-button");
  const side = document.getElementById("side");
  if (!button || !side) return;
  button.addEventListener("click", () => {
    button.setAttribute("aria-expanded", String(side.classList.toggle("open")));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of document.querySelectorAll("details.display[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
    if (side.classList.contains("open")) {
      side.classList.remove("open");
      button.setAttribute("aria-expanded", "false");
      button.focus();
    }
  });
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("details.display[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });
}

/* -- forms: one press, one act. The server does it once whatever arrives; this only keeps the page calm. -- */
function forms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method.toLowerCase() !== "post") {
      /* An empty field is no filter: keep it out of the address. */
      for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
      return;
    }
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  });
  /* Back to a page that the browser kept: its forms can be sent again. */
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
      for (const field of form.elements) if (form.method.toLowerCase() !== "post") field.disabled = false;
    }
  });
  for (const select of document.querySelectorAll("form.filters select")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  /* On a phone the list comes first; a form that narrows it now stays open. */
  if (matchMedia("(max-width: 860px)").matches && !location.search) {
    for (const box of document.querySelectorAll("details.filter-box")) box.open = false;
  }
  const alert = document.querySelector("[data-focus]");
  if (alert) alert.focus();
}

/* -- the stream -- */
const SILENCE_MS = 40000;
const OLD_SECONDS = 300;
const live = { source: null, watch: 0, retry: 0, wasLost: false, offset: 0, many: false, mark: "", minute: 0 };

function showState(state) {
  const shown = document.getElementById("live-state");
  if (!shown || shown.dataset.state === state) return;
  shown.dataset.state = state;
  shown.querySelector(".live-word").textContent = text("text" + state[0].toUpperCase() + state.slice(1));
}

function notice(message, back) {
  const shown = document.getElementById("link-notice");
  if (!shown) return;
  shown.textContent = message;
  shown.classList.toggle("back", Boolean(back));
  shown.hidden = !message;
  if (back) setTimeout(() => { if (shown.classList.contains("back")) shown.hidden = true; }, 4000);
}

function lost() {
  live.wasLost = true;
  showState("lost");
  notice(text("textLostNotice"), false);
}

function heard(event) {
  clearTimeout(live.watch);
  live.watch = setTimeout(() => { lost(); connect(); }, SILENCE_MS);
  live.retry = 0;
  showState("live");
  const told = JSON.parse(event.data);
  if (live.wasLost) {
    live.wasLost = false;
    notice(text("textBack"), true);
  }
  /* A beat with another mark than the last one: something changed that this page did not hear of. */
  if (event.type === "beat" && told.mark !== live.mark) changed(["*"]);
  live.mark = told.mark;
  if (told.now) {
    /* By the server's clock, which in a sandbox jumps: hours that are left are drawn again with every minute of it. */
    live.offset = Date.parse(told.now) - Date.now();
    tick();
  }
  if (told.as_of) {
    document.getElementById("live-state").dataset.asOf = told.as_of;
    const at = new Date(told.as_of);
    const shown = document.getElementById("as-of");
    const local = new Intl.DateTimeFormat("sv-SE", {
      timeZone: "Asia/Shanghai", year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit",
    }).format(at);
    const time = document.createElement("time");
    time.dateTime = told.as_of;
    time.textContent = local;
    shown.replaceChildren(time);
    age();
  }
  return told;
}

function tick() {
  const minute = Math.floor((Date.now() + live.offset) / 60000);
  if (minute === live.minute) return;
  const first = live.minute === 0;
  live.minute = minute;
  if (first) return;
  for (const region of document.querySelectorAll("[data-ticks]")) refresh(region.id);
}

function connect() {
  if (live.source) live.source.close();
  clearTimeout(live.watch);
  if (live.many || document.hidden || !document.getElementById("live-state")) return;
  const source = new EventSource("/live");
  live.source = source;
  source.addEventListener("beat", heard);
  source.addEventListener("views", (event) => changed(heard(event).views));
  source.addEventListener("signed-out", () => { source.close(); clearTimeout(live.watch); showState("lost"); notice(text("textExpired")); });
  source.addEventListener("too-many", () => { live.many = true; source.close(); clearTimeout(live.watch); showState("paused"); notice(text("textMany")); });
  source.addEventListener("error", () => {
    if (source !== live.source) return;
    lost();
    if (source.readyState !== EventSource.CLOSED) return; /* it tries again by itself */
    live.retry = Math.min(live.retry + 1, 6);
    setTimeout(connect, 500 * 2 ** live.retry);
  });
}

/* Parts of the page that show a view are asked for again; one that takes long is asked for less often, and one in
   which somebody is typing is left alone. */
const regions = new WeakMap();

function changed(views) {
  for (const region of document.querySelectorAll("[data-live]")) {
    const shows = region.dataset.live.split(" ");
    if (views.includes("*") || shows.includes("*") || views.some((view) => shows.includes(view))) refresh(region.id);
  }
}

const waiting = new Map();

function refresh(id) {
  const state = waiting.get(id) || { due: false, busy: false, took: 0 };
  waiting.set(id, state);
  state.due = true;
  if (state.busy) return;
  state.busy = true;
  const begin = () => {
    const region = document.getElementById(id);
    if (!region || document.hidden) { state.busy = false; return; }
    if (region.querySelector("input:focus, textarea:focus, select:focus, form[data-sent]")) {
      setTimeout(begin, 3000);
      return;
    }
    state.due = false;
    const started = performance.now();
    const finished = () => {
      state.took = performance.now() - started;
      setTimeout(() => { state.busy = false; if (state.due) refresh(id); }, Math.max(400, 4 * state.took));
    };
    /* `finally` comes however the request ends, a lost link included. */
    document.addEventListener("htmx:finally:request", finished, { once: true });
    region.dispatchEvent(new CustomEvent("refresh"));
  };
  begin();
}

function age() {
  const shown = document.getElementById("age");
  const state = document.getElementById("live-state");
  if (!shown || !state || !state.dataset.asOf) return;
  /* By the server's time, which in a sandbox is not this machine's. */
  const seconds = Math.max(0, (Date.now() + live.offset - Date.parse(state.dataset.asOf)) / 1000);
  const [unit, size] = seconds < 90 ? ["Second", 1] : seconds < 5400 ? ["Minute", 60] : seconds < 129600 ? ["Hour", 3600] : ["Day", 86400];
  const since = `${text("textAge")} ${text("text" + unit).replace("{n}", Math.floor(seconds / size))}`;
  shown.textContent = text("textBrackets").replace("{text}", since);
}

function start() {
  menu();
  forms();
  if (!document.getElementById("live-state")) return;
  live.offset = Date.parse(text("now")) - Date.now();
  live.mark = text("mark");
  tick();
  connect();
  age();
  setInterval(age, 1000);
  setInterval(() => { if (live.source) tick(); }, 5000);
  /* A hidden page holds no connection: a browser has only six to one server. Shown again, it catches up. */
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      if (live.source) live.source.close();
      clearTimeout(live.watch);
      live.source = null;
      showState("paused");
    } else {
      showState("connecting");
      connect();
    }
  });
  window.addEventListener("pagehide", () => { if (live.source) live.source.close(); });
}

start();
