// Bars. A chart is made once for each canvas and then changed in place, so
// that an update neither flickers nor moves the page.

import { NO_DATA, parts, share, tick } from "./format.js"

const { Chart } = window
const charts = new Map() // canvas → { chart, shown }; shown is what chartOf in figures.js returned
const dark = matchMedia("(prefers-color-scheme: dark)")
const paper = matchMedia("print")
const calm = matchMedia("(prefers-reduced-motion: reduce)")

// color reads one of the page's colours, which differ by light and dark.
function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

// values writes each bar's value at its end, and "no data" where a bar would
// stand: an empty place could be taken for 0.
const values = {
  id: "values",
  afterDatasetsDraw(chart) {
    const { shown } = charts.get(chart.canvas)
    if (shown.upright) return
    chart.ctx.save()
    chart.ctx.font = `12px ${Chart.defaults.font.family}`
    chart.ctx.textBaseline = "middle"
    shown.bars.forEach((row, index) => {
      if (shown.stacked) return writeTotal(chart, shown, row, index)
      row.values.forEach((value, i) => writeValue(chart, shown.series[i], value, chart.getDatasetMeta(i).data[index]))
    })
    chart.ctx.restore()
  },
}

function writeValue(chart, series, value, bar) {
  const zero = chart.scales.x.getPixelForValue(0)
  chart.ctx.fillStyle = color(value == null ? "muted" : "text")
  chart.ctx.fillText(short(series, value), (value > 0 ? bar.x : zero) + 6, bar.y)
}

function writeTotal(chart, { series }, row, index) {
  const total = totalOf(row)
  const { y } = chart.getDatasetMeta(0).data[index]
  writeValue(chart, series[0], total, { x: chart.scales.x.getPixelForValue(total ?? 0), y })
}

// totalOf adds the parts of a stacked bar that are known.
function totalOf({ values }) {
  const known = values.filter((value) => value != null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value)
}

// short is a value with its unit where the number alone could be mistaken.
function short(series, value) {
  const [number, unit] = parts(series.id, value, series.unit)
  return unit === "min" ? `${number} min` : number
}

// valueRoom is how many pixels the longest value needs right of its bar.
function valueRoom({ bars, series, stacked }) {
  const texts = bars.flatMap((row) => (stacked ? [short(series[0], totalOf(row))] : row.values.map((value, i) => short(series[i], value))))
  return 14 + 7.5 * Math.max(0, ...texts.map((text) => text.length))
}

// drawChart shows a chart in a canvas.
export function drawChart(canvas, shown) {
  const drawn = charts.get(canvas)
  if (!drawn) {
    const entry = { shown }
    charts.set(canvas, entry)
    entry.chart = new Chart(canvas, { type: "bar", data: fill({ datasets: [] }, shown), options: options(canvas, shown), plugins: [values] })
    return
  }
  drawn.shown = shown
  fill(drawn.chart.data, shown)
  drawn.chart.update(calm.matches || paper.matches ? "none" : undefined)
}

// fill puts what is shown into a chart's data, whose datasets it keeps: the
// bars then grow or shrink from where they are.
function fill(data, { bars, series, upright, stacked, lines }) {
  data.labels = bars.map((row) => row.name)
  data.datasets.length = Math.min(data.datasets.length, series.length)
  series.forEach((s, i) => {
    data.datasets[i] ??= {}
    Object.assign(data.datasets[i], {
      label: s.label,
      data: bars.map((row) => row.values[i]),
      ...(lines ? lineStyle(s, bars.map((row) => Boolean(row.marks?.[i]))) : barStyle(s, bars)),
      maxBarThickness: upright ? 28 : stacked || series.length === 1 ? 16 : 10,
      categoryPercentage: 0.84,
      barPercentage: 0.95,
      borderRadius: 3,
      borderSkipped: stacked ? "middle" : "start",
    })
  })
  return data
}

