variable "audit" {
  description = "Service name of audit, and its URI without a path."
  type        = object({ service = string, uri = string })
}

variable "compact" {
  description = "Service name of compact, and its URI without a path; null without it."
  type        = object({ service = string, uri = string })
}

variable "compacts" {
  description = "Whether compact is deployed, which is known before its address."
  type        = bool
}

variable "deployment" {
  description = "Schedules and deadlines, from deployment.json."
  type = object({
    audit_attempt_deadline_seconds     = number
    audit_schedule                     = string
    compact_attempt_deadline_seconds   = number
    compact_schedule                   = string
    scale_attempt_deadline_seconds     = number
    scale_schedule                     = string
    transform_attempt_deadline_seconds = number
    transform_schedule                 = string
  })
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of the jobs."
  type        = string
}

variable "scale" {
  description = "Service name of scale, and its URI without a path."
  type        = object({ service = string, uri = string })
}

variable "transform" {
  description = "Service name of transform, and its URI without a path."
  type        = object({ service = string, uri = string })
}
