# From bridge to ingest: a topic, a subscription that pushes its messages as
# CloudEvents, and what becomes of those that fail for good.

resource "google_pubsub_topic" "topic" {
  #checkov:skip=CKV_GCP_83:kms_key sets a customer-managed key; without it Google's own is the user's choice
  for_each = toset([var.deployment.records_topic, var.deployment.dead_letter_topic])

  project      = var.project
  name         = each.key
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_service_account" "push" {
  project      = var.project
  account_id   = "stationflow-push"
  display_name = "stationflow: Pub/Sub calls ingest as this"
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  project  = var.project
  location = var.region
  name     = var.ingest.service
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

# Pub/Sub itself signs the tokens of that identity.
resource "google_service_account_iam_member" "pubsub_signs" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = var.pubsub_agent
}

resource "google_pubsub_subscription" "ingest" {
  project                    = var.project
  name                       = var.deployment.ingest_subscription
  topic                      = google_pubsub_topic.topic[var.deployment.records_topic].id
  ack_deadline_seconds       = var.deployment.push_ack_deadline_seconds
  message_retention_duration = "604800s" # longer than all attempts together

  push_config {
    push_endpoint = "${var.ingest.uri}/ingest"

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = var.ingest.uri
    }
    # The message's data is the body and its attributes are headers: a
    # CloudEvent in binary mode.
    no_wrapper {
      write_metadata = true
    }
  }

  retry_policy {
    minimum_backoff = "${var.deployment.push_minimum_backoff_seconds}s"
    maximum_backoff = "${var.deployment.push_maximum_backoff_seconds}s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.topic[var.deployment.dead_letter_topic].id
    max_delivery_attempts = var.deployment.push_max_delivery_attempts
  }

  expiration_policy {
    ttl = "" # never, also when stations are closed for a month
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.push,
    google_service_account_iam_member.pubsub_signs,
  ]
}

# Dead letters wait here for a person; a topic without a subscription would
# forget them.
resource "google_pubsub_subscription" "dead_letter" {
  project                    = var.project
  name                       = var.deployment.dead_letter_subscription
  topic                      = google_pubsub_topic.topic[var.deployment.dead_letter_topic].id
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s" # 31 days, the longest there is

  expiration_policy {
    ttl = ""
  }
}

# Audit looks at the dead letters and gives them back, which takes the right of who
# takes them away.
resource "google_pubsub_subscription_iam_member" "audit" {
  for_each = toset(["roles/pubsub.subscriber", "roles/pubsub.viewer"])

  project      = var.project
  subscription = google_pubsub_subscription.dead_letter.name
  role         = each.key
  member       = var.auditor
}

# Forwarding a dead letter takes both of these; without them Pub/Sub goes on
# delivering, and says nothing.
resource "google_pubsub_topic_iam_member" "forwards" {
  project = var.project
  topic   = google_pubsub_topic.topic[var.deployment.dead_letter_topic].name
  role    = "roles/pubsub.publisher"
  member  = var.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "forwards" {
  project      = var.project
  subscription = google_pubsub_subscription.ingest.name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent
}

# What is replayed goes the way of all batches, whatever the bridge's transport.
resource "google_pubsub_topic_iam_member" "replay" {
  count = var.replays ? 1 : 0

  project = var.project
  topic   = google_pubsub_topic.topic[var.deployment.records_topic].name
  role    = "roles/pubsub.publisher"
  member  = var.replay.member
}
