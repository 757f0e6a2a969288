variable "alert_copies_topic" {
  description = "Pub/Sub topic that the http transport puts copies of what may hold alerts into; null without alerts."
  type        = string
  default     = null
}

variable "bucket" {
  description = "Name of the lake's bucket."
  type        = string
}

variable "build_bucket" {
  description = "Bucket of sources and logs of builds."
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

variable "dead_letter_topic" {
  description = "Pub/Sub topic that the http transport puts refused batches into."
  type        = string
}

variable "files" {
  description = "Secrets that are mounted as files, by the KAFKA_…_FILE variable that names the file."
  type        = map(string)
}

variable "group_id" {
  description = "Consumer group."
  type        = string
}

variable "image" {
  description = "Image by digest, or null to build one."
  type        = string
}

variable "ingest" {
  description = "Service name of ingest, and its URI without a path."
  type        = object({ service = string, uri = string })
}

variable "kafka" {
  description = "How bridge and simulator reach Kafka: variables, and the secret of the password."
  type = map(object({
    environment = map(string)
    password    = object({ secret = string, version = string })
  }))
}

variable "kms_key" {
  description = "Full name of the key that encrypts what instances write, or null."
  type        = string
}

variable "lanes" {
  description = "Lanes of batches that ingest takes: rows, lake or both in this order."
  type        = list(string)
}

variable "network" {
  description = "Subnetwork and egress of the traffic, or null."
  type        = object({ egress = string, subnetwork = string })
}

variable "pool" {
  description = "Name of the worker pool."
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

variable "records_topic" {
  description = "Pub/Sub topic of batches."
  type        = string
}

variable "region" {
  description = "Region of the worker pool."
  type        = string
}

variable "registry" {
  description = "How the simulator reaches the schema registry: variables, and the secret of the password; nothing where there is none."
  type = object({
    environment = map(string)
    password    = object({ secret = string, version = string })
  })
  default = { environment = {}, password = null }
}

variable "registry_format" {
  description = "What the simulator writes through the registry: avro, protobuf or jsonschema; null for JSON without one."
  type        = string
  default     = null
}

variable "repository" {
  description = "The registry: its id, and the address that image names begin with."
  type        = object({ address = string, id = string, name = string })
}

variable "repository_root" {
  description = "Folder of this repository, which images are built from."
  type        = string
}

variable "scaler" {
  description = "Member that sets the number of instances."
  type        = string
}

variable "settings" {
  description = "Further environment variables of the bridge."
  type        = map(string)
}

variable "simulate" {
  description = "Whether simulated stations run once."
  type        = bool
}

variable "size" {
  description = "CPUs, memory and first instances of the bridge."
  type        = object({ cpu = string, memory = string, min_instances = number })
}

variable "sources_hash" {
  description = "Digest of all that the image is built from."
  type        = string
}

variable "station_timezone" {
  description = "IANA time zone of the simulated stations."
  type        = string
}

variable "topics" {
  description = "Names of the topics."
  type        = list(string)
}

variable "traces" {
  description = "The variables with which spans are sent, none where they are not; google says that they go to Cloud Trace."
  type = object({
    environment = map(string)
    google      = bool
  })
}

variable "transport" {
  description = "pubsub or http."
  type        = string
}
