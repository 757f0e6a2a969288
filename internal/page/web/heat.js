// Means by weekday and hour, as a table whose cells are the darker the more
// there is in them.

import { count, make, NO_DATA } from "./format.js"

export function drawHeat(table, chart) {
  const most = Math.max(1, ...chart.rows.flatMap((row) => row.values.map((value) => value ?? 0)))
  if (!chart.series.length) {
    table.replaceChildren(make("caption", "unseen", chart.title), make("tbody", "", make("tr", "", make("td", "", NO_DATA))))
    return
  }
  const head = make("tr", "", header(chart.by, "col"), ...chart.series.map((s) => header(s.label, "col")))
  const body = chart.rows.map((row) => make("tr", "", header(row.name, "row"), ...row.values.map((value) => cell(value, most))))
  table.classList.add("heat")
  table.replaceChildren(make("caption", "unseen", `${chart.title}. ${chart.note}`), make("thead", "", head), make("tbody", "", ...body))
}

function header(text, scope) {
  return Object.assign(make("th", "", text), { scope })
}

function cell(value, most) {
  const td = make("td", "", value == null ? "–" : count(value))
  if (value == null) td.title = NO_DATA
  else td.style.setProperty("--heat", (value / most).toFixed(3))
  return td
}
