# Ingest creates objects and reads their digests; it can neither change nor
# delete one.
resource "google_storage_bucket_iam_member" "ingest" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])

  bucket = var.bucket
  role   = each.key
  member = google_service_account.function["ingest"].member
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

# Scale reads Kafka's offsets with the bridge's password and files.
locals {
  scale_secrets = merge(
    var.scale.kafka.password == null ? {} : { password = var.scale.kafka.password.secret },
    var.scale.files,
  )
}

resource "google_secret_manager_secret_iam_member" "scale" {
  for_each = local.scale_secrets

  project   = var.project
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function["scale"].member
}

# Cloud Run refuses a revision whose identity cannot read its secrets yet.
resource "terraform_data" "granted" {
  triggers_replace = keys(local.scale_secrets)

  provisioner "local-exec" {
    command = "sleep ${length(local.scale_secrets) == 0 ? 0 : var.propagation_seconds}"
  }

  depends_on = [google_secret_manager_secret_iam_member.scale]
}
