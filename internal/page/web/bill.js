// What a month would cost in the cloud, component by component.
import { seconds } from "./format.js"

const dollars = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 })

// drawBill shows the bill below an element; null is one that is not known yet.
export function drawBill(below, bill) {
  below.hidden = bill == null
  const known = JSON.stringify(bill)
  if (bill == null || below.dataset.known === known) return // a selection in it survives
  below.dataset.known = known
  below.querySelector("summary").textContent = inWords(bill)
  below.querySelector("tbody").replaceChildren(...bill.components.map((c) => componentRow(c, bill.usd_month)))
}

function inWords({ usd_month, usd_per_million_records, over_seconds }) {
  const each = usd_per_million_records == null ? "" : `, ${dollars.format(usd_per_million_records)} dollars per million records`
  return `In the cloud a month like the last ${seconds(over_seconds)} would cost ${whole.format(usd_month)} dollars at list prices${each}`
}

function componentRow({ name, usd_month }, total) {
  const row = document.createElement("tr")
  const head = row.appendChild(document.createElement("th"))
  head.scope = "row"
  head.textContent = name
  row.appendChild(document.createElement("td")).textContent = dollars.format(usd_month)
  row.appendChild(document.createElement("td")).textContent = total > 0 ? `${whole.format((usd_month / total) * 100)} %` : ""
  return row
}
