// A browser that is too old to read the other scripts reads this one and tells its user. Written as of 2009 for that.
"use strict";

function tellThatNothingIsDrawn() {
  if (!document.documentElement.hasAttribute("data-ready")) document.getElementById("dead").hidden = false;
}
window.addEventListener("error", tellThatNothingIsDrawn);
window.addEventListener("unhandledrejection", tellThatNothingIsDrawn);
