variable "alert" {
  description = "What the function alert tells people by: secrets with the webhook's address and key, by the variable that they become, and a Pub/Sub topic. Without it there is none."
  type = object({
    secrets  = map(string)
    settings = map(string)
    topic    = string
  })
  default = null
}

variable "audit" {
  description = "What audit checks and keeps: ingest's sinks, the table of its results, and settings. It reads Kafka as scale does."
  type = object({
    settings = map(string)
    sinks    = list(string)
    table    = string
  })
}

variable "bucket" {
  description = "Name of the lake's bucket."
  type        = string
}

variable "build_bucket" {
  description = "Bucket that the upload goes to."
  type        = string
}

variable "builder" {
  description = "Full name of the service account that builds."
  type        = string
}

variable "canary" {
  description = "Whether canaries go through all hops."
  type        = bool
}

variable "compact" {
  description = "Settings of compact. Without it there is none."
  type        = object({ settings = map(string) })
  default     = null
}

variable "ingest" {
  description = "Size and settings of ingest; public_ingress lets calls in from outside the network, with IAM still to pass."
  type = object({
    concurrency     = number
    cpu             = string
    max_instances   = number
    memory          = string
    public_ingress  = bool
    settings        = map(string)
    timeout_seconds = number
  })
}

variable "kms_key" {
  description = "Full name of the key that encrypts sources and images, or null."
  type        = string
}

variable "network" {
  description = "Subnetwork and egress of the functions' traffic, or null."
  type        = object({ egress = string, subnetwork = string })
}

variable "page" {
  description = "Who may look at the page, its further environment, and the staging tables that it reads; null for none."
  type = object({
    settings = map(string)
    tables   = map(string)
    viewers  = set(string)
  })
  default = null
}

variable "prod_dataset" {
  description = "Id of the dataset of marts."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "propagation_seconds" {
  description = "How long to wait for newly granted rights."
  type        = number
}

variable "region" {
  description = "Region of the functions."
  type        = string
}

variable "registry" {
  description = "How ingest reaches the schema registry: variables, and the secret of the password; nothing where there is none."
  type = object({
    environment = map(string)
    password    = object({ secret = string, version = string })
  })
  default = { environment = {}, password = null }
}

variable "replay" {
  description = "Who may call the function replay, its further environment, the staging tables of the topics that it adds rows to, and the topic to which it publishes; null for no such function."
  type = object({
    callers  = set(string)
    settings = map(string)
    tables   = map(string)
    topic    = string
  })
}

variable "repository" {
  description = "Full name of the registry that images are built into."
  type        = string
}

variable "repository_root" {
  description = "Folder of this repository, where the upload is made."
  type        = string
}

variable "scale" {
  description = "The bridge's worker pool: its name, how many instances it may have, and how it reads Kafka."
  type = object({
    files         = map(string)
    group_id      = string
    idle          = string
    kafka         = object({ environment = map(string), password = object({ secret = string, version = string }) })
    max_instances = number
    min_instances = number
    pool          = string
    settings      = map(string)
    topics        = list(string)
  })
}

variable "sources_hash" {
  description = "Digest of all that is uploaded."
  type        = string
}

variable "staging_dataset" {
  description = "Id of the dataset of raw records."
  type        = string
}

variable "station_epoch_unit" {
  description = "What timestamps count that are numbers: s, ms, us, ns or none."
  type        = string
  default     = "none"
}

variable "station_timezone" {
  description = "IANA time zone of the stations."
  type        = string
}

variable "transform" {
  description = "Size and settings of transform."
  type = object({
    cpu      = string
    memory   = string
    settings = map(string)
  })
}
