// A frame that brings messages of tools to the page around it, and the answers back, as in a Canvas: there the page has
// another host than the one that tools sign in with, and this frame has that host.
window.addEventListener("message", (event) => {
  if (event.source === window.parent || !event.data || typeof event.data.subject !== "string") return;
  const channel = new MessageChannel();
  channel.port1.onmessage = (answer) => event.source.postMessage(answer.data, event.origin);
  window.parent.postMessage({ forwarded: event.data, origin: event.origin }, location.origin, [channel.port2]);
});
