// The figures of one period: headline numbers, charts and their tables.

import { drawChart } from "./charts.js"
import { make, NO_DATA, name, parts } from "./format.js"

const MOST_BARS = 8

export function drawFigures(figures, period) {
  const metrics = figures.periods[period] ?? {}
  for (const element of document.querySelectorAll("#figures [data-metric]")) {
    drawHeadline(element, metrics[element.dataset.metric])
  }
  for (const figure of document.querySelectorAll("#figures figure")) {
    drawFigure(figure, metrics)
  }
}

function drawHeadline(element, metric) {
  const { metric: id, top } = element.dataset
  const point = top ? metric?.by[top]?.[0] : null
  const [number, unit] = parts(id, top ? point?.value : metric?.total, metric?.unit)
  const value = make("span", "value", point ? name(point.name) : number)
  if (point) value.title = point.name
  value.classList.toggle("no-data", number === NO_DATA)
  element.classList.toggle("named", Boolean(top))
  element.replaceChildren(value, " ", make("span", "unit", point ? `${number} ${unit}` : unit))
}

function drawFigure(figure, metrics) {
  const chart = chartOf(figure, metrics)
  if (!figure.querySelector("canvas")) build(figure)
  const caption = figure.querySelector("figcaption").firstChild.textContent
  figure.querySelector(".rest").textContent = restOf(chart)
  figure.querySelector(".nothing").hidden = chart.rows.some((row) => row.values.some((value) => value != null))
  drawChart(figure.querySelector("canvas"), chart)
  figure.querySelector("canvas").setAttribute("aria-label", `${caption}: ${spoken(chart)}`)
  drawTable(figure.querySelector("table"), caption, chart)
}

// restOf says that the chart leaves rows to the table.
function restOf({ rows, bars, ascending }) {
  return rows.length > bars.length ? ` ${ascending ? "lowest" : "highest"} ${bars.length} of ${rows.length}` : ""
}

// build adds to a figure of index.html what is drawn into.
function build(figure) {
  figure.querySelector("figcaption").append(make("span", "rest muted"))
  const canvas = make("canvas")
  canvas.setAttribute("role", "img")
  const scroll = make("div", "scroll", make("table"))
  scroll.tabIndex = 0
  figure.append(
    make("div", "canvas", canvas, make("p", "nothing", NO_DATA)),
    make("details", "", make("summary", "", "As a table"), scroll),
  )
}

// chartOf reads what a figure wants to show from its data attributes: rows of
// one dimension value each, with a value for each series.
function chartOf(figure, metrics) {
  const { by, metrics: ids, names, colors = "first second", order } = figure.dataset
  const labels = names.split(", ")
  const series = ids.split(" ").map((id, i) => ({
    id,
    label: labels[i],
    color: colors.split(" ")[i],
    unit: metrics[id]?.unit ?? "",
    values: new Map((metrics[id]?.by[by] ?? []).map((point) => [point.name, point.value])),
  }))
  const ascending = "ascending" in figure.dataset
  const first = ordered(metrics[order ?? series[0].id]?.by[by] ?? [], ascending)
  const keys = new Set([...first.map((point) => point.name), ...series.flatMap((s) => [...s.values.keys()])])
  const rows = (by === "hour" ? hours() : [...keys]).map((key) => ({
    name: name(key),
    values: series.map((s) => s.values.get(key) ?? null),
  }))
  const bars = by === "hour" ? rows : rows.slice(0, MOST_BARS)
  return { by, series, rows, bars, ascending, upright: by === "hour", stacked: "stacked" in figure.dataset }
}

// ordered turns the order of points, largest first, round; nulls stay last.
function ordered(points, ascending) {
  if (!ascending) return points
  const known = points.filter((point) => point.value != null)
  return [...known.reverse(), ...points.slice(known.length)]
}

// hours are all of a day's, so that the axis never changes.
function hours() {
  return Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, "0"))
}

function written(series, value) {
  return parts(series.id, value, series.unit).join(" ").trim()
}

// spoken is the chart in words for those who do not see it.
function spoken({ series, bars }) {
  const shown = bars.filter((row) => row.values.some((value) => value != null)).slice(0, 3)
  if (shown.length === 0) return NO_DATA
  const rows = shown.map((row) => `${row.name} ${series.map((s, i) => `${s.label} ${written(s, row.values[i])}`).join(", ")}`)
  return `${rows.join("; ")}. All values are in the table below.`
}

function drawTable(table, caption, { by, series, rows }) {
  const header = (text, scope) => Object.assign(make("th", "", text), { scope })
  const head = make("tr", "", header(by, "col"), ...series.map((s) => header(s.label, "col")))
  const body = rows.map((row) =>
    make("tr", "", header(row.name, "row"), ...series.map((s, i) => make("td", "", written(s, row.values[i])))),
  )
  table.replaceChildren(make("caption", "unseen", caption), make("thead", "", head), make("tbody", "", ...body))
}
