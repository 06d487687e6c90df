// What every page does in the browser: tell the time zone, keep the session while somebody works, close what is open.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`zone=${zone}`)) {
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
}

const KEEP_EVERY = 5 * 60 * 1000;
let worked = false;
for (const name of ["pointerdown", "keydown"]) {
  addEventListener(name, () => (worked = true), { passive: true });
}

async function keep() {
  if (!worked || location.pathname === "/sign-in") return;
  worked = false;
  const answer = await fetch("/session/keep", { method: "POST" }).catch(() => null);
  if (answer?.status === 401) location.reload();
}
setInterval(keep, KEEP_EVERY);

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
}
addEventListener("click", (event) => {
  closeMenus(event.target);
  const menu = event.target.closest?.(".menu-list .menu-item")?.closest("details.menu");
  if (menu) { // what was chosen opens over the page, and gives the focus back to the menu's button
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
addEventListener("keydown", (event) => {
  const open = document.querySelector("details.menu[open]");
  if (event.key === "Escape" && open && !document.querySelector("dialog:modal")) {
    open.open = false;
    open.querySelector("summary").focus();
    event.stopPropagation();
  }
}, true);

// Menus by arrows: down opens, up and down go round, Home and End to the ends.
addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu");
  const step = { ArrowDown: 1, ArrowUp: -1, Home: 0, End: 0 }[event.key];
  if (event.defaultPrevented || !menu || step === undefined || /^(text|search|date|number)$/.test(event.target.type ?? "") || event.target.tagName === "SELECT") return;
  if (!menu.open && event.target.tagName !== "SUMMARY") return;
  menu.open = true;
  event.preventDefault();
  requestAnimationFrame(() => {
    const items = [...menu.querySelectorAll("a, button, input, select")].filter((one) => one.offsetParent && !one.disabled);
    const place = items.indexOf(document.activeElement);
    const next = event.key === "Home" ? 0 : event.key === "End" ? items.length - 1 : (place + step + items.length) % items.length;
    items[place < 0 && step < 0 ? items.length - 1 : next]?.focus();
  });
});

// What was typed and is not saved is asked about before the page is left. The server marks a section as unsaved when it
// has heard of what was typed there, and tells so by another `data-told`; until then the page asks too.
let unheard = false;
addEventListener("input", (event) => {
  if (event.target.closest?.("[data-guarded]")) unheard = true;
});
new MutationObserver(() => (unheard = false)).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-told"] });
addEventListener("beforeunload", (event) => {
  if (unheard || document.querySelector("[data-unsaved]")) event.preventDefault();
});
