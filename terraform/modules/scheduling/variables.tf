variable "deployment" {
  description = "Schedule and deadline, from deployment.json."
  type = object({
    transform_attempt_deadline_seconds = number
    transform_schedule                 = string
  })
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of the job."
  type        = string
}

variable "transform" {
  description = "Service name of transform, and its URI without a path."
  type        = object({ service = string, uri = string })
}
