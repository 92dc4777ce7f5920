// The colours that were chosen, before anything is drawn in others.  No module: modules wait for the page.
"use strict";

{
  const THEMES = ["auto", "light", "dark"];
  const KEY = "quorate-theme";
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // The browser keeps nothing for this page; then the choice lasts as long as it does.
    }
  };
  const store = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // As above.
    }
  };

  const theme = THEMES.includes(stored()) ? stored() : "auto";
  document.documentElement.dataset.theme = theme;
  document.addEventListener("DOMContentLoaded", () => {
    for (const input of document.querySelectorAll("input[name=theme]")) {
      input.checked = input.value === theme;
      input.addEventListener("change", () => {
        document.documentElement.dataset.theme = input.value;
        store(input.value);
      });
    }
  });
}
