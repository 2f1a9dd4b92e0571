// Comfort on top of pages that work without it. Everything is found by data attributes; nothing is inline.
(() => {
  "use strict";

  const announcer = document.getElementById("announcer");
  const words = announcer ? announcer.dataset : {};
  const announce = (text) => {
    if (!announcer) return;
    announcer.textContent = "";
    requestAnimationFrame(() => { announcer.textContent = text; });
  };

  // Copy fields ---------------------------------------------------------------------------------------------------

  async function writeToClipboard(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Without a secure context or permission (plain http, a frame of an LMS) only the old way is left.
      const area = document.createElement("textarea");
      area.value = text;
      area.setAttribute("readonly", "");
      area.className = "visually-hidden";
      document.body.append(area);
      area.select();
      const isDone = document.execCommand("copy");
      area.remove();
      return isDone;
    }
  }

  async function fetchSecret(form) {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      credentials: "same-origin",
    });
    if (!answer.ok) throw new Error(String(answer.status));
    return (await answer.json()).secret;
  }

  async function copyFrom(holder) {
    const field = holder.querySelector("[data-copy-value]");
    const button = holder.querySelector("[data-copy-button]");
    let isCopied = false;
    try {
      const form = holder.querySelector("form[data-copy-secret]");
      const text = form ? await fetchSecret(form) : field.value;
      isCopied = await writeToClipboard(text);
    } catch {
      isCopied = false;
    }
    const label = holder.dataset.copyLabel || "";
    const said = isCopied ? words.copied : words.notCopied;
    announce(label ? `${label}: ${said}` : said);
    if (!button) return;
    const text = button.querySelector("[data-copy-text]") || button;
    button.dataset.was ??= text.textContent;
    text.textContent = said;
    button.classList.toggle("is-copied", isCopied);
    clearTimeout(Number(button.dataset.timer));
    button.dataset.timer = String(setTimeout(() => {
      text.textContent = button.dataset.was;
      button.classList.remove("is-copied");
    }, 2000));
  }

  const showCopyButtons = (root) => {
    for (const button of root.querySelectorAll("[data-copy-button][hidden]")) button.hidden = false;
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy-button], [data-copy-value]");
    const holder = target && target.closest("[data-copy]");
    if (!holder) return;
    if (target.matches("[data-copy-value]")) {
      if (holder.querySelector("form[data-copy-secret]")) return;
      if (target.selectionStart !== target.selectionEnd) return; // somebody is selecting a part
      target.select();
    }
    copyFrom(holder);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input[data-copy-value]")) {
      event.preventDefault();
      copyFrom(event.target.closest("[data-copy]"));
    }
  });

  // Times in the reader's zone --------------------------------------------------------------------------------------

  const language = document.documentElement.lang || undefined;
  const exactTime = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const fullTime = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });
  const relativeTime = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

  function sayRelative(at) {
    const seconds = (at - Date.now()) / 1000;
    for (const [unit, size] of UNITS) {
      if (Math.abs(seconds) >= size) return relativeTime.format(Math.trunc(seconds / size), unit);
    }
    return relativeTime.format(0, "minute") && words.justNow;
  }

  function showTimes(root) {
    for (const mark of root.querySelectorAll("time[data-time]")) {
      const at = new Date(mark.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      mark.textContent = mark.dataset.time === "exact" ? exactTime.format(at) : sayRelative(at);
      mark.title = fullTime.format(at);
    }
  }

  // Menus and questions that open in place ----------------------------------------------------------------------------

  const OPENABLE = "details.menu[open], details.confirm[open]";

  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll(OPENABLE)) {
      if (!open.contains(event.target) || event.target.closest("[data-close]")) open.open = false;
    }
  });

  // A menu that opens at the edge of the screen comes into view; "toggle" does not bubble.
  document.addEventListener("toggle", (event) => {
    const items = event.target.matches("details.menu[open]") && event.target.querySelector(".menu-items");
    if (items) items.scrollIntoView({ block: "nearest" });
  }, true);

  document.addEventListener("toggle", (event) => {
    if (!event.target.matches(OPENABLE)) return;
    const panel = event.target.querySelector(".confirm-panel, .menu-items");
    if (panel) panel.scrollIntoView({ block: "nearest" });
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const open of document.querySelectorAll(OPENABLE)) {
        open.open = false;
        open.querySelector("summary").focus();
      }
    }
    const items = event.target.closest && event.target.closest("details.menu[open]");
    if (items && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const entries = [...items.querySelectorAll(".menu-items a, .menu-items button:not([hidden])")];
      const step = event.key === "ArrowDown" ? 1 : -1;
      const next = entries[(entries.indexOf(document.activeElement) + step + entries.length) % entries.length];
      if (next) { event.preventDefault(); next.focus(); }
    }
  });

  // Forms: ask before dangerous acts, keep people from losing what they typed, send once --------------------------------

  function ask(question, act) {
    const dialog = document.createElement("dialog");
    const text = document.createElement("p");
    const actions = document.createElement("div");
    const cancel = document.createElement("button");
    const confirm = document.createElement("button");
    text.textContent = question;
    text.id = "question";
    dialog.setAttribute("aria-labelledby", "question");
    actions.className = "actions";
    cancel.className = "button";
    cancel.textContent = words.cancel;
    confirm.className = "button button-danger";
    confirm.textContent = act;
    actions.append(cancel, confirm);
    dialog.append(text, actions);
    document.body.append(dialog);
    return new Promise((resolve) => {
      cancel.addEventListener("click", () => dialog.close());
      confirm.addEventListener("click", () => dialog.close("yes"));
      dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
      dialog.showModal();
      cancel.focus();
    });
  }

  const dirtyForms = new Set();

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const button = event.submitter;
    const question = (button && button.dataset.confirm) || form.dataset.confirm;
    if (question && !form.dataset.confirmed) {
      event.preventDefault();
      const act = (button && (button.dataset.confirmAct || button.textContent.trim())) || words.ok;
      if (await ask(question, act)) {
        form.dataset.confirmed = "yes";
        form.requestSubmit(button && button.form === form ? button : undefined);
        delete form.dataset.confirmed;
      }
      return;
    }
    if (event.defaultPrevented) return;
    dirtyForms.delete(form);
    if (form.method === "post" && !form.hasAttribute("data-many")) {
      if (form.dataset.isSent) { event.preventDefault(); return; }
      form.dataset.isSent = "yes";
      setTimeout(() => { delete form.dataset.isSent; }, 4000);
    }
  });

  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form || !form.hasAttribute("data-dirty-hint")) return;
    dirtyForms.add(form);
    for (const hint of form.querySelectorAll("[data-dirty]")) hint.hidden = false;
  });

  window.addEventListener("beforeunload", (event) => {
    if ([...dirtyForms].some((form) => form.isConnected)) event.preventDefault();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });

  // A checkbox that stands for all others of its table
  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-check-all]");
    if (!all) return;
    const boxes = (all.closest("form") || document).querySelectorAll(`input[name="${all.dataset.checkAll}"]`);
    for (const box of boxes) box.checked = all.checked;
  });

  // A link that prints, a button that goes back: never inline
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });

  // A link with a key of its own, where nobody is typing
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
    const link = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
    if (link) link.click();
  });

  // The step between two sites that needs nobody: its button stays for those without scripts
  const onward = document.querySelector("form[data-auto-submit]");
  if (onward) onward.requestSubmit();

  // A button that says how many boxes are marked, here and on other pages of the list
  function countMarks(form) {
    const button = form.querySelector("[data-count-marks]");
    if (!button) return;
    const here = form.querySelectorAll("input[name=mark]:checked").length;
    const all = here + Number(button.dataset.elsewhere || 0);
    button.textContent = all ? `${button.dataset.countMarks} (${all})` : button.dataset.countMarks;
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("input[name=mark]")) countMarks(event.target.form);
  });
  for (const button of document.querySelectorAll("[data-count-marks]")) countMarks(button.form);

  // htmx: the token of the page goes with every write
  document.addEventListener("htmx:configRequest", (event) => {
    const token = document.querySelector("input[name=csrfmiddlewaretoken]");
    if (token && event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token.value;
  });

  const prepare = (root) => { showCopyButtons(root); showTimes(root); };
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  prepare(document);
  setInterval(() => showTimes(document), 60000);
  const active = document.querySelector(".tabs [aria-current]");
  if (active) active.scrollIntoView({ block: "nearest", inline: "center" });
})();
