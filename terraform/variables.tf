# What validations look at stands beside the variables: local/deploytest runs
# their tests without what is made from them.
locals {
  # A topic is what has a table's schema. All but the quarantine's.
  tables     = sort([for f in fileset("${path.root}/schemas", "*.json") : trimsuffix(f, ".json")])
  topics     = [for t in local.tables : t if t != "quarantine"]
  partitions = 6 # of each topic

  # The memory that Cloud Run takes with so many CPUs, in MiB. Fewer than one is
  # for services that handle one request at a time and sleep in between.
  # https://cloud.google.com/run/docs/configuring/services/cpu
  cloud_run_memory = {
    "1" = { least = 512, most = 4096 }
    "2" = { least = 512, most = 8192 }
    "4" = { least = 2048, most = 16384 }
    "6" = { least = 4096, most = 24576 }
    "8" = { least = 4096, most = 32768 }
  }
  cloud_run_sizes = "is 1, 2, 4, 6 or 8, and memory a size in Mi or Gi that Cloud Run takes with it: 512Mi to 4Gi with 1 CPU, to 8Gi with 2, 2Gi to 16Gi with 4, 4Gi to 24Gi with 6, 4Gi to 32Gi with 8."
}

variable "alert" {
  description = <<-EOT
    The function that tells people of Major incidents and equipment failures; null for none. It posts to the webhook whose
    https address is in the secret named webhook_url_secret, signed with the key in webhook_key_secret, and publishes to
    the Pub/Sub topic. Topic and secrets are yours, in this project. settings are further environment variables, ALERT_….
  EOT
  type = object({
    settings           = optional(map(string), {})
    topic              = optional(string)
    webhook_key_secret = optional(string)
    webhook_url_secret = optional(string)
  })
  default = null

  validation {
    condition     = var.alert == null || try(var.alert.topic, null) != null || try(var.alert.webhook_url_secret, null) != null
    error_message = "alert tells nobody: set alert.webhook_url_secret or alert.topic. printf %s https://… | gcloud secrets create NAME --data-file=- makes the secret."
  }
  validation {
    condition     = var.alert == null || try(var.alert.webhook_key_secret, null) == null || try(var.alert.webhook_url_secret, null) != null
    error_message = "alert.webhook_key_secret signs what is posted to the webhook: set alert.webhook_url_secret too, or leave it out."
  }
  validation {
    condition = var.alert == null || alltrue([for s in [try(var.alert.topic, null), try(var.alert.webhook_url_secret, null), try(var.alert.webhook_key_secret, null)] :
      s == null || can(regex("^[A-Za-z][A-Za-z0-9_-]{1,254}$", s))
    ])
    error_message = "alert names its topic and secrets by their short names, of this project: not the address itself, which would be shown in plans."
  }
  validation {
    condition     = var.alert == null || alltrue([for name in keys(try(var.alert.settings, {})) : contains(["ALERT_LATE", "ALERT_TIMEOUT"], name)])
    error_message = "alert.settings takes ALERT_LATE and ALERT_TIMEOUT only: everything else has a variable of its own."
  }
}

variable "alert_emails" {
  description = "Addresses that alerts go to. Without one, alerts are shown in the console only."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", a))])
    error_message = "An address in alert_emails is no e-mail address: write each as name@example.com."
  }
}

