variable "canary" {
  description = "Name of the topic to which the bridge writes canaries, or null for none."
  type        = string
}

variable "cluster" {
  description = "Type and availability of the cluster."
  type        = object({ availability = string, type = string })
}

variable "group_id" {
  description = "The bridge's consumer group."
  type        = string
}

variable "key_generation" {
  description = "Raising it replaces the keys."
  type        = number
}

variable "kms_key" {
  description = "Full name of the key that encrypts secrets, or null."
  type        = string
}

variable "partitions" {
  description = "Partitions of each topic."
  type        = number
}

variable "project" {
  description = "Id of the project that keeps the secrets."
  type        = string
}

variable "region" {
  description = "Region of the cluster and the secrets."
  type        = string
}

variable "registry" {
  description = "Whether the environment has a schema registry."
  type        = bool
}

variable "simulate" {
  description = "Whether there is a simulator that writes."
  type        = bool
}

variable "topics" {
  description = "Names of the topics."
  type        = list(string)
}
