// How the pipeline is, in one line at the top, and hop by hop where the server
// knows: the local system does, a page over a warehouse alone does not.

import { drawAlerts } from "./alerts.js"
import { drawBill } from "./bill.js"
import { age, clock, count, perSecond, seconds, share } from "./format.js"

const $ = (selector, within = document) => within.querySelector(selector)

// setText writes only what changed, so that a screen reader is not told the
// same again and a selection survives.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

function measure(name, text, level = "") {
  const element = $(`[data-measure=${name}]`)
  setText(element, text)
  element.dataset.level = level
}

// setState shows a state by word, colour and shape (style.css).
function setState(element, state) {
  setText(element, state)
  element.dataset.state = state
}

// isBad tells what needs attention.
const isBad = ({ state }) => state === "failing" || state === "behind"

export function drawPipeline(pipeline) {
  drawOverall(pipeline)
  drawAttention(pipeline.hops.filter(isBad))
  drawRefused(pipeline.refused)
  drawAlerts($("#alerts"), pipeline.alerts)
  drawNote("#new-fields", pipeline.new_fields)
  drawNote("#canary", pipeline.canary_note)
  $("#pipeline").hidden = pipeline.hops.length === 0
  if (pipeline.hops.length === 0) return
  for (const hop of pipeline.hops) drawHop(hop, pipeline)
  drawMeasures(pipeline)
  drawRun(pipeline.transform)
  drawBill($("#bill"), pipeline.bill)
}

function drawOverall(pipeline) {
  const { state, note, remedy } = pipeline.overall
  const strip = pipeline.hops.length > 0
  const link = $("#overall a")
  link.setAttribute("href", strip ? "#pipeline" : "#freshness")
  setText(link, strip ? "Pipeline" : "Figures")
  setState($("#overall .state"), state)
  setText($("#overall .why"), strip && isBad({ state }) ? troubles(pipeline.hops) : [note, remedy].join(" ").trim())
  document.title = isBad({ state }) ? `Stations: ${state}` : "Stations"

  setText($("#empty"), pipeline.waiting_for)
  $("#empty").hidden = pipeline.waiting_for === ""
  $("#figures").hidden = pipeline.waiting_for !== ""

  const computed = pipeline.computed_at
    ? `Figures of ${pipeline.computed_at.slice(0, 10)} at ${clock(pipeline.computed_at)}`
    : "No figures yet"
  setText($("#as-of"), `${computed} (${pipeline.time_zone})`)
  setText($("#simulated"), pipeline.simulation?.note ?? "")
  $("#simulated").hidden = !pipeline.simulation
}

// troubles says in a few words which hops need attention: unlike the reasons
// it stays the same while nothing changes, and can be read aloud.
function troubles(hops) {
  const said = ["failing", "behind"].map((state) => {
    const names = hops.filter((hop) => hop.state === state).map((hop) => hop.name)
    return names.length === 0 ? "" : `${names.join(", ")} ${names.length === 1 ? "is" : "are"} ${state}`
  })
  return `${said.filter(Boolean).join("; ")}.`
}

// drawAttention has a line for each hop that is failing or behind, those
// failing first, with the reason and what to do.
function drawAttention(troubled) {
  const list = $("#attention")
  const inOrder = [...troubled.filter((hop) => hop.state === "failing"), ...troubled.filter((hop) => hop.state !== "failing")]
  while (list.children.length > inOrder.length) list.lastChild.remove()
  inOrder.forEach((hop, i) => drawTrouble(list.children[i] ?? list.appendChild(newTrouble()), hop))
  list.hidden = inOrder.length === 0
}

function newTrouble() {
  const item = document.createElement("li")
  const why = document.createElement("p")
  why.append(document.createElement("b"), " ", document.createElement("span"))
  const remedy = document.createElement("p")
  remedy.className = "remedy"
  item.append(why, remedy)
  return item
}

function drawTrouble(item, hop) {
  item.dataset.state = hop.state
  item.dataset.trouble = hop.hop
  setText($("b", item), `${hop.name}, ${hop.state}:`)
  setText($("span", item), hop.note)
  const remedy = $(".remedy", item)
  if (item.dataset.remedy !== hop.remedy) {
    item.dataset.remedy = hop.remedy
    remedy.replaceChildren(...withCode(hop.remedy))
  }
}

// drawRefused says that many records are refused: nothing is broken here, but
// somebody sends what nobody can use.
function drawRefused({ note, remedy }) {
  drawNote("#refused", `${note} ${remedy}`.trim())
}

// drawNote shows a sentence, or nothing where there is none.
function drawNote(id, text) {
  const line = $(id)
  line.hidden = text === ""
  if (line.dataset.note === text) return
  line.dataset.note = text
  line.replaceChildren(...withCode(text))
}

// withCode makes code of what stands between backticks, and of a command, which
// goes on to the end of its line.
function withCode(text) {
  return text.replace(/(^|: )(stationflow .+)$/gm, "$1`$2`").split("`").map((part, i) => {
    if (i % 2 === 0) return part
    const code = document.createElement("code")
    code.textContent = part
    return code
  })
}

// What has passed a hop, in its own words.
const PASSED = {
  kafka: "in Kafka",
  bridge: "published",
  transport: "delivered",
  ingest: "ingested",
  staging: "rows",
}

