locals {
  root       = abspath("${path.root}/..")
  deployment = jsondecode(file("${path.root}/deployment.json"))
  sources    = jsondecode(file("${path.root}/sources.json"))

  # The pipeline's own records have a topic and tables of their own.
  canary_topic = "stationflow_canary"
  canary = !var.canary ? null : {
    table  = local.canary_topic
    prod   = "${local.root}/functions/transform/canary.json"
    schema = "${path.root}/canary/${local.canary_topic}.json"
  }

  bucket   = coalesce(var.bucket, "${var.project}-stationflow-lake")
  group_id = lookup(var.bridge.settings, "KAFKA_GROUP_ID", "stationflow")

  # The lanes that the bridge sends are those that one of ingest's sinks takes:
  # the lake its own, all others that of the rows.
  sinks = [for s in split(",", lookup(var.ingest.settings, "INGEST_SINKS", "lake,warehouse")) : trimspace(s)]
  lanes = concat(length(setsubtract(local.sinks, ["lake"])) > 0 ? ["rows"] : [], contains(local.sinks, "lake") ? ["lake"] : [])

  # There is something to merge where ingest writes to the lake.
  compact = contains(local.sinks, "lake") ? var.compact : null

  # What is built changes when one of these files does. Tests are no part of
  # what runs.
  files = { for what, patterns in local.sources : what => sort([
    for f in setunion([for p in patterns : fileset(local.root, p)]...) : f
    if !endswith(f, "_test.go") && !strcontains(f, "/testdata/")
  ]) }
  hashes = { for what, files in local.files : what => sha256(join("", [
    for f in files : "${f}:${filesha256("${local.root}/${f}")}\n"
  ])) }

  # What bridge, ingest and transform need to send their spans.
  traces = {
    environment = var.traces == null ? {} : {
      OTEL_EXPORTER_OTLP_ENDPOINT = var.traces.endpoint
      OTEL_TRACES_SAMPLER         = "parentbased_traceidratio"
      OTEL_TRACES_SAMPLER_ARG     = tostring(var.traces.share)
    }
    google = try(var.traces.endpoint, "") == "https://telemetry.googleapis.com"
  }

  # Both clients reach an existing cluster with the same user.
  kafka_given = var.kafka == null ? null : {
    environment = merge(
      var.kafka.settings,
      {
        KAFKA_BOOTSTRAP_SERVERS = replace(var.kafka.bootstrap_servers, " ", "")
        KAFKA_SECURITY_PROTOCOL = var.kafka.security_protocol
      },
      startswith(var.kafka.security_protocol, "SASL_") ? {
        KAFKA_SASL_MECHANISM = var.kafka.sasl_mechanism
        KAFKA_SASL_USERNAME  = var.kafka.sasl_username
      } : {},
    )
    password = var.kafka.sasl_password_secret == null ? null : { secret = var.kafka.sasl_password_secret, version = "latest" }
  }
  kafka_clients = var.kafka == null ? module.kafka[0].clients : { bridge = local.kafka_given, simulator = local.kafka_given }
  kafka_files   = var.kafka == null ? {} : var.kafka.files

  # The settings of the bridge that its check reads: its own, those that say how
  # to reach Kafka, and how long a record that was sent waits for the lake.
  scale_settings = { for name, value in var.bridge.settings : name => value
    if startswith(name, "SCALE_") || startswith(name, "KAFKA_") && name != "KAFKA_START" || name == "BRIDGE_LAKE_AGE"
  }

  # Likewise those that audit reads.
  audit_settings = { for name, value in var.bridge.settings : name => value
    if startswith(name, "AUDIT_") || startswith(name, "KAFKA_")
  }

  # Confluent's registry comes with the cluster that is made here. Clients of an
  # existing one have the same user.
  registry_made = var.schema_registry != null && try(var.schema_registry.url, null) == null
  registry_given = {
    environment = var.schema_registry == null ? {} : merge(
      { SCHEMA_REGISTRY_URL = var.schema_registry.url },
      var.schema_registry.username == null ? {} : { SCHEMA_REGISTRY_USERNAME = var.schema_registry.username },
    )
    password = try(var.schema_registry.password_secret, null) == null ? null : { secret = var.schema_registry.password_secret, version = "latest" }
  }
  registry = local.registry_made ? module.registry[0].clients : { ingest = local.registry_given, simulator = local.registry_given }
}

