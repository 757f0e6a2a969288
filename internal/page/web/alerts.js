// What people were told, and that has not ended.

import { clock, seconds } from "./format.js"

const SHOWN = 8 // the newest

export function drawAlerts(section, alerts) {
  section.hidden = alerts.length === 0
  const known = JSON.stringify(alerts.map((a) => [a.key, a.told, seconds(a.age_seconds)]))
  if (section.dataset.known === known) return // a selection in it survives
  section.dataset.known = known
  section.querySelector("h2 span").textContent = alerts.length
  section.querySelector("tbody").replaceChildren(...alerts.slice(0, SHOWN).map(row))
  const more = section.querySelector(".more")
  more.hidden = alerts.length <= SHOWN
  more.textContent = `${alerts.length - SHOWN} older ones are in api/pipeline.`
}

function row(alert) {
  const tr = document.createElement("tr")
  const what = document.createElement("th")
  what.scope = "row"
  what.textContent = alert.text
  tr.append(what, ...[alert.severity || "–", seconds(alert.age_seconds), until(alert), alert.told ? "yes" : "being tried"].map(cell))
  return tr
}

// until has the date where that is not the day on which it began.
function until({ began_at, ends_at }) {
  const time = clock(ends_at).slice(0, 5)
  return ends_at.slice(0, 10) === began_at.slice(0, 10) ? time : `${ends_at.slice(0, 10)} ${time}`
}

function cell(text) {
  const td = document.createElement("td")
  td.textContent = text
  return td
}
