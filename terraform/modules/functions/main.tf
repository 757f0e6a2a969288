# All functions, built from one upload. Each has its own identity and the
# rights it needs on the lake and the datasets; who may call them is said
# where the callers are (transport, scheduling).

locals {
  # Where the upload is made, next to this configuration. The name tells its
  # content, so a change is a new object, and a function is built again only
  # then.
  upload = "functions-${substr(var.sources_hash, 0, 16)}.zip"

  functions = merge(local.always, local.replay, var.alert == null ? {} : {
    # It sleeps while nothing comes that the rules of alerts name.
    alert = {
      concurrency   = 8
      cpu           = "1"
      description   = "Tells people of what the rules of alerts name."
      ingress       = "ALLOW_INTERNAL_ONLY" # Pub/Sub's calls count as internal
      max_instances = 2
      memory        = "512Mi"
      timeout       = 170
      environment = merge(var.alert.settings, var.registry.environment, var.alert.topic == null ? {} : { ALERT_TOPIC = var.alert.topic }, {
        GOOGLE_CLOUD_PROJECT = var.project
        LAKE_BUCKET          = var.bucket
        STATION_EPOCH_UNIT   = var.station_epoch_unit
        STATION_TIMEZONE     = var.station_timezone
      })
    }
    }, var.compact == null ? {} : {
    # One instance, so that no two calls do the same work; it would do no harm.
    compact = {
      concurrency   = 1
      cpu           = "1"
      description   = "Merges the lake's files of closed hours, and deletes what was merged."
      ingress       = "ALLOW_INTERNAL_ONLY"
      max_instances = 1
      memory        = "1Gi"
      timeout       = 540
      environment   = merge(var.compact.settings, { LAKE_BUCKET = var.bucket })
    }
    }, var.page == null ? {} : {
    # People open it, from outside the network: IAM lets only those in whom var.page
    # names. One instance, because each reads the marts for itself.
    page = {
      concurrency   = 80
      cpu           = "1"
      description   = "The page of the figures, for people whom IAM lets in."
      ingress       = "ALLOW_ALL"
      max_instances = 1
      memory        = "512Mi"
      timeout       = 60
      environment = merge(var.page.settings, {
        GOOGLE_CLOUD_PROJECT = var.project
        PROD_DATASET         = var.prod_dataset
        STATION_TIMEZONE     = var.station_timezone
      })
    }
  })
  # A person calls it, from outside the network: IAM lets only those in whom
  # var.replay names.
  replay = { for name in ["replay"] : name => {
    concurrency   = 1
    cpu           = "1"
    description   = "Sends records again, from Kafka or the lake, when it is called."
    ingress       = "ALLOW_ALL"
    max_instances = 2
    memory        = "512Mi"
    timeout       = 3600 # REPLAY_LIMIT and a last step end a call before
    environment = merge(
      var.replay.settings,
      var.scale.kafka.environment,
      { for name in keys(var.scale.files) : name => "/secrets/${lower(name)}/content" },
      {
        BRIDGE_PUBSUB_TOPIC  = var.replay.topic
        BRIDGE_TRANSPORT     = "pubsub" # whatever the bridge's: the subscription is always there
        GOOGLE_CLOUD_PROJECT = var.project
        LAKE_BUCKET          = var.bucket
        PROD_DATASET         = var.prod_dataset
        STAGING_DATASET      = var.staging_dataset
      },
    )
  } if var.replay != null }
  always = {
    # Each call reads what came in some hours, once an hour.
    audit = {
      concurrency   = 1
      cpu           = "1"
      description   = "Proves where every record of the last hours is."
      ingress       = "ALLOW_INTERNAL_ONLY"
      max_instances = 1
      memory        = "512Mi"
      timeout       = 540
      environment = merge(
        var.audit.settings,
        var.scale.kafka.environment,
        { for name in keys(var.scale.files) : name => "/secrets/${lower(name)}/content" },
        {
          GOOGLE_CLOUD_PROJECT = var.project
          INGEST_SINKS         = join(",", var.audit.sinks)
          KAFKA_GROUP_ID       = var.scale.group_id
          KAFKA_TOPICS         = join(",", var.scale.topics)
          LAKE_BUCKET          = var.bucket
          PROD_DATASET         = var.prod_dataset
          STAGING_DATASET      = var.staging_dataset
        },
      )
    }
    ingest = {
      concurrency   = var.ingest.concurrency
      cpu           = var.ingest.cpu
      description   = "Takes batches of records: Parquet in the lake, rows in BigQuery, quarantine."
      ingress       = var.ingest.public_ingress ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
      max_instances = var.ingest.max_instances
      memory        = var.ingest.memory
      timeout       = var.ingest.timeout_seconds
      environment = merge(var.ingest.settings, var.registry.environment, var.traces.environment, {
        GOOGLE_CLOUD_PROJECT = var.project
        INGEST_CONCURRENCY   = tostring(var.ingest.concurrency)
        LAKE_BUCKET          = var.bucket
        PROD_DATASET         = var.prod_dataset
        STAGING_DATASET      = var.staging_dataset
        STATION_EPOCH_UNIT   = var.station_epoch_unit
        STATION_TIMEZONE     = var.station_timezone
      })
    }
    # One instance: it lets one run happen at a time, and calls that arrive
    # meanwhile share the next.
    transform = {
      concurrency   = 10
      cpu           = var.transform.cpu
      description   = "Runs the dbt project: staging to marts."
      ingress       = "ALLOW_INTERNAL_ONLY"
      max_instances = 1
      memory        = var.transform.memory
      timeout       = 600 # a wait of 240 s, then a run of 300 s
      environment = merge({ TRANSFORM_ARTIFACTS = "gs://${var.bucket}/dbt" }, var.transform.settings, var.traces.environment, {
        GOOGLE_CLOUD_PROJECT = var.project
        PROD_DATASET         = var.prod_dataset
        STAGING_DATASET      = var.staging_dataset
        STATION_TIMEZONE     = var.station_timezone
        TRANSFORM_CANARY     = var.canary ? "on" : "off"
      })
    }
    # Each call takes a second or so, each minute.
    scale = {
      concurrency   = 1
      cpu           = "1"
      description   = "Sets how many bridges run: none while nothing comes."
      ingress       = "ALLOW_INTERNAL_ONLY"
      max_instances = 1
      memory        = "512Mi"
      timeout       = 60
      environment = merge(
        var.scale.settings,
        var.scale.kafka.environment,
        { for name in keys(var.scale.files) : name => "/secrets/${lower(name)}/content" },
        {
          KAFKA_GROUP_ID      = var.scale.group_id
          KAFKA_TOPICS        = join(",", var.scale.topics)
          SCALE_IDLE          = var.scale.idle
          SCALE_MAX_INSTANCES = tostring(var.scale.max_instances)
          SCALE_MIN_INSTANCES = tostring(var.scale.min_instances)
          SCALE_POOL          = "projects/${var.project}/locations/${var.region}/workerPools/${var.scale.pool}"
        },
      )
    }
  }

  # Secrets that a function reads: as a variable, and as a file.
  passwords = {
    alert = merge(
      var.registry.password == null ? {} : { SCHEMA_REGISTRY_PASSWORD = var.registry.password },
      { for name, secret in try(var.alert.secrets, {}) : name => { secret = secret, version = "latest" } },
    )
    audit  = var.scale.kafka.password == null ? {} : { KAFKA_SASL_PASSWORD = var.scale.kafka.password }
    ingest = var.registry.password == null ? {} : { SCHEMA_REGISTRY_PASSWORD = var.registry.password }
    replay = var.scale.kafka.password == null ? {} : { KAFKA_SASL_PASSWORD = var.scale.kafka.password }
    scale  = var.scale.kafka.password == null ? {} : { KAFKA_SASL_PASSWORD = var.scale.kafka.password }
  }
  files = { audit = var.scale.files, replay = var.scale.files, scale = var.scale.files }
}

