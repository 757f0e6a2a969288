// What people were told, and that has not ended.

import { clock, entry, seconds } from "./format.js"

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
  return entry(alert.text, [
    ["", alert.severity || "–"],
    ["For", seconds(alert.age_seconds)],
    ["Until", until(alert)],
    ["Told:", alert.told ? "yes" : "being tried"],
  ])
}

// until has the date where that is not the day on which it began.
function until({ began_at, ends_at }) {
  const time = clock(ends_at).slice(0, 5)
  return ends_at.slice(0, 10) === began_at.slice(0, 10) ? time : `${ends_at.slice(0, 10)} ${time}`
}
