// What this page keeps for tools in its frames and tabs, by postMessage: LTI Client Side postMessages.
// Each tool sees only what its own origin put here. Where `data-target` names a frame, that frame brings the messages.
(() => {
  "use strict";

  const MOST_KEYS = 500;
  const LONGEST = 4096;
  const { prefix, target, unknown } = document.currentScript.dataset;
  const kept = new Map();
  // As in a Canvas each message that puts something takes room, also under a key that is there already.
  let room = MOST_KEYS;

  function answer(message, origin) {
    const head = { subject: `${message.subject}.response`, message_id: message.message_id };
    const refuse = (code, words) => ({ ...head, error: { code, message: words } });
    const place = `${origin} ${message.key}`;
    if (typeof message.message_id !== "string" || typeof message.key !== "string") {
      return refuse("bad_request", "message_id and key must be text.");
    }
    if (message.subject === `${prefix}get_data`) {
      if (unknown === "refused" && !kept.has(place)) return refuse("key_not_found", "Nothing was put under this key.");
      return { ...head, key: message.key, value: kept.has(place) ? kept.get(place) : null };
    }
    if (message.subject !== `${prefix}put_data`) return refuse("unsupported_subject", "This page knows no such message.");
    if (message.value === null) {
      if (kept.delete(place)) room += 1;
      return { ...head, key: message.key, value: null };
    }
    if (typeof message.value !== "string") return refuse("bad_request", "value must be text or null.");
    if (message.value.length > LONGEST || room === 0) return refuse("storage_exhaustion", "No more room.");
    kept.set(place, message.value);
    room -= 1;
    return { ...head, key: message.key, value: message.value };
  }

  function tellCapabilities(message) {
    const frame = target === "_parent" ? {} : { frame: target };
    const subjects = ["put_data", "get_data"].map((name) => ({ subject: prefix + name, ...frame }));
    return {
      subject: `${message.subject}.response`,
      message_id: message.message_id,
      supported_messages: [{ subject: `${prefix}capabilities` }, ...subjects],
    };
  }

  window.addEventListener("message", (event) => {
    const data = event.data;
    if (!data || typeof data !== "object") return;
    if (event.origin === location.origin && data.forwarded && event.ports.length === 1) {
      event.ports[0].postMessage(answer(data.forwarded, data.origin));
    } else if (data.subject === `${prefix}capabilities`) {
      event.source.postMessage(tellCapabilities(data), event.origin);
    } else if (target === "_parent" && typeof data.subject === "string" && data.subject.startsWith(prefix)) {
      event.source.postMessage(answer(data, event.origin), event.origin);
    }
  });

  if (target !== "_parent") {
    const frame = document.createElement("iframe");
    frame.name = target;
    frame.src = "/forwarding";
    frame.title = "Messages of tools";
    frame.hidden = true;
    document.body.append(frame);
  }
})();
