// Means by weekday and hour, as a table whose cells are the darker the more
// there is in them. A cell without data is empty, and 0 is written.

import { count, make, NO_DATA, tick } from "./format.js"

const narrow = matchMedia("(max-width: 34rem)")
let shown = null

export function drawHeat(table, chart) {
  shown = { table, chart }
  if (!chart.series.length) {
    table.replaceChildren(make("caption", "unseen", chart.title), make("tbody", "", make("tr", "", make("td", "", NO_DATA))))
    return
  }
  const most = Math.max(1, ...chart.rows.flatMap((row) => row.values.map((value) => value ?? 0)))
  const { corner, heads, rows } = narrow.matches ? hoursDown(chart) : hoursAcross(chart)
  const head = make("tr", "", header(corner, "col"), ...heads.map((text) => header(text, "col")))
  const body = rows.map(({ name, values, marks }) => make("tr", "", header(name, "row"), ...values.map((value, i) => cell(value, most, marks?.[i]))))
  table.classList.add("heat")
  table.replaceChildren(make("caption", "unseen", `${chart.title}. ${chart.note}`), make("thead", "", head), make("tbody", "", ...body))
}

function hoursAcross({ by, series, rows }) {
  return { corner: by, heads: series.map((s) => s.label), rows }
}

// hoursDown is for a phone, which has room for seven columns.
function hoursDown({ series, rows }) {
  const hours = series.map((s, i) => ({ name: s.label, values: rows.map((row) => row.values[i]), marks: rows.map((row) => row.marks?.[i]) }))
  return { corner: "Hour", heads: rows.map((row) => row.name.slice(0, 3)), rows: hours }
}

function header(text, scope) {
  return Object.assign(make("th", "", text), { scope })
}

// cell is hatched where a mark says of which stations its value is.
function cell(value, most, mark) {
  if (value == null) {
    const td = make("td", "gap", make("span", "unseen", NO_DATA))
    td.title = NO_DATA
    return td
  }
  const td = make("td", "", narrow.matches && value >= 1000 ? tick(value) : count(value))
  td.style.setProperty("--heat", (value / most).toFixed(3))
  if (mark) {
    td.className = "part"
    td.title = mark
    td.append(make("span", "unseen", ` (${mark})`))
  }
  return td
}

narrow.addEventListener("change", () => shown && drawHeat(shown.table, shown.chart))
