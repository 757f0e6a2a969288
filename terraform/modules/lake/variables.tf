variable "bucket" {
  description = "Name of the bucket."
  type        = string
}

variable "canary" {
  description = "Whether there are canaries, whose files nobody reads."
  type        = bool
  default     = false
  nullable    = false
}

variable "cold_after_days" {
  description = "Age at which files move to Nearline, or null for never."
  type        = number
}

variable "demo" {
  description = "Whether destroy takes the data too."
  type        = bool
}

variable "kms_key" {
  description = "Full name of the key that encrypts the bucket, or null."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "references" {
  description = "Path of the Parquet file without rows, by topic."
  type        = map(string)
}

variable "region" {
  description = "Region of the bucket, the same as the datasets'."
  type        = string
}

variable "retention_days" {
  description = "Age at which files are deleted, or null for never."
  type        = number
}
