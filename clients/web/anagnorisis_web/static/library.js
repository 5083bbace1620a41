// The page Library: search while typing.

import { refresh } from "./live.js";

const SECONDS_OF_TYPING = 0.2;

const form = document.getElementById("search");
const results = document.getElementById("results");
let typing = 0;

// The other filters keep what is searched for.
function carry(query) {
  for (const link of document.querySelectorAll("#filters a")) {
    const url = new URL(link.href);
    if (url.pathname !== location.pathname) continue;
    for (const name of ["q", "sort"]) {
      if (query.has(name)) url.searchParams.set(name, query.get(name));
      else url.searchParams.delete(name);
    }
    link.href = url;
  }
}

function search() {
  const query = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...query]) if (!value.trim()) query.delete(name);
  history.replaceState(null, "", `${location.pathname}${query.size ? "?" : ""}${query}`);
  carry(query);
  refresh(results);
}

form?.addEventListener("input", (event) => {
  clearTimeout(typing);
  const wait = event.target.matches("[type=search]") ? SECONDS_OF_TYPING * 1000 : 0;
  typing = setTimeout(search, wait);
});
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  search();
});