module "foundation" {
  source = "./modules/foundation"

  demo                = var.demo
  kms_key             = var.kms_key
  network             = var.network != null
  project             = var.project
  propagation_seconds = var.propagation_seconds
  region              = var.region
  traces              = local.traces.google
}

module "lake" {
  source = "./modules/lake"

  bucket          = local.bucket
  canary          = var.canary
  cold_after_days = var.lake_cold_after_days
  demo            = var.demo
  kms_key         = module.foundation.kms_key
  project         = module.foundation.project
  references      = { for t in local.topics : t => "${path.root}/reference/${t}.parquet" }
  region          = var.region
  retention_days  = var.lake_retention_days
}

module "warehouse" {
  source = "./modules/warehouse"

  bucket          = module.lake.bucket
  canary          = local.canary
  completeness    = "${local.root}/functions/audit/table.json"
  demo            = var.demo
  deployment      = local.deployment
  kms_key         = module.foundation.kms_key
  prod_dataset    = var.prod_bq_dataset
  project         = module.foundation.project
  query_limit_tib = var.transform.query_limit_tib
  views           = "${local.root}/sql/views"
  references      = module.lake.references
  region          = var.region
  retention_days  = var.stg_retention_days
  schemas         = "${path.root}/schemas"
  staging_dataset = var.stg_bq_dataset
  topics          = local.topics
  viewers         = var.dashboard_viewers
}

module "functions" {
  source = "./modules/functions"

  alert = var.alert == null ? null : {
    secrets = { for name, secret in {
      ALERT_WEBHOOK        = var.alert.webhook_url_secret
      ALERT_WEBHOOK_SECRET = var.alert.webhook_key_secret
    } : name => secret if secret != null }
    settings = var.alert.settings
    topic    = var.alert.topic
  }
  audit = {
    settings = local.audit_settings
    sinks    = local.sinks
    table    = module.warehouse.completeness_table
  }
  bucket       = module.lake.bucket
  build_bucket = module.foundation.build_bucket
  builder      = module.foundation.builder
  canary       = var.canary
  compact      = local.compact
  ingest = {
    concurrency   = var.ingest.concurrency
    cpu           = var.ingest.cpu
    max_instances = var.ingest.max_instances
    memory        = var.ingest.memory
    # Pub/Sub's calls count as internal. The bridge's do only when all its
    # traffic goes through a network.
    public_ingress = var.transport == "http" && try(var.network.egress, "") != "ALL_TRAFFIC"
    settings       = var.ingest.settings
    # Longer than the function's own limit on a call, shorter than Pub/Sub
    # waits.
    timeout_seconds = local.deployment.push_ack_deadline_seconds - 10
  }
  kms_key = module.foundation.kms_key
  network = var.network
  page = var.page == null ? null : {
    settings = var.page.settings
    tables   = { for topic in ["equipment_failures", "incidents"] : topic => module.warehouse.staging_tables[topic] }
    viewers  = var.page.viewers
  }
  prod_dataset        = module.warehouse.prod_dataset
  project             = module.foundation.project
  propagation_seconds = var.propagation_seconds
  region              = var.region
  registry            = local.registry.ingest
  replay = var.replay == null ? null : {
    callers  = var.replay.callers
    settings = merge({ for name, value in var.bridge.settings : name => value if startswith(name, "KAFKA_") && name != "KAFKA_START" }, var.replay.settings)
    tables   = module.warehouse.staging_tables
    topic    = local.deployment.records_topic
  }
  repository      = module.foundation.repository.name
  repository_root = local.root
  scale = {
    files         = local.kafka_files
    group_id      = local.group_id
    idle          = var.bridge.idle
    kafka         = local.kafka_clients["bridge"]
    max_instances = var.bridge.max_instances
    min_instances = var.bridge.min_instances
    pool          = local.deployment.bridge_pool
    settings      = local.scale_settings
    topics        = local.topics
  }
  sources_hash       = local.hashes.functions
  staging_dataset    = module.warehouse.staging_dataset
  station_epoch_unit = var.station_epoch_unit
  station_timezone   = var.station_timezone
  traces             = local.traces
  transform          = var.transform
}

