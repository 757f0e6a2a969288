// Asks the server again and again while somebody looks, and hands the answers to
// the parts of the page. Everything that comes from data is written as text,
// never as markup.

import { asked, followAsk } from "./ask.js"
import { drawFigures } from "./figures.js"
import { drawPipeline } from "./pipeline.js"
import { drawAnswer, drawRefusal } from "./view.js"

const POLL_MS = 2000
const CALM_MS = 20000
const LONGEST_WAIT_MS = 30000
const TIMEOUT_MS = 10000
const ANSWER_MS = 15000 // ages grow while nothing changes
const CALM_ANSWER_MS = 60000
const SIMULATED_ANSWER_MS = 4000 // some minutes there

const page = { pipeline: null, figures: null, asked: null }
const $ = (selector) => document.querySelector(selector)

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`)
  return answer.json()
}

// show asks what the address asks, and shows the answer; one that comes after
// something else was asked is thrown away.
async function show() {
  const question = asked().toString()
  const reply = await fetch(`api/view?${question}`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!reply.ok && reply.status !== 400) throw new Error(`api/view answered ${reply.status}`)
  const answer = await reply.json()
  if (question !== asked().toString()) return
  page.asked = { question, version: answer.version, at: Date.now() }
  document.body.dataset.today = answer.today
  if (answer.error) {
    $("#answers").hidden = true
    return drawRefusal(answer)
  }
  $("#answers").hidden = page.pipeline.waiting_for !== "" // a chart is drawn in the room that it sees
  drawAnswer(answer)
}

function isOld({ view }) {
  const age = Date.now() - page.asked?.at
  const most = page.pipeline.simulation ? SIMULATED_ANSWER_MS : isCalm() ? CALM_ANSWER_MS : ANSWER_MS
  return page.asked?.version !== view || page.asked.question !== asked().toString() || age >= most
}

// isCalm tells a page that only has figures, which change with a run, from one
// that shows the hops, or that has nothing yet.
function isCalm() {
  return page.pipeline?.hops.length === 0 && page.pipeline.waiting_for === ""
}

// fetchNews asks for the pipeline, and for the dashboard tables where they are
// open and have changed. It tells whether it has new ones.
async function fetchNews() {
  page.pipeline = await ask("api/pipeline")
  if (!$("#tables").open || page.pipeline.snapshot === page.figures?.snapshot) return false
  page.figures = await ask("api/dashboard")
  return true
}

function period() {
  return document.querySelector("input[name=period]:checked").value
}

function draw(tablesChanged) {
  drawPipeline(page.pipeline)
  if (page.pipeline.waiting_for !== "") $("#answers").hidden = true
  if (tablesChanged) drawFigures(page.figures, period())
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

// seen waits until somebody looks: a page in the background asks nothing.
function seen() {
  return document.hidden ? new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true })) : null
}

// poll never ends. The longer the server does not answer, the less often it is
// asked.
async function poll() {
  for (let failures = 0; ; ) {
    let news = null
    try {
      news = { changed: await fetchNews() }
      if (isOld(page.pipeline)) await show()
      failures = 0
    } catch {
      failures++
      page.figures = page.figures && { ...page.figures, snapshot: null } // a restarted server counts from zero
    }
    const waitMS = Math.min((isCalm() ? CALM_MS : POLL_MS) * 2 ** failures, LONGEST_WAIT_MS)
    showConnection(failures, waitMS)
    if (news) draw(news.changed)
    await new Promise((resolve) => setTimeout(resolve, waitMS))
    await seen()
  }
}

// The period is kept in the address, so that a bookmark or reload finds it.
function followPeriod() {
  if (location.hash === "#all" || location.hash === "#today") {
    document.querySelector(`input[value=${location.hash.slice(1)}]`).checked = true
  }
  $("#tables").open = location.hash === "#all" || location.hash === "#today"
  $("#tables").addEventListener("toggle", () => {
    if (!page.pipeline) return // the first poll shows them
    fetchNews()
      .then(() => page.figures && drawFigures(page.figures, period()))
      .catch(() => {}) // the next poll tells of a lost connection
  })
  $("#period").addEventListener("change", () => {
    history.replaceState(null, "", `${location.search}#${period()}`)
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
followAsk(() => show().catch(() => {})) // the next poll tells of a lost connection
$("#strip").open = matchMedia("(min-width: 60rem)").matches
poll().catch((error) => stopped(error.message))