function drawHop(hop, pipeline) {
  const item = hopItem(hop.hop)
  item.dataset.state = hop.state
  setText($("h3", item), hop.name)
  setState($(".state", item), hop.state)
  const [big, unit, passed] = headline(hop, pipeline)
  setText($(".rate b", item), big)
  setText($(".rate span", item), unit)
  setText($(".passed", item), passed)
  const { waiting, retries, failures } = hop
  drawFact(item, "waiting", waiting && count(waiting.records), hop.state === "behind" ? "behind" : "")
  drawFact(item, "oldest", waiting && (waiting.records > 0 ? seconds(waiting.seconds) : "–"), hop.state === "behind" ? "behind" : "")
  drawFact(item, "retries", retries != null && count(retries), "")
  drawFact(item, "failures", failures != null && count(failures), failures > 0 && hop.state === "failing" ? "bad" : "")
  setText($(".note", item), isBad(hop) ? "" : hop.note)
}

function hopItem(id) {
  const there = $(`[data-hop=${id}]`)
  if (there) return there
  $("#hops").append($("#hop").content.cloneNode(true))
  const item = $("#hops").lastElementChild
  item.dataset.hop = id
  return item
}

// headline is the number that says most about a hop, its unit, and how much
// has passed.
function headline(hop, { at, transform, computed_at }) {
  switch (hop.hop) {
    case "transform":
      return transform.last_finished
        ? [seconds(transform.last_took_seconds), "", `last run, ${clock(transform.last_finished)}`]
        : ["–", "", "no run yet"]
    case "prod":
      return [count(hop.records), "rows", computed_at ? `computed ${seconds(Math.max(0, age(computed_at, at)))} ago` : "no figures yet"]
  }
  return [perSecond(hop.per_second), hop.per_second == null ? "" : "records/s", `${count(hop.records)} ${PASSED[hop.hop]}`]
}

function drawFact(item, name, text, level) {
  const fact = $(`[data-fact=${name}]`, item)
  fact.hidden = text === false || text == null
  setText($("dd", fact), text || "")
  $("dd", fact).dataset.level = level
}

function drawMeasures({ at, freshness, valid, quarantined, quarantined_share, dead_letters, transform, rate_window_seconds, count_note }) {
  measure("p50", seconds(freshness.p50_seconds))
  measure("p99", seconds(freshness.p99_seconds))
  measure("fresh-over", freshness.records > 0 ? `over ${count(freshness.records)} records` : "Kafka to staging")
  measure("quarantined", count(quarantined))
  measure("quarantined-share", quarantined_share == null ? "records, kept" : `${share(quarantined_share)} of ${count(valid + quarantined)} records`)
  measure("dead-letters", count(dead_letters), dead_letters > 0 ? "bad" : "")
  measure("dead-letters-todo", dead_letters > 0 ? "batches to send again" : "batches waiting")
  const running = transform.running_since
  measure("last", clock(transform.last_finished))
  measure("last-status", transform.last_finished ? `${transform.last_status}, took ${seconds(transform.last_took_seconds)}` : "none yet", transform.last_status === "failed" ? "bad" : "")
  measure("next", running ? "running" : clock(transform.next))
  measure("next-in", running ? `for ${seconds(age(running, at))}` : untilNext(transform.next, at))
  measure("window", rate_window_seconds > 0 ? `Rates are means over the last ${seconds(rate_window_seconds)}. Waiting: how many records wait in front of a hop, and since when the oldest. Retries and failures count since the start. ${count_note}`.trim() : "")
}

function untilNext(next, at) {
  if (!next) return "none scheduled"
  const left = -age(next, at)
  return left > 0 ? `in ${seconds(Math.ceil(left))}` : "due"
}

// drawRun lists what the last transform did, model by model.
function drawRun(transform) {
  const run = $("#run")
  const { models, findings, tests_run, last_finished } = transform
  const known = JSON.stringify([models, findings, tests_run, last_finished])
  run.hidden = models.length === 0
  if (run.dataset.known === known) return // a selection in it survives
  run.dataset.known = known
  setText($("summary", run), `Last transform at ${clock(last_finished)}: ${inWords(models)}; ${testsInWords(tests_run, findings)}`)
  $("tbody", run).replaceChildren(...models.map(modelRow))
  $(".findings", run).replaceChildren(...findings.map(findingItem))
}

function inWords(models) {
  const statuses = new Map()
  for (const { status } of models) statuses.set(status, (statuses.get(status) ?? 0) + 1)
  const each = [...statuses].map(([status, n]) => `${n} ${status}`)
  return `${models.length} models (${each.join(", ")})`
}

function testsInWords(run, findings) {
  const failed = findings.filter((f) => f.status === "failed").length
  const warned = findings.length - failed
  const found = [failed && `${failed} failed`, warned && `${warned} warned`].filter(Boolean)
  return `${run} tests, ${found.length > 0 ? found.join(", ") : "all passed"}`
}

function modelRow({ name, status, rows, took_seconds, error }) {
  const row = document.createElement("tr")
  const cell = (tag, ...children) => {
    const made = row.appendChild(document.createElement(tag))
    made.append(...children)
    return made
  }
  const head = cell("th", ...breakable(name))
  head.scope = "row"
  if (error) head.append(Object.assign(document.createElement("span"), { className: "error", textContent: error }))
  const shown = cell("td", status)
  if (status === "failed" || status === "skipped") shown.dataset.state = status === "failed" ? "failing" : "behind"
  cell("td", rows == null ? "view" : count(rows))
  cell("td", seconds(took_seconds))
  return row
}

// breakable lets a long name break after its underscores.
function breakable(name) {
  return name.split("_").flatMap((part, i) => (i === 0 ? [part] : ["_", document.createElement("wbr"), part]))
}

function findingItem({ test, status, rows, error }) {
  const item = document.createElement("li")
  const word = Object.assign(document.createElement("b"), { textContent: status })
  word.dataset.state = status === "failed" ? "failing" : "behind"
  item.append(word, " ", ...breakable(test), `: ${error || `${count(rows)} ${rows === 1 ? "row" : "rows"}`}`)
  return item
}