variable "bridge" {
  description = <<-EOT
    The worker pool that reads Kafka. With idle = "stop" it has no instance once nothing has come for 15 minutes, and
    starts again within a minute of the next record; "stay" keeps it on. While it runs there are min_instances at least,
    and up to max_instances while it lags; each takes its share of the partitions. settings are further environment
    variables of the bridge and of what starts it (BRIDGE_…, KAFKA_…, SCALE_… or AUDIT_…, see docs/settings.md).
  EOT
  type = object({
    cpu           = optional(string, "1")
    idle          = optional(string, "stop")
    max_instances = optional(number, 2)
    memory        = optional(string, "512Mi")
    min_instances = optional(number, 1)
    settings      = optional(map(string), {})
  })
  default = {}

  validation {
    condition = (
      var.bridge.min_instances >= 1 && var.bridge.max_instances >= var.bridge.min_instances
      && var.bridge.max_instances <= length(local.topics) * local.partitions
    )
    error_message = "bridge needs 1 <= min_instances <= max_instances <= ${length(local.topics) * local.partitions}: with none nothing reads Kafka (idle = \"stop\" is what lets it sleep), and more than there are partitions would idle."
  }
  validation {
    condition     = alltrue([for name in keys(var.bridge.settings) : can(regex("^(AUDIT|BRIDGE|KAFKA|SCALE)_[A-Z_]+$", name))])
    error_message = "bridge.settings takes BRIDGE_…, KAFKA_…, SCALE_… and AUDIT_… variables only: everything else has a variable of its own."
  }
  validation {
    condition = length(setintersection(keys(var.bridge.settings), [
      "BRIDGE_ADDR", "BRIDGE_CANARY", "BRIDGE_LANES", "BRIDGE_LOG", "BRIDGE_PUBSUB_TOPIC", "BRIDGE_TRANSPORT", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SECURITY_PROTOCOL", "KAFKA_TOPICS",
      "SCALE_IDLE", "SCALE_MAX_INSTANCES", "SCALE_MIN_INSTANCES", "SCALE_POOL",
    ])) == 0
    error_message = "bridge.settings holds what Terraform sets itself: use the variables canary, kafka and transport, and bridge's own idle, min_instances and max_instances; the topics are the project's own, and the lanes follow ingest.settings."
  }
  validation {
    condition     = !anytrue([for name in keys(var.bridge.settings) : strcontains(name, "PASSWORD")])
    error_message = "bridge.settings is shown in plans: keep a password in Secret Manager and name it in kafka.sasl_password_secret."
  }
  validation {
    condition = try(alltrue([for mib in [tonumber(regex("^([0-9]+)(?:Mi|Gi)$", var.bridge.memory)[0]) * (endswith(var.bridge.memory, "Gi") ? 1024 : 1)] :
      mib >= local.cloud_run_memory[var.bridge.cpu].least && mib <= local.cloud_run_memory[var.bridge.cpu].most
    ]), false)
    error_message = "bridge.cpu ${local.cloud_run_sizes}"
  }
  validation {
    condition = try(alltrue([for mib in [tonumber(regex("^([0-9]+)(?:Mi|Gi)$", var.bridge.memory)[0]) * (endswith(var.bridge.memory, "Gi") ? 1024 : 1)] :
      mib >= 256 + 2 * tonumber(lookup(var.bridge.settings, "BRIDGE_MEMORY_BYTES", "67108864")) / 1024 / 1024
    ]), false)
    error_message = "bridge.memory is too small for BRIDGE_MEMORY_BYTES, a whole number of bytes: give it twice as much and 256Mi besides."
  }
  validation {
    condition     = contains(["stop", "stay"], var.bridge.idle)
    error_message = "bridge.idle is stop or stay: whether the bridge ends while nothing comes."
  }
  validation {
    # In seconds; what is not a duration the bridge itself refuses.
    condition = try(alltrue([for seconds in [[for text in [lookup(var.bridge.settings, "SCALE_LAG", "2m"), lookup(var.bridge.settings, "BRIDGE_LAKE_AGE", "1m")] :
      sum([for part in regexall("([0-9.]+)(h|ms|us|µs|ns|m|s)", text) : tonumber(part[0]) * { h = 3600, m = 60, s = 1, ms = 1e-3, us = 1e-6, "µs" = 1e-6, ns = 1e-9 }[part[1]]])
    ]] : seconds[0] > seconds[1]]), true)
    error_message = "SCALE_LAG must be longer than BRIDGE_LAKE_AGE: what was sent as rows is committed with the lake, and would count as lag until then. Raise the one or lower the other in bridge.settings."
  }
}

