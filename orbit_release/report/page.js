"use strict";
// Without this the page tells the same: it adds the controls that it gives life to.
const said = document.getElementById("said");
const collator = new Intl.Collator("en", { numeric: true });

function value(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value ?? cell.textContent.trim();
}

function sort(header) {
  const table = header.closest("table");
  const column = header.cellIndex;
  const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  const order = (a, b) => sign * collator.compare(value(a, column), value(b, column));
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
}

async function copy(button) {
  const command = button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(command.textContent);
    said.textContent = `Copied: ${command.textContent}`;
  } catch {
    getSelection().selectAllChildren(command);
    const done = document.execCommand("copy");
    said.textContent = done ? `Copied: ${command.textContent}` : "Selected: copy it with Ctrl+C or ⌘C";
  }
  clearTimeout(copy.timer);
  copy.timer = setTimeout(() => { said.textContent = ""; }, 4000);
}

for (const header of document.querySelectorAll("th[data-sort]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  button.addEventListener("click", () => sort(header));
  header.append(button);
}
for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
