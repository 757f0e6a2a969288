// The strip at the top: what happens between Kafka and the figures.

import { age, clock, count, seconds } from "./format.js"

const $ = (selector, within = document) => within.querySelector(selector)

// setText writes only what changed, so that a screen reader is not told the
// same again and a selection survives.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

function measure(name, text) {
  setText($(`[data-measure=${name}]`), text)
}

// setState shows a state by word, colour and shape (style.css).
function setState(element, state) {
  setText(element, state)
  element.dataset.state = state
}

export function drawPipeline(pipeline, figures) {
  drawOverall(pipeline, figures)
  for (const [stage, health] of Object.entries(pipeline.stages)) {
    const item = $(`[data-stage=${stage}]`)
    setState($(".state", item), health.state)
    setText($(".note", item), health.note)
  }
  for (const element of document.querySelectorAll("[data-count]")) {
    setText(element, count(pipeline[element.dataset.count]))
  }
  $(".measures [data-count=dead_letters]").dataset.level = pipeline.dead_letters > 0 ? "bad" : ""
  drawLag(pipeline)
  drawTransform(pipeline)
}

function drawOverall(pipeline, figures) {
  setState($("#overall .state"), pipeline.overall.state)
  setText($("#overall .muted"), pipeline.overall.note)
  document.title = pipeline.overall.state === "ok" ? "Stations" : `Stations: ${pipeline.overall.state}`

  setText($("#empty"), pipeline.waiting_for)
  $("#empty").hidden = pipeline.waiting_for === ""
  $("#figures").hidden = pipeline.waiting_for !== ""

  const computed = figures.computed_at
    ? `Figures of ${figures.computed_at.slice(0, 10)} at ${clock(figures.computed_at)}`
    : "No figures yet"
  setText($("#as-of"), `${computed} (${figures.time_zone})`)
  const failing = pipeline.figures.state === "failing"
  setState($("#figures-state .state"), failing ? "failing" : "")
  setText($("#figures-state .muted"), failing ? pipeline.figures.note : "")
}

function drawLag({ lag, freshness }) {
  measure("lag", count(lag.records))
  measure("lag-age", lag.records > 0 ? `oldest ${seconds(lag.seconds)}` : "records waiting")
  measure("p50", seconds(freshness.p50_seconds))
  measure("p99", seconds(freshness.p99_seconds))
}

function drawTransform({ at, transform }) {
  const running = transform.running_since
  measure("took", transform.last_finished ? seconds(transform.last_took_seconds) : "–")
  measure("last", clock(transform.last_finished))
  measure("last-status", transform.last_status ?? "none yet")
  measure("next", running ? "running" : clock(transform.next))
  measure("next-in", running ? `for ${seconds(age(running, at))}` : untilNext(transform.next, at))
}

function untilNext(next, at) {
  if (!next) return "none scheduled"
  const left = -age(next, at)
  return left > 0 ? `in ${seconds(Math.ceil(left))}` : "due"
}
