// The pages on the way into a launch that a frame may cut off: does this browser keep our cookies here? If not, can the
// LMS's page keep the secret of the sign-in for us (LTI Client Side postMessages)? If not, a new tab goes on.
// Without this script the buttons of the page do the same by hand.
(() => {
  "use strict";

  // Tries are counted, not seconds: on a busy computer an answer waits as long as the timer does.
  const TRIES = 20;
  const BETWEEN_TRIES = 250; // milliseconds
  const PUT_WAIT = 5000;
  const PREFIXES = ["lti.", "org.imsglobal.lti."]; // older platforms know the second alone

  const page = document.querySelector("[data-opening]");
  const { url, keptUrl, storageTarget, storageKey, storageValue, authenticationUrl } = page.dataset;
  const form = page.querySelector("[data-continue]");
  // The page of the LMS: around our frame, or the one that opened our window.
  const home = window.parent !== window ? window.parent : window.opener;
  // Secrets go to the platform that we sign in with, whoever shows this page.
  const origin = authenticationUrl ? new URL(authenticationUrl).origin : "";

  async function keepsCookies() {
    try {
      const answer = await fetch(keptUrl, { cache: "no-store", credentials: "same-origin" });
      return (await answer.json()).kept === true;
    } catch {
      return false;
    }
  }

  const makeId = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("-");

  // Who keeps data for us, and what of ours is there; null when nobody answers in time. The platform's page, or the
  // frame of it that keeps data, may not listen yet, so the question is asked again. Only reading is ever repeated: a
  // Canvas counts whatever is put, also the same once more, and has room for little.
  async function findStorage() {
    if (!storageTarget || !origin || !home) return null;
    const [capabilitiesId, dataId] = [makeId(), makeId()];
    let frames = [storageTarget];
    let isTold = false;
    let found = null;
    let left = TRIES;
    let timer = 0;
    return new Promise((resolve) => {
      const end = () => {
        window.removeEventListener("message", hear);
        clearTimeout(timer);
        resolve(found);
      };
      const hear = ({ data, origin: sender, source }) => {
        if (!source || !data || typeof data.subject !== "string") return;
        const prefix = PREFIXES.find((one) => data.subject.startsWith(one));
        if (!prefix) return;
        const isAnswer = (subject) => data.subject === `${prefix}${subject}.response`;
        if (source === home && data.message_id === capabilitiesId && isAnswer("capabilities")) {
          if (!Array.isArray(data.supported_messages)) return;
          isTold = true;
          frames = listFrames(data.supported_messages);
          if (!frames.length) end();
        } else if (sender === origin && data.message_id === dataId && isAnswer("get_data")) {
          if (data.error && data.error.code === "unsupported_subject") return;
          found = { prefix, source, value: data.error ? null : data.value };
          // A sign-in that begins needs any storage, one that ends the storage with its secret: another may answer yet.
          if (storageValue || typeof found.value === "string") end();
          else left = Math.min(left, 1);
        }
      };
      const ask = () => {
        if (left === 0) { end(); return; }
        left -= 1;
        timer = setTimeout(ask, BETWEEN_TRIES);
        for (const prefix of PREFIXES) {
          // What the page can do is no secret, so anybody may hear the question; the answer only names a frame.
          if (!isTold) home.postMessage({ subject: `${prefix}capabilities`, message_id: capabilitiesId }, "*");
          const question = { subject: `${prefix}get_data`, key: storageKey, message_id: dataId };
          for (const frame of frames) findWindow(frame).postMessage(question, origin);
        }
      };
      window.addEventListener("message", hear);
      ask();
    });
  }

  // The frames that keep data, by what the platform's page says of itself.
  function listFrames(supported) {
    const puts = supported.filter((one) => one && PREFIXES.some((prefix) => one.subject === `${prefix}put_data`));
    return [...new Set(puts.map((one) => one.frame || storageTarget))];
  }

  function findWindow(name) {
    if (name === "_parent") return home;
    try {
      const frame = home.frames[name];
      return typeof frame.postMessage === "function" ? frame : home;
    } catch {
      return home;
    }
  }

  // Whether the storage took it; null takes back what is there.
  function put({ prefix, source }, value) {
    const id = makeId();
    return new Promise((resolve) => {
      const end = (isKept) => {
        window.removeEventListener("message", hear);
        clearTimeout(timer);
        resolve(isKept);
      };
      const hear = ({ data, origin: sender }) => {
        if (sender !== origin || !data || data.message_id !== id) return;
        if (data.subject === `${prefix}put_data.response`) end(!data.error);
      };
      window.addEventListener("message", hear);
      const timer = setTimeout(end, PUT_WAIT, false);
      source.postMessage({ subject: `${prefix}put_data`, key: storageKey, value, message_id: id }, origin);
    });
  }

  function offerNewTab() {
    document.querySelectorAll("[data-waiting]").forEach((element) => { element.hidden = true; });
    document.querySelectorAll("[data-blocked]").forEach((element) => { element.hidden = false; });
    if (form) form.hidden = true;
    const button = page.querySelector("[data-new-tab] button");
    button.classList.add("button-primary");
    button.focus();
  }

  const steps = {
    async login() {
      let isBound = await keepsCookies();
      if (!isBound) {
        const storage = await findStorage();
        isBound = storage !== null && await put(storage, storageValue);
      }
      if (isBound) location.replace(url);
      else offerNewTab();
    },
    async secret() {
      const storage = await findStorage();
      if (storage && typeof storage.value === "string") {
        form.elements.namedItem("platform_storage").value = storage.value;
        put(storage, null);
      }
      form.submit();
    },
    async landing() {
      if (await keepsCookies()) location.replace(url);
      else offerNewTab();
    },
  };

  steps[page.dataset.opening]();
})();
