variable "confluent_cloud_api_key" {
  description = "Cloud API key of a Confluent Cloud account, to make the cluster. Not needed with kafka. Better given as TF_VAR_confluent_cloud_api_key than in a file."
  type        = string
  default     = null
  sensitive   = true
}

variable "confluent_cloud_api_secret" {
  description = "The secret of confluent_cloud_api_key."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = (var.confluent_cloud_api_key == null) == (var.confluent_cloud_api_secret == null)
    error_message = "confluent_cloud_api_key and confluent_cloud_api_secret go together: set both, or neither and use the variables CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET."
  }
}

variable "confluent_cluster" {
  description = "The cluster that is made in Confluent Cloud, when kafka is not set: basic or standard, in one zone or (standard only) several."
  type = object({
    availability = optional(string, "SINGLE_ZONE")
    type         = optional(string, "basic")
  })
  default = {}

  validation {
    condition     = contains(["basic", "standard"], var.confluent_cluster.type) && contains(["SINGLE_ZONE", "MULTI_ZONE"], var.confluent_cluster.availability)
    error_message = "confluent_cluster.type is basic or standard, and availability SINGLE_ZONE or MULTI_ZONE."
  }
  validation {
    condition     = var.confluent_cluster.type == "standard" || var.confluent_cluster.availability == "SINGLE_ZONE"
    error_message = "A basic cluster lives in one zone: set confluent_cluster.type to standard for MULTI_ZONE."
  }
}

variable "kafka" {
  description = <<-EOT
    An existing cluster, of any kind. Without it one is made in Confluent Cloud. The password is named, not given: it is
    the short name of a secret in this project's Secret Manager. files maps KAFKA_…_FILE variables to secrets that hold
    the file's content, for example { KAFKA_CA_FILE = "kafka-ca" }; settings are further KAFKA_ variables.
  EOT
  type = object({
    bootstrap_servers    = string
    files                = optional(map(string), {})
    sasl_mechanism       = optional(string, "PLAIN")
    sasl_password_secret = optional(string)
    sasl_username        = optional(string)
    security_protocol    = optional(string, "SASL_SSL")
    settings             = optional(map(string), {})
  })
  default = null

  validation {
    condition = var.kafka == null || alltrue([
      for s in split(",", try(var.kafka.bootstrap_servers, "")) : can(regex("^[^:/@ ]+:[0-9]+$", trimspace(s)))
    ])
    error_message = "kafka.bootstrap_servers is HOST:PORT, several separated by commas, without SASL_SSL:// before them."
  }
  validation {
    condition     = var.kafka == null || contains(["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], try(var.kafka.security_protocol, ""))
    error_message = "kafka.security_protocol is one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL."
  }
  validation {
    condition = var.kafka == null || (
      startswith(try(var.kafka.security_protocol, ""), "SASL_") == (try(var.kafka.sasl_username, null) != null)
      && startswith(try(var.kafka.security_protocol, ""), "SASL_") == (try(var.kafka.sasl_password_secret, null) != null)
    )
    error_message = "SASL_SSL and SASL_PLAINTEXT need kafka.sasl_username and kafka.sasl_password_secret, the other protocols take neither: printf %s PASSWORD | gcloud secrets create NAME --data-file=- makes the secret."
  }
  validation {
    condition     = var.kafka == null || can(regex("^[A-Za-z0-9_-]{1,255}$", coalesce(try(var.kafka.sasl_password_secret, null), "none")))
    error_message = "kafka.sasl_password_secret is the short name of a secret in this project, such as kafka-password: neither the password itself nor a path."
  }
  validation {
    condition     = var.kafka == null || alltrue([for name in keys(try(var.kafka.files, {})) : can(regex("^KAFKA_[A-Z_]+_FILE$", name))])
    error_message = "kafka.files maps variables such as KAFKA_CA_FILE to the short names of secrets."
  }
  validation {
    condition     = var.kafka == null || alltrue([for name in keys(try(var.kafka.settings, {})) : can(regex("^KAFKA_[A-Z_]+$", name)) && !strcontains(name, "PASSWORD")])
    error_message = "kafka.settings takes KAFKA_… variables, but no password: that belongs to Secret Manager, named in kafka.sasl_password_secret."
  }
}

variable "kafka_key_generation" {
  description = "Raise it by one to replace the API keys of the Confluent cluster: new keys are made and in use before the old ones go."
  type        = number
  default     = 1

  validation {
    condition     = var.kafka_key_generation >= 1 && floor(var.kafka_key_generation) == var.kafka_key_generation
    error_message = "kafka_key_generation is a whole number from 1 on: raise it by one to rotate."
  }
}

variable "schema_registry" {
  description = <<-EOT
    The registry of the schemas by which producers write Avro, Protobuf or JSON Schema; null where all write plain JSON.
    {} is Confluent Cloud's, which comes with the cluster made here, with a subject TOPIC-value for each topic in format
    and with compatibility. With url it is one that exists: its password is named by the short name of a secret in this
    project's Secret Manager, and its subjects are yours.
  EOT
  type = object({
    compatibility   = optional(string, "BACKWARD")
    format          = optional(string, "AVRO")
    password_secret = optional(string)
    url             = optional(string)
    username        = optional(string)
  })
  default = null

  validation {
    condition     = var.schema_registry == null || can(regex("^https?://[^@ ]+$", coalesce(try(var.schema_registry.url, null), "https://none")))
    error_message = "schema_registry.url is http://HOST:PORT or https://HOST, with the path that the registry needs and without a user in it."
  }
  validation {
    condition     = var.schema_registry == null || try(var.schema_registry.url, null) != null || var.kafka == null
    error_message = "With a cluster of your own (kafka) the schema registry is yours too: set schema_registry.url."
  }
  validation {
    condition     = var.schema_registry == null || (try(var.schema_registry.username, null) == null) == (try(var.schema_registry.password_secret, null) == null)
    error_message = "schema_registry.username and schema_registry.password_secret go together: printf %s PASSWORD | gcloud secrets create NAME --data-file=- makes the secret."
  }
  validation {
    condition     = var.schema_registry == null || try(var.schema_registry.url, null) != null || try(var.schema_registry.username, null) == null
    error_message = "schema_registry.username is for a registry of yours: set schema_registry.url too, or leave it out, because Terraform makes the keys of Confluent's."
  }
  validation {
    condition     = var.schema_registry == null || contains(["AVRO", "PROTOBUF", "JSON"], try(var.schema_registry.format, ""))
    error_message = "schema_registry.format is AVRO, PROTOBUF or JSON."
  }
  validation {
    condition = var.schema_registry == null || contains(
      ["NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"], try(var.schema_registry.compatibility, "")
    )
    error_message = "schema_registry.compatibility is NONE, BACKWARD, FORWARD or FULL, the last three also with _TRANSITIVE."
  }
}
