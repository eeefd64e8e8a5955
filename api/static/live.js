// Keeps the list of alerts fresh: told by server-sent events that something changed, it fetches the list again. Without it the page reloads itself.
(() => {
  "use strict";
  const list = document.getElementById("alert-list");
  const live = document.getElementById("live");
  const fresh = document.getElementById("fresh-words");
  if (!list || !live || !window.EventSource) { return; }
  if (fresh) { fresh.textContent = "The list renews itself."; }
  let heard = Date.now();
  let waiting = null;
  const time = () => list.querySelector("[data-now]").dataset.now; // the service's clock, not this machine's
  const say = (words, state) => {
    if (live.textContent !== words) { live.textContent = words; }
    live.className = "site-live site-screen site-live--" + state;
  };
  const focusKept = (html) => {
    const held = document.activeElement && list.contains(document.activeElement) ? document.activeElement : null;
    const row = held ? held.closest("[data-group]") : null;
    const tag = held ? held.tagName : null;
    list.innerHTML = html;
    if (row) {
      const again = list.querySelector('[data-group="' + row.dataset.group + '"] ' + (tag === "BUTTON" ? "button" : "a"));
      (again || document.getElementById("main-content")).focus();
    }
  };
  const renew = async (words) => {
    waiting = null;
    try {
      const answer = await fetch(list.dataset.src, { headers: { "X-Live": "1" } });
      if (answer.redirected || answer.status === 401) { window.location.reload(); return; }
      if (!answer.ok) { throw new Error(String(answer.status)); }
      focusKept(await answer.text());
      say(words + time() + ".", "on");
    } catch (error) {
      say("Not renewed since " + time() + ": the service does not answer. What you see may be old.", "stale");
    }
  };
  const source = new EventSource(list.dataset.stream);
  source.addEventListener("open", () => { heard = Date.now(); renew("Live. As of "); });
  source.addEventListener("alert", (event) => {
    heard = Date.now();
    const change = JSON.parse(event.data);
    if (waiting === null) { waiting = window.setTimeout(renew, 100, "Alert " + change.alert_id + " " + change.act + ", "); }
  });
  source.addEventListener("alive", () => { heard = Date.now(); });
  source.addEventListener("end", () => { source.close(); window.location.reload(); });
  window.setInterval(() => {
    if (Date.now() - heard > 45000) { say("No sign of life from the service for 45 seconds. What you see may be old: reload, or ring the branch.", "stale"); }
  }, 5000);
})();