module "transport" {
  source = "./modules/transport"

  auditor      = module.functions.audit.member
  replay       = module.functions.replay
  replays      = var.replay != null
  alert        = module.functions.alert
  alerts       = var.alert != null
  deployment   = local.deployment
  ingest       = module.functions.ingest
  kms_key      = module.foundation.kms_key
  project      = module.foundation.project
  pubsub_agent = module.foundation.pubsub_agent
  region       = var.region
  transport    = var.transport
}

module "kafka" {
  source = "./modules/kafka"
  count  = var.kafka == null ? 1 : 0

  canary         = var.canary ? local.canary_topic : null
  cluster        = var.confluent_cluster
  group_id       = local.group_id
  key_generation = var.kafka_key_generation
  kms_key        = module.foundation.kms_key
  partitions     = local.partitions
  project        = module.foundation.project
  region         = var.region
  registry       = local.registry_made
  simulate       = var.simulate
  topics         = local.topics
}

module "registry" {
  source = "./modules/registry"
  count  = local.registry_made ? 1 : 0

  compatibility  = var.schema_registry.compatibility
  environment    = module.kafka[0].environment
  format         = var.schema_registry.format
  key_generation = var.kafka_key_generation
  kms_key        = module.foundation.kms_key
  project        = module.foundation.project
  region         = var.region
  schemas        = "${local.root}/event/schemas"
  simulate       = var.simulate
  topics         = local.topics
}

module "bridge" {
  source = "./modules/bridge"

  alert_copies_topic  = module.transport.alert_copies_topic
  bucket              = module.lake.bucket
  build_bucket        = module.foundation.build_bucket
  builder             = module.foundation.builder
  canary              = var.canary
  dead_letter_topic   = module.transport.dead_letter_topic
  files               = local.kafka_files
  group_id            = local.group_id
  image               = var.bridge_image
  ingest              = module.functions.ingest
  kafka               = local.kafka_clients
  kms_key             = module.foundation.kms_key
  lanes               = local.lanes
  network             = var.network
  pool                = local.deployment.bridge_pool
  project             = module.foundation.project
  propagation_seconds = var.propagation_seconds
  records_topic       = module.transport.records_topic
  region              = var.region
  registry            = lookup(local.registry, "simulator", local.registry_given)
  registry_format     = var.schema_registry == null ? null : lower(replace(var.schema_registry.format, "JSON", "JSONSCHEMA"))
  repository          = module.foundation.repository
  repository_root     = local.root
  scaler              = module.functions.scale.member
  settings            = { for name, value in var.bridge.settings : name => value if !startswith(name, "AUDIT_") && !startswith(name, "SCALE_") }
  simulate            = var.simulate
  size                = var.bridge
  sources_hash        = local.hashes.image
  station_timezone    = var.station_timezone
  topics              = local.topics
  traces              = local.traces
  transport           = var.transport
}

module "scheduling" {
  source = "./modules/scheduling"

  audit      = module.functions.audit
  compact    = module.functions.compact
  compacts   = local.compact != null
  deployment = local.deployment
  project    = module.foundation.project
  region     = var.region
  scale      = module.functions.scale
  transform  = module.functions.transform
}

module "observability" {
  source = "./modules/observability"

  alert_emails             = var.alert_emails
  bridge                   = module.bridge.pool
  canary_hops              = [for hop, sink in { lake = "lake", marts = "warehouse", staging = "warehouse" } : hop if var.canary && contains(local.sinks, sink)]
  compacts                 = local.compact != null
  dead_letter_subscription = module.transport.dead_letter_subscription
  deployment               = local.deployment
  idle                     = var.bridge.idle
  ingest_subscription      = module.transport.ingest_subscription
  objectives               = var.objectives
  project                  = module.foundation.project
  runbooks_url             = var.runbooks_url
}