resource "terraform_data" "upload" {
  triggers_replace = var.sources_hash

  provisioner "local-exec" {
    working_dir = var.repository_root
    command     = "go run ./terraform/upload -o '${abspath(path.root)}/.upload/${local.upload}'"
  }
}

resource "google_storage_bucket_object" "upload" {
  bucket = var.build_bucket
  name   = "functions/${local.upload}"
  source = "${path.root}/.upload/${local.upload}"

  lifecycle {
    create_before_destroy = true
  }
  depends_on = [terraform_data.upload]
}

resource "google_service_account" "function" {
  for_each = local.functions

  project      = var.project
  account_id   = "stationflow-${each.key}"
  display_name = "stationflow: runs the function ${each.key}"
}

resource "google_cloudfunctions2_function" "function" {
  #checkov:skip=CKV_GCP_124:ingest takes calls from outside the network only with transport = "http" and no network, where IAM lets the bridge alone in; page and replay are called by people whom IAM lets in
  for_each = local.functions

  project      = var.project
  location     = var.region
  name         = each.key
  description  = each.value.description
  kms_key_name = var.kms_key

  build_config {
    runtime           = "go126"
    entry_point       = each.key
    docker_repository = var.repository
    service_account   = var.builder

    source {
      storage_source {
        bucket = google_storage_bucket_object.upload.bucket
        object = google_storage_bucket_object.upload.name
      }
    }
    automatic_update_policy {}

    environment_variables = { GOFLAGS = "-tags=disable_grpc_modules" }
  }

  service_config {
    service_account_email            = google_service_account.function[each.key].email
    ingress_settings                 = each.value.ingress
    available_cpu                    = each.value.cpu
    available_memory                 = each.value.memory
    min_instance_count               = 0
    max_instance_count               = each.value.max_instances
    max_instance_request_concurrency = each.value.concurrency
    timeout_seconds                  = each.value.timeout
    all_traffic_on_latest_revision   = true
    environment_variables            = each.value.environment

    dynamic "secret_environment_variables" {
      for_each = lookup(local.passwords, each.key, {})
      content {
        key        = secret_environment_variables.key
        project_id = var.project
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }
    dynamic "secret_volumes" {
      for_each = lookup(local.files, each.key, {})
      content {
        mount_path = "/secrets/${lower(secret_volumes.key)}"
        project_id = var.project
        secret     = secret_volumes.value
        versions {
          path    = "content"
          version = "latest"
        }
      }
    }

    direct_vpc_egress = var.network == null ? null : "VPC_EGRESS_${var.network.egress}"
    dynamic "direct_vpc_network_interface" {
      for_each = var.network == null ? [] : [var.network.subnetwork]
      content {
        subnetwork = direct_vpc_network_interface.value
      }
    }
  }

  # A function that starts without its rights fails its first calls.
  depends_on = [
    google_bigquery_dataset_iam_member.audit,
    google_bigquery_dataset_iam_member.ingest,
    google_bigquery_dataset_iam_member.page,
    google_bigquery_dataset_iam_member.transform,
    google_bigquery_dataset_iam_member.replay,
    google_bigquery_table_iam_member.audit,
    google_bigquery_table_iam_member.page,
    google_bigquery_table_iam_member.replay,
    google_project_iam_member.audit_jobs,
    google_project_iam_member.page_jobs,
    google_project_iam_member.replay_jobs,
    google_project_iam_member.traces,
    google_project_iam_member.transform_jobs,
    google_pubsub_topic_iam_member.alert,
    google_storage_bucket_iam_member.alert,
    google_storage_bucket_iam_member.audit,
    google_storage_bucket_iam_member.compact,
    google_storage_bucket_iam_member.compact_merges,
    google_storage_bucket_iam_member.ingest,
    google_storage_bucket_iam_member.replay,
    google_storage_bucket_iam_member.transform,
    terraform_data.granted,
  ]
}
