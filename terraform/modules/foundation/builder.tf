# The identity that builds images and functions. It runs nothing else, and
# nothing that runs can use it.

resource "google_service_account" "builder" {
  project      = var.project
  account_id   = "stationflow-builder"
  display_name = "stationflow: builds the bridge's image and the functions"

  depends_on = [terraform_data.enabled]
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  project    = var.project
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder.member
}

resource "google_storage_bucket_iam_member" "builder" {
  bucket = google_storage_bucket.build.name
  role   = "roles/storage.objectUser" # reads sources, writes logs
  member = google_service_account.builder.member
}

# Building a function takes two rights that cannot be given on anything
# smaller: builds log to Cloud Logging, and the sources are copied to a bucket
# that Google makes with the first function. The condition keeps the second to
# that bucket.
# https://cloud.google.com/functions/docs/securing/build-custom-sa
resource "google_project_iam_member" "builder_logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.builder.member
}

resource "google_project_iam_member" "builder_sources" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.builder.member

  condition {
    title      = "only the bucket of function sources"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-\")"
  }
}

# A build that begins before these are known everywhere fails, and the function
# with it.
resource "terraform_data" "builder_settled" {
  provisioner "local-exec" {
    command = "sleep ${var.propagation_seconds}"
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.builder,
    google_project_iam_member.builder_logs,
    google_project_iam_member.builder_sources,
    google_storage_bucket_iam_member.builder,
  ]
}