variable "bridge_image" {
  description = "A ready image of bridge and simulator, by digest. Without it apply builds one with Cloud Build, which needs gcloud."
  type        = string
  default     = null

  validation {
    condition     = var.bridge_image == null || can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", var.bridge_image))
    error_message = "bridge_image must be named by digest, NAME@sha256:…, because a tag can move under a running service: gcloud artifacts docker images describe NAME:TAG prints the digest."
  }
}

variable "bucket" {
  description = "Name of the lake's bucket, which is made. Without it PROJECT-stationflow-lake."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 63 lower-case letters, digits, dashes, dots or underscores, without gs://."
  }
}

variable "canary" {
  description = <<-EOT
    Whether the bridge sends a record of its own through all hops once a minute while it runs, so that the alert canary
    tells when one does not arrive. The bridge may then write to the topic stationflow_canary, and to no other; an existing
    cluster (kafka) needs this topic, with 1 partition, and that right.
  EOT
  type        = bool
  default     = false
}

variable "compact" {
  description = <<-EOT
    The function that merges the lake's files of each closed hour of a topic into one, and deletes what it merged after a
    grace time; null for none. settings are further environment variables, COMPACT_… (see docs/settings.md).
  EOT
  type = object({
    settings = optional(map(string), {})
  })
  default = {}

  validation {
    condition     = var.compact == null || alltrue([for name in keys(try(var.compact.settings, {})) : can(regex("^COMPACT_[A-Z_]+$", name))])
    error_message = "compact.settings takes COMPACT_… variables only: everything else has a variable of its own."
  }
}

variable "dashboard_viewers" {
  description = "Who may read prod_data, for Looker Studio: members such as user:ana@example.com or group:ops@example.com. They may also run queries in the project."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for m in var.dashboard_viewers : can(regex("^(user|group|serviceAccount):[^@ ]+@[^@ ]+$", m))])
    error_message = "A member in dashboard_viewers must begin with user:, group: or serviceAccount: and name one address. Nothing is made public: allUsers, allAuthenticatedUsers and whole domains are refused."
  }
}

variable "demo" {
  description = "For a project that is thrown away: terraform destroy then destroys the data too, without asking."
  type        = bool
  default     = false
}

variable "ingest" {
  description = "The function that receives batches. settings are further environment variables, INGEST_…."
  type = object({
    concurrency   = optional(number, 8)
    cpu           = optional(string, "1")
    max_instances = optional(number, 20)
    memory        = optional(string, "1Gi")
    settings      = optional(map(string), {})
  })
  default = {}

  validation {
    condition     = var.ingest.max_instances >= 1 && var.ingest.max_instances <= 100 && var.ingest.concurrency >= 1 && var.ingest.concurrency <= 80
    error_message = "ingest needs max_instances from 1 to 100 and concurrency from 1 to 80."
  }
  validation {
    condition     = alltrue([for name in keys(var.ingest.settings) : can(regex("^INGEST_[A-Z_]+$", name)) && name != "INGEST_CONCURRENCY"])
    error_message = "ingest.settings takes INGEST_… variables only, and not INGEST_CONCURRENCY: everything else has a variable of its own, and that one is ingest.concurrency."
  }
  validation {
    condition = try(alltrue([for mib in [tonumber(regex("^([0-9]+)(?:Mi|Gi)$", var.ingest.memory)[0]) * (endswith(var.ingest.memory, "Gi") ? 1024 : 1)] :
      mib >= local.cloud_run_memory[var.ingest.cpu].least && mib <= local.cloud_run_memory[var.ingest.cpu].most
    ]), false)
    error_message = "ingest.cpu ${local.cloud_run_sizes}"
  }
  validation {
    condition = try(alltrue([for mib in [tonumber(regex("^([0-9]+)(?:Mi|Gi)$", var.ingest.memory)[0]) * (endswith(var.ingest.memory, "Gi") ? 1024 : 1)] :
      mib >= 128 + 64 * var.ingest.concurrency
    ]), false)
    error_message = "ingest.memory is too small for ingest.concurrency batches at once: give it 128Mi, and 64Mi for each of them."
  }
}

