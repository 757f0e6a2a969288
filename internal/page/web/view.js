// The answer to what is asked: what goes on now, headline numbers, charts, and
// how fresh all that is.

import { asked, fixed, lineColor, offer } from "./ask.js"
import { drawHeat } from "./heat.js"
import { drawChart } from "./charts.js"
import { clock, count, entry, make, name, NO_DATA, parts, seconds, stacked, TO_COME } from "./format.js"

const $ = (selector, within = document) => within.querySelector(selector)
const MOST_BARS = 12

// drawAnswer shows an answer of api/view.
export function drawAnswer(answer) {
  offer(answer)
  drawAsked(answer)
  drawUnread(answer)
  drawOpen(answer)
  drawFreshness(answer)
  $("#estimated").hidden = !answer.estimated
  for (const list of document.querySelectorAll("[data-figures]")) {
    const ids = list.dataset.figures.split(" ")
    const figures = ids.map((id) => answer.figures.find((f) => f.id === id))
    list.replaceChildren(...figures.map((figure) => headline(figure, answer)))
    drawGaps(list.nextElementSibling, figures)
  }
  for (const place of document.querySelectorAll("[data-charts]")) {
    for (const id of place.dataset.charts.split(" ")) {
      drawFigure(figureIn(place, id), answer.charts.find((chart) => chart.id === id), answer)
    }
  }
}

// drawRefusal says why a question cannot be answered. The figures of another
// question are taken away: they could be taken for the answer.
export function drawRefusal(refusal) {
  offer(refusal)
  const said = $("#asked")
  said.textContent = `${refusal.error[0].toUpperCase()}${refusal.error.slice(1)}.`
  said.dataset.state = "failing"
  $("#share").hidden = true
}

function drawAsked(answer) {
  const { periods, hours, until, to_come, again, figures, stations, reading } = answer
  const [first, ...others] = periods
  const chosen = stations.filter((station) => station.chosen).map((station) => name(station.name))
  const span = hours[0] > 0 || hours[1] < 24 ? `, ${oclock(hours[0])} to ${oclock(hours[1])}` : ""
  const where = chosen.length > 0 ? chosen.join(", ") : "all stations"
  const isCompared = others.length > 0 && (until == null || until > hours[0] || first.from !== first.to)
  const compared = isCompared ? `, compared with ${others.map((p) => p.label).join(" and ")}` : ""
  const cut = isCompared && until != null && until < hours[1] ? ` until ${oclock(until)}, the end of the last full hour that is counted` : ""
  const gaps = figures.some((figure) => figure.compared.some((c) => c.value != null && (c.shared !== "" || c.note !== ""))) ? " Changes (▲ ▼) are worked out only from hours for which both periods have data." : ""
  const ahead = to_come ? " These hours are still to come." : ""
  const twice = again ? " Nothing is compared: the simulated stations have played hours of today more than once, and each time counts." : ""
  const said = $("#asked")
  const waits = stations.length === 0 && reading ? " The figures are being read." : ""
  const text = `Shown: ${first.label}${span}, ${where}${compared}${cut}.${gaps}${ahead}${twice}${waits}`
  if (said.textContent !== text) said.textContent = text
  delete said.dataset.state
  drawShare(first, answer.range)
}

// drawShare offers an address that goes on showing these dates, where the one
// that is shown moves with the day.
function drawShare({ from, to }, range) {
  const share = $("#share")
  share.hidden = range === "dates"
  const link = $("a", share)
  link.href = fixed(from, to)
  link.textContent = from === to ? `link to ${from}` : `link to ${from} – ${to}`
}

function oclock(hour) {
  return `${String(hour).padStart(2, "0")}:00`
}

function drawUnread({ failure, read_at }) {
  const line = $("#unread")
  line.hidden = failure === ""
  const since = read_at ? `Below are those of ${clock(read_at)}.` : ""
  line.textContent = failure === "" ? "" : `New figures could not be read: ${failure}. ${since}`
}

function drawOpen({ open }) {
  $("#calm").hidden = open.length > 0
  $("#now .scroll").hidden = open.length === 0
  $("#now tbody").replaceChildren(...open.map(openRow))
}

function openRow({ kind, what, station, place, severity, age_seconds, ends_at, past }) {
  const mark = make("span", "state", severity ?? (kind === "incident" ? "–" : "failure"))
  mark.dataset.state = past ? "idle" : severity === "Major" ? "failing" : severity === "Minor" ? "behind" : "idle"
  return entry(what, [
    ["", mark],
    ["", `${name(station)}, ${place}`],
    ["Open for", seconds(age_seconds)],
    ["Expected until", `${until(ends_at)}${past ? ": past its expected end, nobody said that it is over" : ""}`],
  ])
}

