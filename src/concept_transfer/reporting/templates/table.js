"use strict";
for (const box of document.querySelectorAll("[data-table]")) {
  const table = box.querySelector("table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const headers = Array.from(table.tHead.rows[0].cells);
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };
  const compare = (a, b, direction) => {
    const missing = (value) => value === "" || Number.isNaN(value);
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    if (typeof a === "number" && typeof b === "number") return direction * (a - b);
    return direction * String(a).localeCompare(String(b), "en", { numeric: true });
  };

  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const descending = header.getAttribute("aria-sort") === "ascending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const direction = descending ? -1 : 1;
      rows.sort((a, b) => compare(key(a, column), key(b, column), direction));
      body.append(...rows);
    });
  });

  if (rows.length > 8) {
    const tools = document.createElement("div");
    tools.className = "tools";
    const count = document.createElement("output");
    const filters = [];
    const labelled = (words, control) => {
      const label = document.createElement("label");
      label.append(words, control);
      tools.append(label);
      return control;
    };
    const search = labelled("Find in rows", document.createElement("input"));
    search.type = "search";
    filters.push((row) => row.textContent.toLowerCase().includes(search.value.trim().toLowerCase()));
    headers.forEach((header, column) => {
      if (!("choose" in header.dataset)) return;
      const values = [...new Set(rows.map((row) => row.cells[column].textContent.trim()))];
      if (values.length < 2) return;
      const select = labelled(header.textContent.trim(), document.createElement("select"));
      select.add(new Option("all", ""));
      values.forEach((value) => select.add(new Option(value, "=" + value)));
      filters.push((row) => !select.value || select.value === "=" + row.cells[column].textContent.trim());
    });
    const apply = () => {
      let shown = 0;
      for (const row of rows) {
        row.hidden = !filters.every((keep) => keep(row));
        shown += !row.hidden;
      }
      count.value = shown === rows.length ? `${shown} rows` : `${shown} of ${rows.length} rows`;
    };
    tools.addEventListener("input", apply);
    tools.append(count);
    box.prepend(tools);
    apply();
  }
  box.dataset.ready = "true";
}

let closed = [];
addEventListener("beforeprint", () => {
  closed = Array.from(document.querySelectorAll("details:not([open])"));
  closed.forEach((element) => { element.open = true; });
});
addEventListener("afterprint", () => closed.forEach((element) => { element.open = false; }));
