variable "alert" {
  description = "Service name of alert, and its URI without a path; null without it."
  type        = object({ service = string, uri = string })
  default     = null
}

variable "alerts" {
  description = "Whether the function alert is deployed."
  type        = bool
  default     = false
}

variable "auditor" {
  description = "Member of IAM that the function audit runs as."
  type        = string
}

variable "deployment" {
  description = "Names and delivery policy, from deployment.json."
  type = object({
    alert_copies_subscription     = string
    alert_copies_topic            = string
    alert_filter                  = string
    alert_maximum_backoff_seconds = number
    alert_retention_seconds       = number
    alert_subscription            = string
    dead_letter_subscription      = string
    dead_letter_topic             = string
    ingest_subscription           = string
    push_ack_deadline_seconds     = number
    push_max_delivery_attempts    = number
    push_maximum_backoff_seconds  = number
    push_minimum_backoff_seconds  = number
    records_topic                 = string
  })
}

variable "ingest" {
  description = "Service name of ingest, and its URI without a path."
  type        = object({ service = string, uri = string })
}

variable "kms_key" {
  description = "Full name of the key that encrypts messages, or null."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "pubsub_agent" {
  description = "Member of IAM that is Pub/Sub's own agent."
  type        = string
}

variable "region" {
  description = "Region that messages stay in."
  type        = string
}

variable "replay" {
  description = "Member of IAM that the function replay runs as; null without it."
  type        = object({ member = string, uri = string })
  default     = null
}

variable "replays" {
  description = "Whether the function replay is deployed."
  type        = bool
  default     = false
}

variable "transport" {
  description = "pubsub or http."
  type        = string
  default     = "pubsub"
}
