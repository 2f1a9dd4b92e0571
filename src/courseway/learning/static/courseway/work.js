// An assignment at work: one page at a time, answers saved as they are typed, and a look at whether the LMS has the grade.
// Without this script everything is on one page and one button hands in.
(() => {
  "use strict";

  const SAVE_AFTER = 700;
  const TRY_AGAIN_AFTER = 5000;
  const POLL_FIRST = 500; // most LMSs have a grade within a second
  const POLL_EVERY = 2000;
  const POLL_FOR = 4 * 60 * 1000;

  // What could not be saved yet survives a reload of this tab. Browsers may forbid it in a frame: then it does without.
  const memory = {
    read(key) { try { return JSON.parse(sessionStorage.getItem(key) || "{}"); } catch { return {}; } },
    write(key, value) { try { sessionStorage.setItem(key, JSON.stringify(value)); } catch { /* not allowed here */ } },
    forget(key) { try { sessionStorage.removeItem(key); } catch { /* not allowed here */ } },
  };

  const fieldsOf = (form, name) => [...form.querySelectorAll(`[name="${CSS.escape(name)}"]`)];

  // Several values of one name are the lines of one answer.
  const linesOf = (data, name) => data.getAll(name).filter((value) => typeof value === "string").join("\n");

  // An item stands in one place: choosing it for another one swaps the two.
  function setUpPlaces(list) {
    const places = [...list.querySelectorAll("select")];
    let before = places.map((place) => place.value);
    list.addEventListener("change", (event) => {
      const at = places.indexOf(event.target);
      const other = places.findIndex((place, n) => n !== at && place.value && place.value === event.target.value);
      if (other >= 0) places[other].value = before[at];
      before = places.map((place) => place.value);
    }, true);
    list.closest("form").addEventListener("places-restored", () => { before = places.map((place) => place.value); });
  }

  function setUpWork(form) {
    const pages = [...form.querySelectorAll("[data-page]")];
    const links = [...form.querySelectorAll("[data-page-link]")];
    const back = form.querySelector("[data-step='-1']");
    const next = form.querySelector("[data-step='1']");
    const handIn = form.querySelector("[data-hand-in]");
    const progress = form.querySelector("[data-progress]");
    const answered = form.querySelector("[data-answered]");
    let current = 0;

    const namesIn = (element) => [...new Set([...element.querySelectorAll("[name^='q-']")].map((field) => field.name))];
    const valueOf = (name) => {
      const fields = fieldsOf(form, name);
      if (fields[0].type === "file") return fields[0].files.length ? "file" : fields[0].dataset.kept || "";
      const values = fields.map((field) => field.value);
      if (fields[0].tagName === "SELECT") return values.every(Boolean) ? "all" : "";
      return new FormData(form).getAll(name).join("").trim();
    };

    function count() {
      const all = namesIn(form).filter((name) => valueOf(name));
      if (progress) progress.value = all.length;
      if (answered) answered.textContent = String(all.length);
      pages.forEach((page, index) => {
        const names = namesIn(page);
        const mark = links[index] && links[index].querySelector("[data-page-done]");
        if (mark) mark.hidden = !names.length || !names.every((name) => valueOf(name));
      });
    }

    function show(index, moveFocus) {
      current = Math.max(0, Math.min(index, pages.length - 1));
      pages.forEach((page, n) => { page.hidden = n !== current; });
      links.forEach((link, n) => {
        if (n === current) link.setAttribute("aria-current", "step"); else link.removeAttribute("aria-current");
      });
      const isLast = current === pages.length - 1;
      if (back) back.hidden = current === 0;
      if (next) next.hidden = isLast;
      if (handIn) handIn.hidden = !isLast;
      if (moveFocus) {
        const title = pages[current].querySelector("h2");
        title.focus({ preventScroll: true });
        form.scrollIntoView({ block: "start" });
        history.replaceState(history.state, "", `#${pages[current].id}`);
      }
    }

    const indexOf = (key) => pages.findIndex((page) => page.dataset.page === key);

    function indexOfHash() {
      const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      return target ? pages.findIndex((page) => page.contains(target)) : -1;
    }

    if (pages.length > 1) {
      form.classList.add("is-paged");
      const fromHash = indexOfHash();
      show(fromHash >= 0 ? fromHash : Math.max(0, indexOf(form.dataset.opened)), false);
      form.addEventListener("click", (event) => {
        const step = event.target.closest("[data-step]");
        const link = event.target.closest("[data-page-link]");
        if (step) show(current + Number(step.dataset.step), true);
        if (link) { event.preventDefault(); show(indexOf(link.dataset.pageLink), true); }
      });
      // Enter goes to the next page; only the last one hands in.
      form.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !event.target.matches("input[type='text'], input[type='radio'], input[type='checkbox']")) return;
        if (current < pages.length - 1) { event.preventDefault(); show(current + 1, true); }
      });
    }
    form.addEventListener("input", count);
    if (!form.hasAttribute("data-preview")) setUpSaving(form);
    else form.addEventListener("submit", (event) => event.preventDefault());
    count();
  }

  function setUpSaving(form) {
    const state = form.querySelector("[data-save-state]");
    const key = `courseway-answers-${form.dataset.key}`;
    const changed = new Set();
    let timer = 0;
    let isSaving = false;
    let isLeaving = false;

    const say = (text, isProblem) => {
      if (!state) return;
      state.textContent = text || "";
      state.classList.toggle("is-problem", Boolean(isProblem));
    };

    const typed = (names) => {
      const data = new FormData(form);
      return Object.fromEntries([...names].map((name) => [name, linesOf(data, name)]));
    };

    function remember() {
      if (changed.size) memory.write(key, typed(changed)); else memory.forget(key);
    }

    const post = (url, body, keepalive) => fetch(url, {
      method: "POST", body, keepalive, credentials: "same-origin", headers: { Accept: "application/json" },
    });

    function fields(names) {
      const body = new FormData();
      for (const name of ["csrfmiddlewaretoken", "attempt"]) body.append(name, new FormData(form).get(name) || "");
      for (const [name, value] of Object.entries(typed(names))) body.append(name, value);
      return body;
    }

    async function save() {
      clearTimeout(timer);
      // One at a time: an older answer never arrives after a newer one.
      if (isSaving || isLeaving || !changed.size) return;
      isSaving = true;
      const names = [...changed];
      const sent = typed(names);
      say(form.dataset.saving);
      try {
        const answer = await post(form.dataset.saveUrl, fields(names), false);
        if (answer.status === 409) {
          say((await answer.json()).error, true);
          return;
        }
        if (!answer.ok) throw new Error(String(answer.status));
        const now = typed(names);
        for (const name of names) if (now[name] === sent[name]) changed.delete(name);
        remember();
        say(form.dataset.saved);
        if (changed.size) timer = setTimeout(save, SAVE_AFTER);
      } catch {
        say(form.dataset.notSaved, true);
        timer = setTimeout(save, TRY_AGAIN_AFTER);
      } finally {
        isSaving = false;
      }
    }

    // A file goes by itself, as soon as it is chosen.
    async function send(input) {
      if (!input.files.length) return;
      const file = input.files[0];
      const body = fields([]);
      body.append(input.name, file);
      say(form.dataset.sending);
      try {
        const answer = await post(form.dataset.saveUrl, body, false);
        if (answer.status === 409 || answer.status === 422) {
          input.value = "";
          say((await answer.json()).error, true);
          return;
        }
        if (!answer.ok) throw new Error(String(answer.status));
        input.dataset.kept = file.name;
        const kept = input.parentElement.querySelector("[data-kept-file]");
        if (kept) {
          kept.textContent = input.dataset.keptWord.replace("%s", file.name);
          kept.hidden = false;
        }
        input.value = "";  // it is there: handing in does not send it again
        say(form.dataset.saved);
      } catch {
        say(form.dataset.notSaved, true);
      } finally {
        form.dispatchEvent(new Event("input"));
      }
    }

    function note(event) {
      if (!event.target.name || !event.target.name.startsWith("q-")) return;
      if (event.target.type === "file") {
        if (event.type === "change") send(event.target);
        return;
      }
      changed.add(event.target.name);
      remember();
      say(form.dataset.saving);
      clearTimeout(timer);
      timer = setTimeout(save, event.type === "change" ? 0 : SAVE_AFTER);
    }

    function restore() {
      const kept = memory.read(key);
      for (const [name, value] of Object.entries(kept)) {
        const inputs = fieldsOf(form, name).filter((input) => input.type !== "hidden" && input.type !== "file");
        const lines = value.split("\n");
        inputs.forEach((input, n) => {
          if (input.type === "radio") input.checked = input.value === value;
          else if (input.type === "checkbox") input.checked = lines.includes(input.value);
          else if (input.tagName === "SELECT") input.value = lines[n] || "";
          else input.value = value;
        });
        if (inputs.length) changed.add(name);
      }
      form.dispatchEvent(new Event("places-restored"));
    }

    form.addEventListener("input", note);
    form.addEventListener("change", note);
    form.addEventListener("submit", () => {
      // Kept until the next page is there, in case that is an error page.
      const data = new FormData(form);
      const names = [...new Set(data.keys())].filter((name) => name.startsWith("q-"));
      memory.write(key, Object.fromEntries(names.map((name) => [name, linesOf(data, name)])));
      isLeaving = true;
      clearTimeout(timer);
      setTimeout(() => { isLeaving = false; }, TRY_AGAIN_AFTER);
    });
    window.addEventListener("pagehide", () => {
      if (changed.size && !isLeaving) post(form.dataset.saveUrl, fields(changed), true).catch(() => {});
    });

    post(form.dataset.startUrl, fields([]), false).catch(() => {});
    restore();
    if (changed.size) save();
  }

  function setUpPolling(holder) {
    const until = Date.now() + POLL_FOR;
    let pause = POLL_FIRST;
    async function look() {
      const part = holder.querySelector("[data-poll]");
      if (!part || !part.dataset.poll || Date.now() > until) return;
      try {
        const answer = await fetch(part.dataset.poll, { credentials: "same-origin" });
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const fresh = page.querySelector("[data-poll]");
          // Replaced only when it says something new, so that a screen reader is not told the same again.
          if (!fresh || fresh.dataset.delivery !== part.dataset.delivery) holder.replaceChildren(...(fresh ? [fresh] : []));
        }
      } catch { /* the next look may succeed */ }
      pause = Math.min(2 * pause, POLL_EVERY);
      setTimeout(look, pause);
    }
    setTimeout(look, pause);
  }

  for (const list of document.querySelectorAll("[data-places]")) setUpPlaces(list);
  for (const form of document.querySelectorAll("[data-work]")) setUpWork(form);
  for (const holder of document.querySelectorAll("[data-delivery-holder]")) setUpPolling(holder);
})();
