// What tests/legible.py asks of a page. Returns complaints, each a line. The least size of letters is the argument.
const found = [];
const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
const colour = text => { const v = (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number); return v.length > 3 ? v : [...v, 1]; };
const name = e => e.tagName + "." + (e.getAttribute("class") || e.parentElement.tagName) + " " + e.textContent.trim().slice(0, 40);
const shown = e => e.checkVisibility() && e.type !== "hidden";
const behind = e => {
  for (; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; }
  return [255, 255, 255, 1];
};
document.querySelectorAll("details").forEach(each => each.open = true);

const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const e = texts.currentNode.parentElement, svg = e.ownerSVGElement;
  if (!texts.currentNode.textContent.trim() || !shown(e) || ["title", "STYLE"].includes(e.tagName)) continue;
  const style = getComputedStyle(e), size = parseFloat(style.fontSize) * (svg ? e.getScreenCTM().a : 1);
  const ratio = contrast(colour(svg ? style.fill : style.color), behind(svg ? svg.parentElement : e));
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) found.push("pale text " + ratio.toFixed(2) + ": " + name(e));
  if (size < arguments[0]) found.push("small text " + size.toFixed(1) + ": " + name(e));
  if (svg) {
    const here = e.getBoundingClientRect();
    for (const shape of svg.querySelectorAll("rect, path:not(.tick)")) {
      const there = shape.getBoundingClientRect();
      const wide = Math.min(here.right, there.right) - Math.max(here.left, there.left);
      const high = Math.min(here.bottom, there.bottom) - Math.max(here.top, there.top);
      if (wide > 1 && high > 4) { found.push("text over a shape: " + name(e)); break; }
    }
  }
}

const pressed = [...document.querySelectorAll("a[href], button, input, textarea, select, summary")].filter(shown);
for (const e of pressed) {
  const box = e.getBoundingClientRect();
  if (box.width < 24 || box.height < 24) found.push(`small target ${box.width | 0}x${box.height | 0}: ` + name(e));
  if (!e.textContent.trim() && !(e.labels || []).length && !e.ariaLabel) found.push("nameless: " + name(e));
}
for (const e of [...pressed, ...document.querySelectorAll("[tabindex]")]) {
  e.focus({focusVisible: true});
  const style = getComputedStyle(e);
  if (document.activeElement !== e || style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2
    || contrast(colour(style.outlineColor), behind(e.parentElement)) < 3) found.push("focus not seen: " + name(e));
  if (e.tabIndex > 0) found.push("out of order: " + name(e));
}
document.activeElement.blur();

if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the screen");
for (const e of document.querySelectorAll("*"))
  if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "auto" && e.tagName !== "TEXTAREA"
    && !(e.tabIndex === 0 && e.role === "region" && e.ariaLabel)) found.push("scrolls without keys: " + name(e));
for (const e of document.querySelectorAll("svg:not([aria-hidden=true] svg)"))
  if (!e.closest("[role=img][aria-label]")) found.push("picture without text: " + name(e));
for (const e of document.querySelectorAll("th")) if (!e.scope) found.push("heading of what: " + name(e));
const levels = [...document.querySelectorAll("h1, h2, h3")].map(e => +e.tagName[1]);
if (levels.filter(n => n === 1).length > 1 || levels.some((n, i) => n > (levels[i - 1] || 0) + 1)) found.push("headings " + levels);
const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
if (new Set(ids).size < ids.length) found.push("an id twice: " + ids);
const html = document.documentElement;
if (!document.title || html.dir !== {fa: "rtl", en: "ltr"}[html.lang]) found.push("language " + html.lang + " " + html.dir);
return found;
