variable "alert_emails" {
  description = "Addresses that alerts go to."
  type        = set(string)
}

variable "bridge" {
  description = "Name of the bridge's worker pool."
  type        = string
}

variable "canary_hops" {
  description = "The hops at which canaries must arrive: staging, lake, marts; none where there are no canaries."
  type        = set(string)
}

variable "compacts" {
  description = "Whether compact is called once an hour."
  type        = bool
}

variable "dead_letter_subscription" {
  description = "Name of the subscription that keeps dead letters."
  type        = string
}

variable "deployment" {
  description = "When the quarantine is an alert, and how much of ingest's log is kept, from deployment.json."
  type        = object({ ingest_log_share = number, quarantine_alert_share = number, quarantine_alert_minutes = number })
}

variable "idle" {
  description = "What the bridge does while nothing comes: stop or stay."
  type        = string
}

variable "ingest_subscription" {
  description = "Name of the subscription that pushes to ingest."
  type        = string
}

variable "objectives" {
  description = "Whether Cloud Monitoring keeps the objectives of freshness and completeness."
  type        = bool
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "runbooks_url" {
  description = "Where the runbooks can be read."
  type        = string
}