function until(at) {
  return at.slice(0, 10) === document.body.dataset.today ? clock(at).slice(0, 5) : `${at.slice(0, 10)} ${clock(at).slice(0, 5)}`
}

function drawFreshness({ freshness, silent }) {
  $("#quiet").hidden = freshness.every(({ state }) => state !== "quiet")
  $("#silent").hidden = silent.length === 0
  $("#silent").replaceChildren(...silent.map((line) => make("li", "", `${line}.`)))
  $("#freshness tbody").replaceChildren(
    ...freshness.map(({ about, arrived_at, computed_at, age_seconds, state }) => {
      const mark = make("span", "state", state)
      mark.dataset.state = state === "fresh" ? "flowing" : "idle"
      return entry(about, [
        ["", mark],
        ["Last record", `${seconds(age_seconds)} ago`],
        ["Figures of", clock(computed_at)],
      ])
    }),
  )
}

// headline is one number, and what it was before.
function headline(figure, { periods, until, hours, to_come }) {
  const id = figure.unit === "share" ? "a_rate" : figure.id
  const [number, unit] = to_come ? [TO_COME, ""] : parts(id, figure.value, figure.unit)
  const value = make("span", number === NO_DATA || to_come ? "value no-data" : "value", number)
  const main = make("dd", "", value, " ", make("span", "unit", unit))
  main.dataset.figure = figure.id
  const short = (figured) => parts(id, figured, figure.unit).slice(0, figure.unit === "minutes" ? 2 : 1).join(" ").trim()
  const lines = figure.compared.map((before, i) => {
    const { label } = periods[i + 1]
    const line = make("dd", "compared", ...comparison(label, before, figure.unit, short))
    line.dataset.compared = `${figure.id} ${periods[i + 1].id}`
    return line
  })
  if (lines.length > 0 && until != null && until < hours[1] && figure.until !== figure.value) {
    const line = make("dd", "compared", `until ${oclock(until)}: ${short(figure.until)}`)
    line.dataset.until = figure.id
    lines.unshift(line)
  }
  if (!to_come && figure.days > 0 && figure.days < figure.of_days) {
    const line = make("dd", "compared", `${figure.days} of ${figure.of_days} days have data`)
    line.dataset.days = figure.id
    lines.unshift(line)
  }
  return make("div", "", make("dt", "", figure.label), main, ...lines)
}

// comparison says what a figure was before and how it has changed: always with
// the two numbers that the change is worked out of. Where these are of a part of
// the hours, what the earlier period has in all of them comes last, without one.
function comparison(label, compared, unit, short) {
  const { value, this: now, before, shared, note } = compared
  if (value == null && note) return [`${label}: ${note}`]
  const arrow = make("b", "", change(unit, compared))
  if (shared === "") return [`${label} ${short(value)} `, arrow, note === "" ? "" : ` (${note})`]
  const rest = value === before ? "" : `; ${label} with the other hours: ${short(value)}`
  return [`${shared} compared: ${short(now)}, ${label} ${short(before)} `, arrow, rest]
}

// drawGaps names the hours that changes are worked out without, once for all
// figures that miss the same.
function drawGaps(line, figures) {
  const labels = new Map()
  for (const { label, compared } of figures) {
    for (const { shared, note } of compared) if (shared && note) labels.set(note, new Set([...(labels.get(note) ?? []), label]))
  }
  line.hidden = labels.size === 0
  line.textContent = [...labels].map(([note, of]) => `${[...of].join(", ")} compared ${note}.`).join(" ")
}

const FEW = 20 // percentages of fewer mislead

// change is how much the hours that both periods have differ: in percent, rates
// in percentage points, and by how many where there are few.
function change(unit, { this: now, before }) {
  if (now == null || before == null) return ""
  if (unit === "share") return signed((now - before) * 100, 1, " points")
  if (unit === "minutes") return signed(now - before, 1, " min")
  if (unit === "incidents" || unit === "failures" || before < FEW) return signed(now - before, 0, "")
  return signed(((now - before) / before) * 100, 0, " %")
}

function signed(number, digits, unit) {
  if (Math.abs(number) < 1e-9) return "no change"
  const text = Math.abs(number).toFixed(digits)
  return `${number > 0 ? "▲" : "▼"} ${Number(text) === 0 ? `under ${10 ** -digits}` : text}${unit}`
}

// figureIn returns the figure of a chart, made if need be.
function figureIn(place, id) {
  const there = $(`[data-chart=${id}]`, place)
  if (there) return there
  const figure = make("figure", "", make("figcaption", "", make("span", "title"), make("span", "rest muted")))
  figure.dataset.chart = id
  place.append(figure)
  return figure
}

