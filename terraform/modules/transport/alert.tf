# What may hold alerts goes to the function alert as well: the same messages,
# filtered before they are delivered, or over http copies of them, which the
# bridge puts into a topic of their own.

locals {
  copied = var.alerts && var.transport == "http"
}

resource "google_pubsub_topic" "alert_copies" {
  #checkov:skip=CKV_GCP_83:kms_key sets a customer-managed key; without it Google's own is the user's choice
  count = local.copied ? 1 : 0

  project      = var.project
  name         = var.deployment.alert_copies_topic
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_service_account" "alert_push" {
  count = var.alerts ? 1 : 0

  project      = var.project
  account_id   = "stationflow-alert-push"
  display_name = "stationflow: Pub/Sub calls alert as this"
}

resource "google_cloud_run_v2_service_iam_member" "alert_push" {
  count = var.alerts ? 1 : 0

  project  = var.project
  location = var.region
  name     = var.alert.service
  role     = "roles/run.invoker"
  member   = google_service_account.alert_push[0].member
}

resource "google_service_account_iam_member" "pubsub_signs_alert" {
  count = var.alerts ? 1 : 0

  service_account_id = google_service_account.alert_push[0].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = var.pubsub_agent
}

# Without a dead letter: the records are in the lake and the warehouse, and an
# alert that could not be told within a day helps nobody.
resource "google_pubsub_subscription" "alert" {
  count = var.alerts ? 1 : 0

  project                    = var.project
  name                       = local.copied ? var.deployment.alert_copies_subscription : var.deployment.alert_subscription
  topic                      = local.copied ? google_pubsub_topic.alert_copies[0].id : google_pubsub_topic.topic[var.deployment.records_topic].id
  filter                     = var.deployment.alert_filter
  ack_deadline_seconds       = var.deployment.push_ack_deadline_seconds
  message_retention_duration = "${var.deployment.alert_retention_seconds}s"

  push_config {
    push_endpoint = "${var.alert.uri}/alert"

    oidc_token {
      service_account_email = google_service_account.alert_push[0].email
      audience              = var.alert.uri
    }
    no_wrapper {
      write_metadata = true
    }
  }

  retry_policy {
    minimum_backoff = "${var.deployment.push_minimum_backoff_seconds}s"
    maximum_backoff = "${var.deployment.alert_maximum_backoff_seconds}s"
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.alert_push,
    google_service_account_iam_member.pubsub_signs_alert,
  ]
}