variable "kms_key" {
  description = "A Cloud KMS key that everything at rest is encrypted with: projects/P/locations/REGION/keyRings/R/cryptoKeys/K, in the same region. Without it Google's own keys are used."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is the key's full name, projects/P/locations/REGION/keyRings/R/cryptoKeys/K: gcloud kms keys list prints it."
  }
  validation {
    condition     = var.kms_key == null || try(split("/", var.kms_key)[3], "") == var.region
    error_message = "kms_key must be in the same region as everything else: use a key ring in var.region, neither global nor a multi-region."
  }
}

variable "labels" {
  description = "Labels of every resource that takes some."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for k, v in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", k)) && can(regex("^[a-z0-9_-]{0,63}$", v))])
    error_message = "Labels are lower-case letters, digits, dashes and underscores, at most 63, and keys begin with a letter."
  }
}

variable "lake_cold_after_days" {
  description = <<-EOT
    Age at which files of the lake move to a cheaper storage class (Nearline); null leaves them where they are. Each move
    is billed, so it pays only for files of about 1 MB or more: with a BRIDGE_BATCH_AGE of many seconds and many records.
  EOT
  type        = number
  default     = null

  validation {
    condition     = var.lake_cold_after_days == null ? true : var.lake_cold_after_days >= 30
    error_message = "lake_cold_after_days must be 30 or more: Nearline bills 30 days at least, and reading from it costs."
  }
}

variable "lake_retention_days" {
  description = "Age at which files of the lake are deleted; null keeps them for ever. The lake is what a replay reads."
  type        = number
  default     = null

  validation {
    condition     = var.lake_retention_days == null ? true : var.lake_retention_days >= 1
    error_message = "lake_retention_days must be 1 or more; leave it out to keep the lake for ever."
  }
}

variable "network" {
  description = <<-EOT
    A subnetwork that bridge and functions send their traffic through, for a Kafka without a public address:
    { subnetwork = "projects/P/regions/REGION/subnetworks/S" }. egress is PRIVATE_RANGES_ONLY, or ALL_TRAFFIC to send
    everything there; then the network needs Private Google Access, and Cloud NAT to reach a public Kafka.
  EOT
  type = object({
    egress     = optional(string, "PRIVATE_RANGES_ONLY")
    subnetwork = string
  })
  default = null

  validation {
    condition     = var.network == null || can(regex("^projects/[^/]+/regions/[^/]+/subnetworks/[^/]+$", try(var.network.subnetwork, "")))
    error_message = "network.subnetwork is the full name, projects/P/regions/REGION/subnetworks/S: gcloud compute networks subnets list --uri prints it."
  }
  validation {
    condition     = var.network == null || try(split("/", var.network.subnetwork)[3], "") == var.region
    error_message = "network.subnetwork must be in the same region as everything else: use one in var.region."
  }
  validation {
    condition     = var.network == null || contains(["PRIVATE_RANGES_ONLY", "ALL_TRAFFIC"], try(var.network.egress, ""))
    error_message = "network.egress is PRIVATE_RANGES_ONLY or ALL_TRAFFIC."
  }
}

variable "objectives" {
  description = <<-EOT
    Whether Cloud Monitoring keeps two objectives over 28 days: how soon records are in BigQuery, and that audits find every
    record. It takes them only once it knows their metrics: set it after the first records are through and an audit has run.
  EOT
  type        = bool
  default     = false
}

