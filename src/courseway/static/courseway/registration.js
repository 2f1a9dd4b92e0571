// The last word of a registration: the LMS closes the page that it opened (Dynamic Registration 1.0 §3.7).
(() => {
  "use strict";

  const subject = "org.imsglobal.lti.close";
  const tellLms = () => {
    const lms = window.opener || (window.parent !== window ? window.parent : null);
    // Any LMS may have opened us, so the address is not known; the message holds nothing.
    if (lms) lms.postMessage({ subject }, "*");
  };

  if (document.querySelector("[data-registration='done']")) tellLms();

  // The page in the LMS's frame waits for the tab that it opened, and passes its word on.
  const waiting = document.querySelector("[data-registration='in-tab']");
  if (waiting) {
    window.addEventListener("message", (event) => {
      if (event.origin !== window.location.origin || event.data?.subject !== subject) return;
      waiting.dataset.registration = "closed";
      for (const part of waiting.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== "done";
      tellLms();
    });
  }
})();
