// How values are written. NULL is "no data", which is not 0.

export const NO_DATA = "no data"
export const TO_COME = "to come" // of hours that have not begun; the server says it so too

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 })
const oneDigit = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 1, maximumFractionDigits: 1 })
const twoDigits = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 })

// make returns an element that holds children (text or elements).
export function make(tag, className, ...children) {
  const element = document.createElement(tag)
  if (className) element.className = className
  element.append(...children)
  return element
}

// entry returns a row of a table whose rows become entries where the screen is
// narrow (.stack in style.css): a cell's label then stands before it. Roles are
// said, because a changed display may take them away.
export function entry(head, cells) {
  const as = (role, element) => {
    element.setAttribute("role", role)
    return element
  }
  const what = as("rowheader", make("th", "", head))
  what.scope = "row"
  const rest = cells.map(([label, content]) => {
    const cell = as("cell", make("td", "", content))
    if (label) cell.dataset.label = label
    return cell
  })
  return as("row", make("tr", "", what, ...rest))
}

// stacked makes a table one whose rows become entries where the screen is narrow.
// Rows come from entry.
export function stacked(table, title, heads, rows) {
  const as = (role, element) => {
    element.setAttribute("role", role)
    return element
  }
  const head = heads.map((text) => as("columnheader", Object.assign(make("th", "", text), { scope: "col" })))
  as("table", table).classList.add("stack")
  table.replaceChildren(
    make("caption", "unseen", title),
    as("rowgroup", make("thead", "", as("row", make("tr", "", ...head)))),
    as("rowgroup", make("tbody", "", ...rows)),
  )
}

// count writes a count; null is one that is not known yet.
export function count(value) {
  return value == null ? "–" : whole.format(value)
}

// perSecond writes a rate; null is one that is not known yet.
export function perSecond(value) {
  if (value == null) return "–"
  return (value > 0 && value < 9.95 ? oneDigit : whole).format(value)
}

// share writes a part of 1 in percent.
export function share(value) {
  if (value === 0) return "0 %"
  return `${(value > 0 && value < 0.0995 ? twoDigits : oneDigit).format(value * 100)} %`
}

// tick writes a number in little room: 12K.
export function tick(value) {
  return compact.format(value)
}

// seconds writes a duration that is given in seconds.
export function seconds(value) {
  if (value == null) return NO_DATA
  if (value < 1) return `${Math.round(value * 1000)} ms`
  if (value < 120) return `${value < 10 ? oneDigit.format(value) : whole.format(value)} s`
  if (value < 7200) return `${whole.format(value / 60)} min`
  return `${whole.format(value / 3600)} h`
}

// clock is the time of day of an RFC 3339 timestamp in its own zone, which is
// the network's: the browser's zone plays no part.
export function clock(timestamp) {
  return timestamp ? timestamp.slice(11, 19) : "–"
}

// age is how many seconds before now (both RFC 3339) a moment was.
export function age(timestamp, now) {
  return (Date.parse(now) - Date.parse(timestamp)) / 1000
}

// parts writes a metric's value as [number, unit]. A rate is written in
// percent; the unit of others comes with the data.
export function parts(metric, value, unit) {
  if (value == null) return [NO_DATA, ""]
  if (isRate(metric)) return [`${oneDigit.format(value * 100)} %`, ""]
  if (unit === "minutes") return [oneDigit.format(value), "min"]
  const number = Number.isInteger(value) ? whole : oneDigit
  return [number.format(value), unit]
}

export function isRate(metric) {
  return metric.endsWith("_rate")
}

// name is what a dimension value without any text is called.
export function name(text) {
  return text === "" ? "(empty)" : text
}