variable "page" {
  description = <<-EOT
    The page of the figures, served to the people in viewers and nobody else: { viewers = ["user:ana@example.com"] }. Without
    it there is none. A viewer opens it through gcloud run services proxy (docs/deploy.md). It asks the warehouse once for each
    run of the transform while somebody looks. settings are further environment variables, PAGE_….
  EOT
  type = object({
    settings = optional(map(string), {})
    viewers  = set(string)
  })
  default = null

  validation {
    condition     = var.page == null || alltrue([for m in try(var.page.viewers, []) : can(regex("^(user|group|serviceAccount):[^@ ]+@[^@ ]+$", m))])
    error_message = "A member in page.viewers must begin with user:, group: or serviceAccount: and name one address. Nothing is made public: allUsers, allAuthenticatedUsers and whole domains are refused."
  }
  validation {
    condition     = var.page == null || alltrue([for name in keys(try(var.page.settings, {})) : can(regex("^PAGE_[A-Z_]+$", name))])
    error_message = "page.settings takes PAGE_… variables only: everything else has a variable of its own."
  }
}

variable "prod_bq_dataset" {
  description = "BigQuery dataset of the marts that dashboards read, which is made."
  type        = string
  default     = "prod_data"

  validation {
    condition     = can(regex("^[A-Za-z0-9_]+$", var.prod_bq_dataset))
    error_message = "prod_bq_dataset takes letters, digits and underscores only, without the project."
  }
  validation {
    condition     = var.prod_bq_dataset != var.stg_bq_dataset
    error_message = "prod_bq_dataset and stg_bq_dataset must differ: who reads dashboards does not read raw records."
  }
}

variable "project" {
  description = "Id of the Google Cloud project, which exists and has billing."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project is the project's id, such as my-stations-4711, neither its name nor its number: gcloud projects list prints it."
  }
}

variable "propagation_seconds" {
  description = "How long a first apply waits for newly enabled APIs and newly granted rights to be known everywhere."
  type        = number
  default     = 60

  validation {
    condition     = var.propagation_seconds >= 0 && var.propagation_seconds <= 600
    error_message = "propagation_seconds is from 0 to 600: Google says that a grant takes up to 2 minutes typically."
  }
}

variable "region" {
  description = "The one region of everything: functions, bridge, bucket, datasets and (unless kafka is set) the Confluent cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is a single region such as europe-west1: neither a multi-region such as EU nor a zone, because bucket, datasets and functions must agree."
  }
}

variable "replay" {
  description = <<-EOT
    The function that replays records from Kafka or the lake when a person calls it: { callers = ["user:ana@example.com"] }
    names who may. Without it there is none, and stationflow replay does the same from a machine that reaches Kafka and the
    warehouse. settings are further environment variables, REPLAY_….
  EOT
  type = object({
    callers  = optional(set(string), [])
    settings = optional(map(string), {})
  })
  default = null

  validation {
    condition     = var.replay == null ? true : alltrue([for m in var.replay.callers : can(regex("^(user|group|serviceAccount):[^@ ]+@[^@ ]+$", m))])
    error_message = "A member in replay.callers must begin with user:, group: or serviceAccount: and name one address: nothing is made public."
  }
  validation {
    condition     = var.replay == null ? true : alltrue([for name in keys(var.replay.settings) : can(regex("^REPLAY_[A-Z_]+$", name))])
    error_message = "replay.settings takes REPLAY_… variables only: everything else has a variable of its own."
  }
}

variable "runbooks_url" {
  description = "Where docs/runbooks.md can be read; alerts link to it."
  type        = string
  default     = "https://github.com/stationflow/stationflow/blob/main/docs/runbooks.md"

  validation {
    condition     = can(regex("^https://[^ #]+$", var.runbooks_url))
    error_message = "runbooks_url is an https:// address without #: each alert adds its own section."
  }
}

variable "simulate" {
  description = "Runs simulated stations once, for 20 minutes after the first apply, so that a new deployment shows data at once. Not for a cluster with real events."
  type        = bool
  default     = false
}

variable "station_epoch_unit" {
  description = "What timestamps count since 1970 that producers write as numbers: s, ms, us or ns. none refuses numbers."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "s", "ms", "us", "ns"], var.station_epoch_unit)
    error_message = "station_epoch_unit is s, ms, us or ns, or none where no timestamp is a number."
  }
}

