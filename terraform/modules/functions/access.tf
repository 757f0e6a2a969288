# Ingest creates objects and reads their digests; it can neither change nor
# delete one.
resource "google_storage_bucket_iam_member" "ingest" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])

  bucket = var.bucket
  role   = each.key
  member = google_service_account.function["ingest"].member
}

# Alert keeps what it has told, and changes nothing else.
resource "google_storage_bucket_iam_member" "alert" {
  count = var.alert == null ? 0 : 1

  bucket = var.bucket
  role   = "roles/storage.objectUser" # replacing an object takes the right to delete it
  member = google_service_account.function["alert"].member

  condition {
    title      = "only alerts"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/alerts/\")"
  }
}

resource "google_pubsub_topic_iam_member" "alert" {
  count = try(var.alert.topic, null) == null ? 0 : 1

  project = var.project
  topic   = var.alert.topic
  role    = "roles/pubsub.publisher"
  member  = google_service_account.function["alert"].member
}

# Compact lists and reads the objects, which takes the whole bucket; it creates and
# deletes those of raw/ alone.
resource "google_storage_bucket_iam_member" "compact" {
  count = var.compact == null ? 0 : 1

  bucket = var.bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.function["compact"].member
}

resource "google_storage_bucket_iam_member" "compact_merges" {
  count = var.compact == null ? 0 : 1

  bucket = var.bucket
  role   = "roles/storage.objectUser" # there is no smaller role that may delete objects
  member = google_service_account.function["compact"].member

  condition {
    title      = "only records"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/raw/\")"
  }
}

# Audit reads the objects, and the tables of raw records; it writes to its own
# table alone.
resource "google_storage_bucket_iam_member" "audit" {
  bucket = var.bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.function["audit"].member
}

resource "google_bigquery_dataset_iam_member" "audit" {
  project    = var.project
  dataset_id = var.staging_dataset
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.function["audit"].member
}

resource "google_bigquery_table_iam_member" "audit" {
  project    = var.project
  dataset_id = var.prod_dataset
  table_id   = var.audit.table
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.function["audit"].member
}

resource "google_project_iam_member" "audit_jobs" {
  project = var.project
  role    = "roles/bigquery.jobUser" # there is no smaller place to grant it
  member  = google_service_account.function["audit"].member
}

# Replay reads the lake and the raw records, and adds rows to the topics' tables.
# A value that fits no batch it puts where the bridge has put it.
resource "google_storage_bucket_iam_member" "replay" {
  for_each = var.replay == null ? {} : {
    "roles/storage.objectCreator" = ["quarantine/"]
    "roles/storage.objectViewer"  = []
  }

  bucket = var.bucket
  role   = each.key
  member = google_service_account.function["replay"].member

  dynamic "condition" {
    for_each = each.value
    content {
      title      = "only large values"
      expression = "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/${condition.value}\")"
    }
  }
}

resource "google_bigquery_dataset_iam_member" "replay" {
  count = var.replay == null ? 0 : 1

  project    = var.project
  dataset_id = var.staging_dataset
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.function["replay"].member
}

resource "google_bigquery_table_iam_member" "replay" {
  for_each = var.replay == null ? {} : var.replay.tables

  project    = var.project
  dataset_id = var.staging_dataset
  table_id   = each.value
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.function["replay"].member
}

resource "google_project_iam_member" "replay_jobs" {
  count = var.replay == null ? 0 : 1

  project = var.project
  role    = "roles/bigquery.jobUser" # there is no smaller place to grant it
  member  = google_service_account.function["replay"].member
}

resource "google_cloud_run_v2_service_iam_member" "replay" {
  for_each = var.replay == null ? toset([]) : var.replay.callers

  project  = var.project
  location = var.region
  name     = google_cloudfunctions2_function.function["replay"].name
  role     = "roles/run.invoker"
  member   = each.value
}

# The page reads the marts, and what of staging one of them is a view over. It may
# write nowhere.
resource "google_bigquery_dataset_iam_member" "page" {
  count = var.page == null ? 0 : 1

  project    = var.project
  dataset_id = var.prod_dataset
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.function["page"].member
}

resource "google_bigquery_table_iam_member" "page" {
  for_each = var.page == null ? {} : var.page.tables

  project    = var.project
  dataset_id = var.staging_dataset
  table_id   = each.value
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.function["page"].member
}

resource "google_project_iam_member" "page_jobs" {
  count = var.page == null ? 0 : 1

  project = var.project
  role    = "roles/bigquery.jobUser" # there is no smaller place to grant it
  member  = google_service_account.function["page"].member
}

# gcloud's proxy asks for the service's address before it calls it.
resource "google_cloud_run_v2_service_iam_member" "page" {
  for_each = var.page == null ? {} : { for pair in setproduct(["invoker", "viewer"], var.page.viewers) : join(" ", pair) => pair }

  project  = var.project
  location = var.region
  name     = google_cloudfunctions2_function.function["page"].name
  role     = "roles/run.${each.value[0]}"
  member   = each.value[1]
}

# Transform keeps the artifacts of its last run, and changes nothing else.
resource "google_storage_bucket_iam_member" "transform" {
  bucket = var.bucket
  role   = "roles/storage.objectUser" # replacing an object takes the right to delete it
  member = google_service_account.function["transform"].member

  condition {
    title      = "only dbt artifacts"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/dbt/\")"
  }
}

# Appending rows through the Storage Write API takes no job, so ingest may run
# none.
resource "google_bigquery_dataset_iam_member" "ingest" {
  project    = var.project
  dataset_id = var.staging_dataset
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.function["ingest"].member
}

resource "google_bigquery_dataset_iam_member" "transform" {
  for_each = {
    staging = { dataset = var.staging_dataset, role = "roles/bigquery.dataViewer" }
    prod    = { dataset = var.prod_dataset, role = "roles/bigquery.dataEditor" }
  }

  project    = var.project
  dataset_id = each.value.dataset
  role       = each.value.role
  member     = google_service_account.function["transform"].member
}

resource "google_project_iam_member" "transform_jobs" {
  project = var.project
  role    = "roles/bigquery.jobUser" # there is no smaller place to grant it
  member  = google_service_account.function["transform"].member
}

# Functions read secrets: alert and ingest the registry's password, audit, replay and scale those
# with which the bridge reaches Kafka. By key, because names of secrets that Terraform makes
# are not known before.
locals {
  readers = merge([for function, secrets in {
    alert  = var.alert == null ? {} : { for name, password in local.passwords.alert : name => password.secret }
    audit  = merge({ for name, password in local.passwords.audit : name => password.secret }, local.files.audit)
    ingest = { for name, password in local.passwords.ingest : name => password.secret }
    replay = var.replay == null ? {} : merge({ for name, password in local.passwords.replay : name => password.secret }, local.files.replay)
    scale  = merge({ for name, password in local.passwords.scale : name => password.secret }, local.files.scale)
  } : { for name, secret in secrets : "${function} ${name}" => { function = function, secret = secret } }]...)
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.readers

  project   = var.project
  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}

# Cloud Run refuses a revision whose identity cannot read its secrets yet.
resource "terraform_data" "granted" {
  triggers_replace = keys(local.readers)

  provisioner "local-exec" {
    command = "sleep ${length(local.readers) == 0 ? 0 : var.propagation_seconds}"
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}