// barStyle has a colour for each bar where each row has its own.
function barStyle(series, bars) {
  const colors = series.color === "row" ? bars.map((row) => color(row.color)) : color(series.color)
  return { backgroundColor: colors, hoverBackgroundColor: colors }
}

// lineStyle draws what is not over (hollow, by row) with hollow points and
// dashes before them.
function lineStyle(series, hollow) {
  const dashed = { earlier: [6, 4], earliest: [2, 3] }[series.color] ?? []
  const main = series.color === "text" ? 3 : 2
  const stroke = color(series.color)
  return {
    type: "line",
    borderColor: stroke,
    backgroundColor: stroke,
    pointBackgroundColor: hollow.map((is) => (is ? color("card") : stroke)),
    pointBorderWidth: hollow.map((is) => (is ? 2 : 1)),
    pointRadius: hollow.map((is) => (is ? 4 : 2.5)),
    segment: { borderDash: ({ p1DataIndex }) => (hollow[p1DataIndex] ? [2, 4] : undefined) },
    borderWidth: main,
    borderDash: dashed,
    tension: 0.25,
  }
}

function options(canvas, { upright, stacked, series, lines, percent }) {
  const category = {
    stacked,
    grid: { display: false },
    border: { color: color("line") },
    ticks: { color: color("muted"), autoSkip: upright, maxRotation: 0, callback: upright ? named : wrapped },
  }
  const value = {
    stacked,
    display: upright,
    bounds: upright ? "ticks" : "data",
    beginAtZero: !(lines && percent),
    max: percent && lines ? 1 : undefined,
    grid: { color: color("line") },
    border: { display: false },
    ticks: { color: color("muted"), maxTicksLimit: 5, precision: upright && !percent ? 0 : undefined, callback: percent ? share : tick },
  }
  return {
    indexAxis: upright ? "x" : "y",
    responsive: true,
    maintainAspectRatio: false,
    animation: { duration: 300 },
    layout: { padding: () => ({ right: upright ? 0 : valueRoom(charts.get(canvas).shown) }) },
    scales: { [upright ? "x" : "y"]: category, [upright ? "y" : "x"]: value },
    plugins: {
      legend: { display: series.length > 1, position: "top", align: "start", labels: { color: color("muted"), boxWidth: 10, boxHeight: 10, padding: 12 } },
      tooltip: { callbacks: { label: (item) => tooltip(charts.get(canvas).shown, item) } },
    },
  }
}

function tooltip({ bars, series }, { datasetIndex, dataIndex }) {
  const s = series[datasetIndex]
  const value = bars[dataIndex].values[datasetIndex]
  const mark = bars[dataIndex].marks?.[datasetIndex]
  return `${s.label}: ${value == null ? NO_DATA : parts(s.id, value, s.unit).join(" ")}${mark ? ` (${mark})` : ""}`
}

function named(value) {
  return this.getLabelForValue(value)
}

const MOST_LINES = 3

// wrapped writes a long name in lines, so that it does not take the chart's room.
// What does not fit is in the tooltip and the table.
function wrapped(value) {
  const label = this.getLabelForValue(value)
  const room = Math.max(12, Math.floor(this.chart.width / 20))
  const lines = label.split(" / ").flatMap((part) => filled(part, room))
  if (lines.length > MOST_LINES) lines.splice(MOST_LINES - 1, lines.length, `${lines[MOST_LINES - 1].slice(0, room - 1)}…`)
  return lines
}

// filled puts words into lines of so many letters; a longer word is cut.
function filled(text, room) {
  const lines = []
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`
    if (lines.length > 0 && longer.length <= room) lines[lines.length - 1] = longer
    else lines.push(word.length > room ? `${word.slice(0, room - 1)}…` : word)
  }
  return lines
}

function takeColors() {
  for (const [canvas, { chart, shown }] of charts) {
    chart.options = options(canvas, shown)
    drawChart(canvas, shown)
  }
}

Chart.defaults.font.family = getComputedStyle(document.body).fontFamily
dark.addEventListener("change", takeColors)
paper.addEventListener("change", takeColors) // paper is light
