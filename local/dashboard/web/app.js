// Asks the server every two seconds and hands the answers to the two halves of
// the page. Everything that comes from data is written as text, never as
// markup.

import { drawFigures } from "./figures.js"
import { drawPipeline } from "./pipeline.js"

const POLL_MS = 2000
const LONGEST_WAIT_MS = 30000
const TIMEOUT_MS = 10000

const page = { pipeline: null, figures: null }

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`)
  return answer.json()
}

// fetchNews asks for the pipeline, and for the figures when they are new.
async function fetchNews() {
  const pipeline = await ask("api/pipeline")
  const figures = pipeline.snapshot === page.figures?.snapshot ? page.figures : await ask("api/dashboard")
  const changed = figures !== page.figures
  Object.assign(page, { pipeline, figures })
  return changed
}

function period() {
  return document.querySelector("input[name=period]:checked").value
}

function draw(figuresChanged) {
  drawPipeline(page.pipeline, page.figures)
  if (figuresChanged) drawFigures(page.figures, period())
}

function showConnection(failures, waitMS) {
  const lost = document.getElementById("lost")
  document.body.classList.toggle("stale", failures > 0)
  lost.hidden = failures === 0
  if (failures > 0) {
    const shown = page.pipeline ? `showing what was known at ${page.pipeline.at.slice(11, 19)}; ` : ""
    lost.textContent = `Connection lost: ${shown}trying again every ${waitMS / 1000} s`
  }
}

// poll never ends. The longer the server does not answer, the less often it is
// asked.
async function poll() {
  for (let failures = 0; ; ) {
    let news = null
    try {
      news = { changed: await fetchNews() }
      failures = 0
    } catch {
      failures++
      page.figures = page.figures && { ...page.figures, snapshot: null } // a restarted server counts from zero
    }
    const waitMS = Math.min(POLL_MS * 2 ** failures, LONGEST_WAIT_MS)
    showConnection(failures, waitMS)
    if (news) draw(news.changed)
    await new Promise((resolve) => setTimeout(resolve, waitMS))
  }
}

// The period is kept in the address, so that a bookmark or reload finds it.
function followPeriod() {
  if (location.hash === "#all" || location.hash === "#today") {
    document.querySelector(`input[value=${location.hash.slice(1)}]`).checked = true
  }
  document.querySelector(".switch").addEventListener("change", () => {
    history.replaceState(null, "", `#${period()}`)
    if (page.figures) drawFigures(page.figures, period())
  })
}

// A fault of this page must not look like a quiet railway.
function stopped(reason) {
  const lost = document.getElementById("lost")
  lost.hidden = false
  lost.textContent = `This page has stopped (${reason}): reload it`
}

addEventListener("error", (event) => stopped(event.message))
followPeriod()
poll().catch((error) => stopped(error.message))
