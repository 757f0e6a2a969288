resource "google_service_account" "bridge" {
  project      = var.project
  account_id   = "stationflow-bridge"
  display_name = "stationflow: runs the bridge"
}

resource "google_pubsub_topic_iam_member" "bridge" {
  for_each = merge({ records = var.records_topic }, local.http ? { dead_letter = var.dead_letter_topic } : {}, local.copies ? { alert_copies = var.alert_copies_topic } : {})

  project = var.project
  topic   = each.value
  role    = "roles/pubsub.publisher"
  member  = google_service_account.bridge.member
}

# Values too large for a batch go to quarantine/, and nowhere else.
resource "google_storage_bucket_iam_member" "bridge" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])

  bucket = var.bucket
  role   = each.key
  member = google_service_account.bridge.member

  condition {
    title      = "only quarantine"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/quarantine/\")"
  }
}

resource "google_project_iam_member" "traces" {
  count = var.traces.google ? 1 : 0

  project = var.project
  role    = "roles/cloudtrace.agent"
  member  = google_service_account.bridge.member
}

resource "google_cloud_run_v2_service_iam_member" "bridge" {
  count = local.http ? 1 : 0

  project  = var.project
  location = var.region
  name     = var.ingest.service
  role     = "roles/run.invoker"
  member   = google_service_account.bridge.member
}

locals {
  # Which secrets each workload reads: by key, because names of secrets that
  # Terraform makes are not known before.
  readers = merge([for client, account in local.accounts : merge(
    var.kafka[client].password == null ? {} : { "${client} password" = { member = account, secret = var.kafka[client].password.secret } },
    { for name, secret in var.files : "${client} ${name}" => { member = account, secret = secret } },
    client != "simulator" || var.registry.password == null ? {} : { "simulator registry" = { member = account, secret = var.registry.password.secret } },
  )]...)
  accounts = merge(
    { bridge = google_service_account.bridge.member },
    { for a in google_service_account.simulator : "simulator" => a.member },
  )
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.readers

  project   = var.project
  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value.member
}

# Cloud Run refuses a revision whose identity cannot read its secrets yet.
resource "terraform_data" "granted" {
  triggers_replace = keys(local.readers)

  provisioner "local-exec" {
    command = "sleep ${var.propagation_seconds}"
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.bridge,
    google_project_iam_member.traces,
    google_pubsub_topic_iam_member.bridge,
    google_secret_manager_secret_iam_member.reader,
    google_storage_bucket_iam_member.bridge,
  ]
}

# What the check needs to set the number of instances, on this pool alone. There
# is not a smaller right than to update the pool, and for an update Cloud Run asks
# for the right to act as the pool's identity, too: docs/deploy.md says what else
# its holder could do.
resource "google_project_iam_custom_role" "scaler" {
  project     = var.project
  role_id     = "stationflowScaler"
  title       = "stationflow: sets the bridge's instances"
  description = "Reads and updates a worker pool. Granted on the bridge's alone."
  permissions = ["run.workerpools.get", "run.workerpools.update"]
}

resource "google_cloud_run_v2_worker_pool_iam_member" "scaler" {
  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_worker_pool.bridge.name
  role     = google_project_iam_custom_role.scaler.name
  member   = var.scaler
}

resource "google_service_account_iam_member" "scaler" {
  service_account_id = google_service_account.bridge.name
  role               = "roles/iam.serviceAccountUser"
  member             = var.scaler
}
