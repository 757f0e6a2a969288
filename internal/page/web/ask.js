// What is asked: the controls and the address say the same, so that an address
// can be shared.

const form = document.getElementById("ask")
const NAMES = ["range", "from", "to", "hours", "compare", "station"]

// followAsk calls changed whenever something else is asked.
export function followAsk(changed) {
  fillHours()
  toControls(asked())
  form.addEventListener("change", () => {
    history.replaceState(null, "", `?${fromControls()}${location.hash}`)
    toControls(asked())
    changed()
  })
  form.addEventListener("submit", (event) => event.preventDefault())
  addEventListener("popstate", () => {
    toControls(asked())
    changed()
  })
}

// asked is the question of the address, and nothing else that is in it.
export function asked() {
  const all = new URLSearchParams(location.search)
  return new URLSearchParams([...all].filter(([name, value]) => NAMES.includes(name) && value !== ""))
}

function fillHours() {
  const hour = (h) => new Option(`${String(h).padStart(2, "0")}:00`, h)
  const each = Array.from({ length: 24 }, (_, h) => h)
  form.first.append(...each.map(hour))
  form.end.append(...each.map((h) => hour(h + 1)))
}

function toControls(question) {
  const range = question.get("range") ?? (question.has("from") || question.has("to") ? "dates" : "today")
  for (const radio of form.querySelectorAll("[name=range]")) radio.checked = radio.value === range
  form.querySelector(".dates").hidden = range !== "dates"
  for (const input of [form.from, form.to]) {
    if (input !== document.activeElement) input.value = question.get(input.name) ?? ""
  }
  const [first, end] = (question.get("hours") ?? "0-24").split("-")
  form.first.value = first
  form.end.value = end
  form.compare.value = question.get("compare") ?? "both"
  const stations = question.getAll("station")
  for (const box of form.querySelectorAll("[name=station]")) box.checked = stations.includes(box.value)
}

// dateIn is the date of a control; today's where none was chosen yet, and a word
// that the server refuses where something else was written.
function dateIn(input) {
  return input.value || (input.validity.badInput ? "not a date" : input.max)
}

// fixed is the address of what is asked, of dates that do not move with the day.
export function fixed(from, to) {
  const question = asked()
  question.set("range", "dates")
  question.set("from", from)
  question.set("to", to)
  return `?${question}`
}

// fromControls leaves out what goes without saying.
function fromControls() {
  const question = new URLSearchParams()
  const range = form.querySelector("[name=range]:checked")?.value ?? "today"
  if (range !== "today") question.set("range", range)
  if (range === "dates") {
    question.set("from", dateIn(form.from))
    question.set("to", dateIn(form.to))
  }
  const first = Number(form.first.value)
  const end = Math.max(Number(form.end.value), first + 1)
  if (first > 0 || end < 24) question.set("hours", `${first}-${end}`)
  if (form.compare.value !== "both") question.set("compare", form.compare.value)
  for (const box of form.querySelectorAll("[name=station]:checked")) question.append("station", box.value)
  return question
}

// offer lets people choose among the stations and days that there are.
export function offer(answer) {
  for (const input of [form.from, form.to]) {
    input.min = answer.oldest
    input.max = answer.today
  }
  const box = document.getElementById("stations")
  const known = JSON.stringify(answer.stations.map((station) => station.name))
  box.hidden = answer.stations.length < 2
  if (box.dataset.known === known) return
  box.dataset.known = known
  box.querySelectorAll("label").forEach((label) => label.remove())
  box.append(...answer.stations.map(chip))
  toControls(asked())
}

function chip({ name }, i) {
  const label = document.createElement("label")
  const input = Object.assign(document.createElement("input"), { type: "checkbox", name: "station", value: name })
  const mark = document.createElement("i")
  mark.dataset.color = lineColor(i)
  const text = document.createElement("span")
  text.append(mark, name === "" ? "(empty)" : name)
  label.append(input, text)
  return label
}

const LINES = 8

// lineColor is the colour of the nth station or direction in every chart.
export function lineColor(n) {
  return `line-${n % LINES}`
}
