variable "compatibility" {
  description = "What versions of a subject must be to each other."
  type        = string
}

variable "environment" {
  description = "Id of the environment, once it has its cluster."
  type        = string
}

variable "format" {
  description = "Format of the subjects' schemas: AVRO, PROTOBUF or JSON."
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

variable "project" {
  description = "Id of the project that keeps the secrets."
  type        = string
}

variable "region" {
  description = "Region of the secrets."
  type        = string
}

variable "schemas" {
  description = "Folder of the topics' schemas."
  type        = string
}

variable "simulate" {
  description = "Whether there is a simulator that registers."
  type        = bool
}

variable "topics" {
  description = "Names of the topics."
  type        = list(string)
}
