() => {
  /* What is wrong with the page that is shown: the basics of WCAG 2.2 AA that can be measured. Evaluated in the page. */
  const found = [];
  const shown = (el) => {
    const box = el.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && el.checkVisibility({ visibilityProperty: true });
  };
  const name = (el) => (el.getAttribute("aria-label") || el.innerText || el.title || "").trim() || [...(el.labels || [])].map((l) => l.innerText).join("").trim();
  for (const el of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!(el.labels || []).length && !el.getAttribute("aria-label")) found.push("no label: " + el.outerHTML.slice(0, 90));
  for (const el of document.querySelectorAll("a[href], button, summary"))
    if (shown(el) && !name(el)) found.push("no name: " + el.outerHTML.slice(0, 90));
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  let before = 1;
  for (const el of document.querySelectorAll("main h1, main h2, main h3, main h4")) {
    const level = Number(el.tagName[1]);
    if (level > before + 1) found.push("heading skips a level: " + el.innerText);
    before = level;
  }
  const ids = [...document.querySelectorAll("[id]")].map((el) => el.id);
  for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) found.push("id twice: " + id);
  for (const el of document.querySelectorAll("[aria-labelledby], [aria-describedby], [aria-controls]"))
    for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls"])
      for (const id of (el.getAttribute(attribute) || "").split(" ").filter(Boolean))
        if (!document.getElementById(id)) found.push(attribute + " names nothing: " + id);
  for (const el of document.querySelectorAll("th")) if (!el.scope) found.push("th without scope: " + el.innerText);
  for (const el of document.querySelectorAll("svg")) if (el.getAttribute("aria-hidden") !== "true") found.push("svg read aloud");
  for (const el of document.querySelectorAll("[role=img]")) if (!el.getAttribute("aria-label")) found.push("picture without words");
  for (const el of document.querySelectorAll("button, input:not([type=hidden]), select, summary")) {
    const box = el.getBoundingClientRect();
    const label = el.type === "checkbox" || el.type === "radio" ? el.closest("label").getBoundingClientRect() : box;
    if (shown(el) && label.height < 24) found.push("target lower than 24: " + el.outerHTML.slice(0, 90));
  }
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) found.push("scrolls sideways by " + wide);
  if (!document.documentElement.lang) found.push("no language");
  const parse = (text) => { const m = text.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const lum = (rgb) => { const l = rgb.slice(0, 3).map((v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * l[0] + .7152 * l[1] + .0722 * l[2]; };
  const ground = (el) => { for (; el; el = el.parentElement) { const c = getComputedStyle(el).backgroundColor; if (c.startsWith("rgb") && parse(c)[3] === 1) return parse(c); } return null; };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walk.nextNode()) {
    const el = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !shown(el) || seen.has(el) || el.closest("[aria-disabled=true], .visually-hidden, .skip")) continue;
    seen.add(el);
    const back = ground(el);
    const ink = getComputedStyle(el).color;
    if (!back || !ink.startsWith("rgb")) continue;
    const [a, b] = [lum(parse(ink)), lum(back)].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) found.push("contrast " + ((a + .05) / (b + .05)).toFixed(2) + ": " + el.innerText.slice(0, 30));
  }
  return found;
}
