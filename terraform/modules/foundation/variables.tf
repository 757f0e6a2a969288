variable "demo" {
  description = "Whether destroy takes the bucket's contents too."
  type        = bool
}

variable "kms_key" {
  description = "Full name of the key that encrypts data at rest, or null."
  type        = string
}

variable "network" {
  description = "Whether traffic goes through a network of the user's."
  type        = bool
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "propagation_seconds" {
  description = "How long to wait for newly enabled APIs and newly granted rights."
  type        = number
}

variable "region" {
  description = "Region of the registry and the bucket."
  type        = string
}

variable "traces" {
  description = "Whether spans go to Cloud Trace."
  type        = bool
}
