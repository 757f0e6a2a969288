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

resource "google_secret_manager_secret_iam_member" "registry" {
  count = var.registry.password == null ? 0 : 1

  project   = var.project
  secret_id = var.registry.password.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function["ingest"].member
}
