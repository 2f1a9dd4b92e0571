// Send the form by itself; without script the button does it.
document.getElementById("send").submit();
