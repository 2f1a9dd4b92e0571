// The tool's page says when its part is over; then ours shows what became of it.
window.addEventListener("message", (event) => {
  if (event.data && event.data.subject === "org.imsglobal.lti.close") location.reload();
});