variable "station_timezone" {
  description = <<-EOT
    IANA time zone of the stations: of timestamps without an offset, and of hours and days on dashboards. After a change of it
    the transform fails until stationflow dbt run --full-refresh --select station_hours was run: older hours are in the old one.
  EOT
  type        = string
  default     = "UTC"

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z0-9_+-]+)+)$", var.station_timezone))
    error_message = "station_timezone is a name such as Europe/Paris or UTC: neither CET nor +01:00, which know no summer time."
  }
}

variable "stg_bq_dataset" {
  description = "BigQuery dataset of the raw records, which is made."
  type        = string
  default     = "staging_data"

  validation {
    condition     = can(regex("^[A-Za-z0-9_]+$", var.stg_bq_dataset))
    error_message = "stg_bq_dataset takes letters, digits and underscores only, without the project."
  }
}

variable "stg_retention_days" {
  description = "How many days staging tables keep rows, by the hour they arrived: at most 400. What marts have aggregated stays, and the lake keeps the records."
  type        = number
  default     = 90

  validation {
    condition     = var.stg_retention_days >= 2
    error_message = "stg_retention_days must be 2 or more: the transform looks back over the rows of the last day."
  }
  validation {
    condition     = var.stg_retention_days <= 400
    error_message = "stg_retention_days must be 400 or less: staging has a partition for each hour, and BigQuery allows a table 10,000. The lake keeps records for longer."
  }
}

variable "traces" {
  description = <<-EOT
    OpenTelemetry traces of the bridge and of the functions ingest and transform; null records none. They go to Cloud Trace, or
    to the collector whose address endpoint is, by OTLP over HTTP. A batch is recorded when the producer of one of its
    records records that one; of batches whose records say nothing, and of the transform's runs, this share is.
  EOT
  type = object({
    endpoint = optional(string, "https://telemetry.googleapis.com")
    share    = optional(number, 0.01)
  })
  default = null

  validation {
    condition     = var.traces == null ? true : can(regex("^https?://[^/ ?#@]+(/[^ ?#]*)?$", var.traces.endpoint))
    error_message = "traces.endpoint is the collector's address, https://host or http://host:4318 within the network, without user, query or /v1/traces."
  }
  validation {
    condition     = var.traces == null ? true : var.traces.share >= 0 && var.traces.share <= 1
    error_message = "traces.share is from 0 to 1: the share of batches that are recorded."
  }
}

variable "transform" {
  description = "The function that runs the dbt project. settings are further environment variables, TRANSFORM_…."
  type = object({
    cpu             = optional(string, "1")
    memory          = optional(string, "512Mi")
    query_limit_tib = optional(number, 2)
    settings        = optional(map(string), {})
  })
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.transform.settings) : can(regex("^TRANSFORM_[A-Z_]+$", name)) && name != "TRANSFORM_CANARY"])
    error_message = "transform.settings takes TRANSFORM_… variables only, and not TRANSFORM_CANARY: everything else has a variable of its own, and that one is canary."
  }
  validation {
    condition = try(alltrue([for mib in [tonumber(regex("^([0-9]+)(?:Mi|Gi)$", var.transform.memory)[0]) * (endswith(var.transform.memory, "Gi") ? 1024 : 1)] :
      mib >= local.cloud_run_memory[var.transform.cpu].least && mib <= local.cloud_run_memory[var.transform.cpu].most
    ]), false)
    error_message = "transform.cpu ${local.cloud_run_sizes}"
  }
  validation {
    condition     = var.transform.query_limit_tib >= 0.1 && var.transform.query_limit_tib <= 1000
    error_message = "transform.query_limit_tib is the most that BigQuery bills in the project a day, in TiB, from 0.1 to 1000."
  }
}

variable "transport" {
  description = "How batches get from the bridge to the function: pubsub (others may subscribe too, Pub/Sub retries) or http (straight, quicker, cheaper; needs a bridge that knows it)."
  type        = string
  default     = "pubsub"

  validation {
    condition     = contains(["pubsub", "http"], var.transport)
    error_message = "transport is pubsub or http."
  }
}
