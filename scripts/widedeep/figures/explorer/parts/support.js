// Tells the user when a browser is too old for the other scripts. So this one uses only JavaScript of 2009.
"use strict";

function tellThatNothingIsDrawn() {
  if (!document.documentElement.hasAttribute("data-ready")) document.getElementById("dead").hidden = false;
}
window.addEventListener("error", tellThatNothingIsDrawn);
window.addEventListener("unhandledrejection", tellThatNothingIsDrawn);
