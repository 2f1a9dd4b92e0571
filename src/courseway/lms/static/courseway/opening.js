// The pages on the way into a launch that a frame may cut off: does this browser keep our cookies here? If not, can the
// LMS's page keep the secret of the sign-in for us (LTI Client Side postMessages)? If not, a new tab goes on.
// Without this script the buttons of the page do the same by hand.
(() => {
  "use strict";

  const CAPABILITIES_WAIT = 500;
  const STORAGE_WAIT = 1000;
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

  // One message and its answer; null when nobody answers in time.
  function ask(target, targetOrigin, message, wait, isRight) {
    return new Promise((resolve) => {
      const id = [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("-");
      const answered = `${message.subject}.response`;
      let timer = 0;
      const end = (answer) => {
        window.removeEventListener("message", hear);
        clearTimeout(timer);
        resolve(answer);
      };
      const hear = (event) => {
        const data = event.data;
        if (data && data.message_id === id && data.subject === answered && isRight(event)) end(data);
      };
      window.addEventListener("message", hear);
      timer = setTimeout(end, wait, null);
      target.postMessage({ ...message, message_id: id }, targetOrigin);
    });
  }

  // What the platform's page can do. It holds no secret, so anybody may hear the question; the answer only names a frame.
  function askCapabilities() {
    const questions = PREFIXES.map((prefix) =>
      ask(home, "*", { subject: `${prefix}capabilities` }, CAPABILITIES_WAIT, (event) => event.source === home));
    return new Promise((resolve) => {
      questions.forEach((question) => question.then((answer) => answer && resolve(answer)));
      Promise.all(questions).then(() => resolve(null));
    });
  }

  // The ways to the storage, best first: as the platform says, else as the login said, by either name.
  async function findStorages() {
    const said = await askCapabilities();
    if (!said || !Array.isArray(said.supported_messages)) {
      return PREFIXES.map((prefix) => ({ prefix, target: findWindow(storageTarget) }));
    }
    return PREFIXES.flatMap((prefix) => said.supported_messages
      .filter((one) => one && one.subject === `${prefix}put_data`)
      .map((one) => ({ prefix, target: findWindow(one.frame || storageTarget) })));
  }

  function findWindow(name) {
    if (name === "_parent") return home;
    try {
      return home.frames[name] || home;
    } catch {
      return home;
    }
  }

  async function tell(subject, data) {
    if (!storageTarget || !origin || !home) return null;
    for (const { prefix, target } of await findStorages()) {
      const message = { subject: prefix + subject, key: storageKey, ...data };
      const answer = await ask(target, origin, message, STORAGE_WAIT, (event) => event.origin === origin);
      if (answer && !answer.error) {
        return { value: answer.value, forget: () => target.postMessage(
          { subject: `${prefix}put_data`, key: storageKey, value: null, message_id: storageKey }, origin) };
      }
    }
    return null;
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
      if (await keepsCookies() || await tell("put_data", { value: storageValue })) location.replace(url);
      else offerNewTab();
    },
    async secret() {
      const stored = await tell("get_data", {});
      if (stored && typeof stored.value === "string") {
        form.elements.namedItem("platform_storage").value = stored.value;
        stored.forget();
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
