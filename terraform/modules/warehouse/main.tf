# Both datasets, and all that holds raw records. The marts in the second one
# are made by the transform, from dbt/.

locals {
  described = jsondecode(file("${path.module}/../../tables.json")) # written from the event types
  tables    = { for table in concat(var.topics, ["quarantine"]) : table => local.described[table] }
}

resource "google_bigquery_dataset" "dataset" {
  #checkov:skip=CKV_GCP_15:rights are granted to single members below and in the functions, and tests refuse public ones
  #checkov:skip=CKV_GCP_81:kms_key sets a customer-managed key; without it Google's own is the user's choice
  for_each = {
    staging = { id = var.staging_dataset, description = "Raw records of the stations, as they arrived." }
    prod    = { id = var.prod_dataset, description = "What dashboards read, computed by the transform." }
  }

  project                    = var.project
  dataset_id                 = each.value.id
  description                = each.value.description
  location                   = var.region
  delete_contents_on_destroy = var.demo
  deletion_policy            = var.demo ? "DELETE" : "ABANDON"

  dynamic "default_encryption_configuration" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }
}

resource "google_bigquery_table" "staging" {
  #checkov:skip=CKV_GCP_80:kms_key sets a customer-managed key; without it Google's own is the user's choice
  #checkov:skip=CKV_GCP_121:deletion protection is on unless demo = true
  for_each = local.tables

  project             = var.project
  dataset_id          = google_bigquery_dataset.dataset["staging"].dataset_id
  table_id            = each.key
  description         = each.value.description
  schema              = file("${var.schemas}/${each.key}.json")
  clustering          = each.value.clustering
  deletion_protection = !var.demo
  deletion_policy     = var.demo ? "DELETE" : "ABANDON"

  time_partitioning {
    type          = var.deployment.staging_partitions
    field         = "ingested_at"
    expiration_ms = var.retention_days * 24 * 60 * 60 * 1000
  }

  # Said here too, because BigQuery copies the dataset's key to the table and
  # Terraform would otherwise take it away again.
  dynamic "encryption_configuration" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = encryption_configuration.value
    }
  }
}

# What audit finds, some rows an hour.
resource "google_bigquery_table" "completeness" {
  #checkov:skip=CKV_GCP_80:kms_key sets a customer-managed key; without it Google's own is the user's choice
  #checkov:skip=CKV_GCP_121:deletion protection is on unless demo = true
  project             = var.project
  dataset_id          = google_bigquery_dataset.dataset["prod"].dataset_id
  table_id            = "pipeline_completeness"
  description         = "Where the records of each partition were, by hour: what the function audit found."
  schema              = file(var.completeness)
  deletion_protection = !var.demo
  deletion_policy     = var.demo ? "DELETE" : "ABANDON"

  time_partitioning {
    type          = "DAY"
    field         = "checked_at"
    expiration_ms = 400 * 24 * 60 * 60 * 1000
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = var.kms_key
    }
  }
}

# Canaries, as they came and once a run of the transform has published: some a
# minute, for a week.
resource "google_bigquery_table" "canary" {
  #checkov:skip=CKV_GCP_80:kms_key sets a customer-managed key; without it Google's own is the user's choice
  #checkov:skip=CKV_GCP_121:a canary is worth nothing once it has arrived
  for_each = var.canary == null ? {} : {
    staging = { schema = var.canary.schema, field = "ingested_at", type = var.deployment.staging_partitions }
    prod    = { schema = var.canary.prod, field = "published_at", type = "DAY" }
  }

  project             = var.project
  dataset_id          = google_bigquery_dataset.dataset[each.key].dataset_id
  table_id            = var.canary.table
  description         = "The pipeline's own records, to be found again behind each hop."
  schema              = file(each.value.schema)
  deletion_protection = false

  time_partitioning {
    type          = each.value.type
    field         = each.value.field
    expiration_ms = 7 * 24 * 60 * 60 * 1000
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = encryption_configuration.value
    }
  }
}

# BigQuery takes no schema for Parquet, and an empty prefix has nothing to
# detect one from: the reference file has the columns.
resource "google_bigquery_table" "lake" {
  #checkov:skip=CKV_GCP_80:holds no data of its own; the bucket's encryption applies
  #checkov:skip=CKV_GCP_121:holds no data of its own
  for_each = toset(var.topics)

  project             = var.project
  dataset_id          = google_bigquery_dataset.dataset["staging"].dataset_id
  table_id            = "${each.key}_lake"
  description         = "The lake's Parquet files of ${each.key}, by event time in UTC. A query must name dt."
  deletion_protection = false

  external_data_configuration {
    autodetect                = true
    source_format             = "PARQUET"
    source_uris               = ["gs://${var.bucket}/raw/${each.key}/*"]
    reference_file_schema_uri = var.references[each.key]

    hive_partitioning_options {
      mode                     = "CUSTOM"
      source_uri_prefix        = "gs://${var.bucket}/raw/${each.key}/{dt:DATE}/{hour:STRING}"
      require_partition_filter = true # else one query reads, and bills, the whole lake
    }
  }
}

# Deliveries repeat: readers see one row per Kafka record through these.
resource "google_bigquery_table" "records" {
  #checkov:skip=CKV_GCP_80:a view holds no data
  #checkov:skip=CKV_GCP_121:a view holds no data
  for_each = local.tables

  project             = var.project
  dataset_id          = google_bigquery_dataset.dataset["staging"].dataset_id
  table_id            = "${each.key}_records"
  description         = "${each.key}, one row per Kafka record."
  deletion_protection = false

  view {
    query = templatefile("${var.views}/${each.key == "quarantine" ? "quarantine" : "records"}.sql", {
      table = "${var.project}.${google_bigquery_table.staging[each.key].dataset_id}.${each.key}"
    })
    use_legacy_sql = false
  }
}

resource "google_bigquery_dataset_iam_member" "viewer" {
  for_each = var.viewers

  project    = var.project
  dataset_id = google_bigquery_dataset.dataset["prod"].dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = each.value
}

resource "google_project_iam_member" "viewer" {
  for_each = var.viewers

  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = each.value
}

# The most that queries may bill in a day, from all users together. The unit is MiB;
# a lower limit than Google's is accepted at once.
resource "google_cloud_quotas_quota_preference" "query" {
  parent               = "projects/${var.project}"
  name                 = "stationflow-query-usage-per-day"
  service              = "bigquery.googleapis.com"
  quota_id             = "QueryUsagePerDay"
  ignore_safety_checks = "QUOTA_DECREASE_PERCENTAGE_TOO_HIGH"

  quota_config {
    preferred_value = tostring(floor(var.query_limit_tib * 1024 * 1024))
  }
}