function drawFigure(figure, chart, answer) {
  figure.classList.toggle("wide", chart.kind === "heat" || chart.kind === "table")
  figure.classList.toggle("grows", chart.kind === "lines")
  $(".title", figure).textContent = chart.title
  const cut = chart.kind === "bars" && chart.rows.length > MOST_BARS ? `The first ${MOST_BARS} of ${chart.rows.length}; the table has all.` : ""
  $(".rest", figure).textContent = [" ", chart.note, cut].filter(Boolean).join(" ").trimEnd()
  if (!$("table", figure)) build(figure, chart)
  $(".csv", figure).href = `api/view.csv?${asked()}&chart=${chart.id}`
  const table = $("table", figure)
  if (chart.kind === "heat") drawHeat(table, chart)
  else drawTable(table, chart)
  const canvas = $("canvas", figure)
  if (canvas) drawCanvas(figure, canvas, chart, answer)
}

function build(figure, chart) {
  const scroll = make("div", "scroll", make("table"))
  scroll.tabIndex = 0
  scroll.setAttribute("role", "region")
  scroll.setAttribute("aria-label", chart.title)
  const csv = make("a", "csv", "CSV")
  csv.download = "" // the server names the file
  csv.setAttribute("aria-label", `${chart.title} as CSV`)
  if (chart.kind === "heat" || chart.kind === "table") {
    figure.append(scroll, make("p", "tools", csv))
    return
  }
  const canvas = make("canvas")
  canvas.setAttribute("role", "img")
  figure.append(make("div", "canvas", canvas, make("p", "nothing", NO_DATA)), make("div", "tools", make("details", "", make("summary", "", "As a table"), scroll), csv))
}

// drawCanvas draws the numbers of a chart; what is hidden is in its table.
function drawCanvas(figure, canvas, chart, answer) {
  const places = new Map(answer.stations.map((station, i) => [station.name, lineColor(i)]))
  const drawn = chart.series.map((s, i) => i).filter((i) => chart.series[i].color !== "hidden")
  const series = drawn.map((i) => {
    const { label, unit, color } = chart.series[i]
    return { id: unit === "share" ? "a_rate" : chart.id, label: name(label), unit, color: places.get(color) ?? color }
  })
  const rows = chart.rows.map((row, r) => ({ name: name(row.name), color: places.get(row.name) ?? lineColor(r), values: drawn.map((i) => (row.values[i] === TO_COME ? null : row.values[i])), marks: drawn.map((i) => row.marks?.[i] ?? "") }))
  const lines = chart.kind === "lines"
  const bars = lines ? rows : rows.slice(0, MOST_BARS)
  const shown = { by: chart.by, series, rows, bars, upright: lines, lines, percent: chart.series[0]?.unit === "share", stacked: false }
  $(".nothing", figure).hidden = rows.some((row) => row.values.some((value) => value != null))
  $(".nothing", figure).textContent = answer.to_come ? TO_COME : NO_DATA
  if (!lines) $(".canvas", figure).style.height = `${Math.round(80 + bars.length * Math.max(8 + 14 * series.length, 48))}px`
  drawChart(canvas, shown)
  canvas.setAttribute("aria-label", `${chart.title}: ${spoken(shown)}`)
}

// spoken is a chart in words, for people who do not see it.
function spoken({ series, rows }) {
  const known = rows.filter((row) => row.values.some((value) => value != null)).slice(0, 3)
  if (known.length === 0) return NO_DATA
  const said = known.map((row) => `${row.name} ${series.map((s, i) => `${s.label} ${marked(written(s, row.values[i]), row.marks[i])}`).join(", ")}`)
  return `${said.join("; ")}. All values are in the table below.`
}

// written is a cell of a table, whose head has the unit.
function written(series, value) {
  if (typeof value === "string") return value
  if (value != null && series.unit !== "share" && series.unit !== "minutes") return count(Math.round(value))
  return parts(series.unit === "share" ? "a_rate" : "", value, series.unit).join(" ").trim()
}

// marked says after a value why it is not whole; in tables the style does.
function marked(text, mark) {
  return mark ? `${text} (${mark})` : text
}

function drawTable(table, chart) {
  const rows = chart.rows.map((row) => entry(name(row.name), chart.series.map((s, i) => [name(s.label), written(s, row.values[i])])))
  chart.rows.forEach(({ marks }, r) => marks?.forEach((mark, i) => mark && (rows[r].children[i + 1].dataset.mark = mark)))
  stacked(table, chart.title, [chart.by, ...chart.series.map((s) => name(s.label))], rows)
}
